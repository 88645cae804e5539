//! What a worker saw of an attempt. Invariant: it says what happened, not what follows from it; that is decided in `core`.

use serde::{Deserialize, Serialize};

use crate::{TimeoutOf, Timestamp};

/// When the bytes of a log from an offset on were read from the process: the time of each line that begins
/// at or after `offset`, up to the next such entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineTime {
    /// Bytes from the log's beginning.
    pub offset: u64,
    /// When they came.
    pub at: Timestamp,
}

/// What became of one step so far.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepRecord {
    /// Which step of the run definition, from 0.
    pub index: u32,
    /// When its process was started, or it was passed over.
    pub began_at: Timestamp,
    /// Where its output begins in the log, in bytes.
    pub log_offset: u64,
    /// How it ended; `None` while it runs.
    pub end: Option<StepEnd>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

/// How a step ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "end", rename_all = "snake_case")]
pub enum StepEnd {
    /// Its process ended by itself.
    Exited {
        /// The exit code; 0 is success.
        code: i32,
    },
    /// A signal ended its process.
    Signalled {
        /// The signal's number.
        signal: i32,
    },
    /// Its own time, or the job's, ran out.
    TimedOut,
    /// It was told to stop.
    Stopped,
    /// Its condition did not hold: it was never started.
    Skipped,
    /// Its process could not be started.
    NotStarted {
        /// Why.
        why: String,
    },
}

/// How an attempt ended, as its supervisor, or whoever found it, says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "attempt", rename_all = "snake_case")]
pub enum AttemptEnd {
    /// Every step passed, or was allowed to fail.
    Passed,
    /// A step ended with an exit code other than 0.
    StepFailed {
        /// The step's title.
        step: String,
        /// Its exit code.
        exit: i32,
    },
    /// A step was ended by a signal that nobody here sent.
    StepSignalled {
        /// The step's title.
        step: String,
        /// The signal's number.
        signal: i32,
    },
    /// A time ran out.
    TimedOut {
        /// Whose.
        of: TimeoutOf,
    },
    /// Every step passed, or was allowed to fail; tests did not.
    TestsFailed {
        /// How many.
        count: u64,
    },
    /// Every step passed, or was allowed to fail; what was to be kept of it could not be.
    ArtifactFailed {
        /// The artifact's name.
        artifact: String,
        /// Why.
        why: String,
    },
    /// It was told to stop.
    Stopped,
    /// No step could be begun, or the next one could not be.
    StartFailed {
        /// What failed, where, and what to do.
        why: String,
    },
    /// A part of its log was gone before it could be stored: what the steps had said cannot be shown whole.
    LogIncomplete {
        /// How many bytes are stored.
        stored: u64,
        /// How many it had when it ended.
        length: u64,
    },
    /// The supervisor is gone and left no exit status: what had begun cannot be vouched for.
    SupervisorLost {
        /// What was found.
        why: String,
    },
}

/// The last word about an attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptReport {
    /// How it ended.
    pub end: AttemptEnd,
    /// When the first step was begun; `None` where none was.
    pub began_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Timestamp,
    /// Every step that was begun, in order.
    pub steps: Vec<StepRecord>,
    /// How many bytes its whole log has.
    pub log_length: u64,
}
