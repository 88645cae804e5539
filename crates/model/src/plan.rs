//! A decision, before it is carried out: changes, effects, and when to look again. Invariant: a plan is data; the
//! store writes all of its changes and effects in one conditional transaction, or none.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{AttemptId, Key, Row, RunId, Stop, Version, WorkerId};

/// What a decision comes to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// The rows to write.
    pub changes: Vec<Change>,
    /// What to do outside once they are written. Each is kept as a row until it was done.
    pub effects: Vec<Effect>,
}

impl Plan {
    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.effects.is_empty()
    }

    /// Plans to write `row`, if what is stored under its key is as expected.
    pub fn put(&mut self, row: impl Into<Row>, expected: Expectation) {
        self.changes.push(Change::Put { row: row.into(), expected });
    }

    /// Plans to remove the row under `key`, if what is stored there is as expected.
    pub fn delete(&mut self, key: Key, expected: Expectation) {
        self.changes.push(Change::Delete { key, expected });
    }

    /// Plans to write only if what is stored under `key` is as expected.
    pub fn check(&mut self, key: Key, expected: Expectation) {
        self.changes.push(Change::Check { key, expected });
    }
}

/// What must be stored under a key for a change to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expectation {
    /// Nothing.
    Absent,
    /// The row at exactly this version.
    Unchanged(Version),
    /// Anything or nothing: for rows that carry no decision.
    Any,
}

/// One row to write.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// Write this row.
    Put {
        /// The row.
        row: Row,
        /// The condition.
        expected: Expectation,
    },
    /// Remove the row under this key.
    Delete {
        /// The key.
        key: Key,
        /// The condition.
        expected: Expectation,
    },
    /// Write nothing, but commit only if this holds.
    Check {
        /// The key.
        key: Key,
        /// The condition.
        expected: Expectation,
    },
}

/// Something to do outside. It is done at least once, so doing it twice must be as doing it once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "effect", rename_all = "snake_case")]
pub enum Effect {
    /// Tell the worker that holds this attempt to stop it.
    Stop {
        /// The attempt.
        attempt: AttemptId,
        /// Who holds it.
        worker: WorkerId,
        /// Why.
        stop: Stop,
    },
    /// Close the log of an attempt that will say nothing more, or must not.
    CloseLog {
        /// The attempt.
        attempt: AttemptId,
    },
}

/// What makes it the same effect when it is planned again.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EffectKey(pub String);

impl Effect {
    /// The effect's own deterministic key.
    #[must_use]
    pub fn key(&self) -> EffectKey {
        match self {
            Self::Stop { attempt, .. } => EffectKey(format!("stop/{attempt}")),
            Self::CloseLog { attempt } => EffectKey(format!("close-log/{attempt}")),
        }
    }

    /// The run that it is about.
    #[must_use]
    pub fn run(&self) -> &RunId {
        match self {
            Self::Stop { attempt, .. } | Self::CloseLog { attempt } => &attempt.run,
        }
    }
}

/// What it does, in a sentence without its full stop.
impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stop { attempt, worker, .. } => {
                write!(f, "tell the worker `{worker}` to stop attempt {} of {}", attempt.number, attempt.run)
            }
            Self::CloseLog { attempt } => {
                write!(f, "close the log of attempt {} of {}", attempt.number, attempt.run)
            }
        }
    }
}

impl fmt::Display for EffectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
