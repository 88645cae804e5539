//! Waiting for a controller that does not answer, or a machine that is short of something. Invariant: nothing is lost meanwhile, since all of it is in the attempt's
//! directory; so there is no last try.

use std::time::Duration;

use branchline_supervisor::DirectoryError;

const FIRST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(5);

/// Pauses that grow.
#[derive(Debug)]
pub(crate) struct Backoff {
    next: Duration,
}

impl Backoff {
    pub(crate) fn new() -> Self {
        Self { next: FIRST }
    }

    /// Waits before the next try; says why, the first time.
    pub(crate) async fn pause(&mut self, what: &'static str, why: &str) {
        if self.next == FIRST {
            tracing::warn!(what, why, "the controller does not answer; trying again until it does");
        }
        self.wait().await;
    }

    /// Waits before the next try of what lacked memory or open files on this machine; says so, the first time.
    pub(crate) async fn pause_in_shortage(&mut self, what: &'static str, error: &DirectoryError) {
        if self.next == FIRST {
            tracing::warn!(what, %error, "this machine is short of something; trying again until it is not");
        }
        self.wait().await;
    }

    async fn wait(&mut self) {
        tokio::time::sleep(self.next).await;
        self.next = (self.next * 2).min(LONGEST);
    }
}
