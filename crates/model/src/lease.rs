//! The rows and evidence of leases: who was heard when, when that must be looked at, and what became of an attempt of which
//! nothing was heard. Invariant: a heartbeat writes one row, the attempt's own [`HeldAttempt`], and no other.

use serde::{Deserialize, Serialize};

use crate::{AttemptId, EndReason, Timestamp, WorkerId};

/// An attempt that a worker holds: its lease, and what the worker looks through after it died.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldAttempt {
    /// Who holds it.
    pub worker: WorkerId,
    /// What.
    pub attempt: AttemptId,
    /// When the worker was last heard of it.
    #[serde(default)]
    pub heard_at: Timestamp,
    /// The time of its [`LeaseEnd`]: when somebody looks whether it was heard since.
    #[serde(default)]
    pub ends_at: Timestamp,
}

/// A time at which a lease ends unless its worker was heard since. Kept apart from other deadlines, so that it costs one
/// read to know that nobody holds anything, and many of them keep no other deadline waiting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseEnd {
    /// When.
    pub at: Timestamp,
    /// Who holds it.
    pub worker: WorkerId,
    /// What.
    pub attempt: AttemptId,
}

/// Since when the controller could hear its workers. While it was away, nobody was silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listening {
    /// Since when, without a gap.
    pub since: Timestamp,
    /// When that was last written down.
    pub at: Timestamp,
}

/// That nothing was heard of an attempt for so long that it was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lost {
    /// When its worker was last heard.
    pub heard_at: Timestamp,
    /// When it was given up.
    pub at: Timestamp,
}

/// Why a run stands in a queue once more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastAttempt {
    /// The attempt that came before.
    pub number: u32,
    /// Who held it.
    pub worker: WorkerId,
    /// When its first step was begun, if one was.
    pub began_at: Option<Timestamp>,
    /// Why it did not do.
    pub why: EndReason,
    /// When the run takes its place in the queue.
    pub not_before: Timestamp,
}

impl LastAttempt {
    /// Whether it goes on if its worker is heard again before another attempt was begun.
    #[must_use]
    pub fn may_come_back(&self) -> bool {
        matches!(self.why, EndReason::WorkerLost { .. })
    }
}
