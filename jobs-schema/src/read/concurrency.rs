//! How many builds, or runs, may run at once.

use std::num::NonZeroU32;

use branchline_expression::Phase;

use super::scope::Known;
use super::word;
use crate::findings::{Findings, quoted};
use crate::yaml::Node;
use crate::{Concurrency, WhenFull};

/// Reads a `concurrency`; a text alone is the group.
pub(crate) fn concurrency(
    findings: &mut Findings<'_>,
    node: &Node,
    known: &Known<'_>,
) -> Option<Concurrency> {
    let mut template = |node: Option<&Node>, what: &str| {
        let node = node?;
        let template = known.template(findings, node, Phase::Plan)?;
        if template.literal().is_some_and(|text| text.trim().is_empty()) {
            findings.report_hint(node.span, format!("{what} is empty"), "name it, or leave it out");
        }
        Some(template)
    };
    if !node.is_mapping() {
        let group = template(Some(node), "`concurrency`")?;
        return Some(Concurrency { group: Some(group), ..without() });
    }
    let group = template(node.get("group"), "`group`");
    let partition = template(node.get("partition"), "`partition`");
    let when_full = [("refuse", WhenFull::Refuse), ("replace", WhenFull::Replace)];
    let read = Concurrency {
        group,
        limit: node.count_of("limit").unwrap_or(NonZeroU32::MIN),
        queue: node.number_of("queue").and_then(|number| u32::try_from(number).ok()),
        when_full: node
            .get("when_full")
            .and_then(Node::text)
            .and_then(|text| word(text, &when_full))
            .unwrap_or_default(),
        partition,
        cancel_running: node.boolean_of("cancel_running"),
        debounce: node.time_of("debounce"),
    };
    if read.queue.is_none() && node.get("queue").is_none() {
        for key in ["when_full", "partition"] {
            if let Some(entry) = node.entry(key) {
                let message = format!("{} means nothing where any number may wait", quoted(key));
                findings.report_hint(entry.key_span, message, "say how many may: `queue: 1`");
            }
        }
    }
    if read.queue == Some(0) && read.when_full == WhenFull::Replace {
        findings.report_hint(
            node.span_of("when_full"),
            "nothing can be replaced where nothing may wait",
            "write `queue: 1` for the newest to wait, or leave `when_full` out",
        );
    }
    Some(read)
}

fn without() -> Concurrency {
    Concurrency {
        group: None,
        limit: NonZeroU32::MIN,
        queue: None,
        when_full: WhenFull::default(),
        partition: None,
        cancel_running: false,
        debounce: None,
    }
}
