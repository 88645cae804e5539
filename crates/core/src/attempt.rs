//! What a worker says of an attempt. Invariant: only the attempt that the run's state names may say anything; a word
//! that was said before changes nothing.

use branchline_model::{
    Attempt, AttemptEnd, AttemptReport, EndReason, Expectation, HeldAttempt, Outcome, Plan, Run,
    RunDefinition, RunState, Stop, TimeoutOf, Timestamp, Versioned, WorkerId,
};

use crate::lease;
use crate::retry::{self, Over};
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
    /// The attempt was lost, and no other one was begun: it counts again once it has come back
    /// ([`lease::come_back`]).
    #[error("the attempt was lost")]
    Lost,
    /// A defect in the decision itself.
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
}

/// Whether this attempt of this worker may write about the run.
#[must_use]
pub fn holds(run: &Run, worker: &WorkerId, number: u32) -> bool {
    match &run.state {
        RunState::Starting { attempt, worker: holder, .. }
        | RunState::Running { attempt, worker: holder, .. } => *attempt == number && holder == worker,
        _ => false,
    }
}

/// Whether it was told that the first step of the attempt that holds the run was begun; or of the one that was lost last, which may
/// come back.
#[must_use]
pub fn has_begun(run: &Run) -> bool {
    match &run.state {
        RunState::Running { .. } => true,
        RunState::Queued { after: Some(last), .. } => last.may_come_back() && last.began_at.is_some(),
        _ => false,
    }
}

/// Why an attempt that does not hold the run has no say.
#[must_use]
pub fn refusal(run: &Run, worker: &WorkerId, number: u32) -> Refused {
    if lease::may_come_back(run, worker, number) {
        return Refused::Lost;
    }
    let why = match run.state.attempt() {
        Some(current) if current == number => "it is held by another worker".to_owned(),
        Some(current) => format!("attempt {current} holds the run"),
        None => format!("the run is {}", run.state.status().word()),
    };
    Refused::Fenced { why }
}

/// The first step of an attempt was begun.
pub fn begin(run: &Versioned<Run>, worker: &WorkerId, number: u32, at: Timestamp) -> Result<Plan, Refused> {
    if !holds(&run.value, worker, number) {
        return Err(refusal(&run.value, worker, number));
    }
    let mut plan = Plan::default();
    if let RunState::Starting { attempt, worker, stop, .. } = &run.value.state {
        let running =
            RunState::Running { attempt: *attempt, worker: worker.clone(), since: at, stop: stop.clone() };
        plan.put(transition::change(&run.value, running)?, Expectation::Unchanged(run.version));
    }
    Ok(plan)
}

/// An attempt about which the last word is said.
#[derive(Clone, Copy, Debug)]
pub struct Finishing<'a> {
    /// The run.
    pub run: &'a Versioned<Run>,
    /// The attempt.
    pub attempt: &'a Versioned<Attempt>,
    /// Its lease, where there is one.
    pub held: Option<&'a Versioned<HeldAttempt>>,
    /// What the run does; needed only where it did not pass.
    pub definition: Option<&'a RunDefinition>,
    /// Who says it.
    pub worker: &'a WorkerId,
}

/// The last word about an attempt. Its log must be closed before this is committed.
pub fn finish(finishing: &Finishing<'_>, report: AttemptReport, now: Timestamp) -> Result<Plan, Refused> {
    let Finishing { run, attempt, held, definition, worker } = *finishing;
    let number = attempt.value.id.number;
    let mut plan = Plan::default();
    if attempt.value.worker == *worker && attempt.value.report.is_some() {
        return Ok(plan);
    }
    if !holds(&run.value, worker, number) {
        return Err(refusal(&run.value, worker, number));
    }
    let began_at = match &run.value.state {
        RunState::Running { since, .. } => Some(*since),
        _ => report.began_at,
    };
    let (outcome, reason) = judge(&report.end, run.value.state.stop());
    let over = Over { number, worker, began_at, outcome, reason };
    retry::put_next(&mut plan, run, over, definition, now)?;
    let last = Attempt { report: Some(report), ..attempt.value.clone() };
    plan.put(last, Expectation::Unchanged(attempt.version));
    if let Some(held) = held {
        lease::take(&mut plan, &held.value);
    }
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
        (AttemptEnd::TestsFailed { .. } | AttemptEnd::ArtifactFailed { .. }, Some(stop)) => stopped(stop),
        (AttemptEnd::TestsFailed { count }, None) => {
            (Outcome::Failed, Some(EndReason::TestFailed { count: *count }))
        }
        (AttemptEnd::ArtifactFailed { artifact, why }, None) => {
            let (artifact, why) = (artifact.clone(), why.clone());
            (Outcome::Failed, Some(EndReason::ArtifactFailed { artifact, why }))
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
        Stop::FailedFast { cell } => (Outcome::Cancelled, Some(EndReason::FailedFast { cell: cell.clone() })),
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
