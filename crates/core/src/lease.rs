//! Leases: the right to write about an attempt, while its worker is heard. Invariants: a heartbeat writes one row; nobody is
//! lost while the controller itself could not hear, or because a clock was set; what was lost counts on only where no other
//! attempt was begun. Times are the controller's own: a worker's clock is never compared with them.

use std::time::Duration;

use branchline_model::{
    Attempt, AttemptId, Deadline, DeadlineKind, Effect, Expectation, HeldAttempt, LastAttempt, LeaseEnd,
    Listening, Plan, Run, RunState, Stop, Timestamp, Versioned, WorkerId, keys,
};

use crate::attempt::{self, Refused};
use crate::{queue, transition};

/// How long silence is borne.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// How often a worker is to say that it holds what it holds.
    pub heartbeat: Duration,
    /// After so long it is shown as silent.
    pub silent_after: Duration,
    /// After so long its attempts are lost.
    pub lost_after: Duration,
    /// A controller that has not looked at its leases for so long was away.
    pub absent_after: Duration,
}

/// Three lost heartbeats are silence, twelve are a loss; two ticks a minute apart are no absence.
impl Default for Policy {
    fn default() -> Self {
        Self {
            heartbeat: Duration::from_secs(15),
            silent_after: Duration::from_secs(45),
            lost_after: Duration::from_secs(180),
            absent_after: Duration::from_secs(120),
        }
    }
}

/// How often it is written down that the controller listens.
const NOTE_EVERY: Duration = Duration::from_secs(45);

/// The next note that the controller listens; `None` where the one before still does.
#[must_use]
pub fn listen(before: Option<&Listening>, now: Timestamp, policy: &Policy) -> Option<Listening> {
    let Some(before) = before else { return Some(Listening { since: now, at: now }) };
    let (ahead, behind) = (now.since(before.at), before.at.since(now));
    if ahead > policy.absent_after || behind > NOTE_EVERY {
        // It was away, or its clock was set: either way it cannot say how long it has been listening.
        Some(Listening { since: now, at: now })
    } else if ahead >= NOTE_EVERY {
        Some(Listening { since: before.since, at: now })
    } else {
        None
    }
}

/// Since when a worker is silent, where that is to be shown.
#[must_use]
pub fn silent_since(
    held: &HeldAttempt,
    listening: Option<&Listening>,
    now: Timestamp,
    policy: &Policy,
) -> Option<Timestamp> {
    let counted_from = listening.map_or(held.heard_at, |listening| held.heard_at.max(listening.since));
    (now.since(counted_from) >= policy.silent_after).then_some(held.heard_at)
}

/// Gives a worker the lease of an attempt.
pub(crate) fn grant(
    plan: &mut Plan,
    worker: &WorkerId,
    attempt: &AttemptId,
    expected: Expectation,
    now: Timestamp,
    policy: &Policy,
) {
    let ends_at = now.after(policy.lost_after);
    let (worker, attempt) = (worker.clone(), attempt.clone());
    plan.put(LeaseEnd { at: ends_at, worker: worker.clone(), attempt: attempt.clone() }, Expectation::Any);
    plan.put(HeldAttempt { worker, attempt, heard_at: now, ends_at }, expected);
}

/// Takes a lease away with its end.
pub(crate) fn take(plan: &mut Plan, held: &HeldAttempt) {
    plan.delete(keys::held_attempt(&held.worker, &held.attempt), Expectation::Any);
    plan.delete(keys::lease_end(&end_of(held)), Expectation::Any);
}

/// The end that a lease names.
pub(crate) fn end_of(held: &HeldAttempt) -> LeaseEnd {
    LeaseEnd { at: held.ends_at, worker: held.worker.clone(), attempt: held.attempt.clone() }
}

/// A worker was heard: its lease counts from now. Answers also whether it is to stop.
pub fn hear(
    run: &Versioned<Run>,
    held: &Versioned<HeldAttempt>,
    now: Timestamp,
) -> Result<(Plan, Option<Stop>), Refused> {
    let HeldAttempt { worker, attempt, .. } = &held.value;
    if !attempt::holds(&run.value, worker, attempt.number) {
        return Err(attempt::refusal(&run.value, worker, attempt.number));
    }
    let mut plan = Plan::default();
    plan.put(HeldAttempt { heard_at: now, ..held.value.clone() }, Expectation::Unchanged(held.version));
    Ok((plan, run.value.state.stop().cloned()))
}

/// What is found where a lease's end has come.
#[derive(Clone, Debug, PartialEq)]
pub enum Looked {
    /// Its worker was heard since, or nobody holds it any more: this is all there is to write.
    InOrder(Plan),
    /// It is to be given up.
    Silent,
}

/// Looks at a lease whose end has come.
#[must_use]
pub fn look(
    end: &Versioned<LeaseEnd>,
    held: Option<&Versioned<HeldAttempt>>,
    run: Option<&Versioned<Run>>,
    listening: &Listening,
    now: Timestamp,
    policy: &Policy,
) -> Looked {
    let mut plan = Plan::default();
    plan.delete(keys::lease_end(&end.value), Expectation::Unchanged(end.version));
    let LeaseEnd { worker, attempt, .. } = &end.value;
    let in_force = run.is_some_and(|run| attempt::holds(&run.value, worker, attempt.number));
    let Some(held) = held.filter(|held| in_force && held.value.ends_at == end.value.at) else {
        return Looked::InOrder(plan);
    };
    // Heard in the future: the clock was set back meanwhile.
    let heard_at = held.value.heard_at.min(now);
    let ends_at = heard_at.max(listening.since).after(policy.lost_after);
    if ends_at <= now {
        return Looked::Silent;
    }
    if ends_at != end.value.at {
        plan.put(LeaseEnd { at: ends_at, ..end.value.clone() }, Expectation::Any);
        let moved = HeldAttempt { heard_at, ends_at, ..held.value.clone() };
        plan.put(moved, Expectation::Unchanged(held.version));
        return Looked::InOrder(plan);
    }
    Looked::InOrder(Plan::default())
}

/// Whether a worker's attempt was lost, and counts on if nothing else happens first.
#[must_use]
pub fn may_come_back(run: &Run, worker: &WorkerId, number: u32) -> bool {
    last(run).is_some_and(|last| last.may_come_back() && last.number == number && last.worker == *worker)
}

fn last(run: &Run) -> Option<&LastAttempt> {
    match &run.state {
        RunState::Queued { after: Some(last), .. } => Some(last),
        _ => None,
    }
}

/// A worker whose attempt was lost is heard, and no other attempt was begun: it counts on as if it had never been lost.
pub fn come_back(
    run: &Versioned<Run>,
    attempt: &Versioned<Attempt>,
    held: &Versioned<HeldAttempt>,
    now: Timestamp,
    policy: &Policy,
) -> Result<Plan, Refused> {
    let HeldAttempt { worker, attempt: id, .. } = &held.value;
    let Some(last) = last(&run.value) else {
        return Err(attempt::refusal(&run.value, worker, id.number));
    };
    if !may_come_back(&run.value, worker, id.number) {
        return Err(attempt::refusal(&run.value, worker, id.number));
    }
    let (number, worker) = (id.number, worker.clone());
    let state = match last.began_at {
        Some(since) => RunState::Running { attempt: number, worker, since, stop: None },
        None => RunState::Starting { attempt: number, worker, since: attempt.value.claimed_at, stop: None },
    };
    let mut plan = Plan::default();
    plan.put(transition::change(&run.value, state)?, Expectation::Unchanged(run.version));
    plan.put(Attempt { lost: None, ..attempt.value.clone() }, Expectation::Unchanged(attempt.version));
    queue::dequeue(&mut plan, &run.value);
    plan.delete(keys::deadline(&retry_deadline(&run.value, last)), Expectation::Any);
    grant(&mut plan, &held.value.worker, id, Expectation::Unchanged(held.version), now, policy);
    Ok(plan)
}

/// When a run takes its place in its queue once more.
pub(crate) fn retry_deadline(run: &Run, last: &LastAttempt) -> Deadline {
    Deadline { at: last.not_before, of: DeadlineKind::Retry { run: run.id.clone() } }
}

/// A run leaves its queue for good, or for another attempt: what was lost before does not come
/// back, and its log is closed. Answers when that had begun.
pub(crate) fn forget(plan: &mut Plan, run: &Run) -> Option<Timestamp> {
    let last = last(run)?;
    plan.delete(keys::deadline(&retry_deadline(run, last)), Expectation::Any);
    if last.may_come_back() {
        let attempt = AttemptId { run: run.id.clone(), number: last.number };
        plan.delete(keys::held_attempt(&last.worker, &attempt), Expectation::Any);
        plan.effects.push(Effect::CloseLog { attempt });
    }
    last.began_at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp(seconds * 1_000)
    }

    #[test]
    fn a_controller_listens_without_a_gap_while_it_looks_each_minute_even_where_one_look_is_late() {
        let policy = Policy::default();
        let mut listening = listen(None, at(0), &policy).unwrap_or(Listening { since: at(-1), at: at(-1) });
        for seconds in [1, 30, 60, 120, 235, 300] {
            listening = listen(Some(&listening), at(seconds), &policy).unwrap_or(listening);
        }
        assert_eq!(listening, Listening { since: at(0), at: at(300) });
    }

    #[test]
    fn a_gap_or_a_clock_that_was_set_begins_it_anew_and_a_clock_that_is_a_little_off_does_not() {
        let policy = Policy::default();
        let before = Listening { since: at(0), at: at(1_000) };
        for seconds in [1_121, 90_000, 900, -5] {
            let anew = Listening { since: at(seconds), at: at(seconds) };
            assert_eq!(listen(Some(&before), at(seconds), &policy), Some(anew));
        }
        assert_eq!(listen(Some(&before), at(990), &policy), None);
    }
}
