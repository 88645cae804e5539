//! The tick: looks at everything that may be due. Invariant: with every bell lost, ticks alone bring all to rest; any
//! number of them at once does no harm.

use branchline_model::{Deadline, DeadlineKind, Expectation, Plan, Stop, Timestamp, keys};
use branchline_ports::Page;

use crate::resolve::UNREADABLE_AGAIN;
use crate::{CancelError, Controller, ControllerError};

/// So many due deadlines are looked at in one go.
const DEADLINES_AT_ONCE: usize = 256;
/// So many due events are looked at in one go.
const EVENTS_AT_ONCE: usize = 64;

/// What one tick did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ticked {
    /// Events decided or looked at.
    pub events: usize,
    /// Builds advanced.
    pub builds: usize,
    /// Effects done.
    pub effects: usize,
    /// Deadlines that had passed.
    pub deadlines: usize,
    /// Leases that ended or got a later end.
    pub leases: usize,
}

impl Ticked {
    /// Whether there was nothing to do.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        *self == Self::default()
    }
}

impl Controller {
    /// Does whatever is due. One thing that fails does not keep the rest from being done.
    pub async fn tick(&self) -> Result<Ticked, ControllerError> {
        let mut ticked = Ticked::default();
        for due in self.due_events(EVENTS_AT_ONCE).await? {
            ticked.events += 1;
            if let Err(error) = self.resolve_due(&due).await {
                tracing::warn!(event = %due.event, %error, "an event could not be resolved");
            }
        }
        ticked.leases = self.pass_leases().await?;
        ticked.deadlines = self.pass_deadlines().await?;
        ticked.builds = self.advance().await?;
        ticked.effects = self.perform().await?;
        Ok(ticked)
    }

    /// Advances every build that has ended runs and can be read; answers how many builds.
    pub async fn advance(&self) -> Result<usize, ControllerError> {
        let mut advanced = 0;
        let mut failure = None;
        for build in self.builds_to_advance().await? {
            // What is wrong with one build is contained to it.
            match self.advance_build(&build).await {
                Ok(()) => advanced += 1,
                Err(error) if error.is_unreadable() => {}
                Err(error) => {
                    tracing::warn!(%build, %error, "a build could not be advanced");
                    failure = Some(error);
                }
            }
        }
        failure.map_or(Ok(advanced), Err)
    }

    /// Acts on every deadline that has passed; answers how many.
    pub async fn pass_deadlines(&self) -> Result<usize, ControllerError> {
        let until = Some(Timestamp(self.clock.now().0 + 1).sortable());
        let due =
            self.page::<Deadline>(&Page { until, ..Page::of(keys::DEADLINES, DEADLINES_AT_ONCE) }).await?;
        for row in &due {
            let mut plan = Plan::default();
            match &row.value.of {
                DeadlineKind::BuildTimeout { build } => {
                    match self.stop_build(build, &Stop::BuildTimedOut).await {
                        Ok(_) | Err(CancelError::AlreadyEnded { .. } | CancelError::NotFound { .. }) => {}
                        // Kept for when it can be read again, and out of the way of others until then.
                        Err(CancelError::Controller(error)) if error.is_unreadable() => {
                            let at = self.clock.now().after(UNREADABLE_AGAIN);
                            plan.put(Deadline { at, ..row.value.clone() }, Expectation::Any);
                        }
                        Err(CancelError::Controller(error)) => return Err(error),
                    }
                }
                DeadlineKind::Retry { run } => match self.take_place(run, &row.value).await {
                    Ok(()) => {}
                    Err(error) if error.is_unreadable() => {
                        let at = self.clock.now().after(UNREADABLE_AGAIN);
                        plan.put(Deadline { at, ..row.value.clone() }, Expectation::Any);
                    }
                    Err(error) => return Err(error),
                },
            }
            plan.delete(keys::deadline(&row.value), Expectation::Any);
            self.commit(plan).await?;
        }
        Ok(due.len())
    }
}
