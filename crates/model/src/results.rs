//! What an attempt has to show besides its log: outputs, a summary, the results of its tests. Invariant: all of it is bounded, so that
//! it fits into a row; where something was left out, it says so.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::AttemptId;

/// What an attempt has to show.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Results {
    /// What its steps wrote into `BRANCHLINE_OUTPUT`, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub outputs: BTreeMap<String, String>,
    /// What its steps wrote into `BRANCHLINE_SUMMARY`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<Summary>,
    /// What became of its tests, where it reports any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tests: Option<Tests>,
    /// What people should know of how this was collected: sentences, for instance about a file that could not be read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

impl Results {
    /// Whether there is nothing to show.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// How many bytes of text are in it.
    #[must_use]
    pub fn weight(&self) -> usize {
        let outputs = self.outputs.iter().map(|(name, value)| name.len() + value.len());
        let summary = self.summary.iter().map(|summary| summary.text.len());
        let bad = self.tests.iter().flat_map(|tests| &tests.bad).map(Test::weight);
        outputs.chain(summary).chain(bad).chain(self.notes.iter().map(String::len)).sum()
    }
}

/// A summary of a run, as its steps wrote it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Markdown.
    pub text: String,
    /// So many bytes followed, and were left out.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub left_out: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks with a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// How a test ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TestOutcome {
    /// As it should.
    Passed,
    /// What it asserted does not hold.
    Failed,
    /// Something around it went wrong, or it began and never ended.
    Errored,
    /// It was not begun.
    Skipped,
}

impl TestOutcome {
    /// The word that people and programs read.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Errored => "errored",
            Self::Skipped => "skipped",
        }
    }

    /// Whether a run with such a test fails.
    #[must_use]
    pub fn is_bad(self) -> bool {
        matches!(self, Self::Failed | Self::Errored)
    }
}

/// One result of a report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Test {
    /// What it belongs to: its class, or the suites around it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suite: Option<String>,
    /// Its name.
    pub name: String,
    /// How it ended.
    pub outcome: TestOutcome,
    /// How long it took, in milliseconds, where that is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub milliseconds: Option<u64>,
    /// Why it did not pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Where in the sources that was, as the report says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<SourcePlace>,
}

impl Test {
    /// How many bytes of text are in it.
    #[must_use]
    pub fn weight(&self) -> usize {
        let texts = [self.suite.as_ref(), Some(&self.name), self.message.as_ref()];
        let place = self.place.as_ref().map_or(0, |place| place.file.len());
        texts.into_iter().flatten().map(String::len).sum::<usize>() + place
    }
}

/// A place in the sources.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourcePlace {
    /// The file.
    pub file: String,
    /// The line, from 1, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
}

/// The tests of an attempt.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tests {
    /// How many passed.
    pub passed: u64,
    /// How many failed.
    pub failed: u64,
    /// How many could not be carried out.
    pub errored: u64,
    /// How many were skipped.
    pub skipped: u64,
    /// How long they took together, in milliseconds, as far as that is said.
    pub milliseconds: u64,
    /// The first that failed or errored, as many as are kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bad: Vec<Test>,
}

impl Tests {
    /// How many there were.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.passed.saturating_add(self.failed).saturating_add(self.errored).saturating_add(self.skipped)
    }

    /// How many make the run fail.
    #[must_use]
    pub fn count_bad(&self) -> u64 {
        self.failed.saturating_add(self.errored)
    }
}

/// How far the work of a step is, as its output says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// So many are done.
    pub current: u64,
    /// Of so many.
    pub total: u64,
}

/// What an attempt has to show: there only where it has anything, and before its run ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptResults {
    /// The attempt.
    pub attempt: AttemptId,
    /// What it has to show.
    pub results: Results,
}
