//! The bell. Invariant: nothing depends on it but speed; with every ring lost the tick brings all to rest.

use branchline_model::{AttemptId, BuildId, PoolName, RepositoryId};

/// What there may be to look at.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Ring {
    /// An event was accepted.
    Events,
    /// Runs have ended that are not yet folded into their builds.
    EndedRuns,
    /// An effect was committed.
    Effects,
    /// A pool's queue has more runs.
    Queue(PoolName),
    /// A repository's own row, its refs or its list of builds changed: for whoever looks at a page.
    RepositoryChanged(RepositoryId),
    /// A build or one of its runs changed: for whoever looks at a page.
    BuildChanged(BuildId),
    /// A log has more bytes: for whoever follows it.
    LogGrew(AttemptId),
}

/// Rings; never blocks, never fails, may be lost.
pub trait Bell: Send + Sync {
    /// Says that there may be something to look at.
    fn ring(&self, ring: Ring);
}
