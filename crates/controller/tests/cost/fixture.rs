//! A controller upon a table in memory that counts its calls.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use branchline_artifacts::FolderArtifacts;
use branchline_checkout::{Cache, GitCheckout, Network, Sources};
use branchline_controller::{Controller, Ports};
use branchline_model::{
    AttemptEnd, AttemptId, AttemptReport, PoolName, RepositoryId, RepositoryName, StepRecord, Stop,
    Timestamp, WorkerId,
};
use branchline_ports::{Bell, Claimant, Clock, LaunchError, Launcher, Ring};
use branchline_store::dynamo::{DynamoStore, MemoryBodies, MemoryTable, Pause, Usage};
use branchline_testkit::SteppedClock;

/// One job, as people write it.
const PIPELINE: &str = r#"
description: Builds and tests the service.
retention: {builds: 1, days: 90}
on:
  push:
    branches: [main]
jobs:
  test:
    process: true
    timeout: 20m
    steps:
      - name: Unit tests
        run: |
          make setup
          make test
"#;

struct DeafBell;

impl Bell for DeafBell {
    fn ring(&self, _: Ring) {}
}

/// No order is given in these histories.
struct NoOrders;

#[async_trait]
impl Launcher for NoOrders {
    async fn stop(&self, worker: &WorkerId, _: &AttemptId, _: &Stop) -> Result<(), LaunchError> {
        Err(LaunchError::Unavailable {
            worker: worker.clone(),
            why: "nobody is to be stopped here".to_owned(),
        })
    }

    async fn is_told_to_stop(&self, _: &WorkerId, _: &AttemptId) -> Result<bool, LaunchError> {
        Ok(false)
    }
}

/// Waits by stepping the clock.
struct Stepping(Arc<SteppedClock>);

#[async_trait]
impl Pause for Stepping {
    async fn pause(&self, duration: Duration) {
        self.0.step(duration);
    }
}

pub fn worker() -> WorkerId {
    WorkerId::new("worker-1.example.org")
}

pub fn claimant() -> Claimant {
    Claimant { worker: worker(), pools: vec![PoolName::new("default")], tags: BTreeSet::new() }
}

pub struct Fixture {
    pub controller: Controller,
    pub clock: Arc<SteppedClock>,
    pub repository: RepositoryId,
    table: Arc<MemoryTable>,
    folder: tempfile::TempDir,
}

impl Fixture {
    pub async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app");
        std::fs::create_dir_all(path.join(".branchline")).unwrap();
        git(&path, &["init", "--quiet", "--initial-branch=main"]);
        std::fs::write(path.join(".branchline/ci.yaml"), PIPELINE).unwrap();
        commit(&path, "First");
        let table = Arc::new(MemoryTable::new());
        let clock = Arc::new(SteppedClock::at(Timestamp(1_800_000_000_000)));
        let pause = Arc::new(Stepping(clock.clone()));
        let bodies = Arc::new(MemoryBodies::default());
        let network = Network::default();
        let cache = Cache::open(folder.path().join("git"), network.clone()).unwrap();
        let controller = Controller::new(Ports {
            store: Arc::new(DynamoStore::new(table.clone(), bodies, clock.clone(), pause)),
            artifacts: Arc::new(FolderArtifacts::open(folder.path().join("logs")).unwrap()),
            checkout: Arc::new(GitCheckout::new(cache, network, Sources::default())),
            launcher: Arc::new(NoOrders),
            bell: Arc::new(DeafBell),
            clock: clock.clone(),
            page_address: Some("https://ci.example.org".to_owned()),
        });
        let url = path.to_str().unwrap();
        let repository =
            controller.add_repository(&RepositoryName::new("example.org/team/service"), url).await.unwrap();
        Self { controller, clock, repository, table, folder }
    }

    /// What was done, and what it used.
    pub async fn using<T>(&self, work: impl Future<Output = T>) -> (T, Usage) {
        let before = self.table.usage();
        let done = work.await;
        (done, self.table.usage() - before)
    }

    /// The partitions that have rows now.
    pub fn partitions(&self) -> BTreeSet<String> {
        self.table.items().into_iter().map(|item| item.key.partition).collect()
    }

    pub fn push(&self, message: &str) {
        commit(&self.path(), message);
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("app")
    }

    pub fn report(&self, end: AttemptEnd, began_at: Timestamp, step: StepRecord) -> AttemptReport {
        AttemptReport {
            end,
            began_at: Some(began_at),
            ended_at: self.clock.now(),
            steps: vec![step],
            log_length: 5,
        }
    }
}

fn git(folder: &Path, arguments: &[&str]) {
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
}

fn commit(folder: &Path, message: &str) {
    git(folder, &["add", "--all"]);
    git(folder, &["commit", "--quiet", "--allow-empty", "--message", message]);
}
