//! Spare attempt directories: small ones that are over are emptied and used again instead of being removed and made anew. Why:
//! ext4 does not give an inode out again for a while after it was freed, and looks past all of those, one by one, whenever it
//! makes a file (`recently_deleted` in fs/ext4/ialloc.c); with a dozen files made and freed per attempt, that was three
//! quarters of what a run of `true` cost.
//!
//! Invariants: a claim is still one atomic step, of which one succeeds: a rename that replaces nothing takes the place of
//! `mkdir`. What is used again is exactly what a new directory would be: regular files of one name, empty; anything else,
//! a work tree for one, is removed. Whoever writes by an attempt's path writes into that attempt's directory or nowhere:
//! a directory is looked through and emptied only after it was moved away.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use branchline_model::AttemptId;
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};

use crate::directory::{AttemptDirectory, Claimed, DEFINITION, NEXT_DEFINITION};
use crate::error::DirectoryError;
use crate::lock::Lock;
use crate::remove::remove;

/// Files that are emptied.
const EMPTIED: &[&str] =
    &["log", "times", "state", "output", "summary", "errors", NEXT_DEFINITION, "steps/000.sh"];

/// What is kept as it is.
const KEPT: &[&str] = &["lock", "bell", "orders", "steps", "workspace"];

/// What the names of folders with spare directories begin with.
const PREFIX: &str = ".spare.";

/// What became of a directory that was to be cleared away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cleared {
    /// It is a spare one.
    Spare,
    /// It is gone.
    Removed,
    /// Nothing: someone holds it. It can be tried again when they have let go.
    InUse,
}

/// The spare directories of one worker, in a folder of its own: nobody may remove what another one is about to use.
#[derive(Debug)]
pub struct Spares {
    folder: PathBuf,
    most: usize,
    made: AtomicU64,
    ready: Mutex<Vec<PathBuf>>,
    _lock: Lock,
}

impl Spares {
    /// Keeps at most `most` of them in a folder in `root`, and removes those of processes that are gone, as far as they can be
    /// removed.
    ///
    /// # Errors
    /// The file system refused.
    pub fn new(root: &Path, most: usize) -> Result<Self, DirectoryError> {
        let failed = || DirectoryError::failed("make spare directories in", root);
        for entry in fs::read_dir(root).map_err(failed())? {
            let entry = entry.map_err(failed())?;
            let is_one = entry.file_name().to_string_lossy().starts_with(PREFIX);
            if is_one && let Ok(Some(_lock)) = Lock::take(&entry.path().join("lock")) {
                // What a step has made irremovable was told of by who tried first, and is no reason not to work.
                let _ = remove(&entry.path());
            }
        }
        let (folder, lock) = Self::folder_in(root).map_err(failed())?;
        Ok(Self { folder, most, made: AtomicU64::new(0), ready: Mutex::default(), _lock: lock })
    }

    fn folder_in(root: &Path) -> io::Result<(PathBuf, Lock)> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        loop {
            let count = COUNT.fetch_add(1, Ordering::Relaxed);
            let folder = root.join(format!("{PREFIX}{}.{count}", std::process::id()));
            match DirBuilder::new().mode(0o700).create(&folder) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                made => made?,
            }
            // Between the two someone may have taken it for a dead one's: then the next.
            match Lock::take(&folder.join("lock")) {
                Ok(Some(lock)) if folder.is_dir() => return Ok((folder, lock)),
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
    }

    fn take(&self) -> Option<PathBuf> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn put(&self, spare: PathBuf) {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner).push(spare);
    }

    fn are_enough(&self) -> bool {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner).len() >= self.most
    }

    /// Claims an attempt, as [`AttemptDirectory::claim`] does, with a spare directory where there is one.
    ///
    /// # Errors
    /// As there.
    pub fn claim(&self, root: &Path, attempt: &AttemptId) -> Result<Claimed, DirectoryError> {
        let Some(spare) = self.take() else { return AttemptDirectory::claim(root, attempt) };
        let directory = AttemptDirectory::at(root, attempt)?;
        // An order that was on its way into the directory while it was moved is about the attempt before.
        let _ = fs::remove_file(spare.join("stop"));
        match renameat2(AT_FDCWD, &spare, AT_FDCWD, directory.path(), RenameFlags::RENAME_NOREPLACE) {
            Ok(()) => Ok(Claimed::Made(directory)),
            Err(Errno::EEXIST) => {
                self.put(spare);
                Ok(Claimed::AlreadyThere(directory))
            }
            // A file system that cannot do this, or a folder that someone has emptied: without a spare, then.
            Err(_) => AttemptDirectory::claim(root, attempt),
        }
    }

    /// Clears away the directory of an attempt that is over and of which nothing is needed any more: makes a spare one of
    /// it, or removes it where there are enough or where it holds anything but the usual files. First it is moved to where
    /// nobody looks for it: an order to stop that comes this late finds nothing, and is in nobody's way.
    ///
    /// # Errors
    /// It cannot be removed: something in it belongs to someone else, or is in use as a mount point. What is left of it is
    /// tried again when the next process makes its [`Spares`].
    pub fn clear_away(&self, directory: &AttemptDirectory) -> Result<Cleared, DirectoryError> {
        let path = directory.path();
        let held = match directory.hold() {
            // Its supervisor has said its last word, but has not ended.
            Ok(None) => return Ok(Cleared::InUse),
            Ok(Some(held)) => Some(held),
            Err(error) if error.is_missing() => return Ok(Cleared::Removed),
            Err(error) if error.is_passing() => return Err(error),
            // A step may have made anything of the lock; what it did is over.
            Err(_) => None,
        };
        let moved = self.folder.join(self.made.fetch_add(1, Ordering::Relaxed).to_string());
        if fs::rename(path, &moved).is_err() {
            // Someone has emptied the folder, or its owner may not write it: without the way round, then.
            remove(path).map_err(DirectoryError::failed("remove", path))?;
            return Ok(Cleared::Removed);
        }
        let usable = held.is_some() && !self.are_enough() && make_as_new(&moved).unwrap_or(false);
        // Who takes it must find it free.
        drop(held);
        if usable {
            self.put(moved);
            return Ok(Cleared::Spare);
        }
        remove(&moved).map_err(DirectoryError::failed("remove", &moved))?;
        Ok(Cleared::Removed)
    }
}

impl Drop for Spares {
    fn drop(&mut self) {
        // Whoever uses it has a part in this, so nobody does. What cannot be removed now is removed by the next one.
        let _ = remove(&self.folder);
    }
}

/// Empties a directory, if it is as usual; answers whether it is.
fn make_as_new(path: &Path) -> io::Result<bool> {
    if !is_as_usual(path)? {
        return Ok(false);
    }
    fs::rename(path.join(DEFINITION), path.join(NEXT_DEFINITION))?;
    for name in EMPTIED {
        empty(&path.join(name))?;
    }
    Ok(true)
}

fn empty(file: &Path) -> io::Result<()> {
    match OpenOptions::new().write(true).open(file) {
        Ok(file) if file.metadata()?.len() > 0 => file.set_len(0),
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Whether a directory holds nothing but what every attempt's does: no order to stop, no second script, nothing in the
/// workspace, no file that has another name elsewhere.
fn is_as_usual(path: &Path) -> io::Result<bool> {
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { return Ok(false) };
        let found = entry.metadata()?;
        let kind = found.file_type();
        let usual = match name {
            "steps" => kind.is_dir() && holds_at_most(&entry.path(), Some("000.sh"))?,
            "workspace" => kind.is_dir() && holds_at_most(&entry.path(), None)?,
            "bell" | "orders" => kind.is_fifo(),
            _ if KEPT.contains(&name) || EMPTIED.contains(&name) || name == DEFINITION => {
                kind.is_file() && found.nlink() == 1
            }
            _ => false,
        };
        // Whatever a step has made of them, they are what they were made as, or not used again.
        let mode = if kind.is_dir() { 0o700 } else { 0o600 };
        if !usual || found.mode() & 0o7777 != mode {
            return Ok(false);
        }
    }
    Ok(true)
}

fn holds_at_most(folder: &Path, one: Option<&str>) -> io::Result<bool> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let found = entry.metadata()?;
        if one.is_none_or(|one| entry.file_name() != one) || !found.is_file() || found.nlink() != 1 {
            return Ok(false);
        }
    }
    Ok(true)
}
