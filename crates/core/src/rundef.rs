//! From a job of a checked pipeline to its run definition. Invariant: what is in it depends on the commit, the
//! event and the build alone, never on the worker.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::time::Duration;

use branchline_expression::{Answers, Expression, Template, Value, Values};
use branchline_jobs_schema::{self as schema, Job, Pipeline, Place, Shell, Step};
use branchline_model::{
    Build, CellValues, CheckoutDefinition, Context, EndReason, Engine, JobName, Known, RefName, Retry,
    RetryOn, RunDefinition, RunId, ShellDefinition, StepDefinition,
};

use crate::build::Snapshot;
use crate::cells::PlannedRun;
use crate::inputs::{Inputs, variable};
use crate::{kept, late};

/// How long a process that was asked to end may take before it is killed.
pub const GRACE: Duration = Duration::from_secs(10);

/// A job whose runs are made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Making<'a> {
    pub(crate) snapshot: &'a Snapshot<'a>,
    pub(crate) build: &'a Build,
    pub(crate) pipeline: &'a Pipeline,
    pub(crate) job: &'a Job,
    pub(crate) inputs: &'a Inputs,
}

/// What a worker must do for this run, and why it cannot be said whole, where it cannot. What waits for the needs is left out.
pub(crate) fn definition(
    making: &Making<'_>,
    context: &Context,
    planned: &PlannedRun,
    run: &RunId,
) -> (RunDefinition, Option<EndReason>) {
    let Making { snapshot, build, pipeline, job, inputs } = *making;
    let repository = &snapshot.repository.value;
    let values = &context.values(&planned.values);
    let mut unfilled = None;
    let mut env = BTreeMap::new();
    env.insert("CI".to_owned(), "true".to_owned());
    env.extend(snapshot.setting.env.clone());
    env.extend(inputs.variables());
    env.extend(planned.variables.iter().cloned());
    fill(&mut env, "env", &pipeline.env, values, &mut unfilled);
    fill(&mut env, "env", &job.env, values, &mut unfilled);
    env.extend(facts(making, run));
    let steps = job.steps.iter().map(|one| step(one, values, &mut unfilled)).collect();
    let artifacts = kept::artifacts(job, values, &mut unfilled);
    let definition = RunDefinition {
        format: 1,
        run: run.clone(),
        repository: repository.name.clone(),
        commit: build.commit.clone(),
        pipeline: build.pipeline.clone(),
        job: JobName::new(job.name.as_str()),
        engine: Engine::Process,
        checkout: job.checkout.first().map(|checkout| CheckoutDefinition {
            url: repository.url.clone(),
            ref_name: Some(build.ref_name.to_string()),
            depth: checkout.depth.map(|depth| NonZeroU32::new(depth.get()).unwrap_or(NonZeroU32::MIN)),
            submodules: checkout.submodules,
        }),
        hidden: hidden(pipeline, job, &inputs.secrets),
        known: known(job, context, &planned.values).map(Box::new),
        needs: job.needs.iter().map(|need| JobName::new(need.job.as_str())).collect(),
        env,
        steps,
        artifacts,
        reports: kept::reports(job),
        timeout: job.timeout,
        grace: GRACE,
        retry: retry(job),
    };
    (definition, unfilled)
}

/// The variables that hold a secret input, or are made of one.
fn hidden(pipeline: &Pipeline, job: &Job, secrets: &[String]) -> BTreeSet<String> {
    if secrets.is_empty() {
        return BTreeSet::new();
    }
    let is_secret = |template: &Template| {
        let uses = template.expressions().flat_map(|(_, expression)| expression.uses());
        uses.into_iter().any(|used| match used.path.as_slice() {
            [inputs] => inputs == "inputs",
            [inputs, name, ..] => inputs == "inputs" && secrets.contains(name),
            [] => false,
        })
    };
    let env = pipeline.env.iter().chain(&job.env).chain(job.steps.iter().flat_map(|step| &step.env));
    let made = env.filter(|(_, template)| is_secret(template)).map(|(name, _)| name.clone());
    made.chain(secrets.iter().map(|name| variable("INPUT", name))).collect()
}

/// What the worker must know to decide the conditions that are its own: what they name, and nothing else.
fn known(job: &Job, context: &Context, cell: &CellValues) -> Option<Known> {
    let conditions: Vec<&Expression> = late::on_worker(job).collect();
    let names: BTreeSet<&str> = conditions
        .iter()
        .flat_map(|condition| condition.uses())
        .filter_map(|used| used.path.first())
        .map(String::as_str)
        .filter(|name| *name != "env")
        .collect();
    let asks_files = conditions.iter().any(|condition| !condition.calls().is_empty());
    if names.is_empty() && !asks_files {
        return None;
    }
    let of = |name: &str, value: &Value| if names.contains(name) { value.clone() } else { Value::Null };
    let context = Context {
        event: of("event", &context.event),
        commit: of("commit", &context.commit),
        repository: of("repository", &context.repository),
        inputs: of("inputs", &context.inputs),
        secrets: context.secrets.clone(),
        answers: if asks_files { context.answers.clone() } else { Answers::default() },
    };
    let cell = CellValues { matrix: of("matrix", &cell.matrix), host: of("host", &cell.host) };
    Some(Known { context, cell, needs: Value::Null })
}

/// Adds variables with their values; the first that has none is told of.
fn fill(
    env: &mut BTreeMap<String, String>,
    key: &str,
    templates: &BTreeMap<String, Template>,
    values: &Values<'_>,
    unfilled: &mut Option<EndReason>,
) {
    for (name, template) in templates.iter().filter(|(_, template)| !late::waits(template)) {
        match late::render(&format!("{key}.{name}"), template, values) {
            Ok(value) => {
                env.insert(name.clone(), value);
            }
            Err(reason) => {
                unfilled.get_or_insert(reason);
            }
        }
    }
}

/// When the run is tried again. Its steps may begin once more wherever they are carried out by a process of the worker's.
fn retry(job: &Job) -> Retry {
    let Some(retry) = &job.retry else { return Retry::default() };
    let on = |on: &schema::RetryOn| match on {
        schema::RetryOn::WorkerLost => RetryOn::WorkerLost,
        schema::RetryOn::SupervisorLost => RetryOn::SupervisorLost,
        schema::RetryOn::StartFailed => RetryOn::StartFailed,
        schema::RetryOn::LogIncomplete => RetryOn::LogIncomplete,
        schema::RetryOn::Timeout => RetryOn::Timeout,
        schema::RetryOn::StepFailed => RetryOn::StepFailed,
        schema::RetryOn::StepSignalled => RetryOn::StepSignalled,
        schema::RetryOn::Exit(code) => RetryOn::Exit(i32::from(*code)),
    };
    Retry {
        attempts: retry.attempts,
        on: retry.on.iter().map(on).collect(),
        backoff: retry.backoff.unwrap_or(Retry::BACKOFF),
        repeatable: match job.place {
            Place::Process | Place::Container { .. } => true,
            Place::Ssh(_) => false,
        },
    }
}

/// The `BRANCHLINE_*` variables that are known before a worker has the run (spec.md, "What every step sees").
fn facts(making: &Making<'_>, run: &RunId) -> BTreeMap<String, String> {
    let Making { snapshot, build, job, .. } = *making;
    let (repository, event) = (&snapshot.repository.value, &snapshot.event.value.kind);
    let mut facts = BTreeMap::new();
    let mut fact = |name: &str, value: &str| {
        facts.insert(
            if name.is_empty() { "BRANCHLINE".to_owned() } else { format!("BRANCHLINE_{name}") },
            value.to_owned(),
        );
    };
    fact("", "true");
    fact("REPOSITORY", repository.name.as_str());
    fact("COMMIT", build.commit.as_str());
    fact("REF", &build.ref_name.to_string());
    match &build.ref_name {
        RefName::Branch(name) => fact("BRANCH", name),
        RefName::Tag(name) => fact("TAG", name),
    }
    if let Some(request) = event.pull_request() {
        fact("PULL_REQUEST", &request.number.to_string());
        fact("BASE", &request.base);
    }
    fact("EVENT", &build.event);
    if let Some(actor) = &build.actor {
        fact("ACTOR", actor.as_str());
    }
    fact("PIPELINE", build.pipeline.as_str());
    fact("BUILD", &build.id.number.to_string());
    if let Some(page) = snapshot.page {
        let BuildUrl(url) = BuildUrl::of(page, build);
        fact("BUILD_URL", &url);
    }
    fact("JOB", job.name.as_str());
    fact("RUN", &run.to_string());
    facts
}

/// A build's page.
struct BuildUrl(String);

impl BuildUrl {
    fn of(page: &str, build: &Build) -> Self {
        let page = page.trim_end_matches('/');
        Self(format!("{page}/repositories/{}/builds/{}", build.id.repository, build.id.number))
    }
}

fn step(step: &Step, values: &Values<'_>, unfilled: &mut Option<EndReason>) -> StepDefinition {
    let name = match step.name.as_ref().map(|name| late::render("steps.name", name, values)).transpose() {
        Ok(name) => name,
        Err(reason) => {
            unfilled.get_or_insert(reason);
            None
        }
    };
    let mut env = BTreeMap::new();
    fill(&mut env, "steps.env", &step.env, values, unfilled);
    StepDefinition {
        title: step.title_of(name.as_deref()).into(),
        run: step.run.clone(),
        condition: step.condition.as_ref().map(|condition| condition.text().to_owned()),
        env,
        shell: match &step.shell {
            Shell::Default => ShellDefinition::Default,
            Shell::Command(command) => ShellDefinition::Command(command.clone()),
        },
        working_directory: step.working_directory.clone(),
        timeout: step.timeout,
        allow_failure: step.allow_failure,
    }
}
