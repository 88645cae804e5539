//! A pipeline as a whole: its own keys, and that it has what every pipeline must.

use std::time::Duration;

use crate::environment::environment;
use crate::findings::{Findings, Span};
use crate::job::jobs;
use crate::keys::PIPELINE;
use crate::read;
use crate::retention::retention;
use crate::trigger::triggers;
use crate::yaml::Node;
use crate::{Pipeline, PipelineName, Triggers};

/// How long a build may take that does not say.
const TIMEOUT: Duration = Duration::from_secs(6 * 60 * 60);

/// Reads a pipeline. What is given is complete only where nothing was found wrong.
pub(crate) fn pipeline(findings: &mut Findings<'_>, name: PipelineName, root: &Node) -> Option<Pipeline> {
    if root.is_nothing() {
        findings.report_hint(
            Span::default(),
            "the file is empty",
            "a pipeline says at least when it runs and what: `on` and `jobs`",
        );
        return None;
    }
    let fields = read::fields(findings, root, &PIPELINE)?;
    let description =
        fields.get("description").and_then(|node| read::literal(findings, node, "`description`"));
    let missing = |key: &str| !fields.has_or_means(key);
    let place = fields.first_key.unwrap_or(root.span);
    let on = match (fields.get("on"), fields.key_span("on")) {
        (Some(node), Some(key)) => triggers(findings, node, key),
        _ => {
            if missing("on") {
                findings.report_hint(
                    place,
                    "the pipeline has no `on`: nothing ever creates a build",
                    "say when one is: `on: push`, `on: {tag: [\"v*\"]}`, `on: manual`…",
                );
            }
            Triggers::default()
        }
    };
    let env = environment(findings, fields.get("env"));
    let timeout =
        fields.get("timeout").and_then(|node| read::time(findings, node, "`timeout`")).unwrap_or(TIMEOUT);
    let retention = retention(findings, fields.get("retention"));
    let jobs = match (fields.get("jobs"), fields.key_span("jobs")) {
        (Some(node), Some(key)) => jobs(findings, node, key),
        _ => {
            if missing("jobs") {
                findings.report_hint(
                    place,
                    "the pipeline has no `jobs`",
                    "give it at least one: `jobs: {build: {process: true, steps: [make]}}`",
                );
            }
            Vec::new()
        }
    };
    Some(Pipeline { name, description: description.map(str::to_owned), on, env, timeout, retention, jobs })
}
