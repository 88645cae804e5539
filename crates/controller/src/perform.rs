//! Perform: effects that were committed are done, at least once, and forgotten only when they are known to be done.

use branchline_core::effect;
use branchline_model::{Effect, Expectation, PendingEffect, Plan, Versioned, keys};
use branchline_ports::{Page, Ring, StoreError};

use crate::Controller;

/// So many effects are looked at in one go.
const EFFECTS_AT_ONCE: usize = 256;

impl Controller {
    /// Does every effect that is due; answers how many were done.
    pub async fn perform(&self) -> Result<usize, StoreError> {
        let now = self.clock.now();
        let (mut done, mut after) = (0, None);
        loop {
            let page = Page { after, ..Page::of(keys::PENDING_EFFECTS, EFFECTS_AT_ONCE) };
            let pending = self.page::<PendingEffect>(&page).await?;
            let more = pending.len() == EFFECTS_AT_ONCE;
            after = pending.last().map(|row| keys::pending_effect(&row.value.effect.key()).sort);
            for row in pending.into_iter().filter(|row| row.value.next_try <= now) {
                done += usize::from(self.perform_row(row).await?);
            }
            if !more {
                return Ok(done);
            }
        }
    }

    async fn perform_row(&self, row: Versioned<PendingEffect>) -> Result<bool, StoreError> {
        let mut plan = Plan::default();
        let outcome = self.perform_one(&row.value.effect).await;
        let done = outcome.is_ok();
        match outcome {
            Ok(()) => {
                plan.delete(
                    keys::pending_effect(&row.value.effect.key()),
                    Expectation::Unchanged(row.version),
                );
            }
            Err(why) => {
                tracing::warn!(effect = %row.value.effect.key(), why, "an effect failed; it will be tried again");
                let failed = effect::failed(row.value, why, self.clock.now());
                plan.put(failed, Expectation::Unchanged(row.version));
            }
        }
        self.commit(plan).await?;
        Ok(done)
    }

    async fn perform_one(&self, effect: &Effect) -> Result<(), String> {
        match effect {
            Effect::Stop { attempt, worker, stop } => {
                self.launcher.stop(worker, attempt, stop).await.map_err(|error| error.to_string())
            }
            Effect::CloseLog { attempt } => {
                self.artifacts.close_log(attempt).await.map_err(|error| error.to_string())?;
                self.bell.ring(Ring::LogGrew(attempt.clone()));
                Ok(())
            }
        }
    }
}
