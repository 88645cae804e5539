//! A process that is killed at any moment has lost nothing that it was told is committed, and left no half of a commit.
//!
//! The process is this test's own program, started once more to carry out [`commits_until_it_is_killed`].

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use branchline_model::{Change, Expectation, PoolName, QueueEntry, Row, Wants};
use branchline_ports::{Page, Store};
use branchline_store::SqliteStore;
use branchline_testkit::conformance::carry_out;

/// Where the process finds the store that it is to write; what it writes in which life is told by `LIFE`.
const STORE: &str = "BRANCHLINE_TEST_CRASH_STORE";
const LIFE: &str = "BRANCHLINE_TEST_CRASH_LIFE";

const LIVES: u32 = 20;
const CALLERS: u32 = 8;
/// So many rows make a commit, together with the one that counts the caller's commits.
const ROWS: u32 = 4;

fn row(caller: u32, place: String, mark: u32) -> Row {
    let run = format!("app-1/1/{}", mark + 1).parse().unwrap();
    let (pool, wants) = (PoolName::new(format!("{caller}")), Wants::default());
    QueueEntry { pool, wants, place, run }.into()
}

fn place(life: u32, commit: u32, part: u32) -> String {
    format!("{life:04}/{commit:08}/{part}")
}

#[test]
#[ignore = "carried out by killed_at_any_moment_it_keeps_every_commit_it_was_told_of, in a process of its own"]
fn commits_until_it_is_killed() {
    let (Ok(path), Ok(life)) = (std::env::var(STORE), std::env::var(LIFE)) else { return };
    let life: u32 = life.parse().unwrap();
    carry_out(async {
        let store = Arc::new(SqliteStore::open(path).unwrap());
        let callers = (0..CALLERS).map(|caller| tokio::spawn(commit_on(Arc::clone(&store), life, caller)));
        for caller in callers.collect::<Vec<_>>() {
            caller.await.unwrap();
        }
    });
}

/// Commits without end; says so of each commit once it is answered.
async fn commit_on(store: Arc<SqliteStore>, life: u32, caller: u32) {
    let counter = row(caller, "count".to_owned(), 0).key();
    for commit in 0.. {
        let found = store.read(std::slice::from_ref(&counter)).await.unwrap().remove(0);
        let expected = found.map_or(Expectation::Absent, |row| Expectation::Unchanged(row.version));
        let mut changes = vec![Change::Put { row: row(caller, "count".to_owned(), commit), expected }];
        changes.extend((0..ROWS).map(|part| {
            let row = row(caller, place(life, commit, part), part);
            Change::Put { row, expected: Expectation::Absent }
        }));
        store.commit_if_unchanged(changes).await.unwrap();
        // One write for a line: a line that was begun is all there.
        std::io::stdout().write_all(format!("\ncommitted {caller} {commit}\n").as_bytes()).unwrap();
    }
}

fn start(path: &Path, life: u32) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "commits_until_it_is_killed", "--ignored", "--nocapture"])
        .env(STORE, path)
        .env(LIFE, life.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Lets a process commit, kills it after so many answers, and returns the last commit each caller was told of.
fn live_and_die(path: &Path, life: u32, answers: u64) -> BTreeMap<u32, u32> {
    let mut process = start(path, life);
    let lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let mut told = BTreeMap::new();
    let mut heard = 0;
    for line in lines {
        let line = line.unwrap();
        let Some((caller, commit)) = line.strip_prefix("committed ").and_then(|rest| rest.split_once(' '))
        else {
            continue;
        };
        told.insert(caller.parse().unwrap(), commit.parse().unwrap());
        heard += 1;
        if heard == answers {
            process.kill().unwrap();
        }
    }
    let status = process.wait().unwrap();
    assert!(heard >= answers, "the process ended by itself ({status}) after {heard} answers");
    told
}

async fn assert_whole(store: &SqliteStore, life: u32, told: &BTreeMap<u32, u32>) {
    for caller in 0..CALLERS {
        let partition = row(caller, String::new(), 0).key().partition;
        let prefix = format!("{life:04}/");
        let rows = store.page(&Page { prefix, ..Page::of(partition, usize::MAX) }).await.unwrap();
        let places: Vec<String> = rows
            .into_iter()
            .map(|row| match row.value {
                Row::QueueEntry(entry) => entry.place,
                other => unreachable!("{other:?}"),
            })
            .collect();
        let commits = u32::try_from(places.len()).unwrap() / ROWS;
        let whole: Vec<String> =
            (0..commits).flat_map(|commit| (0..ROWS).map(move |part| place(life, commit, part))).collect();
        assert_eq!(places, whole, "caller {caller} of life {life}: each commit is whole");
        let last = told.get(&caller);
        assert!(
            last.is_none_or(|last| *last < commits),
            "caller {caller} was told of {last:?}: {commits} are there"
        );
    }
}

#[test]
fn killed_at_any_moment_it_keeps_every_commit_it_was_told_of() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.sqlite");
    let mut lives = Vec::new();
    for life in 0..LIVES {
        // Killed after a random number of answers, while other commits are under way.
        let answers = 1 + RandomState::new().hash_one(life) % 400;
        lives.push(live_and_die(&path, life, answers));
        // Half of the times the next process is the first to open what the killed one left.
        if life % 2 == 0 {
            carry_out(async {
                assert_whole(&SqliteStore::open(&path).unwrap(), life, &lives[life as usize]).await;
            });
        }
    }
    carry_out(async {
        let store = SqliteStore::open(&path).unwrap();
        for (life, told) in (0..).zip(&lives) {
            assert_whole(&store, life, told).await;
        }
    });
}
