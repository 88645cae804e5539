//! The names that a file gives to pipelines and jobs. Invariant: a name is safe wherever it is put, in a path, a
//! key, a URL or an environment variable, because everything else is refused here.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::findings::quoted;

/// Why a text cannot be a name.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NameError {
    /// Not a pipeline's name.
    #[error("{} cannot be a pipeline's name", quoted(.0))]
    Pipeline(String),
    /// Not a job's name.
    #[error("{} cannot be a job's name", quoted(.0))]
    Job(String),
    /// Not a name that can be used in expressions and for variables.
    #[error("{} cannot be a name here", quoted(.0))]
    Identifier(String),
}

impl NameError {
    /// The rule that the text breaks, for people.
    #[must_use]
    pub fn rule(&self) -> &'static str {
        match self {
            Self::Pipeline(_) => {
                "name the file with letters, digits, `_`, `-` and `.`, beginning with a letter, a digit or `_`, at \
                 most 100 characters before `.yaml`"
            }
            Self::Job(_) => {
                "use letters, digits, `_` and `-`, beginning with a letter or `_`, at most 63 characters"
            }
            Self::Identifier(_) => {
                "use letters, digits and `_`, beginning with a letter or `_`, at most 63 characters"
            }
        }
    }
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $error:ident, first: $first:expr, rest: $rest:expr, most: $most:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                let first: fn(char) -> bool = $first;
                let rest: fn(char) -> bool = $rest;
                let mut characters = text.chars();
                if characters.next().is_some_and(first) && characters.all(rest) && text.len() <= $most {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(NameError::$error(text.to_owned()))
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name! {
    /// A pipeline's name: `[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}`.
    PipelineName, Pipeline,
    first: |c| c.is_ascii_alphanumeric() || c == '_',
    rest: |c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'),
    most: 100
}

name! {
    /// A job's name: `[A-Za-z_][A-Za-z0-9_-]{0,62}`.
    JobName, Job,
    first: |c| c.is_ascii_alphabetic() || c == '_',
    rest: |c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'),
    most: 63
}

name! {
    /// The name of an input, a key of a matrix or a secret: `[A-Za-z_][A-Za-z0-9_]{0,62}`. Expressions write it after a
    /// `.`, and variables are named by it.
    Identifier, Identifier,
    first: |c| c.is_ascii_alphabetic() || c == '_',
    rest: |c| c.is_ascii_alphanumeric() || c == '_',
    most: 63
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jobs_name_is_safe_in_a_path_a_key_and_a_variable() {
        for good in ["a", "_", "Build_all-2", &"x".repeat(63)] {
            assert!(good.parse::<JobName>().is_ok(), "{good}");
        }
        for bad in ["", "../../x", "a\0b", "1a", "-a", "a.b", "a b", "ü", "a/b", &"x".repeat(64)] {
            assert_eq!(bad.parse::<JobName>(), Err(NameError::Job(bad.to_owned())), "{bad}");
        }
    }

    #[test]
    fn an_identifier_can_stand_after_a_dot_and_in_a_variables_name() {
        for good in ["a", "_", "NPM_TOKEN", &"x".repeat(63)] {
            assert!(good.parse::<Identifier>().is_ok(), "{good}");
        }
        for bad in ["", "dry-run", "1a", "a.b", "ü", &"x".repeat(64)] {
            assert_eq!(bad.parse::<Identifier>(), Err(NameError::Identifier(bad.to_owned())), "{bad}");
        }
    }

    #[test]
    fn a_pipelines_name_may_hold_dots_but_not_begin_with_one() {
        for good in ["ci", "2026", "release-1.2", "_x", &"x".repeat(100)] {
            assert!(good.parse::<PipelineName>().is_ok(), "{good}");
        }
        for bad in ["", ".", "..", ".ci", "-ci", "a/b", "a\\b", "a b", "a\n", &"x".repeat(101)] {
            assert_eq!(bad.parse::<PipelineName>(), Err(NameError::Pipeline(bad.to_owned())), "{bad}");
        }
    }

    #[test]
    fn a_name_that_was_stored_is_checked_again_when_it_is_read() {
        assert!(serde_json::from_str::<JobName>("\"../x\"").is_err());
        let name: JobName = serde_json::from_str("\"build\"").unwrap();
        assert_eq!(serde_json::to_string(&name).unwrap(), "\"build\"");
    }
}
