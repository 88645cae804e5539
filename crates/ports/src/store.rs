//! Where rows are kept. Invariant: a commit is written whole or not at all, and only if every row it names is as
//! it was read; there is no other way to write.

use async_trait::async_trait;
use branchline_model::{Change, Expectation, Key, Row, Versioned};

/// Why the store gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// It could not be reached, is full, or failed: the same may work later. A commit that is answered so was not made, or, by
    /// a store across a network whose answer was lost for good, was made whole: whoever goes on reads first.
    #[error("the store is unavailable: {why}")]
    Unavailable {
        /// What failed, and where.
        why: String,
    },
    /// A row is there but cannot be understood, or is missing where another says that it is: said by whoever needs that very
    /// row.
    #[error("the row `{key}` cannot be read: {why}")]
    Unreadable {
        /// Which row.
        key: Key,
        /// What is wrong with it.
        why: String,
    },
    /// A change cannot be written, now or later: nothing of its commit was.
    #[error("the row `{key}` cannot be written: {why}")]
    Refused {
        /// Which row.
        key: Key,
        /// What is wrong with the change.
        why: String,
    },
}

/// Why a commit was not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// A row is not as it was read: read again, decide again.
    #[error("the row `{key}` has changed meanwhile")]
    Conflict {
        /// The first row that differs.
        key: Key,
    },
    /// The store gave no answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Which way a page is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// By sort key, the smallest first (bytewise).
    #[default]
    Ascending,
    /// By sort key, the largest first.
    Descending,
}

/// A part of a partition to read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The partition.
    pub partition: String,
    /// Only sort keys that begin so; empty is all.
    pub prefix: String,
    /// Only what comes after this sort key, in the order that is read.
    pub after: Option<String>,
    /// Only sort keys up to this one, itself included (ascending: not larger; descending: not smaller).
    pub until: Option<String>,
    /// How many rows at the most.
    pub limit: usize,
    /// Which way.
    pub order: Order,
}

impl Page {
    /// The first `limit` rows of a partition.
    pub fn of(partition: impl Into<String>, limit: usize) -> Self {
        Self { partition: partition.into(), limit, ..Self::default() }
    }
}

/// So many rows are removed with one commit, where a store does not know better.
const DISCARDED_AT_ONCE: usize = 100;

/// The rows.
///
/// Reads are consistent: what was committed before a read began is seen by it. What is committed while a read of several
/// rows goes on may be seen in some of them and not in others: decisions name the versions they rest on. After a
/// crash, every commit that was answered is there; one that was not answered is there whole or not at all.
///
/// A row that is there but cannot be understood (of a format that is not known here, or damaged) is answered as
/// [`Row::Unreadable`] in its place and with its version, so that it fails no read of others; it can be removed and written
/// over like any row. No commit writes one.
#[async_trait]
pub trait Store: Send + Sync {
    /// Reads the rows under these keys, in their order; `None` where there is none.
    async fn read(&self, keys: &[Key]) -> Result<Vec<Option<Versioned<Row>>>, StoreError>;

    /// Reads a part of a partition.
    async fn page(&self, page: &Page) -> Result<Vec<Versioned<Row>>, StoreError>;

    /// Writes all of these changes, if each one's expectation holds; else none. A row that is written gets a
    /// version larger than any that key has had while the row existed. A key is named at most once in a commit:
    /// one that is named twice is refused, whatever is stored.
    async fn commit_if_unchanged(&self, changes: Vec<Change>) -> Result<(), CommitError>;

    /// Removes rows that no decision and no reader looks at any more. Unlike a commit it is not whole: after a failure or a crash some
    /// are gone and others are not, so what leads to them must go later. It is here because a store may do it for less.
    async fn discard(&self, keys: &[Key]) -> Result<(), StoreError> {
        let mut all = keys.to_vec();
        all.sort_unstable();
        all.dedup();
        for some in all.chunks(DISCARDED_AT_ONCE) {
            let deletes =
                some.iter().map(|key| Change::Delete { key: key.clone(), expected: Expectation::Any });
            self.commit_if_unchanged(deletes.collect()).await.map_err(|error| match error {
                CommitError::Store(error) => error,
                // Nothing was expected; but a store may say so of two that write at once.
                CommitError::Conflict { .. } => StoreError::Unavailable { why: error.to_string() },
            })?;
        }
        Ok(())
    }

    /// Ends what commits left behind that were cut off by a crash, or whose rows are gone since: up to so many things; answers
    /// how many. Nothing that is read changes by it. Whatever a crash leaves is ended by calls that come later, however many of them
    /// there are at once and wherever they are cut off; until then it costs room, and a little time for who meets it. A store whose commits
    /// leave nothing does nothing; where nothing is left, it costs one read at the most.
    ///
    /// # Errors
    /// Where the store gave no answer; or something that is left is damaged, after all else was ended.
    async fn tidy(&self, limit: usize) -> Result<usize, StoreError> {
        let _ = limit;
        Ok(0)
    }
}
