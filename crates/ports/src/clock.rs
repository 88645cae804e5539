//! Time and chance, injected, so that tests and the simulator can step them.

use std::time::Duration;

use async_trait::async_trait;
use branchline_model::Timestamp;

/// Reads the time, waits, and makes ids.
#[async_trait]
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Timestamp;

    /// Comes back after so long.
    async fn sleep(&self, duration: Duration);

    /// A text that was never given out before: letters and digits; those of a later millisecond sort later.
    fn fresh_id(&self) -> String;
}
