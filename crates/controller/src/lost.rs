//! Looks at leases whose end has come: those of workers that were heard get a later end, the others are given up. Invariant:
//! while nobody holds anything, nothing is written; what is wrong with one lease keeps no other waiting.

use branchline_core::lease::{self, Looked};
use branchline_core::retry::{self, Losing};
use branchline_model::{
    Attempt, Deadline, Expectation, HeldAttempt, LeaseEnd, Listening, Plan, Run, RunDefinitionRow, RunId,
    Timestamp, Versioned, keys,
};
use branchline_ports::{Order, Page, Ring, StoreError};
use futures_util::StreamExt;

use crate::commit::{MOST_TRIES, Outcome};
use crate::controller::missing;
use crate::tick::{Failure, Part};
use crate::until::Until;
use crate::{Controller, ControllerError};

/// So many ends of leases are read in one go, and
const ENDS_AT_ONCE: usize = 256;
/// so many of them looked at beside each other: a thousand that end together are given up in seconds.
const LOOKS_AT_ONCE: usize = 16;

impl Controller {
    /// Says that the controller can be heard only from now on: for a process that has just been started.
    pub async fn begin_listening(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        let mut plan = Plan::default();
        plan.put(Listening { since: now, at: now }, Expectation::Any);
        self.commit(plan).await.map(|_| ())
    }

    /// Looks at every lease whose end has come; answers how many ended or got a later end.
    pub async fn pass_leases(&self) -> Result<usize, ControllerError> {
        let mut failures = Vec::new();
        let passed = self.pass_leases_until(Until::done(), &mut failures).await?;
        failures.into_iter().next().map_or(Ok(passed), |failure| Err(failure.why))
    }

    pub(crate) async fn pass_leases_until(
        &self,
        until: Until,
        failures: &mut Vec<Failure>,
    ) -> Result<usize, ControllerError> {
        let newest = Page { order: Order::Descending, ..Page::of(keys::LEASE_ENDS, 1) };
        let Some(newest) = self.leads::<LeaseEnd>(&newest).await?.pop() else { return Ok(0) };
        let now = self.clock.now();
        let listening = self.listen(now).await?;
        let due =
            Page { until: Some(Timestamp(now.0 + 1).sortable()), ..Page::of(keys::LEASE_ENDS, ENDS_AT_ONCE) };
        let mut passed = self.pass_ends(due, &listening, until, failures).await?;
        let latest = now.after(self.leases.lost_after);
        if newest.value.at > latest {
            // The clock was set back: what would be looked at too late is looked at now.
            let late = Page {
                after: Some(Timestamp(latest.0 + 1).sortable()),
                ..Page::of(keys::LEASE_ENDS, ENDS_AT_ONCE)
            };
            passed += self.pass_ends(late, &listening, until, failures).await?;
        }
        Ok(passed)
    }

    async fn pass_ends(
        &self,
        mut page: Page,
        listening: &Listening,
        until: Until,
        failures: &mut Vec<Failure>,
    ) -> Result<usize, ControllerError> {
        let mut passed = 0;
        loop {
            let ends = self.leads::<LeaseEnd>(&page).await?;
            let more = ends.len() == ENDS_AT_ONCE;
            page.after = ends.last().map(|end| keys::lease_end(&end.value).sort).or(page.after);
            let looks: Vec<_> = ends
                .into_iter()
                .map(|end| {
                    let (controller, listening) = (self.clone(), *listening);
                    async move {
                        if until.is_over(&controller) {
                            return None;
                        }
                        let mut looked = controller.pass_end(&end, &listening).await;
                        if let Err(ControllerError::Store(StoreError::Unreadable { key, .. })) = &looked {
                            match controller.remake(key).await {
                                Ok(true) => looked = controller.pass_end(&end, &listening).await,
                                Ok(false) => {}
                                Err(error) => looked = Err(error.into()),
                            }
                        }
                        Some((end.value.attempt, looked))
                    }
                })
                .collect();
            let mut looked = futures_util::stream::iter(looks).buffer_unordered(LOOKS_AT_ONCE);
            let mut is_over = false;
            while let Some(look) = looked.next().await {
                match look {
                    None => is_over = true,
                    Some((_, Ok(changed))) => passed += usize::from(changed),
                    // Whether it is still held cannot be known: it is looked at again.
                    Some((_, Err(why))) if why.is_unreadable() => {}
                    Some((attempt, Err(why))) => {
                        tracing::warn!(%attempt, error = %why, "a lease could not be looked at");
                        failures.push(Failure { part: Part::Leases, what: attempt.to_string(), why });
                    }
                }
            }
            if is_over {
                return Ok(passed);
            }
            if !more {
                return Ok(passed);
            }
        }
    }

    async fn pass_end(
        &self,
        end: &Versioned<LeaseEnd>,
        listening: &Listening,
    ) -> Result<bool, ControllerError> {
        let id = &end.value.attempt;
        for _ in 0..MOST_TRIES {
            let now = self.clock.now();
            let held = self.row::<HeldAttempt>(keys::held_attempt(&end.value.worker, id)).await?;
            let run = self.row::<Run>(keys::run(&id.run)).await?;
            let looked = lease::look(end, held.as_ref(), run.as_ref(), listening, now, &self.leases);
            let (plan, is_lost) = match (looked, &held, &run) {
                (Looked::InOrder(plan), _, _) => (plan, false),
                (Looked::Silent, Some(held), Some(run)) => (self.lose(held, run, now).await?, true),
                // Nothing is silent that nobody holds.
                (Looked::Silent, _, _) => return Ok(false),
            };
            if plan.is_empty() {
                return Ok(false);
            }
            match self.commit(plan).await? {
                Outcome::Done if is_lost => {
                    tracing::warn!(attempt = %id, worker = %end.value.worker, "its worker is lost");
                    self.bell.ring(Ring::BuildChanged(id.run.build.clone()));
                    self.bell.ring(Ring::EndedRuns);
                    return Ok(true);
                }
                Outcome::Done => return Ok(true),
                Outcome::Again if self.row::<LeaseEnd>(keys::lease_end(&end.value)).await?.is_none() => {
                    // Another one has looked.
                    return Ok(false);
                }
                Outcome::Again => {}
            }
        }
        Err(ControllerError::Contended { what: id.to_string() })
    }

    async fn lose(
        &self,
        held: &Versioned<HeldAttempt>,
        run: &Versioned<Run>,
        now: Timestamp,
    ) -> Result<Plan, ControllerError> {
        let id = &held.value.attempt;
        let key = keys::attempt(id);
        let attempt = self.row::<Attempt>(key.clone()).await?.ok_or_else(|| missing(key))?;
        let definition =
            self.rows::<RunDefinitionRow>(&[keys::run_definition(&id.run)]).await?.pop().flatten();
        let definition = definition.as_ref().map(|row| &row.value.0);
        let losing = Losing { run, attempt: &attempt, held, definition };
        Ok(retry::lose(&losing, now)?)
    }

    /// Since when the controller listens, written down from time to time.
    async fn listen(&self, now: Timestamp) -> Result<Listening, ControllerError> {
        for _ in 0..MOST_TRIES {
            let before = self.row::<Listening>(keys::listening()).await?;
            let next = lease::listen(before.as_ref().map(|row| &row.value), now, &self.leases);
            let next = match (next, &before) {
                (Some(next), _) => next,
                (None, Some(before)) => return Ok(before.value),
                (None, None) => continue,
            };
            let expected = before.map_or(Expectation::Absent, |row| Expectation::Unchanged(row.version));
            let mut plan = Plan::default();
            plan.put(next, expected);
            if let Outcome::Done = self.commit(plan).await? {
                return Ok(next);
            }
        }
        Err(ControllerError::Contended { what: "what says that the controller listens".to_owned() })
    }

    /// A run that is tried again takes its place in its queue.
    pub(crate) async fn take_place(&self, id: &RunId, deadline: &Deadline) -> Result<(), ControllerError> {
        for _ in 0..MOST_TRIES {
            let Some(run) = self.row::<Run>(keys::run(id)).await? else { return Ok(()) };
            if let Outcome::Done = self.commit(retry::take_place(&run, deadline)).await? {
                return Ok(());
            }
        }
        Err(ControllerError::Contended { what: format!("run {id}") })
    }
}
