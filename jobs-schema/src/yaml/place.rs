//! From a place in a scalar's text to its place in the file: quotes, escapes and folded lines change how many bytes there
//! are, so the two are followed side by side.

use super::{Kind, Node};
use crate::findings::Span;

/// The bytes of the file that a part of a scalar's text was read from. Where it cannot be told, the whole scalar's.
pub(crate) fn within(file: &str, node: &Node, offset: usize, length: usize) -> Span {
    let Kind::Scalar { text, block, .. } = &node.kind else { return node.span };
    let Some(raw) = file.get(node.span.start..node.span.end) else { return node.span };
    let end = offset.saturating_add(length);
    let mut follow = Follow::new(raw, *block);
    let (mut start_found, mut end_found) = (None, None);
    for (at, character) in text.char_indices() {
        follow.skip_to(character);
        if at == offset {
            start_found = Some(follow.at);
        }
        if !follow.take(character) {
            return node.span;
        }
        if at + character.len_utf8() == end {
            end_found = Some(follow.at);
        }
        if end_found.is_some() && start_found.is_some() {
            break;
        }
    }
    // An end of the text is a place too.
    let start = start_found.unwrap_or(follow.at);
    let end = end_found.unwrap_or(start).max(start);
    Span { start: node.span.start + start, end: node.span.start + end }
}

#[derive(PartialEq)]
enum Style {
    Unquoted,
    Single,
    Double,
}

/// A place in what was written.
struct Follow<'r> {
    raw: &'r str,
    style: Style,
    at: usize,
}

impl<'r> Follow<'r> {
    fn new(raw: &'r str, block: bool) -> Self {
        let (style, at) = match raw.as_bytes().first() {
            Some(b'\'') if !block => (Style::Single, 1),
            Some(b'"') if !block => (Style::Double, 1),
            _ => (Style::Unquoted, 0),
        };
        Self { raw, style, at }
    }

    fn rest(&self) -> &'r str {
        self.raw.get(self.at..).unwrap_or_default()
    }

    /// Passes over what was written, but is not part of the text: indentation, folded line ends, escaped ones.
    fn skip_to(&mut self, character: char) {
        loop {
            let rest = self.rest();
            if self.style == Style::Double && rest.starts_with('\\') {
                let after = rest.get(1..).unwrap_or_default();
                if !after.starts_with(['\n', '\r']) {
                    return;
                }
                self.at += 1 + (after.len() - after.trim_start().len());
                continue;
            }
            let Some(next) = rest.chars().next() else { return };
            let blank = |c: char| matches!(c, ' ' | '\t' | '\n' | '\r');
            if !blank(next) || next == character {
                return;
            }
            // A line end became a blank, or is still one to come.
            if blank(character) {
                let run = rest.len() - rest.trim_start_matches(blank).len();
                let spaces = rest.get(..run).unwrap_or_default();
                if !spaces.contains(character) {
                    return;
                }
            }
            self.at += next.len_utf8();
        }
    }

    /// Passes over what stands for one character of the text; `false` where they do not fit together.
    fn take(&mut self, character: char) -> bool {
        let rest = self.rest();
        if self.style == Style::Double && rest.starts_with('\\') {
            let digits = match rest.as_bytes().get(1) {
                Some(b'x') => 2,
                Some(b'u') => 4,
                Some(b'U') => 8,
                Some(_) => 0,
                None => return false,
            };
            let escaped = rest.chars().nth(1).map_or(0, char::len_utf8);
            self.at = (self.at + 1 + escaped + digits).min(self.raw.len());
            return self.raw.is_char_boundary(self.at);
        }
        if self.style == Style::Single && rest.starts_with("''") {
            self.at += 2;
            return character == '\'';
        }
        match rest.chars().next() {
            Some(next) if next == character => self.at += next.len_utf8(),
            // A folded line end.
            Some(next) if next.is_whitespace() && character.is_whitespace() => self.at += next.len_utf8(),
            // Line ends that were added, or kept, at the end of a block; those before its first line, where its place begins.
            None if character.is_whitespace() => {}
            Some(_) if character.is_whitespace() && self.at == 0 => {}
            _ => return false,
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use crate::findings::Findings;
    use crate::yaml::{Kind, read};

    /// Where the text `X` of the first value stands in the file, and what is there.
    fn places(file: &str) -> Vec<(usize, String)> {
        let mut findings = Findings::new("x.yaml", file);
        let root = read(&mut findings).unwrap();
        assert!(findings.is_empty());
        let Kind::Mapping(entries) = &root.kind else { panic!("{file}") };
        let node = &entries[0].value;
        let Kind::Scalar { text, .. } = &node.kind else { panic!("{file}") };
        text.match_indices("X1")
            .map(|(at, found)| {
                let span = super::within(file, node, at, found.len());
                (span.start, file[span.start..span.end].to_owned())
            })
            .collect()
    }

    #[test]
    fn every_kind_of_scalar_shows_where_its_parts_stand() {
        for file in [
            "a: b X1 c X1\n",
            "a: 'it''s X1 and X1'\n",
            "a: \"tab\\t\\\" X1 \\u00e9\\x41 X1\"\n",
            "a: |\n  one X1\n    two X1\n  end\n",
            "a: >\n  one X1\n  two\n\n  three X1\n    more\n  X1\n",
            "a: >-\n\n\n  one X1\n",
            "a: one\n  two X1\n\n\n  three X1\n",
            "a: 'one\n  two X1\n\n  X1'\n",
            "a: \"one\\\n    X1 two\\\n  \\ X1\"\n",
            "a: \"ü漢 X1\"\n",
            "a: |\r\n  one X1\r\n  two X1\r\n",
            "a: |\n  \"X1\\n\" == 'it''s' X1\n",
        ] {
            let expected: Vec<(usize, String)> =
                file.match_indices("X1").map(|(at, text)| (at, text.to_owned())).collect();
            assert_eq!(places(file), expected, "{file:?}");
        }
    }
}
