//! A controller, its ports, and the verbs of its tests.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use branchline_artifacts::FolderArtifacts;
use branchline_checkout::{Cache, GitCheckout, Network, Sources};
use branchline_controller::{BuildView, Controller, Ports, StartError, StartRequest, Started, Ticked};
use branchline_model::{
    Actor, Against, ArtifactDefinition, AttemptEnd, AttemptId, AttemptReport, Build, BuildId, Changed,
    CommitId, Expectation, ObjectIds, PipelineName, Plan, PoolName, RefName, RepositoryId, RepositoryName,
    RunDefinitionRow, RunId, Stop, Timestamp, WorkerId, keys,
};
use branchline_ports::{
    Artifacts, Assignment, Bell, Checkout, CheckoutError, Claimant, Clock, CommitFiles, Heads, LaunchError,
    Launcher, ProtocolError, Ring, Store, WorkerProtocol,
};
use branchline_store::MemoryStore;
use branchline_testkit::{PoisonedStore, SteppedClock};
use tokio::sync::Notify;

use crate::logs::Logs;
use crate::store::Watched;

/// Nobody hears it.
struct DeafBell;

impl Bell for DeafBell {
    fn ring(&self, _: Ring) {}
}

/// How orders fare.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Way {
    /// They arrive, and that is known.
    #[default]
    Open,
    /// They do not arrive.
    Away,
    /// They arrive, and the answer is lost.
    AnswersLost,
    /// They do not arrive, and nobody knows.
    Silent,
    /// They do not arrive, and whoever gives them waits for ever.
    Endless,
}

/// Remembers orders, and may be out of reach.
#[derive(Default)]
pub struct Orders {
    pub told: Mutex<Vec<AttemptId>>,
    pub way: Mutex<Way>,
    /// Somebody gives an order.
    pub given: Notify,
    before_next: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl Orders {
    /// Does this when the next order is given, before anybody answers.
    pub fn before_next(&self, act: impl FnOnce() + Send + 'static) {
        *self.before_next.lock().unwrap() = Some(Box::new(act));
    }
}

#[async_trait]
impl Launcher for Orders {
    async fn stop(&self, worker: &WorkerId, attempt: &AttemptId, _: &Stop) -> Result<(), LaunchError> {
        if let Some(act) = self.before_next.lock().unwrap().take() {
            act();
        }
        let way = *self.way.lock().unwrap();
        if matches!(way, Way::Open | Way::AnswersLost) {
            self.told.lock().unwrap().push(attempt.clone());
        }
        self.given.notify_one();
        if way == Way::Endless {
            std::future::pending::<()>().await;
        }
        let (worker, why) = (worker.clone(), "it is away".to_owned());
        match way {
            Way::Open => Ok(()),
            Way::Away => Err(LaunchError::Unavailable { worker, why }),
            Way::AnswersLost | Way::Silent | Way::Endless => Err(LaunchError::Unknown { worker, why }),
        }
    }

    async fn is_told_to_stop(&self, _: &WorkerId, attempt: &AttemptId) -> Result<bool, LaunchError> {
        Ok(self.told.lock().unwrap().contains(attempt))
    }
}

/// Git that now and then never answers.
pub struct HouseGit {
    git: GitCheckout,
    pub hangs: AtomicBool,
    /// Only where it is asked what changed.
    pub hangs_on_changes: AtomicBool,
    /// Somebody asks what changed, and hears nothing.
    pub hanging: Notify,
    /// Somebody asks for pipelines.
    pub asked: Notify,
}

#[async_trait]
impl Checkout for HouseGit {
    async fn heads(&self, url: &str) -> Result<Heads, CheckoutError> {
        self.git.heads(url).await
    }

    async fn pipelines_at(
        &self,
        url: &str,
        commit: &CommitId,
        ref_name: Option<&RefName>,
    ) -> Result<CommitFiles, CheckoutError> {
        self.asked.notify_one();
        if self.hangs.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        self.git.pipelines_at(url, commit, ref_name).await
    }

    async fn changed_at(
        &self,
        url: &str,
        commit: &CommitId,
        against: &Against,
        ref_name: Option<&RefName>,
    ) -> Result<Changed, CheckoutError> {
        if self.hangs_on_changes.load(Ordering::SeqCst) {
            self.hanging.notify_one();
            std::future::pending::<()>().await;
        }
        self.git.changed_at(url, commit, against, ref_name).await
    }

    async fn objects_at(
        &self,
        url: &str,
        commit: &CommitId,
        paths: &[String],
        ref_name: Option<&RefName>,
    ) -> Result<ObjectIds, CheckoutError> {
        self.git.objects_at(url, commit, paths, ref_name).await
    }
}

pub struct House {
    pub controller: Controller,
    pub git: Arc<HouseGit>,
    pub clock: Arc<SteppedClock>,
    pub orders: Arc<Orders>,
    pub store: Arc<PoisonedStore>,
    pub watched: Arc<Watched>,
    pub logs: Arc<Logs>,
    pub repository: RepositoryId,
    folder: tempfile::TempDir,
}

pub fn worker() -> WorkerId {
    WorkerId::new("worker")
}

/// One of the default pool's workers, as it claims.
pub fn claimant(worker: WorkerId) -> Claimant {
    Claimant { worker, pools: vec![PoolName::new("default")], tags: BTreeSet::new() }
}

impl House {
    /// A controller that serves one repository whose first commit holds these pipelines.
    pub async fn with(pipelines: &[(&str, &str)]) -> Self {
        Self::on(Arc::new(MemoryStore::new()), pipelines).await
    }

    /// The same on a store of one's own.
    pub async fn on(store: Arc<dyn Store>, pipelines: &[(&str, &str)]) -> Self {
        let store = Arc::new(PoisonedStore::over(store));
        let watched = Arc::new(Watched::new(Arc::clone(&store) as Arc<dyn Store>));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app");
        std::fs::create_dir_all(path.join(".branchline")).unwrap();
        git(&path, &["init", "--quiet", "--initial-branch=main"]);
        for (name, text) in pipelines {
            std::fs::write(path.join(format!(".branchline/{name}.yaml")), text).unwrap();
        }
        commit(&path, "First");
        let clock = Arc::new(SteppedClock::at(Timestamp(1_800_000_000_000)));
        let orders = Arc::new(Orders::default());
        let network = Network::default();
        let cache = Cache::open(folder.path().join("git"), network.clone()).unwrap();
        let git = Arc::new(HouseGit {
            git: GitCheckout::new(cache, network, Sources::default()),
            hangs: false.into(),
            hangs_on_changes: false.into(),
            hanging: Notify::new(),
            asked: Notify::new(),
        });
        let logs = Arc::new(Logs::open(folder.path().join("logs")));
        let ports = (&watched, &logs, &git, &orders);
        let controller = controller(ports, Arc::clone(&clock) as Arc<dyn Clock>);
        let text = path.to_str().unwrap();
        let repository = controller.add_repository(&RepositoryName::new(text), text).await.unwrap();
        Self { controller, git, clock, orders, store, watched, logs, repository, folder }
    }

    /// Another controller on the same rows, with a clock of its own.
    pub fn with_clock(&self, clock: Arc<dyn Clock>) -> Controller {
        controller((&self.watched, &self.logs, &self.git, &self.orders), clock)
    }

    /// Says in a run's definition how long an artifact of it is kept.
    pub async fn keep_artifact(&self, run: &RunId, name: &str, keep: Duration) {
        let row = self.store.read(&[keys::run_definition(run)]).await.unwrap().remove(0).unwrap();
        let mut definition: RunDefinitionRow = row.value.try_into().unwrap();
        let (name, paths) = (name.to_owned(), vec!["**".to_owned()]);
        let artifact = ArtifactDefinition { name, paths, condition: None, keep: Some(keep) };
        definition.0.artifacts.push(artifact);
        let mut plan = Plan::default();
        plan.put(definition, Expectation::Any);
        self.store.commit_if_unchanged(plan.changes).await.unwrap();
    }

    pub fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("app")
    }

    pub fn commit(&self, message: &str) -> String {
        commit(&self.path(), message)
    }

    /// Where the log of this attempt lies once it is closed.
    pub fn closed_log(&self, attempt: &AttemptId) -> std::path::PathBuf {
        let AttemptId { run, number } = attempt;
        let build = self.folder.path().join(format!("logs/logs/{}/{}", self.repository, run.build.number));
        build.join(format!("{}.{number}.log", run.index))
    }

    /// Takes a build's run away, as retention does at the end.
    pub async fn forget_run(&self, run: &RunId) {
        self.store.discard(&[keys::run(run)]).await.unwrap();
    }

    /// What the controller's objects are kept in.
    pub fn objects(&self) -> FolderArtifacts {
        FolderArtifacts::open(self.folder.path().join("logs")).unwrap()
    }

    /// Looks at the refs, and ticks until nothing is due.
    pub async fn look(&self) {
        self.controller.observe(&self.repository, None).await.unwrap();
        self.rest().await;
    }

    /// Ticks until nothing is due; at most a hundred times.
    pub async fn rest(&self) {
        for _ in 0..100 {
            let ticked = self.tick().await;
            assert_eq!(ticked.failures, []);
            if ticked.is_at_rest() {
                return;
            }
        }
        panic!("it does not come to rest");
    }

    /// One tick, with as much time as it wants: the clock stands.
    pub async fn tick(&self) -> Ticked {
        self.controller.tick(Duration::from_secs(60)).await
    }

    pub fn id(&self, number: u64) -> BuildId {
        BuildId { repository: self.repository.clone(), number }
    }

    pub async fn builds(&self) -> Vec<Build> {
        let mut builds = self.controller.builds(&self.repository, None, 1_000).await.unwrap();
        builds.reverse();
        builds
    }

    pub async fn view(&self, number: u64) -> BuildView {
        self.controller.build(&self.id(number)).await.unwrap().unwrap()
    }

    pub async fn status(&self, number: u64) -> &'static str {
        self.view(number).await.build.state.status().word()
    }

    pub async fn start(&self, pipeline: &str, key: Option<&str>) -> Result<Started, StartError> {
        let request = StartRequest {
            repository: self.repository.clone(),
            pipeline: PipelineName::new(pipeline),
            ref_name: None,
            idempotency_key: key.map(str::to_owned),
            actor: Actor::new("ann"),
            inputs: std::collections::BTreeMap::new(),
        };
        self.controller.start(request).await
    }

    pub async fn claim(&self, most: usize) -> Vec<Assignment> {
        self.controller.claim(&claimant(worker()), most).await.unwrap()
    }

    /// A worker's whole part: begun, a log, finished.
    pub async fn carry_out(&self, assignment: &Assignment, end: AttemptEnd) -> Result<(), ProtocolError> {
        let lease = &assignment.lease;
        self.controller.begun(lease, self.clock.now()).await?;
        self.controller.append_log(lease, 0, b"hello\n", &[]).await?;
        self.controller.finish(lease, self.report(end, 6)).await
    }

    pub fn report(&self, end: AttemptEnd, log_length: u64) -> AttemptReport {
        let now = self.clock.now();
        AttemptReport { end, began_at: Some(now), ended_at: now, steps: Vec::new(), log_length }
    }

    /// From now on orders fare so.
    pub fn orders_go(&self, way: Way) {
        *self.orders.way.lock().unwrap() = way;
    }

    pub fn step(&self, seconds: u64) {
        self.clock.step(Duration::from_secs(seconds));
    }
}

fn controller(
    (store, logs, git, orders): (&Arc<Watched>, &Arc<Logs>, &Arc<HouseGit>, &Arc<Orders>),
    clock: Arc<dyn Clock>,
) -> Controller {
    Controller::new(Ports {
        store: Arc::clone(store) as Arc<dyn Store>,
        artifacts: Arc::clone(logs) as Arc<dyn Artifacts>,
        checkout: Arc::clone(git) as Arc<dyn Checkout>,
        launcher: Arc::clone(orders) as Arc<dyn Launcher>,
        bell: Arc::new(DeafBell),
        clock,
        page_address: None,
    })
}

pub fn git(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .args(["-c", "user.name=Ann", "-c", "user.email=ann@example.org", "-c", "gc.auto=0"])
        .args(arguments)
        .current_dir(folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn commit(folder: &Path, message: &str) -> String {
    git(folder, &["add", "--all"]);
    git(folder, &["commit", "--quiet", "--allow-empty", "--message", message]);
    git(folder, &["rev-parse", "HEAD"])
}
