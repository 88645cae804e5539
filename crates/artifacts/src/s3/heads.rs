//! What this process remembers of logs' heads, and who of it is writing. Invariant: what is remembered is a head that was
//! once the log's; whether it still is, only S3 says. A closed head is final, and so is what is remembered of it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use branchline_model::AttemptId;

use super::head::{Head, Phase};

/// A head, and the tag it has in the bucket; none where there is no head yet.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) head: Arc<Head>,
    pub(super) tag: Option<String>,
}

impl Known {
    /// Nothing was appended yet.
    pub(super) fn nothing() -> Self {
        Self { head: Arc::new(Head::new(Phase::Open)), tag: None }
    }

    /// How far the log is: what comes later is never less.
    fn age(&self) -> (u8, u64, usize) {
        let phase = match self.head.phase {
            Phase::Open => 0,
            Phase::Sealed => 1,
            Phase::Closed => 2,
        };
        (phase, self.head.stored(), self.head.tail.times.len())
    }
}

/// One log, as this process knows it.
#[derive(Debug, Default)]
pub(super) struct Log {
    /// Held while it is appended to or closed, so that a process does not stand in its own way.
    pub(super) writing: tokio::sync::Mutex<()>,
    known: Mutex<Option<Known>>,
}

impl Log {
    pub(super) fn known(&self) -> Option<Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Remembers a head, unless a later one is known.
    pub(super) fn learn(&self, new: &Known) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.as_ref().is_none_or(|known| known.age() <= new.age()) {
            *known = Some(new.clone());
        }
    }

    /// Forgets what S3 has refused.
    pub(super) fn forget(&self) {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// The logs that are at work with.
#[derive(Debug)]
pub(super) struct Heads {
    most: usize,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    logs: HashMap<AttemptId, (Arc<Log>, u64)>,
    uses: u64,
}

impl Heads {
    /// Remembers at most so many, and those in use.
    pub(super) fn new(most: usize) -> Self {
        Self { most, kept: Mutex::default() }
    }

    pub(super) fn of(&self, attempt: &AttemptId) -> Arc<Log> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.uses += 1;
        let uses = kept.uses;
        if let Some((log, used)) = kept.logs.get_mut(attempt) {
            *used = uses;
            return Arc::clone(log);
        }
        if kept.logs.len() >= self.most {
            // The older half, so that going through all is paid for by as many that come.
            let oldest = uses.saturating_sub(self.most as u64 / 2);
            kept.logs.retain(|_, (log, used)| *used >= oldest || Arc::strong_count(log) > 1);
        }
        let log = Arc::new(Log::default());
        kept.logs.insert(attempt.clone(), (Arc::clone(&log), uses));
        log
    }
}
