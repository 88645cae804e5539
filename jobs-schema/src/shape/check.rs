//! Holds what is written against the form it must have. Invariant: what is wrong in form is reported here and nowhere
//! else, so that whoever reads a value afterwards passes over what it cannot read in silence.

use std::fmt;

use super::{List, Names, Scalar, Shape};
use crate::findings::{Findings, Span, counted, quoted};
use crate::keys::{self, Level, list, nearest};
use crate::yaml::{Entry, Kind, Node};
use crate::{duration, size};

/// What a value is of, for people.
#[derive(Clone, Copy)]
pub(crate) enum Of<'a> {
    /// The whole file.
    File,
    /// A key of the language.
    Key(&'a str),
    /// One of a list: "a step".
    Item(&'static str),
    /// What has a name: "the job" and it.
    Named(&'static str, &'a str),
}

impl fmt::Display for Of<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File => f.write_str("the pipeline"),
            Self::Key(key) => write!(f, "`{key}`"),
            Self::Item(item) => f.write_str(item),
            Self::Named(item, name) => write!(f, "{item} {}", quoted(name)),
        }
    }
}

/// Checks a value and all that is in it. `at` is where the value's key stands, or its own place.
pub(crate) fn check(findings: &mut Findings<'_>, shape: &'static Shape, node: &Node, of: Of<'_>, at: Span) {
    match &node.kind {
        Kind::Broken => {}
        Kind::Scalar { .. } if node.is_nothing() => {
            if shape.nothing {
                return;
            }
            let wants_some = shape.list.as_ref().is_some_and(|list| list.least > 0)
                || matches!(&shape.mapping, Some(super::Mapping::Names(names)) if names.least > 0)
                || matches!(shape.scalar, Some(Scalar::Script));
            if wants_some {
                // There is nothing to point at but the key.
                empty(findings, shape, of, at);
            } else {
                wrong_kind(findings, shape, node, of);
            }
        }
        Kind::Scalar { text, .. } => match shape.scalar {
            Some(scalar) => check_scalar(findings, shape, scalar, node, text, of),
            None => wrong_kind(findings, shape, node, of),
        },
        Kind::List(items) => match &shape.list {
            Some(list) => check_list(findings, shape, list, items, of, at),
            None => wrong_kind(findings, shape, node, of),
        },
        Kind::Mapping(entries) => match &shape.mapping {
            Some(super::Mapping::Level(level)) => check_level(findings, level, None, entries, of, at),
            Some(super::Mapping::Names(names)) => check_names(findings, shape, names, entries, of, at),
            Some(super::Mapping::Both(level, names)) => {
                check_level(findings, level, Some(names), entries, of, at);
            }
            None => wrong_kind(findings, shape, node, of),
        },
    }
}

fn check_list(
    findings: &mut Findings<'_>,
    shape: &Shape,
    list: &'static List,
    items: &[Node],
    of: Of<'_>,
    at: Span,
) {
    if items.len() < list.least {
        empty(findings, shape, of, at);
    }
    if let Some(extra) = items.get(list.most) {
        too_many(findings, of, extra.span, list.most, items.len());
        return;
    }
    for item in items {
        check(findings, list.shape, item, Of::Item(list.item), item.span);
    }
}

fn check_names(
    findings: &mut Findings<'_>,
    shape: &Shape,
    names: &'static Names,
    entries: &[Entry],
    of: Of<'_>,
    at: Span,
) {
    if entries.len() < names.least {
        empty(findings, shape, of, at);
    }
    if let Some(extra) = entries.get(names.most) {
        too_many(findings, of, extra.key_span, names.most, entries.len());
        return;
    }
    for entry in entries {
        check(findings, names.shape, &entry.value, Of::Named(names.item, &entry.key), entry.key_span);
    }
}

fn check_level(
    findings: &mut Findings<'_>,
    level: &'static Level,
    names: Option<&'static Names>,
    entries: &[Entry],
    of: Of<'_>,
    at: Span,
) {
    let mut meant: Vec<&str> = Vec::new();
    if let Some(names) = names
        && let Some(extra) = entries.get(names.most + level.keys.len())
    {
        too_many(findings, of, extra.key_span, names.most, entries.len());
        return;
    }
    // `- echo done: yes` is a mapping to YAML; nobody means a key with a space in it.
    if let (Of::Item(_), [entry], Some(_)) = (of, entries, level.key("run"))
        && entry.key.contains(' ')
    {
        findings.report_hint(
            entry.key_span,
            format!("the `: ` after {} makes a mapping of this command", quoted(&entry.key)),
            "put the whole command between quotes, or below `- run: |`",
        );
        return;
    }
    for entry in entries {
        if let Some(key) = level.key(&entry.key) {
            check(findings, key.shape, &entry.value, Of::Key(key.name), entry.key_span);
        } else if let Some(names) = names {
            check(findings, names.shape, &entry.value, Of::Named(names.item, &entry.key), entry.key_span);
        } else {
            meant.extend(unknown(findings, level, entry));
        }
    }
    for key in level.keys {
        let Some(hint) = key.required else { continue };
        if !meant.contains(&key.name) && !entries.iter().any(|entry| entry.key == key.name) {
            // Of what has no key of its own, its first one.
            let span = match of {
                Of::File | Of::Item(_) => entries.first().map_or(at, |entry| entry.key_span),
                Of::Key(_) | Of::Named(..) => at,
            };
            findings.report_hint(span, format!("{of} has no `{}`", key.name), hint);
        }
    }
}

/// A key that is none of the level's. Answers what was probably meant.
fn unknown(findings: &mut Findings<'_>, level: &'static Level, entry: &Entry) -> Option<&'static str> {
    let message = format!("unknown key {}", quoted(&entry.key));
    if findings.is_full() {
        findings.report(entry.key_span, message);
        return None;
    }
    let suggestion = level.suggest(&entry.key);
    match suggestion.hint {
        Some(hint) => findings.report_hint(entry.key_span, message, hint),
        None => findings.report(entry.key_span, message),
    }
    suggestion.key
}

fn check_scalar(
    findings: &mut Findings<'_>,
    shape: &Shape,
    scalar: Scalar,
    node: &Node,
    text: &str,
    of: Of<'_>,
) {
    if text.contains('\0') {
        let message = format!("{of} holds a NUL character");
        findings.report_hint(node.span, message, "nothing in a pipeline can hold one: take `\\0` away");
        return;
    }
    let may_hold_expressions =
        matches!(scalar, Scalar::Template | Scalar::Expression | Scalar::Text | Scalar::Script)
            || matches!(scalar, Scalar::BooleanOrExpression | Scalar::WordOr(..));
    if !may_hold_expressions && text.contains("${{") {
        let message = format!("an expression cannot stand in {of}");
        findings.report_hint(node.span, message, "it is read before anything is known: write it out");
        return;
    }
    match scalar {
        // What is in them is the reader's business.
        Scalar::Template | Scalar::Expression | Scalar::Text => {}
        Scalar::BooleanOrExpression if node.boolean().is_some() || text.contains("${{") => {}
        Scalar::Boolean | Scalar::BooleanOrExpression => {
            if node.boolean().is_none() {
                check_boolean(findings, shape, scalar, node, text, of);
            }
        }
        Scalar::Script => {
            if text.trim().is_empty() {
                empty(findings, shape, of, node.span);
            }
        }
        Scalar::Number { least, most } => {
            if !whole(text).is_some_and(|number| (least..=most).contains(&number)) {
                wrong_kind(findings, shape, node, of);
            }
        }
        Scalar::Decimal => {
            if decimal(text).is_none() {
                wrong_kind(findings, shape, node, of);
            }
        }
        Scalar::Time { days } => {
            if let Err(error) = duration::parse_up_to(text, days) {
                let message = format!("{of}: {} {error}", quoted(text));
                findings.report_hint(node.span, message, error.hint(text));
            }
        }
        Scalar::Size => {
            if let Err(error) = size::parse(text) {
                let message = format!("{of}: {} {error}", quoted(text));
                findings.report_hint(node.span, message, error.hint(text));
            }
        }
        Scalar::Word(words) => {
            if !words.iter().any(|known| known.word == text) {
                let known: Vec<&str> = words.iter().map(|word| word.word).collect();
                let hint = match nearest(text, known.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => foreign_word(words, text).unwrap_or_else(|| format!("they are {}", list(&known))),
                };
                let message = match of {
                    Of::Item(item) => {
                        let noun = item.split_once(' ').map_or(item, |(_, noun)| noun);
                        format!("unknown {noun} {}", quoted(text))
                    }
                    _ => format!("{of} cannot be {}", quoted(text)),
                };
                findings.report_hint(node.span, message, hint);
            }
        }
        Scalar::WordOr(..) => {}
    }
}

/// What users of other systems write for an event is told wherever events are written.
fn foreign_word(words: &[super::Word], text: &str) -> Option<String> {
    let events = words.iter().any(|word| word.word == "pull_request");
    if !events {
        return None;
    }
    if let Some(key) = keys::ON.key(text) {
        return Some(format!("it needs more words: `on: {{{text}: {}}}`", key.example));
    }
    keys::ON.foreign(text).map(str::to_owned)
}

fn check_boolean(
    findings: &mut Findings<'_>,
    shape: &Shape,
    scalar: Scalar,
    node: &Node,
    text: &str,
    of: Of<'_>,
) {
    let hint = match text.to_ascii_lowercase().as_str() {
        "yes" | "on" | "y" | "1" | "true" => Some("write `true`, without quotes"),
        "no" | "off" | "n" | "0" | "false" => Some("write `false`, without quotes"),
        _ if matches!(scalar, Scalar::BooleanOrExpression) => Some("put a condition between `${{` and `}}`"),
        _ => shape.hint,
    };
    report(findings, node, of, shape.expected, hint);
}

/// A whole number, as it is written.
pub(crate) fn whole(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

/// A number over 0 with at most three digits after its point, in thousandths.
pub(crate) fn decimal(text: &str) -> Option<std::num::NonZeroU32> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || fraction.len() > 3 {
        return None;
    }
    let thousandths = format!("{fraction:0<3}").parse::<u32>().ok()?;
    let thousands = whole.parse::<u32>().ok().filter(|whole| *whole <= 1_024)?;
    std::num::NonZeroU32::new(thousands * 1_000 + thousandths)
}

fn empty(findings: &mut Findings<'_>, shape: &Shape, of: Of<'_>, at: Span) {
    let message = format!("{of} is empty");
    match shape.if_empty.or(shape.hint) {
        Some(hint) => findings.report_hint(at, message, hint),
        None => findings.report_hint(at, message, format!("it takes {}", shape.expected)),
    }
}

fn too_many(findings: &mut Findings<'_>, of: Of<'_>, at: Span, most: usize, there: usize) {
    findings.report_hint(
        at,
        format!("{of} holds at most {}, and here are {}", counted(most), counted(there)),
        "say the same in fewer words, or part it among several pipelines",
    );
}

/// What stands there is not what belongs there.
fn wrong_kind(findings: &mut Findings<'_>, shape: &Shape, node: &Node, of: Of<'_>) {
    let hint = match (shape.hint, &shape.scalar) {
        _ if node.is_nothing() && shape.if_empty.is_some() => shape.if_empty,
        (None, Some(Scalar::Text | Scalar::Template)) if node.is_nothing() && shape.mapping.is_none() => {
            Some("for an empty text, or the word itself, use quotes: `\"\"`")
        }
        (hint, _) => hint,
    };
    report(findings, node, of, shape.expected, hint);
}

fn report(findings: &mut Findings<'_>, node: &Node, of: Of<'_>, expected: &str, hint: Option<&str>) {
    let kind = match &node.kind {
        Kind::Broken => return,
        Kind::List(_) => "a list".to_owned(),
        Kind::Mapping(_) => "a mapping".to_owned(),
        Kind::Scalar { .. } if node.is_nothing() => "nothing".to_owned(),
        Kind::Scalar { text, plain: true, .. } => quoted(text),
        Kind::Scalar { text, plain: false, .. } => quoted(&format!("\"{text}\"")),
    };
    let message = format!("{of} takes {expected}, not {kind}");
    match hint {
        Some(hint) => findings.report_hint(node.span, message, hint),
        None => findings.report(node.span, message),
    }
}
