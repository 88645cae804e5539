//! Cancel, and a build's timeout. Invariant: what no worker has ends at once; what a worker has is told to stop and ends
//! with the worker's word, never as passed.

use std::collections::BTreeSet;

use branchline_model::{
    Build, BuildDefinition, BuildProgress, BuildState, Effect, EndedRun, Expectation, JobDefinition, Outcome,
    Plan, Run, RunState, Stop, Timestamp, Versioned,
};

use crate::advance;
use crate::attempt::stopped;
use crate::transition::{self, Forbidden};
use crate::{lease, queue};

/// A build with all its runs.
#[derive(Clone, Debug)]
pub struct Snapshot<'a> {
    /// The build, which has not ended.
    pub build: &'a Versioned<Build>,
    /// How far it is.
    pub progress: &'a Versioned<BuildProgress>,
    /// What it does.
    pub definition: &'a BuildDefinition,
    /// Every run of it that can be read.
    pub runs: &'a [Versioned<Run>],
}

/// Stops a build. Stopping one that has ended, or is being stopped, changes nothing.
pub fn build(snapshot: &Snapshot<'_>, stop: &Stop, now: Timestamp) -> Result<Plan, Forbidden> {
    let mut plan = Plan::default();
    let mut build = snapshot.build.clone();
    if build.value.state.has_ended() || build.value.state.stop().is_some() {
        return Ok(plan);
    }
    build.value.state = BuildState::Running { stop: Some(stop.clone()) };
    let mut progress = snapshot.progress.value.clone();
    for run in snapshot.runs {
        if let RunState::Ended { outcome, .. } = run.value.state {
            // *Advance build* would fold it in, but not where the row that says so cannot be read.
            progress.ended.entry(run.value.id.index).or_insert(outcome);
            continue;
        }
        if let Some(outcome) = end_or_tell(&mut plan, run, stop, now)? {
            progress.ended.insert(run.value.id.index, outcome);
        }
    }
    // A run that cannot be read cannot be told, nor waited for: it counts as errored.
    let readable: BTreeSet<u32> = snapshot.runs.iter().map(|run| run.value.id.index).collect();
    for run in snapshot.definition.jobs.iter().flat_map(JobDefinition::runs) {
        if !readable.contains(&run) {
            progress.ended.entry(run).or_insert(Outcome::Errored);
        }
    }
    advance::write(&mut plan, &build, snapshot.progress, snapshot.definition, progress, now);
    Ok(plan)
}

/// Stops one run. Stopping one that has ended, or is being stopped, changes nothing.
pub fn run(run: &Versioned<Run>, stop: &Stop, now: Timestamp) -> Result<Plan, Forbidden> {
    let mut plan = Plan::default();
    if let Some(outcome) = end_or_tell(&mut plan, run, stop, now)? {
        plan.put(
            EndedRun { run: run.value.id.clone(), job: run.value.job.clone(), outcome },
            Expectation::Any,
        );
    }
    Ok(plan)
}

/// Ends a run that no worker has and answers how; tells the worker that has it otherwise.
fn end_or_tell(
    plan: &mut Plan,
    run: &Versioned<Run>,
    stop: &Stop,
    now: Timestamp,
) -> Result<Option<Outcome>, Forbidden> {
    let Some((changed, ended)) = told(plan, &run.value, stop, now)? else { return Ok(None) };
    plan.put(changed, Expectation::Unchanged(run.version));
    Ok(ended)
}

/// A run that is told to stop, with how it ended where no worker has it; `None` where that changes nothing. What follows
/// besides the run's own row is planned.
pub(crate) fn told(
    plan: &mut Plan,
    run: &Run,
    stop: &Stop,
    now: Timestamp,
) -> Result<Option<(Run, Option<Outcome>)>, Forbidden> {
    let asked = Some(stop.clone());
    let next = match &run.state {
        RunState::Ended { .. } => return Ok(None),
        RunState::Starting { stop: Some(_), .. } | RunState::Running { stop: Some(_), .. } => {
            return Ok(None);
        }
        RunState::Starting { attempt, worker, since, stop: None } => {
            RunState::Starting { attempt: *attempt, worker: worker.clone(), since: *since, stop: asked }
        }
        RunState::Running { attempt, worker, since, stop: None } => {
            RunState::Running { attempt: *attempt, worker: worker.clone(), since: *since, stop: asked }
        }
        RunState::Blocked | RunState::Held | RunState::Waiting | RunState::Queued { .. } => {
            queue::dequeue(plan, run);
            let began_at = lease::forget(plan, run);
            let (outcome, reason) = stopped(stop);
            let ended = RunState::Ended { outcome, reason, began_at, at: now };
            return Ok(Some((transition::change(run, ended)?, Some(outcome))));
        }
    };
    if let RunState::Starting { attempt, worker, .. } | RunState::Running { attempt, worker, .. } = &next {
        let attempt = branchline_model::AttemptId { run: run.id.clone(), number: *attempt };
        plan.effects.push(Effect::Stop { attempt, worker: worker.clone(), stop: stop.clone() });
    }
    Ok(Some((transition::change(run, next)?, None)))
}
