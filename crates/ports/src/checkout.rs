//! What the controller asks of git: where refs point, which pipeline files a commit holds, and what it changed. Writing
//! work trees is a worker's business and not here.

use async_trait::async_trait;
use branchline_model::{Against, Changed, CommitId, ObjectIds, RefName};

/// Why git gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckoutError {
    /// The repository cannot be reached or read now; the same may work later.
    #[error("`{url}` cannot be reached: {why}")]
    Unavailable {
        /// Which repository, without any secret.
        url: String,
        /// What failed.
        why: String,
    },
    /// The repository is not there, or not for us to see: trying again changes nothing until someone acts.
    #[error("`{url}` cannot be used: {why}")]
    Refused {
        /// Which repository, without any secret.
        url: String,
        /// What is wrong, and what to do.
        why: String,
    },
    /// The repository does not have this commit any more.
    #[error("`{url}` has no commit {commit}: it may have been replaced by a forced push and removed")]
    NoSuchCommit {
        /// Which repository, without any secret.
        url: String,
        /// Which commit.
        commit: CommitId,
    },
}

/// Where a repository's refs point.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heads {
    /// Branches and tags with their commits (annotated tags peeled), by name.
    pub refs: Vec<(RefName, CommitId)>,
    /// The branch that HEAD names, where it names one.
    pub default_branch: Option<String>,
}

/// What people call a commit by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitInfo {
    /// The first line of its message.
    pub subject: String,
    /// Its message, whole; of a very long one the beginning.
    pub message: String,
    /// Its author's name.
    pub author: String,
}

/// A file in a commit's `.branchline/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PipelineFile {
    /// Its path from the repository's root.
    pub path: String,
    /// Its bytes; or why they cannot be had (a link, too large…), which is an error of the file.
    pub content: Result<Vec<u8>, String>,
}

/// What a commit holds for the controller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitFiles {
    /// The commit itself.
    pub info: CommitInfo,
    /// The pipeline files, by path.
    pub files: Vec<PipelineFile>,
}

/// Git, as the controller sees it.
#[async_trait]
pub trait Checkout: Send + Sync {
    /// Where the refs point now, without fetching anything. It answers within a minute, whatever the server does.
    async fn heads(&self, url: &str) -> Result<Heads, CheckoutError>;

    /// The pipeline files at a commit. `ref_name` is a ref that reaches it, for servers that do not hand out a
    /// commit by its id.
    async fn pipelines_at(
        &self,
        url: &str,
        commit: &CommitId,
        ref_name: Option<&RefName>,
    ) -> Result<CommitFiles, CheckoutError>;

    /// The files that differ between a commit and another. Who keeps no history says so in the answer.
    async fn changed_at(
        &self,
        _url: &str,
        _commit: &CommitId,
        _against: &Against,
        _ref_name: Option<&RefName>,
    ) -> Result<Changed, CheckoutError> {
        Ok(Changed::Everything { why: "there is no history to compare with".to_owned() })
    }

    /// The ids of the files and folders at these paths of a commit.
    async fn objects_at(
        &self,
        _url: &str,
        _commit: &CommitId,
        paths: &[String],
        _ref_name: Option<&RefName>,
    ) -> Result<ObjectIds, CheckoutError> {
        Ok(paths.iter().map(|path| (path.clone(), None)).collect())
    }
}
