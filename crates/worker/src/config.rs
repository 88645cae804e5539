//! What a worker is told when it is made, and when it is to end.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use branchline_model::{PoolName, Tag, WorkerId};
use branchline_ports::Claimant;

/// How a worker works.
#[derive(Clone, Debug)]
pub struct WorkerConfig {
    /// The name the controller knows it by. Only one worker of a name may live at a time.
    pub id: WorkerId,
    /// Whose runs it claims, in this order.
    pub pools: Vec<PoolName>,
    /// What it says of itself, so that runs that want it are sent to it.
    pub tags: BTreeSet<Tag>,
    /// How many runs it carries out at once; 0 counts as 1.
    pub slots: usize,
    /// The folder of its attempt directories, of nobody else's; it is made where it is missing.
    pub root: PathBuf,
    /// Where steps work.
    pub workspace: Workspace,
    /// How often it says that it holds what it holds; [`HEARTBEAT`](crate::HEARTBEAT) suits every controller.
    pub heartbeat: Duration,
}

impl WorkerConfig {
    /// The worker, as it asks for runs.
    pub(crate) fn claimant(&self) -> Claimant {
        Claimant { worker: self.id.clone(), pools: self.pools.clone(), tags: self.tags.clone() }
    }
}

/// Where steps work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Workspace {
    /// In a folder of the attempt's own, with a fresh work tree, which goes when the attempt has ended.
    Fresh,
    /// In this tree, as it is; nothing in it is written or removed but by the steps.
    InPlace(PathBuf),
}

/// How a worker ends. No run is claimed after any of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drain {
    /// At once: supervisors go on, and the next worker of this name follows them.
    HandOver,
    /// When what runs has ended; what has not after this time is handed over.
    Wait(Duration),
    /// When what runs was killed, and that was reported.
    Stop,
}

/// Why there is no worker.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// The folder for attempts cannot be used.
    #[error("the folder for attempts `{path}` cannot be used: {source}", path = path.display())]
    Root {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}
