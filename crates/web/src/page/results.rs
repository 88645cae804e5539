//! The part of a run's page that says what the run has to show: tests, a summary, artifacts, outputs.

use askama::filters::HtmlSafeOutput;
use branchline_controller::{AttemptView, RunView};
use branchline_model::{AttemptId, Test, Tests};

use super::markdown;
use super::words;
use crate::web::artifact_path;

/// So many tests are listed.
const MOST_TESTS: usize = 50;

/// What is shown; empty where there is nothing.
#[derive(Default)]
pub(crate) struct ResultsPart {
    pub(crate) notes: Vec<String>,
    /// How the tests ended, in a sentence.
    pub(crate) tests: Option<String>,
    pub(crate) bad: Vec<TestLine>,
    pub(crate) more_bad: Option<String>,
    pub(crate) summary: Option<HtmlSafeOutput<String>>,
    pub(crate) summary_cut: Option<String>,
    pub(crate) artifacts: Vec<ArtifactLine>,
    pub(crate) outputs: Vec<(String, String)>,
    /// How far the step is that runs.
    pub(crate) tally: Option<String>,
}

pub(crate) struct TestLine {
    pub(crate) outcome: &'static str,
    pub(crate) suite: Option<String>,
    pub(crate) name: String,
    pub(crate) place: Option<String>,
    pub(crate) message: Option<String>,
    pub(crate) took: Option<String>,
}

pub(crate) struct ArtifactLine {
    pub(crate) name: String,
    pub(crate) path: String,
    pub(crate) size: String,
    pub(crate) sha256: String,
}

/// What the attempt that is shown has to show.
pub(crate) fn part(view: &RunView, attempt: Option<&AttemptId>) -> ResultsPart {
    let shown = view.attempts.iter().find(|one| Some(&one.attempt.id) == attempt);
    let Some(AttemptView { attempt, progress, results }) = shown else { return ResultsPart::default() };
    let mut part = ResultsPart {
        artifacts: view
            .artifacts
            .iter()
            .filter(|artifact| artifact.attempt == attempt.id)
            .map(|artifact| ArtifactLine {
                name: artifact.name.to_string(),
                path: artifact_path(artifact),
                size: words::size(artifact.content.bytes),
                sha256: artifact.content.sha256.to_string(),
            })
            .collect(),
        ..ResultsPart::default()
    };
    let is_over = attempt.report.is_some() || attempt.lost.is_some();
    let tally = progress.as_ref().and_then(|progress| progress.tally).filter(|_| !is_over);
    part.tally = tally.map(|tally| words::tally(tally.current, tally.total));
    let Some(results) = results else { return part };
    part.notes = results.notes.iter().map(|note| words::sentence(note)).collect();
    part.outputs = results.outputs.clone().into_iter().collect();
    if let Some(tests) = &results.tests {
        part.tests = Some(words::tests(tests));
        part.bad = tests.bad.iter().take(MOST_TESTS).map(test_line).collect();
        part.more_bad = more(tests, part.bad.len());
    }
    if let Some(summary) = &results.summary {
        part.summary = Some(markdown::shown(&summary.text));
        part.summary_cut = (summary.left_out > 0).then(|| words::summary_cut(summary.left_out));
    }
    part
}

fn more(tests: &Tests, listed: usize) -> Option<String> {
    let left = tests.count_bad().saturating_sub(listed as u64);
    (left > 0).then(|| words::more_tests(left))
}

fn test_line(test: &Test) -> TestLine {
    TestLine {
        outcome: test.outcome.word(),
        suite: test.suite.clone(),
        name: test.name.clone(),
        place: test.place.as_ref().map(|place| match place.line {
            Some(line) => format!("{}:{line}", place.file),
            None => place.file.clone(),
        }),
        message: test.message.clone(),
        took: test.milliseconds.map(|took| words::duration(std::time::Duration::from_millis(took))),
    }
}
