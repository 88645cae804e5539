//! The store upon a table: which way a commit goes, and the calls that are tried again. Invariant: a call that is
//! throttled or whose answer is lost is tried again a bounded number of times, with waits that grow; a write is tried
//! again only by whoever knows how to find out what became of it.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use branchline_model::{Change, Key, Row, Versioned};
use branchline_ports::{Clock, CommitError, Page, Store, StoreError};

use super::backoff::{Backoff, Pause};
use super::commit::Commit;
use super::item::Item;
use super::large::LargeBodies;
use super::table::{Cause, Condition, MOST_KEYS, MOST_REMOVED, Queried, Query, Table, TableError, Write};
use super::version::Versions;

/// So often is a call tried again that is throttled.
pub(super) const THROTTLED_TRIES: u32 = 10;
/// So often is a read tried again whose answer is lost, or a write that met another at the same moment.
pub(super) const TRIES: u32 = 6;

/// A store upon a table.
pub struct DynamoStore<T> {
    pub(super) table: T,
    pub(super) bodies: Arc<dyn LargeBodies>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) pause: Arc<dyn Pause>,
    pub(super) versions: Versions,
}

impl<T: Table> DynamoStore<T> {
    /// A store upon this table. Several may be upon the same one, in this process and others.
    pub fn new(table: T, bodies: Arc<dyn LargeBodies>, clock: Arc<dyn Clock>, pause: Arc<dyn Pause>) -> Self {
        Self { table, bodies, clock, pause, versions: Versions::default() }
    }

    /// Reads any number of items, each key once; those that are not there are not answered.
    pub(super) async fn get(&self, keys: &[Key]) -> Result<Vec<Item>, StoreError> {
        let mut items = Vec::new();
        for keys in keys.chunks(MOST_KEYS) {
            let mut left = keys.to_vec();
            let mut again = Again::of(self, keys.first());
            while !left.is_empty() {
                match self.table.get(&left).await {
                    Ok(got) => {
                        if !got.left.is_empty() {
                            again.wait(&TableError::Throttled).await?;
                        }
                        left = got.left;
                        items.extend(got.items);
                    }
                    Err(error) => again.wait(&error).await?,
                }
            }
        }
        for item in &items {
            self.observe(item);
        }
        Ok(items)
    }

    /// Reads the item under one key.
    pub(super) async fn get_one(&self, key: &Key) -> Result<Option<Item>, StoreError> {
        Ok(self.get(std::slice::from_ref(key)).await?.pop())
    }

    pub(super) async fn query(&self, query: &Query) -> Result<Queried, StoreError> {
        let mut again = Again::of(self, None);
        loop {
            match self.table.query(query).await {
                Ok(queried) => {
                    for item in &queried.items {
                        self.observe(item);
                    }
                    return Ok(queried);
                }
                Err(error) => again.wait(&error).await?,
            }
        }
    }

    fn observe(&self, item: &Item) {
        if let Some(version) = item.version() {
            self.versions.observe(version);
        }
    }

    /// Writes an item under a key that nobody else writes: found there, it is ours, and its answer was lost.
    pub(super) async fn make(&self, item: Item, waits: &mut Backoff) -> Result<(), StoreError> {
        let made = Write::Put(item, Condition::Absent);
        loop {
            match self.table.write(&made).await {
                Ok(()) => return Ok(()),
                Err(TableError::Cancelled { causes })
                    if matches!(causes[..], [Some(Cause::Condition { .. })]) =>
                {
                    return Ok(());
                }
                Err(error) => self.wait_out(waits, &error).await?,
            }
        }
    }

    /// Waits until it is worth looking again; the error's meaning, when there was enough of that.
    pub(super) async fn wait_out(&self, waits: &mut Backoff, error: &TableError) -> Result<(), StoreError> {
        let tries = match error {
            TableError::Throttled => THROTTLED_TRIES,
            TableError::Cancelled { causes } if causes.contains(&Some(Cause::Throttled)) => THROTTLED_TRIES,
            TableError::Cancelled { .. } | TableError::Unknown { .. } => TRIES,
            TableError::Unavailable { .. } => 0,
        };
        if self.wait(waits, tries).await { Ok(()) } else { Err(refusal(error)) }
    }

    /// Waits before the next try; `false` when there was enough of that.
    pub(super) async fn wait(&self, backoff: &mut Backoff, tries: u32) -> bool {
        let Some(duration) = backoff.next(tries) else { return false };
        self.pause.pause(duration).await;
        true
    }
}

/// The tries of one call that may simply be made again.
struct Again<'s, T> {
    store: &'s DynamoStore<T>,
    backoff: Backoff,
}

impl<'s, T: Table> Again<'s, T> {
    fn of(store: &'s DynamoStore<T>, key: Option<&Key>) -> Self {
        // Reads that come together should not come together again; nothing hangs on how.
        let seed = key.map_or_else(String::new, |key| format!("{key}{}", store.clock.now().0));
        Self { store, backoff: Backoff::of(&seed) }
    }

    async fn wait(&mut self, error: &TableError) -> Result<(), StoreError> {
        let tries = match error {
            TableError::Throttled => THROTTLED_TRIES,
            TableError::Unknown { .. } => TRIES,
            TableError::Cancelled { .. } | TableError::Unavailable { .. } => 0,
        };
        if self.store.wait(&mut self.backoff, tries).await { Ok(()) } else { Err(refusal(error)) }
    }
}

/// What a call's last error means for whoever asked the store.
pub(super) fn refusal(error: &TableError) -> StoreError {
    match error {
        TableError::Throttled => {
            StoreError::Unavailable { why: "the table has too much to do: try again later".to_owned() }
        }
        TableError::Cancelled { .. } | TableError::Unknown { .. } | TableError::Unavailable { .. } => {
            StoreError::Unavailable { why: format!("the table: {error}") }
        }
    }
}

#[async_trait]
impl<T: Table> Store for DynamoStore<T> {
    async fn read(&self, keys: &[Key]) -> Result<Vec<Option<Versioned<Row>>>, StoreError> {
        self.read_rows(keys).await
    }

    async fn page(&self, page: &Page) -> Result<Vec<Versioned<Row>>, StoreError> {
        self.read_page(page).await
    }

    async fn commit_if_unchanged(&self, changes: Vec<Change>) -> Result<(), CommitError> {
        let Some(mut commit) = Commit::of(changes, self.clock.fresh_id())? else { return Ok(()) };
        self.put_large(&mut commit).await?;
        if commit.is_small() {
            self.commit_at_once(&commit).await
        } else {
            self.commit_by_journal(&commit).await
        }
    }

    async fn tidy(&self, limit: usize) -> Result<usize, StoreError> {
        self.end_leftovers(limit).await
    }

    /// In calls for 25 rows each, at half of what a transaction asks for a row.
    async fn discard(&self, keys: &[Key]) -> Result<(), StoreError> {
        let distinct: BTreeSet<&Key> = keys.iter().collect();
        let distinct: Vec<Key> = distinct.into_iter().cloned().collect();
        for keys in distinct.chunks(MOST_REMOVED) {
            let mut left = keys.to_vec();
            let mut again = Again::of(self, keys.first());
            while !left.is_empty() {
                match self.table.remove(&left).await {
                    Ok(later) => {
                        if !later.is_empty() {
                            again.wait(&TableError::Throttled).await?;
                        }
                        left = later;
                    }
                    // Removing once more what is gone already is as good.
                    Err(error) => again.wait(&error).await?,
                }
            }
        }
        Ok(())
    }
}
