//! What a checked pipeline is: the words of the language as types. Invariant: a value that [`parse_pipeline`]
//! gave is complete (defaults are filled in) and keeps every rule of the language; what reads it checks nothing
//! again. There is no reading here, and nothing about where or when a job runs.
//!
//! [`parse_pipeline`]: crate::parse_pipeline

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Globs, JobName, PipelineName};

/// One pipeline file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pipeline {
    /// Its name: the file's stem.
    pub name: PipelineName,
    /// What it is for, as its author says.
    pub description: Option<String>,
    /// When a build is created; at least one of them is there.
    pub on: Triggers,
    /// Environment variables of every step of every job; values exactly as written.
    pub env: BTreeMap<String, String>,
    /// How long a build may take; 6 hours where the file does not say.
    pub timeout: Duration,
    /// How much of it is kept.
    pub retention: Retention,
    /// At least one job, in the order of the file.
    pub jobs: Vec<Job>,
}

/// How much of a pipeline is kept: whichever is reached first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retention {
    /// So many of its newest builds; 100 where the file does not say.
    pub builds: NonZeroU32,
    /// So many days after a build's end; 180 where the file does not say.
    pub days: NonZeroU32,
}

impl Default for Retention {
    fn default() -> Self {
        let most = |count: u32| NonZeroU32::MIN.saturating_add(count - 1);
        Self { builds: most(100), days: most(180) }
    }
}

/// When a build is created.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Triggers {
    /// A branch moved.
    pub push: Option<PushTrigger>,
    /// A tag moved whose name matches.
    pub tag: Option<Globs>,
    /// Somebody may start it by hand.
    pub manual: bool,
}

/// Which pushes create a build.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PushTrigger {
    /// Only on branches that match; `None`: on every branch.
    pub branches: Option<Globs>,
}

/// A named part of a pipeline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Its name, unique in the pipeline.
    pub name: JobName,
    /// The jobs that must have passed before this one starts, in the order written. They exist, are named once
    /// each, and make no cycle.
    pub needs: Vec<JobName>,
    /// Where it runs.
    pub place: Place,
    /// Environment variables of its steps, over those of the pipeline.
    pub env: BTreeMap<String, String>,
    /// At least one step, run in order.
    pub steps: Vec<Step>,
    /// How long it may execute; 1 hour where the file does not say.
    pub timeout: Duration,
    /// Its failure does not fail the build.
    pub allow_failure: bool,
    /// How the commit is brought to the worker; `None`: it is not.
    pub checkout: Option<Checkout>,
    /// When it is tried again; `None`: as is usual.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
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

/// Where a job runs. There is exactly one place for each job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// Straight on the worker's own machine.
    Process,
}

/// One command of a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Its name, where it was given one; for display see [`Step::title`].
    pub name: Option<String>,
    /// The script, exactly as written.
    pub run: String,
    /// Environment variables of this step, over those of the job.
    pub env: BTreeMap<String, String>,
    /// What executes the script, unless the script itself says so ([`shebang`]).
    pub shell: Shell,
    /// A folder below the workspace: relative, and never above it. `None`: the workspace.
    pub working_directory: Option<String>,
    /// How long it may execute; `None`: as long as its job may.
    pub timeout: Option<Duration>,
    /// Its failure does not fail the job.
    pub allow_failure: bool,
}

/// What executes a script.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shell {
    /// `sh -e`.
    Default,
    /// This program with these arguments, to which the script's file is added; never empty.
    Command(Vec<String>),
}

/// How a commit is brought to the worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkout {
    /// How many commits of history; `None`: all of it, written `depth: 0`.
    pub depth: Option<NonZeroU32>,
    /// Submodules are checked out too.
    pub submodules: bool,
}

impl Default for Checkout {
    fn default() -> Self {
        Self { depth: Some(NonZeroU32::MIN), submodules: false }
    }
}

/// How many characters of a step's title are shown.
const TITLE_CHARACTERS: usize = 80;

impl Step {
    /// What people are shown: the step's name, or else the first line of its script that is not blank; at most
    /// 80 characters.
    #[must_use]
    pub fn title(&self) -> &str {
        let line = match &self.name {
            Some(name) => name.as_str(),
            None => self.run.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default(),
        };
        match line.char_indices().nth(TITLE_CHARACTERS) {
            Some((end, _)) => line.get(..end).unwrap_or(line),
            None => line,
        }
    }
}

/// The interpreter that a script asks for by a `#!` first line, as written after the `#!` (`/bin/bash -eu`);
/// `None` where it asks for none. It wins over [`Step::shell`].
#[must_use]
pub fn shebang(script: &str) -> Option<&str> {
    let interpreter = script.strip_prefix("#!")?.lines().next()?.trim();
    (!interpreter.is_empty()).then_some(interpreter)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(name: Option<&str>, run: &str) -> Step {
        Step {
            name: name.map(str::to_owned),
            run: run.to_owned(),
            env: BTreeMap::new(),
            shell: Shell::Default,
            working_directory: None,
            timeout: None,
            allow_failure: false,
        }
    }

    #[test]
    fn a_step_is_titled_by_its_name_or_the_first_line_that_is_not_blank() {
        assert_eq!(step(Some("Unit tests"), "make").title(), "Unit tests");
        assert_eq!(step(None, "\n  \n  make test \nmake more\n").title(), "make test");
    }

    #[test]
    fn a_long_title_is_cut_at_80_characters_and_never_within_one() {
        let long = "ü".repeat(100);
        assert_eq!(step(None, &long).title(), "ü".repeat(80));
        assert_eq!(step(None, &"x".repeat(80)).title().len(), 80);
    }

    #[test]
    fn a_shebang_is_only_the_first_line_and_only_where_it_names_something() {
        assert_eq!(shebang("#!/usr/bin/env python3\nprint(1)"), Some("/usr/bin/env python3"));
        assert_eq!(shebang("#! /bin/bash -eu\r\nls"), Some("/bin/bash -eu"));
        assert_eq!(shebang("echo\n#!/bin/bash"), None);
        assert_eq!(shebang("#!\nls"), None);
        assert_eq!(shebang(""), None);
    }
}
