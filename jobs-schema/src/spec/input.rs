//! What somebody who starts a build may say. Invariant: a value that [`Input::parse`] gave, and every default, is one
//! of its input's type, among its options and of its pattern.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::findings::quoted;
use crate::keys::{list, nearest};
use crate::{Identifier, Pattern};

/// One input of a pipeline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Input {
    /// Its name, unique in the pipeline whatever the case of its letters.
    pub name: Identifier,
    /// What it takes.
    #[serde(flatten)]
    pub kind: InputKind,
    /// It must be given by manual, API and schedule starts. There is no default then.
    pub required: bool,
    /// What it is for.
    pub description: Option<String>,
}

/// What an input takes, and what it is where nobody says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum InputKind {
    /// A line.
    String {
        /// What it is where nobody says.
        default: Option<String>,
        /// What it must match somewhere; `None`: it may be anything.
        pattern: Option<Pattern>,
    },
    /// A text of any number of lines.
    Text {
        /// What it is where nobody says.
        default: Option<String>,
        /// What it must match somewhere; `None`: it may be anything.
        pattern: Option<Pattern>,
    },
    /// A number.
    Number {
        /// What it is where nobody says.
        default: Option<f64>,
    },
    /// `true` or `false`.
    Boolean {
        /// What it is where nobody says.
        default: Option<bool>,
    },
    /// One of several texts.
    Choice {
        /// At least one, each once.
        options: Vec<String>,
        /// What it is where nobody says.
        default: Option<String>,
    },
    /// Any of several texts.
    Choices {
        /// At least one, each once.
        options: Vec<String>,
        /// What it is where nobody says.
        default: Option<Vec<String>>,
    },
    /// A line that is never shown, and has no default.
    Password {
        /// What it must match somewhere; `None`: it may be anything.
        pattern: Option<Pattern>,
    },
}

/// What an input is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum InputValue {
    /// Of a boolean.
    Boolean(bool),
    /// Of a number.
    Number(f64),
    /// Of a string, a text, a choice or a password.
    Text(String),
    /// Of choices, each once, in the order of the options.
    Many(Vec<String>),
}

/// Why a text cannot be the value of an input. Never says a password.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct InputError {
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}

/// The longest value, in bytes.
const LONGEST: usize = 64 * 1024;

impl Input {
    /// What it is where nobody says; `None`: nothing, which expressions know as `null`.
    #[must_use]
    pub fn default_value(&self) -> Option<InputValue> {
        match &self.kind {
            InputKind::String { default, .. }
            | InputKind::Text { default, .. }
            | InputKind::Choice { default, .. } => default.clone().map(InputValue::Text),
            InputKind::Number { default } => default.map(InputValue::Number),
            InputKind::Boolean { default } => default.map(InputValue::Boolean),
            InputKind::Choices { default, .. } => default.clone().map(InputValue::Many),
            InputKind::Password { .. } => None,
        }
    }

    /// Its value is never shown.
    #[must_use]
    pub fn is_secret(&self) -> bool {
        matches!(self.kind, InputKind::Password { .. })
    }

    /// The value that a text stands for, as a form, a command line or a schedule gives it. Choices are parted by commas or
    /// line ends.
    ///
    /// # Errors
    /// Why the text cannot be its value.
    pub fn parse(&self, text: &str) -> Result<InputValue, InputError> {
        if text.len() > LONGEST {
            return Err(error(format!("it is longer than {LONGEST} bytes"), "give it a shorter value"));
        }
        if text.contains('\0') {
            return Err(error("it holds a NUL character", "take it away"));
        }
        match &self.kind {
            InputKind::String { pattern, .. } | InputKind::Password { pattern } => {
                if text.contains(['\n', '\r']) {
                    return Err(error("it has more than one line", "write it in one line"));
                }
                self.matching(text, pattern.as_ref())
            }
            InputKind::Text { pattern, .. } => self.matching(text, pattern.as_ref()),
            InputKind::Number { .. } => number(text)
                .map(InputValue::Number)
                .ok_or_else(|| error(format!("{} is not a number", quoted(text)), "write `10` or `0.5`")),
            InputKind::Boolean { .. } => match text {
                "true" => Ok(InputValue::Boolean(true)),
                "false" => Ok(InputValue::Boolean(false)),
                _ => Err(error(
                    format!("{} is neither `true` nor `false`", quoted(text)),
                    "write one of the two",
                )),
            },
            InputKind::Choice { options, .. } => {
                option(options, text).map(|one| InputValue::Text(one.to_owned()))
            }
            InputKind::Choices { options, .. } => {
                let given: Vec<&str> =
                    text.split([',', '\n']).map(str::trim).filter(|one| !one.is_empty()).collect();
                choices(options, &given).map(InputValue::Many)
            }
        }
    }

    fn matching(&self, text: &str, pattern: Option<&Pattern>) -> Result<InputValue, InputError> {
        match pattern {
            Some(pattern) if !pattern.is_match(text) => {
                let what = if self.is_secret() { "it".to_owned() } else { quoted(text) };
                Err(error(
                    format!("{what} does not match `{pattern}`"),
                    "give it a value that matches, or change its `pattern`",
                ))
            }
            _ => Ok(InputValue::Text(text.to_owned())),
        }
    }
}

/// A number as people write it; neither infinite nor none.
pub(crate) fn number(text: &str) -> Option<f64> {
    let begins = text.strip_prefix(['-', '+']).unwrap_or(text).starts_with(|c: char| c.is_ascii_digit());
    text.parse::<f64>().ok().filter(|number| begins && number.is_finite())
}

fn option<'o>(options: &'o [String], text: &str) -> Result<&'o str, InputError> {
    if let Some(known) = options.iter().find(|option| *option == text) {
        return Ok(known);
    }
    let words: Vec<&str> = options.iter().map(String::as_str).collect();
    let hint = match nearest(text, words.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("the options are {}", list(words.get(..10).unwrap_or(&words))),
    };
    Err(error(format!("{} is none of its options", quoted(text)), hint))
}

/// The options that were chosen, each once, in the order of the options.
pub(crate) fn choices(options: &[String], given: &[&str]) -> Result<Vec<String>, InputError> {
    for one in given {
        option(options, one)?;
    }
    Ok(options.iter().filter(|option| given.contains(&option.as_str())).cloned().collect())
}

fn error(message: impl Into<String>, hint: impl Into<String>) -> InputError {
    InputError { message: message.into(), hint: hint.into() }
}
