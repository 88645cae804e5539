//! From the model's words to the JSON of [`super::json`].

use branchline_controller::{AttemptView, BuildView, RepositoryView, RunView};
use branchline_model::{self as model, BuildState, EventStatus, RunState, Timestamp};
use serde::Serialize;
use serde_json::{Map, Value};

use super::json;
use crate::failure::Failure;
use crate::web::artifact_path;

pub(crate) fn milliseconds(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.since(from).as_millis()).unwrap_or(u64::MAX)
}

/// A tagged enum of the model, taken apart into its tag and its evidence.
fn reason(typed: &impl Serialize, sentence: String) -> json::Reason {
    let mut details = match serde_json::to_value(typed) {
        Ok(Value::Object(details)) => details,
        _ => Map::new(),
    };
    let code = match details.remove("reason") {
        Some(Value::String(code)) => code,
        _ => "unknown".to_owned(),
    };
    json::Reason { code, sentence, details }
}

fn because(typed: &model::Because) -> json::Reason {
    json::Reason { code: "condition_true".to_owned(), ..reason(typed, typed.to_string()) }
}

pub(crate) fn end_reason(typed: &model::EndReason) -> json::Reason {
    reason(typed, typed.to_string())
}

pub(crate) fn pipeline_reason(typed: &model::Reason) -> json::Reason {
    reason(typed, typed.to_string())
}

pub(crate) fn pending_effect(pending: &model::PendingEffect) -> json::Effect {
    json::Effect {
        key: pending.effect.key().to_string(),
        does: pending.effect.to_string(),
        run: pending.effect.run().to_string(),
        planned_at: pending.planned_at.to_string(),
        failures: pending.failures,
        first_failure_at: pending.first_failure.map(|at| at.to_string()),
        last_failure_at: None,
        next_try_at: Some(pending.next_try.to_string()),
        why: pending.last.why().map(str::to_owned),
    }
}

pub(crate) fn dead_effect(dead: &model::DeadEffect) -> json::Effect {
    json::Effect {
        key: dead.effect.key().to_string(),
        does: dead.effect.to_string(),
        run: dead.effect.run().to_string(),
        planned_at: dead.planned_at.to_string(),
        failures: dead.failures,
        first_failure_at: Some(dead.first_failure.to_string()),
        last_failure_at: Some(dead.last_failure.to_string()),
        next_try_at: None,
        why: Some(dead.why.clone()),
    }
}

pub(crate) fn repository(view: &RepositoryView, now: Timestamp) -> json::Repository {
    let RepositoryView { repository, trouble, newest } = view;
    json::Repository {
        id: repository.id.to_string(),
        name: repository.name.to_string(),
        url: repository.url.clone(),
        default_branch: repository.default_branch.clone(),
        first_seen_at: repository.first_seen.map(|at| at.to_string()),
        builds: repository.builds,
        trouble: trouble.as_ref().map(|trouble| json::Trouble {
            since: trouble.since.to_string(),
            why: trouble.why.clone(),
            failures: trouble.failures,
            next_try_at: trouble.next_try.to_string(),
        }),
        newest: newest.as_ref().map(|newest| build(newest, now)),
    }
}

pub(crate) fn build(row: &model::Build, now: Timestamp) -> json::Build {
    let (ended_at, why) = match &row.state {
        BuildState::Ended { at, reason, .. } => (Some(*at), reason.as_ref()),
        BuildState::Waiting | BuildState::Running { .. } => (None, None),
    };
    json::Build {
        id: row.id.to_string(),
        repository: row.id.repository.to_string(),
        number: row.id.number,
        pipeline: row.pipeline.to_string(),
        cause: row.cause.to_string(),
        event: row.event.clone(),
        ref_name: row.ref_name.to_string(),
        commit: row.commit.to_string(),
        subject: row.subject.clone(),
        author: row.author.clone(),
        actor: row.actor.as_ref().map(ToString::to_string),
        status: row.state.status().word().to_owned(),
        ended: row.state.has_ended(),
        stopping: row.state.stop().is_some(),
        reason: why.map(end_reason),
        created_at: row.created_at.to_string(),
        ended_at: ended_at.map(|at| at.to_string()),
        duration_ms: milliseconds(row.created_at, ended_at.unwrap_or(now)),
        runs: row.runs,
        runs_ended: row.ended,
    }
}

pub(crate) fn build_details(view: &BuildView, now: Timestamp) -> json::BuildDetails {
    let BuildView { build: row, definition, runs, silent, unreadable } = view;
    json::BuildDetails {
        build: build(row, now),
        description: definition.description.clone(),
        file: definition.file.clone(),
        jobs: definition.jobs.iter().map(|row| job(&definition.build, row)).collect(),
        runs: runs.iter().map(|row| run(row, silent.get(&row.id).copied(), now)).collect(),
        problems: definition.problems.iter().map(problem).collect(),
        unreadable: unreadable.iter().map(self::unreadable).collect(),
    }
}

pub(crate) fn unreadable(row: &model::UnreadableRow) -> json::Unreadable {
    json::Unreadable { key: row.key.to_string(), why: row.why.clone() }
}

fn job(build: &model::BuildId, row: &model::JobDefinition) -> json::Job {
    let id = |index| model::RunId { build: build.clone(), index };
    json::Job {
        name: row.name.to_string(),
        needs: row.needs.iter().map(|need| need.job.to_string()).collect(),
        allow_failure: row.cells.iter().all(|cell| cell.allow_failure),
        pool: row.pool.to_string(),
        runs: row.runs().map(|index| id(index).to_string()).collect(),
    }
}

fn problem(row: &model::Problem) -> json::Problem {
    let model::Problem { file, line, column, message, hint, rendered } = row.clone();
    json::Problem { file, line, column, message, hint, rendered }
}

pub(crate) fn run(row: &model::Run, silent_since: Option<Timestamp>, now: Timestamp) -> json::Run {
    let (began_at, ended_at, why) = match &row.state {
        RunState::Ended { began_at, at, reason, .. } => (*began_at, Some(*at), reason.as_ref()),
        RunState::Running { since, .. } => (Some(*since), None, None),
        _ => (None, None, None),
    };
    json::Run {
        id: row.id.to_string(),
        index: row.id.index,
        job: row.job.to_string(),
        cell: row.cell.clone(),
        label: row.label(),
        pool: row.pool.to_string(),
        attempts: row.attempts,
        status: row.state.status().word().to_owned(),
        ended: row.state.has_ended(),
        stopping: row.state.stop().is_some(),
        reason: why.map(end_reason),
        because: row.because.as_deref().map(because),
        began_at: began_at.map(|at| at.to_string()),
        ended_at: ended_at.map(|at| at.to_string()),
        duration_ms: began_at.map(|began| milliseconds(began, ended_at.unwrap_or(now))),
        silent_since: silent_since.map(|at| at.to_string()),
        again: match &row.state {
            RunState::Queued { after: Some(last), .. } => Some(json::Again {
                after_attempt: last.number,
                reason: end_reason(&last.why),
                not_before: last.not_before.to_string(),
            }),
            _ => None,
        },
    }
}

pub(crate) fn run_details(view: &RunView, now: Timestamp) -> Result<json::RunDetails, Failure> {
    Ok(json::RunDetails {
        run: run(&view.run, view.silent_since, now),
        build: build(&view.build, now),
        attempts: view
            .attempts
            .iter()
            .map(|attempt| self::attempt(attempt, &view.definition, now))
            .collect::<Result<_, _>>()?,
        artifacts: view.artifacts.iter().map(artifact).collect(),
        definition: serde_json::to_value(view.definition.shown()).map_err(Failure::defect)?,
    })
}

fn attempt(
    view: &AttemptView,
    definition: &model::RunDefinition,
    now: Timestamp,
) -> Result<json::Attempt, Failure> {
    let AttemptView { attempt, .. } = view;
    let end = attempt.report.as_ref().map(|report| serde_json::to_value(&report.end));
    Ok(json::Attempt {
        id: attempt.id.to_string(),
        number: attempt.id.number,
        worker: attempt.worker.to_string(),
        claimed_at: attempt.claimed_at.to_string(),
        ended_at: attempt.report.as_ref().map(|report| report.ended_at.to_string()),
        lost_at: attempt.lost.map(|lost| lost.at.to_string()),
        end: end.transpose().map_err(Failure::defect)?,
        tally: view
            .progress
            .as_ref()
            .and_then(|progress| progress.tally)
            .map(|tally| json::Tally { current: tally.current, total: tally.total }),
        results: view.results.as_ref().map(results),
        steps: steps(view).iter().map(|record| step(record, definition, now)).collect::<Result<_, _>>()?,
    })
}

fn results(shown: &model::Results) -> json::Results {
    let model::Results { outputs, summary, tests, notes } = shown;
    json::Results {
        outputs: outputs.clone(),
        summary: summary.as_ref().map(|summary| summary.text.clone()),
        summary_left_out: summary.as_ref().map_or(0, |summary| summary.left_out),
        tests: tests.as_ref().map(|tests| json::Tests {
            passed: tests.passed,
            failed: tests.failed,
            errored: tests.errored,
            skipped: tests.skipped,
            duration_ms: tests.milliseconds,
            bad: tests.bad.iter().map(test).collect(),
        }),
        notes: notes.clone(),
    }
}

fn test(test: &model::Test) -> json::Test {
    json::Test {
        suite: test.suite.clone(),
        name: test.name.clone(),
        outcome: test.outcome.word().to_owned(),
        message: test.message.clone(),
        file: test.place.as_ref().map(|place| place.file.clone()),
        line: test.place.as_ref().and_then(|place| place.line),
        duration_ms: test.milliseconds,
    }
}

fn artifact(artifact: &model::Artifact) -> json::Artifact {
    json::Artifact {
        name: artifact.name.to_string(),
        attempt: artifact.attempt.number,
        bytes: artifact.content.bytes,
        sha256: artifact.content.sha256.to_string(),
        named_at: artifact.named_at.to_string(),
        path: artifact_path(artifact),
    }
}

/// The steps of an attempt as far as they are known: the last word, or what the worker said meanwhile.
pub(crate) fn steps(view: &AttemptView) -> &[model::StepRecord] {
    match (&view.attempt.report, &view.progress) {
        (Some(report), _) => &report.steps,
        (None, Some(progress)) => &progress.steps,
        (None, None) => &[],
    }
}

fn step(
    record: &model::StepRecord,
    definition: &model::RunDefinition,
    now: Timestamp,
) -> Result<json::Step, Failure> {
    let defined = usize::try_from(record.index).ok().and_then(|index| definition.steps.get(index));
    let end = record.end.as_ref().map(serde_json::to_value).transpose().map_err(Failure::defect)?;
    Ok(json::Step {
        index: record.index,
        title: defined.map(|step| step.title.clone()).unwrap_or_default(),
        began_at: record.began_at.to_string(),
        ended_at: record.ended_at.map(|at| at.to_string()),
        duration_ms: milliseconds(record.began_at, record.ended_at.unwrap_or(now)),
        log_offset: record.log_offset,
        end,
    })
}

pub(crate) fn event(row: &model::Event) -> json::Event {
    let (status, why, builds, reasons) = match &row.status {
        EventStatus::Pending { why, .. } => ("pending", why.clone(), Vec::new(), Vec::new()),
        EventStatus::Decided { builds, reasons, .. } => (
            "decided",
            None,
            builds.iter().map(ToString::to_string).collect(),
            reasons.iter().map(pipeline_reason).collect(),
        ),
        EventStatus::Abandoned { why, .. } => ("abandoned", Some(why.clone()), Vec::new(), Vec::new()),
    };
    json::Event {
        key: row.key.to_string(),
        repository: row.repository.to_string(),
        kind: row.kind.word().to_owned(),
        ref_name: row.kind.ref_name().to_string(),
        commit: row.kind.commit().to_string(),
        actor: row.kind.actor().map(ToString::to_string),
        accepted_at: row.accepted_at.to_string(),
        status: status.to_owned(),
        why,
        builds,
        reasons,
    }
}
