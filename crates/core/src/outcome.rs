//! How a build ends, from how its runs ended. Invariant: what was told to stop never passes.

use branchline_model::{
    BuildDefinition, BuildProgress, BuildState, BuildStatus, EndReason, JobDefinition, JobName, Outcome,
    Stop, TimeoutOf, Timestamp,
};

/// At most so many jobs are named in a build's reason.
const MOST_NAMED: usize = 10;

/// Whether a run that ended so lets those that need it go on.
#[must_use]
pub fn lets_go_on(outcome: Outcome, allow_failure: bool) -> bool {
    match outcome {
        Outcome::Passed => true,
        Outcome::Failed | Outcome::Errored | Outcome::TimedOut => allow_failure,
        Outcome::Cancelled | Outcome::Skipped => false,
    }
}

/// The state of a build all of whose runs have ended.
#[must_use]
pub fn of_build(
    definition: &BuildDefinition,
    progress: &BuildProgress,
    stop: Option<&Stop>,
    now: Timestamp,
) -> BuildState {
    let (outcome, reason) = match stop {
        Some(Stop::Cancelled { by }) => {
            (BuildStatus::Cancelled, Some(EndReason::CancelledBy { who: by.clone() }))
        }
        Some(Stop::BuildTimedOut) => {
            (BuildStatus::TimedOut, Some(EndReason::Timeout { of: TimeoutOf::Build }))
        }
        // No build is told so, only the runs of a job.
        Some(Stop::FailedFast { .. }) | None => of_jobs(definition, progress),
    };
    BuildState::Ended { outcome, reason, at: now }
}

fn of_jobs(definition: &BuildDefinition, progress: &BuildProgress) -> (BuildStatus, Option<EndReason>) {
    let runs = definition.jobs.iter().flat_map(|job| job.runs().zip(&job.cells).map(move |run| (job, run)));
    let ends: Vec<(&JobDefinition, bool, Outcome)> = runs
        .filter_map(|(job, (run, cell))| {
            progress.ended.get(&run).map(|outcome| (job, cell.allow_failure, *outcome))
        })
        .collect();
    let bad: Vec<(&JobDefinition, Outcome)> = ends
        .iter()
        .filter(|(_, allowed, outcome)| *outcome != Outcome::Skipped && !lets_go_on(*outcome, *allowed))
        .map(|(job, _, outcome)| (*job, *outcome))
        .collect();
    let any = |outcomes: &[Outcome]| bad.iter().any(|(_, outcome)| outcomes.contains(outcome));
    let status = if any(&[Outcome::Failed, Outcome::TimedOut]) {
        Some(BuildStatus::Failed)
    } else if any(&[Outcome::Errored]) {
        Some(BuildStatus::Errored)
    } else if any(&[Outcome::Cancelled]) {
        Some(BuildStatus::Cancelled)
    } else {
        None
    };
    if let Some(status) = status {
        let mut jobs: Vec<JobName> = bad.iter().map(|(job, _)| job.name.clone()).collect();
        jobs.dedup();
        let more = jobs.len().saturating_sub(MOST_NAMED);
        jobs.truncate(MOST_NAMED);
        return (status, Some(EndReason::JobsFailed { jobs, more }));
    }
    if !ends.is_empty() && ends.iter().all(|(_, _, outcome)| *outcome == Outcome::Skipped) {
        (BuildStatus::Skipped, None)
    } else {
        (BuildStatus::Passed, None)
    }
}
