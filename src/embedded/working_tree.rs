//! The working tree as the place where pipelines are read and jobs are run: for `branchline run`. Nothing in it is
//! written or removed but by the jobs themselves.

use std::fs;
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Context;
use async_trait::async_trait;
use branchline_checkout::{Cache, GitCheckout, LARGEST_FILE, Network, Source, Sources, file_id, heads};
use branchline_model::{Against, Changed, CheckoutDefinition, CommitId, ObjectIds, RefName};
use branchline_ports::{Checkout, CheckoutError, CommitFiles, CommitInfo, Heads, PipelineFile};
use branchline_worker::Workspaces;

/// A working tree, or a folder with pipelines that is none.
#[derive(Clone, Debug)]
pub struct WorkingTree {
    root: PathBuf,
}

/// What is checked out.
#[derive(Clone, Debug)]
pub struct Head {
    /// The branch; `HEAD` where none is checked out.
    pub ref_name: RefName,
    /// The commit; all zeros where there is none yet.
    pub commit: CommitId,
    /// What people call it by.
    pub info: CommitInfo,
}

impl WorkingTree {
    /// The tree around a folder: the nearest one above with `.branchline/`, or else with `.git`.
    pub fn around(folder: &Path) -> anyhow::Result<Self> {
        let holding =
            |name: &str| folder.ancestors().find(|above| above.join(name).exists()).map(Path::to_owned);
        let root = holding(".branchline").or_else(|| holding(".git")).with_context(|| {
            format!(
                "`{}` is in no repository: neither it nor a folder above it holds `.branchline` or `.git`",
                folder.display()
            )
        })?;
        Ok(Self { root })
    }

    /// Its uppermost folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The pipeline files as they are now, by path.
    pub fn pipeline_files(&self) -> anyhow::Result<Vec<PipelineFile>> {
        files_in(&self.root.join(".branchline"), ".branchline")
    }

    /// The repository that it belongs to: the pipelines may stand in a folder of a larger one.
    fn repository(&self) -> &Path {
        self.root.ancestors().find(|above| above.join(".git").exists()).unwrap_or(&self.root)
    }

    /// Its repository, as the controller reads it; it is read where it is, so its cache stays empty.
    fn git(&self) -> Result<GitCheckout, String> {
        let cache =
            Cache::open(std::env::temp_dir(), Network::default()).map_err(|error| error.to_string())?;
        Ok(GitCheckout::new(cache, Network::default(), Sources::default()))
    }

    /// The message of the commit that is checked out; empty where there is none.
    pub async fn message(&self) -> String {
        let (Ok(git), head) = (self.git(), self.head()) else { return String::new() };
        let url = self.repository().to_string_lossy().into_owned();
        let read = git.pipelines_at(&url, &head.commit, Some(&head.ref_name)).await;
        read.map(|commit| commit.info.message).unwrap_or_default()
    }

    /// What is checked out.
    #[must_use]
    pub fn head(&self) -> Head {
        let seen =
            Source::local(self.repository()).ok().and_then(|source| heads(&source, &Network::default()).ok());
        let branch = seen.as_ref().and_then(|seen| seen.default_branch.clone());
        let ref_name = RefName::Branch(branch.unwrap_or_else(|| "HEAD".to_owned()));
        let commit = seen.and_then(|seen| seen.head).or_else(|| "0".repeat(40).parse().ok());
        let info = CommitInfo {
            subject: "the working tree".to_owned(),
            message: String::new(),
            author: "you".to_owned(),
        };
        #[expect(clippy::expect_used, reason = "forty zeros are a commit's id")]
        Head { ref_name, commit: commit.expect("forty zeros are a commit's id"), info }
    }
}

/// The pipeline files of a folder, by path; none where there is no such folder. `shown` is what the folder is called.
pub fn files_in(folder: &Path, shown: &str) -> anyhow::Result<Vec<PipelineFile>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => {
            return Err(error).with_context(|| format!("cannot read the folder `{}`", folder.display()));
        }
    };
    let mut files = Vec::new();
    for entry in entries {
        let entry = entry.with_context(|| format!("cannot read the folder `{}`", folder.display()))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.ends_with(".yaml") && !name.ends_with(".yml") {
            continue;
        }
        files.push(PipelineFile { path: format!("{shown}/{name}"), content: read(&entry.path()) });
    }
    files.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(files)
}

/// One pipeline file, called as it was named.
#[must_use]
pub fn read_file(path: &Path) -> PipelineFile {
    PipelineFile { path: path.to_string_lossy().into_owned(), content: read(path) }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    let metadata = fs::symlink_metadata(path).map_err(|error| error.to_string())?;
    if !metadata.is_file() {
        return Err("it is not a regular file: pipelines are plain files".to_owned());
    }
    let mut bytes = Vec::new();
    let limited = fs::File::open(path).map(|file| file.take(LARGEST_FILE + 1));
    limited
        .and_then(|mut file| file.read_to_end(&mut bytes))
        .map_err(|error| format!("it cannot be read: {error}"))?;
    Ok(bytes)
}

#[async_trait]
impl Checkout for WorkingTree {
    async fn heads(&self, _url: &str) -> Result<Heads, CheckoutError> {
        let head = self.head();
        let default_branch = Some(head.ref_name.short().to_owned());
        Ok(Heads { refs: vec![(head.ref_name, head.commit)], default_branch })
    }

    async fn pipelines_at(
        &self,
        url: &str,
        _commit: &CommitId,
        _ref_name: Option<&RefName>,
    ) -> Result<CommitFiles, CheckoutError> {
        let files = self
            .pipeline_files()
            .map_err(|error| CheckoutError::Unavailable { url: url.to_owned(), why: format!("{error:#}") })?;
        Ok(CommitFiles { info: self.head().info, files })
    }

    async fn changed_at(
        &self,
        url: &str,
        commit: &CommitId,
        against: &Against,
        ref_name: Option<&RefName>,
    ) -> Result<Changed, CheckoutError> {
        match self.git() {
            Ok(git) => git.changed_at(&self.repository().to_string_lossy(), commit, against, ref_name).await,
            Err(why) => Err(CheckoutError::Unavailable { url: url.to_owned(), why }),
        }
    }

    async fn objects_at(
        &self,
        _url: &str,
        _commit: &CommitId,
        paths: &[String],
        _ref_name: Option<&RefName>,
    ) -> Result<ObjectIds, CheckoutError> {
        Ok(paths.iter().map(|path| (path.clone(), object(&self.root, path))).collect())
    }
}

/// The id that git would give the file as it is now; `None` where there is none that it can be read of.
fn object(root: &Path, path: &str) -> Option<String> {
    let path = Path::new(path);
    let stays = path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    file_id(&fs::read(root.join(path)).ok().filter(|_| stays)?)
}

#[async_trait]
impl Workspaces for WorkingTree {
    /// The jobs run in the tree itself: there is nothing to write.
    async fn prepare(
        &self,
        _checkout: &CheckoutDefinition,
        _commit: &CommitId,
        _into: &Path,
        _cancel: &Arc<AtomicBool>,
        _log: &mut (dyn FnMut(String) + Send),
    ) -> Result<(), String> {
        Ok(())
    }
}
