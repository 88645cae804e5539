//! Rows of a test: numbered, each with a value; and one commit over all of them.

use branchline_model::{
    BuildId, Change, Expectation, Key, PoolName, QueueEntry, RepositoryId, RepositoryName, Row, RunId,
    Timestamp, Trouble, Version, Wants,
};
use branchline_ports::Store;

/// The row of a number, with a value.
pub fn mark(index: u32, value: u32) -> Row {
    let repository = RepositoryId::of(&RepositoryName::new("example.org/app"));
    let run = RunId { build: BuildId { repository, number: 1 }, index: value + 1 };
    let (pool, wants) = (PoolName::new("p"), Wants::default());
    QueueEntry { pool, wants, place: format!("{index:06}"), run }.into()
}

/// A row with a text of any length.
pub fn trouble(why: String) -> Row {
    let repository = RepositoryId::of(&RepositoryName::new("example.org/app"));
    Trouble { repository, since: Timestamp(0), why, failures: 1, next_try: Timestamp(1) }.into()
}

/// The key of a number.
pub fn key(index: u32) -> Key {
    mark(index, 0).key()
}

/// The keys of the first numbers.
pub fn keys(size: u32) -> Vec<Key> {
    (0..size).map(key).collect()
}

/// The value of a row.
pub fn value(row: &Row) -> u32 {
    let Row::QueueEntry(entry) = row else { unreachable!("only places in a queue are written here") };
    entry.run.index - 1
}

/// Writes rows that are each worth their number; answers their versions.
pub async fn before(store: &dyn Store, size: u32) -> Vec<Version> {
    let rows = (0..size).map(|index| Change::Put { row: mark(index, index), expected: Expectation::Absent });
    store.commit_if_unchanged(rows.collect()).await.unwrap();
    let rows = store.read(&keys(size)).await.unwrap();
    rows.into_iter().map(|row| row.unwrap().version).collect()
}

/// One commit over all of them: every third is written, removed, checked, in this order.
pub fn change_of(size: u32, versions: &[Version]) -> Vec<Change> {
    let change = |(index, version): (u32, &Version)| {
        let expected = Expectation::Unchanged(*version);
        match index % 3 {
            0 => Change::Put { row: mark(index, 1_000 + index), expected },
            1 => Change::Delete { key: key(index), expected },
            _ => Change::Check { key: key(index), expected },
        }
    };
    (0..size).zip(versions).map(change).collect()
}

/// What they are worth when that was committed.
pub fn after(size: u32) -> Vec<Option<u32>> {
    let worth = |index| match index % 3 {
        0 => Some(1_000 + index),
        1 => None,
        _ => Some(index),
    };
    (0..size).map(worth).collect()
}

/// A change whose condition does not hold.
pub fn conflicting(index: u32) -> Change {
    Change::Put { row: mark(index, 0), expected: Expectation::Unchanged(Version(1)) }
}

/// What they are worth now, read in both ways.
pub async fn seen(store: &dyn Store, size: u32) -> Vec<Option<u32>> {
    let read = store.read(&keys(size)).await.unwrap();
    let page = store.page(&branchline_ports::Page::of(key(0).partition, usize::MAX)).await.unwrap();
    assert!(
        read.iter().flatten().map(|row| &row.value).eq(page.iter().map(|row| &row.value)),
        "read and page differ"
    );
    read.into_iter().map(|row| row.map(|row| value(&row.value))).collect()
}
