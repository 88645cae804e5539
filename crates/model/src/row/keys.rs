//! Every key there is, in one place. Invariant: a row's key follows from the row alone, and sort keys order as they are to be
//! read.

use super::{Deadline, DeadlineKind, Key};
use crate::{
    AttemptId, BuildId, EffectKey, EventKey, LaneId, LeaseEnd, ObjectKey, PipelineName, PoolName, RefName,
    RepositoryId, RunId, Timestamp, Wants, WorkerId,
};

/// The partition of all repositories.
pub const REPOSITORIES: &str = "repositories";
/// The partition of events that wait for their decision, the earliest first.
pub const PENDING_EVENTS: &str = "pending-events";
/// The partition of runs that ended and were not yet folded into their builds.
pub const ENDED_RUNS: &str = "ended-runs";
/// The partition of deadlines that somebody waits for, the earliest first.
pub const DEADLINES: &str = "deadlines";
/// The partition of deadlines at which something is removed, the earliest first: what takes long stands in nobody's way there.
pub const RETENTION: &str = "retention";
/// The partition of the ends of leases, the earliest first.
pub const LEASE_ENDS: &str = "lease-ends";
/// The partition of effects that are not known to have been done, by their own keys.
pub const PENDING_EFFECTS: &str = "pending-effects";
/// The partition of the times at which pending effects are due, the earliest first.
pub const DUE_EFFECTS: &str = "due-effects";
/// The partition of dead letters, by the effects' own keys.
pub const DEAD_EFFECTS: &str = "dead-effects";
/// The partition of troubles with repositories.
pub const TROUBLES: &str = "troubles";

/// A repository.
#[must_use]
pub fn repository(id: &RepositoryId) -> Key {
    Key::new(REPOSITORIES, id.as_str())
}

/// What is wrong with a repository.
#[must_use]
pub fn trouble(id: &RepositoryId) -> Key {
    Key::new(TROUBLES, id.as_str())
}

/// The partition of a repository's refs.
#[must_use]
pub fn references(id: &RepositoryId) -> String {
    format!("repository/{id}/refs")
}

/// A ref.
#[must_use]
pub fn reference(id: &RepositoryId, name: &RefName) -> Key {
    Key::new(references(id), name.to_string())
}

/// An event.
#[must_use]
pub fn event(key: &EventKey) -> Key {
    Key::new(format!("event/{key}"), "event")
}

/// An event's place among those that wait.
#[must_use]
pub fn pending_event(next_try: Timestamp, key: &EventKey) -> Key {
    Key::new(PENDING_EVENTS, format!("{}/{key}", next_try.sortable()))
}

/// The partition of a repository's builds, by number.
#[must_use]
pub fn builds(id: &RepositoryId) -> String {
    format!("repository/{id}/builds")
}

/// A build.
#[must_use]
pub fn build(id: &BuildId) -> Key {
    Key::new(builds(&id.repository), format!("{:010}", id.number))
}

/// The partition of a pipeline's builds that have ended and are kept, by number.
#[must_use]
pub fn kept_builds(repository: &RepositoryId, pipeline: &PipelineName) -> String {
    format!("repository/{repository}/kept/{pipeline}")
}

/// A build among those of its pipeline that are kept.
#[must_use]
pub fn kept_build(repository: &RepositoryId, pipeline: &PipelineName, number: u64) -> Key {
    Key::new(kept_builds(repository, pipeline), format!("{number:010}"))
}

/// The partition of what belongs to a build.
#[must_use]
pub fn build_parts(id: &BuildId) -> String {
    format!("build/{id}")
}

/// What a build does.
#[must_use]
pub fn build_definition(id: &BuildId) -> Key {
    Key::new(build_parts(id), "definition")
}

/// How far a build is.
#[must_use]
pub fn build_progress(id: &BuildId) -> Key {
    Key::new(build_parts(id), "progress")
}

/// What the sort keys of a build's runs begin with.
pub const RUN_PREFIX: &str = "run/";

/// A run.
#[must_use]
pub fn run(id: &RunId) -> Key {
    Key::new(build_parts(&id.build), format!("{RUN_PREFIX}{:06}", id.index))
}

/// The partition of what belongs to a run. A store that keeps rows in the order of their keys has it beside its build's.
#[must_use]
pub fn run_parts(id: &RunId) -> String {
    format!("{}/run/{}", build_parts(&id.build), id.index)
}

/// The run to which a partition belongs.
#[must_use]
pub fn run_of(partition: &str) -> Option<RunId> {
    let (build, index) = partition.strip_prefix("build/")?.rsplit_once("/run/")?;
    Some(RunId { build: build.parse().ok()?, index: index.parse().ok()? })
}

/// What a run does.
#[must_use]
pub fn run_definition(id: &RunId) -> Key {
    Key::new(run_parts(id), "definition")
}

/// What the sort keys of a run's attempts begin with.
pub const ATTEMPT_PREFIX: &str = "attempt/";

/// An attempt.
#[must_use]
pub fn attempt(id: &AttemptId) -> Key {
    Key::new(run_parts(&id.run), format!("{ATTEMPT_PREFIX}{:06}", id.number))
}

/// How far an attempt is.
#[must_use]
pub fn attempt_progress(id: &AttemptId) -> Key {
    Key::new(run_parts(&id.run), format!("progress/{:06}", id.number))
}

/// What an attempt has to show.
#[must_use]
pub fn attempt_results(id: &AttemptId) -> Key {
    Key::new(run_parts(&id.run), format!("results/{:06}", id.number))
}

/// That someone reads along in an attempt's log.
#[must_use]
pub fn log_watch(id: &AttemptId) -> Key {
    Key::new(format!("run/{}", id.run), format!("watch/{:06}", id.number))
}

/// What the sort keys of a run's uploads begin with.
pub const UPLOAD_PREFIX: &str = "upload/";

/// An upload that is on its way.
#[must_use]
pub fn upload(attempt: &AttemptId, id: &str) -> Key {
    Key::new(run_parts(&attempt.run), format!("{UPLOAD_PREFIX}{:06}/{id}", attempt.number))
}

/// What the sort keys of a run's artifacts begin with.
pub const ARTIFACT_PREFIX: &str = "artifact/";

/// An artifact.
#[must_use]
pub fn artifact(attempt: &AttemptId, name: &ObjectKey) -> Key {
    Key::new(run_parts(&attempt.run), format!("{ARTIFACT_PREFIX}{:06}/{name}", attempt.number))
}

/// The partition of the attempts that a worker holds.
#[must_use]
pub fn held_attempts(worker: &WorkerId) -> String {
    format!("worker/{worker}/held")
}

/// An attempt that a worker holds.
#[must_use]
pub fn held_attempt(worker: &WorkerId, attempt: &AttemptId) -> Key {
    Key::new(held_attempts(worker), attempt.to_string())
}

/// When it is looked whether a lease has ended.
#[must_use]
pub fn lease_end(end: &LeaseEnd) -> Key {
    Key::new(LEASE_ENDS, format!("{}/{}", end.at.sortable(), end.attempt))
}

/// Since when the controller listens.
#[must_use]
pub fn listening() -> Key {
    Key::new("controller", "listening")
}

/// What the sort keys of a build's ended runs begin with.
#[must_use]
pub fn ended_prefix(build: &BuildId) -> String {
    format!("{build}/")
}

/// A run that ended.
#[must_use]
pub fn ended_run(run: &RunId) -> Key {
    Key::new(ENDED_RUNS, format!("{}{:06}", ended_prefix(&run.build), run.index))
}

/// The partition of the places in a lane.
#[must_use]
pub fn queue(lane: &LaneId) -> String {
    format!("pool/{}/lane/{}/{}", lane.pool, lane.wants.key(), lane.repository)
}

/// A place in a lane.
#[must_use]
pub fn queue_entry(lane: &LaneId, place: &str) -> Key {
    Key::new(queue(lane), place)
}

/// The partition of the lanes in which what is wanted here is waited for.
#[must_use]
pub fn lanes(pool: &PoolName, wants: &Wants) -> String {
    format!("pool/{pool}/demand/{}", wants.key())
}

/// A lane.
#[must_use]
pub fn lane(lane: &LaneId) -> Key {
    Key::new(lanes(&lane.pool, &lane.wants), lane.repository_key())
}

/// The partition of what is wanted of a pool's workers, the most urgent first.
#[must_use]
pub fn demands(pool: &PoolName) -> String {
    format!("pool/{pool}/demands")
}

/// What is wanted of a pool's workers.
#[must_use]
pub fn demand(pool: &PoolName, wants: &Wants) -> Key {
    Key::new(demands(pool), wants.key())
}

/// The partition of what a row of a queue's directories leads to: a demand to its lanes, a lane to its places.
#[must_use]
pub fn behind(directory: &Key) -> Option<String> {
    let of_pool = directory.partition.strip_prefix("pool/")?;
    if let Some(pool) = of_pool.strip_suffix("/demands") {
        return Some(format!("pool/{pool}/demand/{}", directory.sort));
    }
    let (pool, wants) = of_pool.split_once("/demand/")?;
    let (_, repository) = directory.sort.split_once('-')?;
    Some(format!("pool/{pool}/lane/{wants}/{repository}"))
}

/// A deadline.
#[must_use]
pub fn deadline(deadline: &Deadline) -> Key {
    let (partition, what) = match &deadline.of {
        DeadlineKind::BuildTimeout { build } => (DEADLINES, format!("build-timeout/{build}")),
        DeadlineKind::Retry { run } => (DEADLINES, format!("retry/{run}")),
        DeadlineKind::Artifact { attempt, name } => (RETENTION, format!("artifact/{attempt}/{name}")),
        DeadlineKind::BuildEnded { build, .. } => (RETENTION, format!("build-ended/{}", build.build)),
        DeadlineKind::RetireBuild { build } => (RETENTION, format!("retire-build/{}", build.build)),
        DeadlineKind::ForgetEvent { event } => (RETENTION, format!("forget-event/{event}")),
        DeadlineKind::Upload { attempt, upload } => (RETENTION, format!("upload/{attempt}/{upload}")),
    };
    Key::new(partition, format!("{}/{what}", deadline.at.sortable()))
}

/// An effect that is to be done.
#[must_use]
pub fn pending_effect(key: &EffectKey) -> Key {
    Key::new(PENDING_EFFECTS, key.to_string())
}

/// A pending effect's place among those that are due.
#[must_use]
pub fn due_effect(at: Timestamp, key: &EffectKey) -> Key {
    Key::new(DUE_EFFECTS, format!("{}/{key}", at.sortable()))
}

/// A dead letter.
#[must_use]
pub fn dead_effect(key: &EffectKey) -> Key {
    Key::new(DEAD_EFFECTS, key.to_string())
}
