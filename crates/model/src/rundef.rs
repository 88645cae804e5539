//! The run definition: all that a worker must do, self-contained. It is what is stored, carried out and replayed.
//! Invariant: nothing in it depends on the machine that carries it out.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::time::Duration;

use branchline_expression::Value;
use serde::{Deserialize, Serialize};

use crate::{CellValues, CommitId, Context, JobName, PipelineName, RepositoryName, RunId, TestOutcome};

/// All that a worker must do for one run. Times are in milliseconds in JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunDefinition {
    /// The format's number: 1.
    pub format: u32,
    /// The run.
    pub run: RunId,
    /// The repository's name.
    pub repository: RepositoryName,
    /// The commit.
    pub commit: CommitId,
    /// The pipeline.
    pub pipeline: PipelineName,
    /// The job.
    pub job: JobName,
    /// Where it is carried out.
    pub engine: Engine,
    /// The work tree that the steps find; `None` for an empty workspace.
    pub checkout: Option<CheckoutDefinition>,
    /// The jobs whose artifacts every step finds in `BRANCHLINE_ARTIFACTS`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<JobName>,
    /// The variables whose values are never shown.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub hidden: BTreeSet<String>,
    /// What its conditions know besides the environment; nothing where they need not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known: Option<Box<Known>>,
    /// What every step finds in its environment, `BRANCHLINE_*` included, save what only the worker knows.
    pub env: BTreeMap<String, String>,
    /// The steps, in order.
    pub steps: Vec<StepDefinition>,
    /// What is kept of the workspace when the steps have ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub artifacts: Vec<ArtifactDefinition>,
    /// What is read of tests.
    #[serde(default, skip_serializing_if = "ReportsDefinition::is_empty")]
    pub reports: ReportsDefinition,
    /// How long the steps may take together.
    #[serde(with = "milliseconds")]
    pub timeout: Duration,
    /// How long a process that was asked to end (TERM) may take before it is killed (KILL).
    #[serde(with = "milliseconds")]
    pub grace: Duration,
    /// When it is tried again.
    #[serde(default)]
    pub retry: Retry,
}

/// What stands where a value is never shown.
const HIDDEN: &str = "***";

impl RunDefinition {
    /// The definition as people may see it: with what is never shown hidden.
    #[must_use]
    pub fn shown(&self) -> Self {
        let mut shown = self.clone();
        let hide = |env: &mut BTreeMap<String, String>| {
            for (_, value) in env.iter_mut().filter(|(name, _)| self.hidden.contains(*name)) {
                HIDDEN.clone_into(value);
            }
        };
        hide(&mut shown.env);
        shown.steps.iter_mut().for_each(|step| hide(&mut step.env));
        // Its secrets are among the inputs; what conditions know of those is no news to whoever reads the file.
        if let Some(known) = shown.known.as_mut().filter(|known| !known.context.secrets.is_empty()) {
            known.context.inputs = Value::Null;
        }
        shown
    }
}

/// What conditions that are decided on the worker know from before.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Known {
    /// What the build knows; what no condition of the run names is null.
    pub context: Context,
    /// What the run's cell knows.
    pub cell: CellValues,
    /// `needs`
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub needs: Value,
}

/// When a run that did not pass is tried again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retry {
    /// How many attempts there are at the most, the first included.
    pub attempts: u32,
    /// After which ends.
    pub on: Vec<RetryOn>,
    /// How long the second attempt waits; each later one twice as long as the one before.
    #[serde(with = "milliseconds")]
    pub backoff: Duration,
    /// Whether its steps may begin once more where it is not known how far they came.
    pub repeatable: bool,
}

/// An end after which a run is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RetryOn {
    /// Nothing was heard of its worker for too long.
    WorkerLost,
    /// Its supervisor disappeared.
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
    /// A step failed with this exit code.
    Exit(i32),
}

/// What holds where nothing is said: a run whose worker is lost is tried twice more.
impl Default for Retry {
    fn default() -> Self {
        Self { attempts: 3, on: vec![RetryOn::WorkerLost], backoff: Self::BACKOFF, repeatable: true }
    }
}

impl Retry {
    /// How long the second attempt waits where nothing is said.
    pub const BACKOFF: Duration = Duration::from_secs(5);
}

/// Where a run is carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Engine {
    /// Straight on the worker's own machine.
    Process,
}

/// A work tree to write before the first step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckoutDefinition {
    /// Where the repository is: a URL or an absolute path, without any secret.
    pub url: String,
    /// A ref that reaches the commit, for servers that do not hand out a commit by its id.
    pub ref_name: Option<String>,
    /// How many commits of history; `None` is all of it.
    pub depth: Option<NonZeroU32>,
    /// Whether submodules are written too.
    pub submodules: bool,
}

/// One command of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepDefinition {
    /// What people call it: its name, or the first line of its script.
    pub title: String,
    /// The script.
    pub run: String,
    /// When it is carried out, as an expression; `None` where nothing failed before.
    #[serde(default, rename = "if", skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
    /// What it finds in its environment beyond the run's.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// What interprets the script.
    #[serde(default)]
    pub shell: ShellDefinition,
    /// Where it starts, relative to the workspace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub working_directory: Option<String>,
    /// How long it may take; `None` leaves only the run's own limit.
    #[serde(default, with = "optional_milliseconds", skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    /// Whether the run goes on, and may pass, when it fails.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub allow_failure: bool,
}

/// Files to keep of the workspace, under one name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArtifactDefinition {
    /// What it is called: letters, digits, `-`, `_` and `.`.
    pub name: String,
    /// Which files: globs, from the workspace on, in order; one that begins with `!` takes out again.
    pub paths: Vec<String>,
    /// When it is kept, as an expression; `None` where the run passed.
    #[serde(default, rename = "if", skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
    /// How long it is kept; `None` for as long as its build.
    #[serde(default, with = "optional_milliseconds", skip_serializing_if = "Option::is_none")]
    pub keep: Option<Duration>,
}

/// What is read of tests.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportsDefinition {
    /// JUnit files: globs, from the workspace on, as those of an artifact.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub junit: Vec<String>,
    /// Lines of the log that tell of tests.
    #[serde(default, rename = "match", skip_serializing_if = "Option::is_none")]
    pub matching: Option<MatchDefinition>,
    /// Lines of the log that tell how far it is: a regular expression with the groups `current` and `total`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<String>,
}

impl ReportsDefinition {
    /// Whether nothing is read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Lines of a log that tell of tests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MatchDefinition {
    /// The line on which a test begins: a regular expression with the group `name`.
    pub test: String,
    /// The line, the same or a later one, on which it ends: with the group `result`, and `name` where it says that too.
    pub result: String,
    /// What the words in `result` mean.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub results: BTreeMap<String, TestOutcome>,
}

/// What interprets a script.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShellDefinition {
    /// The script's own `#!` line, otherwise `sh -e`.
    #[default]
    Default,
    /// This program with these arguments, then the script's path; the script's own `#!` line wins all the same.
    Command(Vec<String>),
}

mod milliseconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_millis)
    }
}

mod optional_milliseconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        duration: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match duration {
            Some(duration) => super::milliseconds::serialize(duration, serializer),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Duration>, D::Error> {
        Ok(Option::<u64>::deserialize(deserializer)?.map(Duration::from_millis))
    }
}
