//! The whole tick: alone enough, harmless however many at once, bounded, and never stopped by one part.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use branchline_controller::Part;
use branchline_model::{Actor, AttemptEnd, Timestamp};
use branchline_ports::{Clock, Store};
use branchline_store::{MemoryStore, SqliteStore};

use crate::house::House;

const TWO: &str = "
on: push
timeout: 1h
jobs:
  a: {process: true, steps: ['true']}
  b: {process: true, needs: [a], steps: ['true']}
";

/// What happens to the builds of three pushes, whoever ticks: one passes, one is cancelled, one runs out of time.
async fn ten_ticks_at_once(store: Arc<dyn Store>) {
    let house = House::on(store, &[("ci", TWO)]).await;
    let tick = || async {
        let mut all = tokio::task::JoinSet::new();
        for _ in 0..10 {
            let controller = house.controller.clone();
            all.spawn(async move { controller.tick(Duration::from_secs(60)).await });
        }
        for ticked in all.join_all().await {
            assert_eq!(ticked.failures, []);
        }
    };
    for number in 1..=3 {
        house.commit(&format!("Push {number}"));
        tick().await;
        tick().await;
    }
    let numbers: Vec<u64> = house.builds().await.iter().map(|build| build.id.number).collect();
    assert_eq!(numbers, [1, 2, 3], "one build for each push");

    let mut taken = house.claim(10).await;
    assert_eq!(taken.len(), 3, "the first job of each");
    let (first, second, third) = (taken.remove(0), taken.remove(0), taken.remove(0));
    house.carry_out(&first, AttemptEnd::Passed).await.unwrap();
    house.controller.cancel_build(&house.id(2), &Actor::new("ann")).await.unwrap();
    tick().await;
    let last = house.claim(10).await;
    assert_eq!(last.len(), 1, "the second job of the first build, once");
    house.carry_out(&last[0], AttemptEnd::Passed).await.unwrap();
    tick().await;
    house.step(3_601);
    tick().await;
    let mut told = house.orders.told.lock().unwrap().clone();
    told.sort();
    assert_eq!(told, [second.lease.attempt.clone(), third.lease.attempt.clone()], "each is told once");
    house.carry_out(&second, AttemptEnd::Stopped).await.unwrap();
    house.carry_out(&third, AttemptEnd::Stopped).await.unwrap();
    tick().await;
    house.rest().await;
    let states: Vec<_> = house.builds().await.iter().map(|build| build.state.status().word()).collect();
    assert_eq!(states, ["passed", "cancelled", "timed_out"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_ticks_at_once_do_everything_once_in_memory() {
    ten_ticks_at_once(Arc::new(MemoryStore::new())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_ticks_at_once_do_everything_once_in_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    ten_ticks_at_once(Arc::new(SqliteStore::open(folder.path().join("store.db")).unwrap())).await;
}

#[tokio::test]
async fn a_tick_with_nothing_to_do_reads_a_handful_of_rows_and_writes_none() {
    let house = House::with(&[("ci", TWO)]).await;
    house.look().await;
    let (reads, commits) =
        (house.watched.reads.load(Ordering::SeqCst), house.watched.commits.load(Ordering::SeqCst));
    assert!(house.tick().await.is_at_rest());
    assert_eq!(house.watched.commits.load(Ordering::SeqCst), commits);
    let reads = house.watched.reads.load(Ordering::SeqCst) - reads;
    assert!(reads <= 11, "{reads} reads, of which three are the repository's own");
}

#[tokio::test]
async fn a_repository_that_cannot_be_reached_is_shown_and_asked_less_and_less_often() {
    let house = House::with(&[("ci", TWO)]).await;
    house.look().await;
    let gone = house.path().with_extension("gone");
    std::fs::rename(house.path(), &gone).unwrap();
    let mut waits = Vec::new();
    for failures in 1..=8 {
        assert_eq!(house.tick().await.failures, [], "what is wrong with a server is no failure of the tick");
        house.tick().await;
        let view = house.controller.repository(&house.repository).await.unwrap().unwrap();
        let trouble = view.trouble.unwrap();
        assert_eq!(trouble.failures, failures, "it is not asked before its time");
        waits.push(trouble.next_try.since(house.clock.now()).as_secs() / 60);
        house.clock.set(trouble.next_try);
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
    std::fs::rename(gone, house.path()).unwrap();
    house.commit("Made while nobody could see");
    house.rest().await;
    let view = house.controller.repository(&house.repository).await.unwrap().unwrap();
    assert_eq!((view.trouble, view.repository.builds), (None, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_ten_ticks_that_find_a_repository_away_at_once_one_counts_it() {
    let house = House::with(&[("ci", TWO)]).await;
    house.look().await;
    std::fs::rename(house.path(), house.path().with_extension("gone")).unwrap();
    let mut all = tokio::task::JoinSet::new();
    for _ in 0..10 {
        let controller = house.controller.clone();
        all.spawn(async move { controller.tick(Duration::from_secs(60)).await });
    }
    all.join_all().await;
    let view = house.controller.repository(&house.repository).await.unwrap().unwrap();
    assert_eq!(view.trouble.unwrap().failures, 1);
}

/// Each look at it takes a second.
pub struct Busy(AtomicI64);

impl From<Timestamp> for Busy {
    fn from(begins: Timestamp) -> Self {
        Self(begins.0.into())
    }
}

#[async_trait]
impl Clock for Busy {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.fetch_add(1_000, Ordering::SeqCst))
    }

    async fn sleep(&self, _: Duration) {
        std::future::pending::<()>().await;
    }

    fn fresh_id(&self) -> String {
        self.0.load(Ordering::SeqCst).to_string()
    }
}

#[tokio::test]
async fn a_tick_ends_when_its_time_is_over_and_the_next_goes_on() {
    let jobs = "{on: push, timeout: 1h, jobs: {a: {process: true, steps: ['true']}}}";
    let house = House::with(&[("ci", jobs)]).await;
    for number in 0..40 {
        house.commit(&format!("Push {number}"));
        house.look().await;
    }
    assert_eq!(house.builds().await.len(), 40);
    // Forty builds have run out of time; each takes a few seconds of this clock, and a tick has twenty.
    let controller =
        house.with_clock(Arc::new(Busy::from(house.clock.now().after(Duration::from_secs(3_601)))));
    let mut left = vec![40];
    while left.last() != Some(&0) {
        let ticked = controller.tick(Duration::from_secs(20)).await;
        assert_eq!(ticked.failures, []);
        let running = house.builds().await.iter().filter(|build| !build.state.has_ended()).count();
        assert!(running > 0 || ticked.deadlines > 0);
        assert!(ticked.deadlines < 20, "{ticked:?}");
        if running > 0 {
            assert!(ticked.unfinished.contains(&Part::Deadlines), "{ticked:?}");
        }
        left.push(running);
        assert!(left.len() < 100, "it does not get on: {left:?}");
    }
    assert!(left.is_sorted_by(|before, after| before >= after));
}
