//! That a page is the part of a partition that was asked for: prefix, after, until, limit, in both orders.

use std::sync::atomic::{AtomicU32, Ordering};

use branchline_model::{Expectation, Row, Timestamp, Trouble, keys};
use branchline_ports::{Order, Page, Store};
use proptest::prelude::*;

use super::place::{entry, mark, page, put};
use crate::conformance::for_all;

/// Writes a row under each sort key; a row's mark is its place in the list.
async fn fill(store: &dyn Store, partition: &str, sorts: &[&str]) {
    let rows = (0..).zip(sorts).map(|(index, sort)| put(entry(partition, sort, index), Expectation::Absent));
    store.commit_if_unchanged(rows.collect()).await.unwrap();
}

/// The sort keys on a page; `sorts` is the list that the partition was filled with.
async fn sorts<'s>(store: &dyn Store, page: &Page, sorts: &[&'s str]) -> Vec<&'s str> {
    let rows = store.page(page).await.unwrap();
    rows.iter().map(|row| sorts[mark(&row.value) as usize]).collect()
}

/// Neither a partition whose name begins so, nor one of a longer name, has a part in it.
pub async fn a_page_is_of_one_partition(store: &dyn Store) {
    fill(store, "p", &["a", "b"]).await;
    fill(store, "p/q", &["a"]).await;
    fill(store, "pp", &["c"]).await;
    assert_eq!(sorts(store, &page("p"), &["a", "b"]).await, ["a", "b"]);
    assert_eq!(sorts(store, &page("p/q"), &["a"]).await, ["a"]);
    assert!(store.page(&page("none")).await.unwrap().is_empty());
    assert!(store.page(&page("")).await.unwrap().is_empty());
}

/// The prefix is text, not a pattern, and the sort key that equals it belongs to it.
pub async fn a_page_holds_its_prefix_and_nothing_else(store: &dyn Store) {
    let all = [
        "a",
        "run",
        "run%",
        "run/",
        "run/1",
        "run/2",
        "run0",
        "run_",
        "s",
        "é",
        "éa",
        "ê",
        "\u{10ffff}",
        "\u{10ffff}z",
    ];
    fill(store, "p", &all).await;
    for (prefix, expected) in [
        ("run/", vec!["run/", "run/1", "run/2"]),
        ("run%", vec!["run%"]),
        ("run_", vec!["run_"]),
        ("é", vec!["é", "éa"]),
        ("\u{10ffff}", vec!["\u{10ffff}", "\u{10ffff}z"]),
        ("zz", vec![]),
        ("", all.to_vec()),
    ] {
        let mut page = Page { prefix: prefix.to_owned(), ..page("p") };
        assert_eq!(sorts(store, &page, &all).await, expected, "{prefix:?}");
        page.order = Order::Descending;
        let mut backwards = expected;
        backwards.reverse();
        assert_eq!(sorts(store, &page, &all).await, backwards, "{prefix:?} descending");
    }
}

/// Page by page, each after the last one's last row: every row once, in order, also where the row named is gone.
pub async fn a_page_goes_on_after_a_key(store: &dyn Store) {
    let all = ["a", "b", "c", "d", "e", "f", "g"];
    fill(store, "p", &all).await;
    for (order, after) in [(Order::Ascending, ""), (Order::Descending, "zzz")] {
        let mut walked = Vec::new();
        let mut page = Page { after: Some(after.to_owned()), limit: 3, order, ..page("p") };
        loop {
            let part = sorts(store, &page, &all).await;
            assert!(part.len() <= 3);
            let Some(last) = part.last() else { break };
            page.after = Some((*last).to_owned());
            walked.extend(part);
        }
        let mut expected = all.to_vec();
        if order == Order::Descending {
            expected.reverse();
        }
        assert_eq!(walked, expected, "{order:?}");
    }
    let between = Page { after: Some("bb".to_owned()), ..page("p") };
    assert_eq!(sorts(store, &between, &all).await, ["c", "d", "e", "f", "g"]);
}

/// `until` is included; in descending order it is the smallest.
pub async fn a_page_ends_at_a_key_that_it_still_holds(store: &dyn Store) {
    let all = ["a", "b", "c", "d"];
    fill(store, "p", &all).await;
    for (order, after, until, expected) in [
        (Order::Ascending, None, "b", vec!["a", "b"]),
        (Order::Ascending, None, "bb", vec!["a", "b"]),
        (Order::Ascending, Some("a"), "c", vec!["b", "c"]),
        (Order::Ascending, Some("c"), "b", vec![]),
        (Order::Ascending, Some("b"), "b", vec![]),
        (Order::Ascending, None, "", vec![]),
        (Order::Descending, None, "c", vec!["d", "c"]),
        (Order::Descending, Some("d"), "b", vec!["c", "b"]),
        (Order::Descending, Some("b"), "c", vec![]),
        (Order::Descending, None, "", vec!["d", "c", "b", "a"]),
    ] {
        let page =
            Page { after: after.map(str::to_owned), until: Some(until.to_owned()), order, ..page("p") };
        assert_eq!(sorts(store, &page, &all).await, expected, "{order:?} after {after:?} until {until:?}");
    }
}

/// None, one, all but one, all, and as many as can be said.
pub async fn a_page_holds_no_more_than_its_limit(store: &dyn Store) {
    let all = ["a", "b", "c"];
    fill(store, "p", &all).await;
    for limit in [0, 1, 2, 3, 4, usize::MAX] {
        let page = Page { limit, ..page("p") };
        assert_eq!(sorts(store, &page, &all).await, all[..limit.min(3)], "limit {limit}");
    }
}

/// The order is that of the bytes: no language, no case, no end at a NUL.
pub async fn a_page_is_in_bytewise_order(store: &dyn Store) {
    let mut all = [
        "",
        "\0",
        "\0a",
        "\n",
        " ",
        "\"",
        "%",
        "'",
        "-",
        "/",
        "0",
        "10",
        "9",
        "A",
        "B",
        "Z",
        "\\",
        "_",
        "a",
        "a\0",
        "a\0b",
        "a ",
        "a/",
        "aa",
        "b",
        "é",
        "e\u{301}",
        "z",
        "\u{7f}",
        "\u{80}",
        "\u{7ff}",
        "\u{800}",
        "漢",
        "\u{d7ff}",
        "\u{e000}",
        "\u{ffff}",
        "\u{10000}",
        "🦀",
        "\u{10ffff}",
    ];
    fill(store, "p", &all).await;
    let written = all;
    all.sort_by(|one, other| one.as_bytes().cmp(other.as_bytes()));
    assert_eq!(sorts(store, &page("p"), &written).await, all);
    let descending = Page { order: Order::Descending, ..page("p") };
    let backwards: Vec<_> = all.into_iter().rev().collect();
    assert_eq!(sorts(store, &descending, &written).await, backwards);
}

/// Any combination of prefix, after, until, limit and order gives what a filter over a sorted list gives.
pub async fn pages_agree_with_a_plain_list(store: &dyn Store) {
    let text = || proptest::string::string_regex("[ab/\u{7f}\u{80}\u{d7ff}\u{e000}\u{10ffff}]{0,3}").unwrap();
    let set = proptest::collection::btree_set(text(), 0..40);
    let order = prop_oneof![Just(Order::Ascending), Just(Order::Descending)];
    let maybe = || proptest::option::of(text());
    let pages = proptest::collection::vec((text(), maybe(), maybe(), 0_usize..50, order), 1..10);
    let partitions = AtomicU32::new(0);
    for_all(64, &(set, pages), |(set, pages)| {
        let partition = format!("p{}", partitions.fetch_add(1, Ordering::Relaxed));
        async move {
            let all: Vec<&str> = set.iter().map(String::as_str).collect();
            fill(store, &partition, &all).await;
            for (prefix, after, until, limit, order) in pages {
                let asked = Page { prefix, after, until, limit, order, ..page(&partition) };
                assert_eq!(sorts(store, &asked, &all).await, plainly(&all, &asked), "{asked:?} of {all:?}");
            }
        }
    });
}

/// A page is as long as it was asked for, however much a back end reads at once.
pub async fn a_page_of_more_than_a_mebibyte_comes_whole(store: &dyn Store) {
    let rows: Vec<Row> = (0..20).map(|index| large(&format!("app-{index:03}"), 90_000)).collect();
    for row in &rows {
        store.commit_if_unchanged(vec![put(row.clone(), Expectation::Absent)]).await.unwrap();
    }
    for order in [Order::Ascending, Order::Descending] {
        let page = Page { order, ..Page::of(keys::TROUBLES, 18) };
        let read = store.page(&page).await.unwrap();
        let mut expected: Vec<&Row> = rows.iter().collect();
        if order == Order::Descending {
            expected.reverse();
        }
        assert!(read.iter().map(|row| &row.value).eq(expected.into_iter().take(18)), "{order:?}");
    }
}

/// A row whose text hardly gets smaller when it is compressed.
fn large(repository: &str, length: usize) -> Row {
    let mut state = 7_u32;
    let noise = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        char::from(b'!' + u8::try_from((state >> 24) % 90).unwrap())
    });
    let why = noise.take(length).collect();
    let repository = repository.parse().unwrap();
    Trouble { repository, since: Timestamp(0), why, failures: 1, next_try: Timestamp(0) }.into()
}

/// A page as its words say it, of a list in ascending order.
fn plainly<'s>(all: &[&'s str], page: &Page) -> Vec<&'s str> {
    let mut part: Vec<&str> = all.iter().copied().filter(|sort| sort.starts_with(&page.prefix)).collect();
    let (after, until) = (page.after.as_deref(), page.until.as_deref());
    match page.order {
        Order::Ascending => {
            part.retain(|sort| after.is_none_or(|key| *sort > key) && until.is_none_or(|key| *sort <= key));
        }
        Order::Descending => {
            part.reverse();
            part.retain(|sort| after.is_none_or(|key| *sort < key) && until.is_none_or(|key| *sort >= key));
        }
    }
    part.truncate(page.limit);
    part
}
