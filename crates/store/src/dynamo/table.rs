//! What DynamoDB can do, and nothing more. Invariant: a write of one item, and a transaction, is made whole or not at
//! all, and only if every condition holds then; a read is consistent for each item alone, never for several together.
//! Nothing is tried again here: whoever asks decides by the outcome.

use std::ops::Bound;
use std::sync::Arc;

use async_trait::async_trait;
use branchline_model::Key;
use branchline_ports::Order;

use super::item::{Item, NO_VERSION};

/// So many keys are read by one call at the most.
pub const MOST_KEYS: usize = 100;
/// So many items are written by one transaction at the most.
pub const MOST_WRITES: usize = 100;
/// So many items are removed by one call at the most, where no condition is asked for.
pub const MOST_REMOVED: usize = 25;
/// So many bytes of items are written by one transaction at the most.
pub const MOST_BYTES: usize = 4 << 20;
/// An item is so large at the most, in bytes.
pub const LARGEST_ITEM: usize = 400 << 10;
/// A query ends after so many bytes.
pub const QUERY_BYTES: usize = 1 << 20;

/// What must be there for a write to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// No item at all, not even a mark.
    Absent,
    /// An item without a mark, at exactly this version.
    Version(u64),
    /// An item without a mark, and without anything that can be a version.
    Unversioned,
    /// No item, or one without a mark at a smaller version, or at none.
    Older(u64),
    /// An item that this journal holds.
    Marked(String),
}

/// What is to be done with one item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// The item as it is to be, whole.
    Put(Item, Condition),
    /// The item is removed.
    Delete(Key, Condition),
    /// Nothing is done, but only if this holds is the rest. In a transaction alone.
    Check(Key, Condition),
}

impl Write {
    /// Which item.
    #[must_use]
    pub fn key(&self) -> &Key {
        match self {
            Self::Put(item, _) => &item.key,
            Self::Delete(key, _) | Self::Check(key, _) => key,
        }
    }

    /// What must be there.
    #[must_use]
    pub fn condition(&self) -> &Condition {
        let (Self::Put(_, condition) | Self::Delete(_, condition) | Self::Check(_, condition)) = self;
        condition
    }
}

impl Condition {
    /// An item as it was read: at this version, or without one.
    #[must_use]
    pub fn unchanged(version: u64) -> Self {
        if version == NO_VERSION { Self::Unversioned } else { Self::Version(version) }
    }

    /// Whether it holds of what is there.
    #[must_use]
    pub fn holds(&self, found: Option<&Item>) -> bool {
        match (self, found) {
            (Self::Absent | Self::Older(_), None) => true,
            (Self::Absent, Some(_)) | (Self::Version(_) | Self::Unversioned | Self::Marked(_), None) => false,
            (Self::Version(version), Some(item)) => item.mark.is_none() && item.version() == Some(*version),
            (Self::Unversioned, Some(item)) => item.mark.is_none() && item.version() == Some(NO_VERSION),
            (Self::Older(version), Some(item)) => {
                item.mark.is_none() && item.version().is_some_and(|found| found < *version)
            }
            (Self::Marked(journal), Some(item)) => item.journal() == Some(journal),
        }
    }
}

/// A part of a partition to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// The partition.
    pub partition: String,
    /// From this sort key on, bytewise.
    pub from: Bound<String>,
    /// Up to this one.
    pub to: Bound<String>,
    /// Which way.
    pub order: Order,
    /// So many items are looked at, at the most.
    pub limit: usize,
}

/// What a call that reads several keys found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Got {
    /// The items that are there, in any order.
    pub items: Vec<Item>,
    /// The keys that were not looked at: they must be asked for again.
    pub left: Vec<Key>,
}

/// What a query found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Queried {
    /// The items, in the order that was asked for.
    pub items: Vec<Item>,
    /// The last sort key that was looked at, where there may be more behind it.
    pub more_after: Option<String>,
}

/// Why one item of a write stands in its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Its condition did not hold; with what was there instead.
    Condition {
        /// The item that was found.
        found: Option<Box<Item>>,
    },
    /// Another transaction was writing it at that moment.
    Conflict,
    /// Its part of the table has too much to do.
    Throttled,
}

/// Why a call was not done, or is not known to have been.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// Nothing was written, because of these items.
    #[error("the write was cancelled")]
    Cancelled {
        /// For each write in its order, what stood in the way.
        causes: Vec<Option<Cause>>,
    },
    /// Nothing was done: there is too much to do.
    #[error("throttled")]
    Throttled,
    /// The answer was lost: it was done, or not, or may be done yet.
    #[error("the answer was lost: {why}")]
    Unknown {
        /// What is known of how.
        why: String,
    },
    /// Nothing was done, and asking again at once will not help.
    #[error("{why}")]
    Unavailable {
        /// What failed, and where.
        why: String,
    },
}

/// A table of items.
#[async_trait]
pub trait Table: Send + Sync {
    /// Reads up to [`MOST_KEYS`] items, all different, each as it is after every write that was answered before.
    async fn get(&self, keys: &[Key]) -> Result<Got, TableError>;

    /// Reads items in their order until the range, the limit, or [`QUERY_BYTES`] ends; each as `get` does.
    async fn query(&self, query: &Query) -> Result<Queried, TableError>;

    /// Writes one item.
    async fn write(&self, write: &Write) -> Result<(), TableError>;

    /// Removes up to [`MOST_REMOVED`] different items, whatever they are, each by itself; answers those that it did not come
    /// to, which must be asked for again.
    async fn remove(&self, keys: &[Key]) -> Result<Vec<Key>, TableError>;

    /// Writes up to [`MOST_WRITES`] different items, together [`MOST_BYTES`], all or none. Asking twice with the same
    /// token (at most 36 characters) and the same writes may be asking once; that is not relied upon.
    async fn transact(&self, token: &str, writes: &[Write]) -> Result<(), TableError>;
}

#[async_trait]
impl<T: Table + ?Sized> Table for Arc<T> {
    async fn get(&self, keys: &[Key]) -> Result<Got, TableError> {
        (**self).get(keys).await
    }

    async fn query(&self, query: &Query) -> Result<Queried, TableError> {
        (**self).query(query).await
    }

    async fn write(&self, write: &Write) -> Result<(), TableError> {
        (**self).write(write).await
    }

    async fn remove(&self, keys: &[Key]) -> Result<Vec<Key>, TableError> {
        (**self).remove(keys).await
    }

    async fn transact(&self, token: &str, writes: &[Write]) -> Result<(), TableError> {
        (**self).transact(token, writes).await
    }
}
