//! How eagerly a log is sent. Invariant: pace changes when bytes are stored, never which, or in what order.

use serde::{Deserialize, Serialize};

use crate::{AttemptId, Timestamp};

/// How eagerly whoever sends a log is to send what comes next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pace {
    /// As it comes: storing it costs nothing.
    #[default]
    AsItComes,
    /// Someone reads along: soon.
    Watched,
    /// Nobody does, and each time costs: soon at first, then ever more seldom.
    Unwatched,
}

/// That someone reads along in a log. For pace alone: where it is missing, bytes come later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogWatch {
    /// Whose log.
    pub attempt: AttemptId,
    /// Until when it counts without being said again.
    pub until: Timestamp,
}
