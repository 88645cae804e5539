//! The tick: looks at everything that may be due. Invariants: with every bell lost, ticks alone bring all to rest; any
//! number of them at once does no harm; one part that fails, or takes too long, never keeps another from being done; and each
//! part goes on where the last tick ended, because what is due is found earliest first. A tick with nothing to do reads a handful of
//! rows and writes none.

use std::collections::BTreeMap;
use std::time::Duration;

use branchline_model::{PendingEvent, RepositoryId};
use branchline_ports::StoreError;
use futures_util::StreamExt;

use crate::until::Until;
use crate::{Controller, ControllerError};

/// So many due events are read in one go.
const EVENTS_AT_ONCE: usize = 64;
/// So many of the store's leftovers are ended in one go.
const LEFTOVERS_AT_ONCE: usize = 8;
/// Events of so many repositories are resolved at once; those of one repository after each other.
const REPOSITORIES_AT_ONCE: usize = 8;

/// A part of the tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The leases of workers that may be silent.
    Leases,
    /// Timeouts and retries whose time has come.
    Deadlines,
    /// Runs that have ended are folded into their builds.
    Builds,
    /// Effects that are due.
    Effects,
    /// What commits that were cut off left behind in the store.
    Leftovers,
    /// The refs of every repository, against what was seen of them.
    Refs,
    /// Events that wait for their decision.
    Events,
    /// Whatever is not kept any more is removed.
    Retention,
}

impl Part {
    /// All of them, in the order in which they are done: what people wait for, and is quick, first; new work after it, and
    /// last what nobody waits for.
    pub const ALL: [Self; 8] = [
        Self::Leases,
        Self::Deadlines,
        Self::Builds,
        Self::Effects,
        Self::Leftovers,
        Self::Refs,
        Self::Events,
        Self::Retention,
    ];
}

/// Something that a tick could not do. It is tried again by the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// In which part.
    pub part: Part,
    /// What: the id or key of what was to be done; empty where the part failed as a whole.
    pub what: String,
    /// Why.
    pub why: ControllerError,
}

/// What one tick did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ticked {
    /// Timeouts and retries whose time had come.
    pub deadlines: usize,
    /// Builds advanced.
    pub builds: usize,
    /// Effects done.
    pub effects: usize,
    /// Leases that ended or got a later end.
    pub leases: usize,
    /// Journals and the like that somebody had left behind.
    pub leftovers: usize,
    /// Refs that had moved without anybody telling.
    pub moves: usize,
    /// Events decided or looked at.
    pub events: usize,
    /// Deadlines at which something was to be removed.
    pub removals: usize,
    /// What could not be done.
    pub failures: Vec<Failure>,
    /// The parts whose time was over before they were done.
    pub unfinished: Vec<Part>,
}

impl Ticked {
    /// Whether there was nothing to do.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        *self == Self::default()
    }
}

impl Controller {
    /// Does whatever is due, for about so long: nothing is begun after that. No part may take more than half of the time that
    /// is left when it begins.
    pub async fn tick(&self, within: Duration) -> Ticked {
        self.tick_parts(&Part::ALL, within).await
    }

    /// Does some parts of the tick, where others are seen to elsewhere.
    pub async fn tick_parts(&self, parts: &[Part], within: Duration) -> Ticked {
        let until = Until::within(self, within);
        let mut ticked = Ticked::default();
        for (index, part) in parts.iter().enumerate() {
            let is_last = index + 1 == parts.len();
            let share = if is_last { until } else { until.half(self) };
            if let Err(why) = self.tick_part(*part, share, &mut ticked).await {
                tracing::warn!(?part, error = %why, "a part of the tick failed");
                ticked.failures.push(Failure { part: *part, what: String::new(), why });
            }
            if share.is_over(self) {
                ticked.unfinished.push(*part);
            }
        }
        ticked
    }

    async fn tick_part(&self, part: Part, until: Until, ticked: &mut Ticked) -> Result<(), ControllerError> {
        let failures = &mut ticked.failures;
        match part {
            Part::Leases => ticked.leases += self.pass_leases_until(until, failures).await?,
            Part::Deadlines => ticked.deadlines += self.pass_deadlines_until(until, failures).await?,
            Part::Builds => ticked.builds += self.advance_until(until, failures).await?,
            Part::Effects => ticked.effects += self.perform_until(until).await?,
            Part::Leftovers => ticked.leftovers += self.tidy_until(until).await?,
            Part::Refs => ticked.moves += self.look_until(until, failures).await?,
            Part::Events => ticked.events += self.resolve_until(until, failures).await?,
            Part::Retention => ticked.removals += self.pass_retention_until(until, failures).await?,
        }
        Ok(())
    }

    /// Has the store end what commits left behind.
    async fn tidy_until(&self, until: Until) -> Result<usize, StoreError> {
        let mut ended = 0;
        loop {
            let now = self.store.tidy(LEFTOVERS_AT_ONCE).await?;
            ended += now;
            if now < LEFTOVERS_AT_ONCE || until.is_over(self) {
                return Ok(ended);
            }
        }
    }

    /// Resolves the events that are due, each once.
    async fn resolve_until(&self, until: Until, failures: &mut Vec<Failure>) -> Result<usize, StoreError> {
        let mut events = 0;
        loop {
            let due = self.due_events(EVENTS_AT_ONCE).await?;
            let is_last = due.len() < EVENTS_AT_ONCE;
            let mut by_repository: BTreeMap<RepositoryId, Vec<PendingEvent>> = BTreeMap::new();
            for event in due {
                by_repository.entry(event.repository.clone()).or_default().push(event);
            }
            let work: Vec<_> = by_repository
                .into_values()
                .map(|events| {
                    let controller = self.clone();
                    async move { controller.resolve_in_order(events, until).await }
                })
                .collect();
            let done: Vec<_> =
                futures_util::stream::iter(work).buffer_unordered(REPOSITORIES_AT_ONCE).collect().await;
            let before = failures.len();
            for (count, failed) in done {
                events += count;
                failures.extend(failed);
            }
            // One that failed is due still: it is the next tick's, not this one's again.
            if is_last || failures.len() > before || until.is_over(self) {
                return Ok(events);
            }
        }
    }

    async fn resolve_in_order(&self, events: Vec<PendingEvent>, until: Until) -> (usize, Vec<Failure>) {
        let (mut count, mut failures) = (0, Vec::new());
        for due in events {
            if until.is_over(self) {
                break;
            }
            count += 1;
            if let Err(why) = self.resolve_due(&due).await {
                tracing::warn!(event = %due.event, error = %why, "an event could not be resolved");
                failures.push(Failure { part: Part::Events, what: due.event.to_string(), why });
            }
        }
        (count, failures)
    }
}
