//! What follows an attempt that is over: another one, or the run's end. Invariant: there are never more attempts than the run
//! definition allows, and none after the run was told to stop.

use std::time::Duration;

use branchline_model::{
    Attempt, Deadline, Effect, EndReason, EndedRun, Expectation, HeldAttempt, LastAttempt, Lost, Outcome,
    Plan, Retry, RetryOn, Run, RunDefinition, RunState, Timestamp, Versioned, WorkerId, keys,
};

use crate::attempt::stopped;
use crate::transition::{self, Forbidden};
use crate::{lease, queue};

/// No attempt waits longer than this for its turn, however many there were.
pub const LONGEST_BACKOFF: Duration = Duration::from_secs(600);

/// An attempt that is over.
pub(crate) struct Over<'a> {
    /// Its number.
    pub(crate) number: u32,
    /// Who held it.
    pub(crate) worker: &'a WorkerId,
    /// When its first step was begun.
    pub(crate) began_at: Option<Timestamp>,
    /// How it ended.
    pub(crate) outcome: Outcome,
    /// Why, where it did not pass.
    pub(crate) reason: Option<EndReason>,
}

/// What follows an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Another one.
    Again,
    /// The run's end.
    Over,
}

/// How long the attempt after this one waits; `None` where there is none.
#[must_use]
pub fn backoff(retry: &Retry, attempts: u32, why: &EndReason, has_begun: bool) -> Option<Duration> {
    let is_named = retry.on.iter().any(|on| matches(*on, why));
    let unsure = matches!(why, EndReason::WorkerLost { .. } | EndReason::SupervisorLost { .. });
    if attempts >= retry.attempts || !is_named || (unsure && has_begun && !retry.repeatable) {
        return None;
    }
    let doubled = 1u32.checked_shl(attempts.saturating_sub(1)).unwrap_or(u32::MAX);
    Some(retry.backoff.saturating_mul(doubled).min(LONGEST_BACKOFF))
}

fn matches(on: RetryOn, why: &EndReason) -> bool {
    match (on, why) {
        (RetryOn::WorkerLost, EndReason::WorkerLost { .. })
        | (RetryOn::SupervisorLost, EndReason::SupervisorLost { .. })
        | (RetryOn::StartFailed, EndReason::StartFailed { .. })
        | (RetryOn::LogIncomplete, EndReason::LogIncomplete { .. })
        | (RetryOn::Timeout, EndReason::Timeout { .. })
        | (RetryOn::StepFailed, EndReason::StepFailed { .. })
        | (RetryOn::StepSignalled, EndReason::StepSignalled { .. }) => true,
        (RetryOn::Exit(code), EndReason::StepFailed { exit, .. }) => code == *exit,
        _ => false,
    }
}

/// Writes what follows: the run waits for another attempt, or has ended.
pub(crate) fn put_next(
    plan: &mut Plan,
    run: &Versioned<Run>,
    over: Over<'_>,
    definition: Option<&RunDefinition>,
    now: Timestamp,
) -> Result<Next, Forbidden> {
    let Over { number, worker, began_at, outcome, reason } = over;
    let wait = match (&reason, definition, run.value.state.stop()) {
        (Some(why), Some(definition), None) => {
            backoff(&definition.retry, run.value.attempts, why, began_at.is_some())
        }
        _ => None,
    };
    let (state, next) = match (wait, reason) {
        (Some(wait), Some(why)) => {
            let not_before = now.after(wait);
            let last = LastAttempt { number, worker: worker.clone(), began_at, why, not_before };
            plan.put(lease::retry_deadline(&run.value, &last), Expectation::Any);
            (queue::enqueue_later(&run.value, last), Next::Again)
        }
        (_, reason) => {
            let (id, job) = (run.value.id.clone(), run.value.job.clone());
            plan.put(EndedRun { run: id, job, outcome }, Expectation::Any);
            (RunState::Ended { outcome, reason, began_at, at: now }, Next::Over)
        }
    };
    plan.put(transition::change(&run.value, state)?, Expectation::Unchanged(run.version));
    Ok(next)
}

/// An attempt of whose worker nothing is heard.
#[derive(Clone, Copy, Debug)]
pub struct Losing<'a> {
    /// Its run, which it holds.
    pub run: &'a Versioned<Run>,
    /// The attempt.
    pub attempt: &'a Versioned<Attempt>,
    /// Its lease.
    pub held: &'a Versioned<HeldAttempt>,
    /// What the run does; it is not tried again where that cannot be read.
    pub definition: Option<&'a RunDefinition>,
}

/// Gives an attempt up. Its lease row stays while it may come back, so that its worker finds it.
pub fn lose(losing: &Losing<'_>, now: Timestamp) -> Result<Plan, Forbidden> {
    let Losing { run, attempt, held, definition } = *losing;
    let HeldAttempt { worker, heard_at, .. } = &held.value;
    let began_at = match &run.value.state {
        RunState::Running { since, .. } => Some(*since),
        _ => None,
    };
    let (outcome, reason) = match run.value.state.stop() {
        Some(stop) => stopped(stop),
        None => {
            let silent_seconds = now.since(*heard_at).as_secs();
            (Outcome::Errored, Some(EndReason::WorkerLost { worker: worker.clone(), silent_seconds }))
        }
    };
    let number = attempt.value.id.number;
    let mut plan = Plan::default();
    let over = Over { number, worker, began_at, outcome, reason };
    let next = put_next(&mut plan, run, over, definition, now)?;
    let lost = Some(Lost { heard_at: *heard_at, at: now });
    plan.put(Attempt { lost, ..attempt.value.clone() }, Expectation::Unchanged(attempt.version));
    plan.delete(keys::lease_end(&lease::end_of(&held.value)), Expectation::Any);
    if next == Next::Over {
        let key = keys::held_attempt(worker, &attempt.value.id);
        plan.delete(key, Expectation::Unchanged(held.version));
        plan.effects.push(Effect::CloseLog { attempt: attempt.value.id.clone() });
    } else {
        // Written all the same, so that a heartbeat that was decided before this fails.
        plan.put(held.value.clone(), Expectation::Unchanged(held.version));
    }
    Ok(plan)
}

/// The time of a retry has come: the run takes its place in its queue, unless it was decided otherwise meanwhile.
#[must_use]
pub fn take_place(run: &Versioned<Run>, deadline: &Deadline) -> Plan {
    let mut plan = Plan::default();
    if let RunState::Queued { after: Some(last), .. } = &run.value.state
        && last.not_before <= deadline.at
    {
        queue::take_place(&mut plan, run);
        plan.delete(keys::deadline(deadline), Expectation::Any);
    }
    plan
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lost() -> EndReason {
        EndReason::WorkerLost { worker: WorkerId::new("w"), silent_seconds: 180 }
    }

    fn failed(exit: i32) -> EndReason {
        EndReason::StepFailed { step: "make".to_owned(), exit }
    }

    #[test]
    fn each_attempt_waits_twice_as_long_as_the_one_before_and_never_longer_than_ten_minutes() {
        let retry = Retry { attempts: 100, ..Retry::default() };
        let waits: Vec<u64> = [1, 2, 3, 4, 7, 8, 9, 40, 99]
            .map(|attempts| backoff(&retry, attempts, &lost(), true).unwrap_or_default().as_secs())
            .into();
        assert_eq!(waits, [5, 10, 20, 40, 320, 600, 600, 600, 600]);
        assert_eq!(backoff(&retry, 100, &lost(), true), None);
    }

    #[test]
    fn an_exit_code_is_named_alone_or_with_all_others() {
        let on = |on| Retry { attempts: 2, on: vec![on], ..Retry::default() };
        assert!(backoff(&on(RetryOn::Exit(75)), 1, &failed(75), true).is_some());
        assert!(backoff(&on(RetryOn::Exit(75)), 1, &failed(1), true).is_none());
        assert!(backoff(&on(RetryOn::StepFailed), 1, &failed(1), true).is_some());
        assert!(backoff(&on(RetryOn::StepFailed), 1, &lost(), true).is_none());
        assert!(backoff(&on(RetryOn::WorkerLost), 1, &failed(1), true).is_none());
    }

    #[test]
    fn what_must_not_begin_twice_is_tried_again_only_where_it_is_known_how_far_it_came() {
        let retry = Retry {
            on: vec![RetryOn::WorkerLost, RetryOn::StepFailed],
            repeatable: false,
            ..Retry::default()
        };
        assert!(backoff(&retry, 1, &lost(), true).is_none());
        assert!(backoff(&retry, 1, &lost(), false).is_some(), "nothing had begun");
        assert!(backoff(&retry, 1, &failed(1), true).is_some(), "somebody asked for it, and it has ended");
    }
}
