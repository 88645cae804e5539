//! Deadlines: what was to be looked at by a time. Invariants: a deadline's row goes only after it was acted on; one that cannot be
//! acted on now is put off, so that it stands in no other's way; and removing what is not kept, which may take long, is a part of its
//! own, so that no timeout and no retry waits for it.

use std::time::Duration;

use branchline_model::{Deadline, DeadlineKind, Expectation, Plan, Stop, Timestamp, keys};
use branchline_ports::{Page, StoreError};

use crate::resolve::UNREADABLE_AGAIN;
use crate::tick::{Failure, Part};
use crate::until::Until;
use crate::{CancelError, Controller, ControllerError};

/// So many due deadlines are looked at in one go.
const DEADLINES_AT_ONCE: usize = 256;
/// What acting on a deadline came to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Passed {
    /// There is nothing more to do.
    Done,
    /// Something is to be looked at again, later.
    Next(Deadline),
    /// The time was over before it was done: it stays due.
    NotYet,
}

/// One that cannot be acted on is put off for so long.
pub(crate) const PUT_OFF: Duration = Duration::from_secs(60);

impl Controller {
    /// Acts on every timeout and retry whose time has come; answers how many.
    ///
    /// # Errors
    /// The deadlines cannot be read, or the first that could not be acted on.
    pub async fn pass_deadlines(&self) -> Result<usize, ControllerError> {
        let mut failures = Vec::new();
        let passed = self.pass_deadlines_until(Until::done(), &mut failures).await?;
        failures.into_iter().next().map_or(Ok(passed), |failure| Err(failure.why))
    }

    /// Removes whatever is not kept any more; answers on how many deadlines it acted.
    ///
    /// # Errors
    /// The deadlines cannot be read, or the first that could not be acted on.
    pub async fn pass_retention(&self) -> Result<usize, ControllerError> {
        let mut failures = Vec::new();
        let passed = self.pass_retention_until(Until::done(), &mut failures).await?;
        failures.into_iter().next().map_or(Ok(passed), |failure| Err(failure.why))
    }

    pub(crate) async fn pass_deadlines_until(
        &self,
        until: Until,
        failures: &mut Vec<Failure>,
    ) -> Result<usize, ControllerError> {
        self.pass_due(keys::DEADLINES, Part::Deadlines, until, failures).await
    }

    pub(crate) async fn pass_retention_until(
        &self,
        until: Until,
        failures: &mut Vec<Failure>,
    ) -> Result<usize, ControllerError> {
        self.pass_due(keys::RETENTION, Part::Retention, until, failures).await
    }

    async fn pass_due(
        &self,
        partition: &str,
        part: Part,
        until: Until,
        failures: &mut Vec<Failure>,
    ) -> Result<usize, ControllerError> {
        let mut passed = 0;
        loop {
            let now = self.clock.now();
            let page = Page {
                until: Some(Timestamp(now.0 + 1).sortable()),
                ..Page::of(partition, DEADLINES_AT_ONCE)
            };
            let due = self.leads::<Deadline>(&page).await?;
            for row in &due {
                if until.is_over(self) {
                    return Ok(passed);
                }
                let next = match self.pass_deadline(&row.value, until, failures).await {
                    Ok(Passed::Done) => None,
                    Ok(Passed::Next(next)) => Some(next),
                    Ok(Passed::NotYet) => return Ok(passed),
                    // Kept for when it can be read again, and out of the way of others until then.
                    Err(why) if why.is_unreadable() => {
                        Some(Deadline { at: now.after(UNREADABLE_AGAIN), of: row.value.of.clone() })
                    }
                    Err(why) => {
                        let what = keys::deadline(&row.value).sort;
                        tracing::warn!(deadline = what, error = %why, "a deadline could not be acted on; it is put off");
                        failures.push(Failure { part, what, why });
                        Some(Deadline { at: now.after(PUT_OFF), of: row.value.of.clone() })
                    }
                };
                self.replace_deadline(&row.value, next).await?;
                passed += 1;
            }
            if due.len() < DEADLINES_AT_ONCE {
                return Ok(passed);
            }
        }
    }

    /// Acts on one deadline: every kind there is.
    async fn pass_deadline(
        &self,
        deadline: &Deadline,
        until: Until,
        failures: &mut Vec<Failure>,
    ) -> Result<Passed, ControllerError> {
        match &deadline.of {
            DeadlineKind::BuildTimeout { build } => {
                match self.stop_build(build, &Stop::BuildTimedOut).await {
                    Ok(_) | Err(CancelError::AlreadyEnded { .. } | CancelError::NotFound { .. }) => {
                        Ok(Passed::Done)
                    }
                    Err(CancelError::Controller(error)) => Err(error),
                }
            }
            DeadlineKind::Retry { run } => self.take_place(run, deadline).await.map(|()| Passed::Done),
            DeadlineKind::BuildEnded { build, keep } => self.keep_build(build, *keep, until, failures).await,
            DeadlineKind::RetireBuild { build } => self.retire_if_old(build, until).await,
            DeadlineKind::ForgetEvent { event } => self.forget_event(event).await,
            DeadlineKind::Artifact { attempt, name } => {
                self.forget_artifact(attempt, name).await.map(|()| Passed::Done)
            }
            DeadlineKind::Upload { attempt, upload } => {
                self.sweep_upload(attempt, upload).await.map(|()| Passed::Done)
            }
        }
    }

    /// Two commits of one row each rather than one of two, which would cost twice as much: both deadlines at once do no harm.
    async fn replace_deadline(&self, old: &Deadline, next: Option<Deadline>) -> Result<(), StoreError> {
        if let Some(next) = next.filter(|next| next != old) {
            let mut plan = Plan::default();
            plan.put(next, Expectation::Any);
            self.commit(plan).await?;
        }
        let mut plan = Plan::default();
        plan.delete(keys::deadline(old), Expectation::Any);
        self.commit(plan).await?;
        Ok(())
    }
}
