//! Effects between their commit and their outcome. Invariant: an effect is a row from the commit that plans it until
//! it is known to have been done, or a person has dropped it; so none is forgotten, and none is done before its commit.
//!
//! Who performs an effect *takes* it first: a conditional write that keeps others from it for a while. Doing an effect twice
//! is harmless, but ten ticks at once would do each ten times, which a rate limit or an inbox does feel; and what was taken and
//! never told of is exactly what may have been done, and must be looked at before it is repeated.

use std::collections::BTreeSet;
use std::time::Duration;

use branchline_model::{
    Change, DeadEffect, DueEffect, Effect, Expectation, LastTry, PendingEffect, Plan, Run, Timestamp,
    Versioned, keys,
};

/// So long others leave an effect alone that was taken. No performer may take longer.
pub const HOLD: Duration = Duration::from_secs(60);

/// So long after it was taken a try is given up. The rest of [`HOLD`] is for writing down what came of it, before anybody else
/// takes it.
pub const LONGEST_TRY: Duration = Duration::from_secs(30);

const _: () = assert!(LONGEST_TRY.as_secs() * 2 <= HOLD.as_secs());

/// After so many failures an effect is a dead letter: some two hours with the waits of [`backoff`].
pub const MOST_FAILURES: u32 = 20;

/// Why a try counts as failed that nobody told the end of.
const NEVER_TOLD: &str = "whoever was doing it has never said how it ended";

/// All that a plan writes: its changes, and the rows of each effect.
#[must_use]
pub fn changes(plan: Plan, now: Timestamp) -> Vec<Change> {
    let Plan { mut changes, effects } = plan;
    for effect in effects {
        let due = DueEffect { at: now, effect: effect.key() };
        let row = PendingEffect {
            effect,
            planned_at: now,
            failures: 0,
            first_failure: None,
            next_try: now,
            last: LastTry::None,
        };
        changes.push(Change::Put { row: row.into(), expected: Expectation::Any });
        changes.push(Change::Put { row: due.into(), expected: Expectation::Any });
    }
    changes
}

/// An effect that is now ours to perform.
#[derive(Clone, Debug, PartialEq)]
pub struct Taken {
    /// Its row, as it is written by the taking.
    pub pending: PendingEffect,
    /// Whether it may have been done before: then that is looked at first.
    pub is_doubtful: bool,
}

/// How a try at an effect ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tried {
    /// It is done, or there is nothing to do any more.
    Done,
    /// It was not done.
    Failed {
        /// What failed.
        why: String,
    },
    /// Nobody can say whether it was done.
    Unknown {
        /// What went wrong.
        why: String,
    },
}

/// Takes the effects that are due. A place whose effect is gone, or is due only later, is removed.
#[must_use]
pub fn take(due: &[(DueEffect, Option<Versioned<PendingEffect>>)], now: Timestamp) -> (Plan, Vec<Taken>) {
    let mut plan = Plan::default();
    let mut taken = Vec::with_capacity(due.len());
    let mut seen = BTreeSet::new();
    for (place, pending) in due {
        plan.delete(keys::due_effect(place.at, &place.effect), Expectation::Any);
        let Some(row) = pending.as_ref().filter(|row| row.value.next_try <= place.at) else { continue };
        // One that could not be read for a while may have several places.
        if !seen.insert(&place.effect) {
            continue;
        }
        let is_doubtful = row.value.last.is_doubtful();
        let mut next = row.value.clone();
        if let LastTry::Begun { at } = next.last {
            next = match fail(next, at, NEVER_TOLD.to_owned(), true) {
                Ok(next) => next,
                Err(dead) => {
                    plan.delete(keys::pending_effect(&place.effect), Expectation::Unchanged(row.version));
                    plan.put(*dead, Expectation::Any);
                    continue;
                }
            };
        }
        next.next_try = now.after(HOLD.max(backoff(next.failures)));
        next.last = LastTry::Begun { at: now };
        plan.put(next.clone(), Expectation::Unchanged(row.version));
        plan.put(DueEffect { at: next.next_try, effect: place.effect.clone() }, Expectation::Any);
        taken.push(Taken { pending: next, is_doubtful });
    }
    (plan, taken)
}

/// Writes how tries at taken effects ended. `current` is each one's row as it is now; one that is not as it was taken was planned
/// again or taken by another meanwhile, and is left alone.
#[must_use]
pub fn settle(
    tried: &[(PendingEffect, Tried)],
    current: &[Option<Versioned<PendingEffect>>],
    now: Timestamp,
) -> Plan {
    let mut plan = Plan::default();
    for ((taken, end), current) in tried.iter().zip(current) {
        let Some(row) = current.as_ref().filter(|row| row.value == *taken) else { continue };
        let key = taken.effect.key();
        plan.delete(keys::due_effect(taken.next_try, &key), Expectation::Any);
        let outcome = match end {
            Tried::Done => {
                plan.delete(keys::pending_effect(&key), Expectation::Unchanged(row.version));
                continue;
            }
            Tried::Failed { why } => fail(taken.clone(), now, why.clone(), false),
            Tried::Unknown { why } => fail(taken.clone(), now, why.clone(), true),
        };
        match outcome {
            Ok(mut next) => {
                next.next_try = now.after(backoff(next.failures));
                if next.next_try == taken.next_try {
                    // The place that is removed above would be the new one.
                    next.next_try = Timestamp(next.next_try.0 + 1);
                }
                plan.put(DueEffect { at: next.next_try, effect: key }, Expectation::Any);
                plan.put(next, Expectation::Unchanged(row.version));
            }
            Err(dead) => {
                plan.delete(keys::pending_effect(&key), Expectation::Unchanged(row.version));
                plan.put(*dead, Expectation::Any);
            }
        }
    }
    plan
}

/// The effect after one more failure; a dead letter where that was the last.
fn fail(
    pending: PendingEffect,
    at: Timestamp,
    why: String,
    is_doubtful: bool,
) -> Result<PendingEffect, Box<DeadEffect>> {
    let failures = pending.failures.saturating_add(1);
    let first_failure = pending.first_failure.unwrap_or(at);
    if failures >= MOST_FAILURES {
        let PendingEffect { effect, planned_at, .. } = pending;
        let dead = DeadEffect { effect, planned_at, failures, first_failure, last_failure: at, why };
        return Err(Box::new(dead));
    }
    let last = if is_doubtful { LastTry::Unknown { at, why } } else { LastTry::Failed { at, why } };
    Ok(PendingEffect { failures, first_failure: Some(first_failure), last, ..pending })
}

/// Sends a dead letter again: it is a pending effect that never failed. Said twice, it is sent once.
#[must_use]
pub fn resend(dead: &Versioned<DeadEffect>) -> Plan {
    let mut plan = drop_letter(dead);
    plan.effects.push(dead.value.effect.clone());
    plan
}

/// Has a pending effect tried now rather than when it is due.
#[must_use]
pub fn hasten(pending: &Versioned<PendingEffect>, now: Timestamp) -> Plan {
    let mut plan = Plan::default();
    let key = pending.value.effect.key();
    if pending.value.next_try != now {
        plan.delete(keys::due_effect(pending.value.next_try, &key), Expectation::Any);
        plan.put(
            PendingEffect { next_try: now, ..pending.value.clone() },
            Expectation::Unchanged(pending.version),
        );
    }
    plan.put(DueEffect { at: now, effect: key }, Expectation::Any);
    plan
}

/// Gives a dead letter up for good.
#[must_use]
pub fn drop_letter(dead: &Versioned<DeadEffect>) -> Plan {
    let mut plan = Plan::default();
    plan.delete(keys::dead_effect(&dead.value.effect.key()), Expectation::Unchanged(dead.version));
    plan
}

/// Whether there is nothing left to do: an attempt that does not hold its run any more need not be stopped. (Whoever still carries
/// it out is told so when they say anything about it.) `run` is `None` where it was retired; of one that cannot be read nobody can say
/// this, and what was planned for it is done.
#[must_use]
pub fn is_moot(effect: &Effect, run: Option<&Run>) -> bool {
    match effect {
        Effect::Stop { attempt, .. } => run.is_none_or(|run| run.state.attempt() != Some(attempt.number)),
        // Where the run was retired, there must be no log any more.
        Effect::CloseLog { .. } => false,
    }
}

/// How long to wait after so many failures: 1 s, 2 s, 4 s … at most ten minutes.
#[must_use]
pub fn backoff(failures: u32) -> Duration {
    Duration::from_secs(1 << failures.saturating_sub(1).min(10)).min(Duration::from_secs(600))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_is_dead_after_about_two_hours() {
        let waits: u64 = (1..MOST_FAILURES).map(|failures| backoff(failures).as_secs()).sum();
        assert!((90 * 60..150 * 60).contains(&waits), "{waits} s");
    }
}
