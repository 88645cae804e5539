//! What is wrong with an expression: in its text, in its place, or with the values it met. Offsets and lengths are
//! in bytes of the text that was read.

use crate::Seen;

/// Why a text is no expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}, at byte {offset}{}", hint.as_ref().map(|hint| format!(" (hint: {hint})")).unwrap_or_default())]
pub struct SyntaxError {
    /// Where.
    pub offset: usize,
    /// For how long from there on; never 0.
    pub len: usize,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl SyntaxError {
    /// The same error in a text in which this one begins at `by`.
    pub(crate) fn moved(self, by: usize) -> SyntaxError {
        SyntaxError { offset: self.offset + by, ..self }
    }
}

/// Something that is wrong with an expression where it stands, whatever the values will be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Where.
    pub offset: usize,
    /// For how long from there on; never 0.
    pub len: usize,
    /// What is wrong, and why.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl From<SyntaxError> for Finding {
    fn from(error: SyntaxError) -> Finding {
        let SyntaxError { offset, len, message, hint } = error;
        Finding { offset, len, message, hint }
    }
}

/// Why an expression has no value here.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{message}{}{}", self.seen_words(), hint.as_ref().map(|hint| format!(" (hint: {hint})")).unwrap_or_default())]
pub struct EvaluationError {
    /// Where.
    pub offset: usize,
    /// For how long from there on; never 0.
    pub len: usize,
    /// What is wrong. It speaks of kinds of values, never of a value itself, which could be a secret.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// What it had seen until then.
    pub seen: Vec<Seen>,
}

impl EvaluationError {
    fn seen_words(&self) -> String {
        if self.seen.is_empty() {
            String::new()
        } else {
            format!("; {}", crate::evaluate::seen_text(&self.seen))
        }
    }

    pub(crate) fn moved(self, by: usize) -> EvaluationError {
        EvaluationError { offset: self.offset + by, ..self }
    }
}
