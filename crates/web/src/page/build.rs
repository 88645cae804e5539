//! A build's page: facts, problems, the needs graph, the runs.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use branchline_controller::BuildView;
use branchline_model::{
    BuildState, BuildStatus, JobDefinition, Outcome, Problem, Run, RunState, RunStatus, Timestamp,
};

use super::frame::{Frame, Moment, page};
use super::graph::{Graph, lay_out};
use super::repository::took;
use super::sentence;
use super::status::{self, Shown};
use super::words;
use crate::edge::{Asked, BuildPath, Nothing};
use crate::failure::Failure;
use crate::web::{App, build_path, repository_path, run_path};

/// More runs are not listed on one page.
const MOST_RUNS: usize = 1_024;

#[derive(Template)]
#[template(path = "build.html")]
struct BuildPage {
    frame: Frame,
    path: String,
    repository: String,
    repository_path: String,
    number: u64,
    status: Shown,
    stopping: bool,
    can_cancel: bool,
    reason: Option<String>,
    /// What belongs to it and cannot be read.
    unreadable: Vec<String>,
    description: Option<String>,
    pipeline: String,
    file: String,
    ref_name: String,
    commit: String,
    subject: String,
    author: String,
    cause: String,
    created: Moment,
    took: Option<String>,
    runs_ended: String,
    problems: Vec<Problem>,
    graph: Option<Graph>,
    /// What the graph's nodes stand for, in its order.
    drawn: Vec<Option<RunLine>>,
    undrawn: Option<String>,
    runs: Vec<RunLine>,
    more_runs: Option<String>,
    /// Why there are none.
    no_runs: Option<&'static str>,
}

/// A run in a list.
struct RunLine {
    path: String,
    job: String,
    status: Shown,
    label: String,
    needs: String,
    may_fail: bool,
    reason: Option<String>,
    took: Option<String>,
}

/// From a run's first step to its end, or to now.
pub(crate) fn run_took(run: &Run, now: Timestamp) -> Option<String> {
    match &run.state {
        RunState::Running { since, .. } => Some(words::duration(now.since(*since))),
        RunState::Ended { began_at: Some(began), at, .. } => Some(words::duration(at.since(*began))),
        _ => None,
    }
}

/// Why a run stands as it does.
pub(crate) fn run_reason(run: &Run, silent_since: Option<Timestamp>, now: Timestamp) -> Option<String> {
    match (&run.state, silent_since) {
        (RunState::Ended { reason: Some(reason), .. }, _) => Some(reason.to_string()),
        (RunState::Queued { after: Some(last), .. }, _) => {
            Some(words::tried_again(last.number, &last.why.to_string()))
        }
        (_, Some(since)) => Some(words::silent(now.since(since))),
        _ => None,
    }
}

/// `GET /repositories/{repository}/builds/{number}`
pub(crate) async fn show(
    State(app): State<App>,
    BuildPath(id): BuildPath,
    Asked(Nothing {}): Asked<Nothing>,
) -> Result<Response, Failure> {
    let view = app.controller.build(&id).await?.ok_or_else(|| Failure::no_build(&id))?;
    let repository = app.controller.repository(&id.repository).await?;
    let name = repository.map_or_else(|| id.repository.to_string(), |view| view.repository.name.to_string());
    page(&build_page(&app, &view, name))
}

fn build_page(app: &App, view: &BuildView, repository: String) -> BuildPage {
    let BuildView { build, definition, runs, silent: _, unreadable } = view;
    let now = app.clock.now();
    let frame = Frame::new(app, words::build_title(build.id.number, build.pipeline.as_str()));
    let has_ended = build.state.has_ended();
    let jobs: Vec<(&str, Vec<&str>)> = definition
        .jobs
        .iter()
        .map(|job| (job.name.as_str(), job.needs.iter().map(|need| need.job.as_str()).collect()))
        .collect();
    let graph = lay_out(&jobs);
    let lines = run_lines(view, now);
    BuildPage {
        frame: if has_ended { frame } else { frame.following(format!("/api/v1/stream?build={}", build.id)) },
        path: build_path(&build.id),
        repository,
        repository_path: repository_path(&build.id.repository),
        number: build.id.number,
        status: status::build(build.state.status()),
        stopping: build.state.stop().is_some(),
        can_cancel: !has_ended && build.state.stop().is_none(),
        reason: match &build.state {
            BuildState::Ended { reason, .. } => reason.as_ref().map(ToString::to_string),
            BuildState::Waiting | BuildState::Running { .. } => None,
        },
        unreadable: words::unreadable_rows(unreadable),
        description: definition.description.clone(),
        pipeline: build.pipeline.to_string(),
        file: definition.file.clone(),
        ref_name: build.ref_name.short().to_owned(),
        commit: build.commit.short().to_owned(),
        subject: build.subject.clone(),
        author: build.author.clone(),
        cause: match &build.actor {
            Some(actor) => format!("{} · {actor}", build.event),
            None => build.event.clone(),
        },
        created: Moment::new(build.created_at, now),
        took: took(build, now),
        runs_ended: words::runs_ended(build.ended, build.runs),
        problems: definition.problems.clone(),
        undrawn: (graph.is_none() && !jobs.is_empty()).then(|| words::too_many_jobs(jobs.len())),
        drawn: if graph.is_some() { job_lines(view, now) } else { Vec::new() },
        graph,
        more_runs: (runs.len() > MOST_RUNS).then(|| words::more_runs(MOST_RUNS, runs.len())),
        no_runs: (lines.is_empty() && build.state.status() == BuildStatus::Invalid)
            .then_some(words::NO_RUNS_INVALID),
        runs: lines,
    }
}

/// The runs in the order of the jobs.
fn run_lines(view: &BuildView, now: Timestamp) -> Vec<RunLine> {
    let of_jobs =
        view.definition.jobs.iter().flat_map(|job| runs_of(view, job).map(move |run| (Some(job), run)));
    // Where the definition cannot be read, the runs can all the same.
    let others = view.runs.iter().filter(|_| view.definition.jobs.is_empty()).map(|run| (None, run));
    of_jobs.chain(others).take(MOST_RUNS).map(|(job, run)| run_line(view, job, run, now)).collect()
}

/// The runs of a job that are there.
fn runs_of<'a>(view: &'a BuildView, job: &JobDefinition) -> impl Iterator<Item = &'a Run> {
    job.runs().filter_map(|index| {
        let at = view.runs.binary_search_by_key(&index, |run| run.id.index).ok()?;
        view.runs.get(at)
    })
}

fn run_line(view: &BuildView, job: Option<&JobDefinition>, run: &Run, now: Timestamp) -> RunLine {
    let status = status::run(run.state.status());
    let needs = job.map(|job| job.needs.iter().map(|need| need.job.to_string()).collect::<Vec<_>>());
    let cell = job.and_then(|job| job.cell(run.id.index));
    RunLine {
        path: run_path(&run.id),
        job: run.label(),
        label: words::graph_node(&run.label(), status.word),
        status,
        needs: needs.unwrap_or_default().join(", "),
        may_fail: cell.is_some_and(|cell| cell.allow_failure),
        reason: run_reason(run, view.silent.get(&run.id).copied(), now)
            .or_else(|| run.because.as_ref().map(ToString::to_string)),
        took: run_took(run, now),
    }
}

/// One line for each job: that of its run, or of the run that says most about it.
fn job_lines(view: &BuildView, now: Timestamp) -> Vec<Option<RunLine>> {
    let telling = |job: &JobDefinition| runs_of(view, job).max_by_key(|run| weight(run));
    view.definition
        .jobs
        .iter()
        .map(|job| {
            let line = run_line(view, Some(job), telling(job)?, now);
            let label = match job.cells.len() {
                1 => line.label,
                runs => words::graph_nodes(job.name.as_str(), line.status.word, runs),
            };
            Some(RunLine { label, ..line })
        })
        .collect()
}

/// Of a job's runs the one that failed says most, then one that is under way.
fn weight(run: &Run) -> (u8, std::cmp::Reverse<u32>) {
    let weight = match run.state.status() {
        RunStatus::Ended(Outcome::Failed | Outcome::Errored | Outcome::TimedOut) => 6,
        RunStatus::Starting | RunStatus::Running => 5,
        RunStatus::Queued | RunStatus::Waiting | RunStatus::Held => 4,
        RunStatus::Blocked => 3,
        RunStatus::Ended(Outcome::Cancelled) => 2,
        RunStatus::Ended(Outcome::Passed) => 1,
        RunStatus::Ended(Outcome::Skipped) => 0,
    };
    (weight, std::cmp::Reverse(run.id.index))
}
