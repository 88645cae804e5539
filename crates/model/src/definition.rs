//! What a build does, as it was planned: its jobs, what they need of each other, and one cell for each run. Invariant: it is
//! written once, with the build; whatever is decided later is decided from it.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::ops::Range;

use branchline_expression::{Answers, Expression, Standing, Template, Value, Values};
use serde::{Deserialize, Serialize};

use crate::{BuildId, JobName, PoolName, Retention};

/// What a build does: written once, with the build.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BuildDefinition {
    /// The build.
    pub build: BuildId,
    /// What the pipeline says of itself.
    pub description: Option<String>,
    /// The file it was read from.
    pub file: String,
    /// Its jobs in the order of the file.
    pub jobs: Vec<JobDefinition>,
    /// What is wrong with the file, where the build is `invalid`.
    pub problems: Vec<Problem>,
    /// What its expressions know, where one is evaluated later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<Box<Context>>,
    /// How much of the pipeline is kept.
    pub retention: Retention,
}

/// A job of a build.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobDefinition {
    /// Its name.
    pub name: JobName,
    /// The jobs that must have ended first.
    pub needs: Vec<Need>,
    /// Whether a failed run of it cancels the others.
    pub fail_fast: bool,
    /// How many of its runs may be under way at once; `None` is all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_parallel: Option<NonZeroU32>,
    /// The pool that its runs are sent to.
    pub pool: PoolName,
    /// The index of its first run; the others follow it.
    pub first: u32,
    /// One for each run, in order: its matrix or its hosts; one where it has neither.
    pub cells: Vec<Cell>,
    /// What can be said only once all that it needs has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub late: Option<Box<Late>>,
}

/// A job that must have ended before another begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Need {
    /// Which job.
    pub job: JobName,
    /// How it must have ended.
    #[serde(default, skip_serializing_if = "Wanted::is_usual")]
    pub wanted: Wanted,
}

/// How a needed job must have ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wanted {
    /// It passed, or was allowed to fail.
    #[default]
    Passed,
    /// It did not pass, though it was begun.
    Failed,
    /// However it ended, be it that it was skipped.
    Any,
}

impl Wanted {
    /// Whether nothing needs to be said.
    #[must_use]
    pub fn is_usual(&self) -> bool {
        *self == Self::Passed
    }
}

/// One run of a job as it was planned.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// Its values joined by `-`; `None` where the job has one run only by its nature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Whether the build may pass when it fails.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub allow_failure: bool,
    /// What expressions know as `matrix` and `host`; only where the job has something to say late.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values: Option<Box<CellValues>>,
}

/// What expressions know of one run alone.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CellValues {
    /// `matrix`
    pub matrix: Value,
    /// `host`
    pub host: Value,
}

/// What can be said of a job only once all that it needs has ended.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Late {
    /// Whether it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<Expression>,
    /// Environment variables of all its steps.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, Template>,
    /// Environment variables of single steps, by index.
    #[serde(default, with = "crate::numbered", skip_serializing_if = "BTreeMap::is_empty")]
    pub steps: BTreeMap<u32, BTreeMap<String, Template>>,
    /// Conditions that the worker decides, of its steps and artifacts, and that name `needs`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub on_worker: Vec<Expression>,
}

impl Late {
    /// Whether there is anything to fill in.
    #[must_use]
    pub fn fills(&self) -> bool {
        !(self.env.is_empty() && self.steps.is_empty() && self.on_worker.is_empty())
    }
}

/// What expressions of a build know from its beginning on; kept only where a job has something to say late.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Context {
    /// `event`
    pub event: Value,
    /// `commit`
    pub commit: Value,
    /// `repository`
    pub repository: Value,
    /// `inputs`
    pub inputs: Value,
    /// The inputs whose values are never shown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<String>,
    /// What `changed(…)` and `hash(…)` answer.
    #[serde(default, skip_serializing_if = "Answers::is_empty")]
    pub answers: Answers,
}

impl Context {
    /// What a run's expressions know when its build is planned.
    #[must_use]
    pub fn values(&self, cell: &CellValues) -> Values<'_> {
        let values = Values::new()
            .with("event", self.event.clone())
            .with("commit", self.commit.clone())
            .with("repository", self.repository.clone())
            .with("inputs", self.inputs.clone())
            .with("matrix", cell.matrix.clone())
            .with("host", cell.host.clone())
            .standing(Standing::Succeeding)
            .files(&self.answers);
        self.secrets.iter().fold(values, |values, secret| values.hiding(["inputs", secret]))
    }
}

impl JobDefinition {
    /// The indices of its runs, in order.
    #[must_use]
    pub fn runs(&self) -> Range<u32> {
        let count = u32::try_from(self.cells.len()).unwrap_or(u32::MAX);
        self.first..self.first.saturating_add(count)
    }

    /// The cell of one of its runs.
    #[must_use]
    pub fn cell(&self, run: u32) -> Option<&Cell> {
        self.cells.get(usize::try_from(run.checked_sub(self.first)?).ok()?)
    }
}

/// Something wrong in a pipeline file, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
    /// The column, from 1.
    pub column: u32,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// All of it with the excerpt, as the terminal shows it.
    pub rendered: String,
}
