//! Reading commits. Invariant: a local repository is read where it is; of a remote one only what is needed is
//! fetched, once, and a cache that is torn or lost in between is begun anew, at most once for each question.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use branchline_model::{CommitId, RefName};

use crate::attended::attend;
use crate::entry::Entry;
use crate::error::{self, CheckoutError};
use crate::fetch::{self, Fetch};
use crate::files::{self, CommitInfo, Folder, FolderFiles, Lack};
use crate::network::Network;
use crate::repository;
use crate::source::{Place, Source};
use crate::url::Remote;

/// A folder that keeps what was fetched: below it one folder for each remote repository. It is safe to lose, safe
/// against a kill at any time, and may be used by any number of processes at once.
#[derive(Clone, Debug)]
pub struct Cache {
    pub(crate) folder: PathBuf,
    pub(crate) network: Network,
}

impl Cache {
    /// Opens a cache, and makes its folder where there is none.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn open(folder: impl AsRef<Path>, network: Network) -> Result<Self, CheckoutError> {
        let folder = folder.as_ref();
        std::fs::create_dir_all(folder).map_err(|error| CheckoutError::disk(folder, &error))?;
        let folder = folder.canonicalize().map_err(|error| CheckoutError::disk(folder, &error))?;
        Ok(Self { folder, network })
    }

    /// The files of one folder at a commit whose names end in one of `endings`; subfolders are not entered. An
    /// empty `folder` is the root; a folder that is not there holds no files.
    ///
    /// `ref_name` is a ref that reaches the commit, for servers that do not hand out a commit by its id.
    ///
    /// # Errors
    /// The repository or the commit is not there, or cannot be read. What is wrong with one file is in its place
    /// in the result.
    pub fn files_at(
        &self,
        source: &Source,
        commit: &CommitId,
        ref_name: Option<&RefName>,
        folder: &str,
        endings: &[&str],
    ) -> Result<FolderFiles, CheckoutError> {
        let folder =
            Folder { path: folder.to_owned(), endings: endings.iter().map(ToString::to_string).collect() };
        self.read(source, commit, ref_name, Some(&folder), |repository, id| {
            files::read(repository, id, &folder)
        })
    }

    /// What people call a commit by.
    ///
    /// # Errors
    /// The repository or the commit is not there, or cannot be read.
    pub fn commit_info(
        &self,
        source: &Source,
        commit: &CommitId,
        ref_name: Option<&RefName>,
    ) -> Result<CommitInfo, CheckoutError> {
        self.read(source, commit, ref_name, None, files::info)
    }

    pub(crate) fn read<T>(
        &self,
        source: &Source,
        commit: &CommitId,
        ref_name: Option<&RefName>,
        folder: Option<&Folder>,
        look: impl Fn(&gix::Repository, gix::ObjectId) -> Result<T, Lack>,
    ) -> Result<T, CheckoutError> {
        let id = repository::object_id(source, commit)?;
        let remote = match &source.place {
            Place::Local { git_dir, .. } => {
                let repository = repository::open_local(source, git_dir)?;
                return look(&repository, id).map_err(|lack| lack.into_error(source.to_string(), commit));
            }
            Place::Remote(remote) => remote,
        };
        let mut entry = self.entry(source)?;
        let (mut fetched, mut renewed) = (false, false);
        loop {
            let looked = match entry.repository() {
                Ok(repository) => look(&repository, id),
                Err(error) => Err(Lack::Damaged(error::whole_story(&error))),
            };
            match looked {
                Ok(value) => return Ok(value),
                Err(Lack::Commit | Lack::Blobs(_)) if !fetched => {
                    entry = self.fetch_folder(entry, source, remote, commit, ref_name, folder)?;
                    fetched = true;
                }
                // Damaged, or still not whole after a fetch that went well.
                Err(Lack::Damaged(_) | Lack::Commit | Lack::Blobs(_)) if !renewed => {
                    tracing::warn!(repository = %source, "the cache is damaged: beginning it anew");
                    entry.renew()?;
                    (renewed, fetched) = (true, false);
                }
                Err(lack) => return Err(lack.into_error(source.to_string(), commit)),
            }
        }
    }

    pub(crate) fn entry(&self, source: &Source) -> Result<Entry, CheckoutError> {
        Entry::open(&self.folder, source, self.network.largest_cache)
    }

    fn fetch_folder(
        &self,
        entry: Entry,
        source: &Source,
        remote: &Remote,
        commit: &CommitId,
        ref_name: Option<&RefName>,
        folder: Option<&Folder>,
    ) -> Result<Entry, CheckoutError> {
        let id = fetch::id_of(source, commit)?;
        let (source, remote, network) = (source.clone(), remote.clone(), self.network.clone());
        let (commit, ref_name) = (commit.clone(), ref_name.map(ToString::to_string));
        let folder = folder.cloned();
        attend(&AtomicBool::new(false), &mut |_| {}, move |attendant| {
            let fetch = Fetch {
                source: &source,
                remote: &remote,
                network: &network,
                entry: &entry,
                commit: &commit,
                ref_name: ref_name.as_deref(),
                attendant,
            };
            fetch.folder(id, folder.as_ref())?;
            Ok(entry)
        })
    }
}
