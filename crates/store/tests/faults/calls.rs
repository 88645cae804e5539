//! The DynamoDB store where calls fail: cut off at any of them, with answers lost, throttled, or met by others. After
//! each, a commit is there whole or not at all, it was answered truly, and nobody after it is kept waiting for ever.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use branchline_model::{Change, Expectation, Row, Version, Versioned};
use branchline_ports::{CommitError, Store, StoreError};
use branchline_store::dynamo::{Call, Cause, Faults, MemoryTable, PATIENCE, TableError};
use branchline_testkit::conformance::carry_out;

use crate::rows::{after, before, change_of, conflicting, key, keys, mark, seen};
use crate::upon::Upon;

/// What happens at one call, and afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Whoever calls is dead before the call.
    DeadBefore,
    /// Whoever calls is dead after the call was done.
    DeadAfter,
    /// The answer is lost, and the call was not done.
    LostBefore,
    /// The answer is lost, and the call was done.
    LostAfter,
}

pub const FAULTS: [Fault; 4] = [Fault::DeadBefore, Fault::DeadAfter, Fault::LostBefore, Fault::LostAfter];

/// One fault at one call.
pub struct At {
    fault: Fault,
    call: usize,
    made: AtomicUsize,
    dead: AtomicBool,
    armed: AtomicBool,
}

impl At {
    pub fn new(fault: Fault, call: usize) -> Arc<Self> {
        let (made, dead, armed) = (AtomicUsize::new(0), AtomicBool::new(false), AtomicBool::new(false));
        Arc::new(Self { fault, call, made, dead, armed })
    }

    pub fn happened(&self) -> bool {
        self.made.load(Ordering::SeqCst) >= self.call
    }

    /// From now on calls are counted.
    pub fn arm(&self) {
        self.armed.store(true, Ordering::SeqCst);
    }

    /// From now on nothing fails any more.
    pub fn disarm(&self) {
        self.armed.store(false, Ordering::SeqCst);
    }

    fn is_it(&self) -> bool {
        self.made.load(Ordering::SeqCst) == self.call
    }
}

fn dead() -> TableError {
    TableError::Unavailable { why: "whoever asked is dead".to_owned() }
}

fn lost() -> TableError {
    TableError::Unknown { why: "the answer was lost".to_owned() }
}

#[async_trait]
impl Faults for At {
    async fn before(&self, _: Call<'_>) -> Option<TableError> {
        if !self.armed.load(Ordering::SeqCst) {
            return None;
        }
        if self.dead.load(Ordering::SeqCst) {
            return Some(dead());
        }
        self.made.fetch_add(1, Ordering::SeqCst);
        match self.fault {
            Fault::DeadBefore if self.is_it() => {
                self.dead.store(true, Ordering::SeqCst);
                Some(dead())
            }
            Fault::LostBefore if self.is_it() => Some(lost()),
            _ => None,
        }
    }

    async fn after(&self, _: Call<'_>, _: Result<(), &TableError>) -> Option<TableError> {
        if !self.armed.load(Ordering::SeqCst) || self.dead.load(Ordering::SeqCst) {
            return None;
        }
        match self.fault {
            Fault::DeadAfter if self.is_it() => {
                self.dead.store(true, Ordering::SeqCst);
                Some(dead())
            }
            Fault::LostAfter if self.is_it() => Some(lost()),
            _ => None,
        }
    }
}

/// Whoever comes next can write each of the rows, after some patience at most.
async fn is_not_blocked(upon: &Upon, size: u32) {
    let next = upon.store();
    for index in [0, size / 2, size - 1] {
        for tries in 0.. {
            let row = next.read(&[key(index)]).await.unwrap().remove(0);
            let expected = row.map_or(Expectation::Absent, |row| Expectation::Unchanged(row.version));
            let change = Change::Put { row: mark(index, 9_999), expected };
            match next.commit_if_unchanged(vec![change]).await {
                Ok(()) => break,
                Err(CommitError::Conflict { .. }) if tries < 3 => {
                    upon.clock.step(PATIENCE);
                }
                Err(error) => panic!("{index} is blocked: {error}"),
            }
        }
    }
    upon.clock.step(PATIENCE * 2);
    next.tidy(100).await.unwrap();
    for item in upon.table.items() {
        assert!(item.mark.is_none() && !item.key.partition.starts_with("journal"), "left behind: {item:?}");
    }
}

/// Commits over `size` rows with a fault at every call in turn, until the commit is made without reaching it.
fn whole_or_nothing_and_answered_truly(size: u32) {
    carry_out(async {
        for fault in FAULTS {
            for call in 1.. {
                let at = At::new(fault, call);
                let upon = Upon::new(MemoryTable::with_faults(at.clone()));
                let changes = change_of(size, &before(&upon.store(), size).await);
                at.arm();
                let outcome = upon.store().commit_if_unchanged(changes).await;
                at.disarm();
                is_whole_or_nothing(&upon, size, fault, &outcome).await;
                if !at.happened() {
                    assert!(call > 1, "no call was made");
                    break;
                }
            }
        }
    });
}

async fn is_whole_or_nothing(upon: &Upon, size: u32, fault: Fault, outcome: &Result<(), CommitError>) {
    let about = format!("{fault:?}: {outcome:?}");
    let rows = seen(&upon.store(), size).await;
    let made = rows == after(size);
    assert!(made || rows == (0..size).map(Some).collect::<Vec<_>>(), "in part, {about}: {rows:?}");
    match outcome {
        Ok(()) => assert!(made, "{about}"),
        // Whoever is dead hears nothing; whoever lives is told what is so.
        Err(_) if matches!(fault, Fault::DeadBefore | Fault::DeadAfter) => {}
        Err(error) => panic!("{about}: {error}"),
    }
    is_not_blocked(upon, size).await;
    let rows = seen(&upon.store(), size).await;
    for index in (0..size).filter(|index| ![0, size / 2, size - 1].contains(index)) {
        let expected = if made { after(size)[index as usize] } else { Some(index) };
        assert_eq!(rows[index as usize], expected, "changed afterwards, {about}");
    }
}

#[test]
fn a_commit_of_one_row_is_made_or_not_whatever_call_fails() {
    whole_or_nothing_and_answered_truly(1);
}

#[test]
fn a_transaction_is_made_whole_or_not_whatever_call_fails() {
    whole_or_nothing_and_answered_truly(20);
}

#[test]
fn a_journal_is_seen_whole_or_not_at_all_whatever_call_fails() {
    whole_or_nothing_and_answered_truly(230);
}

#[test]
fn a_refused_journal_leaves_nothing_whatever_call_fails() {
    carry_out(async {
        for fault in FAULTS {
            for call in 1.. {
                let at = At::new(fault, call);
                let upon = Upon::new(MemoryTable::with_faults(at.clone()));
                let store = upon.store();
                let versions = before(&store, 150).await;
                let mut changes = change_of(150, &versions);
                changes.push(conflicting(140_000));
                at.arm();
                let outcome = store.commit_if_unchanged(changes).await;
                at.disarm();
                assert!(outcome.is_err(), "{fault:?} at {call}");
                assert_eq!(seen(&store, 150).await, (0..150).map(Some).collect::<Vec<_>>());
                is_not_blocked(&upon, 150).await;
                if !at.happened() {
                    assert_eq!(outcome, Err(CommitError::Conflict { key: key(140_000) }));
                    break;
                }
            }
        }
    });
}

/// Answers the first calls that write, so often.
struct Busy {
    left: AtomicUsize,
    with: Cause,
}

#[async_trait]
impl Faults for Busy {
    async fn before(&self, call: Call<'_>) -> Option<TableError> {
        let writes = match call {
            Call::Write(_) => 1,
            Call::Transact(writes) => writes.len(),
            Call::Get(_) | Call::Query(_) | Call::Remove(_) => return None,
        };
        self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).ok()?;
        let mut causes = vec![None; writes];
        *causes.last_mut()? = Some(self.with.clone());
        Some(TableError::Cancelled { causes })
    }

    async fn after(&self, _: Call<'_>, _: Result<(), &TableError>) -> Option<TableError> {
        None
    }
}

async fn commit_where_busy(
    size: u32,
    times: usize,
    with: Cause,
) -> (Result<(), CommitError>, Vec<Option<u32>>) {
    let busy = Arc::new(Busy { left: AtomicUsize::new(0), with });
    let upon = Upon::new(MemoryTable::with_faults(busy.clone()));
    let store = upon.store();
    let changes = change_of(size, &before(&store, size).await);
    busy.left.store(times, Ordering::SeqCst);
    let outcome = store.commit_if_unchanged(changes).await;
    busy.left.store(0, Ordering::SeqCst);
    (outcome, seen(&store, size).await)
}

#[test]
fn what_meets_another_transaction_or_is_throttled_is_tried_again() {
    carry_out(async {
        for size in [1, 20, 230] {
            for cause in [Cause::Conflict, Cause::Throttled] {
                let (outcome, rows) = commit_where_busy(size, 4, cause.clone()).await;
                assert_eq!(outcome, Ok(()), "{size} rows, {cause:?}");
                assert_eq!(rows, after(size));
            }
        }
    });
}

#[test]
fn what_meets_others_for_ever_is_a_conflict_and_what_is_throttled_for_ever_unavailable() {
    carry_out(async {
        for size in [1, 20, 230] {
            let untouched: Vec<_> = (0..size).map(Some).collect();
            let (outcome, rows) = commit_where_busy(size, 1_000, Cause::Throttled).await;
            assert!(
                matches!(outcome, Err(CommitError::Store(StoreError::Unavailable { .. }))),
                "{outcome:?}"
            );
            assert_eq!(rows, untouched);
            if size < 100 {
                let (outcome, rows) = commit_where_busy(size, 1_000, Cause::Conflict).await;
                assert!(matches!(outcome, Err(CommitError::Conflict { .. })), "{outcome:?}");
                assert_eq!(rows, untouched);
            }
        }
    });
}

/// Of the keys of a read, looks at few.
struct Hurried;

#[async_trait]
impl Faults for Hurried {
    async fn before(&self, _: Call<'_>) -> Option<TableError> {
        None
    }

    async fn after(&self, _: Call<'_>, _: Result<(), &TableError>) -> Option<TableError> {
        None
    }

    fn looked_at(&self, keys: usize) -> usize {
        keys.div_ceil(2)
    }
}

#[test]
fn keys_that_were_not_looked_at_are_asked_for_again() {
    carry_out(async {
        let upon = Upon::new(MemoryTable::with_faults(Arc::new(Hurried)));
        let store = upon.store();
        before(&store, 230).await;
        assert_eq!(seen(&store, 230).await, (0..230).map(Some).collect::<Vec<_>>());
    });
}

#[test]
fn a_deletion_whose_answer_was_lost_is_not_taken_for_anothers() {
    carry_out(async {
        // The first call after setting up is the deletion itself.
        let at = At::new(Fault::LostAfter, 1);
        let upon = Upon::new(MemoryTable::with_faults(at.clone()));
        let store = upon.store();
        let version = before(&store, 1).await[0];
        at.arm();
        let deletion = Change::Delete { key: key(0), expected: Expectation::Unchanged(version) };
        let outcome = store.commit_if_unchanged(vec![deletion]).await;
        assert_eq!(outcome, Err(CommitError::Conflict { key: key(0) }), "nobody can tell whose it was");
        assert_eq!(store.read(&[key(0)]).await.unwrap(), [None]);
    });
}

#[test]
fn large_commits_from_eight_threads_lose_nothing_and_are_seen_together() {
    const SIZE: u32 = 110;
    const ADDITIONS: u32 = 6;
    let upon = Upon::new(MemoryTable::new());
    carry_out(async {
        let store = upon.store();
        let rows = (0..SIZE).map(|index| Change::Put { row: mark(index, 0), expected: Expectation::Absent });
        store.commit_if_unchanged(rows.collect()).await.unwrap();
    });
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                carry_out(async {
                    let store = upon.store();
                    for _ in 0..ADDITIONS {
                        while !add_to_all(&store, SIZE).await {}
                    }
                });
            });
        }
    });
    carry_out(async {
        assert_eq!(seen(&upon.store(), SIZE).await, vec![Some(8 * ADDITIONS); SIZE as usize]);
    });
}

/// Adds one to every row in one commit, if nobody wrote meanwhile.
async fn add_to_all(store: &dyn Store, size: u32) -> bool {
    let rows: Vec<Versioned<Row>> =
        store.read(&keys(size)).await.unwrap().into_iter().map(Option::unwrap).collect();
    let sums: Vec<u32> = rows.iter().map(|row| crate::rows::value(&row.value)).collect();
    let changes = (0..size).zip(&rows).map(|(index, row)| Change::Put {
        row: mark(index, sums[index as usize] + 1),
        expected: Expectation::Unchanged(row.version),
    });
    match store.commit_if_unchanged(changes.collect()).await {
        Ok(()) => {
            assert!(sums.iter().all(|sum| *sum == sums[0]), "decided on rows of two commits: {sums:?}");
            true
        }
        Err(CommitError::Conflict { .. }) => false,
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn versions_are_not_repeated_where_two_stores_make_a_row_again() {
    carry_out(async {
        let upon = Upon::new(MemoryTable::new());
        let (one, other) = (upon.store(), upon.store());
        let mut versions: Vec<Version> = Vec::new();
        for round in 0..20 {
            let store = if round % 2 == 0 { &one } else { &other };
            let row = Change::Put { row: mark(0, round), expected: Expectation::Absent };
            store.commit_if_unchanged(vec![row]).await.unwrap();
            let version = store.read(&[key(0)]).await.unwrap().remove(0).unwrap().version;
            assert!(!versions.contains(&version), "{version:?} again");
            versions.push(version);
            let deletion = Change::Delete { key: key(0), expected: Expectation::Unchanged(version) };
            store.commit_if_unchanged(vec![deletion]).await.unwrap();
        }
    });
}

#[test]
fn rows_that_are_discarded_under_a_journal_keep_nobody_waiting() {
    carry_out(async {
        for call in 1..40 {
            let at = At::new(Fault::DeadAfter, call);
            let upon = Upon::new(MemoryTable::with_faults(at.clone()));
            let changes = change_of(230, &before(&upon.store(), 230).await);
            at.arm();
            drop(upon.store().commit_if_unchanged(changes).await);
            at.disarm();
            upon.store().discard(&keys(120)).await.unwrap();
            is_not_blocked(&upon, 230).await;
        }
    });
}

#[test]
fn what_is_discarded_is_asked_for_again_until_all_of_it_is_gone() {
    carry_out(async {
        let upon = Upon::new(MemoryTable::with_faults(Arc::new(Hurried)));
        let store = upon.store();
        before(&store, 60).await;
        store.discard(&keys(58)).await.unwrap();
        let left: Vec<_> = seen(&store, 60).await.into_iter().flatten().collect();
        assert_eq!(left, [58, 59]);
    });
}

/// Somebody else, for whom much time has passed, who acts before one call of a slow writer.
struct Interloper {
    call: usize,
    left: AtomicUsize,
    upon: OnceLock<Upon>,
}

#[async_trait]
impl Faults for Interloper {
    async fn before(&self, _: Call<'_>) -> Option<TableError> {
        let now = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if now == Ok(1) {
            let upon = self.upon.get().unwrap();
            upon.clock.step(PATIENCE * 2);
            let store = upon.store();
            store.tidy(100).await.unwrap();
            let expected =
                Expectation::Unchanged(store.read(&[key(0)]).await.unwrap().remove(0).unwrap().version);
            store.commit_if_unchanged(vec![Change::Put { row: mark(0, 7_777), expected }]).await.unwrap();
        }
        None
    }

    async fn after(&self, _: Call<'_>, _: Result<(), &TableError>) -> Option<TableError> {
        None
    }
}

#[test]
fn a_writer_that_was_slow_and_taken_for_dead_neither_commits_in_part_nor_over_others() {
    carry_out(async {
        const SIZE: u32 = 230;
        let mut conflicts = 0;
        for call in 1.. {
            let faults = Arc::new(Interloper { call, left: AtomicUsize::new(0), upon: OnceLock::new() });
            let upon = Upon::new(MemoryTable::with_faults(faults.clone()));
            assert!(faults.upon.set(upon.clone()).is_ok());
            let changes = change_of(SIZE, &before(&upon.store(), SIZE).await);
            faults.left.store(faults.call, Ordering::SeqCst);
            let outcome = upon.store().commit_if_unchanged(changes).await;
            let came = faults.left.load(Ordering::SeqCst) == 0;
            faults.left.store(0, Ordering::SeqCst);
            let rows = seen(&upon.store(), SIZE).await;
            let others: Vec<_> = match outcome {
                Ok(()) => after(SIZE),
                Err(CommitError::Conflict { .. }) => (0..SIZE).map(Some).collect(),
                Err(error) => panic!("{error}"),
            };
            assert_eq!(rows[1..], others[1..], "call {call}: {outcome:?}");
            if !came {
                assert!(conflicts > 4, "it was never taken for dead");
                break;
            }
            conflicts += usize::from(outcome.is_err());
            assert_eq!(rows[0], Some(7_777), "call {call}: {outcome:?}: what another wrote was lost");
            is_not_blocked(&upon, SIZE).await;
        }
    });
}
