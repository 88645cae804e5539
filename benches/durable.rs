//! The durable core at size, on SQLite as in production, through the controller: claims from a short queue and from one of
//! a million runs, in one lane and in 50,000; events accepted from 64 callers; and the memory of a process that serves a
//! million builds. `TMPDIR` says on which disk.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a benchmark tells its figures and fails loudly"
)]

#[expect(dead_code, reason = "each benchmark uses a part")]
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use branchline_artifacts::FolderArtifacts;
use branchline_controller::{Controller, Ports};
use branchline_core::{effect, queue};
use branchline_model::{
    AttemptId, Build, BuildId, BuildState, Change, CommitId, Engine, EventKey, Expectation, JobName,
    PipelineName, Plan, PoolName, RefName, ReportsDefinition, Repository, RepositoryId, RepositoryName,
    Retry, Run, RunDefinition, RunDefinitionRow, RunId, RunState, Stop, Tag, Timestamp, Wants, WorkerId,
};
use branchline_ports::{
    Bell, Checkout, CheckoutError, Claimant, Clock, CommitFiles, Heads, LaunchError, Launcher, Ring, Store,
    WorkerProtocol,
};
use branchline_store::SqliteStore;
use support::verdict;

const MILLION: u64 = 1_000_000;
const TAG_SETS: u64 = 50;
const REPOSITORIES: u64 = 1_000;
/// So many claim at once,
const CLAIMERS: usize = 16;
/// this many runs at a stretch, from each queue in turn,
const STRETCH: u64 = 96;
/// so often.
const STRETCHES: usize = 40;
/// In a process of its own, the file that it serves.
const SERVES: &str = "BRANCHLINE_BENCH_STORE_SERVES";

fn main() -> ExitCode {
    support::run(|| async {
        match std::env::var_os(SERVES) {
            Some(file) => serve(Path::new(&file)).await,
            None => benchmark().await,
        }
    })
}

async fn benchmark() -> bool {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let large = folder.path().join("large/store.sqlite");
    let began = Instant::now();
    let (few, many) = (House::open(&folder.path().join("few/store.sqlite")), House::open(&large));
    few.queue_in_one_lane("few", 1, 2 * STRETCH + 4).await;
    many.queue_in_one_lane("one-lane", 1, MILLION).await;
    many.queue_in_many_lanes("many-lanes").await;
    println!(
        "2 × 1,000,000 queued runs and 1,000,000 builds written in {:.0} s",
        began.elapsed().as_secs_f64()
    );

    let queues = [(&few, "few"), (&many, "one-lane"), (&many, "many-lanes")];
    let mut took = [Duration::ZERO; 3];
    for stretch in 0..=STRETCHES {
        for ((house, pool), took) in queues.iter().zip(&mut took) {
            let time = house.claim_stretch(pool).await;
            // The first stretch warms up.
            *took += if stretch > 0 { time } else { Duration::ZERO };
        }
        let next = 2 * STRETCH + 5 + stretch as u64 * STRETCH;
        few.queue_in_one_lane("few", next, STRETCH).await;
    }
    #[expect(clippy::cast_precision_loss, reason = "a few thousand fit")]
    let rates = took.map(|took| (STRETCHES as u64 * STRETCH) as f64 / took.as_secs_f64());
    println!(
        "claims/s of {CLAIMERS} claimers: {:.0} from 100 to 200 queued runs, {:.0} from 1,000,000 in one lane, \
         {:.0} from 1,000,000 in {} lanes",
        rates[0],
        rates[1],
        rates[2],
        TAG_SETS * REPOSITORIES
    );
    let one = verdict("claims/s, short queue : one lane of 1,000,000", rates[0] / rates[1], 1.3, true);
    let wide =
        verdict("claims/s, short queue : 50 tag sets × 1,000 repositories", rates[0] / rates[2], 1.3, true);
    drop((few, many));

    let accepted = accept(&folder.path().join("events/store.sqlite")).await;
    let events = verdict("events accepted/s from 64 callers", accepted, 5_000.0, false);

    // A fresh process, whose memory is that of serving alone.
    let serves = Command::new(std::env::current_exe().expect("this program"))
        .env(SERVES, &large)
        .status()
        .expect("it starts");
    one && wide && events && serves.success()
}

/// Opens the file, and does what a controller does for those who look and those who claim.
async fn serve(file: &Path) -> bool {
    let house = House::open(file);
    let claimant = claimant("many-lanes", 0);
    let mut builds = 0;
    for view in house.controller.repositories().await.expect("rows").iter().take(100) {
        let page = house.controller.builds(&view.repository.id, None, 50).await.expect("rows");
        let Some(last) = page.last() else { continue };
        let older =
            house.controller.builds(&view.repository.id, Some(last.id.number), 50).await.expect("rows");
        builds += page.len() + older.len();
        for build in page.iter().take(10) {
            house.controller.build_alone(&build.id).await.expect("rows");
        }
    }
    let mut claimed = 0;
    for _ in 0..1_000 {
        claimed += house.controller.claim(&claimant, 1).await.expect("a claim").len();
    }
    println!("a fresh process has listed {builds} of 1,000,000 builds and given out {claimed} runs");
    verdict("its most memory, MiB", support::peak_memory(), 200.0, true)
        && verdict("builds listed", builds as f64, 10_000.0, false)
        && verdict("runs given out", claimed as f64, 1_000.0, false)
}

/// Events from 64 callers, each of a repository of its own that moves at every look, one commit each; per second.
async fn accept(file: &Path) -> f64 {
    const CALLERS: usize = 64;
    let house = Arc::new(House::open(file));
    let mut repositories = Vec::new();
    for number in 0..CALLERS {
        let name = format!("/srv/{number}");
        let added = house.controller.add_repository(&RepositoryName::new(&name), &name).await;
        repositories.push(added.expect("a repository"));
    }
    let until = Instant::now() + Duration::from_secs(5);
    let mut callers = tokio::task::JoinSet::new();
    for repository in repositories {
        let house = Arc::clone(&house);
        callers.spawn(async move {
            let mut events = 0;
            while Instant::now() < until {
                events += house.controller.observe(&repository, None).await.expect("it is stored").events;
            }
            events
        });
    }
    let events: usize = callers.join_all().await.into_iter().sum();
    events as f64 / 5.0
}

/// A controller on a store, with nobody to tell and a git whose refs always move.
struct House {
    controller: Controller,
    store: Arc<dyn Store>,
    _folder: tempfile::TempDir,
}

impl House {
    fn open(file: &Path) -> Self {
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(file).expect("a store"));
        let folder = tempfile::tempdir().expect("a temporary folder");
        let controller = Controller::new(Ports {
            store: Arc::clone(&store),
            artifacts: Arc::new(FolderArtifacts::open(folder.path()).expect("a folder")),
            checkout: Arc::new(Moving(AtomicU64::new(0))),
            launcher: Arc::new(Nobody),
            bell: Arc::new(Nobody),
            clock: Arc::new(SystemClock),
            page_address: None,
        });
        Self { controller, store, _folder: folder }
    }

    /// One claim after another by each of the claimers, until the stretch is through.
    async fn claim_stretch(&self, pool: &'static str) -> Duration {
        let left = Arc::new(AtomicUsize::new(usize::try_from(STRETCH).unwrap_or(usize::MAX)));
        let began = Instant::now();
        let mut claimers = tokio::task::JoinSet::new();
        for number in 0..CLAIMERS {
            let (controller, left) = (self.controller.clone(), Arc::clone(&left));
            claimers.spawn(async move {
                let claimant = claimant(pool, number);
                while left
                    .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1))
                    .is_ok()
                {
                    while controller.claim(&claimant, 1).await.expect("a claim").is_empty() {}
                }
            });
        }
        claimers.join_all().await;
        began.elapsed()
    }

    async fn queue_in_one_lane(&self, pool: &str, first: u64, runs: u64) {
        let mut plan = Plan::default();
        let name = RepositoryName::new(format!("{pool}/app"));
        for number in first..first + runs {
            // Definitions for those that are given out; the others wait to the end.
            let is_given = number < first + (STRETCHES as u64 + 2) * STRETCH;
            queue_run(&mut plan, pool, &name, Wants::default(), number, is_given);
            if plan.changes.len() >= 10_000 {
                self.commit(std::mem::take(&mut plan)).await;
            }
        }
        self.commit(plan).await;
    }

    /// 50 tag sets × 1,000 repositories × 20 runs, each the run of a build of its own that is listed.
    async fn queue_in_many_lanes(&self, pool: &str) {
        let each = MILLION / TAG_SETS / REPOSITORIES;
        for repository in 0..REPOSITORIES {
            let mut plan = Plan::default();
            let name = RepositoryName::new(format!("{pool}/app-{repository}"));
            plan.put(
                Repository {
                    id: RepositoryId::of(&name),
                    url: name.to_string(),
                    name: name.clone(),
                    default_branch: None,
                    first_seen: None,
                    builds: TAG_SETS * each,
                },
                Expectation::Any,
            );
            for tags in 0..TAG_SETS {
                let wants = Wants { tags: BTreeSet::from([tag(tags)]), ..Wants::default() };
                for turn in 0..each {
                    let number = tags * each + turn + 1;
                    queue_run(&mut plan, pool, &name, wants.clone(), number, turn < 2);
                    plan.put(build(&RepositoryId::of(&name), number), Expectation::Any);
                }
            }
            self.commit(plan).await;
        }
    }

    /// Commits rows that are new; lanes and demands are written over.
    async fn commit(&self, mut plan: Plan) {
        let now = SystemClock.now();
        let absent = |lane| queue::Found { lane, row: None, demand: None };
        let found: Vec<_> = queue::lanes(&plan).into_iter().map(absent).collect();
        queue::open(&mut plan, &found, now);
        let mut changes = effect::changes(plan, now);
        for change in &mut changes {
            if let Change::Put { expected, .. } = change {
                *expected = Expectation::Any;
            }
        }
        self.store.commit_if_unchanged(changes).await.expect("it is written");
    }
}

fn queue_run(
    plan: &mut Plan,
    pool: &str,
    repository: &RepositoryName,
    wants: Wants,
    number: u64,
    is_given: bool,
) {
    let build = BuildId { repository: RepositoryId::of(repository), number };
    let run = Run {
        id: RunId { build, index: 1 },
        job: JobName::new("test"),
        cell: None,
        because: None,
        pool: PoolName::new(pool),
        wants,
        attempts: 0,
        state: RunState::Blocked,
    };
    let since = Timestamp(1_800_000_000_000 + i64::try_from(number).unwrap_or_default());
    let state = queue::enqueue(plan, &run, since);
    if is_given {
        let definition = RunDefinition {
            format: 1,
            run: run.id.clone(),
            repository: repository.clone(),
            commit: commit(number),
            pipeline: PipelineName::new("ci"),
            job: run.job.clone(),
            engine: Engine::Process,
            checkout: None,
            env: BTreeMap::new(),
            steps: Vec::new(),
            timeout: Duration::from_secs(600),
            hidden: Default::default(),
            known: None,
            needs: Vec::new(),
            artifacts: Vec::new(),
            reports: ReportsDefinition::default(),
            grace: Duration::from_secs(10),
            retry: Retry::default(),
        };
        plan.put(RunDefinitionRow(definition), Expectation::Any);
    }
    plan.put(Run { state, ..run }, Expectation::Any);
}

fn build(repository: &RepositoryId, number: u64) -> Build {
    Build {
        id: BuildId { repository: repository.clone(), number },
        pipeline: PipelineName::new("ci"),
        cause: EventKey::new(format!("{repository}/refs/heads/main/{number}")),
        event: "push".to_owned(),
        ref_name: RefName::Branch("main".to_owned()),
        commit: commit(number),
        subject: "A change as many others".to_owned(),
        author: "Ann".to_owned(),
        actor: None,
        created_at: Timestamp(1_800_000_000_000),
        state: BuildState::Running { stop: None },
        runs: 1,
        ended: 0,
        deadline: None,
    }
}

fn commit(number: u64) -> CommitId {
    format!("{number:040x}").parse().expect("forty digits")
}

fn tag(number: u64) -> Tag {
    Tag::new(format!("tag-{number}"))
}

/// A worker of this pool that serves every tag set.
fn claimant(pool: &str, number: usize) -> Claimant {
    Claimant {
        worker: WorkerId::new(format!("worker-{number}")),
        pools: vec![PoolName::new(pool)],
        tags: (0..TAG_SETS).map(tag).collect(),
    }
}

/// A git whose one branch is elsewhere at every look.
struct Moving(AtomicU64);

#[async_trait]
impl Checkout for Moving {
    async fn heads(&self, _: &str) -> Result<Heads, CheckoutError> {
        let head = commit(self.0.fetch_add(1, Ordering::Relaxed));
        let main = "main".to_owned();
        Ok(Heads { refs: vec![(RefName::Branch(main.clone()), head)], default_branch: Some(main) })
    }

    async fn pipelines_at(
        &self,
        url: &str,
        commit: &CommitId,
        _: Option<&RefName>,
    ) -> Result<CommitFiles, CheckoutError> {
        Err(CheckoutError::NoSuchCommit { url: url.to_owned(), commit: commit.clone() })
    }
}

/// Hears no ring and no order.
struct Nobody;

impl Bell for Nobody {
    fn ring(&self, _: Ring) {}
}

#[async_trait]
impl Launcher for Nobody {
    async fn stop(&self, _: &WorkerId, _: &AttemptId, _: &Stop) -> Result<(), LaunchError> {
        Ok(())
    }

    async fn is_told_to_stop(&self, _: &WorkerId, _: &AttemptId) -> Result<bool, LaunchError> {
        Ok(true)
    }
}

struct SystemClock;

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }

    fn fresh_id(&self) -> String {
        ulid::Ulid::generate().to_string()
    }
}
