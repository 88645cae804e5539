//! What a pool's queue is made of. Invariant: what lies in one lane is wanted of the same workers, with the same
//! priority, for one repository; so a lane is ordered by age alone, and the lanes by priority.
//!
//! The queue is found through two small directories: a pool's *demands* (what is wanted of its workers), and a demand's
//! *lanes* (whose runs those are). How they are kept true is `core::queue`.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{PoolName, RepositoryId, RunId, Timestamp};

/// What a worker says of itself, and a run may ask for: `arm64`. Asked for, it may be a glob: `gpu*`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tag(String);

impl Tag {
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

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How urgent a run is among those of its pool: a higher one goes first. 0 where nothing is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Priority(pub i16);

impl Priority {
    /// A text that sorts the higher priority first; always five digits.
    #[must_use]
    pub fn sortable(self) -> String {
        format!("{:05}", i32::from(i16::MAX) - i32::from(self.0))
    }
}

/// What a run wants of the worker that takes it, and how urgently.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Wants {
    /// Its priority.
    #[serde(default)]
    pub priority: Priority,
    /// The tags that the worker must have, each perhaps a glob.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub tags: BTreeSet<Tag>,
}

/// Of the tags, so many characters are shown in a key; the digits before them tell longer ones apart.
const SHOWN: usize = 60;

impl Wants {
    /// The wants as a part of a key: priority, digits of the tags' SHA-256, and the tags for people:
    /// `32767/b2a4fe1c-arm64,gpu*`. The digits spread demands evenly over the keys.
    #[must_use]
    pub fn key(&self) -> String {
        let mut hash = Sha256::new();
        for tag in &self.tags {
            hash.update(tag.as_str().as_bytes());
            hash.update([0]);
        }
        let tags: Vec<&str> = self.tags.iter().map(Tag::as_str).collect();
        let shown: String = if tags.is_empty() { "any".to_owned() } else { tags.join(",") };
        let shown: String = shown.chars().take(SHOWN).collect();
        format!("{}/{}-{shown}", self.priority.sortable(), digits(&hash.finalize()))
    }
}

/// The first eight hexadecimal digits of a digest.
fn digits(digest: &[u8]) -> String {
    digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

/// A lane: the part of a pool's queue in which the runs of one repository wait that want the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LaneId {
    /// The pool.
    pub pool: PoolName,
    /// What its runs want.
    pub wants: Wants,
    /// Whose runs they are.
    pub repository: RepositoryId,
}

impl LaneId {
    /// Its repository as a part of a key, behind digits that spread the lanes evenly over the keys.
    #[must_use]
    pub(crate) fn repository_key(&self) -> String {
        format!("{}-{}", digits(&Sha256::digest(self.repository.as_str().as_bytes())), self.repository)
    }
}

/// A place in a lane.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueEntry {
    /// The pool.
    pub pool: PoolName,
    /// What the run wants.
    #[serde(default)]
    pub wants: Wants,
    /// The place: what sorts earlier is taken earlier.
    pub place: String,
    /// Who waits.
    pub run: RunId,
}

impl QueueEntry {
    /// The lane it stands in.
    #[must_use]
    pub fn lane(&self) -> LaneId {
        LaneId {
            pool: self.pool.clone(),
            wants: self.wants.clone(),
            repository: self.run.build.repository.clone(),
        }
    }
}

/// Whether a row of a directory may be relied on by those who queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It may, as long as its version is the one that was read.
    Open,
    /// It was found empty and is about to be removed: who queues opens it again.
    Closing,
}

/// A demand: something is wanted of a pool's workers. It is there whenever one of its lanes is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Demand {
    /// The pool.
    pub pool: PoolName,
    /// What is wanted.
    pub wants: Wants,
    /// Whether it may be relied on.
    pub standing: Standing,
    /// When it was opened last.
    pub since: Timestamp,
}

/// A lane's row in its demand's directory. It is there whenever an entry stands in the lane.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lane {
    /// Which lane.
    pub id: LaneId,
    /// Whether it may be relied on.
    pub standing: Standing,
    /// When it was opened last.
    pub since: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wants(priority: i16, tags: &[&str]) -> Wants {
        Wants { priority: Priority(priority), tags: tags.iter().map(|tag| Tag::new(*tag)).collect() }
    }

    #[test]
    fn the_higher_priority_sorts_first() {
        let mut keys: Vec<String> =
            [i16::MIN, -1, 0, 1, i16::MAX].map(|priority| wants(priority, &[]).key()).into();
        keys.reverse();
        assert!(keys.is_sorted(), "{keys:?}");
    }

    #[test]
    fn the_key_of_wants_is_readable_and_different_for_every_set_of_tags() {
        assert!(wants(0, &[]).key().ends_with("-any"));
        assert!(wants(0, &["gpu*", "arm64"]).key().ends_with("-arm64,gpu*"));
        assert_ne!(wants(0, &["a,b"]).key(), wants(0, &["a", "b"]).key());
        let long = "x".repeat(100);
        assert_ne!(wants(0, &[&format!("{long}1")]).key(), wants(0, &[&format!("{long}2")]).key());
    }
}
