//! When a build is created: `on`, in its long form and in the short ones.

use crate::findings::{Findings, Span, quoted};
use crate::keys::{self, ON, PUSH};
use crate::read;
use crate::yaml::{Kind, Node};
use crate::{Globs, PushTrigger, Triggers};

const NONE: &str = "say when a build is created: `on: push`, `on: {push: {branches: [main]}}`, `on: manual`…";

/// Reads `on`: a mapping, one word, or a list of words.
pub(crate) fn triggers(findings: &mut Findings<'_>, node: &Node, key: Span) -> Triggers {
    match &node.kind {
        Kind::Mapping(entries) => {
            if entries.is_empty() {
                findings.report_hint(key, "`on` names no event", NONE);
            }
            mapping(findings, node, key)
        }
        Kind::Scalar { .. } | Kind::List(_) if !node.is_nothing() => words(findings, node, key),
        Kind::Scalar { .. } => {
            findings.report_hint(key, "`on` names no event", NONE);
            Triggers::default()
        }
        _ => Triggers::default(),
    }
}

fn mapping(findings: &mut Findings<'_>, node: &Node, key: Span) -> Triggers {
    let mut triggers = Triggers::default();
    let Some(fields) = read::fields(findings, node, &ON) else { return triggers };
    if let Some(push) = fields.get("push") {
        triggers.push = Some(push_trigger(findings, push));
    }
    if let Some(tag) = fields.get("tag") {
        triggers.tag = if tag.is_nothing() { every() } else { globs(findings, tag, "`tag`") };
    }
    if let Some(manual) = fields.get("manual") {
        // `manual:` with nothing after it is how people write that it is there.
        triggers.manual = manual.is_nothing() || read::boolean(findings, manual, "`manual`").unwrap_or(true);
        if !triggers.manual && fields.is_alone() {
            findings.report_hint(key, "`on` names no event: nothing ever creates a build", NONE);
        }
    }
    triggers
}

fn words(findings: &mut Findings<'_>, node: &Node, key: Span) -> Triggers {
    let mut triggers = Triggers::default();
    let Some(items) = read::one_or_many(findings, node, "`on`", "events") else { return triggers };
    if items.is_empty() {
        findings.report_hint(key, "`on` names no event", NONE);
    }
    for item in items {
        let Some(word) = read::text(findings, item, "an event of `on`") else { continue };
        let twice = match word {
            "push" => triggers.push.replace(PushTrigger::default()).is_some(),
            "tag" => {
                let twice = triggers.tag.is_some();
                triggers.tag = every();
                twice
            }
            "manual" => std::mem::replace(&mut triggers.manual, true),
            _ => {
                unknown(findings, item.span, word);
                false
            }
        };
        if twice {
            findings.report_hint(item.span, format!("{} is named twice", quoted(word)), "keep one of them");
        }
    }
    triggers
}

fn unknown(findings: &mut Findings<'_>, span: Span, word: &str) {
    if let Some(later) = ON.not_yet(word) {
        read::not_yet(findings, span, word, later.hint);
        return;
    }
    let hint = ON.suggest(word).hint.filter(|hint| !hint.starts_with("the keys of"));
    let hint = hint.unwrap_or_else(|| format!("the events are {}", keys::list(ON.read)));
    findings.report_hint(span, format!("unknown event {}", quoted(word)), hint);
}

fn push_trigger(findings: &mut Findings<'_>, node: &Node) -> PushTrigger {
    if node.is_nothing() {
        return PushTrigger::default();
    }
    if !matches!(node.kind, Kind::Mapping(_)) {
        let hint = "write `push: {}` for every branch, `push: {branches: [main]}` for some";
        read::wrong_kind(findings, node, "`push`", "a mapping", Some(hint));
        return PushTrigger::default();
    }
    let branches = read::fields(findings, node, &PUSH)
        .and_then(|fields| fields.get("branches"))
        .and_then(|branches| globs(findings, branches, "`branches`"));
    PushTrigger { branches }
}

fn every() -> Option<Globs> {
    Globs::new(["**"]).ok()
}

/// How many patterns a list may hold: each name is held against each of them.
const MOST_PATTERNS: usize = 256;

/// Reads a list of globs; a single one stands for a list of it.
fn globs(findings: &mut Findings<'_>, node: &Node, what: &str) -> Option<Globs> {
    let items = read::one_or_many(findings, node, what, "a list of patterns")?;
    if items.is_empty() {
        findings.report_hint(
            node.span,
            format!("{what} is an empty list, which matches nothing"),
            "leave the key out to match everything",
        );
        return None;
    }
    if items.len() > MOST_PATTERNS {
        findings.report_hint(
            node.span,
            format!("{what} holds more than {MOST_PATTERNS} patterns"),
            "say the same with `*` and `**`",
        );
        return None;
    }
    let mut patterns = Vec::with_capacity(items.len());
    for item in items {
        let Some(pattern) = read::literal(findings, item, &format!("a pattern of {what}")) else { continue };
        if pattern.contains("${{") {
            findings.report_hint(
                item.span,
                format!("expressions are not allowed in {what}"),
                "patterns are fixed texts: they are compared before anything else is known",
            );
        } else if let Err(error) = Globs::new([pattern]) {
            findings.report_hint(
                item.span,
                format!("{what}: {error}"),
                "`*` and `?` match within a part, `**` across `/`, and `!` before a pattern takes away",
            );
        } else {
            patterns.push(pattern);
        }
    }
    if patterns.len() == items.len() { Globs::new(patterns).ok() } else { None }
}
