//! What a store keeps. Invariant: every row knows its own key; keys read like paths, a partition holds what is
//! read together, and within it the sort key gives the order. Versions belong to the store.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    Actor, Artifact, AttemptId, AttemptReport, AttemptResults, BuildDefinition, BuildId, BuildState,
    CommitId, DeadEffect, Demand, DueEffect, Event, EventKey, HeldAttempt, JobName, KeptBuild, Lane,
    LeaseEnd, Listening, LogWatch, Lost, ObjectKey, Outcome, PendingEffect, PipelineName, PoolName,
    QueueEntry, Ref, RefName, RepositoryId, RepositoryName, RunDefinition, RunId, RunState, Seen, StepRecord,
    Tally, Timestamp, Upload, Wants, WorkerId,
};

/// Where a row is kept.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// What is read together.
    pub partition: String,
    /// The order within it.
    pub sort: String,
}

impl Key {
    /// A key of its two parts.
    pub fn new(partition: impl Into<String>, sort: impl Into<String>) -> Self {
        Self { partition: partition.into(), sort: sort.into() }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} · {}", self.partition, self.sort)
    }
}

/// How often a row was written; it only grows while the row exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Version(pub u64);

/// Something read from the store, with the version that a change must name.
#[derive(Clone, Debug, PartialEq)]
pub struct Versioned<T> {
    /// What was read.
    pub value: T,
    /// Its version then.
    pub version: Version,
}

impl<T> Versioned<T> {
    /// The same version with something made of the value.
    pub fn map<U>(self, make: impl FnOnce(T) -> U) -> Versioned<U> {
        Versioned { value: make(self.value), version: self.version }
    }
}

/// A repository that is served.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Repository {
    /// Its id.
    pub id: RepositoryId,
    /// Its name.
    pub name: RepositoryName,
    /// Where it is: a URL or an absolute path, without any secret.
    pub url: String,
    /// The branch that HEAD names, where it names one.
    pub default_branch: Option<String>,
    /// When its refs were first seen; `None` until then.
    pub first_seen: Option<Timestamp>,
    /// How many builds it has had: the last build's number.
    pub builds: u64,
}

/// What is wrong with reaching a repository; the row is there only while something is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trouble {
    /// Which repository.
    pub repository: RepositoryId,
    /// Since when.
    pub since: Timestamp,
    /// What failed last.
    pub why: String,
    /// How often in a row.
    pub failures: u32,
    /// When it is tried again.
    pub next_try: Timestamp,
}

/// An event that waits for its decision: what the resolver and the tick look through.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingEvent {
    /// Which event.
    pub event: EventKey,
    /// Where it happened.
    pub repository: RepositoryId,
    /// Not before this time.
    pub next_try: Timestamp,
}

/// A build: one pipeline, for one event, at one commit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Build {
    /// Its id.
    pub id: BuildId,
    /// Its pipeline.
    pub pipeline: PipelineName,
    /// The event that caused it.
    pub cause: EventKey,
    /// What kind of event that was: `push`, `tag`, `manual`.
    pub event: String,
    /// The branch or tag.
    pub ref_name: RefName,
    /// The commit.
    pub commit: CommitId,
    /// The first line of the commit's message.
    pub subject: String,
    /// The commit's author.
    pub author: String,
    /// Who caused it, where that is known.
    pub actor: Option<Actor>,
    /// When it was created.
    pub created_at: Timestamp,
    /// Where it stands.
    pub state: BuildState,
    /// How many runs it has.
    pub runs: u32,
    /// How many of them have ended.
    pub ended: u32,
    /// The key of the deadline that ends it, while one is set.
    pub deadline: Option<Deadline>,
}

/// How far a build's runs are, as far as their ends were folded in. Changed only by *advance build* and a stop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildProgress {
    /// The build.
    pub build: BuildId,
    /// How the runs that have ended did, by index.
    #[serde(with = "crate::numbered")]
    pub ended: BTreeMap<u32, Outcome>,
    /// Of each job that was let go on: how many of its runs were, from the first.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub let_go: BTreeMap<JobName, u32>,
    /// The jobs whose runs were cancelled because one of them failed.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub failed_fast: BTreeSet<JobName>,
}

impl BuildProgress {
    /// That of a build nothing of which was begun.
    #[must_use]
    pub fn none_of(build: BuildId) -> Self {
        Self { build, ended: BTreeMap::new(), let_go: BTreeMap::new(), failed_fast: BTreeSet::new() }
    }
}

/// A run: one execution of one job in a build.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Its id.
    pub id: RunId,
    /// Its job.
    pub job: JobName,
    /// The cell of its job's matrix, or its host; `None` where the job has one run only by its nature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cell: Option<String>,
    /// The pool that it is sent to.
    pub pool: PoolName,
    /// What it wants of the worker that takes it.
    #[serde(default)]
    pub wants: Wants,
    /// How many attempts there were: the last attempt's number, which is the fence.
    pub attempts: u32,
    /// The condition that let it go on, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<Box<Because>>,
    /// Where it stands.
    pub state: RunState,
}

/// A condition that is true, with what it saw.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Because {
    /// The condition.
    pub expression: String,
    /// What it saw.
    pub seen: Vec<Seen>,
}

impl Run {
    /// What people call it by: its job, and its cell where it has one, as `test/1.95-bookworm`.
    #[must_use]
    pub fn label(&self) -> String {
        match &self.cell {
            Some(cell) => format!("{}/{cell}", self.job),
            None => self.job.to_string(),
        }
    }
}

impl fmt::Display for Because {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`if: {}` is true{}", self.expression, crate::state::sight(&self.seen))
    }
}

/// A run's definition: written once, with the run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunDefinitionRow(pub RunDefinition);

/// One try of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// Its id.
    pub id: AttemptId,
    /// Who holds it.
    pub worker: WorkerId,
    /// When it was claimed.
    pub claimed_at: Timestamp,
    /// The last word about it, once it has ended.
    pub report: Option<AttemptReport>,
    /// That it was given up; never together with a last word. Taken back where its worker is heard in time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<Lost>,
}

/// How far the steps of an attempt are: for people to look at, no decision reads it. Its own row, so that it
/// never stands in the way of the attempt's end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AttemptProgress {
    /// The attempt.
    pub attempt: AttemptId,
    /// Every step that was begun, in order.
    pub steps: Vec<StepRecord>,
    /// How far the step is that runs, where its output says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tally: Option<Tally>,
}

/// A run that has ended and was not yet folded into its build.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndedRun {
    /// The run.
    pub run: RunId,
    /// Its job.
    pub job: JobName,
    /// How it ended.
    pub outcome: Outcome,
}

/// A time at which something must be looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deadline {
    /// When.
    pub at: Timestamp,
    /// What.
    pub of: DeadlineKind,
}

/// What a deadline is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "deadline", rename_all = "snake_case")]
pub enum DeadlineKind {
    /// The build must have ended.
    BuildTimeout {
        /// Which build.
        build: BuildId,
    },
    /// The run takes its place in its queue once more.
    Retry {
        /// Which run.
        run: RunId,
    },
    /// A build has ended: what is kept of its pipeline is to be looked at.
    BuildEnded {
        /// Which build.
        build: KeptBuild,
        /// So many builds of the pipeline are kept.
        keep: u32,
    },
    /// A build's days are over.
    RetireBuild {
        /// Which build.
        build: KeptBuild,
    },
    /// An event that is not remembered by a build need not be remembered any more.
    ForgetEvent {
        /// Which event.
        event: EventKey,
    },
    /// An artifact that is kept for so long, and no longer, is removed.
    Artifact {
        /// Whose artifact.
        attempt: AttemptId,
        /// Which.
        name: ObjectKey,
    },
    /// What was uploaded is removed, unless it was named.
    Upload {
        /// Whose upload.
        attempt: AttemptId,
        /// Which.
        upload: String,
    },
}

/// What stands in the place of a row that is stored but cannot be understood: of a format that is not known here, or
/// damaged. It is answered like any row, so that it fails nobody's read but its own; it cannot be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnreadableRow {
    /// Where it is kept.
    pub key: Key,
    /// What is wrong with it, and what to do.
    pub why: String,
}

macro_rules! rows {
    ($($variant:ident($type:ty)),* $(,)?) => {
        /// Any row. Its tag in JSON is the name of its kind.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "row", rename_all = "snake_case")]
        #[expect(missing_docs, reason = "each variant holds the type of its name")]
        pub enum Row {
            $($variant($type)),*,
            #[serde(skip)]
            Unreadable(UnreadableRow),
        }

        $(
            impl From<$type> for Row {
                fn from(row: $type) -> Self {
                    Self::$variant(row)
                }
            }

            impl TryFrom<Row> for $type {
                type Error = Row;

                fn try_from(row: Row) -> Result<Self, Row> {
                    match row {
                        Row::$variant(row) => Ok(row),
                        other => Err(other),
                    }
                }
            }
        )*
    };
}

rows! {
    Repository(Repository),
    Trouble(Trouble),
    Ref(Ref),
    Event(Event),
    PendingEvent(PendingEvent),
    Build(Build),
    BuildDefinition(BuildDefinition),
    BuildProgress(BuildProgress),
    Run(Run),
    RunDefinition(RunDefinitionRow),
    Attempt(Attempt),
    AttemptProgress(AttemptProgress),
    AttemptResults(AttemptResults),
    LogWatch(LogWatch),
    Upload(Upload),
    Artifact(Artifact),
    HeldAttempt(HeldAttempt),
    LeaseEnd(LeaseEnd),
    Listening(Listening),
    EndedRun(EndedRun),
    QueueEntry(QueueEntry),
    Lane(Lane),
    Demand(Demand),
    Deadline(Deadline),
    PendingEffect(PendingEffect),
    DueEffect(DueEffect),
    DeadEffect(DeadEffect),
    KeptBuild(KeptBuild),
}

impl Row {
    /// The format that rows are written in.
    pub const FORMAT: u32 = 1;

    /// The oldest format that is read: the one before the one that is written, so that a program can be replaced while
    /// its rows are in use. Nothing was ever written in a format before the first.
    pub const OLDEST_FORMAT: u32 = if Self::FORMAT > 1 { Self::FORMAT - 1 } else { 1 };

    /// Where the row is kept.
    #[must_use]
    pub fn key(&self) -> Key {
        match self {
            Self::Repository(row) => keys::repository(&row.id),
            Self::Trouble(row) => keys::trouble(&row.repository),
            Self::Ref(row) => keys::reference(&row.repository, &row.name),
            Self::Event(row) => keys::event(&row.key),
            Self::PendingEvent(row) => keys::pending_event(row.next_try, &row.event),
            Self::Build(row) => keys::build(&row.id),
            Self::BuildDefinition(row) => keys::build_definition(&row.build),
            Self::BuildProgress(row) => keys::build_progress(&row.build),
            Self::Run(row) => keys::run(&row.id),
            Self::RunDefinition(row) => keys::run_definition(&row.0.run),
            Self::Attempt(row) => keys::attempt(&row.id),
            Self::AttemptProgress(row) => keys::attempt_progress(&row.attempt),
            Self::AttemptResults(row) => keys::attempt_results(&row.attempt),
            Self::LogWatch(row) => keys::log_watch(&row.attempt),
            Self::Upload(row) => keys::upload(&row.attempt, &row.id),
            Self::Artifact(row) => keys::artifact(&row.attempt, &row.name),
            Self::HeldAttempt(row) => keys::held_attempt(&row.worker, &row.attempt),
            Self::LeaseEnd(row) => keys::lease_end(row),
            Self::Listening(_) => keys::listening(),
            Self::EndedRun(row) => keys::ended_run(&row.run),
            Self::QueueEntry(row) => keys::queue_entry(&row.lane(), &row.place),
            Self::Lane(row) => keys::lane(&row.id),
            Self::Demand(row) => keys::demand(&row.pool, &row.wants),
            Self::Deadline(row) => keys::deadline(row),
            Self::PendingEffect(row) => keys::pending_effect(&row.effect.key()),
            Self::DueEffect(row) => keys::due_effect(row.at, &row.effect),
            Self::DeadEffect(row) => keys::dead_effect(&row.effect.key()),
            Self::KeptBuild(row) => keys::kept_build(&row.build.repository, &row.pipeline, row.build.number),
            Self::Unreadable(row) => row.key.clone(),
        }
    }
}

pub mod keys;
