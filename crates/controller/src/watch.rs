//! Who reads along in a log, so that it is sent soon while someone does. Invariant: where an append costs nothing, nothing is
//! read or written for this.

use branchline_model::{AttemptId, Expectation, LogWatch, Pace, Plan, keys};
use branchline_ports::{Appends, StoreError};
use std::time::Duration;

use crate::Controller;

/// So long it counts that someone reads along; whoever still does says so again before.
const COUNTS_FOR: Duration = Duration::from_secs(60);

impl Controller {
    /// Someone reads along in this log, for the next minute.
    pub async fn watch_log(&self, attempt: &AttemptId) -> Result<(), StoreError> {
        if self.artifacts.appends() == Appends::Free {
            return Ok(());
        }
        let mut plan = Plan::default();
        let until = self.clock.now().after(COUNTS_FOR);
        plan.put(LogWatch { attempt: attempt.clone(), until }, Expectation::Any);
        self.commit(plan).await?;
        Ok(())
    }

    /// How eagerly the rest of this log is to be sent.
    pub(crate) async fn pace(&self, attempt: &AttemptId) -> Pace {
        if self.artifacts.appends() == Appends::Free {
            return Pace::AsItComes;
        }
        match self.row::<LogWatch>(keys::log_watch(attempt)).await {
            Ok(Some(watch)) if watch.value.until > self.clock.now() => Pace::Watched,
            Ok(_) => Pace::Unwatched,
            Err(error) => {
                tracing::debug!(%attempt, %error, "it cannot be said whether anybody reads along");
                Pace::Unwatched
            }
        }
    }
}
