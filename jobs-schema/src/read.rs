//! Typed readers over the tree. Invariant: a reader that gives `None` has reported why (or met what was reported
//! before), and one that gives a value has found nothing wrong with it; so whoever asks goes on either way.

use std::time::Duration;

use crate::duration;
use crate::findings::{Findings, Span, quoted};
use crate::keys::Level;
use crate::yaml::{Kind, Node};

/// A mapping whose keys were checked against those of its level.
pub(crate) struct Fields<'n> {
    present: Vec<(&'n str, Span, &'n Node)>,
    /// How many keys there are, unknown ones too.
    written: usize,
    /// Keys of the level that unknown ones were probably meant to be.
    meant: Vec<&'static str>,
    /// The first of its keys, for what is wrong with the mapping as a whole.
    pub(crate) first_key: Option<Span>,
}

impl<'n> Fields<'n> {
    /// The value of a key that is read at this level.
    pub(crate) fn get(&self, key: &str) -> Option<&'n Node> {
        self.present.iter().find(|(name, ..)| *name == key).map(|(.., value)| *value)
    }

    /// Where a key stands, whether it is read at this level or not supported yet.
    pub(crate) fn key_span(&self, key: &str) -> Option<Span> {
        self.present.iter().find(|(name, ..)| *name == key).map(|(_, span, _)| *span)
    }

    /// There is only one key, of whatever kind.
    pub(crate) fn is_alone(&self) -> bool {
        self.written == 1
    }

    /// The key is there, or what was written was probably meant to be it and is reported as that.
    pub(crate) fn has_or_means(&self, key: &str) -> bool {
        self.key_span(key).is_some() || self.meant.contains(&key)
    }
}

/// Reads a mapping of the language's own keys; unknown ones and those not supported yet are reported.
pub(crate) fn fields<'n>(findings: &mut Findings<'_>, node: &'n Node, level: &Level) -> Option<Fields<'n>> {
    let Kind::Mapping(entries) = &node.kind else {
        wrong_kind(findings, node, level.place, "a mapping of keys to values", None);
        return None;
    };
    let mut fields = Fields {
        present: Vec::with_capacity(entries.len()),
        written: entries.len(),
        meant: Vec::new(),
        first_key: entries.first().map(|entry| entry.key_span),
    };
    for entry in entries {
        let key = entry.key.as_str();
        if level.read.contains(&key) {
            fields.present.push((key, entry.key_span, &entry.value));
        } else if let Some(later) = level.not_yet(key) {
            fields.present.push((key, entry.key_span, &entry.value));
            not_yet(findings, entry.key_span, key, later.hint);
        } else if !findings.is_full() {
            let suggestion = level.suggest(key);
            fields.meant.extend(suggestion.key);
            let message = format!("unknown key {}", quoted(key));
            match suggestion.hint {
                Some(hint) => findings.report_hint(entry.key_span, message, hint),
                None => findings.report(entry.key_span, message),
            }
        } else {
            findings.report(entry.key_span, format!("unknown key {}", quoted(key)));
        }
    }
    Some(fields)
}

/// Something is a part of the language that is not read yet.
pub(crate) fn not_yet(findings: &mut Findings<'_>, span: Span, what: &str, hint: Option<&str>) {
    let message = format!("{} is not supported yet", quoted(what));
    match hint {
        Some(hint) => findings.report_hint(span, message, hint),
        None => findings.report(span, message),
    }
}

/// What stands there is not what belongs there.
pub(crate) fn wrong_kind(
    findings: &mut Findings<'_>,
    node: &Node,
    what: &str,
    expected: &str,
    hint: Option<&str>,
) {
    let kind = match &node.kind {
        Kind::Broken => return,
        Kind::List(_) => "a list".to_owned(),
        Kind::Mapping(_) => "a mapping".to_owned(),
        Kind::Scalar { .. } if node.is_nothing() => "nothing".to_owned(),
        Kind::Scalar { text, plain: true } => quoted(text),
        Kind::Scalar { text, plain: false } => quoted(&format!("\"{text}\"")),
    };
    let message = format!("{what} takes {expected}, not {kind}");
    match hint {
        Some(hint) => findings.report_hint(node.span, message, hint),
        None => findings.report(node.span, message),
    }
}

/// Reads a text: any scalar but nothing, exactly as written. Neither a NUL nor an expression may be in it.
pub(crate) fn text<'n>(findings: &mut Findings<'_>, node: &'n Node, what: &str) -> Option<&'n str> {
    let text = literal(findings, node, what)?;
    if text.contains("${{") {
        let span = expressions(findings, node).into_iter().next().unwrap_or(node.span);
        findings.report_hint(span, "expressions are not supported yet", format!("give {what} a fixed text"));
        return None;
    }
    Some(text)
}

/// Reads a text in which `${{` has no meaning.
pub(crate) fn literal<'n>(findings: &mut Findings<'_>, node: &'n Node, what: &str) -> Option<&'n str> {
    let Kind::Scalar { text, .. } = &node.kind else {
        wrong_kind(findings, node, what, "a text", None);
        return None;
    };
    if node.is_nothing() {
        wrong_kind(
            findings,
            node,
            what,
            "a text",
            Some("for an empty text, or the word itself, use quotes: `\"\"`"),
        );
        return None;
    }
    if text.contains('\0') {
        findings.report_hint(
            node.span,
            format!("{what} holds a NUL character"),
            "nothing in a pipeline can hold one: take `\\0` away",
        );
        return None;
    }
    Some(text)
}

/// How many expressions of one scalar are pointed at, and how far the end of one is looked for: however many
/// there are, the work stays linear.
const MOST_EXPRESSIONS: usize = 100;
const LONGEST_EXPRESSION: usize = 200;

/// Where the expressions of a scalar begin, as far as its text in the file shows them.
pub(crate) fn expressions(findings: &Findings<'_>, node: &Node) -> Vec<Span> {
    let text = findings.slice(node.span);
    text.match_indices("${{")
        .take(MOST_EXPRESSIONS)
        .map(|(at, opening)| {
            let until = text.floor_char_boundary((at + LONGEST_EXPRESSION).min(text.len()));
            let line = text.get(at..until).and_then(|rest| rest.lines().next()).unwrap_or_default();
            let length = line.find("}}").map_or(opening.len(), |close| close + 2);
            Span { start: node.span.start + at, end: node.span.start + at + length }
        })
        .collect()
}

/// Reads `true` or `false`.
pub(crate) fn boolean(findings: &mut Findings<'_>, node: &Node, what: &str) -> Option<bool> {
    if let Some(boolean) = node.boolean() {
        return Some(boolean);
    }
    let hint = match &node.kind {
        Kind::Scalar { text, .. } if text.contains("${{") => {
            findings.report_hint(
                node.span,
                "expressions are not supported yet",
                format!("give {what} `true` or `false`"),
            );
            return None;
        }
        Kind::Scalar { text, .. } => match text.to_ascii_lowercase().as_str() {
            "yes" | "on" | "y" | "1" | "true" => Some("write `true`, without quotes"),
            "no" | "off" | "n" | "0" | "false" => Some("write `false`, without quotes"),
            _ => None,
        },
        _ => None,
    };
    wrong_kind(findings, node, what, "`true` or `false`", hint);
    None
}

/// Reads a time.
pub(crate) fn time(findings: &mut Findings<'_>, node: &Node, what: &str) -> Option<Duration> {
    let Kind::Scalar { .. } = &node.kind else {
        wrong_kind(findings, node, what, "a time such as `20m`", None);
        return None;
    };
    if node.is_nothing() {
        wrong_kind(findings, node, what, "a time such as `20m`", None);
        return None;
    }
    let text = text(findings, node, what)?;
    match duration::parse(text) {
        Ok(duration) => Some(duration),
        Err(error) => {
            findings.report_hint(node.span, format!("{what}: {} {error}", quoted(text)), error.hint(text));
            None
        }
    }
}

/// Reads a list; a single text stands for a list of it.
pub(crate) fn one_or_many<'n>(
    findings: &mut Findings<'_>,
    node: &'n Node,
    what: &str,
    expected: &str,
) -> Option<&'n [Node]> {
    match &node.kind {
        Kind::List(items) => Some(items),
        Kind::Scalar { .. } if !node.is_nothing() => Some(std::slice::from_ref(node)),
        _ => {
            wrong_kind(findings, node, what, expected, None);
            None
        }
    }
}
