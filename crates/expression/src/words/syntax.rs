//! What a person is told of an expression that cannot be read. Everything that is said of syntax is said here.

use crate::ast::{MacroKind, Node};
use crate::token::{Span, Token};
use crate::{MAX_DEPTH, MAX_LENGTH, SyntaxError};

/// Names that CEL keeps for itself ("Syntax", RESERVED).
pub(crate) const RESERVED: &[&str] = &[
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "in",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
];

fn error(at: usize, len: usize, message: impl Into<String>, hint: impl Into<String>) -> SyntaxError {
    SyntaxError { offset: at, len: len.max(1), message: message.into(), hint: Some(hint.into()) }
}

/// A token that was not expected, with its place and how it is written.
pub(crate) struct Found<'a> {
    pub(crate) token: &'a Token,
    pub(crate) span: Span,
    pub(crate) source: &'a str,
}

impl Found<'_> {
    fn shown(&self) -> String {
        match self.token {
            Token::Text(_) => "a text".to_owned(),
            Token::End => "the end".to_owned(),
            _ => format!("`{}`", self.source),
        }
    }

    fn wrong(&self, message: String, hint: impl Into<String>) -> SyntaxError {
        error(self.span.at, self.span.len(), message, hint)
    }
}

pub(crate) fn empty(from: usize, end: usize) -> SyntaxError {
    error(from, end - from, "the expression is empty", "write one, such as `event.branch == \"main\"`")
}

pub(crate) fn too_long(at: usize, len: usize) -> SyntaxError {
    error(
        at,
        len,
        format!("the expression has {len} bytes; at most {MAX_LENGTH} are read"),
        "say less here, or let a step's script decide",
    )
}

pub(crate) fn too_deep(span: Span) -> SyntaxError {
    error(
        span.at,
        span.len(),
        format!("the expression is nested more than {MAX_DEPTH} levels deep"),
        "take it apart: `a && b && c` and lists may be long, nesting may not",
    )
}

pub(crate) fn bytes_literal(at: usize, len: usize) -> SyntaxError {
    error(at, len, "bytes (`b\"…\"`) are not part of expressions here", "write a text: `\"…\"`")
}

pub(crate) fn open_text(at: usize, len: usize, close: &str) -> SyntaxError {
    error(at, len, "the text is not closed", format!("end it with {close}"))
}

pub(crate) fn unknown_escape(at: usize, rest: &str) -> SyntaxError {
    let shown: String = rest.chars().take(2).collect();
    error(
        at,
        shown.len(),
        format!("`{shown}` is no escape in a text"),
        "write `\\\\` for a backslash, or a raw text: `r\"^v\\d+\"`",
    )
}

pub(crate) fn unknown_sign(rest: &str, at: usize, first: char) -> SyntaxError {
    let hint = match first {
        '=' => "compare with `==`",
        '&' => "write `&&`",
        '|' => "write `||`",
        '$' if rest.starts_with("${{") => "write it without `${{ }}`: a condition is an expression already",
        '$' => "a name stands alone: `event.branch`",
        '`' => "a text stands in `\"…\"` or `'…'`",
        '#' => "a comment begins with `//`",
        _ => "a text stands in quotes: `\"…\"`",
    };
    error(at, first.len_utf8(), format!("`{}` means nothing here", first.escape_debug()), hint)
}

pub(crate) fn number_with_letters(at: usize, len: usize, after: char) -> SyntaxError {
    let (message, hint) = match after {
        'u' | 'U' => ("unsigned numbers are not part of expressions here", "write it without `u`"),
        _ => {
            ("letters follow a number", "write a text in quotes, as `\"1.94\"`, or a space after the number")
        }
    };
    error(at, len + 1, message, hint)
}

pub(crate) fn number_out_of_range(at: usize, len: usize) -> SyntaxError {
    error(at, len, "the number is out of range", "whole numbers go to 9223372036854775807")
}

pub(crate) fn reserved(word: &str, span: Span) -> SyntaxError {
    let hint = match word {
        "if" => "write `condition ? yes : no`",
        "in" => "a value stands before `in`: `\"x\" in list`",
        _ => "name it in brackets: `matrix[\"for\"]`",
    };
    error(span.at, span.len(), format!("`{word}` is a word of CEL itself, and no name"), hint)
}

pub(crate) fn message(span: Span) -> SyntaxError {
    error(
        span.at,
        span.len(),
        "messages (`Type{…}`) are not part of expressions here",
        "a map is `{\"key\": 1}`",
    )
}

pub(crate) fn optional(span: Span) -> SyntaxError {
    error(
        span.at,
        span.len(),
        "optional fields (`.?`) are not needed here",
        "write `a.b`: of what has no value it is null",
    )
}

pub(crate) fn field_name(found: &Found<'_>) -> SyntaxError {
    let hint = match found.token {
        Token::Int(_) => "write `[0]`",
        Token::Text(_) => "write `[\"…\"]`",
        Token::Sign("*") => "ask each item: `list.exists(x, x == 1)`",
        _ => "write a name after the dot, or a key in brackets: `matrix[\"node-version\"]`",
    };
    found.wrong(format!("after `.` a name is missing: here comes {}", found.shown()), hint)
}

pub(crate) fn has_wants_a_field(span: Span) -> SyntaxError {
    error(span.at, span.len(), "`has` wants one field", "write `has(event.tag)`, or `event[\"tag\"] != null`")
}

fn usage(kind: MacroKind) -> &'static str {
    match kind {
        MacroKind::All => "list.all(x, x > 0)",
        MacroKind::Exists => "list.exists(x, x == \"ok-to-test\")",
        MacroKind::ExistsOne => "list.exists_one(x, x == \"ok-to-test\")",
        MacroKind::Filter => "list.filter(x, x.startsWith(\"a\"))",
        MacroKind::Map => "list.map(x, x + \"!\")",
    }
}

fn macro_name(kind: MacroKind) -> &'static str {
    MacroKind::NAMES.iter().find(|(_, other)| *other == kind).map_or("", |(name, _)| name)
}

pub(crate) fn macro_variable(kind: MacroKind, span: Span) -> SyntaxError {
    error(
        span.at,
        span.len(),
        format!("`{}` wants a plain name for its item first", macro_name(kind)),
        format!("as in `{}`", usage(kind)),
    )
}

pub(crate) fn macro_arguments(kind: MacroKind, span: Span) -> SyntaxError {
    error(
        span.at,
        span.len(),
        format!("`{}` wants a name for its item, and what to ask of it", macro_name(kind)),
        format!("as in `{}`", usage(kind)),
    )
}

pub(crate) fn expected(sign: &str, after: &str, found: &Found<'_>) -> SyntaxError {
    let hint = foreign(found.token).unwrap_or_else(|| format!("write `{sign}`"));
    found.wrong(format!("`{sign}` is missing {after}: here comes {}", found.shown()), hint)
}

pub(crate) fn open_items(close: &str, what: &str, found: &Found<'_>) -> SyntaxError {
    let hint = foreign(found.token).unwrap_or_else(|| format!("write `,` or `{close}`"));
    found
        .wrong(format!("{what} go on with `,` or end with `{close}`, but here comes {}", found.shown()), hint)
}

pub(crate) fn no_operand(found: &Found<'_>, before: &str) -> SyntaxError {
    let place = if before.is_empty() { "at the start".to_owned() } else { format!("after `{before}`") };
    let hint = match (before, found.token) {
        ("?", Token::Sign("?")) => "say what counts instead of null: `x == null ? \"default\" : x`",
        (_, Token::Sign("}")) => "write a value before `}}`",
        _ => "write a name, a text in quotes, a number, or an expression in parentheses",
    };
    found.wrong(format!("{place} a value is missing: here comes {}", found.shown()), hint)
}

pub(crate) fn trailing(found: &Found<'_>, node: &Node) -> SyntaxError {
    let touches = found.span.at == node.span.end;
    let hint = foreign(found.token).unwrap_or_else(|| {
        let hint = match found.token {
            Token::Sign(_) => "take it away, or open it before",
            Token::Int(_) | Token::Double(_) if touches => {
                "a version is a text, as `\"1.94.1\"`; an item is named in brackets, as `list[0]`"
            }
            _ => "join conditions with `&&` or `||`; a text stands in quotes",
        };
        hint.to_owned()
    });
    found.wrong(format!("the expression has ended, but here comes {}", found.shown()), hint)
}

pub(crate) fn open_interpolation(found: &Found<'_>, from: usize) -> SyntaxError {
    if *found.token == Token::End {
        let hint = "end it with `}}`; for the characters themselves write `$${{`";
        return error(from.saturating_sub(3), 3, "`${{` is not closed", hint);
    }
    let hint = foreign(found.token)
        .unwrap_or_else(|| "end it with `}}`, or join values with an operator".to_owned());
    found.wrong(format!("the expression has ended, but here comes {} instead of `}}}}`", found.shown()), hint)
}

/// What users of other languages write between two values.
fn foreign(token: &Token) -> Option<String> {
    let Token::Name(name) = token else { return None };
    let write = match name.to_ascii_lowercase().as_str() {
        "and" => "write `&&`",
        "or" => "write `||`",
        "is" | "eq" => "write `==`",
        "ne" => "write `!=`",
        "not" => "write `!`; for `not in` write `!(a in b)`",
        "contains" | "startswith" | "endswith" | "matches" => "write `a.contains(b)`, `a.startsWith(b)`, …",
        _ => return None,
    };
    Some(write.to_owned())
}
