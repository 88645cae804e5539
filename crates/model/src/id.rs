//! Identities. Invariant: an id that exists is well formed; ids of builds, runs and attempts are derived from
//! what they belong to (`app-1f3c9a2e04` → `/12` → `/3` → `/1`), so that asking twice names the same thing.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Why a text is not the id it was read as.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {what}: expected {expected}")]
pub struct IdError {
    /// The text that was read.
    pub text: String,
    /// What it was to be, with its article.
    pub what: &'static str,
    /// The form that is expected.
    pub expected: &'static str,
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Takes the text as it is; whoever read it from outside has checked it.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_id!(
    /// A repository's name: its URL without scheme, user and `.git`, or the absolute path of a local one.
    RepositoryName
);
text_id!(
    /// A pipeline's name: the stem of its file.
    PipelineName
);
text_id!(
    /// A job's name within its pipeline.
    JobName
);
text_id!(
    /// The name of the set of workers that a run is sent to.
    PoolName
);
text_id!(
    /// A worker, as the controller knows it.
    WorkerId
);
text_id!(
    /// What says that two deliveries are one event: a delivery id, a ref with its generation, an idempotency key.
    EventKey
);
text_id!(
    /// Who did something: a person's or a token's name.
    Actor
);

/// A repository's short id: the last part of its name, and ten hexadecimal digits of the whole name's SHA-256.
/// Safe in URLs, file names and keys.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RepositoryId(String);

impl RepositoryId {
    /// The id that belongs to a name: always the same one.
    #[must_use]
    pub fn of(name: &RepositoryName) -> Self {
        let last = name.as_str().rsplit('/').find(|part| !part.is_empty()).unwrap_or("repository");
        let mut slug: String = last
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' })
            .take(40)
            .collect();
        slug = slug.trim_matches('-').to_owned();
        if slug.is_empty() {
            "repository".clone_into(&mut slug);
        }
        let digest = Sha256::digest(name.as_str().as_bytes());
        let hash: String = digest.iter().take(5).map(|byte| format!("{byte:02x}")).collect();
        Self(format!("{slug}-{hash}"))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for RepositoryId {
    type Error = IdError;

    fn try_from(text: String) -> Result<Self, IdError> {
        let safe = !text.is_empty()
            && text.len() <= 64
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if safe {
            Ok(Self(text))
        } else {
            Err(IdError {
                text,
                what: "a repository's id",
                expected: "letters, digits and `-`, as in `app-1f3c9a2e04`",
            })
        }
    }
}

impl From<RepositoryId> for String {
    fn from(id: RepositoryId) -> Self {
        id.0
    }
}

impl FromStr for RepositoryId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        Self::try_from(text.to_owned())
    }
}

impl fmt::Display for RepositoryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A build: the `number`-th of its repository, counted from 1. Written `app-1f3c9a2e04/12`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BuildId {
    /// Whose build it is.
    pub repository: RepositoryId,
    /// Which of that repository's builds.
    pub number: u64,
}

/// A run: the `index`-th of its build, counted from 1. Written `app-1f3c9a2e04/12/3`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RunId {
    /// The build it is a part of.
    pub build: BuildId,
    /// Which of that build's runs.
    pub index: u32,
}

/// One try of a run, counted from 1. Written `app-1f3c9a2e04/12/3/1`. The number is the attempt's fence too: it only grows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AttemptId {
    /// What is tried.
    pub run: RunId,
    /// Which try.
    pub number: u32,
}

impl AttemptId {
    /// The id as one name without slashes, for a folder: `app-1f3c9a2e04.12.3.1`.
    #[must_use]
    pub fn folder(&self) -> String {
        self.to_string().replace('/', ".")
    }
}

impl fmt::Display for BuildId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.repository, self.number)
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.build, self.index)
    }
}

impl fmt::Display for AttemptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.run, self.number)
    }
}

/// Splits the number off the end; numbers have no sign, no leading zero and are not 0.
fn split_number<'t, N: FromStr>(
    text: &'t str,
    error: &impl Fn() -> IdError,
) -> Result<(&'t str, N), IdError> {
    let (rest, number) = text.rsplit_once('/').ok_or_else(error)?;
    if number.starts_with('0') || !number.bytes().all(|b| b.is_ascii_digit()) {
        return Err(error());
    }
    Ok((rest, number.parse().map_err(|_| error())?))
}

impl FromStr for BuildId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let error = || IdError {
            text: text.to_owned(),
            what: "a build's id",
            expected: "`REPOSITORY/NUMBER`, as in `app-1f3c9a2e04/12`",
        };
        let (repository, number) = split_number(text, &error)?;
        Ok(Self { repository: repository.parse().map_err(|_| error())?, number })
    }
}

impl FromStr for RunId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let error = || IdError {
            text: text.to_owned(),
            what: "a run's id",
            expected: "`REPOSITORY/BUILD/RUN`, as in `app-1f3c9a2e04/12/3`",
        };
        let (build, index) = split_number(text, &error)?;
        Ok(Self { build: build.parse().map_err(|_| error())?, index })
    }
}

impl FromStr for AttemptId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let error = || IdError {
            text: text.to_owned(),
            what: "an attempt's id",
            expected: "`REPOSITORY/BUILD/RUN/ATTEMPT`, as in `app-1f3c9a2e04/12/3/1`",
        };
        let (run, number) = split_number(text, &error)?;
        Ok(Self { run: run.parse().map_err(|_| error())?, number })
    }
}

macro_rules! as_text {
    ($($name:ident),*) => {$(
        impl TryFrom<String> for $name {
            type Error = IdError;

            fn try_from(text: String) -> Result<Self, IdError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }
    )*};
}
as_text!(BuildId, RunId, AttemptId);

/// A commit's id: 40 hexadecimal digits (SHA-1) or 64 (SHA-256), in lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CommitId(String);

impl CommitId {
    /// All digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first ten digits, as people quote a commit.
    #[must_use]
    pub fn short(&self) -> &str {
        &self.0[..10]
    }
}

impl TryFrom<String> for CommitId {
    type Error = IdError;

    fn try_from(text: String) -> Result<Self, IdError> {
        let digits = text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if digits && matches!(text.len(), 40 | 64) {
            Ok(Self(text))
        } else {
            Err(IdError {
                text,
                what: "a commit's id",
                expected: "40 or 64 hexadecimal digits in lower case",
            })
        }
    }
}

impl From<CommitId> for String {
    fn from(id: CommitId) -> Self {
        id.0
    }
}

impl FromStr for CommitId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        Self::try_from(text.to_owned())
    }
}

impl fmt::Display for CommitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(text: &str) -> Result<AttemptId, IdError> {
        text.parse()
    }

    #[test]
    fn an_attempt_names_its_run_build_and_repository() {
        let id = attempt("app-1f3c9a2e04/12/3/1").unwrap();
        assert_eq!(id.run.build.number, 12);
        assert_eq!(id.folder(), "app-1f3c9a2e04.12.3.1");
        assert_eq!(id.to_string(), "app-1f3c9a2e04/12/3/1");
    }

    #[test]
    fn ids_that_could_be_read_two_ways_are_refused() {
        for text in
            ["app/0/1/1", "app/01/1/1", "app/+1/1/1", "app/1/1", "../x/1/1/1", "app/1/1/99999999999", ""]
        {
            assert!(attempt(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_repositorys_id_is_readable_safe_and_different_for_every_name() {
        let one = RepositoryId::of(&RepositoryName::new("github.com/acme/My App!"));
        let two = RepositoryId::of(&RepositoryName::new("github.com/other/My App!"));
        assert!(one.as_str().starts_with("my-app-"), "{one}");
        assert_ne!(one, two);
        assert_eq!(one.as_str().parse::<RepositoryId>().unwrap(), one);
        assert!(RepositoryId::of(&RepositoryName::new("///")).as_str().starts_with("repository-"));
    }

    #[test]
    fn a_commit_is_forty_or_sixty_four_digits() {
        assert!("0123456789abcdef0123456789abcdef01234567".parse::<CommitId>().is_ok());
        assert!("0123456789ABCDEF0123456789abcdef01234567".parse::<CommitId>().is_err());
        assert!("HEAD".parse::<CommitId>().is_err());
    }
}
