//! What can be wrong with rows, in words for people: what it means, and what a repair does.

use std::fmt;

use branchline_model::{AttemptId, BuildId, EffectKey, EventKey, LaneId, RefName, RepositoryId, RunId};

/// What is wrong with a row, or with what refers to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ailment {
    /// It is there and cannot be understood.
    Unreadable {
        /// Why.
        why: String,
    },
    /// Builds refer to a repository that has no row.
    RepositoryLost(RepositoryId),
    /// A repository counts fewer builds than it has: the next would get the number of an old one.
    RepositoryBehind {
        /// Which.
        repository: RepositoryId,
        /// How many it has.
        builds: u64,
    },
    /// Of a ref fewer moves are known than became events: the next would be taken for an old one.
    RefBehind {
        /// Whose.
        repository: RepositoryId,
        /// Which.
        name: RefName,
    },
    /// An effect is to be performed and nobody would.
    EffectNotDue(EffectKey),
    /// An event waits for its decision and is not among those that are looked through.
    EventNotPending(EventKey),
    /// Parts of a build are there, and the build is not.
    BuildLost(BuildId),
    /// What a build does is not known.
    DefinitionLost(BuildId),
    /// How far a build is is not known.
    ProgressLost(BuildId),
    /// A build's time is not looked at.
    DeadlineLost(BuildId),
    /// A job's run is not there.
    RunLost(RunId),
    /// What a run is to do is not known.
    RunDefinitionLost(RunId),
    /// A run waits in no queue.
    NotQueued(RunId),
    /// A place in a queue is a run's that does not wait there.
    QueuedInVain(RunId),
    /// A lane in which runs wait cannot be found.
    LaneLost(LaneId),
    /// The attempt that carries a run out is not there.
    AttemptLost(AttemptId),
    /// The worker of an attempt would not be told of it after a restart.
    NotHeld(AttemptId),
    /// A lease would never end, whatever becomes of its worker.
    LeaseEndless(AttemptId),
    /// A worker would be told of an attempt that has ended.
    HeldInVain(AttemptId),
    /// A run's end would never be folded into its build.
    EndNotFolded(RunId),
}

impl fmt::Display for Ailment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { why } => write!(f, "the row cannot be read: {why}"),
            Self::RepositoryLost(id) => {
                write!(f, "builds belong to the repository {id}, whose row is missing")
            }
            Self::RepositoryBehind { repository, builds } => {
                write!(f, "the repository {repository} has {builds} builds and counts fewer")
            }
            Self::RefBehind { repository, name } => {
                write!(f, "of {name} in {repository} fewer moves are noted than became events")
            }
            Self::EffectNotDue(effect) => {
                write!(f, "the effect {effect} is to be performed and nobody would")
            }
            Self::EventNotPending(event) => write!(f, "the event {event} is not decided and nobody would"),
            Self::BuildLost(build) => write!(f, "parts of build {build} are there, and the build is missing"),
            Self::DefinitionLost(build) => write!(f, "what build {build} does is missing: it can never end"),
            Self::ProgressLost(build) => write!(f, "how far build {build} is is missing: it can never end"),
            Self::DeadlineLost(build) => write!(f, "the time of build {build} is not looked at"),
            Self::RunLost(run) => write!(f, "the run {run} is missing: its build can never end"),
            Self::RunDefinitionLost(run) => write!(f, "what the run {run} is to do is missing"),
            Self::NotQueued(run) => write!(f, "the run {run} is queued and stands in no queue"),
            Self::QueuedInVain(run) => write!(f, "the run {run} stands in a queue and does not wait there"),
            Self::LaneLost(lane) => {
                write!(f, "runs of {} wait in the pool {} where nobody looks", lane.repository, lane.pool)
            }
            Self::AttemptLost(attempt) => write!(f, "the attempt {attempt}, which is under way, is missing"),
            Self::NotHeld(attempt) => {
                write!(f, "the attempt {attempt} is under way and its worker would not be told of it")
            }
            Self::LeaseEndless(attempt) => {
                write!(f, "nobody looks whether the worker of {attempt} is silent")
            }
            Self::HeldInVain(attempt) => write!(f, "a worker would be told of {attempt}, which is over"),
            Self::EndNotFolded(run) => write!(f, "the run {run} has ended and its build would not learn it"),
        }
    }
}

impl Ailment {
    /// What a repair does about it, for people.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "moves the row to the quarantine, where it is kept",
            Self::RepositoryLost(_) => "makes the repository's row anew from its builds",
            Self::RepositoryBehind { .. } => "counts its builds anew",
            Self::RefBehind { .. } => "takes the ref's last move from its events",
            Self::EffectNotDue(_) => "has it performed at the next start",
            Self::EventNotPending(_) => "has it decided at the next start",
            Self::BuildLost(_) => {
                "makes the build anew from its event and its parts, or moves them to the quarantine"
            }
            Self::DefinitionLost(_) => "ends the build with that reason",
            Self::ProgressLost(_) => "folds all ends of its runs in again",
            Self::DeadlineLost(_) => "sets the deadline again",
            Self::RunLost(_) => "ends the job with that reason",
            Self::RunDefinitionLost(_) => "ends the run with that reason",
            Self::NotQueued(_) => "queues it again, at its place",
            Self::QueuedInVain(_) => "takes it out of the queue",
            Self::LaneLost(_) => "enters the lane in the pool's directory again",
            Self::AttemptLost(_) => "makes the attempt's row anew from its run",
            Self::NotHeld(_) => "has its worker told of it again",
            Self::LeaseEndless(_) => "has it looked at again, after the usual time",
            Self::HeldInVain(_) => "forgets it",
            Self::EndNotFolded(_) => "has it folded in at the next start",
        }
    }
}
