//! The states of runs and builds, and the typed reasons of their ends. Invariant: a state carries its evidence,
//! so that no field can contradict it. Which state may follow which is one table, in `core::transition`.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Actor, BuildId, JobName, LastAttempt, Timestamp, Wanted, WorkerId};

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Every step passed.
    Passed,
    /// Its own work said no: a step or a test failed.
    Failed,
    /// Something around it went wrong: it could not be started, or was lost.
    Errored,
    /// A time ran out.
    TimedOut,
    /// Someone, or a rule, ended it.
    Cancelled,
    /// It was not begun, because of what came before.
    Skipped,
}

/// Whose time ran out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum TimeoutOf {
    /// One step's.
    Step {
        /// The step's title.
        step: String,
    },
    /// The job's.
    Job,
    /// The whole build's.
    Build,
}

impl fmt::Display for TimeoutOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Step { step } => write!(f, "step `{step}`"),
            Self::Job => f.write_str("the job"),
            Self::Build => f.write_str("the build"),
        }
    }
}

/// Why a run, or a build, is told to stop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "stop", rename_all = "snake_case")]
pub enum Stop {
    /// Someone cancelled it.
    Cancelled {
        /// Who.
        by: Actor,
    },
    /// The build's time ran out.
    BuildTimedOut,
    /// Another run of its job failed, and the job is to fail fast.
    FailedFast {
        /// The cell that failed.
        cell: String,
    },
}

/// Why a run or a build ended as it did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum EndReason {
    /// A step ended with an exit code other than 0.
    StepFailed {
        /// The step's title.
        step: String,
        /// Its exit code.
        exit: i32,
    },
    /// Tests failed.
    TestFailed {
        /// How many.
        count: u64,
    },
    /// What was to be kept of it could not be.
    ArtifactFailed {
        /// The artifact's name.
        artifact: String,
        /// Why.
        why: String,
    },
    /// A step was ended by a signal.
    StepSignalled {
        /// The step's title.
        step: String,
        /// The signal's number.
        signal: i32,
    },
    /// A time ran out.
    Timeout {
        /// Whose.
        of: TimeoutOf,
    },
    /// Someone cancelled it.
    CancelledBy {
        /// Who.
        who: Actor,
    },
    /// Another run of its job failed, and the job is to fail fast.
    FailedFast {
        /// The cell that failed.
        cell: String,
    },
    /// Its condition is false.
    ConditionFalse {
        /// The condition.
        expression: String,
        /// What it saw: names with their values.
        seen: Vec<Seen>,
    },
    /// Its condition, or another expression of it, has no value.
    ExpressionFailed {
        /// Which key of the job.
        key: String,
        /// The expression.
        expression: String,
        /// What is wrong, at which column, and what to do.
        why: String,
        /// What it saw: names with their values.
        seen: Vec<Seen>,
    },
    /// There is nothing that could carry it out.
    NoPlace {
        /// What is missing, and what to do.
        why: String,
    },
    /// A job that it needs ended otherwise than it wants.
    NeedNotMet {
        /// Which.
        job: JobName,
        /// How it must have ended.
        wanted: Wanted,
    },
    /// A newer build took its place.
    SupersededBy {
        /// Which.
        build: BuildId,
    },
    /// A job that it needs did not pass.
    NeedsFailed {
        /// Which.
        job: JobName,
    },
    /// It could not be started.
    StartFailed {
        /// What failed, where, and what to do.
        why: String,
    },
    /// Its supervisor disappeared and left no exit status.
    SupervisorLost {
        /// What was found.
        why: String,
    },
    /// Nothing was heard of its worker for too long.
    WorkerLost {
        /// Which worker.
        worker: WorkerId,
        /// For how long, in seconds.
        silent_seconds: u64,
    },
    /// Its pipeline file is wrong.
    DefinitionInvalid {
        /// How many errors the file has.
        errors: usize,
    },
    /// The end of its log could not be stored.
    LogIncomplete {
        /// How many bytes are stored.
        stored: u64,
        /// How many it has.
        length: u64,
    },
    /// A row that it cannot go on without is lost or cannot be understood.
    Unreadable {
        /// Which, in words and with its key.
        what: String,
    },
    /// Of a build: these jobs did not pass.
    JobsFailed {
        /// The jobs, in the order of the file; at most ten.
        jobs: Vec<JobName>,
        /// How many more.
        more: usize,
    },
}

impl fmt::Display for EndReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StepFailed { step, exit } => write!(f, "step `{step}` failed with exit code {exit}"),
            Self::StepSignalled { step, signal } => write!(f, "step `{step}` was ended by signal {signal}"),
            Self::TestFailed { count: 1 } => f.write_str("1 test failed"),
            Self::TestFailed { count } => write!(f, "{count} tests failed"),
            Self::ArtifactFailed { artifact, why } => {
                write!(f, "the artifact `{artifact}` could not be kept: {why}")
            }
            Self::Timeout { of } => write!(f, "the time of {of} ran out"),
            Self::CancelledBy { who } => write!(f, "cancelled by {who}"),
            Self::FailedFast { cell } => write!(f, "cancelled because `{cell}` failed"),
            Self::ConditionFalse { expression, seen } => {
                write!(f, "`if: {expression}` is false{}", sight(seen))
            }
            Self::ExpressionFailed { key, expression, why, seen } => {
                write!(f, "`{key}: {expression}` has no value: {why}{}", sight(seen))
            }
            Self::NoPlace { why } => write!(f, "nothing here can carry it out: {why}"),
            Self::NeedNotMet { job, wanted: Wanted::Failed } => {
                write!(f, "`{job}`, which it follows when that fails, did not fail")
            }
            Self::NeedNotMet { job, wanted: Wanted::Passed | Wanted::Any } => {
                write!(f, "`{job}`, which it needs, did not pass")
            }
            Self::SupersededBy { build } => write!(f, "superseded by build {}", build.number),
            Self::NeedsFailed { job } => write!(f, "`{job}`, which it needs, did not pass"),
            Self::StartFailed { why } => write!(f, "could not be started: {why}"),
            Self::SupervisorLost { why } => write!(f, "its supervisor was lost: {why}"),
            Self::WorkerLost { worker, silent_seconds } => {
                write!(f, "its worker `{worker}` was lost: nothing was heard of it for {silent_seconds} s")
            }
            Self::DefinitionInvalid { errors: 1 } => f.write_str("the pipeline file has 1 error"),
            Self::DefinitionInvalid { errors } => write!(f, "the pipeline file has {errors} errors"),
            Self::LogIncomplete { stored, length } => {
                write!(f, "its log is incomplete: {stored} of {length} bytes could be stored")
            }
            Self::Unreadable { what } => write!(f, "what is stored of it is damaged: {what}"),
            Self::JobsFailed { jobs, more } => {
                let names: Vec<String> = jobs.iter().map(|job| format!("`{job}`")).collect();
                write!(f, "{} did not pass", names.join(", "))?;
                if *more > 0 { write!(f, ", nor did {more} more") } else { Ok(()) }
            }
        }
    }
}

/// A name that an expression looked at, and what it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// The name, as `event.branch`.
    pub name: String,
    /// Its value, as it would be written in an expression.
    pub value: String,
}

/// What was seen, for people: ` (event.branch is "main")`.
pub(crate) fn sight(seen: &[Seen]) -> String {
    if seen.is_empty() {
        return String::new();
    }
    let seen: Vec<String> = seen.iter().map(|seen| format!("{} is {}", seen.name, seen.value)).collect();
    format!(" ({})", seen.join(", "))
}

/// Where a run stands, with the evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum RunState {
    /// What it needs has not ended.
    Blocked,
    /// It waits for an approval.
    Held,
    /// It waits for its concurrency group.
    Waiting,
    /// It waits in a pool for a worker.
    Queued {
        /// Since when.
        since: Timestamp,
        /// Its place: the sort key of its queue entry.
        place: String,
        /// The attempt that came before, where the run is tried again.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<Box<LastAttempt>>,
    },
    /// An attempt holds the lease, and has not begun a step.
    Starting {
        /// Which attempt.
        attempt: u32,
        /// Who holds it.
        worker: WorkerId,
        /// Since when.
        since: Timestamp,
        /// Set once it was told to stop.
        stop: Option<Stop>,
    },
    /// An attempt is carrying out its steps.
    Running {
        /// Which attempt.
        attempt: u32,
        /// Who holds it.
        worker: WorkerId,
        /// When its first step was begun.
        since: Timestamp,
        /// Set once it was told to stop.
        stop: Option<Stop>,
    },
    /// It has ended; nothing changes it any more.
    Ended {
        /// How.
        outcome: Outcome,
        /// Why; `None` where it passed.
        reason: Option<EndReason>,
        /// When its first step was begun, if one was.
        began_at: Option<Timestamp>,
        /// When.
        at: Timestamp,
    },
}

/// A run's state without its evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// What it needs has not ended.
    Blocked,
    /// It waits for an approval.
    Held,
    /// It waits for its concurrency group.
    Waiting,
    /// It waits in a pool for a worker.
    Queued,
    /// An attempt holds the lease.
    Starting,
    /// An attempt is carrying out its steps.
    Running,
    /// It has ended.
    Ended(Outcome),
}

impl RunState {
    /// The state without its evidence.
    #[must_use]
    pub fn status(&self) -> RunStatus {
        match self {
            Self::Blocked => RunStatus::Blocked,
            Self::Held => RunStatus::Held,
            Self::Waiting => RunStatus::Waiting,
            Self::Queued { .. } => RunStatus::Queued,
            Self::Starting { .. } => RunStatus::Starting,
            Self::Running { .. } => RunStatus::Running,
            Self::Ended { outcome, .. } => RunStatus::Ended(*outcome),
        }
    }

    /// The attempt that may write now.
    #[must_use]
    pub fn attempt(&self) -> Option<u32> {
        match self {
            Self::Starting { attempt, .. } | Self::Running { attempt, .. } => Some(*attempt),
            _ => None,
        }
    }

    /// Why it was told to stop, where it was.
    #[must_use]
    pub fn stop(&self) -> Option<&Stop> {
        match self {
            Self::Starting { stop, .. } | Self::Running { stop, .. } => stop.as_ref(),
            _ => None,
        }
    }

    /// Whether it is terminal.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        matches!(self, Self::Ended { .. })
    }
}

impl RunStatus {
    /// The word that people and programs read.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Blocked => "blocked",
            Self::Held => "held",
            Self::Waiting => "waiting",
            Self::Queued => "queued",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Ended(outcome) => outcome.word(),
        }
    }
}

impl Outcome {
    /// The word that people and programs read.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Errored => "errored",
            Self::TimedOut => "timed_out",
            Self::Cancelled => "cancelled",
            Self::Skipped => "skipped",
        }
    }
}

/// Where a build stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum BuildState {
    /// It waits for its concurrency group.
    Waiting,
    /// Its runs may run.
    Running {
        /// Set once it was told to stop.
        stop: Option<Stop>,
    },
    /// It has ended; nothing changes it any more.
    Ended {
        /// How.
        outcome: BuildStatus,
        /// Why; `None` where it passed.
        reason: Option<EndReason>,
        /// When.
        at: Timestamp,
    },
}

/// A build's state without its evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BuildStatus {
    /// It waits for its concurrency group.
    Waiting,
    /// Its runs may run.
    Running,
    /// Every run passed, or was allowed to fail, or was skipped for a good reason.
    Passed,
    /// A run failed.
    Failed,
    /// A run could not be carried out.
    Errored,
    /// Someone cancelled it.
    Cancelled,
    /// Its time ran out.
    TimedOut,
    /// None of its runs was to run.
    Skipped,
    /// A newer build took its place.
    Superseded,
    /// Its pipeline file is wrong.
    Invalid,
}

impl BuildState {
    /// The state without its evidence.
    #[must_use]
    pub fn status(&self) -> BuildStatus {
        match self {
            Self::Waiting => BuildStatus::Waiting,
            Self::Running { .. } => BuildStatus::Running,
            Self::Ended { outcome, .. } => *outcome,
        }
    }

    /// Why it was told to stop, where it was.
    #[must_use]
    pub fn stop(&self) -> Option<&Stop> {
        match self {
            Self::Running { stop } => stop.as_ref(),
            _ => None,
        }
    }

    /// Whether it is terminal.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        matches!(self, Self::Ended { .. })
    }
}

impl BuildStatus {
    /// The word that people and programs read.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Errored => "errored",
            Self::Cancelled => "cancelled",
            Self::TimedOut => "timed_out",
            Self::Skipped => "skipped",
            Self::Superseded => "superseded",
            Self::Invalid => "invalid",
        }
    }
}
