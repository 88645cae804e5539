//! Logs in a folder, as their callers see them. Invariant: one process works with a folder (the store's lock sees to
//! it), and each call is one hop to a thread that may block.

use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use branchline_model::{AttemptId, LineTime};
use branchline_ports::{Appends, ArtifactError, Artifacts, LineStart, LogLength, LogPart, Objects, Place};

use crate::handles::Handles;
use crate::log::Log;

/// So many logs keep their files open: each has two.
const OPEN_LOGS: usize = 256;

/// So many folders are known to be synced; beyond that, they are synced again.
const SYNCED_FOLDERS: usize = 1024;

/// The folder cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the folder of logs {} cannot be used: {why}", .folder.display())]
pub struct OpenError {
    /// Which folder.
    pub folder: PathBuf,
    /// What failed.
    #[source]
    pub why: io::Error,
}

/// Logs as plain files: `logs/<repository>/<build>/<run>.<attempt>.log`, with `.open` at its end until it is closed.
///
/// Only one process may work with a folder. Times of lines lie beside a log and are not synced: after a crash of the
/// machine they may be missing, bytes of a closed log are not.
#[derive(Debug, Clone)]
pub struct FolderArtifacts {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    folder: PathBuf,
    logs: PathBuf,
    handles: Handles,
    /// Builds' folders that are known to be found again after a crash of the machine.
    synced: Mutex<HashSet<PathBuf>>,
}

impl FolderArtifacts {
    /// Opens the folder, making it where there is none. Blocks.
    ///
    /// # Errors
    /// Where the folder cannot be made or is something else.
    pub fn open(folder: impl AsRef<Path>) -> Result<Self, OpenError> {
        let logs = folder.as_ref().join("logs");
        std::fs::create_dir_all(&logs)
            .and_then(|()| File::open(folder.as_ref())?.sync_all())
            .map_err(|why| OpenError { folder: logs.clone(), why })?;
        let folder = folder.as_ref().to_owned();
        let (handles, synced) = (Handles::new(OPEN_LOGS), Mutex::default());
        crate::objects::clear_away(&folder);
        Ok(Self { shared: Arc::new(Shared { folder, logs, handles, synced }) })
    }

    /// Where everything lies.
    pub(crate) fn folder(&self) -> &Path {
        &self.shared.folder
    }

    /// Does file work on a log in a thread that may block.
    async fn work<T: Send + 'static>(
        &self,
        attempt: &AttemptId,
        work: impl FnOnce(&Shared, &Log) -> Result<T, ArtifactError> + Send + 'static,
    ) -> Result<T, ArtifactError> {
        let (shared, of) = (Arc::clone(&self.shared), attempt.clone());
        let done = tokio::task::spawn_blocking(move || {
            let log = shared.handles.of(&shared.logs, &of);
            work(&shared, &log)
        });
        done.await.map_err(|error| ArtifactError::Unavailable {
            attempt: attempt.clone(),
            why: format!("the work on it was cut off: {error}"),
        })?
    }
}

impl Shared {
    /// Makes sure that a log is found under its name after a crash of the machine.
    fn sync_folders(&self, [build, repository, all]: &[PathBuf; 3]) -> Result<(), (PathBuf, io::Error)> {
        let sync = |folder: &PathBuf| {
            File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| (folder.clone(), error))
        };
        sync(build)?;
        if self.synced.lock().unwrap_or_else(PoisonError::into_inner).contains(build) {
            return Ok(());
        }
        sync(repository)?;
        sync(all)?;
        let mut synced = self.synced.lock().unwrap_or_else(PoisonError::into_inner);
        if synced.len() >= SYNCED_FOLDERS {
            synced.clear();
        }
        synced.insert(build.clone());
        Ok(())
    }

    /// Removes a build's folder once the last of its logs is gone.
    fn remove_if_empty(&self, build: &Path) {
        // One that holds other logs stays: the system refuses.
        if std::fs::remove_dir(build).is_ok() {
            self.synced.lock().unwrap_or_else(PoisonError::into_inner).remove(build);
        }
    }
}

#[async_trait]
impl Artifacts for FolderArtifacts {
    async fn append_log(
        &self,
        attempt: &AttemptId,
        offset: u64,
        bytes: &[u8],
        times: &[LineTime],
    ) -> Result<u64, ArtifactError> {
        let (bytes, times) = (bytes.to_vec(), times.to_vec());
        self.work(attempt, move |_, log| log.append(offset, &bytes, &times)).await
    }

    async fn close_log(&self, attempt: &AttemptId) -> Result<LogLength, ArtifactError> {
        self.work(attempt, |shared, log| log.close(|folders| shared.sync_folders(folders))).await
    }

    async fn log_length(&self, attempt: &AttemptId) -> Result<LogLength, ArtifactError> {
        self.work(attempt, |_, log| log.length()).await
    }

    async fn read_log(
        &self,
        attempt: &AttemptId,
        offset: u64,
        most: usize,
    ) -> Result<LogPart, ArtifactError> {
        self.work(attempt, move |_, log| log.read(offset, most)).await
    }

    async fn delete_log(&self, attempt: &AttemptId) -> Result<(), ArtifactError> {
        self.work(attempt, |shared, log| {
            log.delete()?;
            shared.remove_if_empty(log.folder());
            Ok(())
        })
        .await
    }

    fn appends(&self) -> Appends {
        Appends::Free
    }

    fn objects(&self) -> Option<&dyn Objects> {
        Some(self)
    }

    async fn find_line(&self, attempt: &AttemptId, place: Place) -> Result<LineStart, ArtifactError> {
        self.work(attempt, move |_, log| log.find_line(place)).await
    }
}
