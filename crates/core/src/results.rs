//! What an attempt shows, and what it is shown of others. Invariant: only the attempt that holds the run shows anything, and the run's
//! row is part of the condition.

use branchline_model::{
    AttemptId, AttemptResults, BuildDefinition, Change, Expectation, JobName, Plan, Results, Run, RunId,
    Versioned, WorkerId, keys,
};

use crate::attempt::{Refused, holds, refusal};

/// Writes what an attempt has to show, in the place of what it showed before.
pub fn show(
    run: &Versioned<Run>,
    worker: &WorkerId,
    attempt: &AttemptId,
    results: Results,
) -> Result<Plan, Refused> {
    if !holds(&run.value, worker, attempt.number) {
        return Err(refusal(&run.value, worker, attempt.number));
    }
    let mut plan = Plan::default();
    let key = keys::run(&run.value.id);
    plan.changes.push(Change::Check { key, expected: Expectation::Unchanged(run.version) });
    plan.put(AttemptResults { attempt: attempt.clone(), results }, Expectation::Any);
    Ok(plan)
}

/// The runs of the jobs that this run's job needs, in the order in which it names them; each with its cell, where its job has several.
#[must_use]
pub fn needed_runs(definition: &BuildDefinition, run: &RunId) -> Vec<(JobName, Option<String>, RunId)> {
    let Some(job) = definition.jobs.iter().find(|job| job.runs().contains(&run.index)) else {
        return Vec::new();
    };
    let needed = job.needs.iter().filter_map(|need| definition.jobs.iter().find(|job| job.name == need.job));
    let id = |index| RunId { build: run.build.clone(), index };
    needed
        .flat_map(|job| {
            job.runs().zip(&job.cells).map(move |(run, cell)| (job.name.clone(), cell.name.clone(), id(run)))
        })
        .collect()
}
