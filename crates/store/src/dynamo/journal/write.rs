//! Making a journal: header, marks, commit point. Invariant: before the commit point any failure, also one of
//! conditions, leaves nothing visible, and is cleaned up here or by whoever meets it; after it, the commit is made.

use std::collections::{HashMap, HashSet};

use branchline_model::{Key, Timestamp};
use branchline_ports::{CommitError, StoreError};

use super::super::backoff::Backoff;
use super::super::body::Encoded;
use super::super::commit::{BYTES_AT_ONCE, Commit, as_expected, conflict, token};
use super::super::item::{Item, Mark, Next};
use super::super::store::{DynamoStore, THROTTLED_TRIES, TRIES, refusal};
use super::super::table::{Cause, Condition, LARGEST_ITEM, MOST_WRITES, Table, TableError, Write};
use super::finish::Passing;
use super::{Header, Slice, State, header_key, item, slice_key};
use crate::commit::{Step, Write as What};

/// Beside the rows, a slice's transaction holds the slice and the header.
const ROWS_AT_ONCE: usize = MOST_WRITES - 2;
/// Rows of an empty key and the slice that names them are smaller than this together, in bytes.
const NAMED_AT_ONCE: usize = 256 << 10;

/// A journal that is being written.
struct Writing<'c> {
    commit: &'c Commit,
    /// What the rows are written with.
    version: u64,
    /// The header's version as this writer left it.
    header: u64,
    /// The requests made under the commit's id, for their tokens.
    requests: u32,
    throttled: Backoff,
    waits: Backoff,
}

impl<T: Table> DynamoStore<T> {
    pub(in super::super) async fn commit_by_journal(&self, commit: &Commit) -> Result<(), CommitError> {
        let rows = self.rows_before(commit).await?;
        if let Some(key) = commit.first_that_differs(rows.values()) {
            return Err(conflict(&key));
        }
        for item in rows.values() {
            self.versions.observe(item.version().unwrap_or(0));
        }
        let mut writing = Writing {
            commit,
            version: self.fresh_version(commit),
            header: 1,
            requests: 0,
            throttled: Backoff::of(&commit.id),
            waits: Backoff::of(&commit.id),
        };
        let outcome = self.write_journal(&mut writing, rows).await;
        match outcome {
            // The commit is made. What cannot be applied now is applied by whoever meets it.
            Ok(()) => {
                drop(self.finish(&commit.id).await);
                Ok(())
            }
            Err(error) => match self.abort(&commit.id).await {
                // It was made after all: only the answer was lost.
                Ok(Some(State::Committed)) => {
                    drop(self.finish(&commit.id).await);
                    Ok(())
                }
                Ok(_) => {
                    drop(self.finish(&commit.id).await);
                    Err(error)
                }
                Err(_) => Err(error),
            },
        }
    }

    /// The items under a commit's keys, none of them marked.
    async fn rows_before(&self, commit: &Commit) -> Result<HashMap<Key, Item>, CommitError> {
        self.unmarked(&commit.keys(), &mut Backoff::of(&commit.id)).await
    }

    /// Reads items until none of them is marked; a conflict where that takes too long.
    async fn unmarked(&self, keys: &[Key], waits: &mut Backoff) -> Result<HashMap<Key, Item>, CommitError> {
        loop {
            let items = self.get(keys).await?;
            let marked = items.iter().find_map(|item| Some((item.key.clone(), item.journal()?.to_owned())));
            let Some((key, journal)) = marked else {
                return Ok(items.into_iter().map(|item| (item.key.clone(), item)).collect());
            };
            if self.pass(&journal, &key).await? == Passing::Busy && !self.wait(waits, TRIES).await {
                return Err(conflict(&key));
            }
        }
    }

    async fn write_journal(
        &self,
        writing: &mut Writing<'_>,
        rows: HashMap<Key, Item>,
    ) -> Result<(), CommitError> {
        self.open_journal(writing).await?;
        let mut rows = rows;
        let mut steps: Vec<&Step<Encoded>> = writing.commit.steps.iter().collect();
        steps.sort_by(|one, other| one.key.cmp(&other.key));
        let mut steps = steps.as_slice();
        let mut number = 0;
        while !steps.is_empty() {
            let (slice, rest) = steps.split_at(writing.fitting(steps, &rows));
            self.mark(writing, slice, number, &mut rows).await?;
            steps = rest;
            number += 1;
        }
        self.reach_commit_point(writing).await
    }

    async fn open_journal(&self, writing: &mut Writing<'_>) -> Result<(), CommitError> {
        let id = &writing.commit.id;
        let header = Header { state: State::Open, touched: self.clock.now() }.item(id, writing.header)?;
        Ok(self.make(header, &mut writing.waits).await?)
    }

    /// Marks the rows of a slice, under their conditions.
    async fn mark(
        &self,
        writing: &mut Writing<'_>,
        steps: &[&Step<Encoded>],
        number: usize,
        rows: &mut HashMap<Key, Item>,
    ) -> Result<(), CommitError> {
        loop {
            let writes = writing.marks(steps, number, rows, self.clock.now())?;
            writing.requests += 1;
            let token = token(&writing.commit.id, writing.requests);
            let error = match self.table.transact(&token, &writes).await {
                Ok(()) => {
                    writing.header += 1;
                    return Ok(());
                }
                Err(error) => error,
            };
            // Whatever it was, what is there now says how to go on.
            let met = match &error {
                TableError::Cancelled { causes } => stood_first(causes, &writes),
                _ => None,
            };
            writing.wait(self, error, met).await?;
            if self.is_marked(writing, number).await? {
                return Ok(());
            }
            let keys: Vec<Key> = steps.iter().map(|step| step.key.clone()).collect();
            let found = self.unmarked(&keys, &mut writing.waits).await?;
            if let Some(key) = first_that_differs(writing.commit, &keys, &found) {
                return Err(conflict(&key));
            }
            for key in keys {
                match found.get(&key) {
                    Some(item) => rows.insert(key, item.clone()),
                    None => rows.remove(&key),
                };
            }
        }
    }

    /// Whether a slice was marked though its answer was lost; a conflict where the journal was aborted by another.
    async fn is_marked(&self, writing: &mut Writing<'_>, number: usize) -> Result<bool, CommitError> {
        let id = &writing.commit.id;
        let items = self.get(&[header_key(id), slice_key(id, number)]).await?;
        let header = items.iter().find(|item| item.key == header_key(id));
        match header.map(Header::of).transpose()? {
            Some(Header { state: State::Open, .. }) => {}
            _ => return Err(conflict(&writing.commit.steps[0].key)),
        }
        if items.iter().any(|item| item.key == slice_key(id, number)) {
            writing.header += 1;
            return Ok(true);
        }
        Ok(false)
    }

    async fn reach_commit_point(&self, writing: &mut Writing<'_>) -> Result<(), CommitError> {
        let id = &writing.commit.id;
        let header = Header { state: State::Committed, touched: self.clock.now() };
        let flip = Write::Put(header.item(id, writing.header + 1)?, Condition::Version(writing.header));
        loop {
            let error = match self.table.write(&flip).await {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            let aborted = match &error {
                TableError::Cancelled { causes } => match &causes[..] {
                    [Some(Cause::Condition { found: Some(found) })] => match Header::of(found)?.state {
                        State::Committed => return Ok(()),
                        State::Open => false,
                        State::Aborted => true,
                    },
                    [Some(Cause::Condition { found: None })] => true,
                    _ => false,
                },
                _ => false,
            };
            if aborted {
                // Aborted by another; or committed, its answer lost, and already applied by another.
                if self.settle(writing.commit).await? {
                    return Ok(());
                }
                return Err(conflict(&writing.commit.steps[0].key));
            }
            writing.wait(self, error, None).await?;
        }
    }
}

/// The first row that stood in a transaction's way, otherwise than by being throttled.
fn stood_first(causes: &[Option<Cause>], writes: &[Write]) -> Option<Key> {
    let stood = |cause: &Option<Cause>| matches!(cause, Some(Cause::Conflict | Cause::Condition { .. }));
    Some(writes.get(causes.iter().position(stood)?)?.key().clone())
}

/// Of these keys, the first in the commit's order whose row is not as expected.
fn first_that_differs(commit: &Commit, keys: &[Key], found: &HashMap<Key, Item>) -> Option<Key> {
    let asked: HashSet<&Key> = keys.iter().collect();
    let mut steps = commit.steps.iter().filter(|step| asked.contains(&step.key));
    steps.find(|step| !as_expected(step, found.get(&step.key))).map(|step| step.key.clone())
}

impl Writing<'_> {
    /// Waits before the next try, or says that there were enough.
    async fn wait<T: Table>(
        &mut self,
        store: &DynamoStore<T>,
        error: TableError,
        met: Option<Key>,
    ) -> Result<(), CommitError> {
        let goes_on = match &error {
            TableError::Throttled => store.wait(&mut self.throttled, THROTTLED_TRIES).await,
            TableError::Cancelled { causes } if causes.contains(&Some(Cause::Throttled)) => {
                store.wait(&mut self.throttled, THROTTLED_TRIES).await
            }
            TableError::Cancelled { .. } | TableError::Unknown { .. } => {
                store.wait(&mut self.waits, TRIES).await
            }
            TableError::Unavailable { .. } => false,
        };
        match met {
            _ if goes_on => Ok(()),
            Some(key) => Err(conflict(&key)),
            None => Err(refusal(&error).into()),
        }
    }

    /// How many of these steps fit into one transaction, also when it is undone or applied; at least one.
    fn fitting(&self, steps: &[&Step<Encoded>], rows: &HashMap<Key, Item>) -> usize {
        let mut size = 0;
        let fit = steps.iter().take(ROWS_AT_ONCE).take_while(|step| {
            size += self.marked(step, rows.get(&step.key)).size();
            size <= BYTES_AT_ONCE - NAMED_AT_ONCE - LARGEST_ITEM
        });
        fit.count().max(1)
    }

    /// What marks a slice: the header moved on, the slice, and its rows.
    fn marks(
        &self,
        steps: &[&Step<Encoded>],
        number: usize,
        rows: &HashMap<Key, Item>,
        now: Timestamp,
    ) -> Result<Vec<Write>, StoreError> {
        let id = &self.commit.id;
        let header = Header { state: State::Open, touched: now }.item(id, self.header + 1)?;
        let names = steps.iter().map(|step| (step.key.partition.clone(), step.key.sort.clone()));
        let slice = item(slice_key(id, number), id, 1, &Slice { rows: names.collect() })?;
        let mut writes = Vec::with_capacity(steps.len() + 2);
        writes.push(Write::Put(header, Condition::Version(self.header)));
        writes.push(Write::Put(slice, Condition::Absent));
        for step in steps {
            let before = rows.get(&step.key);
            let condition = before.and_then(Item::version).map_or(Condition::Absent, Condition::unchanged);
            writes.push(Write::Put(self.marked(step, before), condition));
        }
        Ok(writes)
    }

    fn marked(&self, step: &Step<Encoded>, before: Option<&Item>) -> Item {
        let next = match &step.write {
            What::Put(Encoded { body, .. }) => {
                // A row that may be anything may have been written since this commit's version was made.
                let least = before.and_then(Item::version).map_or(0, |version| version.saturating_add(1));
                Next::Put { version: Some(self.version.max(least)), body: body.clone() }
            }
            What::Delete => Next::Delete,
            What::Nothing => Next::Keep,
        };
        let mark = Mark { journal: self.commit.id.clone(), next };
        Item { key: step.key.clone(), now: before.and_then(|item| item.now.clone()), mark: Some(mark) }
    }
}
