//! Orders to whoever carries out attempts.

use async_trait::async_trait;
use branchline_model::{AttemptId, Stop, WorkerId};

/// Why an order could not be given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LaunchError {
    /// Nobody could be told now; the same may work later.
    #[error("the worker `{worker}` cannot be told: {why}")]
    Unavailable {
        /// Who was to be told.
        worker: WorkerId,
        /// What failed.
        why: String,
    },
    /// The order was sent and nobody answered: whether it has arrived is not known.
    #[error("the worker `{worker}` may have been told, or not: {why}")]
    Unknown {
        /// Who was to be told.
        worker: WorkerId,
        /// What went wrong.
        why: String,
    },
}

/// Gives orders. Each may be given more than once, and also about attempts that have ended.
#[async_trait]
pub trait Launcher: Send + Sync {
    /// Has an attempt stopped: its processes are asked to end, and killed after their grace time.
    async fn stop(&self, worker: &WorkerId, attempt: &AttemptId, stop: &Stop) -> Result<(), LaunchError>;

    /// Whether an order to stop this attempt has arrived. It is asked before an order is given again of which that is not known;
    /// an adapter that cannot tell answers `false`, and the order is given again.
    async fn is_told_to_stop(&self, worker: &WorkerId, attempt: &AttemptId) -> Result<bool, LaunchError>;
}
