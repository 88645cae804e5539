//! What can go wrong, by outcome: what failed, where, why, and whether asking again may help. Invariant: no error
//! holds a password (sources are named by their `Display`). gix's errors end here.

use std::path::{Path, PathBuf};

use branchline_model::CommitId;

use crate::source::{Place, Source};
use crate::url::Scheme;

/// Why git gave no answer. `repository` is the source as it may be shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckoutError {
    /// The server cannot be reached, or broke off.
    #[error("`{repository}` cannot be reached: {why}")]
    Unreachable {
        /// Which repository.
        repository: String,
        /// What failed.
        why: String,
        /// Whether the same may work later without anyone acting.
        transient: bool,
    },
    /// The server wants other credentials than it got, or forbids us the repository.
    #[error("`{repository}` refuses us ({why}): check that its credentials are right and may read it")]
    Unauthenticated {
        /// Which repository.
        repository: String,
        /// What the server said.
        why: String,
    },
    /// There is no such repository there, or it is hidden from us.
    #[error("`{repository}` was not found ({why}): check its address, and its credentials if it is private")]
    NotFound {
        /// Which repository.
        repository: String,
        /// What the server or the file system said.
        why: String,
    },
    /// Something answers there, but it is no git repository, or a server that does not speak git.
    #[error("`{repository}` is not a git repository: {why}")]
    NotARepository {
        /// Which repository.
        repository: String,
        /// What was found instead.
        why: String,
    },
    /// The repository does not have this commit (any more), or does not hand it out.
    #[error("`{repository}` has no commit {commit}: it may have been replaced by a forced push and removed")]
    NoSuchCommit {
        /// Which repository.
        repository: String,
        /// Which commit.
        commit: CommitId,
    },
    /// Objects are missing or damaged.
    #[error("`{repository}` is damaged: {why}: `git fsck` there says more")]
    Corrupt {
        /// Which repository.
        repository: String,
        /// Which object, and how.
        why: String,
    },
    /// A repository of a kind that we cannot read (another hash, another ref storage).
    #[error("`{repository}` cannot be read: {why}")]
    Unsupported {
        /// Which repository.
        repository: String,
        /// What it needs.
        why: String,
    },
    /// The commit holds paths that would be written outside of the work tree, or into `.git`.
    #[error("commit {commit} of `{repository}` is not written: {why}")]
    UnsafeTree {
        /// Which repository.
        repository: String,
        /// Which commit.
        commit: CommitId,
        /// Which path, and why it is refused.
        why: String,
    },
    /// A submodule cannot be had.
    #[error("submodule `{path}` of `{repository}`: {why}")]
    Submodule {
        /// The repository that holds it.
        repository: String,
        /// Its path there.
        path: String,
        /// What is wrong.
        why: String,
    },
    /// There is something already where the work tree is to be written.
    #[error("`{path}` exists and is not an empty folder: a work tree is only written to a new place")]
    Occupied {
        /// The folder.
        path: PathBuf,
    },
    /// Our own disk failed us: the cache or the work tree cannot be written.
    #[error("`{path}` cannot be written: {why}")]
    Disk {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        why: String,
    },
    /// It was asked to stop.
    #[error("stopped, as asked")]
    Cancelled,
}

impl CheckoutError {
    /// Whether the same may work later without anyone acting.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unreachable { transient: true, .. })
    }

    pub(crate) fn disk(path: &Path, why: &dyn std::fmt::Display) -> Self {
        Self::Disk { path: path.to_owned(), why: why.to_string() }
    }
}

/// All that an error says, outermost first, without repeating itself.
pub(crate) fn whole_story(error: &gix::Error) -> String {
    let mut story: Vec<String> = Vec::new();
    for part in error.iter_errors() {
        let text = part.to_string();
        if !text.is_empty() && !story.iter().any(|said| said.contains(&text)) {
            story.push(text);
        }
    }
    story.join(": ")
}

/// What an error means that came out of an exchange with a server.
pub(crate) fn of_remote(source: &Source, error: &gix::Error) -> CheckoutError {
    let repository = source.to_string();
    let why = whole_story(error);
    let says = |words: &[&str]| words.iter().any(|word| why.contains(word));
    if error.is_cancelled() {
        return CheckoutError::Cancelled;
    }
    let status = error.iter_errors().find_map(|part| part.downcast_ref::<reqwest::Error>()?.status());
    match status.map(|status| status.as_u16()) {
        Some(401 | 403 | 407) => return CheckoutError::Unauthenticated { repository, why },
        Some(status @ (404 | 410)) => {
            return CheckoutError::NotFound { repository, why: format!("HTTP status {status}") };
        }
        Some(429 | 500..) => return CheckoutError::Unreachable { repository, why, transient: true },
        Some(_) => return CheckoutError::Unreachable { repository, why, transient: false },
        None => {}
    }
    // What an ssh server says has no status: these are the words of ssh, git and the large forges.
    if error.is_unauthenticated() || says(&["Permission denied", "Host key verification failed"]) {
        let why = if source.credentials.is_none() && error.is_unauthenticated() {
            "it asks for credentials, and there are none".to_owned()
        } else {
            why
        };
        return CheckoutError::Unauthenticated { repository, why };
    }
    if says(&["does not appear to be a git repository", "epository not found", "Could not find repository"]) {
        return CheckoutError::NotFound { repository, why };
    }
    if says(&["'smart' protocol"]) {
        let why = "what answers there does not speak git's smart protocol".to_owned();
        return CheckoutError::NotARepository { repository, why };
    }
    if error.is_resource_exhausted() || says(&["No space left"]) {
        return CheckoutError::Unreachable { repository, why, transient: false };
    }
    // gix hands what ssh and the far end write on to our own error output, and tells only how it ended.
    let is_ssh = matches!(&source.place, Place::Remote(remote) if remote.scheme == Scheme::Ssh);
    if is_ssh && says(&["failed to fill whole buffer"]) {
        let why = "the connection closed without an answer: what ssh or the server said about it (an unknown host, \
                   no such repository…) is on this process's error output"
            .to_owned();
        return CheckoutError::Unreachable { repository, why, transient: true };
    }
    let untrusted = says(&["certificate", "InvalidCertificate"]);
    CheckoutError::Unreachable { repository, why, transient: !untrusted && !error.is_unsupported() }
}

/// What an error means that came out of reading a repository's own files.
pub(crate) fn of_local(source: &Source, error: &gix::Error) -> CheckoutError {
    let repository = source.to_string();
    let why = whole_story(error);
    match source.git_dir() {
        Some(folder) if !folder.exists() => {
            CheckoutError::NotFound { repository, why: format!("`{}` is gone", folder.display()) }
        }
        _ if error.is_unsupported() => CheckoutError::Unsupported { repository, why },
        _ => CheckoutError::Corrupt { repository, why },
    }
}
