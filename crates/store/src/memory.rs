//! Rows in memory. Invariant: one lock guards everything, so a commit is seen whole or not at all. Nothing survives
//! the store; it is as large as its rows.

use std::collections::BTreeMap;
use std::ops::RangeBounds;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use branchline_model::{Change, Key, Row, Version, Versioned};
use branchline_ports::{CommitError, Order, Page, Store, StoreError};

use crate::commit::{self, Write};
use crate::range;

/// A store that forgets everything when it is dropped: for tests and `branchline run`.
#[derive(Debug, Default)]
pub struct MemoryStore {
    rows: Mutex<Rows>,
}

#[derive(Debug, Default)]
struct Rows {
    partitions: BTreeMap<String, BTreeMap<String, Versioned<Row>>>,
    /// The version of the last commit. It counts commits, so no row's version is ever repeated.
    last: u64,
}

impl MemoryStore {
    /// A store without rows.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn rows(&self) -> MutexGuard<'_, Rows> {
        // A commit is applied after all that can fail, so what a panicking thread left is whole.
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Rows {
    fn get(&self, key: &Key) -> Option<&Versioned<Row>> {
        self.partitions.get(&key.partition)?.get(&key.sort)
    }

    fn put(&mut self, key: Key, row: Row, version: Version) {
        let versioned = Versioned { value: row, version };
        self.partitions.entry(key.partition).or_default().insert(key.sort, versioned);
    }

    fn delete(&mut self, key: &Key) {
        if let Some(partition) = self.partitions.get_mut(&key.partition) {
            partition.remove(&key.sort);
            if partition.is_empty() {
                self.partitions.remove(&key.partition);
            }
        }
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn read(&self, keys: &[Key]) -> Result<Vec<Option<Versioned<Row>>>, StoreError> {
        let rows = self.rows();
        Ok(keys.iter().map(|key| rows.get(key).cloned()).collect())
    }

    async fn page(&self, page: &Page) -> Result<Vec<Versioned<Row>>, StoreError> {
        let rows = self.rows();
        let (Some(partition), Some(range)) = (rows.partitions.get(&page.partition), range::of(page)) else {
            return Ok(Vec::new());
        };
        let bounds = (range.start_bound(), range.end_bound());
        let found = partition.range::<String, _>(bounds).map(|(_, row)| row);
        Ok(match page.order {
            Order::Ascending => found.take(page.limit).cloned().collect(),
            Order::Descending => found.rev().take(page.limit).cloned().collect(),
        })
    }

    async fn commit_if_unchanged(&self, changes: Vec<Change>) -> Result<(), CommitError> {
        let steps = commit::steps(changes)?;
        let mut rows = self.rows();
        for step in &steps {
            commit::check(&step.key, step.expected, rows.get(&step.key).map(|row| row.version))?;
        }
        rows.last += 1;
        let version = Version(rows.last);
        for step in steps {
            match step.write {
                Write::Put(row) => rows.put(step.key, row, version),
                Write::Delete => rows.delete(&step.key),
                Write::Nothing => {}
            }
        }
        Ok(())
    }
}
