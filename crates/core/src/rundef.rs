//! From a job of a checked pipeline to its run definition. Invariant: what is in it depends on the commit, the
//! event and the build alone, never on the worker.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use branchline_expression::Template;
use branchline_jobs_schema::{self as schema, Job, Pipeline, Place, Shell, Step};
use branchline_model::{
    Build, CheckoutDefinition, Engine, JobName, RefName, ReportsDefinition, Repository, Retry, RetryOn,
    RunDefinition, RunId, ShellDefinition, StepDefinition,
};

/// How long a process that was asked to end may take before it is killed.
pub const GRACE: Duration = Duration::from_secs(10);

/// What a worker must do for this job of this build.
#[must_use]
pub fn definition(
    repository: &Repository,
    build: &Build,
    pipeline: &Pipeline,
    job: &Job,
    run: &RunId,
    page: Option<&str>,
) -> RunDefinition {
    let mut env = BTreeMap::new();
    env.insert("CI".to_owned(), "true".to_owned());
    env.extend(literals(&pipeline.env));
    env.extend(literals(&job.env));
    env.extend(facts(repository, build, job, run, page));
    RunDefinition {
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
        env,
        steps: job.steps.iter().map(step).collect(),
        artifacts: Vec::new(),
        reports: ReportsDefinition::default(),
        timeout: job.timeout,
        grace: GRACE,
        retry: retry(job),
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

/// Values that are known already. Nothing else is planned: see [`crate::not_yet`].
fn literals(env: &BTreeMap<String, Template>) -> BTreeMap<String, String> {
    env.iter().map(|(name, value)| (name.clone(), value.literal().unwrap_or_default().to_owned())).collect()
}

/// The `BRANCHLINE_*` variables that are known before a worker has the run (spec.md, "What every step sees").
fn facts(
    repository: &Repository,
    build: &Build,
    job: &Job,
    run: &RunId,
    page: Option<&str>,
) -> BTreeMap<String, String> {
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
    fact("EVENT", &build.event);
    if let Some(actor) = &build.actor {
        fact("ACTOR", actor.as_str());
    }
    fact("PIPELINE", build.pipeline.as_str());
    fact("BUILD", &build.id.number.to_string());
    if let Some(page) = page {
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

fn step(step: &Step) -> StepDefinition {
    StepDefinition {
        title: step.title().into(),
        run: step.run.clone(),
        env: literals(&step.env),
        shell: match &step.shell {
            Shell::Default => ShellDefinition::Default,
            Shell::Command(command) => ShellDefinition::Command(command.clone()),
        },
        working_directory: step.working_directory.clone(),
        timeout: step.timeout,
        allow_failure: step.allow_failure,
    }
}
