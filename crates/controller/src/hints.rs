//! What claims in one process tell each other, so that they do not run for the same runs. Invariant: all of it is a hint;
//! with none of it, or with several processes that know nothing of each other, each run is still given out once.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use branchline_core::queue;
use branchline_model::{QueueEntry, RunId, Timestamp, Versioned};

/// Of so many directories it is remembered who was served last.
const MOST_SERVED: usize = 10_000;

/// Whose turn it is, and which runs someone is about to take.
#[derive(Debug)]
pub(crate) struct ClaimHints {
    turn: AtomicU64,
    served: Mutex<HashMap<String, String>>,
    long: Mutex<HashSet<String>>,
    in_hand: Mutex<HashMap<RunId, String>>,
}

impl ClaimHints {
    /// Turns begin with the time, so that processes that live shortly do not all begin with the same lane.
    pub(crate) fn new(now: Timestamp) -> Self {
        Self {
            turn: AtomicU64::new(now.0.unsigned_abs()),
            served: Mutex::default(),
            long: Mutex::default(),
            in_hand: Mutex::default(),
        }
    }

    pub(crate) fn next_turn(&self) -> u64 {
        self.turn.fetch_add(1, Ordering::Relaxed)
    }

    /// Behind which sort key of a directory to begin: the one that was served last, so that each is served in its turn.
    pub(crate) fn start(&self, directory: &str, turn: u64) -> String {
        self.known(directory).unwrap_or_else(|| queue::position(turn))
    }

    /// Which one of a directory was served last.
    pub(crate) fn known(&self, directory: &str) -> Option<String> {
        self.served.lock().unwrap_or_else(PoisonError::into_inner).get(directory).cloned()
    }

    /// This one was served, or had nothing.
    pub(crate) fn served(&self, directory: &str, sort: &str) {
        let mut served = self.served.lock().unwrap_or_else(PoisonError::into_inner);
        if served.len() >= MOST_SERVED {
            served.clear();
        }
        served.insert(directory.to_owned(), sort.to_owned());
    }

    /// Whether a directory was too long to be read whole when it was last begun with.
    pub(crate) fn is_long(&self, directory: &str) -> bool {
        self.long.lock().unwrap_or_else(PoisonError::into_inner).contains(directory)
    }

    /// Remembers how long a directory is.
    pub(crate) fn found(&self, directory: &str, is_long: bool) {
        let mut long = self.long.lock().unwrap_or_else(PoisonError::into_inner);
        if !is_long {
            long.remove(directory);
        } else if !long.contains(directory) {
            if long.len() >= MOST_SERVED {
                long.clear();
            }
            long.insert(directory.to_owned());
        }
    }

    /// How many runs of a lane are about to be taken.
    pub(crate) fn count(&self, lane: &str) -> usize {
        self.runs().values().filter(|taken_from| *taken_from == lane).count()
    }

    fn runs(&self) -> MutexGuard<'_, HashMap<RunId, String>> {
        self.in_hand.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs that this claim is about to take. Others leave them alone until it is dropped.
#[derive(Debug)]
pub(crate) struct InHand {
    hints: Arc<ClaimHints>,
    runs: Vec<RunId>,
}

impl InHand {
    pub(crate) fn nothing(hints: &Arc<ClaimHints>) -> Self {
        Self { hints: Arc::clone(hints), runs: Vec::new() }
    }

    /// Takes as many of a lane's entries as are wanted and nobody else is about to take, the first ones first; the `skip`
    /// foremost only if there are no others.
    pub(crate) fn take(
        &mut self,
        lane: &str,
        entries: Vec<Versioned<QueueEntry>>,
        wanted: usize,
        skip: usize,
    ) -> Vec<Versioned<QueueEntry>> {
        let mut in_hand = self.hints.runs();
        let mut free: Vec<_> =
            entries.into_iter().filter(|entry| !in_hand.contains_key(&entry.value.run)).collect();
        if !free.is_empty() {
            let by = skip % free.len();
            free.rotate_left(by);
        }
        free.truncate(wanted);
        for entry in &free {
            in_hand.insert(entry.value.run.clone(), lane.to_owned());
            self.runs.push(entry.value.run.clone());
        }
        free
    }
}

impl Drop for InHand {
    fn drop(&mut self) {
        let mut in_hand = self.hints.runs();
        for run in &self.runs {
            in_hand.remove(run);
        }
    }
}
