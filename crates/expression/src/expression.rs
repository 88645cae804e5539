//! An expression: its text, once it has been read.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::ast::Node;
use crate::mention::{self, Call, Mentions, Use};
use crate::{SyntaxError, parse};

/// A CEL expression that could be read. Two are equal if their texts are. Clones share all.
#[derive(Clone)]
pub struct Expression(Arc<Parts>);

struct Parts {
    text: String,
    root: Node,
    mentions: Mentions,
}

/// How the part of a text begins that is an expression.
pub(crate) const OPEN: &str = "${{";

impl Expression {
    /// Reads an expression. As a condition may be written with or without them, it may stand in one pair of
    /// `${{ }}`; they count in what offsets say.
    ///
    /// # Errors
    /// The first mistake, with its place.
    pub fn parse(text: &str) -> Result<Expression, SyntaxError> {
        let wrapped = text.len() - text.trim_start().len();
        if !text[wrapped..].starts_with(OPEN) {
            return Ok(Expression::new(text.to_owned(), parse::parse(text, 0, false)?.0));
        }
        let (root, end) = parse::parse(text, wrapped + OPEN.len(), true)?;
        let after = text[end..].trim();
        if !after.is_empty() {
            let offset = text.len() - text[end..].trim_start().len();
            return Err(SyntaxError {
                offset,
                len: after.len(),
                message: "`${{ }}` has ended, but the condition goes on".to_owned(),
                hint: Some("write the whole condition without `${{ }}`".to_owned()),
            });
        }
        Ok(Expression::new(text.to_owned(), root))
    }

    /// Of a text and the tree of it.
    pub(crate) fn new(text: String, root: Node) -> Expression {
        let mentions = mention::of(&root);
        Expression(Arc::new(Parts { text, root, mentions }))
    }

    /// The text, as it was written, with `${{ }}` if they were.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0.text
    }

    /// The expression alone, without `${{ }}` and blanks around it: for reasons and messages.
    #[must_use]
    pub fn condition(&self) -> &str {
        let span = self.0.root.span;
        self.text().get(span.at..span.end).unwrap_or_default()
    }

    pub(crate) fn root(&self) -> &Node {
        &self.0.root
    }

    /// Every name that it reads, in the order of the text; those that its own macros bind are none.
    #[must_use]
    pub fn uses(&self) -> &[Use] {
        &self.0.mentions.uses
    }

    /// Every function that it calls, in the order of the text.
    #[must_use]
    pub fn calls(&self) -> &[Call] {
        &self.0.mentions.calls
    }

    /// The jobs whose end it must know.
    #[must_use]
    pub fn needs(&self) -> Needs {
        let mut jobs: Vec<String> = Vec::new();
        for used in self.uses().iter().filter(|used| used.path[0] == "needs") {
            match used.path.get(1) {
                Some(job) if !jobs.contains(job) => jobs.push(job.clone()),
                Some(_) => {}
                None => return Needs::All,
            }
        }
        if jobs.is_empty() { Needs::None } else { Needs::Some(jobs) }
    }

    /// Whether it says itself what is to happen after a failure: it calls `success`, `failure`, `always` or
    /// `cancelled`. Of one that does not, `success() && …` is meant.
    #[must_use]
    pub fn mentions_status_function(&self) -> bool {
        self.calls().iter().any(|call| !call.method && STATUS_FUNCTIONS.contains(&call.name.as_str()))
    }

    /// Whether it may hold although a need failed: it calls `failure`, `always` or `cancelled`.
    #[must_use]
    pub fn may_hold_after_failure(&self) -> bool {
        self.calls().iter().any(|call| !call.method && STATUS_FUNCTIONS[1..].contains(&call.name.as_str()))
    }

    /// Whether it can be answered only when the needs have ended.
    #[must_use]
    pub fn waits_for_needs(&self) -> bool {
        self.mentions_status_function() || self.needs() != Needs::None
    }
}

/// The functions that ask how it went so far; `success` first, which is what is asked where nothing is.
pub(crate) const STATUS_FUNCTIONS: [&str; 4] = ["success", "failure", "always", "cancelled"];

/// Which needs an expression names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Needs {
    /// None.
    None,
    /// These jobs, in the order of the text.
    Some(Vec<String>),
    /// Whichever turns out: `needs` as a whole, or by a key that is worked out.
    All,
}

impl PartialEq for Expression {
    fn eq(&self, other: &Expression) -> bool {
        self.text() == other.text()
    }
}

impl Eq for Expression {}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Expression({:?})", self.text())
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl Serialize for Expression {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.text())
    }
}

impl<'de> Deserialize<'de> for Expression {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Expression, D::Error> {
        Expression::parse(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}
