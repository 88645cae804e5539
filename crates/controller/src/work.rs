//! What workers say. Invariant: a word counts only from who holds the lease; each may be said again.

use async_trait::async_trait;
use branchline_core::attempt::{self, Finishing, Refused};
use branchline_model::{
    Attempt, AttemptEnd, AttemptId, AttemptProgress, AttemptReport, Expectation, HeldAttempt, LineTime, Plan,
    Run, RunDefinition, RunDefinitionRow, StepRecord, Tally, Timestamp, Versioned, WorkerId, keys,
};
use branchline_ports::{
    ArtifactError, Assignment, Claimant, Heard, Lease, Page, ProtocolError, Ring, StoreError, Stored,
    WorkerProtocol,
};

use crate::commit::{MOST_TRIES, Outcome};
use crate::{Controller, ControllerError};

/// No worker holds more attempts than are read at once.
const MOST_HELD: usize = 100_000;

pub(crate) fn unavailable(error: impl Into<ControllerError>) -> ProtocolError {
    ProtocolError::Unavailable { why: error.into().to_string() }
}

pub(crate) fn refused(attempt: &AttemptId, refused: Refused) -> ProtocolError {
    match refused {
        Refused::Fenced { why } => ProtocolError::Fenced { attempt: attempt.clone(), why },
        Refused::Lost => ProtocolError::Fenced { attempt: attempt.clone(), why: "it was lost".to_owned() },
        Refused::Forbidden(defect) => unavailable(defect),
    }
}

pub(crate) fn gone(attempt: &AttemptId) -> ProtocolError {
    ProtocolError::Fenced { attempt: attempt.clone(), why: "there is no such attempt".to_owned() }
}

pub(crate) fn contended(what: &impl ToString) -> ProtocolError {
    unavailable(ControllerError::Contended { what: what.to_string() })
}

impl Controller {
    pub(crate) async fn run_of(&self, lease: &Lease) -> Result<Versioned<Run>, ProtocolError> {
        let run = self.row::<Run>(keys::run(&lease.attempt.run)).await.map_err(unavailable)?;
        run.ok_or_else(|| gone(&lease.attempt))
    }

    /// Writes what is decided about the run that a worker holds; an attempt that was lost comes back by it.
    pub(crate) async fn write_holding(
        &self,
        lease: &Lease,
        decide: impl Fn(&Versioned<Run>) -> Result<Plan, Refused> + Send + Sync,
    ) -> Result<(), ProtocolError> {
        for _ in 0..MOST_TRIES {
            let run = self.run_of(lease).await?;
            let plan = match decide(&run) {
                Ok(plan) => plan,
                Err(Refused::Lost) => {
                    self.come_back(lease).await?;
                    continue;
                }
                Err(refusal) => return Err(refused(&lease.attempt, refusal)),
            };
            if let Outcome::Done = self.commit(plan).await.map_err(unavailable)? {
                self.bell.ring(Ring::BuildChanged(lease.attempt.run.build.clone()));
                return Ok(());
            }
        }
        Err(contended(&lease.attempt))
    }

    /// All that the last word about an attempt is decided on.
    async fn ended(&self, lease: &Lease, report: &AttemptReport) -> Result<Ended, ProtocolError> {
        let run = keys::run(&lease.attempt.run);
        let attempt = keys::attempt(&lease.attempt);
        let held = keys::held_attempt(&lease.worker, &lease.attempt);
        // What passed is not tried again, whatever its definition says.
        let definition = keys::run_definition(&lease.attempt.run);
        let mut rows = if report.end == AttemptEnd::Passed {
            self.together([run, attempt, held]).await
        } else {
            self.together([run, attempt, held, definition]).await
        }
        .map_err(unavailable)?;
        let (run, attempt, held) = (rows.next(), rows.next(), rows.next());
        let (run, attempt, held) = match run.and_then(|run| Ok((run, attempt?, held?))) {
            Ok(found) => found,
            Err(error) => return Err(self.cannot_judge(lease, error).await),
        };
        // Without it the run is not tried again; but it ends.
        let definition = rows.next::<RunDefinitionRow>().ok().flatten();
        let (Some(run), Some(attempt)) = (run, attempt) else { return Err(gone(&lease.attempt)) };
        Ok(Ended { run, attempt, held, definition: definition.map(|row| row.value.0) })
    }

    pub(crate) fn artifact(error: ArtifactError) -> ProtocolError {
        match error {
            ArtifactError::Gap { attempt, stored, .. } => ProtocolError::LogGap { attempt, stored },
            ArtifactError::Closed { attempt } => {
                ProtocolError::Fenced { attempt, why: "its log is closed".to_owned() }
            }
            error @ (ArtifactError::Unavailable { .. } | ArtifactError::Damaged { .. }) => {
                ProtocolError::Unavailable { why: error.to_string() }
            }
        }
    }
}

/// An attempt that has ended, with all that belongs to it.
struct Ended {
    run: Versioned<Run>,
    attempt: Versioned<Attempt>,
    held: Option<Versioned<HeldAttempt>>,
    definition: Option<RunDefinition>,
}

#[async_trait]
impl WorkerProtocol for Controller {
    async fn claim(&self, claimant: &Claimant, most: usize) -> Result<Vec<Assignment>, ProtocolError> {
        let mut assignments = Vec::new();
        for pool in &claimant.pools {
            let free = most.saturating_sub(assignments.len());
            if free == 0 {
                break;
            }
            assignments.extend(self.claim_from(claimant, pool, free).await?);
        }
        Ok(assignments)
    }

    async fn held(&self, worker: &WorkerId) -> Result<Vec<Assignment>, ProtocolError> {
        let page = Page::of(keys::held_attempts(worker), MOST_HELD);
        // What is left out here, the worker clears away: so a row that cannot be read is made anew first.
        let rows = self.leads::<HeldAttempt>(&page).await.map_err(unavailable)?;
        let mut assignments = Vec::with_capacity(rows.len());
        let lease = |row: &Versioned<HeldAttempt>| Lease {
            attempt: row.value.attempt.clone(),
            worker: worker.clone(),
        };
        let leases: Vec<_> = rows.iter().map(lease).collect();
        for ((row, lease), found) in rows.into_iter().zip(&leases).zip(self.find(&leases).await?) {
            let found = match found {
                // Whether it is still held cannot be known.
                Err(StoreError::Unreadable { .. }) => continue,
                found => found.map_err(unavailable)?,
            };
            let begun = found.run.as_ref().is_some_and(|run| attempt::has_begun(&run.value));
            let stop = match self.renew(lease, Some(found)).await {
                Ok(stop) => stop,
                Err(ProtocolError::Fenced { .. }) => {
                    let mut plan = Plan::default();
                    let held = keys::held_attempt(worker, &lease.attempt);
                    plan.delete(held, Expectation::Unchanged(row.version));
                    self.commit(plan).await.map_err(unavailable)?;
                    continue;
                }
                Err(error) => return Err(error),
            };
            let definition = keys::run_definition(&lease.attempt.run);
            let definition = self.rows::<RunDefinitionRow>(&[definition]).await.map_err(unavailable)?;
            // Without it nothing can be gone on with: it is not heard of again, and lost.
            let Some(definition) = definition.into_iter().flatten().next() else { continue };
            let definition = definition.value.0;
            assignments.push(Assignment { lease: lease.clone(), definition, stop, begun });
        }
        Ok(assignments)
    }

    async fn heartbeat(&self, worker: &WorkerId, leases: &[Lease]) -> Result<Vec<Heard>, ProtocolError> {
        // Nobody speaks for another worker.
        let of_another = |lease: &Lease| lease.worker != *worker;
        let own: Vec<_> = leases.iter().filter(|lease| !of_another(lease)).cloned().collect();
        let mut own = self.hear(&own).await?.into_iter();
        let fenced = || Heard::Fenced { why: "it is held by another worker".to_owned() };
        let answer = |lease| if of_another(lease) { Some(fenced()) } else { own.next() };
        Ok(leases.iter().filter_map(answer).collect())
    }

    async fn begun(&self, lease: &Lease, at: Timestamp) -> Result<(), ProtocolError> {
        let (worker, number) = (&lease.worker, lease.attempt.number);
        self.write_holding(lease, |run| attempt::begin(run, worker, number, at)).await
    }

    async fn progress(
        &self,
        lease: &Lease,
        steps: &[StepRecord],
        tally: Option<Tally>,
    ) -> Result<(), ProtocolError> {
        self.must_hold(lease).await?;
        let mut plan = Plan::default();
        let row = AttemptProgress { attempt: lease.attempt.clone(), steps: steps.to_vec(), tally };
        plan.put(row, Expectation::Any);
        self.commit(plan).await.map_err(unavailable)?;
        self.bell.ring(Ring::BuildChanged(lease.attempt.run.build.clone()));
        Ok(())
    }

    async fn log_length(&self, lease: &Lease) -> Result<u64, ProtocolError> {
        Ok(self.artifacts.log_length(&lease.attempt).await.map_err(Self::artifact)?.bytes)
    }

    async fn append_log(
        &self,
        lease: &Lease,
        offset: u64,
        bytes: &[u8],
        times: &[LineTime],
    ) -> Result<Stored, ProtocolError> {
        self.append(lease, offset, bytes, times).await
    }

    async fn finish(&self, lease: &Lease, report: AttemptReport) -> Result<(), ProtocolError> {
        let stored = self.artifacts.log_length(&lease.attempt).await.map_err(Self::artifact)?;
        if stored.bytes < report.log_length {
            return Err(ProtocolError::LogGap { attempt: lease.attempt.clone(), stored: stored.bytes });
        }
        let mut has_closed = false;
        for _ in 0..MOST_TRIES {
            let ended = match self.ended(lease, &report).await {
                Ok(ended) => ended,
                Err(error) if has_closed => return Err(self.unless_anew(lease, error).await),
                Err(error) => return Err(error),
            };
            let finishing = Finishing {
                run: &ended.run,
                attempt: &ended.attempt,
                held: ended.held.as_ref(),
                definition: ended.definition.as_ref(),
                worker: &lease.worker,
            };
            let plan = match attempt::finish(&finishing, report.clone(), self.clock.now()) {
                Ok(plan) => plan,
                Err(Refused::Lost) => {
                    self.come_back(lease).await?;
                    continue;
                }
                Err(refusal) => return Err(refused(&lease.attempt, refusal)),
            };
            if plan.is_empty() {
                // It was said before: the log was closed then, and may be gone with the run by now.
                return if has_closed { self.must_not_be_anew(&lease.attempt).await } else { Ok(()) };
            }
            // A run ends only when its log is closed, and only who holds the lease closes it.
            has_closed = true;
            if let Err(error) = self.artifacts.close_log(&lease.attempt).await {
                return Err(self.unless_anew(lease, Self::artifact(error)).await);
            }
            match self.commit(plan).await {
                Ok(Outcome::Done) => {
                    self.bell.ring(Ring::EndedRuns);
                    self.bell.ring(Ring::BuildChanged(lease.attempt.run.build.clone()));
                    self.bell.ring(Ring::LogGrew(lease.attempt.clone()));
                    return Ok(());
                }
                Ok(Outcome::Again) => {}
                Err(error) => return Err(self.unless_anew(lease, unavailable(error)).await),
            }
        }
        Err(contended(&lease.attempt))
    }
}
