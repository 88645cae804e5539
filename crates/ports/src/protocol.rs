//! What a worker says to the controller. Invariant: only who holds the lease of an attempt can write about it; an
//! older one is refused by the store. Every call may be made again after a lost answer.

use std::collections::BTreeSet;

use async_trait::async_trait;
use branchline_model::{
    AttemptId, AttemptReport, LineTime, Pace, PoolName, RunDefinition, StepRecord, Stop, Tag, Tally,
    Timestamp, WorkerId,
};
use serde::{Deserialize, Serialize};

use crate::HandOver;

/// The right to write about one attempt. Only the controller makes one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Lease {
    /// The attempt; its number is the fence.
    pub attempt: AttemptId,
    /// Who holds it.
    pub worker: WorkerId,
}

/// What a heartbeat is answered about one lease.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "heard", rename_all = "snake_case")]
pub enum Heard {
    /// It counts, and goes on counting for so long without another heartbeat: in milliseconds, from when it was sent.
    Counts {
        /// For how long.
        milliseconds: u64,
    },
    /// It counts, and is to be stopped: the order may not have come.
    Stop {
        /// Why.
        stop: Stop,
    },
    /// It does not count any more: stop the attempt and forget it.
    Fenced {
        /// Why.
        why: String,
    },
    /// That cannot be said of this one now: go on, and ask again.
    Unknown {
        /// What failed.
        why: String,
    },
}

/// Something to carry out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Assignment {
    /// The right to do it.
    pub lease: Lease,
    /// What to do.
    pub definition: RunDefinition,
    /// Set where it was told to stop before it was handed out (again).
    pub stop: Option<Stop>,
    /// Whether it was told before that the first step was begun: where nothing of it is found then, it is not begun anew.
    #[serde(default)]
    pub begun: bool,
}

/// How much of a log is stored, and how to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    /// How many bytes, from the log's beginning.
    pub bytes: u64,
    /// How eagerly to send what comes next.
    pub pace: Pace,
}

/// Why the controller did not do as it was told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    /// The lease is not in force any more: stop the attempt and forget it.
    #[error("{attempt} does not count any more: {why}")]
    Fenced {
        /// Which attempt.
        attempt: AttemptId,
        /// Why.
        why: String,
    },
    /// The bytes before `stored` are there, those after it are not: send from there.
    #[error("the log of {attempt} has {stored} bytes: send from there")]
    LogGap {
        /// Which attempt.
        attempt: AttemptId,
        /// How many bytes are stored.
        stored: u64,
    },
    /// It never will: trying again is of no use.
    #[error("{why}")]
    Refused {
        /// Why.
        why: String,
    },
    /// The controller, or what it depends on, does not answer now; the same may work later.
    #[error("the controller is unavailable: {why}")]
    Unavailable {
        /// What failed.
        why: String,
    },
}

/// Who asks for runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claimant {
    /// The worker.
    pub worker: WorkerId,
    /// The pools that it belongs to, the one to be served first first.
    pub pools: Vec<PoolName>,
    /// What it says of itself: it is given only what these tags serve.
    pub tags: BTreeSet<Tag>,
}

/// The controller, as a worker sees it.
#[async_trait]
pub trait WorkerProtocol: HandOver {
    /// Takes at most `most` runs from the worker's pools; none where nothing waits that it may take.
    async fn claim(&self, claimant: &Claimant, most: usize) -> Result<Vec<Assignment>, ProtocolError>;

    /// What this worker holds, as the controller knows it: asked when the worker starts, to go on with it. Counts as a
    /// heartbeat for all of it.
    async fn held(&self, worker: &WorkerId) -> Result<Vec<Assignment>, ProtocolError>;

    /// Says of leases of this worker that it carries them out; answers where each of them stands, in their order. A lease
    /// that is not told of for long is lost, and its run tried again; one that is told of again before that counts on.
    async fn heartbeat(&self, worker: &WorkerId, leases: &[Lease]) -> Result<Vec<Heard>, ProtocolError>;

    /// The first step was begun. Where it must not begin twice (`retry.repeatable` of its definition), this is said, and answered,
    /// before it begins: an attempt that is lost in between is not tried again, and none that had begun is.
    async fn begun(&self, lease: &Lease, at: Timestamp) -> Result<(), ProtocolError>;

    /// How far the steps are: every step that was begun, in order, and what the output of the last one says of that. For people to look
    /// at.
    async fn progress(
        &self,
        lease: &Lease,
        steps: &[StepRecord],
        tally: Option<Tally>,
    ) -> Result<(), ProtocolError>;

    /// How many bytes of the log are stored: from where to send.
    async fn log_length(&self, lease: &Lease) -> Result<u64, ProtocolError>;

    /// Appends to the log at an offset; answers how many bytes are stored then, which only then may be forgotten, and
    /// how eagerly to send the next.
    async fn append_log(
        &self,
        lease: &Lease,
        offset: u64,
        bytes: &[u8],
        times: &[LineTime],
    ) -> Result<Stored, ProtocolError>;

    /// The last word. The log must have been appended whole before. Once it is answered, nothing about the
    /// attempt needs to be kept.
    async fn finish(&self, lease: &Lease, report: AttemptReport) -> Result<(), ProtocolError>;
}
