//! What a run keeps and reports, from a job to its run definition.

use branchline_expression::{Template, Values};
use branchline_jobs_schema::{Job, TestResult};
use branchline_model::{ArtifactDefinition, EndReason, MatchDefinition, ReportsDefinition, TestOutcome};

use crate::cells;

/// The artifacts that a run of this job keeps; the first whose name cannot be said is told of.
pub(crate) fn artifacts(
    job: &Job,
    values: &Values<'_>,
    unfilled: &mut Option<EndReason>,
) -> Vec<ArtifactDefinition> {
    let mut name = |template: &Template| match cells::whole("artifacts.name", template, values) {
        Ok(name) => name,
        Err(reason) => {
            unfilled.get_or_insert(reason);
            template.text().to_owned()
        }
    };
    job.artifacts
        .iter()
        .map(|artifact| ArtifactDefinition {
            name: name(&artifact.name),
            paths: artifact.path.patterns().map(str::to_owned).collect(),
            condition: artifact.condition.as_ref().map(|condition| condition.text().to_owned()),
            keep: artifact.keep,
        })
        .collect()
}

/// What is read of tests.
pub(crate) fn reports(job: &Job) -> ReportsDefinition {
    let outcome = |result: &TestResult| match result {
        TestResult::Passed => TestOutcome::Passed,
        TestResult::Failed => TestOutcome::Failed,
        TestResult::Skipped => TestOutcome::Skipped,
    };
    let junit = job.reports.junit.as_ref().map(|globs| globs.patterns().map(str::to_owned).collect());
    let matching = job.reports.matched.as_ref().map(|matched| MatchDefinition {
        test: matched.test.as_str().to_owned(),
        result: matched.result.as_str().to_owned(),
        results: matched.results.iter().map(|(word, result)| (word.clone(), outcome(result))).collect(),
    });
    let progress = job.reports.progress.as_ref().map(|pattern| pattern.as_str().to_owned());
    ReportsDefinition { junit: junit.unwrap_or_default(), matching, progress }
}
