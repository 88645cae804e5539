//! A pipeline as a whole: its own keys.

use std::time::Duration;

use branchline_expression::Phase;

use super::concurrency::concurrency;
use super::environment::environment;
use super::input::inputs;
use super::job::jobs;
use super::notify::notifications;
use super::retention::retention;
use super::scope::Known;
use super::trigger::triggers;
use crate::findings::{Findings, Span};
use crate::keys::PIPELINE;
use crate::shape::{self, Of, Shape};
use crate::yaml::Node;
use crate::{Pipeline, PipelineName};

/// How long a build may take that does not say.
const TIMEOUT: Duration = Duration::from_secs(6 * 60 * 60);

static FILE: Shape = Shape::level("a mapping of keys to values", &PIPELINE);

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
    shape::check(findings, &FILE, root, Of::File, root.span);
    if !root.is_mapping() {
        return None;
    }
    let description = root.get("description").and_then(Node::text).map(str::to_owned);
    let inputs = inputs(findings, root.get("inputs"));
    let on = root.entry("on").map(|entry| triggers(findings, &entry.value, entry.key_span, &inputs));
    let known = Known::in_pipeline(&inputs);
    let env = environment(findings, root.get("env"), &known, Phase::Plan);
    let concurrency = root.get("concurrency").and_then(|node| concurrency(findings, node, &known));
    let notify = notifications(findings, root.get("notify"));
    let jobs = root.entry("jobs").map(|entry| jobs(findings, &entry.value, entry.key_span, &inputs));
    Some(Pipeline {
        name,
        description,
        on: on?,
        inputs,
        env,
        concurrency,
        priority: root
            .number_of("priority")
            .and_then(|number| i16::try_from(number).ok())
            .unwrap_or_default(),
        timeout: root.time_of("timeout").unwrap_or(TIMEOUT),
        disabled: root.boolean_of("disabled"),
        retention: retention(root.get("retention")),
        notify,
        jobs: jobs?,
    })
}
