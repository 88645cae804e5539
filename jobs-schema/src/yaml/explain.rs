//! The parser's errors in words for people who write pipelines, not parsers. Where there is no better word for
//! one, the parser's own is shown.

use serde_saphyr::granit_parser::{self, ErrorKind, Marker, ScanError};

use crate::findings::{Findings, Span, quoted};

/// The bytes of one of the parser's spans.
pub(crate) fn span_of(text: &str, span: &granit_parser::Span) -> Span {
    let start = offset(text, &span.start);
    Span { start, end: offset(text, &span.end).max(start) }
}

/// The bytes of the tag before a value; of the value where there is none.
pub(crate) fn tag_of(text: &str, span: &granit_parser::Span) -> Span {
    span_of(text, &span.tag_span().unwrap_or(*span))
}

fn offset(text: &str, marker: &Marker) -> usize {
    // The parser knows bytes wherever it reads from a text that is whole in memory, as here.
    let offset = marker
        .byte_offset()
        .unwrap_or_else(|| text.char_indices().nth(marker.index()).map_or(text.len(), |(offset, _)| offset));
    offset.min(text.len())
}

/// Reports why the text is not YAML.
pub(crate) fn explain(findings: &mut Findings<'_>, error: &ScanError) {
    let start = offset(findings.text(), error.marker());
    let span = Span { start, end: start };
    let (message, hint) = words(error.kind());
    match hint {
        Some(hint) => findings.report_hint(span, message, hint),
        None => findings.report(span, message),
    }
}

fn words(kind: &ErrorKind) -> (String, Option<&'static str>) {
    const ALIGN: &str = "indent the line like its neighbours, with spaces";
    const QUOTE: &str =
        "put the text between quotes where it holds `: `, or ` #`, or begins with a special character";
    let (message, hint) = match kind {
        ErrorKind::TabNotAllowed
        | ErrorKind::TabInBlockIndentation
        | ErrorKind::TabInIndentation
        | ErrorKind::TabAtBlockScalarStart => {
            ("a tab cannot indent a line of YAML".to_owned(), "indent with spaces")
        }
        ErrorKind::MappingValueNotAllowed | ErrorKind::InvalidColonPlacement => {
            ("a `:` cannot stand here".to_owned(), QUOTE)
        }
        ErrorKind::SimpleKeyExpected | ErrorKind::InvalidSimpleKey => (
            "a `:` is missing after a key".to_owned(),
            "write `key: value`, and indent the line like its neighbours",
        ),
        ErrorKind::ExpectedBlockMappingKey => ("a key is expected here".to_owned(), ALIGN),
        ErrorKind::ExpectedBlockSequenceEntry => ("a `- ` is expected here".to_owned(), ALIGN),
        ErrorKind::BlockSequenceEntryNotAllowed | ErrorKind::BlockEntryInFlowCollection => (
            "a `- ` cannot stand here".to_owned(),
            "begin a list on a line of its own below its key, or write it between `[` and `]`",
        ),
        ErrorKind::InvalidQuotedScalarIndent => (
            "this line is still within quotes, but is not indented".to_owned(),
            "close the quote before it, or indent the line",
        ),
        ErrorKind::InvalidIndentation | ErrorKind::InvalidFlowScalarIndent => {
            ("this line is not indented enough for where it stands".to_owned(), ALIGN)
        }
        ErrorKind::InvalidBlockScalarIndent => (
            "this line of a block of text is indented less than its first".to_owned(),
            "indent all lines below `|` or `>` alike",
        ),
        ErrorKind::UnclosedQuotedScalar => {
            ("a quote is never closed".to_owned(), "close it, or take it away")
        }
        ErrorKind::UnclosedFlowCollection { open } => {
            (format!("this `{open}` is never closed"), "close it, or put the text between quotes")
        }
        ErrorKind::MismatchedFlowCollectionEnd { open, close } => {
            (format!("`{open}` is closed by `{close}`"), "close each bracket by its own kind")
        }
        ErrorKind::MisplacedFlowCollectionEnd => (
            "a bracket is closed that was never opened".to_owned(),
            "take it away, or put the text between quotes",
        ),
        ErrorKind::ExpectedFlowMappingSeparator => (
            "a `,` or `}` is expected here".to_owned(),
            "a text with brackets or a `,` in it needs quotes around it",
        ),
        ErrorKind::ExpectedFlowSequenceSeparator => (
            "a `,` or `]` is expected here".to_owned(),
            "a text with brackets or a `,` in it needs quotes around it",
        ),
        ErrorKind::UnexpectedCharacter { character } => {
            (format!("the character {} cannot stand here", shown(*character)), QUOTE)
        }
        ErrorKind::UnknownQuotedScalarEscape => (
            "an unknown escape in a text between double quotes".to_owned(),
            "write `\\\\` for a backslash, or use single quotes, in which nothing is escaped",
        ),
        ErrorKind::InvalidTrailingSingleQuotedScalar | ErrorKind::InvalidTrailingDoubleQuotedScalar => (
            "something follows a closing quote".to_owned(),
            "put all of the text between quotes, or, for a command, below a `|`",
        ),
        ErrorKind::RecursionLimitExceeded => (
            "values are nested too deep".to_owned(),
            "no key of a pipeline needs that: check brackets and indentation",
        ),
        ErrorKind::DirectiveDisallowed => {
            ("a YAML directive is not supported".to_owned(), "take the line with the `%` away")
        }
        other => return (format!("this is not YAML: {other}"), None),
    };
    (message, Some(hint))
}

/// A backtick between backticks is no help to anybody.
fn shown(character: char) -> String {
    if character == '`' { "'`'".to_owned() } else { quoted(&character.to_string()) }
}
