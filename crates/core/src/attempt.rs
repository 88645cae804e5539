//! What a worker says of an attempt. Invariant: only the attempt that the run's state names may say anything; a word
//! that was said before changes nothing.

use branchline_model::{
    Attempt, AttemptEnd, AttemptReport, EndReason, EndedRun, Expectation, HeldAttempt, Outcome, Plan, Run,
    RunState, Stop, TimeoutOf, Timestamp, Versioned, keys,
};

use crate::transition::{self, Forbidden};

/// Why a worker's word does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The attempt does not hold the run any more.
    #[error("{why}")]
    Fenced {
        /// Why.
        why: String,
    },
    /// A defect in the decision itself.
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
}

fn fenced(run: &Run, number: u32) -> Refused {
    let why = match run.state.attempt() {
        Some(current) if current == number => "it is held by another worker".to_owned(),
        Some(current) => format!("attempt {current} holds the run"),
        None => format!("the run is {}", run.state.status().word()),
    };
    Refused::Fenced { why }
}

/// The first step of an attempt was begun.
pub fn begin(run: &Versioned<Run>, attempt: &HeldAttempt, at: Timestamp) -> Result<Plan, Refused> {
    let number = attempt.attempt.number;
    let mut plan = Plan::default();
    match &run.value.state {
        RunState::Starting { attempt: current, worker, stop, .. }
            if *current == number && *worker == attempt.worker =>
        {
            let running =
                RunState::Running { attempt: number, worker: worker.clone(), since: at, stop: stop.clone() };
            plan.put(transition::change(&run.value, running)?, Expectation::Unchanged(run.version));
            Ok(plan)
        }
        RunState::Running { attempt: current, worker, .. }
            if *current == number && *worker == attempt.worker =>
        {
            Ok(plan)
        }
        _ => Err(fenced(&run.value, number)),
    }
}

/// The last word about an attempt.
pub fn finish(
    run: &Versioned<Run>,
    attempt: &Versioned<Attempt>,
    held: &HeldAttempt,
    report: AttemptReport,
    now: Timestamp,
) -> Result<Plan, Refused> {
    let number = held.attempt.number;
    let mut plan = Plan::default();
    if attempt.value.worker == held.worker && attempt.value.report.is_some() {
        return Ok(plan);
    }
    let (began_at, stop) = match &run.value.state {
        RunState::Starting { attempt: current, worker, stop, .. }
            if *current == number && *worker == held.worker =>
        {
            (report.began_at, stop.as_ref())
        }
        RunState::Running { attempt: current, worker, since, stop }
            if *current == number && *worker == held.worker =>
        {
            (Some(*since), stop.as_ref())
        }
        _ => return Err(fenced(&run.value, number)),
    };
    let (outcome, reason) = judge(&report.end, stop);
    let ended = RunState::Ended { outcome, reason, began_at, at: now };
    plan.put(transition::change(&run.value, ended)?, Expectation::Unchanged(run.version));
    let last = Attempt { report: Some(report), ..attempt.value.clone() };
    plan.put(last, Expectation::Unchanged(attempt.version));
    plan.delete(keys::held_attempt(&held.worker, &held.attempt), Expectation::Any);
    plan.put(EndedRun { run: run.value.id.clone(), job: run.value.job.clone(), outcome }, Expectation::Any);
    Ok(plan)
}

/// How a run ends, from how its attempt ended and whether it was told to stop. What was told to stop never passes.
#[must_use]
pub fn judge(end: &AttemptEnd, stop: Option<&Stop>) -> (Outcome, Option<EndReason>) {
    match (end, stop) {
        (AttemptEnd::Passed | AttemptEnd::Stopped | AttemptEnd::StepSignalled { .. }, Some(stop)) => {
            stopped(stop)
        }
        (AttemptEnd::Passed, None) => (Outcome::Passed, None),
        (AttemptEnd::StepFailed { step, exit }, _) => {
            (Outcome::Failed, Some(EndReason::StepFailed { step: step.clone(), exit: *exit }))
        }
        (AttemptEnd::StepSignalled { step, signal }, None) => {
            (Outcome::Failed, Some(EndReason::StepSignalled { step: step.clone(), signal: *signal }))
        }
        (AttemptEnd::TimedOut { of }, _) => (Outcome::TimedOut, Some(EndReason::Timeout { of: of.clone() })),
        (AttemptEnd::StartFailed { why }, _) => {
            (Outcome::Errored, Some(EndReason::StartFailed { why: why.clone() }))
        }
        (AttemptEnd::SupervisorLost { .. } | AttemptEnd::LogIncomplete { .. }, Some(stop)) => stopped(stop),
        (AttemptEnd::SupervisorLost { why }, None) => {
            (Outcome::Errored, Some(EndReason::SupervisorLost { why: why.clone() }))
        }
        (AttemptEnd::LogIncomplete { stored, length }, None) => {
            (Outcome::Errored, Some(EndReason::LogIncomplete { stored: *stored, length: *length }))
        }
        (AttemptEnd::Stopped, None) => {
            let why = "it was stopped on the worker's machine, not by the controller".to_owned();
            (Outcome::Errored, Some(EndReason::SupervisorLost { why }))
        }
    }
}

/// How what was told to stop ends.
#[must_use]
pub fn stopped(stop: &Stop) -> (Outcome, Option<EndReason>) {
    match stop {
        Stop::Cancelled { by } => (Outcome::Cancelled, Some(EndReason::CancelledBy { who: by.clone() })),
        Stop::BuildTimedOut => (Outcome::TimedOut, Some(EndReason::Timeout { of: TimeoutOf::Build })),
    }
}

#[cfg(test)]
mod tests {
    use branchline_model::Actor;

    use super::*;

    #[test]
    fn a_log_that_could_not_be_stored_whole_is_an_error_unless_the_run_was_stopped_anyway() {
        let end = AttemptEnd::LogIncomplete { stored: 5, length: 9 };
        let reason = EndReason::LogIncomplete { stored: 5, length: 9 };
        assert_eq!(judge(&end, None), (Outcome::Errored, Some(reason)));
        let who = Actor::new("ann");
        let stop = Stop::Cancelled { by: who.clone() };
        assert_eq!(judge(&end, Some(&stop)), (Outcome::Cancelled, Some(EndReason::CancelledBy { who })));
    }
}
