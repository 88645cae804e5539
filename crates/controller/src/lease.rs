//! Heartbeats, and what they answer; also a lost attempt that comes back. Invariant: a heartbeat that is answered with
//! *counts* or *stop* was written before, on the version of the lease that was read.

use branchline_core::attempt::{self, Refused};
use branchline_core::lease;
use branchline_model::{Attempt, HeldAttempt, Run, Stop, Versioned, keys};
use branchline_ports::{Heard, Lease, ProtocolError, Ring, StoreError};

use crate::Controller;
use crate::commit::{MOST_TRIES, Outcome};
use crate::work::{contended, gone, refused, unavailable};

impl Controller {
    /// Where leases stand, now that their worker was heard: read together, written one by one.
    pub(crate) async fn hear(&self, leases: &[Lease]) -> Result<Vec<Heard>, ProtocolError> {
        let lasts = u64::try_from(self.leases.lost_after.as_millis()).unwrap_or(u64::MAX);
        let mut answers = Vec::with_capacity(leases.len());
        for (lease, found) in leases.iter().zip(self.find(leases).await?) {
            let renewed = match found {
                Ok(found) => self.renew(lease, Some(found)).await,
                Err(error) => Err(self.cannot_judge(lease, error).await),
            };
            answers.push(match renewed {
                Ok(Some(stop)) => Heard::Stop { stop },
                Ok(None) => Heard::Counts { milliseconds: lasts },
                Err(ProtocolError::Fenced { why, .. }) => Heard::Fenced { why },
                // What is wrong with one keeps no other from being heard.
                Err(error) => Heard::Unknown { why: error.to_string() },
            });
        }
        Ok(answers)
    }

    /// Writes down that a worker was heard; answers whether it is to stop. `found` may have been read before.
    pub(crate) async fn renew(
        &self,
        lease: &Lease,
        mut found: Option<Found>,
    ) -> Result<Option<Stop>, ProtocolError> {
        for _ in 0..MOST_TRIES {
            let Found { run, held } = match found.take() {
                Some(found) => found,
                None => self.find_one(lease).await?,
            };
            let run = run.ok_or_else(|| gone(&lease.attempt))?;
            let Some(held) = held else {
                let refusal = attempt::refusal(&run.value, &lease.worker, lease.attempt.number);
                return Err(refused(&lease.attempt, refusal));
            };
            let (plan, stop) = match lease::hear(&run, &held, self.clock.now()) {
                Ok(heard) => heard,
                Err(Refused::Lost) => {
                    self.come_back(lease).await?;
                    continue;
                }
                Err(refusal) => return Err(refused(&lease.attempt, refusal)),
            };
            if let Outcome::Done = self.commit(plan).await.map_err(unavailable)? {
                return Ok(stop);
            }
        }
        Err(contended(&lease.attempt))
    }

    /// Has a lost attempt count on; where something else happened meanwhile, nothing is done and the caller decides again.
    pub(crate) async fn come_back(&self, lease: &Lease) -> Result<(), ProtocolError> {
        let Found { run, held } = self.find_one(lease).await?;
        let row = self.row::<Attempt>(keys::attempt(&lease.attempt)).await.map_err(unavailable)?;
        let (Some(run), Some(held), Some(row)) = (run, held, row) else { return Err(gone(&lease.attempt)) };
        match lease::come_back(&run, &row, &held, self.clock.now(), &self.leases) {
            Ok(plan) => {
                if let Outcome::Done = self.commit(plan).await.map_err(unavailable)? {
                    tracing::info!(attempt = %lease.attempt, worker = %lease.worker, "came back before another was begun");
                    self.bell.ring(Ring::BuildChanged(lease.attempt.run.build.clone()));
                }
                Ok(())
            }
            // It is back already, or gone for good: the caller reads which.
            Err(Refused::Lost | Refused::Fenced { .. }) => Ok(()),
            Err(defect) => Err(refused(&lease.attempt, defect)),
        }
    }

    /// Whether a worker may write about an attempt now; one that was lost comes back by it.
    pub(crate) async fn must_hold(&self, lease: &Lease) -> Result<(), ProtocolError> {
        let (worker, number) = (&lease.worker, lease.attempt.number);
        for _ in 0..MOST_TRIES {
            let run = self.run_of(lease).await?;
            if attempt::holds(&run.value, worker, number) {
                return Ok(());
            }
            match attempt::refusal(&run.value, worker, number) {
                Refused::Lost => self.come_back(lease).await?,
                refusal => return Err(refused(&lease.attempt, refusal)),
            }
        }
        Err(contended(&lease.attempt))
    }

    async fn find_one(&self, lease: &Lease) -> Result<Found, ProtocolError> {
        let found = self.find(std::slice::from_ref(lease)).await?.pop();
        match found.ok_or_else(|| gone(&lease.attempt))? {
            Ok(found) => Ok(found),
            Err(error) => Err(self.cannot_judge(lease, error).await),
        }
    }

    /// The run and the lease row of each of these leases, in one read.
    pub(crate) async fn find(
        &self,
        leases: &[Lease],
    ) -> Result<Vec<Result<Found, StoreError>>, ProtocolError> {
        let keys: Vec<_> = leases
            .iter()
            .flat_map(|lease| {
                [keys::run(&lease.attempt.run), keys::held_attempt(&lease.worker, &lease.attempt)]
            })
            .collect();
        let mut rows = self.store.read(&keys).await.map_err(unavailable)?.into_iter();
        let mut found = Vec::with_capacity(leases.len());
        for pair in keys.chunks(2) {
            let [run, held] = pair else { continue };
            let (first, second) = (rows.next().flatten(), rows.next().flatten());
            let run = self.needed(run, first);
            found.push(run.and_then(|run| Ok(Found { run, held: self.needed(held, second)? })));
        }
        Ok(found)
    }
}

/// What is stored about a lease.
pub(crate) struct Found {
    pub(crate) run: Option<Versioned<Run>>,
    held: Option<Versioned<HeldAttempt>>,
}
