//! What is read from a job's files and its log.

use super::{file_globs, pattern, word};
use crate::findings::Findings;
use crate::yaml::Node;
use crate::{MatchReport, Reports, TestResult};

const RESULTS: [(&str, TestResult); 3] =
    [("passed", TestResult::Passed), ("failed", TestResult::Failed), ("skipped", TestResult::Skipped)];

/// Reads `reports`.
pub(crate) fn reports(findings: &mut Findings<'_>, node: Option<&Node>) -> Reports {
    let Some(node) = node else { return Reports::default() };
    Reports {
        junit: file_globs(findings, node.get("junit"), "`junit`"),
        matched: node.get("match").and_then(|node| matched(findings, node)),
        progress: node
            .get("progress")
            .and_then(|node| pattern(findings, node, "`progress`", &["current", "total"])),
    }
}

fn matched(findings: &mut Findings<'_>, node: &Node) -> Option<MatchReport> {
    let test = node.get("test").and_then(|node| pattern(findings, node, "`test`", &["name"]));
    let result = node.get("result").and_then(|node| pattern(findings, node, "`result`", &["result"]));
    let results = node.get("results").map(Node::entries).unwrap_or_default();
    let results = results
        .iter()
        .filter_map(|entry| Some((entry.key.clone(), word(entry.value.text()?, &RESULTS)?)))
        .collect();
    Some(MatchReport { test: test?, result: result?, results })
}
