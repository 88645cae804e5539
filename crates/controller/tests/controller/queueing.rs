//! Who is given what from a pool's queue: in order, fairly, each run once, by any number of claimers, at a cost that does
//! not grow with the queue.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use branchline_controller::Controller;
use branchline_core::queue;
use branchline_model::{
    BuildId, Change, CommitId, Engine, Expectation, JobName, Key, PipelineName, Plan, PoolName, Priority,
    ReportsDefinition, RepositoryId, RepositoryName, Retry, Row, Run, RunDefinition, RunDefinitionRow, RunId,
    RunState, Tag, Timestamp, Versioned, Wants, WorkerId, keys,
};
use branchline_ports::{Claimant, CommitError, Page, Store, StoreError, WorkerProtocol};
use branchline_store::{MemoryStore, SqliteStore};
use proptest::prelude::*;

use crate::house::{House, claimant};

/// A house without pipelines, on this store.
async fn house(store: &Arc<dyn Store>) -> House {
    House::on(Arc::clone(store), &[]).await
}

fn memory() -> Arc<dyn Store> {
    Arc::new(MemoryStore::new())
}

fn wants(priority: i16, tags: &[&str]) -> Wants {
    Wants { priority: Priority(priority), tags: tags.iter().map(|tag| Tag::new(*tag)).collect() }
}

fn anyone() -> Claimant {
    claimant(WorkerId::new("worker"))
}

fn tagged(tags: &[&str]) -> Claimant {
    Claimant { tags: tags.iter().map(|tag| Tag::new(*tag)).collect(), ..anyone() }
}

/// Queues so many runs of a repository, in one commit, as the first lane that there is.
async fn queue_runs(store: &dyn Store, repository: &str, wants: &Wants, runs: u64) {
    let name = RepositoryName::new(repository);
    let repository = RepositoryId::of(&name);
    let now = Timestamp(1_800_000_000_000);
    let mut plan = Plan::default();
    for number in 1..=runs {
        let id = RunId { build: BuildId { repository: repository.clone(), number }, index: 1 };
        let run = Run {
            id: id.clone(),
            job: JobName::new("job"),
            cell: None,
            because: None,
            pool: PoolName::new("default"),
            wants: wants.clone(),
            attempts: 0,
            state: RunState::Blocked,
        };
        let state = queue::enqueue(&mut plan, &run, now);
        plan.put(Run { state, ..run }, Expectation::Absent);
        let definition = RunDefinition {
            format: 1,
            run: id,
            repository: name.clone(),
            commit: CommitId::try_from("0123456789abcdef0123456789abcdef01234567".to_owned()).unwrap(),
            pipeline: PipelineName::new("ci"),
            job: JobName::new("job"),
            engine: Engine::Process,
            checkout: None,
            env: BTreeMap::new(),
            steps: Vec::new(),
            timeout: Duration::from_secs(60),
            hidden: Default::default(),
            known: None,
            needs: Vec::new(),
            artifacts: Vec::new(),
            reports: ReportsDefinition::default(),
            grace: Duration::from_secs(1),
            retry: Retry::default(),
        };
        plan.put(RunDefinitionRow(definition), Expectation::Absent);
    }
    let mut found = Vec::new();
    for lane in queue::lanes(&plan) {
        let demand = keys::demand(&lane.pool, &lane.wants);
        let demand = store.read(&[demand]).await.unwrap().remove(0);
        let demand = demand.map(|row| row.map(|_| branchline_model::Standing::Open));
        found.push(queue::Found { lane, row: None, demand });
    }
    queue::open(&mut plan, &found, now);
    store.commit_if_unchanged(plan.changes).await.unwrap();
}

/// Whose runs were given, by so many claims of one.
async fn given(controller: &Controller, claimant: &Claimant, claims: usize) -> Vec<String> {
    let mut given = Vec::new();
    for _ in 0..claims {
        for assignment in controller.claim(claimant, 1).await.unwrap() {
            given.push(assignment.definition.repository.to_string());
        }
    }
    given
}

/// Sixteen claimers in two controllers that share nothing but the store, until all is given.
async fn all_is_given_once(store: Arc<dyn Store>) {
    const RUNS: u64 = 300;
    queue_runs(&*store, "one", &Wants::default(), RUNS).await;
    let houses = [house(&store).await, house(&store).await];
    let left = Arc::new(AtomicUsize::new(usize::try_from(RUNS).unwrap()));
    let mut claimers = tokio::task::JoinSet::new();
    for number in 0..16 {
        let controller = houses[number % 2].controller.clone();
        let (claimant, left) = (claimant(WorkerId::new(format!("w{number}"))), Arc::clone(&left));
        claimers.spawn(async move {
            let mut given = Vec::new();
            while left.load(Ordering::SeqCst) > 0 {
                let most = 1 + number % 3;
                for assignment in controller.claim(&claimant, most).await.unwrap() {
                    left.fetch_sub(1, Ordering::SeqCst);
                    given.push(assignment.lease.attempt);
                }
                tokio::task::yield_now().await;
            }
            given
        });
    }
    let mut all = Vec::new();
    while let Some(given) = claimers.join_next().await {
        all.extend(given.unwrap());
    }
    let distinct: BTreeSet<_> = all.iter().map(|attempt| attempt.run.clone()).collect();
    assert_eq!((all.len(), distinct.len()), (300, 300));
    assert!(all.iter().all(|attempt| attempt.number == 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixteen_who_claim_at_once_get_every_run_once_from_memory() {
    all_is_given_once(memory()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixteen_who_claim_at_once_get_every_run_once_from_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    all_is_given_once(Arc::new(SqliteStore::open(folder.path().join("store.sqlite")).unwrap())).await;
}

#[tokio::test]
async fn one_who_claims_alone_gets_the_oldest_first() {
    let store = memory();
    queue_runs(&*store, "one", &Wants::default(), 5).await;
    let house = house(&store).await;
    let mut numbers = Vec::new();
    for most in [1, 3, 5] {
        let taken = house.controller.claim(&anyone(), most).await.unwrap();
        numbers.extend(taken.into_iter().map(|assignment| assignment.lease.attempt.run.build.number));
    }
    assert_eq!(numbers, [1, 2, 3, 4, 5]);
}

#[tokio::test]
async fn a_repository_with_a_thousand_runs_does_not_keep_another_waiting() {
    let store = memory();
    queue_runs(&*store, "large", &Wants::default(), 1_000).await;
    queue_runs(&*store, "small", &Wants::default(), 3).await;
    let house = house(&store).await;
    let given = given(&house.controller, &anyone(), 6).await;
    assert_eq!(given.iter().filter(|repository| *repository == "small").count(), 3, "{given:?}");
}

#[tokio::test]
async fn one_claim_of_many_is_shared_between_the_repositories() {
    let store = memory();
    queue_runs(&*store, "large", &Wants::default(), 1_000).await;
    queue_runs(&*store, "small", &Wants::default(), 3).await;
    let house = house(&store).await;
    let taken = house.controller.claim(&anyone(), 8).await.unwrap();
    let small = taken.iter().filter(|assignment| assignment.definition.repository.as_str() == "small");
    assert_eq!((taken.len(), small.count()), (8, 3));
}

#[tokio::test]
async fn of_a_hundred_repositories_none_waits_long() {
    let store = memory();
    for number in 0..100 {
        queue_runs(&*store, &format!("r{number}"), &Wants::default(), 50).await;
    }
    let house = house(&store).await;
    let given = given(&house.controller, &anyone(), 500).await;
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for repository in given {
        *counts.entry(repository).or_default() += 1;
    }
    assert_eq!(counts.len(), 100);
    assert!(counts.values().all(|count| *count == 5), "each has its share: {counts:?}");
}

#[tokio::test]
async fn what_is_more_urgent_goes_first_wherever_it_waits() {
    let store = memory();
    for number in 0..40 {
        queue_runs(&*store, &format!("r{number}"), &Wants::default(), 2).await;
    }
    queue_runs(&*store, "urgent", &wants(5, &[]), 2).await;
    queue_runs(&*store, "can-wait", &wants(-5, &[]), 2).await;
    let house = house(&store).await;
    let given = given(&house.controller, &anyone(), 84).await;
    assert_eq!(given[..2], ["urgent", "urgent"]);
    assert_eq!(given[82..], ["can-wait", "can-wait"]);
}

#[tokio::test]
async fn a_worker_is_given_only_what_its_tags_serve() {
    let store = memory();
    queue_runs(&*store, "plain", &Wants::default(), 1).await;
    queue_runs(&*store, "arm", &wants(0, &["arm64"]), 1).await;
    queue_runs(&*store, "gpu", &wants(0, &["arm64", "gpu*"]), 1).await;
    let house = house(&store).await;
    assert_eq!(given(&house.controller, &anyone(), 5).await, ["plain"]);
    assert_eq!(given(&house.controller, &tagged(&["arm64"]), 5).await, ["arm"]);
    assert_eq!(given(&house.controller, &tagged(&["arm64", "gpu2"]), 5).await, ["gpu"]);
}

#[tokio::test]
async fn among_a_hundred_sets_of_tags_each_worker_finds_its_own() {
    let store = memory();
    for number in 0..100 {
        queue_runs(&*store, &format!("app{number}"), &wants(0, &[&format!("t{number}")]), 1).await;
    }
    let house = house(&store).await;
    for number in 0..100 {
        let given = given(&house.controller, &tagged(&[&format!("t{number}")]), 2).await;
        assert_eq!(given, [format!("app{number}")]);
    }
}

/// Counts the rows that are read.
struct Counting {
    store: MemoryStore,
    rows: AtomicUsize,
}

#[async_trait]
impl Store for Counting {
    async fn read(&self, keys: &[Key]) -> Result<Vec<Option<Versioned<Row>>>, StoreError> {
        self.rows.fetch_add(keys.len(), Ordering::SeqCst);
        self.store.read(keys).await
    }

    async fn page(&self, page: &Page) -> Result<Vec<Versioned<Row>>, StoreError> {
        let rows = self.store.page(page).await?;
        self.rows.fetch_add(rows.len(), Ordering::SeqCst);
        Ok(rows)
    }

    async fn commit_if_unchanged(&self, changes: Vec<Change>) -> Result<(), CommitError> {
        self.store.commit_if_unchanged(changes).await
    }
}

/// How many rows a claim reads, where each of so many sets of tags has so many repositories with so many runs.
async fn rows_read(tag_sets: usize, repositories: usize, runs: u64) -> usize {
    let counting = Arc::new(Counting { store: MemoryStore::new(), rows: AtomicUsize::new(0) });
    let store: Arc<dyn Store> = Arc::clone(&counting) as Arc<dyn Store>;
    for tags in 0..tag_sets {
        for repository in 0..repositories {
            queue_runs(&*store, &format!("r{repository}-{tags}"), &wants(0, &[&format!("t{tags}")]), runs)
                .await;
        }
    }
    let house = house(&store).await;
    let all: Vec<String> = (0..tag_sets).map(|tags| format!("t{tags}")).collect();
    let claimant = tagged(&all.iter().map(String::as_str).collect::<Vec<_>>());
    let before = counting.rows.load(Ordering::SeqCst);
    assert_eq!(house.controller.claim(&claimant, 1).await.unwrap().len(), 1);
    counting.rows.load(Ordering::SeqCst) - before
}

#[tokio::test]
async fn a_claim_reads_the_same_from_a_long_queue_as_from_a_short_one() {
    let short = rows_read(1, 1, 10).await;
    assert_eq!(rows_read(1, 1, 5_000).await, short);
    assert!(short <= 6, "{short}");
    let wide = rows_read(20, 50, 2).await;
    assert!(wide <= 40, "bounded by what one look reads: {wide}");
}

#[tokio::test]
async fn lanes_that_stay_empty_are_cleared_away_by_those_who_look() {
    let store = memory();
    for number in 0..100 {
        queue_runs(&*store, &format!("r{number}"), &Wants::default(), 1).await;
    }
    let house = house(&store).await;
    assert_eq!(given(&house.controller, &anyone(), 100).await.len(), 100);
    house.step(queue::REST.as_secs());
    for _ in 0..4 {
        assert!(house.controller.claim(&anyone(), 1).await.unwrap().is_empty());
    }
    let pool = PoolName::new("default");
    assert!(store.page(&Page::of(keys::lanes(&pool, &Wants::default()), 10)).await.unwrap().is_empty());
    assert!(store.page(&Page::of(keys::demands(&pool), 10)).await.unwrap().is_empty());
}

/// How many claims of a worker with this tag it takes to be given anything, where so many others want something else.
fn claims_needed(others: impl Iterator<Item = i16>, mine: i16) -> usize {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let store = memory();
        for (number, priority) in others.enumerate() {
            let wanted = wants(priority, &[&format!("t{number}")]);
            queue_runs(&*store, &format!("app{number}"), &wanted, 1).await;
        }
        queue_runs(&*store, "mine", &wants(mine, &["mine"]), 1).await;
        let house = house(&store).await;
        let mut claims = 1;
        while house.controller.claim(&tagged(&["mine"]), 1).await.unwrap().is_empty() {
            claims += 1;
            assert!(claims < 10, "it is not found");
        }
        claims
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_a_worker_can_take_is_found_among_a_thousand_demands_that_it_cannot(
        spread in prop::sample::select(vec![1_i16, 3, 40, 1_000]),
        mine in -10_i16..1_010,
    ) {
        prop_assert_eq!(claims_needed((0..1_000).map(|number| number % spread), mine), 1);
    }
}

#[test]
fn what_is_behind_more_demands_than_one_claim_looks_at_is_found_by_one_of_the_next() {
    // The first begins anywhere among them, and may come past it.
    assert!(claims_needed((0..9_000).map(|_| 5), 0) <= 2);
}
