//! A commit that one call can make: one conditional write, or one transaction. Invariant: whatever is answered, the
//! commit was made whole or not at all, and it is answered as made only if it was.
//!
//! - A condition that did not hold comes with what was found. Found with this commit's id, it was this very commit,
//!   whose answer was lost on the way; found with a journal's mark, the journal is passed first (see `journal`);
//!   otherwise it is a conflict, and the first row in the commit's order is named.
//! - A meeting with another transaction, throttling, and a condition that did not hold though nothing that was found says
//!   why, are waited out with growing, drawn waits, a bounded number of times.
//! - A lost answer is settled by reading the commit's rows. One of them with this commit's id: made. All of them as
//!   expected: not made, and made again, under the same conditions, so that a call that comes late changes nothing.
//!   Anything else is a conflict: either it was never made, or others have written since, and whoever decided
//!   decides again from what is there.

use std::collections::HashMap;

use branchline_model::{Change, Expectation, Key, Version};
use branchline_ports::{CommitError, StoreError};

use super::backoff::Backoff;
use super::body::{self, Encoded};
use super::item::{Item, NO_VERSION, Stored};
use super::journal::Passing;
use super::store::{DynamoStore, THROTTLED_TRIES, TRIES, refusal};
use super::table::{Cause, Condition, MOST_BYTES, MOST_WRITES, Table, TableError, Write};
use crate::commit::{self, Step, Write as What};

/// What a transaction's items may have together: some room is left for what is counted differently.
pub(super) const BYTES_AT_ONCE: usize = MOST_BYTES - (256 << 10);

/// Changes with their bodies made. Invariant: at least one, no key twice, none that neither asks nor does anything.
pub(super) struct Commit {
    pub(super) id: String,
    pub(super) steps: Vec<Step<Encoded>>,
}

impl Commit {
    /// Takes changes; `None` where there is nothing to ask or to do.
    pub(super) fn of(changes: Vec<Change>, id: String) -> Result<Option<Self>, StoreError> {
        let mut steps = Vec::with_capacity(changes.len());
        for (number, Step { key, expected, write }) in commit::steps(changes)?.into_iter().enumerate() {
            check_key(&key)?;
            let write = match write {
                What::Put(row) => What::Put(body::encode(&key, &row, &id, number)?),
                What::Delete => What::Delete,
                What::Nothing if expected == Expectation::Any => continue,
                What::Nothing => What::Nothing,
            };
            steps.push(Step { key, expected, write });
        }
        Ok((!steps.is_empty()).then_some(Self { id, steps }))
    }

    /// Whether one call can make it.
    pub(super) fn is_small(&self) -> bool {
        self.steps.len() <= MOST_WRITES
            && self.steps.iter().map(|step| self.put(step, 0).map_or(0, |item| item.size())).sum::<usize>()
                <= BYTES_AT_ONCE
    }

    fn put(&self, step: &Step<Encoded>, version: u64) -> Option<Item> {
        let What::Put(Encoded { body, .. }) = &step.write else { return None };
        let stored = Stored { version: Some(version), commit: self.id.clone(), body: body.clone() };
        Some(Item::unmarked(step.key.clone(), stored))
    }

    fn writes(&self, version: u64) -> Vec<Write> {
        let write = |step: &Step<Encoded>| {
            let condition = match step.expected {
                Expectation::Absent => Condition::Absent,
                Expectation::Unchanged(Version(version)) => Condition::unchanged(version),
                Expectation::Any => Condition::Older(version),
            };
            match (self.put(step, version), &step.write) {
                (Some(item), _) => Write::Put(item, condition),
                (None, What::Nothing) => Write::Check(step.key.clone(), condition),
                (None, _) => Write::Delete(step.key.clone(), condition),
            }
        };
        self.steps.iter().map(write).collect()
    }

    /// Larger than every version that is expected.
    pub(super) fn least_version(&self) -> u64 {
        let expected = self.steps.iter().filter_map(|step| match step.expected {
            Expectation::Unchanged(Version(version)) => Some(version),
            Expectation::Absent | Expectation::Any => None,
        });
        expected.max().map_or(0, |version| version.saturating_add(1))
    }

    pub(super) fn keys(&self) -> Vec<Key> {
        self.steps.iter().map(|step| step.key.clone()).collect()
    }

    /// The first row in the commit's order that is not as expected, where marks do not count.
    pub(super) fn first_that_differs<'i>(&self, items: impl IntoIterator<Item = &'i Item>) -> Option<Key> {
        let found: HashMap<&Key, &Item> = items.into_iter().map(|item| (&item.key, item)).collect();
        self.steps
            .iter()
            .find(|step| !as_expected(step, found.get(&step.key).copied()))
            .map(|step| step.key.clone())
    }
}

/// Whether a row is as a step expects, where marks do not count.
pub(super) fn as_expected(step: &Step<Encoded>, found: Option<&Item>) -> bool {
    let found = found.and_then(Item::version).map(Version);
    commit::check(&step.key, step.expected, found).is_ok()
}

/// DynamoDB's own limits are 2,048 and 1,024 bytes; a little is left for how sort keys are written.
fn check_key(key: &Key) -> Result<(), StoreError> {
    let refused = |why: &str| Err(StoreError::Refused { key: key.clone(), why: why.to_owned() });
    match (key.partition.len(), key.sort.len()) {
        (0, _) => refused("its partition has no name"),
        (1..=2000, 0..=1000) => Ok(()),
        _ => refused("its key is too long: the partition may have 2,000 bytes, the sort key 1,000"),
    }
}

pub(super) fn conflict(key: &Key) -> CommitError {
    CommitError::Conflict { key: key.clone() }
}

/// What follows from the causes of a cancelled commit.
enum Verdict {
    Made,
    Refused(Key),
    /// This journal holds a row of it.
    Held {
        key: Key,
        journal: String,
    },
    /// Nothing that was found stands in the way: a row that may be anything was written with a larger version meanwhile, or
    /// has one that the table takes for none of ours.
    Outrun {
        key: Key,
        version: u64,
    },
    /// Another transaction was at this row.
    Met(Key),
    Throttled,
}

impl Commit {
    fn verdict(&self, causes: &[Option<Cause>]) -> Verdict {
        let mut held = None;
        let mut outrun = None;
        let mut met = None;
        for (step, cause) in self.steps.iter().zip(causes) {
            match cause {
                Some(Cause::Condition { found: Some(found) }) if found.is_of(&self.id) => {
                    return Verdict::Made;
                }
                _ => {}
            }
            match cause {
                None | Some(Cause::Throttled) => {}
                Some(Cause::Conflict) => met = met.or(Some(step.key.clone())),
                Some(Cause::Condition { found }) => match found.as_deref() {
                    Some(Item { mark: Some(mark), .. }) => {
                        held = held.or(Some((step.key.clone(), mark.journal.clone())));
                    }
                    found if as_expected(step, found) => {
                        let version = found.and_then(Item::version).unwrap_or(NO_VERSION);
                        outrun = outrun.max(Some((version, step.key.clone())));
                    }
                    _ => return Verdict::Refused(step.key.clone()),
                },
            }
        }
        match (held, outrun, met) {
            (Some((key, journal)), _, _) => Verdict::Held { key, journal },
            (None, Some((version, key)), _) => Verdict::Outrun { key, version },
            (None, None, Some(key)) => Verdict::Met(key),
            (None, None, None) => Verdict::Throttled,
        }
    }
}

impl<T: Table> DynamoStore<T> {
    pub(super) async fn commit_at_once(&self, commit: &Commit) -> Result<(), CommitError> {
        let mut version = self.fresh_version(commit);
        let mut throttled = Backoff::of(&commit.id);
        let mut waits = Backoff::of(&commit.id);
        let mut requests = 0;
        loop {
            let writes = commit.writes(version);
            requests += 1;
            let outcome = match writes.as_slice() {
                [write @ (Write::Put(..) | Write::Delete(..))] => self.table.write(write).await,
                // A token stands for one request: asked again with the same, an old answer might be given.
                writes => self.table.transact(&token(&commit.id, requests), writes).await,
            };
            let verdict = match outcome {
                Ok(()) => return Ok(()),
                Err(TableError::Cancelled { causes }) => commit.verdict(&causes),
                Err(TableError::Throttled) => Verdict::Throttled,
                Err(TableError::Unknown { why }) => {
                    if self.settle(commit).await? {
                        return Ok(());
                    }
                    if !self.wait(&mut waits, TRIES).await {
                        return Err(refusal(&TableError::Unknown { why }).into());
                    }
                    continue;
                }
                Err(error) => return Err(refusal(&error).into()),
            };
            match verdict {
                Verdict::Made => return Ok(()),
                Verdict::Refused(key) => return Err(conflict(&key)),
                Verdict::Outrun { key, version: found } => {
                    self.versions.observe(found);
                    version = self.fresh_version(commit);
                    if !self.wait(&mut waits, TRIES).await {
                        return Err(conflict(&key));
                    }
                }
                Verdict::Held { key, journal } => {
                    if self.pass(&journal, &key).await? == Passing::Busy
                        && !self.wait(&mut waits, TRIES).await
                    {
                        return Err(conflict(&key));
                    }
                }
                Verdict::Met(key) => {
                    if !self.wait(&mut waits, TRIES).await {
                        return Err(conflict(&key));
                    }
                }
                Verdict::Throttled => {
                    if !self.wait(&mut throttled, THROTTLED_TRIES).await {
                        return Err(refusal(&TableError::Throttled).into());
                    }
                }
            }
        }
    }

    pub(super) fn fresh_version(&self, commit: &Commit) -> u64 {
        let least = commit.least_version();
        if least > 0 {
            self.versions.observe(least - 1);
        }
        self.versions.fresh(self.clock.now(), &commit.id)
    }

    /// Finds out what became of a commit whose answer was lost: whether it was made. A conflict where that cannot be
    /// told any more.
    pub(super) async fn settle(&self, commit: &Commit) -> Result<bool, CommitError> {
        let items = self.get(&commit.keys()).await?;
        if items.iter().any(|item| item.is_of(&commit.id)) {
            return Ok(true);
        }
        match commit.first_that_differs(&items) {
            Some(key) => Err(conflict(&key)),
            None => Ok(false),
        }
    }
}

/// A token for one request of a commit.
pub(super) fn token(id: &str, request: u32) -> String {
    format!("{id}-{request}")
}
