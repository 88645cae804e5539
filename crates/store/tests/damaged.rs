//! A file that is cut off or changed by a broken disk, at any place: nothing panics, what is read is what was written or is
//! said to be unreadable, and what is still there can be saved.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use branchline_model::{Change, Expectation, Key, Row, Timestamp, Trouble, keys};
use branchline_ports::{CommitError, Page, Store, StoreError};
use branchline_store::{OpenError, SqliteLook, SqliteStore};
use branchline_testkit::conformance::carry_out;
use tempfile::TempDir;

/// Enough for a tree of several levels; each tenth row is longer than a page.
const ROWS: u32 = 600;

/// A new file's pages, in bytes.
const PAGE: usize = 8_192;

fn row(number: u32) -> Row {
    let repository = format!("app-{number:06}").parse().unwrap();
    let why = format!("{number:06} ").repeat(if number.is_multiple_of(10) { 2_000 } else { 30 });
    Trouble { repository, since: Timestamp(1), why, failures: 1, next_try: Timestamp(2) }.into()
}

/// A store that was filled and closed, as its file's bytes.
fn filled() -> Vec<u8> {
    let (folder, path) = place();
    carry_out(async {
        let store = SqliteStore::open(&path).unwrap();
        for numbers in (0..ROWS).collect::<Vec<_>>().chunks(50) {
            let put = |number: &u32| Change::Put { row: row(*number), expected: Expectation::Absent };
            store.commit_if_unchanged(numbers.iter().map(put).collect()).await.unwrap();
        }
    });
    let bytes = fs::read(&path).unwrap();
    drop(folder);
    bytes
}

fn place() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.sqlite");
    (folder, path)
}

/// A number that looks random, and is the same each time.
fn scattered(number: usize) -> usize {
    (number as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) as usize >> 16
}

fn expected() -> BTreeMap<Key, Row> {
    (0..ROWS).map(|number| (row(number).key(), row(number))).collect()
}

/// Uses a store, if it can be opened: whatever it answers is right or says that it cannot be read.
async fn use_it(path: &Path, expected: &BTreeMap<Key, Row>) {
    let store = match SqliteStore::open(path) {
        Ok(store) => store,
        Err(OpenError::Damaged { path: named, .. } | OpenError::NotAStore { path: named, .. }) => {
            assert_eq!(named, path);
            return;
        }
        Err(OpenError::Unavailable { .. } | OpenError::Newer { .. }) => return,
        Err(error @ OpenError::InUse { .. }) => unreachable!("{error}"),
    };
    let asked: Vec<Key> = expected.keys().cloned().collect();
    for key in asked.iter().step_by(7) {
        match store.read(std::slice::from_ref(key)).await {
            Ok(found) => found.into_iter().flatten().for_each(|found| assert_right(&found.value, expected)),
            Err(error) => assert!(matches!(error, StoreError::Unavailable { .. }), "{error}"),
        }
    }
    if let Ok(found) = store.page(&Page::of(keys::TROUBLES, usize::MAX)).await {
        found.iter().for_each(|found| assert_right(&found.value, expected));
    }
    let change = Change::Put { row: row(ROWS + 1), expected: Expectation::Any };
    match store.commit_if_unchanged(vec![change]).await {
        Ok(()) | Err(CommitError::Store(StoreError::Unavailable { .. })) => {}
        Err(error) => unreachable!("{error}"),
    }
}

fn assert_right(found: &Row, expected: &BTreeMap<Key, Row>) {
    if !matches!(found, Row::Unreadable(_)) {
        assert_eq!(expected.get(&found.key()), Some(found));
    }
}

/// How many rows of a salvaged file are as they were written; none is another.
async fn saved(path: &Path, expected: &BTreeMap<Key, Row>) -> usize {
    let store = SqliteStore::open(path).unwrap();
    let found = store.page(&Page::of(keys::TROUBLES, usize::MAX)).await.unwrap();
    found.iter().for_each(|found| assert_right(&found.value, expected));
    found.iter().filter(|found| !matches!(found.value, Row::Unreadable(_))).count()
}

#[test]
fn a_file_that_is_cut_anywhere_is_no_panic_and_no_wrong_answer() {
    let (bytes, expected) = (filled(), expected());
    for cut in (0..40).map(|number| scattered(number) % bytes.len()).chain([0, 1, 100, PAGE, bytes.len() - 1])
    {
        let (_folder, path) = place();
        fs::write(&path, &bytes[..cut]).unwrap();
        carry_out(use_it(&path, &expected));
    }
}

#[test]
fn a_file_with_bytes_changed_anywhere_is_no_panic_and_no_wrong_answer() {
    let (bytes, expected) = (filled(), expected());
    for number in 0..60 {
        let (_folder, path) = place();
        let mut changed = bytes.clone();
        for flip in 0..1 + number % 5 {
            let at = scattered(number * 7 + flip) % bytes.len();
            changed[at] ^= 1 << (number % 8);
        }
        fs::write(&path, &changed).unwrap();
        carry_out(use_it(&path, &expected));
    }
}

#[test]
fn of_a_file_that_lost_its_end_what_is_left_is_saved_and_the_old_one_is_kept() {
    let (bytes, expected) = (filled(), expected());
    let (_folder, path) = place();
    fs::write(&path, &bytes[..bytes.len() * 3 / 4]).unwrap();
    let refused = SqliteStore::open(&path).map(drop).unwrap_err();
    assert!(matches!(refused, OpenError::Damaged { .. }), "{refused}");
    assert!(refused.to_string().contains("branchline doctor"), "{refused}");
    let salvaged = SqliteStore::salvage(&path).unwrap();
    assert_eq!(fs::metadata(&salvaged.old).unwrap().len(), bytes.len() as u64 * 3 / 4);
    let saved = carry_out(saved(&path, &expected));
    assert!(saved > expected.len() / 2, "{saved} of {}", expected.len());
    assert_eq!(SqliteLook::at(&path).unwrap().integrity(), Ok(Vec::new()));
}

#[test]
fn of_a_file_with_a_torn_page_all_other_rows_are_saved() {
    let (bytes, expected) = (filled(), expected());
    for page in [0, 3, 7, bytes.len() / PAGE / 2] {
        let (_folder, path) = place();
        let mut torn = bytes.clone();
        torn[page * PAGE..(page + 1) * PAGE].fill(0xAB);
        fs::write(&path, &torn).unwrap();
        SqliteStore::salvage(&path).unwrap();
        let saved = carry_out(saved(&path, &expected));
        assert!(saved + 60 > expected.len(), "page {page}: {saved} of {}", expected.len());
    }
}

#[test]
fn a_file_that_is_well_is_salvaged_whole() {
    let (bytes, expected) = (filled(), expected());
    let (_folder, path) = place();
    fs::write(&path, &bytes).unwrap();
    assert_eq!(SqliteStore::salvage(&path).unwrap().rows, u64::from(ROWS));
    assert_eq!(carry_out(saved(&path, &expected)), expected.len());
}

#[test]
fn what_is_set_aside_is_gone_from_the_rows_and_kept_in_the_quarantine() {
    let (_folder, path) = place();
    carry_out(async {
        let store = SqliteStore::open(&path).unwrap();
        let change = Change::Put { row: row(1), expected: Expectation::Absent };
        store.commit_if_unchanged(vec![change]).await.unwrap();
        store.set_aside(&[row(1).key()], "for a test").unwrap();
        assert_eq!(store.read(&[row(1).key()]).await.unwrap(), [None]);
    });
    let raw = rusqlite::Connection::open(&path).unwrap();
    let kept: (String, String) =
        raw.query_row("SELECT sort, why FROM quarantine", [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    assert_eq!(kept, ("app-000001".to_owned(), "for a test".to_owned()));
}
