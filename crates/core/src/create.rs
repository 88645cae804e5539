//! A build from its pipeline: its jobs, their runs, what each does, and what of it can be said at once. Invariant: what is
//! decided here is what *advance build* would decide of the same ends; it only finds more of them, because the event is known.

use branchline_expression::{Template, Values};
use branchline_jobs_schema::{self as schema, AllowFailure, Job, Pipeline};
use branchline_model::{
    Because, BuildDefinition, BuildId, BuildProgress, BuildState, Cell, Context, Deadline, DeadlineKind,
    EndReason, Expectation, JobDefinition, JobName, Need, Outcome, Plan, PoolName, Priority, Problem,
    Retention, Run, RunDefinitionRow, RunId, RunState, Tag, Timestamp, Wanted, Wants,
};

use crate::build::{Snapshot, record_invalid, row};
use crate::cells::{self, MOST_RUNS, PlannedRun};
use crate::inputs::Inputs;
use crate::intent::SpecFile;
use crate::late::Outputs;
use crate::pools::DEFAULT_POOL;
use crate::rundef::{self, Making};
use crate::transition::Forbidden;
use crate::unblock::{Runs, Unblocking};
use crate::{advance, context, late, not_yet, retention};

/// Plans a build of a pipeline that the event matches.
pub(crate) fn create(
    plan: &mut Plan,
    snapshot: &Snapshot<'_>,
    id: &BuildId,
    file: &SpecFile,
    pipeline: &Pipeline,
    inputs: &Inputs,
    now: Timestamp,
) -> Result<(), Forbidden> {
    let event = &snapshot.event.value.kind;
    let commit = context::Commit { id: event.commit(), message: snapshot.message, author: snapshot.author };
    let repository = &snapshot.repository.value;
    let context = context::of(repository, event, commit, inputs, pipeline, snapshot.facts);
    let planned: Vec<_> =
        pipeline.jobs.iter().map(|job| (job, cells::of(job, &context, &snapshot.setting.pools))).collect();
    if let Some(problem) = too_many(&file.file, &planned) {
        record_invalid(plan, snapshot, id, file, &[problem], now);
        return Ok(());
    }
    let mut build = row(snapshot, id, file.name.clone(), now, BuildState::Running { stop: None });
    let planned = planned.into_iter().map(|(job, runs)| (job, runs.unwrap_or_default())).collect::<Vec<_>>();
    build.runs = planned.iter().map(|(_, runs)| u32::try_from(runs.len()).unwrap_or(u32::MAX)).sum();

    let mut progress = BuildProgress::none_of(id.clone());
    let mut runs = Runs::default();
    let mut jobs = Vec::with_capacity(planned.len());
    let mut next = 1;
    for (job, planned) in &planned {
        let making = Making { snapshot, build: &build, pipeline, job, inputs };
        let first = next;
        let late = late::of(job, pipeline);
        let mut cells = Vec::with_capacity(planned.len());
        let mut pool = PoolName::new(DEFAULT_POOL);
        for planned in planned {
            let index = next;
            next += 1;
            let made = make_run(&making, &context, planned, RunId { build: id.clone(), index }, now);
            if let RunState::Ended { outcome, .. } = made.run.state {
                progress.ended.insert(index, outcome);
            }
            pool = made.run.pool.clone();
            cells.push(Cell {
                name: planned.name.clone(),
                allow_failure: made.allow_failure,
                values: late.is_some().then(|| Box::new(planned.values.clone())),
            });
            runs.runs.known.insert(index, Some(made.run));
            runs.definitions.known.insert(index, Some(made.definition));
            runs.outputs.known.insert(index, Some(Outputs::default()));
        }
        jobs.push(JobDefinition {
            name: JobName::new(job.name.as_str()),
            needs: job.needs.iter().map(need).collect(),
            fail_fast: job.fail_fast,
            max_parallel: cells::max_parallel(job),
            pool,
            first,
            cells,
            late,
        });
    }
    let definition = BuildDefinition {
        build: id.clone(),
        description: pipeline.description.clone(),
        file: file.file.clone(),
        context: jobs.iter().any(|job| job.late.is_some()).then(|| Box::new(context)),
        jobs,
        problems: Vec::new(),
        retention: Retention { builds: pipeline.retention.builds.get(), days: pipeline.retention.days.get() },
    };
    let mut unblocking = Unblocking { definition: &definition, progress, runs, plan: Plan::default(), now };
    unblocking.settle()?;
    let Unblocking { progress, runs, plan: follows, .. } = unblocking;
    plan.changes.extend(follows.changes);
    plan.effects.extend(follows.effects);
    write_runs(plan, runs);
    advance::end_if_over(&mut build, &definition, &progress, now);
    if build.state.has_ended() {
        retention::ended(plan, &build, definition.retention, now);
    } else {
        let of = DeadlineKind::BuildTimeout { build: id.clone() };
        let deadline = Deadline { at: now.after(pipeline.timeout), of };
        build.deadline = Some(deadline.clone());
        plan.put(deadline, Expectation::Absent);
    }
    plan.put(definition, Expectation::Absent);
    plan.put(progress, Expectation::Absent);
    plan.put(build, Expectation::Absent);
    Ok(())
}

fn write_runs(plan: &mut Plan, mut runs: Runs) {
    for (index, run) in runs.runs.known {
        if let Some(run) = runs.changed.remove(&index).or(run) {
            plan.put(run, Expectation::Absent);
        }
    }
    for (index, definition) in runs.definitions.known {
        if let Some(definition) = runs.redefined.remove(&index).or(definition) {
            plan.put(RunDefinitionRow(definition), Expectation::Absent);
        }
    }
}

fn need(need: &schema::Need) -> Need {
    let wanted = match need.status {
        schema::WantedStatus::Passed => Wanted::Passed,
        schema::WantedStatus::Failed => Wanted::Failed,
        schema::WantedStatus::Any => Wanted::Any,
    };
    Need { job: JobName::new(need.job.as_str()), wanted }
}

/// A run as it is planned.
struct Made {
    run: Run,
    definition: branchline_model::RunDefinition,
    allow_failure: bool,
}

fn make_run(making: &Making<'_>, context: &Context, planned: &PlannedRun, id: RunId, now: Timestamp) -> Made {
    let job = making.job;
    let values = context.values(&planned.values);
    let allow_failure = match &job.allow_failure {
        AllowFailure::Never => Ok(false),
        AllowFailure::Always => Ok(true),
        AllowFailure::When(condition) => {
            context::decide("allow_failure", condition, &values).map(|(holds, _)| holds)
        }
    };
    let (definition, unfilled) = rundef::definition(making, context, planned, &id);
    let wants = wants(job, making.pipeline.priority, &values);
    // What the condition says comes first: a run that is not to be needs no place.
    let end = match condition(job, &values) {
        Err((outcome, reason)) => Err((outcome, reason)),
        Ok(because) => {
            let nothing_can = not_yet::reason(making.pipeline, job);
            let first = [
                allow_failure.as_ref().err(),
                planned.pool.as_ref().err(),
                nothing_can.as_ref(),
                wants.as_ref().err(),
                unfilled.as_ref(),
            ];
            match first.into_iter().flatten().next() {
                Some(reason) => Err((PlannedRun::OUTCOME, reason.clone())),
                None => Ok(because),
            }
        }
    };
    let (state, because) = match end {
        Ok(because) => (RunState::Blocked, because.map(Box::new)),
        Err((outcome, reason)) => {
            (RunState::Ended { outcome, reason: Some(reason), began_at: None, at: now }, None)
        }
    };
    let run = Run {
        id,
        job: JobName::new(job.name.as_str()),
        cell: planned.name.clone(),
        pool: planned.pool.clone().unwrap_or_else(|_| PoolName::new(DEFAULT_POOL)),
        wants: wants.unwrap_or_default(),
        attempts: 0,
        because,
        state,
    };
    Made { run, definition, allow_failure: allow_failure.unwrap_or(false) }
}

/// What a job's condition says now; nothing where it waits for the needs.
fn condition(job: &Job, values: &Values<'_>) -> Result<Option<Because>, (Outcome, EndReason)> {
    let Some(condition) = &job.condition else { return Ok(None) };
    if !job.needs.is_empty() && condition.waits_for_needs() {
        return Ok(None);
    }
    let expression = condition.condition().to_owned();
    let (holds, evaluation) =
        context::decide("if", condition, values).map_err(|reason| (Outcome::Errored, reason))?;
    let seen = context::seen(&evaluation.seen);
    if holds {
        Ok(Some(Because { expression, seen }))
    } else {
        Err((Outcome::Skipped, EndReason::ConditionFalse { expression, seen }))
    }
}

fn wants(job: &Job, priority: i16, values: &Values<'_>) -> Result<Wants, EndReason> {
    let tag = |template: &Template| cells::whole("worker.tags", template, values).map(Tag::new);
    let tags = job.worker.tags.iter().map(tag).collect::<Result<_, _>>()?;
    Ok(Wants { priority: Priority(priority), tags })
}

/// What is wrong with a build that has more runs than a build may have.
fn too_many(
    file: &str,
    planned: &[(&Job, Result<Vec<PlannedRun>, schema::TooManyCells>)],
) -> Option<Problem> {
    let known = planned.iter().map(|(_, runs)| runs.as_ref().map(Vec::len));
    if known.sum::<Result<usize, _>>().is_ok_and(|runs| runs <= MOST_RUNS) {
        return None;
    }
    let mut counts: Vec<(usize, String)> = planned
        .iter()
        .map(|(job, runs)| match runs {
            Ok(runs) => (runs.len(), format!("`{}` has {}", job.name, runs.len())),
            Err(_) => (usize::MAX, format!("`{}` has more than {MOST_RUNS}", job.name)),
        })
        .collect();
    counts.sort_by_key(|(runs, _)| std::cmp::Reverse(*runs));
    let counts: Vec<String> = counts.into_iter().take(10).map(|(_, text)| text).collect();
    let message = format!("the build has more than {MOST_RUNS} runs: {}", counts.join(", "));
    let hint = "split the pipeline, or take values from its matrices".to_owned();
    Some(Problem {
        file: file.to_owned(),
        line: 1,
        column: 1,
        rendered: format!("error: {message}\n --> {file}\n  hint: {hint}\n"),
        message,
        hint: Some(hint),
    })
}
