//! When a commit is made, when it is refused, and that it is never made in part.

use branchline_model::{Change, Expectation, Key, Version};
use branchline_ports::{CommitError, Store, StoreError};

use super::place::{assert_conflict, check, delete, entry, found, key, mark, page, put, written};
use crate::conformance::in_threads;

/// A version that no row of a new store has.
const NO_VERSION: Expectation = Expectation::Unchanged(Version(1 << 40));

/// `Absent` holds where nothing is, and only there.
pub async fn a_row_that_must_be_absent_is_written_once(store: &dyn Store) {
    let first = vec![put(entry("p", "a", 1), Expectation::Absent)];
    store.commit_if_unchanged(first).await.unwrap();
    let second = store.commit_if_unchanged(vec![put(entry("p", "a", 2), Expectation::Absent)]).await;
    assert_conflict(&second, &key("p", "a"));
    assert_eq!(found(store, &key("p", "a")).await.unwrap().0, 1);
}

/// `Unchanged` holds at exactly the version that is stored.
pub async fn a_row_is_changed_at_the_version_that_was_read(store: &dyn Store) {
    let version = written(store, entry("p", "a", 1)).await;
    let change = put(entry("p", "a", 2), Expectation::Unchanged(version));
    store.commit_if_unchanged(vec![change]).await.unwrap();
    assert_eq!(found(store, &key("p", "a")).await.unwrap().0, 2);
}

/// Whoever read before another wrote must read again.
pub async fn a_stale_version_is_refused(store: &dyn Store) {
    let stale = written(store, entry("p", "a", 1)).await;
    let current = written(store, entry("p", "a", 2)).await;
    for change in [
        put(entry("p", "a", 3), Expectation::Unchanged(stale)),
        delete(key("p", "a"), Expectation::Unchanged(stale)),
        check(key("p", "a"), Expectation::Unchanged(stale)),
    ] {
        assert_conflict(&store.commit_if_unchanged(vec![change]).await, &key("p", "a"));
        assert_eq!(found(store, &key("p", "a")).await, Some((2, current)));
    }
}

/// A row that is gone is not as it was read.
pub async fn a_version_of_an_absent_row_is_refused(store: &dyn Store) {
    let version = written(store, entry("p", "a", 1)).await;
    store.commit_if_unchanged(vec![delete(key("p", "a"), Expectation::Any)]).await.unwrap();
    for change in [
        put(entry("p", "a", 2), Expectation::Unchanged(version)),
        delete(key("p", "a"), Expectation::Unchanged(version)),
        check(key("p", "a"), Expectation::Unchanged(version)),
    ] {
        assert_conflict(&store.commit_if_unchanged(vec![change]).await, &key("p", "a"));
        assert_eq!(found(store, &key("p", "a")).await, None);
    }
}

/// `Any` holds always: on nothing, and on something.
pub async fn a_change_that_expects_anything_is_made(store: &dyn Store) {
    for mark in [1, 2] {
        store.commit_if_unchanged(vec![put(entry("p", "a", mark), Expectation::Any)]).await.unwrap();
        assert_eq!(found(store, &key("p", "a")).await.unwrap().0, mark);
    }
    for _ in 0..2 {
        store.commit_if_unchanged(vec![delete(key("p", "a"), Expectation::Any)]).await.unwrap();
        assert_eq!(found(store, &key("p", "a")).await, None);
    }
}

/// A delete has the same conditions as a put; one of nothing may be asked for as well.
pub async fn a_row_is_removed_at_the_version_that_was_read(store: &dyn Store) {
    let version = written(store, entry("p", "a", 1)).await;
    let other = written(store, entry("p", "b", 2)).await;
    let absent = store.commit_if_unchanged(vec![delete(key("p", "a"), Expectation::Absent)]).await;
    assert_conflict(&absent, &key("p", "a"));
    store.commit_if_unchanged(vec![delete(key("p", "a"), Expectation::Unchanged(version))]).await.unwrap();
    assert_eq!(found(store, &key("p", "a")).await, None);
    assert_eq!(found(store, &key("p", "b")).await, Some((2, other)), "only the row that is named is removed");
    store.commit_if_unchanged(vec![delete(key("p", "a"), Expectation::Absent)]).await.unwrap();
}

/// A check is a condition and nothing else: not even the version moves.
pub async fn a_check_that_holds_writes_nothing(store: &dyn Store) {
    let version = written(store, entry("p", "a", 1)).await;
    let checks = vec![
        check(key("p", "a"), Expectation::Unchanged(version)),
        check(key("p", "gone"), Expectation::Absent),
        check(key("p", "whatever"), Expectation::Any),
        put(entry("p", "b", 5), Expectation::Absent),
    ];
    store.commit_if_unchanged(checks).await.unwrap();
    assert_eq!(found(store, &key("p", "a")).await, Some((1, version)));
    assert_eq!(found(store, &key("p", "b")).await.unwrap().0, 5);
    let rows = store.page(&page("p")).await.unwrap();
    assert_eq!(rows.len(), 2, "a check makes no row");
}

/// What is only checked refuses as well as what is written.
pub async fn a_check_that_does_not_hold_refuses_the_commit(store: &dyn Store) {
    written(store, entry("p", "a", 1)).await;
    for (name, expected) in
        [("a", Expectation::Absent), ("a", NO_VERSION), ("gone", Expectation::Unchanged(Version(1)))]
    {
        let changes = vec![put(entry("p", "b", 2), Expectation::Absent), check(key("p", name), expected)];
        assert_conflict(&store.commit_if_unchanged(changes).await, &key("p", name));
        assert_eq!(found(store, &key("p", "b")).await, None);
    }
}

/// All or nothing, wherever the failing change stands and whatever kind it is.
pub async fn one_change_that_does_not_hold_refuses_all_wherever_it_stands(store: &dyn Store) {
    let kept = written(store, entry("p", "kept", 7)).await;
    let removed = written(store, entry("p", "removed", 8)).await;
    let good = [
        put(entry("p", "new", 1), Expectation::Absent),
        put(entry("p", "kept", 2), Expectation::Unchanged(kept)),
        delete(key("p", "removed"), Expectation::Unchanged(removed)),
        check(key("p", "missing"), Expectation::Absent),
        put(entry("p", "any", 3), Expectation::Any),
    ];
    written(store, entry("p", "bad", 9)).await;
    for bad in [
        put(entry("p", "bad", 4), Expectation::Absent),
        delete(key("p", "bad"), NO_VERSION),
        check(key("p", "bad"), Expectation::Absent),
    ] {
        for position in 0..=good.len() {
            let mut changes = good.to_vec();
            changes.insert(position, bad.clone());
            assert_conflict(&store.commit_if_unchanged(changes).await, &key("p", "bad"));
            assert_eq!(found(store, &key("p", "new")).await, None, "position {position}");
            assert_eq!(found(store, &key("p", "kept")).await, Some((7, kept)), "position {position}");
            assert_eq!(found(store, &key("p", "removed")).await, Some((8, removed)), "position {position}");
            assert_eq!(found(store, &key("p", "any")).await, None, "position {position}");
        }
    }
    store.commit_if_unchanged(good.to_vec()).await.unwrap();
    assert_eq!(found(store, &key("p", "kept")).await.unwrap().0, 2);
    assert_eq!(found(store, &key("p", "removed")).await, None);
}

/// Of several that differ, the first in the commit's order is named.
pub async fn a_conflict_names_the_first_row_that_differs(store: &dyn Store) {
    written(store, entry("p", "b", 1)).await;
    let changes = vec![
        put(entry("p", "z", 1), Expectation::Absent),
        put(entry("p", "b", 2), Expectation::Absent),
        check(key("p", "a"), NO_VERSION),
    ];
    assert_conflict(&store.commit_if_unchanged(changes).await, &key("p", "b"));
}

/// Each write of a row has a larger version than the one before, also where nothing but the version changes.
pub async fn versions_grow_whenever_a_row_is_written(store: &dyn Store) {
    let mut last = written(store, entry("p", "a", 1)).await;
    for _ in 0..20 {
        written(store, entry("p", "b", 1)).await;
        let next = written(store, entry("p", "a", 1)).await;
        assert!(next > last, "{next:?} after {last:?}");
        last = next;
    }
}

/// Remove and make again: who read the row before must not take the new one for it.
pub async fn a_row_made_again_never_repeats_a_version(store: &dyn Store) {
    let mut seen = Vec::new();
    for _ in 0..5 {
        let version = written(store, entry("p", "a", 1)).await;
        assert!(seen.iter().all(|before| *before < version), "{version:?} after {seen:?}");
        seen.push(version);
        store
            .commit_if_unchanged(vec![delete(key("p", "a"), Expectation::Unchanged(version))])
            .await
            .unwrap();
    }
    written(store, entry("p", "a", 1)).await;
    for stale in seen {
        let change = put(entry("p", "a", 2), Expectation::Unchanged(stale));
        assert_conflict(&store.commit_if_unchanged(vec![change]).await, &key("p", "a"));
    }
}

/// What a commit means that names a key twice is not defined, so none is made; not even one that conflicts.
pub async fn a_key_named_twice_in_a_commit_is_refused(store: &dyn Store) {
    let version = written(store, entry("p", "there", 1)).await;
    let twice: [[Change; 2]; 4] = [
        [put(entry("p", "a", 1), Expectation::Any), put(entry("p", "a", 2), Expectation::Any)],
        [put(entry("p", "a", 1), Expectation::Any), delete(key("p", "a"), Expectation::Any)],
        [check(key("p", "a"), Expectation::Absent), put(entry("p", "a", 1), Expectation::Absent)],
        [check(key("p", "a"), Expectation::Any), check(key("p", "a"), NO_VERSION)],
    ];
    for [one, other] in twice {
        let changes = vec![one, put(entry("p", "there", 5), Expectation::Any), other];
        let refused = store.commit_if_unchanged(changes).await.unwrap_err();
        let CommitError::Store(StoreError::Refused { key: named, why }) = refused else {
            unreachable!("a key named twice was answered by {refused:?}")
        };
        assert_eq!(named, key("p", "a"));
        assert!(why.contains("twice"), "{why}");
        assert_eq!(found(store, &key("p", "a")).await, None);
        assert_eq!(found(store, &key("p", "there")).await, Some((1, version)));
    }
    // The same sort key in another partition is another key.
    let apart =
        vec![put(entry("p", "a", 1), Expectation::Absent), put(entry("q", "a", 2), Expectation::Absent)];
    store.commit_if_unchanged(apart).await.unwrap();
}

/// No condition and no change: nothing can be wrong with it.
pub async fn an_empty_commit_is_made(store: &dyn Store) {
    store.commit_if_unchanged(Vec::new()).await.unwrap();
}

/// Whatever a back end writes at once: a condition that does not hold refuses all of it, also behind the first hundred
/// rows, and also where it is only a check.
pub async fn a_commit_of_any_size_is_refused_whole(store: &dyn Store) {
    let name = |index: u32| format!("{index:06}");
    let kept = written(store, entry("p", &name(7), 7)).await;
    let removed = written(store, entry("p", &name(8), 8)).await;
    for (size, bad) in [(99, 98), (100, 99), (101, 100), (150, 149), (250, 120)] {
        let mut changes: Vec<_> =
            (0..size).map(|index| put(entry("p", &name(index), index), Expectation::Any)).collect();
        changes[8] = delete(key("p", &name(8)), Expectation::Unchanged(removed));
        changes[bad as usize] = check(key("p", &name(bad)), NO_VERSION);
        assert_conflict(&store.commit_if_unchanged(changes).await, &key("p", &name(bad)));
        assert_eq!(found(store, &key("p", &name(7))).await, Some((7, kept)), "{size}");
        assert_eq!(found(store, &key("p", &name(8))).await, Some((8, removed)), "{size}");
        assert_eq!(store.page(&page("p")).await.unwrap().len(), 2, "{size}");
    }
}

/// A build of hundreds of runs is made, changed and removed, each in one commit with puts, deletes and checks.
pub async fn three_hundred_rows_are_written_changed_and_removed_as_one(store: &dyn Store) {
    let name = |index: u32| format!("{index:06}");
    let keys: Vec<_> = (0..300).map(|index| key("p", &name(index))).collect();
    let row = |index: u32| put(entry("p", &name(index), index), Expectation::Absent);
    store.commit_if_unchanged((0..300).map(row).collect()).await.unwrap();
    let first = store.read(&keys).await.unwrap();
    let changes = (0..300).zip(&first).map(|(index, row)| {
        let row = row.as_ref().unwrap();
        assert_eq!(mark(&row.value), index);
        let expected = Expectation::Unchanged(row.version);
        match index % 3 {
            0 => put(entry("p", &name(index), 1_000 + index), expected),
            1 => delete(keys[index as usize].clone(), expected),
            _ => check(keys[index as usize].clone(), expected),
        }
    });
    store.commit_if_unchanged(changes.collect()).await.unwrap();
    let second = store.read(&keys).await.unwrap();
    for (index, (before, after)) in (0..300).zip(first.iter().zip(&second)) {
        let (before, after) = (before.as_ref().unwrap(), after.as_ref());
        match index % 3 {
            0 => {
                let after = after.unwrap();
                assert_eq!(mark(&after.value), 1_000 + index);
                assert!(after.version > before.version, "{index}");
            }
            1 => assert_eq!(after, None, "{index}"),
            _ => assert_eq!(after, Some(before), "{index}"),
        }
    }
    let removal = keys.iter().map(|key| delete(key.clone(), Expectation::Any)).collect();
    store.commit_if_unchanged(removal).await.unwrap();
    assert!(store.page(&page("p")).await.unwrap().is_empty());
}

/// A large build is one commit, too.
pub async fn three_thousand_changes_are_one_commit(store: &dyn Store) {
    let name = |index: u32| format!("{index:06}");
    let row = |index: u32| put(entry("p", &name(index), index), Expectation::Absent);
    written(store, entry("p", &name(2_999), 1)).await;
    let refused = store.commit_if_unchanged((0..3_000).map(row).collect()).await;
    assert_conflict(&refused, &key("p", &name(2_999)));
    assert_eq!(store.page(&page("p")).await.unwrap().len(), 1, "none of a refused commit is written");
    store.commit_if_unchanged(vec![delete(key("p", &name(2_999)), Expectation::Any)]).await.unwrap();
    store.commit_if_unchanged((0..3_000).map(row).collect()).await.unwrap();
    assert_eq!(store.page(&page("p")).await.unwrap().len(), 3_000);
}

/// Eight that read, add one and write: no sum is lost, however they meet.
pub async fn compare_and_set_from_eight_threads_loses_nothing(store: &dyn Store) {
    const THREADS: u32 = 8;
    const ADDITIONS: u32 = 50;
    let counter = key("p", "counter");
    written(store, entry("p", "counter", 0)).await;
    let conflicts: u32 = in_threads(THREADS as usize, |_| async {
        let mut conflicts = 0;
        for _ in 0..ADDITIONS {
            while !add_one(store, &counter).await {
                conflicts += 1;
            }
        }
        conflicts
    })
    .into_iter()
    .sum();
    let (sum, _) = found(store, &counter).await.unwrap();
    assert_eq!(sum, THREADS * ADDITIONS, "after {conflicts} conflicts");
}

async fn add_one(store: &dyn Store, counter: &Key) -> bool {
    let (sum, version) = found(store, counter).await.unwrap();
    let change = put(entry("p", "counter", sum + 1), Expectation::Unchanged(version));
    match store.commit_if_unchanged(vec![change]).await {
        Ok(()) => true,
        Err(CommitError::Conflict { key }) => {
            assert_eq!(key, *counter);
            false
        }
        Err(CommitError::Store(error)) => unreachable!("{error}"),
    }
}

/// Reads are consistent: who was told that a commit is made finds it, while others write and read.
pub async fn what_was_committed_is_seen_by_the_next_read(store: &dyn Store) {
    in_threads(8, |thread| async move {
        let sort = format!("{thread}");
        for mark in 0..40 {
            let row = put(entry("p", &sort, mark), Expectation::Any);
            store.commit_if_unchanged(vec![row]).await.unwrap();
            assert_eq!(found(store, &key("p", &sort)).await.unwrap().0, mark);
            let rows = store.page(&page("p")).await.unwrap();
            assert!(rows.iter().any(|row| row.value == entry("p", &sort, mark)), "not in the page: {mark}");
        }
    });
}
