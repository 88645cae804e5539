//! Regular expressions. Invariant: matching takes a time that grows with the text alone, and the compiled form is small:
//! what would need more is refused.

use std::fmt;
use std::str::FromStr;

use regex::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A regular expression, as the crate `regex` writes them: no look-around, no back-references.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pattern(Regex);

/// How much memory the compiled form may take, in bytes.
const LARGEST: usize = 1024 * 1024;

/// The longest text, in bytes.
const LONGEST: usize = 1_000;

/// Why a text is not a regular expression.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct PatternError {
    /// What is wrong, in one line.
    pub message: String,
}

impl Pattern {
    /// As written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The expression itself.
    #[must_use]
    pub fn regex(&self) -> &Regex {
        &self.0
    }

    /// A part of the text matches.
    #[must_use]
    pub fn is_match(&self, text: &str) -> bool {
        self.0.is_match(text)
    }

    /// It has a group of this name.
    #[must_use]
    pub fn has_group(&self, name: &str) -> bool {
        self.0.capture_names().flatten().any(|group| group == name)
    }
}

impl FromStr for Pattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        let wrong = |message: String| Err(PatternError { message });
        if text.is_empty() {
            return wrong("it is empty".to_owned());
        }
        if text.len() > LONGEST {
            return wrong(format!("it is longer than {LONGEST} bytes"));
        }
        match RegexBuilder::new(text).size_limit(LARGEST).dfa_size_limit(LARGEST).build() {
            Ok(regex) => Ok(Self(regex)),
            Err(regex::Error::CompiledTooBig(_)) => {
                wrong("it repeats too much: its compiled form is too big".to_owned())
            }
            // The last line says what; those before it draw where, for a terminal.
            Err(error) => {
                let text = error.to_string();
                let last = text.lines().next_back().unwrap_or_default();
                wrong(last.trim().trim_start_matches("error: ").to_owned())
            }
        }
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Pattern {}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl TryFrom<String> for Pattern {
    type Error = PatternError;

    fn try_from(text: String) -> Result<Self, PatternError> {
        text.parse()
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> Self {
        pattern.as_str().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_anywhere_and_knows_its_groups() {
        let pattern: Pattern = "(?<name>v\\d+)$".parse().unwrap();
        assert!(pattern.is_match("release v12") && !pattern.is_match("v12 "));
        assert!(pattern.has_group("name") && !pattern.has_group("other"));
        assert_eq!(serde_json::to_string(&pattern).unwrap(), r#""(?<name>v\\d+)$""#);
    }

    #[test]
    fn what_is_no_pattern_or_too_much_of_one_is_refused_in_one_line() {
        for text in ["", "(", "[a", "(?=x)", "a{1000}{1000}", "\\1", &"x".repeat(1_001)] {
            let error = text.parse::<Pattern>().unwrap_err();
            assert!(!error.message.is_empty() && !error.message.contains('\n'), "{text}: {error}");
        }
    }
}
