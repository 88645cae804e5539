//! Effects between their commit and their outcome. Invariant: an effect is a row from the commit that plans it until
//! it is known to have been done, so that none is forgotten.

use std::time::Duration;

use branchline_model::{Change, Expectation, PendingEffect, Plan, Timestamp};

/// All that a plan writes: its changes, and a row for each effect.
#[must_use]
pub fn changes(plan: Plan, now: Timestamp) -> Vec<Change> {
    let Plan { mut changes, effects } = plan;
    for effect in effects {
        let row = PendingEffect { effect, failures: 0, next_try: now, why: None };
        changes.push(Change::Put { row: row.into(), expected: Expectation::Any });
    }
    changes
}

/// The same effect after it failed once more: later each time, at most every ten minutes.
#[must_use]
pub fn failed(pending: PendingEffect, why: String, now: Timestamp) -> PendingEffect {
    let failures = pending.failures.saturating_add(1);
    PendingEffect { failures, next_try: now.after(backoff(failures)), why: Some(why), ..pending }
}

/// How long to wait after so many failures: 1 s, 2 s, 4 s … at most ten minutes.
#[must_use]
pub fn backoff(failures: u32) -> Duration {
    Duration::from_secs(1 << failures.saturating_sub(1).min(10)).min(Duration::from_secs(600))
}
