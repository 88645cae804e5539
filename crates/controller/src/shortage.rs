//! What cannot be written now, for people: a disk that is full, a store that cannot be reached. Invariant: no decision reads
//! it; it is forgotten when a write of its kind succeeds, or when none has failed for a while.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use branchline_model::Timestamp;

use crate::Controller;

/// What is tried again is tried more often than this: after so long without a failure, nobody tries any more.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(60);

/// What is written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The store: what was accepted, and where everything stands.
    Store,
    /// The logs.
    Logs,
}

/// A place that cannot be written to now. What waits for it goes on by itself once it can.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shortage {
    /// Which place.
    pub place: Place,
    /// When a write first failed.
    pub since: Timestamp,
    /// What failed last, where, and what to do.
    pub why: String,
}

#[derive(Debug, Default)]
pub(crate) struct Shortages {
    by_place: Mutex<BTreeMap<Place, (Shortage, Timestamp)>>,
}

impl Shortages {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Place, (Shortage, Timestamp)>> {
        self.by_place.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A write succeeded.
    pub(crate) fn is_over(&self, place: Place) {
        self.lock().remove(&place);
    }

    /// A write failed, and the same may work later.
    pub(crate) fn note(&self, place: Place, why: &str, now: Timestamp) {
        let mut by_place = self.lock();
        let since = match by_place.get(&place) {
            Some((known, last)) if now.since(*last) < FORGOTTEN_AFTER => known.since,
            _ => now,
        };
        by_place.insert(place, (Shortage { place, since, why: why.to_owned() }, now));
    }
}

impl Controller {
    /// What cannot be written to now; nothing where all is well. It waits for nothing, so it can be asked when all else stands
    /// still.
    #[must_use]
    pub fn shortages(&self) -> Vec<Shortage> {
        let now = self.clock.now();
        let by_place = self.shortages.lock();
        let lasting = by_place.values().filter(|(_, last)| now.since(*last) < FORGOTTEN_AFTER);
        lasting.map(|(shortage, _)| shortage.clone()).collect()
    }
}
