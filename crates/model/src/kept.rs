//! What is kept of a pipeline, and for how long. Invariant: a row of these is found by what is kept, never by looking through
//! all builds. Which builds go is decided in `core`.

use serde::{Deserialize, Serialize};

use crate::{BuildId, EventKey, PipelineName, Timestamp};

/// How much of a pipeline is kept: whichever is reached first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retention {
    /// So many of its newest builds; at least 1.
    pub builds: u32,
    /// So many days after a build's end.
    pub days: u32,
}

impl Default for Retention {
    fn default() -> Self {
        Self { builds: 100, days: 180 }
    }
}

/// A build that has ended, among those of its pipeline, by number. It is there from shortly after the end until nothing is left of
/// the build.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptBuild {
    /// The build.
    pub build: BuildId,
    /// Its pipeline.
    pub pipeline: PipelineName,
    /// The event that caused it.
    pub cause: EventKey,
    /// When its days are over.
    pub until: Timestamp,
}
