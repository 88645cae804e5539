//! A disk that is full: commits are refused with the reason, nothing that was committed is lost, and the store works
//! again once there is room. On a real file system of a few megabytes, and under a limit of a file's size.
//!
//! Both are a process's own, so the test's program is started once more to carry out [`fills_the_disk`].

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::path::PathBuf;
use std::process::Command;

use branchline_model::{Change, Expectation, Row, Timestamp, Trouble, keys};
use branchline_ports::{CommitError, Page, Store, StoreError};
use branchline_store::SqliteStore;
use branchline_testkit::conformance::carry_out;

/// What the process is told: the folder to fill, the words that its error must hold, and how room is made, in sh.
const FOLDER: &str = "BRANCHLINE_TEST_FULL_FOLDER";
const WORDS: &str = "BRANCHLINE_TEST_FULL_WORDS";
const ROOM: &str = "BRANCHLINE_TEST_FULL_ROOM";

fn row(number: u32) -> Row {
    let repository = format!("app-{number:06}").parse().unwrap();
    let why = format!("{number:06} ").repeat(8 << 10);
    Trouble { repository, since: Timestamp(1), why, failures: 1, next_try: Timestamp(2) }.into()
}

async fn commit(store: &SqliteStore, number: u32) -> Result<(), CommitError> {
    let change = Change::Put { row: row(number), expected: Expectation::Absent };
    store.commit_if_unchanged(vec![change]).await
}

async fn assert_there(store: &SqliteStore, committed: &[u32]) {
    let rows = store.page(&Page::of(keys::TROUBLES, usize::MAX)).await.unwrap();
    let found: Vec<Row> = rows.into_iter().map(|row| row.value).collect();
    assert!(found == committed.iter().copied().map(row).collect::<Vec<_>>(), "{} rows", found.len());
}

#[test]
#[ignore = "carried out by the tests of this file, in a process for which a disk is full soon"]
fn fills_the_disk() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let (folder, words, room) =
        (PathBuf::from(folder), std::env::var(WORDS).unwrap(), std::env::var(ROOM).unwrap());
    let path = folder.join("store.sqlite");
    carry_out(async {
        let store = SqliteStore::open(&path).unwrap();
        let mut committed = Vec::new();
        let mut refused = 0;
        // Each one that is refused is followed by others: they are refused as well, and nothing else happens.
        for number in 0..1_000 {
            match commit(&store, number).await {
                Ok(()) => committed.push(number),
                Err(CommitError::Store(StoreError::Unavailable { why })) => {
                    assert!(why.contains(path.to_str().unwrap()) && why.contains(&words), "{why}");
                    refused += 1;
                }
                Err(other) => unreachable!("{other}"),
            }
            if refused == 10 {
                break;
            }
        }
        assert_eq!(refused, 10, "after {} commits there was still room", committed.len());
        assert!(committed.len() > 10, "only {} commits found room", committed.len());
        assert_there(&store, &committed).await;
        assert!(Command::new("sh").args(["-c", &room]).status().unwrap().success());
        for number in 2_000..2_010 {
            commit(&store, number).await.unwrap();
            committed.push(number);
        }
        assert_there(&store, &committed).await;
        drop(store);
        assert_there(&SqliteStore::open(&path).unwrap(), &committed).await;
    });
}

/// Starts this program once more, from a sh that first does what `limit` says.
fn carry_out_under(wrapper: &[&str], limit: &str, words: &str, room: &str) {
    let folder = tempfile::tempdir().unwrap();
    let script = format!("{limit} && exec \"$@\"");
    let program = std::env::current_exe().unwrap();
    let status = Command::new(wrapper[0])
        .args(&wrapper[1..])
        .args(["sh", "-c", &script, "sh"])
        .arg(program)
        .args(["--exact", "fills_the_disk", "--ignored", "--nocapture"])
        .env(FOLDER, folder.path())
        .env(WORDS, words)
        .env(ROOM, room)
        .status()
        .unwrap();
    assert!(status.success(), "{status}: what went wrong is said above");
}

#[test]
fn at_a_limit_of_a_files_size_commits_are_refused_until_it_is_lifted() {
    // 4 MiB; the signal that comes with it is ignored, so that the write fails.
    let limit = "trap '' XFSZ && ulimit -S -f 8192";
    carry_out_under(&["env"], limit, "look at its disk", "prlimit --pid $PPID --fsize=unlimited");
}

#[test]
#[ignore = "needs to mount a file system: run as root"]
fn on_a_full_disk_commits_are_refused_until_there_is_room() {
    // A file system of the process's own, which is gone with it.
    let wrapper = ["unshare", "--map-root-user", "--mount"];
    let limit = format!(
        "mount -t tmpfs -o size=8m none \"${FOLDER}\" && head -c 4194304 /dev/zero > \"${FOLDER}/ballast\""
    );
    carry_out_under(&wrapper, &limit, "make room on its disk", &format!("rm \"${FOLDER}/ballast\""));
}
