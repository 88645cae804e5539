//! The logs that are at work with, and their open files. Invariant: of one attempt there is never more than one
//! [`Log`], so that its lock is the attempt's. So many logs keep their files open; beyond that, those that were used
//! longest ago and are not in use now let go of them.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use branchline_model::AttemptId;

use crate::log::Log;

#[derive(Debug)]
pub(crate) struct Handles {
    most: usize,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    logs: HashMap<AttemptId, (Arc<Log>, u64)>,
    /// Counts the uses, to tell what was used longest ago.
    uses: u64,
}

impl Handles {
    /// Keeps the files of at most so many logs open, and of those that are in use.
    pub(crate) fn new(most: usize) -> Self {
        Self { most, kept: Mutex::default() }
    }

    /// The one log of this attempt, made where nobody works with it.
    pub(crate) fn of(&self, logs: &Path, attempt: &AttemptId) -> Arc<Log> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.uses += 1;
        let uses = kept.uses;
        if let Some((log, used)) = kept.logs.get_mut(attempt) {
            *used = uses;
            return Arc::clone(log);
        }
        if kept.logs.len() >= self.most {
            kept.let_go(self.most / 2);
        }
        let log = Arc::new(Log::new(logs, attempt.clone()));
        kept.logs.insert(attempt.clone(), (Arc::clone(&log), uses));
        log
    }

    /// How many logs are kept.
    #[cfg(test)]
    fn len(&self) -> usize {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).logs.len()
    }
}

impl Kept {
    /// Lets go of the older half, so that the sorting is paid for by as many that come. Nobody but the map holds a log
    /// with a count of one, and only under the map's lock could anybody begin to.
    fn let_go(&mut self, keep: usize) {
        let mut uses: Vec<u64> = self.logs.values().map(|(_, used)| *used).collect();
        uses.sort_unstable_by(|one, other| other.cmp(one));
        let Some(oldest_kept) = keep.checked_sub(1).and_then(|index| uses.get(index)).copied() else {
            return;
        };
        self.logs.retain(|_, (log, used)| *used >= oldest_kept || Arc::strong_count(log) > 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(number: usize) -> AttemptId {
        format!("app-1/1/1/{number}").parse().unwrap()
    }

    #[test]
    fn only_so_many_logs_are_kept_and_those_in_use_always() {
        let handles = Handles::new(10);
        let used = handles.of(Path::new("logs"), &attempt(1));
        for number in 2..1_000 {
            handles.of(Path::new("logs"), &attempt(number));
            assert!(handles.len() <= 11, "{}", handles.len());
        }
        assert!(Arc::ptr_eq(&used, &handles.of(Path::new("logs"), &attempt(1))));
    }

    #[test]
    fn what_was_used_last_is_kept() {
        let handles = Handles::new(10);
        let first = Arc::downgrade(&handles.of(Path::new("logs"), &attempt(1)));
        for number in 2..100 {
            handles.of(Path::new("logs"), &attempt(number));
            handles.of(Path::new("logs"), &attempt(1));
        }
        assert!(first.upgrade().is_some());
    }
}
