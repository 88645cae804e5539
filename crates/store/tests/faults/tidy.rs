//! What commits leave behind when they are cut off: it is ended by whoever tidies, and never too early.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use branchline_model::{Change, Expectation, Key, Row, Version};
use branchline_ports::{CommitError, Store, StoreError};
use branchline_store::dynamo::{
    BodiesUnavailable, Body, Condition, Content, Item, LargeBodies, MemoryTable, PATIENCE, Stored, Table,
    Usage, Write,
};
use branchline_testkit::conformance::carry_out;

use crate::calls::{At, FAULTS, Fault};
use crate::rows::{before, change_of, mark, trouble};
use crate::upon::Upon;

/// When bodies of a commit are looked at, at the latest.
const HOUR: Duration = Duration::from_hours(1);

fn large(text: &str) -> Row {
    trouble(text.repeat(300 << 10))
}

fn put(row: Row) -> Change {
    Change::Put { row, expected: Expectation::Any }
}

/// The names of the bodies that rows name, and those that are there.
fn named_and_kept(upon: &Upon) -> (Vec<String>, Vec<String>) {
    let name = |item: Item| match item.now?.body.content {
        Content::Elsewhere(name) => Some(name),
        _ => None,
    };
    (upon.table.items().into_iter().filter_map(name).collect(), upon.bodies.names())
}

/// Tidies until nothing is left to do.
async fn tidied(upon: &Upon) {
    while upon.store().tidy(3).await.unwrap() > 0 {}
}

#[test]
fn a_body_goes_when_its_row_names_it_no_more() {
    carry_out(async {
        let upon = Upon::new(MemoryTable::new());
        let store = upon.store();
        for text in ["a", "b"] {
            store.commit_if_unchanged(vec![put(large(text))]).await.unwrap();
        }
        let refused = Change::Put { row: large("c"), expected: Expectation::Absent };
        assert!(store.commit_if_unchanged(vec![refused]).await.is_err());
        assert_eq!(upon.bodies.names().len(), 3);
        tidied(&upon).await;
        assert_eq!(upon.bodies.names().len(), 3, "a commit may be under way still");
        upon.clock.step(HOUR);
        assert_eq!(store.tidy(10).await, Ok(2), "two are of no row");
        let (named, kept) = named_and_kept(&upon);
        assert_eq!((kept.len(), &named), (1, &kept));
        let read = store.read(&[large("b").key()]).await.unwrap().remove(0);
        assert_eq!(read.map(|row| row.value), Some(large("b")));
        store.discard(&[large("b").key()]).await.unwrap();
        upon.clock.step(HOUR * 24 * 7);
        tidied(&upon).await;
        assert_eq!(upon.bodies.names(), Vec::<String>::new());
        assert!(upon.table.items().is_empty(), "nothing is left of it all");
    });
}

#[test]
fn a_body_that_is_kept_for_long_is_looked_at_seldom() {
    carry_out(async {
        let upon = Upon::new(MemoryTable::new());
        upon.store().commit_if_unchanged(vec![put(large("a"))]).await.unwrap();
        let before = upon.table.usage();
        for _ in 0..90 * 24 {
            upon.clock.step(HOUR);
            tidied(&upon).await;
        }
        let used = upon.table.usage() - before;
        assert!((10..=25).contains(&used.write_requests), "{used:?}");
        assert_eq!(upon.bodies.names().len(), 1);
    });
}

#[test]
fn where_nothing_is_left_tidying_is_one_read() {
    carry_out(async {
        let upon = Upon::new(MemoryTable::new());
        before(&upon.store(), 230).await;
        let before = upon.table.usage();
        assert_eq!(upon.store().tidy(100).await, Ok(0));
        let used = upon.table.usage() - before;
        assert_eq!(used, Usage { read_requests: 1, read_units: 1, ..Usage::default() });
    });
}

/// A commit of a large row alone, with others, and with so many that it is a journal.
fn with_large_row(size: u32, versions: &[Version]) -> Vec<Change> {
    let mut changes = change_of(size, versions);
    changes.push(put(large("a")));
    changes
}

#[test]
fn whatever_call_fails_no_body_is_left_that_no_row_names_and_none_is_missing() {
    carry_out(async {
        for (size, fault) in [1, 20, 230].into_iter().flat_map(|size| FAULTS.map(|fault| (size, fault))) {
            for call in 1.. {
                let at = At::new(fault, call);
                let upon = Upon::new(MemoryTable::with_faults(at.clone()));
                let changes = with_large_row(size, &before(&upon.store(), size).await);
                at.arm();
                drop(upon.store().commit_if_unchanged(changes).await);
                at.disarm();
                is_tidied(&upon).await;
                if !at.happened() {
                    break;
                }
            }
        }
    });
}

/// After some time and a tidying, what is there is what rows name, and nothing of a journal.
async fn is_tidied(upon: &Upon) {
    upon.clock.step(HOUR + PATIENCE * 2);
    tidied(upon).await;
    let (named, kept) = named_and_kept(upon);
    assert_eq!(named, kept);
    for item in upon.table.items() {
        let is_note = item.key.sort.starts_with("~bodies/") && !kept.is_empty();
        assert!(item.mark.is_none() && (is_note || !item.key.partition.starts_with("journal")), "{item:?}");
    }
}

#[test]
fn whatever_call_of_a_tidying_fails_the_next_one_ends_it() {
    carry_out(async {
        for fault in FAULTS {
            for call in 1.. {
                let at = At::new(fault, call);
                let upon = left_behind(at.clone()).await;
                assert!(upon.table.items().iter().any(|item| item.mark.is_some()));
                upon.clock.step(HOUR);
                at.arm();
                while matches!(upon.store().tidy(100).await, Ok(1..)) {}
                at.disarm();
                // What was moved to a later look is looked at again then.
                upon.clock.step(HOUR * 2);
                is_tidied(&upon).await;
                assert_eq!(upon.bodies.names().len(), 1, "{fault:?} at {call}");
                if !at.happened() {
                    break;
                }
            }
        }
    });
}

/// A table with a journal that was cut off, a body that no row names and one that a row does; calls of it fail so.
async fn left_behind(faults: Arc<At>) -> Upon {
    let dead = At::new(Fault::DeadAfter, 5);
    let upon = Upon::new(MemoryTable::with_faults(dead.clone()));
    let store = upon.store();
    for text in ["a", "b"] {
        store.commit_if_unchanged(vec![put(large(text))]).await.unwrap();
    }
    let versions = before(&store, 150).await;
    dead.arm();
    assert!(store.commit_if_unchanged(change_of(150, &versions)).await.is_err());
    let table = MemoryTable::with_faults(faults);
    for item in upon.table.items() {
        table.write(&Write::Put(item, Condition::Absent)).await.unwrap();
    }
    Upon { table: Arc::new(table), ..upon }
}

/// Keeps bodies, and takes hours for it; meanwhile others tidy.
struct Slow(Upon);

#[async_trait]
impl LargeBodies for Slow {
    async fn put(&self, name: &str, bytes: &[u8]) -> Result<(), BodiesUnavailable> {
        self.0.bodies.put(name, bytes).await?;
        self.0.clock.step(HOUR * 2);
        tidied(&self.0).await;
        Ok(())
    }

    async fn get(&self, name: &str) -> Result<Option<Vec<u8>>, BodiesUnavailable> {
        self.0.bodies.get(name).await
    }

    async fn delete(&self, name: &str) -> Result<(), BodiesUnavailable> {
        self.0.bodies.delete(name).await
    }
}

#[test]
fn a_commit_that_comes_after_its_bodies_were_given_up_is_refused() {
    carry_out(async {
        for size in [1, 20, 230] {
            let upon = Upon::new(MemoryTable::new());
            let changes = with_large_row(size, &before(&upon.store(), size).await);
            let slow = upon.store_with(Arc::new(Slow(upon.clone())));
            let outcome = slow.commit_if_unchanged(changes).await;
            assert!(matches!(outcome, Err(CommitError::Conflict { .. })), "{size}: {outcome:?}");
            assert_eq!(upon.store().read(&[large("a").key()]).await.unwrap(), [None]);
            is_tidied(&upon).await;
        }
    });
}

#[test]
fn a_body_that_is_gone_while_its_row_names_it_makes_the_row_unreadable() {
    carry_out(async {
        let upon = Upon::new(MemoryTable::new());
        let store = upon.store();
        store.commit_if_unchanged(vec![put(large("a")), put(mark(0, 0))]).await.unwrap();
        upon.bodies.delete(&upon.bodies.names()[0]).await.unwrap();
        let rows = store.read(&[large("a").key(), mark(0, 0).key()]).await.unwrap();
        assert!(
            matches!(&rows[0].as_ref().unwrap().value, Row::Unreadable(row) if row.why.contains("is not there"))
        );
        assert_eq!(rows[1].as_ref().unwrap().value, mark(0, 0));
    });
}

#[test]
fn a_leftover_that_is_damaged_is_told_of_and_keeps_no_other_from_being_ended() {
    carry_out(async {
        let upon = left_behind(At::new(Fault::DeadBefore, usize::MAX)).await;
        let key = Key::new("journals", "0");
        let body = Body { format: 1, content: Content::Plain("{}".to_owned()) };
        let damaged = Item::unmarked(key.clone(), Stored { version: Some(1), commit: String::new(), body });
        upon.table.write(&Write::Put(damaged, Condition::Absent)).await.unwrap();
        upon.clock.step(HOUR);
        let told = upon.store().tidy(100).await;
        assert!(matches!(&told, Err(StoreError::Unreadable { key: named, .. }) if *named == key), "{told:?}");
        assert_eq!(upon.bodies.names().len(), 1);
        assert!(upon.table.items().iter().all(|item| item.mark.is_none()));
    });
}
