//! The attempt directory. Invariant: it is made once, by `mkdir`, which is the claim; what is in it can be missing after a
//! kill, and is then made by whoever holds the lock next (see `held`).

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use branchline_model::{AttemptId, RunDefinition};

use crate::error::DirectoryError;
use crate::held::Held;
use crate::lock::Lock;
use crate::orders::{self, StopOrder};
use crate::state::Observed;

/// The run definition's file, and the one it is written as, which a spare directory keeps to write into.
pub(crate) const DEFINITION: &str = "definition.json";
pub(crate) const NEXT_DEFINITION: &str = "definition.next";

/// The directory of one attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptDirectory {
    path: PathBuf,
    attempt: AttemptId,
}

/// What came of a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claimed {
    /// The directory was made just now, and is empty.
    Made(AttemptDirectory),
    /// Someone made it before: go on with what is in it.
    AlreadyThere(AttemptDirectory),
}

impl AttemptDirectory {
    /// Claims an attempt: makes its directory in `root`, mode 700. Of any number of claims one is answered with
    /// [`Claimed::Made`].
    ///
    /// # Errors
    /// `root` is missing, or the file system refused.
    pub fn claim(root: &Path, attempt: &AttemptId) -> Result<Claimed, DirectoryError> {
        let directory = Self::at(root, attempt)?;
        match DirBuilder::new().mode(0o700).create(&directory.path) {
            Ok(()) => Ok(Claimed::Made(directory)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Ok(Claimed::AlreadyThere(directory))
            }
            Err(error) => Err(DirectoryError::failed("make the directory", &directory.path)(error)),
        }
    }

    /// Where an attempt's directory is in `root`, whether it is there or not.
    ///
    /// # Errors
    /// `root` is relative and there is no current directory.
    pub fn at(root: &Path, attempt: &AttemptId) -> Result<Self, DirectoryError> {
        let root = std::path::absolute(root).map_err(DirectoryError::failed("find", root))?;
        Ok(Self { path: root.join(attempt.folder()), attempt: attempt.clone() })
    }

    /// The directory at a path; its name says whose it is. Whether it is there is not looked at.
    ///
    /// # Errors
    /// The name is not that of an attempt.
    pub fn named(path: &Path) -> Result<Self, DirectoryError> {
        let foreign = || DirectoryError::Foreign { path: path.to_owned() };
        let path = std::path::absolute(path).map_err(DirectoryError::failed("find", path))?;
        let name = path.file_name().and_then(|name| name.to_str()).ok_or_else(foreign)?;
        let attempt = name.replace('.', "/").parse().map_err(|_| foreign())?;
        Ok(Self { path, attempt })
    }

    /// Every attempt directory in `root`, in no order.
    ///
    /// # Errors
    /// `root` cannot be read.
    pub fn all(root: &Path) -> Result<Vec<Self>, DirectoryError> {
        let failed = || DirectoryError::failed("read the folder", root);
        let mut found = Vec::new();
        for entry in fs::read_dir(root).map_err(failed())? {
            let entry = entry.map_err(failed())?;
            if entry.file_type().is_ok_and(|kind| kind.is_dir())
                && let Ok(directory) = Self::named(&entry.path())
            {
                found.push(directory);
            }
        }
        Ok(found)
    }

    /// The attempt.
    #[must_use]
    pub fn attempt(&self) -> &AttemptId {
        &self.attempt
    }

    /// Where it is: an absolute path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the steps work; a link where they work in a tree that exists.
    #[must_use]
    pub fn workspace(&self) -> PathBuf {
        self.path.join("workspace")
    }

    /// The FIFO by which the supervisor tells its follower that something changed. One follower at a time: a byte is read
    /// once. Its end (no writer left) says that the supervisor is gone.
    #[must_use]
    pub fn bell(&self) -> PathBuf {
        self.path.join("bell")
    }

    /// What the steps print, and lines in front that say what this is.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.path.join("log")
    }

    /// The file that steps know as `BRANCHLINE_OUTPUT`.
    #[must_use]
    pub fn output(&self) -> PathBuf {
        self.path.join("output")
    }

    /// The file that steps know as `BRANCHLINE_SUMMARY`.
    #[must_use]
    pub fn summary(&self) -> PathBuf {
        self.path.join("summary")
    }

    /// The folder that steps know as `BRANCHLINE_ARTIFACTS`: there where jobs that this one needs have made any.
    #[must_use]
    pub fn artifacts(&self) -> PathBuf {
        self.path.join("artifacts")
    }

    /// The folder of what was packed to be kept; there where anything was.
    #[must_use]
    pub fn archives(&self) -> PathBuf {
        self.path.join("archives")
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Whether it is there.
    #[must_use]
    pub fn exists(&self) -> bool {
        self.path.is_dir()
    }

    /// Whether all is there that a supervisor or a follower needs: what fills the directory writes the run definition last.
    #[must_use]
    pub fn is_filled(&self) -> bool {
        self.file(DEFINITION).exists()
    }

    /// The run definition.
    ///
    /// # Errors
    /// It is not there yet, or is none.
    pub fn definition(&self) -> Result<RunDefinition, DirectoryError> {
        let path = self.file(DEFINITION);
        let bytes = fs::read(&path).map_err(DirectoryError::failed("read", &path))?;
        let definition: RunDefinition = serde_json::from_slice(&bytes)
            .map_err(|error| DirectoryError::Unreadable { path: path.clone(), why: error.to_string() })?;
        if definition.format != 1 {
            let why = format!("its format is {}, and this version knows format 1", definition.format);
            return Err(DirectoryError::Unreadable { path, why });
        }
        Ok(definition)
    }

    /// What the state lines say.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn observed(&self) -> Result<Observed, DirectoryError> {
        let path = self.file("state");
        Observed::read(&path).map_err(DirectoryError::failed("read", &path))
    }

    /// Whether someone holds the attempt now: its supervisor, or who prepares or ends it.
    ///
    /// # Errors
    /// The lock cannot be read.
    pub fn is_held(&self) -> Result<bool, DirectoryError> {
        let path = self.file("lock");
        Lock::is_taken(&path).map_err(DirectoryError::failed("look at", &path))
    }

    /// Takes the attempt's lock, which is the right to write in it; `None` where its supervisor, or another one, has it.
    ///
    /// # Errors
    /// The directory is missing, or the file system refused.
    pub fn hold(&self) -> Result<Option<Held>, DirectoryError> {
        let path = self.file("lock");
        let lock = Lock::take(&path).map_err(DirectoryError::failed("lock", &path))?;
        Ok(lock.map(|lock| Held::new(self.clone(), lock)))
    }

    /// Orders the supervisor to stop, now or as soon as there is one. An order may be repeated; one that says "at once"
    /// stays. An attempt that has ended, or has no directory, is not disturbed.
    ///
    /// # Errors
    /// The file system refused.
    pub fn order_stop(&self, order: &StopOrder) -> Result<(), DirectoryError> {
        let path = self.file("stop");
        let failed = || DirectoryError::failed("write", &path);
        let before = StopOrder::read(&path).map_err(failed())?;
        if before.as_ref() != Some(order) && !before.is_some_and(|before| before.at_once) {
            match self.write_whole("stop", &serde_json::to_vec(order).map_err(|e| failed()(e.into()))?) {
                Err(error) if error.is_missing() => return Ok(()),
                written => written?,
            }
        }
        orders::poke(&self.file("orders"));
        Ok(())
    }

    /// The order to stop, if there is one.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn ordered_stop(&self) -> Result<Option<StopOrder>, DirectoryError> {
        let path = self.file("stop");
        StopOrder::read(&path).map_err(DirectoryError::failed("read", &path))
    }

    /// The end of what the supervisor wrote to its own stderr; empty, if all is well.
    #[must_use]
    pub fn errors(&self) -> String {
        let bytes = fs::read(self.file("errors")).unwrap_or_default();
        String::from_utf8_lossy(&bytes[bytes.len().saturating_sub(2000)..]).trim().to_owned()
    }

    /// Writes the run definition: it is whole, or not there. Only who holds the lock does.
    pub(crate) fn write_definition(&self, definition: &RunDefinition) -> Result<(), DirectoryError> {
        let (path, beside) = (self.file(DEFINITION), self.file(NEXT_DEFINITION));
        let failed = || DirectoryError::failed("write", &path);
        let bytes = serde_json::to_vec(definition).map_err(|error| failed()(error.into()))?;
        let written = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&beside)
            .and_then(|mut file| file.write_all(&bytes))
            .and_then(|()| fs::rename(&beside, &path));
        written.map_err(failed())
    }

    /// Writes a file beside its place and renames it there: it is whole, or not there.
    pub(crate) fn write_whole(&self, name: &str, bytes: &[u8]) -> Result<(), DirectoryError> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let (path, beside) = (self.file(name), self.file(&format!(".{name}.{}-{count}", std::process::id())));
        let failed = || DirectoryError::failed("write", &path);
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside).map_err(failed())?;
        let written = file.write_all(bytes).and_then(|()| fs::rename(&beside, &path));
        if written.is_err() {
            let _ = fs::remove_file(&beside);
        }
        written.map_err(failed())
    }
}
