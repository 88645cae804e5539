//! What happened outside. Invariant: an event is stored whole under a key that says what it is, before anyone
//! is answered; storing it twice is storing it once. What to do about it is decided in `core`.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{
    Actor, BuildId, BuildStatus, CommitId, EventKey, PipelineName, Reason, RepositoryId, RepositoryName,
    Timestamp,
};

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
        /// The inputs that were given, by name, as text.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        inputs: BTreeMap<String, String>,
    },
    /// Something happened to a pull request.
    PullRequest {
        /// What is known of it.
        #[serde(flatten)]
        request: PullRequest,
        /// The branch that it brings.
        name: RefName,
        /// The commit that is built: the merge into its base, or its head.
        commit: CommitId,
        /// Who.
        actor: Option<Actor>,
    },
    /// The time of an entry of a pipeline's schedule came.
    Schedule {
        /// Which pipeline.
        pipeline: PipelineName,
        /// Which of its entries, from 0.
        entry: u32,
        /// The time that the entry names.
        slot: Timestamp,
        /// The branch that the entry names.
        name: RefName,
        /// The commit that was there.
        commit: CommitId,
    },
    /// An event with a name of its own was sent through the API or a forge.
    Named {
        /// Its name.
        event: String,
        /// The branch or tag it was sent for.
        name: RefName,
        /// The commit that was there.
        commit: CommitId,
        /// Who sent it.
        actor: Option<Actor>,
    },
    /// A build of another pipeline ended.
    Upstream {
        /// Which build.
        of: Upstream,
        /// The branch that this repository's pipelines are read from.
        name: RefName,
        /// The commit that was there.
        commit: CommitId,
    },
}

/// What is known of a pull request when something happened to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PullRequest {
    /// Its number.
    pub number: u64,
    /// What happened to it, in the forge's word: `opened`, `synchronize`, `labeled`.
    pub action: String,
    /// Its title.
    pub title: String,
    /// Its labels.
    pub labels: Vec<String>,
    /// Whether it comes from another repository.
    pub fork: bool,
    /// The branch that it is to be merged into.
    pub base: String,
}

/// The build whose end is an event for pipelines downstream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upstream {
    /// Its repository.
    pub repository: RepositoryName,
    /// Its pipeline.
    pub pipeline: PipelineName,
    /// Its branch, where it was built for one.
    pub branch: Option<String>,
    /// The build.
    pub build: BuildId,
    /// How it ended.
    pub status: BuildStatus,
}

impl EventKind {
    /// The commit whose pipelines are meant.
    #[must_use]
    pub fn commit(&self) -> &CommitId {
        match self {
            Self::RefMoved { after, .. } => after,
            Self::ManualStart { commit, .. }
            | Self::PullRequest { commit, .. }
            | Self::Schedule { commit, .. }
            | Self::Named { commit, .. }
            | Self::Upstream { commit, .. } => commit,
        }
    }

    /// The branch or tag.
    #[must_use]
    pub fn ref_name(&self) -> &RefName {
        match self {
            Self::RefMoved { name, .. }
            | Self::ManualStart { name, .. }
            | Self::PullRequest { name, .. }
            | Self::Schedule { name, .. }
            | Self::Named { name, .. }
            | Self::Upstream { name, .. } => name,
        }
    }

    /// The word that spec.md gives the event: what `BRANCHLINE_EVENT` holds.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::RefMoved { name: RefName::Branch(_), .. } => "push",
            Self::RefMoved { name: RefName::Tag(_), .. } => "tag",
            Self::ManualStart { .. } => "manual",
            Self::PullRequest { .. } => "pull_request",
            Self::Schedule { .. } => "schedule",
            Self::Named { .. } => "event",
            Self::Upstream { .. } => "pipeline",
        }
    }

    /// Who caused it, where that is known.
    #[must_use]
    pub fn actor(&self) -> Option<&Actor> {
        match self {
            Self::ManualStart { actor, .. } => Some(actor),
            Self::PullRequest { actor, .. } | Self::Named { actor, .. } => actor.as_ref(),
            Self::RefMoved { .. } | Self::Schedule { .. } | Self::Upstream { .. } => None,
        }
    }

    /// The pull request, where it is about one.
    #[must_use]
    pub fn pull_request(&self) -> Option<&PullRequest> {
        match self {
            Self::PullRequest { request, .. } => Some(request),
            _ => None,
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
