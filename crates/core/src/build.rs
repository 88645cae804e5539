//! From a decided event to its builds. Invariant: one event is decided once; it makes one build for each pipeline
//! that it matches, all in the plan that says so in the event's own row.

use branchline_jobs_schema::{AllowFailure, Pipeline};
use branchline_model::{
    Build, BuildDefinition, BuildId, BuildProgress, BuildState, BuildStatus, Deadline, DeadlineKind,
    EndReason, Event, EventStatus, Expectation, JobDefinition, JobName, PipelineName, Plan, PoolName,
    Problem, Reason, Repository, Retention, Run, RunDefinitionRow, RunId, RunState, Timestamp, Versioned,
    Wants, keys,
};

use crate::intent::{Intent, SpecFile, intents};
use crate::queue;
use crate::{retention, rundef};

/// The pool of a job that names none.
pub const DEFAULT_POOL: &str = "default";

/// What must be known to decide an event.
#[derive(Clone, Debug)]
pub struct Snapshot<'a> {
    /// Where it happened.
    pub repository: &'a Versioned<Repository>,
    /// The event, which is pending.
    pub event: &'a Versioned<Event>,
    /// The commit's message, first line.
    pub subject: &'a str,
    /// The commit's author.
    pub author: &'a str,
    /// The pipeline files at the commit.
    pub files: &'a [SpecFile],
    /// When they had been read.
    pub read_at: Timestamp,
    /// The address of the page, for links.
    pub page: Option<&'a str>,
}

/// What was decided about an event.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// What to write.
    pub plan: Plan,
    /// The builds that it creates.
    pub builds: Vec<BuildId>,
    /// Why each pipeline is built or not.
    pub reasons: Vec<Reason>,
}

/// Decides an event that is pending: which builds it makes.
#[must_use]
pub fn decide(snapshot: &Snapshot<'_>, now: Timestamp) -> Decision {
    let event = &snapshot.event.value;
    let (intents, reasons) = intents(&event.kind, snapshot.files);
    let mut plan = Plan::default();
    let mut builds = Vec::with_capacity(intents.len());
    for intent in &intents {
        let number = snapshot.repository.value.builds + builds.len() as u64 + 1;
        let id = BuildId { repository: event.repository.clone(), number };
        match intent {
            Intent::Build { file, pipeline } => {
                create(&mut plan, snapshot, &id, file, pipeline, now);
            }
            Intent::Invalid { file, problems } => {
                record_invalid(&mut plan, snapshot, &id, file, problems, now);
            }
        }
        builds.push(id);
    }
    if !builds.is_empty() {
        let repository = Repository {
            builds: snapshot.repository.value.builds + builds.len() as u64,
            ..snapshot.repository.value.clone()
        };
        plan.put(repository, Expectation::Unchanged(snapshot.repository.version));
    }
    settle(
        &mut plan,
        snapshot.event,
        EventStatus::Decided {
            read_at: snapshot.read_at,
            at: now,
            builds: builds.clone(),
            reasons: reasons.clone(),
        },
    );
    Decision { plan, builds, reasons }
}

/// Writes what became of a pending event, and takes it off the list of those that wait.
pub fn settle(plan: &mut Plan, event: &Versioned<Event>, status: EventStatus) {
    if let EventStatus::Pending { next_try, .. } = &event.value.status {
        plan.delete(keys::pending_event(*next_try, &event.value.key), Expectation::Any);
    }
    let is_remembered_by_a_build = match &status {
        EventStatus::Decided { builds, .. } => !builds.is_empty(),
        EventStatus::Pending { .. } => true,
        EventStatus::Abandoned { .. } => false,
    };
    if !is_remembered_by_a_build {
        retention::forget_later(plan, &event.value);
    }
    plan.put(Event { status, ..event.value.clone() }, Expectation::Unchanged(event.version));
}

fn row(
    snapshot: &Snapshot<'_>,
    id: &BuildId,
    pipeline: PipelineName,
    now: Timestamp,
    state: BuildState,
) -> Build {
    let event = &snapshot.event.value;
    Build {
        id: id.clone(),
        pipeline,
        cause: event.key.clone(),
        event: event.kind.word().to_owned(),
        ref_name: event.kind.ref_name().clone(),
        commit: event.kind.commit().clone(),
        subject: snapshot.subject.to_owned(),
        author: snapshot.author.to_owned(),
        actor: event.kind.actor().cloned(),
        created_at: now,
        state,
        runs: 0,
        ended: 0,
        deadline: None,
    }
}

fn create(
    plan: &mut Plan,
    snapshot: &Snapshot<'_>,
    id: &BuildId,
    file: &SpecFile,
    pipeline: &Pipeline,
    now: Timestamp,
) {
    let mut build = row(snapshot, id, file.name.clone(), now, BuildState::Running { stop: None });
    build.runs = u32::try_from(pipeline.jobs.len()).unwrap_or(u32::MAX);
    let deadline =
        Deadline { at: now.after(pipeline.timeout), of: DeadlineKind::BuildTimeout { build: id.clone() } };
    build.deadline = Some(deadline.clone());

    let mut jobs = Vec::with_capacity(pipeline.jobs.len());
    for (job, index) in pipeline.jobs.iter().zip(1u32..) {
        let run_id = RunId { build: id.clone(), index };
        let definition =
            rundef::definition(&snapshot.repository.value, &build, pipeline, job, &run_id, snapshot.page);
        plan.put(RunDefinitionRow(definition), Expectation::Absent);
        let name = JobName::new(job.name.as_str());
        let mut run = Run {
            id: run_id.clone(),
            job: name.clone(),
            pool: PoolName::new(DEFAULT_POOL),
            wants: Wants::default(),
            attempts: 0,
            state: RunState::Blocked,
        };
        if job.needs.is_empty() {
            run.state = queue::enqueue(plan, &run, now);
        }
        let pool = run.pool.clone();
        plan.put(run, Expectation::Absent);
        jobs.push(JobDefinition {
            name,
            needs: job.needs.iter().map(|need| JobName::new(need.job.as_str())).collect(),
            allow_failure: job.allow_failure == AllowFailure::Always,
            pool,
            run: run_id,
        });
    }
    plan.put(
        BuildDefinition {
            build: id.clone(),
            description: pipeline.description.clone(),
            file: file.file.clone(),
            jobs,
            problems: Vec::new(),
            retention: Retention {
                builds: pipeline.retention.builds.get(),
                days: pipeline.retention.days.get(),
            },
        },
        Expectation::Absent,
    );
    plan.put(
        BuildProgress { build: id.clone(), ended: std::collections::BTreeMap::new() },
        Expectation::Absent,
    );
    plan.put(deadline, Expectation::Absent);
    plan.put(build, Expectation::Absent);
}

fn record_invalid(
    plan: &mut Plan,
    snapshot: &Snapshot<'_>,
    id: &BuildId,
    file: &SpecFile,
    problems: &[Problem],
    now: Timestamp,
) {
    let reason = EndReason::DefinitionInvalid { errors: problems.len() };
    let state = BuildState::Ended { outcome: BuildStatus::Invalid, reason: Some(reason), at: now };
    let build = row(snapshot, id, file.name.clone(), now, state);
    // How much is to be kept cannot be read from it.
    let retention = Retention::default();
    retention::ended(plan, &build, retention, now);
    plan.put(build, Expectation::Absent);
    plan.put(
        BuildDefinition {
            build: id.clone(),
            description: None,
            file: file.file.clone(),
            jobs: Vec::new(),
            problems: problems.to_vec(),
            retention,
        },
        Expectation::Absent,
    );
}
