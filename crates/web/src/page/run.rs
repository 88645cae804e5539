//! A run's page: its steps, and its log as it grows.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use branchline_controller::RunView;
use branchline_model::{AttemptId, StepEnd, Timestamp};
use serde::Deserialize;

use super::build::{run_reason, run_took};
use super::frame::{Frame, Moment, page};
use super::log::{self, Shown as ShownLog};
use super::results::{self, ResultsPart};
use super::sentence;
use super::status::{self, Shown};
use super::words;
use crate::api::log::attempt;
use crate::edge::{Asked, RunPath};
use crate::failure::Failure;
use crate::log::window::Position;
use crate::web::{App, build_path, repository_path, run_path};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Which {
    attempt: Option<u32>,
    /// Where the log's window begins: a position, or a bare offset.
    from: Option<String>,
}

#[derive(Template)]
#[template(path = "run.html")]
struct RunPage {
    frame: Frame,
    path: String,
    repository_path: String,
    repository: String,
    build_path: String,
    build_title: String,
    job: String,
    status: Shown,
    stopping: bool,
    can_cancel: bool,
    reason: Option<String>,
    pool: String,
    worker: Option<String>,
    commit: String,
    subject: String,
    took: Option<String>,
    steps: Vec<StepLine>,
    attempts: Vec<AttemptLine>,
    attempt: Option<u32>,
    log: Option<ShownLog>,
    /// What is wrong with the log.
    log_trouble: Option<String>,
    /// The stream that goes on where the log on the page ends.
    live: Option<String>,
    definition: String,
    results: ResultsPart,
}

struct StepLine {
    title: String,
    /// Where its output is shown.
    path: Option<String>,
    status: Shown,
    result: String,
    began: Option<Moment>,
    took: Option<String>,
}

struct AttemptLine {
    number: u32,
    label: String,
    is_shown: bool,
}

/// `GET /repositories/{repository}/builds/{number}/runs/{index}?attempt=&from=`
pub(crate) async fn show(
    State(app): State<App>,
    RunPath(id): RunPath,
    Asked(which): Asked<Which>,
) -> Result<Response, Failure> {
    let from = which.from.as_deref().map(position).transpose()?;
    let attempt = attempt(&app, &id, which.attempt).await?;
    let view = app.controller.run(&id).await?.ok_or_else(|| Failure::no_run(&id))?;
    let repository = app.controller.repository(&id.build.repository).await?;
    let name =
        repository.map_or_else(|| id.build.repository.to_string(), |view| view.repository.name.to_string());
    let (mut log, mut log_trouble) = (None, None);
    if let Some(attempt) = &attempt {
        let steps = log::step_starts(&view, attempt);
        match log::show(&app, attempt, from, &steps).await {
            Ok(shown) => log = Some(shown),
            // What is wrong with a log is contained to it.
            Err(failure) if failure.status == StatusCode::SERVICE_UNAVAILABLE => {
                tracing::error!(%attempt, failure = failure.message, "a log cannot be read");
                log_trouble = Some(words::LOG_UNREADABLE.to_owned());
            }
            Err(failure) => return Err(failure),
        }
        let ended = view.attempts.iter().find(|one| one.attempt.id == *attempt);
        let length = ended.and_then(|one| one.attempt.report.as_ref()).map_or(0, |report| report.log_length);
        log_trouble = log_trouble.or_else(|| {
            let stored = log.as_ref().map(|log| log.stored).filter(|stored| *stored < length);
            stored.map(|stored| words::log_lost(stored, length))
        });
    }
    page(&RunPage { log_trouble, ..run_page(&app, &view, name, attempt.as_ref(), log)? })
}

/// A position, or an offset with nothing known about it.
pub(crate) fn position(text: &str) -> Result<Position, Failure> {
    text.parse().or_else(|_| text.parse().map(|offset| Position::at(offset, true))).map_err(|_| {
        Failure::bad_request("bad_query", format!("`{text}` is no place in a log"))
            .hint("it is an offset in bytes, or what this server's own links hold")
    })
}

fn run_page(
    app: &App,
    view: &RunView,
    repository: String,
    attempt: Option<&AttemptId>,
    log: Option<ShownLog>,
) -> Result<RunPage, Failure> {
    let RunView { run, build, definition, attempts, silent_since, .. } = view;
    let now = app.clock.now();
    let path = run_path(&run.id);
    let has_ended = run.state.has_ended();
    let frame = Frame::new(app, words::run_title(&run.label(), build.id.number));
    let shown = attempts.iter().find(|one| Some(&one.attempt.id) == attempt);
    let live = match (&log, attempt) {
        (Some(log), Some(attempt)) if !log.is_closed && log.later.is_none() => {
            Some(format!("{path}/live?attempt={}&from={}", attempt.number, log.next))
        }
        _ => None,
    };
    Ok(RunPage {
        frame: if has_ended { frame } else { frame.following(format!("/api/v1/stream?build={}", build.id)) },
        repository_path: repository_path(&build.id.repository),
        repository,
        build_path: build_path(&build.id),
        build_title: words::build_title(build.id.number, build.pipeline.as_str()),
        job: run.label(),
        status: status::run(run.state.status()),
        stopping: run.state.stop().is_some(),
        can_cancel: !has_ended && run.state.stop().is_none(),
        reason: run_reason(run, *silent_since, now),
        pool: run.pool.to_string(),
        worker: shown.map(|one| one.attempt.worker.to_string()),
        commit: build.commit.short().to_owned(),
        subject: build.subject.clone(),
        took: run_took(run, now),
        steps: step_lines(view, attempt, &path, now),
        results: results::part(view, attempt),
        attempts: attempts
            .iter()
            .map(|one| AttemptLine {
                number: one.attempt.id.number,
                label: words::attempt(one.attempt.id.number, one.attempt.lost.is_some()),
                is_shown: Some(&one.attempt.id) == attempt,
            })
            .collect(),
        attempt: attempt.map(|attempt| attempt.number),
        log,
        log_trouble: None,
        live,
        definition: serde_json::to_string_pretty(&definition.shown()).map_err(Failure::defect)?,
        path,
    })
}

/// Every step of the definition, with what became of it in the attempt that is shown.
fn step_lines(view: &RunView, attempt: Option<&AttemptId>, path: &str, now: Timestamp) -> Vec<StepLine> {
    let shown = view.attempts.iter().find(|one| Some(&one.attempt.id) == attempt);
    let records = shown.map_or(&[][..], crate::api::steps_of);
    let steps = view.definition.steps.iter().zip(0u32..);
    steps
        .map(|(step, index)| {
            let record = records.iter().find(|record| record.index == index);
            let (status, result) = step_result(record.map(|record| record.end.as_ref()), step.allow_failure);
            StepLine {
                title: step.title.clone(),
                path: record.zip(attempt).map(|(record, attempt)| {
                    format!("{path}?attempt={}&from={}#step-{}", attempt.number, record.log_offset, index + 1)
                }),
                status,
                result,
                began: record.map(|record| Moment::new(record.began_at, now)),
                took: record
                    .map(|record| words::duration(record.ended_at.unwrap_or(now).since(record.began_at))),
            }
        })
        .collect()
}

fn step_result(end: Option<Option<&StepEnd>>, allow_failure: bool) -> (Shown, String) {
    let shown = |word, icon, tone| Shown { word, icon, tone };
    match end {
        None => (shown(words::NOT_BEGUN, "idle", "idle"), String::new()),
        Some(None) => (shown("running", "active", "active"), String::new()),
        Some(Some(StepEnd::Exited { code: 0 })) => (shown("passed", "passed", "good"), String::new()),
        Some(Some(StepEnd::Exited { code })) => {
            let tone = if allow_failure { "quiet" } else { "bad" };
            let allowed = if allow_failure { format!(", {}", words::ALLOWED) } else { String::new() };
            (shown("failed", "failed", tone), format!("{}{allowed}", words::exit_code(*code)))
        }
        Some(Some(StepEnd::Signalled { signal })) => {
            (shown("failed", "failed", "bad"), words::signal(*signal))
        }
        Some(Some(StepEnd::TimedOut)) => (shown("timed out", "late", "bad"), words::TIMED_OUT.to_owned()),
        Some(Some(StepEnd::Stopped)) => (shown("cancelled", "cancelled", "quiet"), words::STOPPED.to_owned()),
        Some(Some(StepEnd::Skipped)) => (shown("skipped", "skipped", "quiet"), words::CONDITION.to_owned()),
        Some(Some(StepEnd::NotStarted { why })) => {
            (shown("errored", "errored", "bad"), words::not_started(why))
        }
    }
}
