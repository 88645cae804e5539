//! A named part of a pipeline.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use branchline_expression::{Expression, Template};
use serde::{Deserialize, Serialize};

use super::{Artifact, Concurrency, Matrix, Place, Reports, Step};
use crate::{Identifier, JobName};

/// A named part of a pipeline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Its name, unique in the pipeline.
    pub name: JobName,
    /// The jobs that must have ended before this one starts, in the order written. They exist, are named once
    /// each, and make no cycle.
    pub needs: Vec<Need>,
    /// It runs only where this is true; `None`: where all it needs ended as wanted.
    pub condition: Option<Expression>,
    /// One run for each of its cells; `None`: one run.
    pub matrix: Option<Matrix>,
    /// The failure of one of its runs cancels the others.
    pub fail_fast: bool,
    /// How many of its runs at once; `None`: as many as there are.
    pub max_parallel: Option<NonZeroU32>,
    /// Where it runs.
    pub place: Place,
    /// Which workers may have it.
    pub worker: WorkerWish,
    /// Environment variables of its steps, over those of the pipeline.
    pub env: BTreeMap<String, Template>,
    /// The secrets it is given, each once.
    pub secrets: Vec<SecretUse>,
    /// The signed identity that it is given.
    pub id_token: Option<IdToken>,
    /// Folders that are kept from one run to the next.
    pub cache: Vec<Cache>,
    /// At least one step, run in order.
    pub steps: Vec<Step>,
    /// Files of it that are kept.
    pub artifacts: Vec<Artifact>,
    /// What is read from its files and its log.
    pub reports: Reports,
    /// How long it may execute; 1 hour where the file does not say.
    pub timeout: Duration,
    /// How long it may say nothing in its log; `None`: as long as it executes.
    pub silence: Option<Duration>,
    /// Whether its failure fails the build.
    pub allow_failure: AllowFailure,
    /// What is written into its workspace, each at a path of its own; none: nothing.
    pub checkout: Vec<Checkout>,
    /// When it is tried again; `None`: as is usual.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
    /// Who must agree before it starts.
    pub approval: Option<Approval>,
    /// How many of its kind may run at once; `None`: any number.
    pub concurrency: Option<Concurrency>,
}

/// A job that must have ended before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Need {
    /// Its name.
    pub job: JobName,
    /// How.
    pub status: WantedStatus,
}

/// How something must have ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WantedStatus {
    /// `passed`, or what was allowed to fail.
    #[default]
    Passed,
    /// `failed`, `errored` or `timed_out`.
    Failed,
    /// Whatever way, skipped and cancelled too.
    Any,
}

/// Whether a failure counts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AllowFailure {
    /// It does.
    #[default]
    Never,
    /// It does not.
    Always,
    /// It does not where this is true.
    When(Expression),
}

/// Which workers may have a job.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct WorkerWish {
    /// Those of this pool; `None`: of the pool `default`.
    pub pool: Option<Template>,
    /// Those that have, for each of these, a tag that it matches. Globs where they are literal.
    pub tags: Vec<Template>,
}

/// A secret that a job is given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretUse {
    /// Its name, and that of the environment variable.
    pub name: Identifier,
    /// The variable holds the path of a file with it in, instead of the secret itself.
    pub file: bool,
}

/// A signed identity of a run (OpenID Connect).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdToken {
    /// Whom it is for.
    pub audience: String,
}

/// Folders that are kept from one run to the next.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cache {
    /// What they are kept under.
    pub key: Template,
    /// Beginnings of keys that will do where there is nothing under the key, the best first.
    pub restore: Vec<Template>,
    /// The folders: below the workspace, absolute, or below `~/`. At least one.
    pub paths: Vec<String>,
}

/// A repository that is written into the workspace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Checkout {
    /// Its name; `None`: the pipeline's own, at the commit that is built.
    pub repository: Option<String>,
    /// Its branch, tag or commit, resolved when the build is planned; `None`: of another repository the default branch, of
    /// the pipeline's own the commit that is built.
    pub reference: Option<Template>,
    /// A folder below the workspace; `None`: the workspace.
    pub path: Option<String>,
    /// How many commits of history; `None`: all of it, written `depth: 0`.
    pub depth: Option<NonZeroU32>,
    /// Submodules are checked out too.
    pub submodules: bool,
    /// Files of Git LFS are fetched.
    pub lfs: bool,
}

impl Default for Checkout {
    fn default() -> Self {
        Self {
            repository: None,
            reference: None,
            path: None,
            depth: Some(NonZeroU32::MIN),
            submodules: false,
            lfs: false,
        }
    }
}

/// Who must agree before a job starts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Approval {
    /// Somebody of one of these roles; none: whoever may approve at all.
    pub roles: Vec<String>,
    /// What they are asked.
    pub message: Option<Template>,
    /// How long they may take; `None`: as long as they like.
    pub expires: Option<Duration>,
}

/// When a job that did not pass is tried again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retry {
    /// How many attempts there are at the most, the first included: 1 to 10.
    pub attempts: u32,
    /// After which ends, each named once; none where there is only one attempt.
    pub on: Vec<RetryOn>,
    /// How long the second attempt waits; `None`: as is usual.
    pub backoff: Option<Duration>,
}

/// An end after which a job is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RetryOn {
    /// Nothing was heard of its worker for too long.
    WorkerLost,
    /// What watches over its steps on the worker's machine disappeared.
    SupervisorLost,
    /// It could not be started.
    StartFailed,
    /// The end of its log could not be stored.
    LogIncomplete,
    /// The time of the job or of a step ran out.
    Timeout,
    /// A step failed with any exit code.
    StepFailed,
    /// A step was ended by a signal.
    StepSignalled,
    /// A step failed with this exit code, 1 to 255.
    Exit(u8),
}
