//! What workers say. Invariant: a word counts only from who holds the lease; each may be said again.

use async_trait::async_trait;
use branchline_core::attempt::{self, Refused};
use branchline_model::{
    Attempt, AttemptId, AttemptProgress, AttemptReport, Expectation, HeldAttempt, LineTime, Plan, Run,
    RunDefinitionRow, StepRecord, Timestamp, Versioned, WorkerId, keys,
};
use branchline_ports::{
    ArtifactError, Assignment, Claimant, Lease, Page, ProtocolError, Ring, StoreError, WorkerProtocol,
};

use crate::commit::{MOST_TRIES, Outcome};
use crate::{Controller, ControllerError};

/// No worker holds more attempts than are read at once.
const MOST_HELD: usize = 100_000;

pub(crate) fn unavailable(error: impl Into<ControllerError>) -> ProtocolError {
    ProtocolError::Unavailable { why: error.into().to_string() }
}

fn refused(attempt: &AttemptId, refused: Refused) -> ProtocolError {
    match refused {
        Refused::Fenced { why } => ProtocolError::Fenced { attempt: attempt.clone(), why },
        Refused::Forbidden(defect) => unavailable(defect),
    }
}

fn gone(attempt: &AttemptId) -> ProtocolError {
    ProtocolError::Fenced { attempt: attempt.clone(), why: "there is no such attempt".to_owned() }
}

pub(crate) fn contended(what: &impl ToString) -> ProtocolError {
    unavailable(ControllerError::Contended { what: what.to_string() })
}

impl Controller {
    /// What to do for attempts that a worker holds, with what their runs are told.
    pub(crate) async fn assignments(
        &self,
        worker: &WorkerId,
        attempts: Vec<AttemptId>,
    ) -> Result<Vec<Assignment>, ProtocolError> {
        let definition_keys: Vec<_> = attempts.iter().map(|id| keys::run_definition(&id.run)).collect();
        let definitions = self.rows::<RunDefinitionRow>(&definition_keys).await.map_err(unavailable)?;
        Ok(attempts
            .into_iter()
            .zip(definitions)
            .filter_map(|(attempt, definition)| {
                definition.map(|row| Assignment {
                    lease: Lease { attempt, worker: worker.clone() },
                    definition: row.value.0,
                    stop: None,
                })
            })
            .collect())
    }

    async fn run_of(&self, lease: &Lease) -> Result<Versioned<Run>, ProtocolError> {
        let run = self.row::<Run>(keys::run(&lease.attempt.run)).await.map_err(unavailable)?;
        run.ok_or_else(|| gone(&lease.attempt))
    }

    fn artifact(error: ArtifactError) -> ProtocolError {
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

fn held(lease: &Lease) -> HeldAttempt {
    HeldAttempt { worker: lease.worker.clone(), attempt: lease.attempt.clone() }
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
        let rows = self.page::<HeldAttempt>(&page).await.map_err(unavailable)?;
        let mut assignments = Vec::with_capacity(rows.len());
        for row in rows {
            let attempt = row.value.attempt;
            let run = match self.row::<Run>(keys::run(&attempt.run)).await {
                // Whether it is still held cannot be known.
                Err(StoreError::Unreadable { .. }) => continue,
                run => run.map_err(unavailable)?,
            };
            let Some(run) = run.filter(|run| run.value.state.attempt() == Some(attempt.number)) else {
                let mut plan = Plan::default();
                plan.delete(keys::held_attempt(worker, &attempt), Expectation::Unchanged(row.version));
                self.commit(plan).await.map_err(unavailable)?;
                continue;
            };
            let stop = run.value.state.stop().cloned();
            for assignment in self.assignments(worker, vec![attempt]).await? {
                assignments.push(Assignment { stop: stop.clone(), ..assignment });
            }
        }
        Ok(assignments)
    }

    async fn begun(&self, lease: &Lease, at: Timestamp) -> Result<(), ProtocolError> {
        for _ in 0..MOST_TRIES {
            let run = self.run_of(lease).await?;
            let plan =
                attempt::begin(&run, &held(lease), at).map_err(|error| refused(&lease.attempt, error))?;
            if let Outcome::Done = self.commit(plan).await.map_err(unavailable)? {
                self.bell.ring(Ring::BuildChanged(lease.attempt.run.build.clone()));
                return Ok(());
            }
        }
        Err(contended(&lease.attempt))
    }

    async fn progress(&self, lease: &Lease, steps: &[StepRecord]) -> Result<(), ProtocolError> {
        let run = self.run_of(lease).await?;
        if run.value.state.attempt() != Some(lease.attempt.number) {
            return Err(refused(
                &lease.attempt,
                Refused::Fenced { why: "it does not hold the run".to_owned() },
            ));
        }
        let mut plan = Plan::default();
        let row = AttemptProgress { attempt: lease.attempt.clone(), steps: steps.to_vec() };
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
    ) -> Result<u64, ProtocolError> {
        let stored = match self.artifacts.append_log(&lease.attempt, offset, bytes, times).await {
            Ok(stored) => stored,
            // Closed by a `finish` whose answer was lost: what is there is there.
            Err(ArtifactError::Closed { attempt }) => {
                let log = self.artifacts.log_length(&attempt).await.map_err(Self::artifact)?;
                if offset.saturating_add(bytes.len() as u64) > log.bytes {
                    return Err(Self::artifact(ArtifactError::Closed { attempt }));
                }
                log.bytes
            }
            Err(error) => return Err(Self::artifact(error)),
        };
        self.bell.ring(Ring::LogGrew(lease.attempt.clone()));
        Ok(stored)
    }

    async fn finish(&self, lease: &Lease, report: AttemptReport) -> Result<(), ProtocolError> {
        let stored = self.artifacts.log_length(&lease.attempt).await.map_err(Self::artifact)?;
        if stored.bytes < report.log_length {
            return Err(ProtocolError::LogGap { attempt: lease.attempt.clone(), stored: stored.bytes });
        }
        for _ in 0..MOST_TRIES {
            let (run, row) = (
                self.run_of(lease).await?,
                self.row::<Attempt>(keys::attempt(&lease.attempt)).await.map_err(unavailable)?,
            );
            let row = row.ok_or_else(|| gone(&lease.attempt))?;
            let plan = attempt::finish(&run, &row, &held(lease), report.clone(), self.clock.now())
                .map_err(|error| refused(&lease.attempt, error))?;
            // A run ends only when its log is closed, and only who holds the lease closes it.
            self.artifacts.close_log(&lease.attempt).await.map_err(Self::artifact)?;
            if let Outcome::Done = self.commit(plan).await.map_err(unavailable)? {
                self.bell.ring(Ring::EndedRuns);
                self.bell.ring(Ring::BuildChanged(lease.attempt.run.build.clone()));
                self.bell.ring(Ring::LogGrew(lease.attempt.clone()));
                return Ok(());
            }
        }
        Err(contended(&lease.attempt))
    }
}
