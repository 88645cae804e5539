//! Orders to a supervisor, and its word to its follower: two FIFOs. Invariants: an order is a file, which is there before the
//! FIFO is written to, so nothing is lost where nobody listens; neither side ever waits for the other.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use branchline_model::Stop;
use nix::libc::O_NONBLOCK;
use serde::{Deserialize, Serialize};

/// The order to stop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopOrder {
    /// Why; `None` where the attempt does not count any more.
    pub stop: Option<Stop>,
    /// Whether the processes are killed without being asked first.
    pub at_once: bool,
}

impl StopOrder {
    pub(crate) fn read(path: &Path) -> io::Result<Option<Self>> {
        match fs::read(path) {
            // The file is renamed into its place, so it is whole; what is not an order is one all the same.
            Ok(bytes) => {
                Ok(Some(serde_json::from_slice(&bytes).unwrap_or(Self { stop: None, at_once: false })))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn open(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    options.custom_flags(O_NONBLOCK).open(path)
}

/// The supervisor's end of the bell. It is open for reading too, so that ringing never fails for want of a follower.
#[derive(Debug)]
pub(crate) struct Bell(Option<File>);

impl Bell {
    /// Opens it; a bell that is missing is silent, and followers look from time to time anyway.
    pub(crate) fn open(path: &Path) -> Self {
        Self(open(path, OpenOptions::new().read(true).write(true)).ok())
    }

    /// Tells the follower to look. A full FIFO has already told it.
    pub(crate) fn ring(&self) {
        if let Some(mut file) = self.0.as_ref() {
            let _ = file.write(&[1]);
        }
    }
}

/// The supervisor's end of the orders.
#[derive(Debug)]
pub(crate) struct Orders {
    pub(crate) fifo: File,
    stop: PathBuf,
}

impl Orders {
    pub(crate) fn open(fifo: &Path, stop: &Path) -> io::Result<Self> {
        Ok(Self { fifo: open(fifo, OpenOptions::new().read(true).write(true))?, stop: stop.to_owned() })
    }

    /// The order to stop, if there is one.
    pub(crate) fn look(&mut self) -> io::Result<Option<StopOrder>> {
        StopOrder::read(&self.stop)
    }

    /// Empties the FIFO, then looks.
    pub(crate) fn listen(&mut self) -> io::Result<Option<StopOrder>> {
        let mut bytes = [0; 64];
        while matches!(self.fifo.read(&mut bytes), Ok(1..)) {}
        self.look()
    }
}

/// Makes the supervisor look for orders; nothing where there is none.
pub(crate) fn poke(fifo: &Path) {
    if let Ok(mut file) = open(fifo, OpenOptions::new().write(true)) {
        let _ = file.write(&[1]);
    }
}
