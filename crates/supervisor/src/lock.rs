//! The lock that says who may write in an attempt directory. Invariant: at most one process has it, and it goes with
//! that process, however it ends. It is an open file description lock (fcntl(2), F_OFD_SETLK), because only such a one
//! can be asked for without being taken: a follower that looks must not be in a starting supervisor's way.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;

fn whole_file(kind: libc::c_int) -> libc::flock {
    // The kinds are 0, 1 and 2; POSIX wants them in a short.
    let l_type = libc::c_short::try_from(kind).unwrap_or_default();
    libc::flock { l_type, l_whence: 0, l_start: 0, l_len: 0, l_pid: 0 }
}

/// The lock, held until this is dropped.
#[derive(Debug)]
pub(crate) struct Lock(File);

impl Lock {
    /// Takes the lock; `None` where someone has it.
    pub(crate) fn take(path: &Path) -> io::Result<Option<Self>> {
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
        match fcntl(&file, FcntlArg::F_OFD_SETLK(&whole_file(libc::F_WRLCK))) {
            Ok(_) => Ok(Some(Self(file))),
            Err(Errno::EAGAIN | Errno::EACCES) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether someone has the lock now.
    pub(crate) fn is_taken(path: &Path) -> io::Result<bool> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        };
        let mut seen = whole_file(libc::F_WRLCK);
        fcntl(&file, FcntlArg::F_OFD_GETLK(&mut seen))?;
        Ok(libc::c_int::from(seen.l_type) != libc::F_UNLCK)
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing alone would leave it to a child that is between fork and exec just now.
        let _ = fcntl(&self.0, FcntlArg::F_OFD_SETLK(&whole_file(libc::F_UNLCK)));
    }
}
