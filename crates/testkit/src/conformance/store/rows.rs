//! That rows come back as they were written, in the order they are asked for.

use std::collections::BTreeMap;

use branchline_model::{
    Actor, Event, EventKey, EventKind, EventStatus, Expectation, Missing, PipelineName, RefName,
    RepositoryId, RepositoryName, Row, Timestamp, Trouble,
};
use branchline_ports::{Page, Store};

use super::place::{entry, key, mark, put, written};

fn repository() -> RepositoryId {
    RepositoryId::of(&RepositoryName::new("example.org/app"))
}

/// One answer for each key, in the keys' order; `None` where nothing is; a key asked for twice is answered twice.
pub async fn rows_are_read_in_the_order_they_are_asked_for(store: &dyn Store) {
    for (index, sort) in (0..).zip(["a", "b", "c"]) {
        written(store, entry("p", sort, index)).await;
    }
    let keys = ["c", "missing", "a", "c", "b"].map(|sort| key("p", sort));
    let rows = store.read(&keys).await.unwrap();
    let marks: Vec<_> = rows.iter().map(|row| row.as_ref().map(|row| mark(&row.value))).collect();
    assert_eq!(marks, [Some(2), None, Some(0), Some(2), Some(1)]);
    let elsewhere = store.read(&[key("q", "a"), key("p", "")]).await.unwrap();
    assert_eq!(elsewhere, [None, None]);
}

/// No keys, no rows, no error.
pub async fn nothing_is_read_where_nothing_is_asked_for(store: &dyn Store) {
    assert_eq!(store.read(&[]).await.unwrap(), []);
    assert_eq!(store.read(&[key("p", "a")]).await.unwrap(), [None]);
}

/// Optional parts, nested kinds, numbers at their ends, and texts with every odd character.
pub async fn rows_of_every_shape_come_back_as_they_were_written(store: &dyn Store) {
    let odd = "\0 \u{1}\t\n\r\"'\\ ${x} <b>&amp; é 漢字 \u{1f980} \u{7f}\u{ffff}\u{10ffff}".to_owned();
    let event = |key: &str, before: Option<&str>| {
        Row::Event(Event {
            key: EventKey::new(key),
            repository: repository(),
            accepted_at: Timestamp(i64::MIN),
            kind: EventKind::RefMoved {
                name: RefName::Branch(odd.clone()),
                before: before.map(|digit| digit.repeat(40).parse().unwrap()),
                after: "b".repeat(64).parse().unwrap(),
                generation: u64::MAX,
            },
            status: EventStatus::Pending {
                failures: u32::MAX,
                next_try: Timestamp(0),
                why: Some(odd.clone()),
                missing: Some(Missing { since: Timestamp(i64::MIN), looks: u32::MAX }),
            },
        })
    };
    let rows = [
        event("first", None),
        event(&odd, Some("a")),
        Row::Event(Event {
            key: EventKey::new("by hand"),
            repository: repository(),
            accepted_at: Timestamp(i64::MAX),
            kind: EventKind::ManualStart {
                pipeline: PipelineName::new("ci"),
                name: RefName::Tag("v1".to_owned()),
                commit: "c".repeat(40).parse().unwrap(),
                actor: Actor::new(""),
                inputs: BTreeMap::from([("target".to_owned(), "a=b".to_owned())]),
            },
            status: EventStatus::Abandoned { at: Timestamp(9), why: String::new() },
        }),
        trouble(odd.clone()),
    ];
    let changes = rows.iter().map(|row| put(row.clone(), Expectation::Absent)).collect();
    store.commit_if_unchanged(changes).await.unwrap();
    let keys: Vec<_> = rows.iter().map(Row::key).collect();
    let read = store.read(&keys).await.unwrap();
    let read: Vec<Row> = read.into_iter().map(|row| row.unwrap().value).collect();
    assert_eq!(read, rows);
}

fn trouble(why: String) -> Row {
    Trouble { repository: repository(), since: Timestamp(0), why, failures: 1, next_try: Timestamp(-1) }
        .into()
}

/// A run definition or an excerpt may be large.
pub async fn a_row_of_a_mebibyte_comes_back_whole(store: &dyn Store) {
    let text: String =
        (0_u32..).flat_map(|line| format!("{line:x} ").into_bytes()).map(char::from).take(1 << 20).collect();
    let row = trouble(text);
    store.commit_if_unchanged(vec![put(row.clone(), Expectation::Absent)]).await.unwrap();
    let read = store.read(&[row.key()]).await.unwrap();
    assert_eq!(read[0].as_ref().map(|read| read.value == row), Some(true));
    store.commit_if_unchanged(vec![put(trouble(String::new()), Expectation::Any)]).await.unwrap();
    let read = store.read(&[row.key()]).await.unwrap();
    assert_eq!(
        read[0].as_ref().map(|read| &read.value),
        Some(&trouble(String::new())),
        "it was made small again"
    );
}

/// Rows of every size stay as they are, at the versions they have, and what is written after it is written.
pub async fn tidying_changes_nothing_that_is_read(store: &dyn Store) {
    assert_eq!(store.tidy(10).await.unwrap(), 0, "a store that was just made has nothing left over");
    let many = (0..300).map(|index| put(entry("p", &format!("{index:06}"), index), Expectation::Absent));
    store.commit_if_unchanged(many.collect()).await.unwrap();
    let large = trouble("x".repeat(400 << 10));
    store.commit_if_unchanged(vec![put(large.clone(), Expectation::Absent)]).await.unwrap();
    let all = async || {
        (store.page(&Page::of(key("p", "").partition, 1_000)).await, store.read(&[large.key()]).await)
    };
    let before = all().await;
    assert_eq!(before.0.as_ref().map(Vec::len), Ok(300));
    store.tidy(10).await.unwrap();
    assert_eq!(all().await, before);
    let expected = Expectation::Unchanged(before.1.unwrap()[0].as_ref().unwrap().version);
    store.commit_if_unchanged(vec![put(trouble("y".to_owned()), expected)]).await.unwrap();
}

/// The keys of a large build, some of them missing, in one call.
pub async fn a_thousand_rows_are_read_at_once(store: &dyn Store) {
    let sort = |index: u32| format!("{index:06}");
    let even = (0..1_000).filter(|index| index % 2 == 0);
    let changes = even.map(|index| put(entry("p", &sort(index), index), Expectation::Absent)).collect();
    store.commit_if_unchanged(changes).await.unwrap();
    let keys: Vec<_> = (0..1_000).rev().map(|index| key("p", &sort(index))).collect();
    let rows = store.read(&keys).await.unwrap();
    assert_eq!(rows.len(), 1_000);
    for (index, row) in (0..1_000).rev().zip(rows) {
        assert_eq!(row.map(|row| mark(&row.value)), (index % 2 == 0).then_some(index));
    }
}
