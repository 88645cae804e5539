//! What a job executes, and what it leaves.

use std::collections::BTreeMap;
use std::time::Duration;

use branchline_expression::{Expression, Template};
use serde::{Deserialize, Serialize};

use crate::{Globs, Pattern};

/// One command of a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Its name, where it was given one; for display see [`Step::title`].
    pub name: Option<Template>,
    /// It is executed only where this is true; `None`: where nothing failed before it.
    pub condition: Option<Expression>,
    /// The script, exactly as written.
    pub run: String,
    /// Environment variables of this step, over those of the job.
    pub env: BTreeMap<String, Template>,
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

/// Files that are kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Artifact {
    /// Its name, unique in the job where it is literal.
    pub name: Template,
    /// Which files, as paths below the workspace. A folder stands for all that is in it.
    pub path: Globs,
    /// It is kept only where this is true; `None`: where the job did not fail.
    pub condition: Option<Expression>,
    /// How long it is kept; `None`: as long as its build.
    pub keep: Option<Duration>,
}

/// What is read from a job's files and its log.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Reports {
    /// Reports of tests in JUnit's form, as paths below the workspace.
    pub junit: Option<Globs>,
    /// Tests that are told in the log.
    #[serde(rename = "match")]
    pub matched: Option<MatchReport>,
    /// How far it is: a line of the log with the groups `current` and `total`.
    pub progress: Option<Pattern>,
}

impl Reports {
    /// Nothing is read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Tests that are told in the log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MatchReport {
    /// A line that tells of a test, with the group `name`.
    pub test: Pattern,
    /// How it ended, with the group `result`, in the same line or one after it.
    pub result: Pattern,
    /// What the texts of that group mean; never empty.
    pub results: BTreeMap<String, TestResult>,
}

/// How a test ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TestResult {
    /// It is as it should be.
    Passed,
    /// It is not.
    Failed,
    /// It was left out.
    Skipped,
}

/// How many characters of a step's title are shown.
const TITLE_CHARACTERS: usize = 80;

impl Step {
    /// What people are shown: the step's name, or else the first line of its script that is not blank; at most
    /// 80 characters. Expressions in the name stand in it as they were written; with their values see
    /// [`Step::title_of`].
    #[must_use]
    pub fn title(&self) -> &str {
        self.title_of(self.name.as_ref().map(Template::text))
    }

    /// What people are shown of a step whose name is known to be this.
    #[must_use]
    pub fn title_of<'a>(&'a self, name: Option<&'a str>) -> &'a str {
        let line = match name {
            Some(name) => name,
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
            name: name.map(|name| Template::parse(name).unwrap()),
            condition: None,
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
