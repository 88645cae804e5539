//! What is opened, what is refused, and in what words; what a row says that cannot be read.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::path::{Path, PathBuf};
use std::task::Poll;

use branchline_model::{Change, Expectation, Key, Row, Timestamp, Trouble, Version, Versioned, keys};
use branchline_ports::{CommitError, Page, Store, StoreError};
use branchline_store::{OpenError, SqliteStore};
use branchline_testkit::conformance::carry_out;
use rusqlite::Connection;
use tempfile::TempDir;

fn place() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data").join("store.sqlite");
    (folder, path)
}

fn refused(path: &Path) -> OpenError {
    SqliteStore::open(path).map(drop).unwrap_err()
}

fn trouble(repository: &str) -> Row {
    let repository = repository.parse().unwrap();
    let next_try = Timestamp(2);
    Trouble { repository, since: Timestamp(1), why: "gone".to_owned(), failures: 1, next_try }.into()
}

async fn write(store: &dyn Store, row: Row) {
    store.commit_if_unchanged(vec![Change::Put { row, expected: Expectation::Any }]).await.unwrap();
}

async fn version(store: &dyn Store, key: &Key) -> Option<Version> {
    store.read(std::slice::from_ref(key)).await.unwrap().remove(0).map(|row| row.version)
}

#[test]
fn rows_are_there_when_the_store_is_opened_again() {
    let (_folder, path) = place();
    let row = trouble("app-1");
    carry_out(async {
        write(&SqliteStore::open(&path).unwrap(), row.clone()).await;
        let again = SqliteStore::open(&path).unwrap();
        let found = again.read(&[row.key()]).await.unwrap().remove(0).unwrap();
        assert_eq!(found.value, row);
    });
}

#[test]
fn a_version_is_not_repeated_by_a_row_made_again_after_a_restart() {
    let (_folder, path) = place();
    let row = trouble("app-1");
    let key = row.key();
    carry_out(async {
        let store = SqliteStore::open(&path).unwrap();
        write(&store, row.clone()).await;
        let before = version(&store, &key).await;
        let delete = Change::Delete { key: key.clone(), expected: Expectation::Any };
        store.commit_if_unchanged(vec![delete]).await.unwrap();
        drop(store);
        let store = SqliteStore::open(&path).unwrap();
        write(&store, row).await;
        assert!(version(&store, &key).await > before);
    });
}

#[test]
fn a_store_that_is_closed_leaves_one_file_and_its_lock() {
    let (_folder, path) = place();
    carry_out(async {
        let (store, row) = (SqliteStore::open(&path).unwrap(), trouble("app-1"));
        write(&store, row.clone()).await;
        assert!(version(&store, &row.key()).await.is_some());
    });
    let folder = path.parent().unwrap();
    let mut left: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["store.sqlite", "store.sqlite.lock"], "the log was folded into the store");
}

#[test]
fn what_was_handed_over_is_written_though_nobody_waits_and_the_store_is_dropped() {
    let (_folder, path) = place();
    carry_out(async {
        let store = SqliteStore::open(&path).unwrap();
        for number in 0..500 {
            // Asked once, a commit is handed over; then its caller goes away.
            let written = tokio::task::unconstrained(write(&store, trouble(&format!("app-{number}"))));
            let mut written = std::pin::pin!(written);
            std::future::poll_fn(|context| Poll::Ready(written.as_mut().poll(context).is_ready())).await;
        }
        drop(store);
        let store = SqliteStore::open(&path).unwrap();
        let rows = store.page(&Page::of(keys::TROUBLES, 1_000)).await.unwrap();
        assert_eq!(rows.len(), 500);
    });
}

#[test]
fn a_store_that_is_open_is_in_use_and_free_when_it_is_closed() {
    let (_folder, path) = place();
    let store = SqliteStore::open(&path).unwrap();
    let error = refused(&path);
    let text = error.to_string();
    let own = std::process::id();
    assert!(matches!(error, OpenError::InUse { by: Some(process), .. } if process == own), "{text}");
    assert!(text.contains("in use by process") && text.contains("another data folder"), "{text}");
    drop(store);
    SqliteStore::open(&path).unwrap();
}

#[test]
fn a_newer_schema_is_refused_and_left_as_it_is() {
    let (_folder, path) = place();
    drop(SqliteStore::open(&path).unwrap());
    let raw = Connection::open(&path).unwrap();
    raw.execute("UPDATE meta SET value = 99 WHERE name = 'schema'", []).unwrap();
    let error = refused(&path);
    assert!(matches!(error, OpenError::Newer { found: 99, known: 2, .. }), "{error}");
    assert!(error.to_string().ends_with(
        "has schema 99, and this program knows schemas up to 2: use the newer program that wrote it"
    ));
    let schema: i64 =
        raw.query_row("SELECT value FROM meta WHERE name = 'schema'", [], |row| row.get(0)).unwrap();
    assert_eq!(schema, 99);
}

#[test]
fn a_file_of_something_else_is_refused_and_left_as_it_is() {
    let (_folder, path) = place();
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let garbage: Vec<u8> = b"no database at all, but a text that is long enough\n".repeat(20_000);
    std::fs::write(&path, &garbage).unwrap();
    let error = refused(&path);
    assert!(matches!(error, OpenError::NotAStore { .. }), "{error}");
    assert!(std::fs::read(&path).unwrap() == garbage);
}

#[test]
fn another_programs_database_is_refused_and_left_as_it_is() {
    let (_folder, path) = place();
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    for setup in ["CREATE TABLE theirs (x)", "PRAGMA application_id = 7"] {
        let raw = Connection::open(&path).unwrap();
        raw.execute_batch(setup).unwrap();
        drop(raw);
        let before = std::fs::read(&path).unwrap();
        let error = refused(&path);
        assert!(matches!(error, OpenError::NotAStore { .. }), "{error}");
        assert!(std::fs::read(&path).unwrap() == before, "after {setup}");
        std::fs::remove_file(&path).unwrap();
    }
}

#[test]
fn a_path_that_cannot_be_a_store_is_said_with_its_reason() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    let inner = folder.path().join("folder");
    std::fs::write(&file, "").unwrap();
    std::fs::create_dir(&inner).unwrap();
    for (path, blamed) in [(file.join("store.sqlite"), &file), (inner.clone(), &inner)] {
        let error = refused(&path);
        let OpenError::Unavailable { path: named, why } = &error else { unreachable!("{error}") };
        assert!(named.starts_with(blamed) && !why.is_empty(), "{error}");
    }
}

#[test]
fn a_schema_that_was_begun_and_never_committed_is_made_anew() {
    let (_folder, path) = place();
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    // As a crash leaves it: WAL is set, nothing is in it.
    let raw = Connection::open(&path).unwrap();
    raw.pragma_update(None, "journal_mode", "wal").unwrap();
    drop(raw);
    carry_out(async { write(&SqliteStore::open(&path).unwrap(), trouble("app-1")).await });
}

/// Changes what is stored under the key's sort part, as nobody but a broken disk does.
fn damage(path: &Path, sort: &str, change: &str) {
    let raw = Connection::open(path).unwrap();
    let changed = raw.execute(&format!("UPDATE rows SET {change} WHERE sort = ?1"), [sort]).unwrap();
    assert_eq!(changed, 1);
}

#[test]
fn a_row_that_cannot_be_understood_stands_in_its_place_and_in_nobodys_way() {
    for (change, said) in [
        ("checksum = NULL, body = 'no json'", "its JSON: expected"),
        ("checksum = NULL, body = '{\"row\":\"unheard_of\"}'", "its JSON: unknown variant `unheard_of`"),
        ("checksum = NULL, body = CAST(x'7b22ff' AS TEXT)", "its JSON: "),
        (
            "checksum = NULL, body = replace(body, 'bad', 'worse')",
            "it says that it belongs at `troubles · worse`",
        ),
        ("body = replace(body, 'gone', 'gene')", "its checksum is another: it is damaged"),
        (
            "format = 7",
            "it has format 7, and this program reads formats up to 1: upgrade to the program that wrote it",
        ),
        ("format = 0", "it has format 0"),
    ] {
        let (_folder, path) = place();
        let (bad, good) = (trouble("bad"), trouble("good"));
        carry_out(async {
            let store = SqliteStore::open(&path).unwrap();
            write(&store, bad.clone()).await;
            write(&store, good.clone()).await;
            drop(store);
            damage(&path, "bad", change);
            let store = SqliteStore::open(&path).unwrap();
            let read = store.read(&[good.key(), bad.key()]).await.unwrap().into_iter().flatten();
            let page = store.page(&Page::of(keys::TROUBLES, 10)).await.unwrap();
            for mut found in [read.collect(), page] {
                found.sort_by_key(|row| row.value.key());
                let [first, second] = &found[..] else { unreachable!("{found:?}") };
                let Row::Unreadable(unreadable) = &first.value else { unreachable!("{change}: {first:?}") };
                assert_eq!(unreadable.key, bad.key());
                assert!(unreadable.why.contains(said), "{change}: {}", unreadable.why);
                assert_eq!(second.value, good);
            }
            let row = page_row(&store, &bad.key()).await;
            let refused = Change::Put { row: row.value, expected: Expectation::Any };
            let refused = store.commit_if_unchanged(vec![refused]).await;
            assert!(matches!(refused, Err(CommitError::Store(StoreError::Refused { .. }))), "{refused:?}");
            let over = Change::Put { row: bad.clone(), expected: Expectation::Unchanged(row.version) };
            store.commit_if_unchanged(vec![over]).await.unwrap();
            assert_eq!(page_row(&store, &bad.key()).await.value, bad, "it can be written over");
        });
    }
}

async fn page_row(store: &dyn Store, key: &Key) -> Versioned<Row> {
    store.read(std::slice::from_ref(key)).await.unwrap().remove(0).unwrap()
}

#[test]
fn a_row_with_an_impossible_version_can_be_read_and_written_over_with_others_in_the_same_batch() {
    let (_folder, path) = place();
    carry_out(async {
        let store = SqliteStore::open(&path).unwrap();
        write(&store, trouble("bad")).await;
        drop(store);
        damage(&path, "bad", "version = -1");
        let store = SqliteStore::open(&path).unwrap();
        assert_eq!(page_row(&store, &trouble("bad").key()).await.value, trouble("bad"));
        write(&store, trouble("bad")).await;
        write(&store, trouble("good")).await;
        assert!(version(&store, &trouble("bad").key()).await < version(&store, &trouble("good").key()).await);
    });
}

#[test]
fn rows_of_the_schema_before_are_read_without_a_checksum() {
    let (_folder, path) = place();
    carry_out(async {
        write(&SqliteStore::open(&path).unwrap(), trouble("old")).await;
        let raw = Connection::open(&path).unwrap();
        raw.execute_batch(
            "ALTER TABLE rows DROP COLUMN checksum; DROP TABLE quarantine; UPDATE meta SET value = 1 WHERE name = 'schema'",
        )
        .unwrap();
        drop(raw);
        let store = SqliteStore::open(&path).unwrap();
        assert_eq!(page_row(&store, &trouble("old").key()).await.value, trouble("old"));
    });
}
