//! Text with expressions in it: `deploy-${{ inputs.target }}`.
//!
//! An expression begins with `${{` and ends with the `}}` that is neither within a text nor the end of a map.
//! `$${{` stands for the characters `${{` themselves. Everything else is text, as it is.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::expression::OPEN;
use crate::{Expression, MAX_PARTS, SyntaxError, parse};

/// A text that may have expressions in it. Two are equal if their texts are.
#[derive(Clone)]
pub struct Template {
    text: String,
    pub(crate) parts: Vec<Part>,
}

#[derive(Clone)]
pub(crate) enum Part {
    Text(String),
    /// An expression, and where its text begins in that of the template, in bytes.
    Expression(usize, Expression),
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// The first mistake in one of its expressions, or one that is not closed, with its place.
    pub fn parse(text: &str) -> Result<Template, SyntaxError> {
        let mut parts: Vec<Part> = Vec::new();
        let mut literal = String::new();
        let mut from = 0;
        while let Some(found) = text[from..].find(OPEN) {
            let at = from + found;
            literal.push_str(&text[from..at]);
            if literal_is_wanted(text, from, at) {
                literal.push_str(&OPEN[1..]);
                from = at + OPEN.len();
                continue;
            }
            let written = &text[at..];
            let (root, len) = parse::parse(written, OPEN.len(), true).map_err(|error| error.moved(at))?;
            let end = at + len;
            if !literal.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut literal)));
            }
            if parts.len() >= MAX_PARTS {
                return Err(SyntaxError {
                    offset: at,
                    len: end - at,
                    message: format!("the text has more than {MAX_PARTS} parts"),
                    hint: Some("put it together in a step's script".to_owned()),
                });
            }
            parts.push(Part::Expression(at, Expression::new(written[..len].to_owned(), root)));
            from = end;
        }
        literal.push_str(&text[from..]);
        if !literal.is_empty() || parts.is_empty() {
            parts.push(Part::Text(literal));
        }
        Ok(Template { text: text.to_owned(), parts })
    }

    /// A template that is this text and nothing else, whatever is in it.
    #[must_use]
    pub fn verbatim(text: &str) -> Template {
        Template { text: text.replace(OPEN, "$${{"), parts: vec![Part::Text(text.to_owned())] }
    }

    /// The text, as it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What it says, if there is no expression in it.
    #[must_use]
    pub fn literal(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// Its expressions, in their order, each with where its text (with its `${{ }}`) begins in that of the
    /// template, in bytes.
    pub fn expressions(&self) -> impl Iterator<Item = (usize, &Expression)> {
        self.parts.iter().filter_map(|part| match part {
            Part::Text(_) => None,
            Part::Expression(at, expression) => Some((*at, expression)),
        })
    }
}

/// Whether a `$` stands before the `${{` at `at`, which makes it text.
fn literal_is_wanted(text: &str, from: usize, at: usize) -> bool {
    text[from..at].ends_with('$')
}

impl PartialEq for Template {
    fn eq(&self, other: &Template) -> bool {
        self.text == other.text
    }
}

impl Eq for Template {}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Template({:?})", self.text)
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for Template {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Template {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Template, D::Error> {
        Template::parse(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}
