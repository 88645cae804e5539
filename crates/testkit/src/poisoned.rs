//! A store some of whose rows cannot be understood, over any other. Invariant: but for the rows that were poisoned it does
//! what that one does; one that is written over is sound again, as in a real store.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use branchline_model::{Change, Key, Row, UnreadableRow, Versioned};
use branchline_ports::{CommitError, Page, Store, StoreError};

/// A store whose rows can be poisoned.
pub struct PoisonedStore {
    inner: Arc<dyn Store>,
    poisoned: Mutex<BTreeMap<Key, String>>,
}

impl PoisonedStore {
    /// Over a store; nothing is poisoned yet.
    #[must_use]
    pub fn over(inner: Arc<dyn Store>) -> Self {
        Self { inner, poisoned: Mutex::default() }
    }

    /// From now on the row under this key, if there is one, cannot be understood.
    pub fn poison(&self, key: Key) {
        self.poisoned().insert(key, "it was poisoned".to_owned());
    }

    fn poisoned(&self) -> MutexGuard<'_, BTreeMap<Key, String>> {
        self.poisoned.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn seen(&self, row: Versioned<Row>) -> Versioned<Row> {
        let key = row.value.key();
        match self.poisoned().get(&key) {
            Some(why) => row.map(|_| Row::Unreadable(UnreadableRow { key, why: why.clone() })),
            None => row,
        }
    }
}

#[async_trait]
impl Store for PoisonedStore {
    async fn read(&self, keys: &[Key]) -> Result<Vec<Option<Versioned<Row>>>, StoreError> {
        let rows = self.inner.read(keys).await?;
        Ok(rows.into_iter().map(|row| row.map(|row| self.seen(row))).collect())
    }

    async fn page(&self, page: &Page) -> Result<Vec<Versioned<Row>>, StoreError> {
        Ok(self.inner.page(page).await?.into_iter().map(|row| self.seen(row)).collect())
    }

    async fn commit_if_unchanged(&self, changes: Vec<Change>) -> Result<(), CommitError> {
        let written: Vec<Key> = changes
            .iter()
            .filter_map(|change| match change {
                Change::Put { row, .. } => Some(row.key()),
                Change::Delete { key, .. } => Some(key.clone()),
                Change::Check { .. } => None,
            })
            .collect();
        self.inner.commit_if_unchanged(changes).await?;
        let mut poisoned = self.poisoned();
        for key in written {
            poisoned.remove(&key);
        }
        Ok(())
    }

    async fn tidy(&self, limit: usize) -> Result<usize, StoreError> {
        self.inner.tidy(limit).await
    }
}
