//! What can be wrong with an attempt directory.

use std::io;
use std::path::{Path, PathBuf};

use nix::errno::Errno;

/// Why an attempt directory could not be used.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// The file system refused.
    #[error("cannot {what} `{path}`: {source}{hint}", path = path.display(), hint = hint(source))]
    Failed {
        /// What was to be done.
        what: &'static str,
        /// With what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A directory that no attempt has.
    #[error("`{path}` is not an attempt's directory: those have names like `app-1f3c9a2e04.12.3.1`", path = path.display())]
    Foreign {
        /// Which.
        path: PathBuf,
    },
    /// `definition.json` is not one.
    #[error("`{path}` is not a run definition that this version can read: {why}", path = path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What is wrong in it.
        why: String,
    },
}

impl DirectoryError {
    pub(crate) fn failed(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Failed { what, path, source }
    }

    /// Whether the directory, or a file of it, is not there.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Failed { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }

    /// Whether the machine was short of something for a moment: open files, memory, a signal's time. It says nothing about
    /// the directory, and may be tried again.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        let Self::Failed { source, .. } = self else { return false };
        let passing = [Errno::EMFILE, Errno::ENFILE, Errno::ENOMEM, Errno::EINTR, Errno::EAGAIN];
        source.raw_os_error().is_some_and(|code| passing.contains(&Errno::from_raw(code)))
    }
}

/// What to do about the errors that people can do something about.
pub(crate) fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "; free space there, then run it again",
        io::ErrorKind::PermissionDenied => "; give the account that runs branchline access to it",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shortage_passes_and_a_missing_or_full_place_does_not() {
        let failed = |errno: Errno| DirectoryError::failed("read", Path::new("/a"))(errno.into());
        for errno in [Errno::EMFILE, Errno::ENFILE, Errno::ENOMEM, Errno::EINTR, Errno::EAGAIN] {
            assert!(failed(errno).is_passing(), "{errno}");
        }
        for errno in [Errno::ENOENT, Errno::ENOSPC, Errno::EACCES, Errno::EIO] {
            assert!(!failed(errno).is_passing(), "{errno}");
        }
        assert!(!DirectoryError::Foreign { path: PathBuf::from("/a") }.is_passing());
    }
}
