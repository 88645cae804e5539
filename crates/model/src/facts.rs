//! What git says about an event, beyond the pipeline files of its commit. Invariant: where nothing can be said, that is
//! said, with why; an absence never looks like an answer.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::CommitId;

/// What a commit is compared with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "against", content = "commit", rename_all = "snake_case")]
pub enum Against {
    /// Another commit: where the branch pointed before.
    Commit(CommitId),
    /// Its own first parent: of a merge, what it was merged into.
    FirstParent,
}

impl fmt::Display for Against {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Commit(commit) => write!(f, "{}", commit.short()),
            Self::FirstParent => f.write_str("its first parent"),
        }
    }
}

/// Which files an event changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "changed", rename_all = "snake_case")]
pub enum Changed {
    /// These, by path from the repository's root, sorted; `/` between parts.
    Paths {
        /// The paths.
        paths: BTreeSet<String>,
    },
    /// It cannot be said: every file counts as changed.
    Everything {
        /// Why.
        why: String,
    },
}

/// The ids of objects at a commit, by path; `None` where there is nothing.
pub type ObjectIds = BTreeMap<String, Option<String>>;
