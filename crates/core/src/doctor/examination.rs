//! Being shown the rows. Invariant: of a build that has ended only its number is kept, so a store may be much larger than
//! the memory; therefore builds must be shown before their parts (see [`Examination::see`]).

use std::collections::{BTreeMap, BTreeSet};

use branchline_model::{
    Attempt, AttemptId, Build, BuildDefinition, BuildId, BuildProgress, Deadline, EffectKey, Event, EventKey,
    EventKind, EventStatus, HeldAttempt, Key, LaneId, PoolName, QueueEntry, RefName, Repository,
    RepositoryId, RepositoryName, Row, Run, RunId, Timestamp, Wants, WorkerId, keys,
};

use super::{Ailment, Cure, Finding};

/// What was seen of a store so far.
#[derive(Debug, Default)]
pub struct Examination {
    pub(super) findings: Vec<Finding>,
    pub(super) repositories: BTreeMap<RepositoryId, Repository>,
    /// The largest number of a build that was seen, and the name that its runs give the repository.
    pub(super) numbers: BTreeMap<RepositoryId, u64>,
    pub(super) names: BTreeMap<RepositoryId, RepositoryName>,
    pub(super) refs: BTreeMap<(RepositoryId, RefName), u64>,
    /// The last move that became an event.
    pub(super) moves: BTreeMap<(RepositoryId, RefName), Event>,
    pub(super) pending_events: BTreeSet<EventKey>,
    pub(super) undecided: Vec<Event>,
    /// Builds that have not ended, and those whose row is missing.
    pub(super) live: BTreeMap<BuildId, Parts>,
    ended: BTreeMap<RepositoryId, BTreeSet<u64>>,
    /// Each with the time before which it is not performed.
    pub(super) effects: BTreeMap<EffectKey, Timestamp>,
    pub(super) due_effects: BTreeSet<(EffectKey, Timestamp)>,
    pub(super) deadlines: BTreeSet<Key>,
    pub(super) run_definitions: BTreeSet<RunId>,
    pub(super) attempts: BTreeMap<AttemptId, Attempt>,
    pub(super) ended_runs: BTreeSet<RunId>,
    pub(super) entries: BTreeMap<(RunId, String), QueueEntry>,
    pub(super) lanes: BTreeSet<LaneId>,
    pub(super) demands: BTreeSet<(PoolName, Wants)>,
    pub(super) held: BTreeMap<(AttemptId, WorkerId), HeldAttempt>,
    pub(super) lease_ends: BTreeSet<Key>,
    /// Builds that have ended and are listed among those of their pipelines.
    pub(super) kept: BTreeSet<BuildId>,
}

/// What belongs to one build.
#[derive(Debug, Default)]
pub(super) struct Parts {
    pub(super) build: Option<Build>,
    pub(super) definition: Option<BuildDefinition>,
    pub(super) progress: Option<BuildProgress>,
    pub(super) runs: BTreeMap<RunId, Run>,
    /// The event that the build came of, where the build is missing.
    pub(super) cause: Option<Event>,
}

impl Examination {
    /// Looks at a row. The rows whose partitions begin with `repositor` must come first, then all others; each once.
    pub fn see(&mut self, row: Row) {
        let key = row.key();
        match row {
            Row::Unreadable(row) => {
                let cure = Cure::SetAside(vec![key.clone()]);
                self.findings.push(Finding { key, what: Ailment::Unreadable { why: row.why }, cure });
            }
            Row::Repository(row) => {
                self.repositories.insert(row.id.clone(), row);
            }
            Row::Ref(row) => {
                self.refs.insert((row.repository, row.name), row.generation);
            }
            Row::Build(row) => self.see_build(row),
            Row::BuildDefinition(row) => {
                if let Some(parts) = self.parts(&row.build) {
                    parts.definition = Some(row);
                }
            }
            Row::BuildProgress(row) => {
                if let Some(parts) = self.parts(&row.build) {
                    parts.progress = Some(row);
                }
            }
            Row::Run(row) => {
                if let Some(parts) = self.parts(&row.id.build) {
                    parts.runs.insert(row.id.clone(), row);
                }
            }
            Row::RunDefinition(row) => {
                self.number(&row.0.run.build);
                let of = &row.0.run.build;
                self.names.entry(of.repository.clone()).or_insert_with(|| row.0.repository.clone());
                if self.live.contains_key(of) {
                    self.run_definitions.insert(row.0.run);
                }
            }
            Row::Attempt(row) => {
                if self.live.contains_key(&row.id.run.build) {
                    self.attempts.insert(row.id.clone(), row);
                }
            }
            Row::HeldAttempt(row) => {
                self.held.insert((row.attempt.clone(), row.worker.clone()), row);
            }
            Row::LeaseEnd(row) => {
                self.lease_ends.insert(keys::lease_end(&row));
            }
            Row::EndedRun(row) => {
                self.ended_runs.insert(row.run);
            }
            Row::QueueEntry(row) => {
                self.entries.insert((row.run.clone(), row.place.clone()), row);
            }
            Row::Lane(row) => {
                self.lanes.insert(row.id);
            }
            Row::Demand(row) => {
                self.demands.insert((row.pool, row.wants));
            }
            Row::Deadline(row) => {
                self.deadlines.insert(keys::deadline(&row));
            }
            Row::PendingEffect(row) => {
                self.effects.insert(row.effect.key(), row.next_try);
            }
            Row::DueEffect(row) => {
                self.due_effects.insert((row.effect, row.at));
            }
            Row::Event(row) => self.see_event(row),
            Row::PendingEvent(row) => {
                self.pending_events.insert(row.event);
            }
            Row::KeptBuild(row) => {
                self.kept.insert(row.build);
            }
            // Nothing depends on them but what people see, or they depend on nothing.
            Row::Trouble(_)
            | Row::AttemptProgress(_)
            | Row::AttemptResults(_)
            | Row::LogWatch(_)
            | Row::Upload(_)
            | Row::Artifact(_)
            | Row::DeadEffect(_)
            | Row::Listening(_) => {}
        }
    }

    fn see_build(&mut self, build: Build) {
        self.number(&build.id);
        if build.state.has_ended() {
            self.ended.entry(build.id.repository).or_default().insert(build.id.number);
        } else {
            let parts = self.live.entry(build.id.clone()).or_default();
            parts.build = Some(build);
        }
    }

    fn see_event(&mut self, event: Event) {
        if let EventKind::RefMoved { name, generation, .. } = &event.kind {
            let last = self.moves.entry((event.repository.clone(), name.clone()));
            let last = last.or_insert_with(|| event.clone());
            if matches!(&last.kind, EventKind::RefMoved { generation: seen, .. } if seen < generation) {
                *last = event.clone();
            }
        }
        match &event.status {
            EventStatus::Pending { .. } => self.undecided.push(event),
            EventStatus::Decided { builds, .. } => {
                for build in builds {
                    self.number(build);
                    if let Some(parts) = self.live.get_mut(build).filter(|parts| parts.build.is_none()) {
                        parts.cause = Some(event.clone());
                    }
                }
            }
            EventStatus::Abandoned { .. } => {}
        }
    }

    fn number(&mut self, build: &BuildId) {
        let largest = self.numbers.entry(build.repository.clone()).or_default();
        *largest = (*largest).max(build.number);
    }

    /// What is kept of a build; nothing where it has ended, be it that its own row is gone because it is being retired.
    fn parts(&mut self, build: &BuildId) -> Option<&mut Parts> {
        if self.kept.contains(build)
            || self.ended.get(&build.repository).is_some_and(|ended| ended.contains(&build.number))
        {
            return None;
        }
        self.number(build);
        Some(self.live.entry(build.clone()).or_default())
    }

    /// Everything that was found, once every row was seen.
    #[must_use]
    pub fn conclude(mut self, now: Timestamp) -> Vec<Finding> {
        self.conclude_repositories(now);
        self.conclude_builds(now);
        self.conclude_queues(now);
        self.findings
    }

    pub(super) fn find(&mut self, key: Key, what: Ailment, cure: Cure) {
        self.findings.push(Finding { key, what, cure });
    }

    /// The deadline of a build is set.
    pub(super) fn is_set(&self, deadline: &Deadline) -> bool {
        self.deadlines.contains(&keys::deadline(deadline))
    }
}
