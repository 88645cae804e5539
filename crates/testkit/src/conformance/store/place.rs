//! The verbs of the situations. Rows are places in a queue: their keys may be any text, and the run they name tells
//! one writing of a row from another.

use branchline_model::{
    BuildId, Change, Expectation, Key, PoolName, QueueEntry, RepositoryId, RepositoryName, Row, RunId,
    Version, Wants,
};
use branchline_ports::{CommitError, Page, Store};

/// A row under a key of any text; `mark` tells it from another with the same key.
pub(super) fn entry(partition: &str, sort: &str, mark: u32) -> Row {
    let repository = RepositoryId::of(&RepositoryName::new("example.org/app"));
    let run = RunId { build: BuildId { repository, number: 1 }, index: mark + 1 };
    let wants = Wants::default();
    QueueEntry { pool: PoolName::new(partition), wants, place: sort.to_owned(), run }.into()
}

/// The key of such a row.
pub(super) fn key(partition: &str, sort: &str) -> Key {
    entry(partition, sort, 0).key()
}

/// A page of all rows of such a partition.
pub(super) fn page(partition: &str) -> Page {
    Page::of(key(partition, "").partition, usize::MAX)
}

/// What tells a row from another with the same key.
pub(super) fn mark(row: &Row) -> u32 {
    let Row::QueueEntry(entry) = row else { unreachable!("only places in a queue are written here") };
    entry.run.index - 1
}

pub(super) fn put(row: Row, expected: Expectation) -> Change {
    Change::Put { row, expected }
}

pub(super) fn delete(key: Key, expected: Expectation) -> Change {
    Change::Delete { key, expected }
}

pub(super) fn check(key: Key, expected: Expectation) -> Change {
    Change::Check { key, expected }
}

/// Writes a row, whatever is there, and answers its version then.
pub(super) async fn written(store: &dyn Store, row: Row) -> Version {
    let key = row.key();
    store.commit_if_unchanged(vec![put(row, Expectation::Any)]).await.unwrap();
    found(store, &key).await.unwrap().1
}

/// What is stored under a key: its mark and its version.
pub(super) async fn found(store: &dyn Store, key: &Key) -> Option<(u32, Version)> {
    let mut rows = store.read(std::slice::from_ref(key)).await.unwrap();
    assert_eq!(rows.len(), 1, "one key was asked for");
    rows.remove(0).map(|row| (mark(&row.value), row.version))
}

/// Asserts that a commit was refused because of this row.
pub(super) fn assert_conflict(outcome: &Result<(), CommitError>, key: &Key) {
    assert_eq!(*outcome, Err(CommitError::Conflict { key: key.clone() }));
}
