//! Items that are not as the store writes them: a row without a version is contained to its own place, and nothing waits
//! for ever on a condition that does not come true.

use std::sync::Arc;

use async_trait::async_trait;
use branchline_model::{Change, Expectation, Row, Version};
use branchline_ports::{Clock, CommitError, Page, Store};
use branchline_store::dynamo::{
    Body, Call, Cause, Condition, Content, Faults, Item, MemoryTable, NO_VERSION, Stored, Table, TableError,
    Write,
};
use branchline_testkit::conformance::carry_out;

use crate::rows::{after, before, change_of, key, keys, mark};
use crate::upon::Upon;

/// Takes the version away from a row.
async fn damaged_at(upon: &Upon, index: u32) {
    let found = upon.table.get(&[key(index)]).await.unwrap().items.remove(0);
    let now = found.now.clone().map(|stored| Stored { version: None, ..stored });
    let condition = Condition::unchanged(found.version().unwrap());
    upon.table.write(&Write::Put(Item { now, ..found }, condition)).await.unwrap();
}

/// Rows of which the one in the middle has lost its version.
async fn damaged(upon: &Upon, size: u32) -> Vec<Version> {
    let mut versions = before(&upon.store(), size).await;
    damaged_at(upon, size / 2).await;
    versions[size as usize / 2] = Version(NO_VERSION);
    versions
}

#[test]
fn a_row_that_lost_its_version_is_unreadable_in_its_place_and_fails_no_other() {
    carry_out(async {
        let upon = Upon::new(MemoryTable::new());
        let store = upon.store();
        damaged(&upon, 3).await;
        let rows = store.read(&keys(3)).await.unwrap();
        let rows: Vec<_> = rows.into_iter().map(Option::unwrap).collect();
        assert_eq!((&rows[0].value, &rows[2].value), (&mark(0, 0), &mark(2, 2)));
        assert_eq!(rows[1].version, Version(NO_VERSION));
        let Row::Unreadable(unreadable) = &rows[1].value else { panic!("{:?}", rows[1]) };
        assert_eq!((&unreadable.key, unreadable.why.as_str()), (&key(1), "it has no version"));
        let page = store.page(&Page::of(key(0).partition, 10)).await.unwrap();
        assert_eq!(page, rows);
    });
}

#[test]
fn a_row_that_lost_its_version_is_written_checked_and_removed_like_any_other() {
    carry_out(async {
        for size in [1, 20, 230] {
            // What happens to a row hangs on its number: three in turn are written, removed and checked.
            for expects_anything in [false, true] {
                let upon = Upon::new(MemoryTable::new());
                let mut changes = change_of(size, &damaged(&upon, size).await);
                if expects_anything
                    && let Change::Put { expected, .. } | Change::Delete { expected, .. } =
                        &mut changes[size as usize / 2]
                {
                    *expected = Expectation::Any;
                }
                let is_checked = matches!(changes[size as usize / 2], Change::Check { .. });
                upon.store().commit_if_unchanged(changes).await.unwrap();
                let rows = upon.store().read(&keys(size)).await.unwrap();
                for (index, (row, worth)) in rows.into_iter().zip(after(size)).enumerate() {
                    if is_checked && index == size as usize / 2 {
                        assert!(matches!(row.unwrap().value, Row::Unreadable(_)), "a check mends nothing");
                    } else {
                        assert_eq!(row.map(|row| crate::rows::value(&row.value)), worth, "{index} of {size}");
                    }
                }
            }
        }
    });
}

#[test]
fn a_row_that_lost_its_version_is_neither_absent_nor_at_another_version() {
    carry_out(async {
        let upon = Upon::new(MemoryTable::new());
        let versions = before(&upon.store(), 1).await;
        damaged_at(&upon, 0).await;
        for expected in [Expectation::Absent, Expectation::Unchanged(versions[0])] {
            let change = Change::Put { row: mark(0, 5), expected };
            let outcome = upon.store().commit_if_unchanged(vec![change]).await;
            assert_eq!(outcome, Err(CommitError::Conflict { key: key(0) }));
        }
    });
}

/// Says that a condition does not hold, though what is there says that it does.
struct Contrary;

#[async_trait]
impl Faults for Contrary {
    async fn before(&self, call: Call<'_>) -> Option<TableError> {
        let causes = |writes: &[Write]| {
            let refused = |write: &Write| matches!(write.condition(), Condition::Older(_));
            let found = Stored {
                version: Some(7),
                commit: "another".to_owned(),
                body: Body { format: 1, content: Content::Plain("{}".to_owned()) },
            };
            let cause = |write: &Write| {
                refused(write).then(|| Cause::Condition {
                    found: Some(Box::new(Item::unmarked(write.key().clone(), found.clone()))),
                })
            };
            writes.iter().map(cause).collect::<Vec<_>>()
        };
        let causes = match call {
            Call::Write(write) => causes(std::slice::from_ref(write)),
            Call::Transact(writes) => causes(writes),
            Call::Get(_) | Call::Query(_) | Call::Remove(_) => return None,
        };
        causes.iter().any(Option::is_some).then_some(TableError::Cancelled { causes })
    }

    async fn after(&self, _: Call<'_>, _: Result<(), &TableError>) -> Option<TableError> {
        None
    }
}

#[test]
fn a_condition_that_fails_though_nothing_says_why_ends_in_a_conflict_after_some_waits() {
    carry_out(async {
        for size in [1, 20] {
            let upon = Upon::new(MemoryTable::with_faults(Arc::new(Contrary)));
            let began = upon.clock.now();
            let rows = (0..size).map(|index| Change::Put { row: mark(index, 0), expected: Expectation::Any });
            let outcome = upon.store().commit_if_unchanged(rows.collect()).await;
            assert!(matches!(outcome, Err(CommitError::Conflict { .. })), "{outcome:?}");
            assert!(upon.clock.now() > began, "it was not waited");
        }
    });
}
