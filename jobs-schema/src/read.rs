//! From a well-formed tree to typed values. Invariant: form was checked before ([`shape`](crate::shape)), so a reader that
//! cannot read a value says nothing and passes over it; what it does say is about what a text means, and every mistake is
//! said where it stands.

mod checkout;
mod concurrency;
mod environment;
mod input;
mod job;
mod kept;
mod matrix;
mod needs;
mod notify;
mod pipeline;
mod place;
mod report;
mod retention;
mod retry;
mod scope;
mod step;
mod trigger;

use std::num::NonZeroU32;
use std::time::Duration;

use crate::findings::{Findings, Span, quoted};
use crate::shape::{decimal, whole};
use crate::yaml::Node;
use crate::{Cpu, Globs, Identifier, Pattern, Size, duration, size};

pub(crate) use pipeline::pipeline;

/// The keys of a mapping, which the reader asks for one by one.
impl Node {
    /// A text that holds no expression.
    fn literal<'n>(&'n self, findings: &mut Findings<'_>, what: &str) -> Option<&'n str> {
        let text = self.text()?;
        if text.contains("${{") {
            let span = expressions(findings, self).into_iter().next().unwrap_or(self.span);
            let message = format!("an expression cannot stand in {what}");
            findings.report_hint(span, message, "it is read before anything is known: give it a fixed text");
            return None;
        }
        if text.contains('\0') {
            return None;
        }
        Some(text)
    }

    /// A literal text of a key that is there.
    fn literal_of<'n>(&'n self, findings: &mut Findings<'_>, key: &str) -> Option<&'n str> {
        self.get(key)?.literal(findings, &format!("`{key}`"))
    }

    fn boolean_of(&self, key: &str) -> bool {
        self.get(key).and_then(Self::boolean).unwrap_or_default()
    }

    fn time_of(&self, key: &str) -> Option<Duration> {
        // How long it may be was checked by its form.
        self.get(key)?.text().and_then(|text| duration::parse_up_to(text, 3_650).ok())
    }

    fn size_of(&self, key: &str) -> Option<Size> {
        self.get(key)?.text().and_then(|text| size::parse(text).ok())
    }

    fn cpu_of(&self, key: &str) -> Option<Cpu> {
        self.get(key)?.text().and_then(decimal).map(|thousandths| Cpu { thousandths })
    }

    fn number_of(&self, key: &str) -> Option<i64> {
        self.get(key)?.text().and_then(whole)
    }

    fn count_of(&self, key: &str) -> Option<NonZeroU32> {
        self.number_of(key).and_then(|number| u32::try_from(number).ok()).and_then(NonZeroU32::new)
    }

    /// The place of a key, or the mapping's own.
    fn span_of(&self, key: &str) -> Span {
        self.entry(key).map_or(self.span, |entry| entry.key_span)
    }
}

/// What a word stands for.
pub(crate) fn word<T: Copy>(text: &str, meanings: &[(&str, T)]) -> Option<T> {
    meanings.iter().find(|(word, _)| *word == text).map(|(_, meaning)| *meaning)
}

/// The words of a list, each once.
pub(crate) fn words<T: Copy>(
    findings: &mut Findings<'_>,
    node: Option<&Node>,
    meanings: &[(&str, T)],
) -> Vec<T> {
    let items = node.map(Node::items).unwrap_or_default();
    let known = items.iter().filter_map(|item| item.text().map(|text| (item.span, text)));
    let once = once(findings, known);
    once.into_iter().filter_map(|(_, text)| word(text, meanings)).collect()
}

/// What is named twice is said, and left out.
pub(crate) fn once<'n>(
    findings: &mut Findings<'_>,
    texts: impl IntoIterator<Item = (Span, &'n str)>,
) -> Vec<(Span, &'n str)> {
    let mut seen = std::collections::HashSet::new();
    let mut kept = Vec::new();
    for (span, text) in texts {
        if seen.insert(text) {
            kept.push((span, text));
        } else {
            findings.report_hint(span, format!("{} is named twice", quoted(text)), "keep one of them");
        }
    }
    kept
}

/// A list of literal texts, none of them blank, each once.
pub(crate) fn texts(findings: &mut Findings<'_>, node: Option<&Node>, what: &str) -> Vec<String> {
    let mut found = Vec::new();
    for item in node.map(Node::items).unwrap_or_default() {
        let Some(text) = item.literal(findings, what) else { continue };
        if text.trim().is_empty() {
            findings.report_hint(item.span, format!("{what} holds an empty text"), "take it away");
            continue;
        }
        found.push((item.span, text));
    }
    once(findings, found).into_iter().map(|(_, text)| text.to_owned()).collect()
}

/// A name that expressions and variables can use.
pub(crate) fn identifier(findings: &mut Findings<'_>, node: &Node, what: &str) -> Option<Identifier> {
    let text = node.literal(findings, what)?;
    identifier_of(findings, text, node.span, what)
}

/// A text that must be such a name.
pub(crate) fn identifier_of(
    findings: &mut Findings<'_>,
    text: &str,
    span: Span,
    what: &str,
) -> Option<Identifier> {
    match text.parse::<Identifier>() {
        Ok(name) => Some(name),
        Err(error) => {
            findings.report_hint(span, format!("{} cannot be {what}", quoted(text)), error.rule());
            None
        }
    }
}

/// A regular expression with these groups.
pub(crate) fn pattern(
    findings: &mut Findings<'_>,
    node: &Node,
    what: &str,
    groups: &[&str],
) -> Option<Pattern> {
    let text = node.literal(findings, what)?;
    match text.parse::<Pattern>() {
        Ok(pattern) => {
            for group in groups.iter().filter(|group| !pattern.has_group(group)) {
                findings.report_hint(
                    node.span,
                    format!("{what} has no group `{group}`"),
                    format!("name the part that is meant: `(?<{group}>…)`"),
                );
            }
            Some(pattern)
        }
        Err(error) => {
            findings.report_hint(
                node.span,
                format!("{what} is not a regular expression: {error}"),
                "within YAML's double quotes a backslash is written twice; single quotes leave it alone",
            );
            None
        }
    }
}

/// Reads a list of globs; a single one stands for a list of it.
pub(crate) fn globs(findings: &mut Findings<'_>, node: Option<&Node>, what: &str) -> Option<Globs> {
    let items = node?.items();
    let mut patterns = Vec::with_capacity(items.len());
    for item in items {
        let Some(pattern) = item.literal(findings, what) else { continue };
        match Globs::new([pattern]) {
            Ok(_) => patterns.push(pattern),
            Err(error) => findings.report_hint(
                item.span,
                format!("{what}: {error}"),
                "`*` and `?` match within a part, `**` across `/`, and `!` before a pattern takes away",
            ),
        }
    }
    if patterns.len() == items.len() { Globs::new(patterns).ok() } else { None }
}

/// Globs of files below the workspace.
pub(crate) fn file_globs(findings: &mut Findings<'_>, node: Option<&Node>, what: &str) -> Option<Globs> {
    for item in node.map(Node::items).unwrap_or_default() {
        let text = item.text().unwrap_or_default();
        let path = text.strip_prefix('!').unwrap_or(text);
        if !is_below(path) {
            findings.report_hint(
                item.span,
                format!("{what}: {} is not within the repository", quoted(text)),
                "name files by their paths from its root, without `/` before and `..` in them",
            );
        }
    }
    globs(findings, node, what)
}

/// A path that does not leave the folder it is relative to.
pub(crate) fn is_below(path: &str) -> bool {
    let mut depth = 0usize;
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => match depth.checked_sub(1) {
                Some(above) => depth = above,
                None => return false,
            },
            _ => depth += 1,
        }
    }
    !path.starts_with('/')
}

/// A folder below the workspace.
pub(crate) fn folder(findings: &mut Findings<'_>, node: &Node, what: &str) -> Option<String> {
    let folder = node.literal(findings, what)?;
    let message = if folder.trim().is_empty() {
        format!("{what} is empty")
    } else if !is_below(folder) {
        format!("{} is not within the workspace", quoted(folder))
    } else {
        return Some(folder.to_owned());
    };
    findings.report_hint(
        node.span,
        message,
        "name a folder of the repository, relative to its root, or leave it out",
    );
    None
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
