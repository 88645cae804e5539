//! What is found wrong while a file is read. Invariant: reading never stops at a mistake that leaves the rest
//! readable; each mistake is put here, with the bytes it is about, and the reader goes on. Lines and columns are
//! worked out once, at the end, for the mistakes that are shown, so that a file of nothing but mistakes is still
//! read in linear time.

use crate::{Diagnostic, Diagnostics};

/// The bytes of the text that something is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Span {
    /// The first byte.
    pub(crate) start: usize,
    /// The byte after the last.
    pub(crate) end: usize,
}

/// How many diagnostics a person is shown of one file.
const MOST_SHOWN: usize = 100;

/// How many are kept until they are sorted; more are only counted.
const MOST_KEPT: usize = 1_000;

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    span: Span,
    message: String,
    hint: Option<String>,
}

/// The text of one file, and all that is wrong with it so far.
#[derive(Debug)]
pub(crate) struct Findings<'t> {
    file: &'t str,
    text: &'t str,
    line_starts: Vec<usize>,
    found: Vec<Finding>,
    more: usize,
}

impl<'t> Findings<'t> {
    pub(crate) fn new(file: &'t str, text: &'t str) -> Self {
        let line_starts =
            std::iter::once(0).chain(text.match_indices('\n').map(|(newline, _)| newline + 1)).collect();
        Self { file, text, line_starts, found: Vec::new(), more: 0 }
    }

    /// The text that is read.
    pub(crate) fn text(&self) -> &'t str {
        self.text
    }

    /// The text of a span; empty where it is none.
    pub(crate) fn slice(&self, span: Span) -> &'t str {
        self.text.get(span.start..span.end).unwrap_or_default()
    }

    /// Nothing is wrong so far.
    pub(crate) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// So much is wrong that working out a hint is of no use to anybody.
    pub(crate) fn is_full(&self) -> bool {
        self.found.len() >= MOST_KEPT
    }

    /// The line of a byte, from 1.
    pub(crate) fn line(&self, offset: usize) -> usize {
        self.line_starts.partition_point(|start| *start <= offset).max(1)
    }

    /// Something is wrong.
    pub(crate) fn report(&mut self, span: Span, message: impl Into<String>) {
        self.keep(span, message.into(), None);
    }

    /// Something is wrong, and this is what to do about it.
    pub(crate) fn report_hint(&mut self, span: Span, message: impl Into<String>, hint: impl Into<String>) {
        self.keep(span, message.into(), Some(hint.into()));
    }

    fn keep(&mut self, span: Span, message: String, hint: Option<String>) {
        if self.is_full() {
            self.more += 1;
        } else {
            self.found.push(Finding { span, message, hint });
        }
    }

    /// All that was found, by position, the same mistake at the same place once (an alias can bring it twice).
    pub(crate) fn into_diagnostics(mut self) -> Diagnostics {
        let mut found = std::mem::take(&mut self.found);
        found.sort();
        found.dedup();
        let hidden = found.len().saturating_sub(MOST_SHOWN) + self.more;
        let last = found.get(MOST_SHOWN).map(|finding| finding.span);
        found.truncate(MOST_SHOWN);
        if let (Some(span), true) = (last, hidden > 0) {
            let message = format!("and {hidden} more");
            found.push(Finding {
                span,
                message,
                hint: Some("correct those above first; each is named once they are fewer".to_owned()),
            });
        }
        Diagnostics(found.into_iter().map(|finding| self.diagnostic(finding)).collect())
    }

    fn diagnostic(&self, finding: Finding) -> Diagnostic {
        let start = self.text.floor_char_boundary(finding.span.start);
        let line = self.line(start);
        let line_start = self.line_starts.get(line - 1).copied().unwrap_or_default();
        let line_end = self.line_starts.get(line).map_or(self.text.len(), |next| next - 1);
        let end = self.text.floor_char_boundary(finding.span.end.min(line_end));
        let characters =
            |from: usize, to: usize| self.text.get(from..to).map_or(0, |part| part.chars().count());
        let marked = self.text.get(start..end).map_or(0, |part| part.trim_end().chars().count());
        Diagnostic {
            file: self.file.to_owned(),
            line,
            column: characters(line_start, start) + 1,
            length: (marked > 0).then_some(marked),
            message: finding.message,
            hint: finding.hint,
        }
    }
}

/// How many characters of a text of the user's are quoted in a message.
const MOST_QUOTED: usize = 60;

/// A text of the user's as it stands in a message: between backticks, control characters made visible, cut where
/// it is long.
pub(crate) fn quoted(text: &str) -> String {
    if text.is_empty() {
        return "`\"\"`".to_owned();
    }
    let mut quoted = String::from("`");
    for (count, character) in text.chars().enumerate() {
        if count == MOST_QUOTED {
            quoted.push('…');
            break;
        }
        if character.is_control()
            || matches!(character, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        {
            quoted.extend(character.escape_default());
        } else {
            quoted.push(character);
        }
    }
    quoted.push('`');
    quoted
}

/// A number with its thousands parted, as people read it: `1,024`.
pub(crate) fn counted(number: usize) -> String {
    let digits = number.to_string();
    let mut counted = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            counted.push(',');
        }
        counted.push(digit);
    }
    counted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_characters_and_never_leave_the_line() {
        let mut findings = Findings::new("x.yaml", "a: 1\r\nüü: 22\r\n");
        findings.report(Span { start: 12, end: 99 }, "late");
        findings.report_hint(Span { start: 10, end: 10 }, "early", "do");
        let Diagnostics(found) = findings.into_diagnostics();
        let seen: Vec<_> = found.iter().map(|d| (d.line, d.column, d.length, d.message.as_str())).collect();
        assert_eq!(seen, [(2, 3, None, "early"), (2, 5, Some(2), "late")]);
    }

    #[test]
    fn a_hundred_are_shown_and_the_rest_is_counted() {
        let text = "x\n".repeat(5_000);
        let mut findings = Findings::new("x.yaml", &text);
        for line in 0..5_000 {
            findings.report(Span { start: line * 2, end: line * 2 + 1 }, "wrong");
        }
        let Diagnostics(found) = findings.into_diagnostics();
        assert_eq!(found.len(), 101);
        assert_eq!(found[100].message, "and 4900 more");
        assert_eq!(found[100].line, 101);
    }

    #[test]
    fn the_same_mistake_at_the_same_place_is_named_once() {
        let mut findings = Findings::new("x.yaml", "x");
        findings.report(Span { start: 0, end: 1 }, "wrong");
        findings.report(Span { start: 0, end: 1 }, "wrong");
        assert_eq!(findings.into_diagnostics().0.len(), 1);
    }

    #[test]
    fn what_a_user_wrote_is_quoted_without_its_control_characters() {
        assert_eq!(quoted("a\u{1b}[31m\0"), "`a\\u{1b}[31m\\u{0}`");
        assert_eq!(quoted(&"ü".repeat(70)), format!("`{}…`", "ü".repeat(60)));
    }

    #[test]
    fn thousands_are_parted() {
        assert_eq!(
            ["0", "999", "1,024", "100,000"],
            [0, 999, 1024, 100_000].map(counted).each_ref().map(String::as_str)
        );
    }
}
