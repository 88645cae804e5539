//! From a decided event to its builds. Invariant: one event is decided once; it makes one build for each pipeline
//! that it matches, all in the plan that says so in the event's own row.

use branchline_model::{
    Build, BuildDefinition, BuildId, BuildState, BuildStatus, EndReason, Event, EventStatus, Expectation,
    PipelineName, Plan, Problem, Reason, Repository, Retention, Timestamp, Versioned, keys,
};

use crate::create::create;
use crate::facts::Facts;
use crate::intent::{Intent, Reading, SpecFile, intents};
use crate::pools::Setting;
use crate::retention;
use crate::transition::Forbidden;

/// What must be known to decide an event.
#[derive(Clone, Debug)]
pub struct Snapshot<'a> {
    /// Where it happened.
    pub repository: &'a Versioned<Repository>,
    /// The event, which is pending.
    pub event: &'a Versioned<Event>,
    /// The commit's message, first line.
    pub subject: &'a str,
    /// The commit's message, whole.
    pub message: &'a str,
    /// The commit's author.
    pub author: &'a str,
    /// The pipeline files at the commit.
    pub files: &'a [SpecFile],
    /// What git answered to what they ask ([`crate::facts::asks`]).
    pub facts: &'a Facts,
    /// What the controller serves builds with.
    pub setting: &'a Setting,
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
///
/// # Errors
/// A run's state cannot become what it is to become: a defect.
pub fn decide(snapshot: &Snapshot<'_>, now: Timestamp) -> Result<Decision, Forbidden> {
    let event = &snapshot.event.value;
    let reading = Reading {
        repository: &event.repository,
        files: snapshot.files,
        message: snapshot.message,
        facts: snapshot.facts,
    };
    let (intents, reasons) = intents(&event.kind, reading);
    let mut plan = Plan::default();
    let mut builds = Vec::with_capacity(intents.len());
    for intent in &intents {
        let number = snapshot.repository.value.builds + builds.len() as u64 + 1;
        let id = BuildId { repository: event.repository.clone(), number };
        match intent {
            Intent::Build { file, pipeline, inputs } => {
                create(&mut plan, snapshot, &id, file, pipeline, inputs, now)?;
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
    Ok(Decision { plan, builds, reasons })
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

pub(crate) fn row(
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

pub(crate) fn record_invalid(
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
            context: None,
            retention,
        },
        Expectation::Absent,
    );
}
