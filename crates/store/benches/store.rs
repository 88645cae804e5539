//! Numbers of the store, measured on the disk of the temporary folder (`TMPDIR`):
//! `cargo bench -p branchline-store`. Commits are synced as in production.

#![expect(clippy::print_stdout, reason = "its output is what it is for")]
#![expect(clippy::unwrap_used, reason = "a measurement that cannot be made is none")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use branchline_model::{
    BuildId, Change, Expectation, Key, PoolName, QueueEntry, RepositoryId, RepositoryName, Row, RunId, Wants,
};
use branchline_ports::{Page, Store};
use branchline_store::{MemoryStore, SqliteStore};

const POOL: &str = "default";

fn row(partition: &str, sort: String) -> Row {
    let repository = RepositoryId::of(&RepositoryName::new("example.org/app"));
    let run = RunId { build: BuildId { repository, number: 1 }, index: 1 };
    let wants = Wants::default();
    QueueEntry { pool: PoolName::new(partition), wants, place: sort, run }.into()
}

fn put(row: Row, expected: Expectation) -> Change {
    Change::Put { row, expected }
}

/// A typical change: one row changed at its version, two made, one removed.
async fn caller(store: Arc<dyn Store>, name: usize, until: Instant) -> (u64, Duration) {
    let partition = format!("caller-{name}");
    let key = row(&partition, "state".into()).key();
    store.commit_if_unchanged(vec![put(row(&partition, "state".into()), Expectation::Absent)]).await.unwrap();
    let (mut commits, mut slowest) = (0, Duration::ZERO);
    let mut removed: Option<Key> = None;
    while Instant::now() < until {
        let begun = Instant::now();
        let version = store.read(std::slice::from_ref(&key)).await.unwrap()[0].as_ref().unwrap().version;
        let place = row(&partition, format!("place/{commits:08}"));
        let next = place.key();
        let mut changes = vec![
            put(row(&partition, "state".into()), Expectation::Unchanged(version)),
            put(place, Expectation::Absent),
            put(row(&partition, format!("kept/{commits:08}")), Expectation::Absent),
        ];
        if let Some(key) = removed.replace(next) {
            changes.push(Change::Delete { key, expected: Expectation::Any });
        }
        store.commit_if_unchanged(changes).await.unwrap();
        slowest = slowest.max(begun.elapsed());
        commits += 1;
    }
    (commits, slowest)
}

async fn commits(store: &Arc<dyn Store>, round: usize, callers: usize) {
    let took = Duration::from_secs(4);
    let until = Instant::now() + took;
    let tasks: Vec<_> = (0..callers)
        .map(|name| tokio::spawn(caller(Arc::clone(store), round * 1_000 + name, until)))
        .collect();
    let (mut all, mut slowest) = (0, Duration::ZERO);
    for task in tasks {
        let (commits, time) = task.await.unwrap();
        all += commits;
        slowest = slowest.max(time);
    }
    let each = took.as_secs_f64() * 1e3 * callers as f64 / all as f64;
    println!(
        "{callers:>3} callers: {:>6.0} read-and-commits/s, {each:.2} ms each, the slowest {:.1} ms",
        all as f64 / took.as_secs_f64(),
        slowest.as_secs_f64() * 1e3
    );
}

async fn fill(store: &dyn Store, rows: usize) {
    for from in (0..rows).step_by(10_000) {
        let batch = from..rows.min(from + 10_000);
        let changes = batch.map(|index| put(row(POOL, format!("{index:08}")), Expectation::Any)).collect();
        store.commit_if_unchanged(changes).await.unwrap();
    }
}

/// The median and the 99th percentile of what one after another takes.
fn print(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |part: usize| times[(times.len() - 1) * part / 100].as_secs_f64() * 1e6;
    println!("{what}: median {:.1} µs, p99 {:.1} µs", at(50), at(99));
}

async fn reads(store: &dyn Store, rows: usize) {
    let sort = |number: usize| format!("{:08}", number.wrapping_mul(7_919) % rows);
    let mut times = Vec::new();
    for number in 0..20_000 {
        let keys = [row(POOL, sort(number)).key()];
        let begun = Instant::now();
        assert!(store.read(&keys).await.unwrap()[0].is_some());
        times.push(begun.elapsed());
    }
    print(&format!("one row of {rows}"), times);
    let partition = row(POOL, String::new()).key().partition;
    // 32 rows are the most that are read where they are asked for; 33 go to another thread.
    for limit in [10, 32, 33, 1_000] {
        let mut times = Vec::new();
        for number in 0..200_000 / limit {
            let page = Page { after: Some(sort(number)), ..Page::of(partition.clone(), limit) };
            let begun = Instant::now();
            store.page(&page).await.unwrap();
            times.push(begun.elapsed());
        }
        print(&format!("a page of {limit} of {rows} rows"), times);
    }
}

async fn measure(store: Arc<dyn Store>) {
    for (round, callers) in [1, 8, 64].into_iter().enumerate() {
        commits(&store, round, callers).await;
    }
    let begun = Instant::now();
    fill(&*store, 1_000_000).await;
    println!("1,000,000 rows in commits of 10,000: {:.1} s", begun.elapsed().as_secs_f64());
    reads(&*store, 1_000_000).await;
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    println!("sqlite");
    runtime.block_on(measure(Arc::new(SqliteStore::open(folder.path().join("store.sqlite")).unwrap())));
    println!("memory");
    runtime.block_on(measure(Arc::new(MemoryStore::new())));
}
