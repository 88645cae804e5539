//! Bytes of a log on their way to where logs are kept. Invariants: they are taken only from the worker whose attempt holds the run,
//! by what the store says at that moment; and who reads along is asked with the same read, and only where an append costs something.

use std::time::Duration;

use branchline_core::attempt;
use branchline_model::{AttemptId, Expectation, LineTime, LogWatch, Pace, Plan, Run, keys};
use branchline_ports::{Appends, ArtifactError, Lease, ProtocolError, Ring, StoreError, Stored};

use crate::controller::{Known, typed};
use crate::work::{gone, unavailable};
use crate::{Controller, Place};

/// So long it counts that someone reads along; whoever still does says so again before.
const COUNTS_FOR: Duration = Duration::from_secs(60);

/// What was under way for longer may have come after the end of its build, and of its log.
const LONG: Duration = Duration::from_secs(1);

impl Controller {
    /// Someone reads along in this log, for the next minute. Nothing is written where nothing can come any more: of what was
    /// retired, nobody would remove it.
    pub async fn watch_log(&self, attempt: &AttemptId) -> Result<(), StoreError> {
        if self.artifacts.appends() == Appends::Free {
            return Ok(());
        }
        match self.led_to::<Run>(keys::run(&attempt.run)).await? {
            Known::There(run) if !run.value.state.has_ended() => {}
            Known::There(_) | Known::Gone | Known::Unreadable => return Ok(()),
        }
        let mut plan = Plan::default();
        let until = self.clock.now().after(COUNTS_FOR);
        plan.put(LogWatch { attempt: attempt.clone(), until }, Expectation::Any);
        self.commit(plan).await?;
        Ok(())
    }

    /// Takes bytes of a log. An attempt that was lost comes back by it; of one that is over, it is only said what is there.
    pub(crate) async fn append(
        &self,
        lease: &Lease,
        offset: u64,
        bytes: &[u8],
        times: &[LineTime],
    ) -> Result<Stored, ProtocolError> {
        let attempt = &lease.attempt;
        let (asked_at, end) = (self.clock.now(), offset.saturating_add(bytes.len() as u64));
        let pace = match self.may_append(lease).await {
            Ok(pace) => pace,
            Err(refusal @ ProtocolError::Fenced { .. }) => return self.is_there(attempt, end, refusal).await,
            Err(error) => return Err(error),
        };
        let stored = match self.artifacts.append_log(attempt, offset, bytes, times).await {
            Ok(stored) => stored,
            Err(error @ ArtifactError::Closed { .. }) => {
                return self.is_there(attempt, end, Self::artifact(error)).await;
            }
            Err(error) => {
                if let ArtifactError::Unavailable { why, .. } = &error {
                    self.shortages.note(Place::Logs, why, self.clock.now());
                }
                let error = Self::artifact(error);
                return Err(if offset == 0 { self.unless_anew(lease, error).await } else { error });
            }
        };
        self.shortages.is_over(Place::Logs);
        // What began a log, and was under way for long, or while the clock was set back, may have come after its build's end.
        let now = self.clock.now();
        if offset == 0 && (now < asked_at || now.since(asked_at) >= LONG) {
            self.must_not_be_anew(attempt).await?;
        }
        self.bell.ring(Ring::LogGrew(attempt.clone()));
        Ok(Stored { bytes: stored, pace })
    }

    /// That this attempt may write, and how eagerly it is to send the rest: one read says both.
    async fn may_append(&self, lease: &Lease) -> Result<Pace, ProtocolError> {
        let is_priced = self.artifacts.appends() == Appends::Priced;
        let (run, watch) = (keys::run(&lease.attempt.run), keys::log_watch(&lease.attempt));
        let mut wanted = vec![run.clone()];
        wanted.extend(is_priced.then(|| watch.clone()));
        let mut rows = self.store.read(&wanted).await.map_err(unavailable)?.into_iter();
        let mut next = || rows.next().flatten();
        let run = match self.needed::<Run>(&run, next()) {
            Ok(run) => run.ok_or_else(|| gone(&lease.attempt))?,
            Err(error) => return Err(self.cannot_judge(lease, error).await),
        };
        if !attempt::holds(&run.value, &lease.worker, lease.attempt.number) {
            self.must_hold(lease).await?;
        }
        if !is_priced {
            return Ok(Pace::AsItComes);
        }
        let watch = next().and_then(|row| self.readable(typed::<LogWatch>(&watch, row)));
        let is_watched = watch.is_some_and(|watch| watch.value.until > self.clock.now());
        Ok(if is_watched { Pace::Watched } else { Pace::Unwatched })
    }

    /// What cannot be appended any more may all be there: the last word was said, and its answer was lost.
    async fn is_there(
        &self,
        attempt: &AttemptId,
        end: u64,
        refusal: ProtocolError,
    ) -> Result<Stored, ProtocolError> {
        let log = self.artifacts.log_length(attempt).await.map_err(Self::artifact)?;
        if log.closed && end <= log.bytes {
            return Ok(Stored { bytes: log.bytes, pace: Pace::AsItComes });
        }
        Err(refusal)
    }

    /// What a worker is told whose log was written or closed, and then something went wrong.
    pub(crate) async fn unless_anew(&self, lease: &Lease, error: ProtocolError) -> ProtocolError {
        match self.must_not_be_anew(&lease.attempt).await {
            Ok(()) => error,
            Err(gone) => gone,
        }
    }

    /// Removes a log that was begun after the logs of its build were removed: nobody else would. The build itself goes before them.
    pub(crate) async fn must_not_be_anew(&self, attempt: &AttemptId) -> Result<(), ProtocolError> {
        let build = self.store.read(&[keys::build(&attempt.run.build)]).await.map_err(unavailable)?;
        if build.iter().any(Option::is_some) {
            return Ok(());
        }
        self.artifacts.delete_log(attempt).await.map_err(Self::artifact)?;
        Err(gone(attempt))
    }
}
