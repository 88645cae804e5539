//! What happened outside. Invariant: an event is stored whole under a key that says what it is, before anyone
//! is answered; storing it twice is storing it once. What to do about it is decided in `core`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Actor, BuildId, CommitId, EventKey, PipelineName, RepositoryId, Timestamp};

/// A branch or a tag, by its full name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum RefName {
    /// `refs/heads/<name>`
    Branch(String),
    /// `refs/tags/<name>`
    Tag(String),
}

/// The text is neither a branch nor a tag by its full name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is neither a branch nor a tag: expected `refs/heads/…` or `refs/tags/…`")]
pub struct RefNameError(pub String);

impl RefName {
    /// The name without `refs/heads/` or `refs/tags/`.
    #[must_use]
    pub fn short(&self) -> &str {
        match self {
            Self::Branch(name) | Self::Tag(name) => name,
        }
    }
}

impl FromStr for RefName {
    type Err = RefNameError;

    fn from_str(text: &str) -> Result<Self, RefNameError> {
        match (text.strip_prefix("refs/heads/"), text.strip_prefix("refs/tags/")) {
            (Some(name), _) if !name.is_empty() => Ok(Self::Branch(name.to_owned())),
            (_, Some(name)) if !name.is_empty() => Ok(Self::Tag(name.to_owned())),
            _ => Err(RefNameError(text.to_owned())),
        }
    }
}

impl TryFrom<String> for RefName {
    type Error = RefNameError;

    fn try_from(text: String) -> Result<Self, RefNameError> {
        text.parse()
    }
}

impl From<RefName> for String {
    fn from(name: RefName) -> Self {
        name.to_string()
    }
}

impl fmt::Display for RefName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Branch(name) => write!(f, "refs/heads/{name}"),
            Self::Tag(name) => write!(f, "refs/tags/{name}"),
        }
    }
}

/// What a repository's ref was last seen to be. Whoever says that a ref moved folds it into this one row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ref {
    /// The repository.
    pub repository: RepositoryId,
    /// The branch or tag.
    pub name: RefName,
    /// Where it points; `None` once it was deleted.
    pub head: Option<CommitId>,
    /// How many moves were seen: A→B→A is two.
    pub generation: u64,
}

/// Something that happened outside, as it was stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// What makes it the same event when it is delivered again.
    pub key: EventKey,
    /// Where it happened.
    pub repository: RepositoryId,
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// What happened.
    pub kind: EventKind,
    /// What became of it.
    pub status: EventStatus,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum EventKind {
    /// A branch or tag points to another commit than before.
    RefMoved {
        /// Which one.
        name: RefName,
        /// Where it pointed; `None` where it is new.
        before: Option<CommitId>,
        /// Where it points.
        after: CommitId,
        /// The how-manieth move of this ref it is.
        generation: u64,
    },
    /// Someone started a pipeline by hand.
    ManualStart {
        /// Which pipeline.
        pipeline: PipelineName,
        /// The branch or tag it was started on.
        name: RefName,
        /// The commit that was there.
        commit: CommitId,
        /// Who.
        actor: Actor,
    },
}

impl EventKind {
    /// The commit whose pipelines are meant.
    #[must_use]
    pub fn commit(&self) -> &CommitId {
        match self {
            Self::RefMoved { after, .. } => after,
            Self::ManualStart { commit, .. } => commit,
        }
    }

    /// The branch or tag.
    #[must_use]
    pub fn ref_name(&self) -> &RefName {
        match self {
            Self::RefMoved { name, .. } | Self::ManualStart { name, .. } => name,
        }
    }

    /// The word that spec.md gives the event: what `BRANCHLINE_EVENT` holds.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::RefMoved { name: RefName::Branch(_), .. } => "push",
            Self::RefMoved { name: RefName::Tag(_), .. } => "tag",
            Self::ManualStart { .. } => "manual",
        }
    }

    /// Who caused it, where that is known.
    #[must_use]
    pub fn actor(&self) -> Option<&Actor> {
        match self {
            Self::RefMoved { .. } => None,
            Self::ManualStart { actor, .. } => Some(actor),
        }
    }
}

/// How often a commit was looked for where it is not, or not yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// When it was first looked for in vain.
    pub since: Timestamp,
    /// How often it was.
    pub looks: u32,
}

/// What became of an event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum EventStatus {
    /// Not decided yet.
    Pending {
        /// How often resolving it failed.
        failures: u32,
        /// Not before this time.
        next_try: Timestamp,
        /// What failed last.
        why: Option<String>,
        /// Set once its repository answered that it does not have the commit.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        missing: Option<Missing>,
    },
    /// Decided: these builds were created, for these reasons.
    Decided {
        /// When the pipelines of its commit had been read.
        read_at: Timestamp,
        /// When.
        at: Timestamp,
        /// The builds.
        builds: Vec<BuildId>,
        /// Why each pipeline was built or not.
        reasons: Vec<Reason>,
    },
    /// Nothing more can be done: the commit is gone, or could not be had for too long.
    Abandoned {
        /// When.
        at: Timestamp,
        /// Why.
        why: String,
    },
}

/// Why a pipeline was built, or was not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum Reason {
    /// The event matches the pipeline's `on`.
    Matched {
        /// The pipeline.
        pipeline: PipelineName,
        /// The key that matched, as `on.push`.
        trigger: String,
        /// The pattern that decided, where there was one.
        pattern: Option<String>,
    },
    /// The pipeline has no such trigger.
    NoTrigger {
        /// The pipeline.
        pipeline: PipelineName,
        /// The key that is missing, as `on.push`.
        trigger: String,
    },
    /// The trigger is there, but its filter does not match.
    FilteredOut {
        /// The pipeline.
        pipeline: PipelineName,
        /// The key that filtered, as `on.push.branches`.
        filter: String,
        /// What was compared with it.
        value: String,
        /// The pattern that took it away; `None` where none matched.
        pattern: Option<String>,
    },
    /// The file is wrong.
    Invalid {
        /// The file.
        file: String,
        /// How many errors it has.
        errors: usize,
    },
    /// The commit holds no pipeline at all.
    NoPipelines,
    /// The pipeline that was asked for is not there.
    NoSuchPipeline {
        /// What was asked for.
        pipeline: PipelineName,
        /// What there is.
        known: Vec<PipelineName>,
    },
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Matched { pipeline, trigger, pattern: Some(pattern) } => {
                write!(f, "{pipeline}: built, `{trigger}` matches with `{pattern}`")
            }
            Self::Matched { pipeline, trigger, pattern: None } => {
                write!(f, "{pipeline}: built, it has `{trigger}`")
            }
            Self::NoTrigger { pipeline, trigger } => {
                write!(f, "{pipeline}: not built, it has no `{trigger}`")
            }
            Self::FilteredOut { pipeline, filter, value, pattern: Some(pattern) } => {
                write!(f, "{pipeline}: not built, `{filter}` takes `{value}` away with `{pattern}`")
            }
            Self::FilteredOut { pipeline, filter, value, pattern: None } => {
                write!(f, "{pipeline}: not built, nothing in `{filter}` matches `{value}`")
            }
            Self::Invalid { file, errors: 1 } => write!(f, "{file}: 1 error"),
            Self::Invalid { file, errors } => write!(f, "{file}: {errors} errors"),
            Self::NoPipelines => f.write_str("the commit has no pipeline in `.branchline/`"),
            Self::NoSuchPipeline { pipeline, known } if known.is_empty() => {
                write!(f, "{pipeline}: no such pipeline at this commit, which has none")
            }
            Self::NoSuchPipeline { pipeline, known } => {
                let known: Vec<&str> = known.iter().map(PipelineName::as_str).collect();
                write!(f, "{pipeline}: no such pipeline at this commit; there are {}", known.join(", "))
            }
        }
    }
}
