//! A controller in memory that keeps the protocol's promises, and workers with real supervisors.
#![expect(dead_code, reason = "each test file uses a part")]
#![expect(clippy::unwrap_used, reason = "in tests, what is not as it should be has failed")]

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use branchline_model::{
    Artifact, AttemptEnd, AttemptId, AttemptReport, CheckoutDefinition, CommitId, Digest, Engine, JobName,
    LineTime, ObjectKey, Pace, PipelineName, PoolName, ReportsDefinition, RepositoryName, Results,
    RunDefinition, StepDefinition, StepRecord, Stop, Tally, Timestamp, WorkerId,
};
use branchline_ports::{
    Assignment, BegunUpload, Claimant, Destination, HandOver, Heard, Lease, NeededArtifact, NewArtifact,
    ObjectPart, Pieces, ProtocolError, Stored, WorkerProtocol,
};
use branchline_supervisor::Spawner;
use branchline_worker::{Drain, Worker, WorkerConfig, WorkerHandle, Workspace, Workspaces};
use nix::unistd::Pid;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_branchline-worker-alone");

const PATIENCE: Duration = Duration::from_secs(60);

/// Looks until it is so.
pub async fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

pub async fn until_true(what: &str, mut look: impl FnMut() -> bool) {
    until(what, || look().then_some(())).await;
}

/// What a controller knows of an attempt.
#[derive(Debug, Clone)]
pub struct Known {
    pub assignment: Assignment,
    pub log: Vec<u8>,
    pub times: Vec<LineTime>,
    pub begun: Option<Timestamp>,
    pub progress: Vec<Vec<StepRecord>>,
    pub tallies: Vec<Tally>,
    pub results: Option<Results>,
    /// What was uploaded, by id; and what of it was named.
    pub uploads: BTreeMap<String, (NewArtifact, Vec<u8>)>,
    pub artifacts: BTreeMap<String, Vec<u8>>,
    /// What the runs that it needs have made.
    pub needed: Vec<(NeededArtifact, Vec<u8>)>,
    pub report: Option<AttemptReport>,
    pub fenced: bool,
    pub heartbeats: u32,
    /// What a heartbeat is answered: the order to stop that was lost.
    pub stop: Option<Stop>,
    /// When the last byte of the log came.
    pub heard: Option<Instant>,
}

/// A controller in memory.
#[derive(Debug, Default)]
pub struct MemoryController {
    waiting: Mutex<VecDeque<Assignment>>,
    attempts: Mutex<BTreeMap<AttemptId, Known>>,
    pub away: AtomicBool,
    /// How many answers are still to be lost after the deed is done.
    pub lost_answers: AtomicUsize,
    /// Whether an attempt is fenced as soon as what its checkout says comes.
    pub fence_logs: AtomicBool,
    /// Whether it does not answer when it is told that an attempt begins, and how often it was told.
    pub ignores_begun: AtomicBool,
    pub begun_said: AtomicUsize,
    pub claims: AtomicUsize,
    /// What the runs that are claimed next need.
    pub needed: Mutex<Vec<(NeededArtifact, Vec<u8>)>>,
    pub most_at_once: AtomicUsize,
}

impl MemoryController {
    fn answer<T>(&self, deed: impl FnOnce() -> Result<T, ProtocolError>) -> Result<T, ProtocolError> {
        if self.away.load(Ordering::SeqCst) {
            return Err(ProtocolError::Unavailable { why: "it is away".to_owned() });
        }
        let done = deed();
        let lose = |left: usize| left.checked_sub(1);
        if self.lost_answers.fetch_update(Ordering::SeqCst, Ordering::SeqCst, lose).is_ok() {
            return Err(ProtocolError::Unavailable { why: "its answer was lost".to_owned() });
        }
        done
    }

    fn about<T>(
        &self,
        lease: &Lease,
        deed: impl FnOnce(&mut Known) -> Result<T, ProtocolError>,
    ) -> Result<T, ProtocolError> {
        self.answer(|| {
            let mut attempts = self.attempts.lock().unwrap();
            let fenced =
                || ProtocolError::Fenced { attempt: lease.attempt.clone(), why: "it was fenced".to_owned() };
            let known = attempts.get_mut(&lease.attempt).filter(|known| !known.fenced).ok_or_else(fenced)?;
            deed(known)
        })
    }

    pub fn enqueue(&self, number: u32, definition: RunDefinition) -> AttemptId {
        let attempt: AttemptId = format!("app-1f3c9a2e04/1/{number}/1").parse().unwrap();
        let lease = Lease { attempt: attempt.clone(), worker: WorkerId::new("here") };
        let definition = RunDefinition { run: attempt.run.clone(), ..definition };
        self.waiting.lock().unwrap().push_back(Assignment { lease, definition, stop: None, begun: false });
        attempt
    }

    pub fn known(&self, attempt: &AttemptId) -> Option<Known> {
        self.attempts.lock().unwrap().get(attempt).cloned()
    }

    pub fn change(&self, attempt: &AttemptId, change: impl FnOnce(&mut Known)) {
        change(self.attempts.lock().unwrap().get_mut(attempt).unwrap());
    }

    pub fn all(&self) -> Vec<Known> {
        self.attempts.lock().unwrap().values().cloned().collect()
    }

    pub async fn report(&self, attempt: &AttemptId) -> AttemptReport {
        until("it is reported", || self.known(attempt)?.report).await
    }

    pub async fn end(&self, attempt: &AttemptId) -> AttemptEnd {
        self.report(attempt).await.end
    }

    /// What the steps printed: the log from where the first one began.
    pub fn printed(&self, attempt: &AttemptId) -> String {
        let known = self.known(attempt).unwrap();
        let from = known.report.unwrap().steps[0].log_offset as usize;
        String::from_utf8_lossy(&known.log[from..]).into_owned()
    }
}

#[async_trait]
impl HandOver for MemoryController {
    async fn show_results(&self, lease: &Lease, results: Results) -> Result<(), ProtocolError> {
        self.about(lease, |known| {
            assert!(known.report.is_none(), "it comes before the last word");
            known.results = Some(results);
            Ok(())
        })
    }

    async fn begin_upload(
        &self,
        lease: &Lease,
        new: NewArtifact,
    ) -> Result<Option<BegunUpload>, ProtocolError> {
        self.about(lease, |known| {
            if known.artifacts.contains_key(new.name.as_str()) {
                return Ok(None);
            }
            let id = known.uploads.len().to_string();
            known.uploads.insert(id.clone(), (new, Vec::new()));
            Ok(Some(BegunUpload { id, destination: Destination::Controller }))
        })
    }

    async fn put_upload(
        &self,
        lease: &Lease,
        id: &str,
        pieces: &mut dyn Pieces,
    ) -> Result<(), ProtocolError> {
        let mut bytes = Vec::new();
        while let Some(piece) = pieces.next().await.unwrap() {
            assert!(piece.len() <= 1 << 20, "memory is bounded");
            bytes.extend(piece);
        }
        self.about(lease, |known| {
            known.uploads.get_mut(id).unwrap().1 = bytes;
            Ok(())
        })
    }

    async fn name_artifact(&self, lease: &Lease, id: &str, name: &ObjectKey) -> Result<(), ProtocolError> {
        self.about(lease, |known| {
            let (new, bytes) = known.uploads.get(id).unwrap();
            assert_eq!(new.name, *name);
            assert_eq!((new.bytes, new.sha256), (bytes.len() as u64, Digest::of(bytes)));
            known.artifacts.insert(name.to_string(), bytes.clone());
            Ok(())
        })
    }

    async fn needed_artifacts(&self, lease: &Lease) -> Result<Vec<NeededArtifact>, ProtocolError> {
        self.about(lease, |known| Ok(known.needed.iter().map(|(needed, _)| needed.clone()).collect()))
    }

    async fn read_needed(
        &self,
        lease: &Lease,
        artifact: &Artifact,
        offset: u64,
        most: usize,
    ) -> Result<ObjectPart, ProtocolError> {
        self.about(lease, |known| {
            let (_, bytes) = known.needed.iter().find(|(needed, _)| needed.artifact == *artifact).unwrap();
            let part = bytes.iter().skip(offset as usize).take(most).copied().collect();
            Ok(ObjectPart { bytes: part, length: bytes.len() as u64 })
        })
    }
}

#[async_trait]
impl WorkerProtocol for MemoryController {
    async fn claim(&self, claimant: &Claimant, most: usize) -> Result<Vec<Assignment>, ProtocolError> {
        assert_eq!(claimant.worker.as_str(), "here");
        self.claims.fetch_add(1, Ordering::SeqCst);
        self.answer(|| {
            let mut waiting = self.waiting.lock().unwrap();
            let count = most.min(waiting.len());
            let taken: Vec<_> = waiting.drain(..count).collect();
            let mut attempts = self.attempts.lock().unwrap();
            for assignment in &taken {
                let known = Known {
                    assignment: assignment.clone(),
                    log: Vec::new(),
                    times: Vec::new(),
                    begun: None,
                    progress: Vec::new(),
                    tallies: Vec::new(),
                    results: None,
                    uploads: BTreeMap::new(),
                    artifacts: BTreeMap::new(),
                    needed: self.needed.lock().unwrap().clone(),
                    report: None,
                    fenced: false,
                    heartbeats: 0,
                    stop: None,
                    heard: None,
                };
                attempts.insert(assignment.lease.attempt.clone(), known);
            }
            let open = attempts.values().filter(|known| known.report.is_none()).count();
            self.most_at_once.fetch_max(open, Ordering::SeqCst);
            Ok(taken)
        })
    }

    async fn held(&self, _worker: &WorkerId) -> Result<Vec<Assignment>, ProtocolError> {
        self.answer(|| {
            let attempts = self.attempts.lock().unwrap();
            let open = attempts.values().filter(|known| known.report.is_none() && !known.fenced);
            let held =
                |known: &Known| Assignment { begun: known.begun.is_some(), ..known.assignment.clone() };
            Ok(open.map(held).collect())
        })
    }

    async fn heartbeat(&self, worker: &WorkerId, leases: &[Lease]) -> Result<Vec<Heard>, ProtocolError> {
        assert_eq!(worker.as_str(), "here");
        self.answer(|| {
            let mut attempts = self.attempts.lock().unwrap();
            let answer = |lease: &Lease| match attempts.get_mut(&lease.attempt) {
                Some(known) if !known.fenced => {
                    known.heartbeats += 1;
                    match &known.stop {
                        Some(stop) => Heard::Stop { stop: stop.clone() },
                        None => Heard::Counts { milliseconds: 180_000 },
                    }
                }
                _ => Heard::Fenced { why: "it was fenced".to_owned() },
            };
            Ok(leases.iter().map(answer).collect())
        })
    }

    async fn begun(&self, lease: &Lease, at: Timestamp) -> Result<(), ProtocolError> {
        self.begun_said.fetch_add(1, Ordering::SeqCst);
        self.about(lease, |known| {
            if self.ignores_begun.load(Ordering::SeqCst) {
                return Err(ProtocolError::Unavailable { why: "it does not listen".to_owned() });
            }
            known.begun = Some(at);
            Ok(())
        })
    }

    async fn progress(
        &self,
        lease: &Lease,
        steps: &[StepRecord],
        tally: Option<Tally>,
    ) -> Result<(), ProtocolError> {
        self.about(lease, |known| {
            known.progress.push(steps.to_vec());
            known.tallies.extend(tally);
            Ok(())
        })
    }

    async fn log_length(&self, lease: &Lease) -> Result<u64, ProtocolError> {
        self.about(lease, |known| Ok(known.log.len() as u64))
    }

    async fn append_log(
        &self,
        lease: &Lease,
        offset: u64,
        bytes: &[u8],
        times: &[LineTime],
    ) -> Result<Stored, ProtocolError> {
        assert!(bytes.len() <= 256 * 1024);
        if self.fence_logs.load(Ordering::SeqCst) && bytes.windows(8).any(|part| part == b"fetching") {
            self.change(&lease.attempt, |known| known.fenced = true);
        }
        self.about(lease, |known| {
            assert!(known.report.is_none(), "its log is closed");
            let stored = known.log.len() as u64;
            if offset > stored {
                return Err(ProtocolError::LogGap { attempt: lease.attempt.clone(), stored });
            }
            let there = ((stored - offset) as usize).min(bytes.len());
            assert_eq!(
                known.log[offset as usize..][..there],
                bytes[..there],
                "the same offset holds the same bytes"
            );
            known.log.extend_from_slice(&bytes[there..]);
            known.times.extend(times.iter().filter(|time| time.offset >= stored));
            known.heard = Some(Instant::now());
            Ok(Stored { bytes: known.log.len() as u64, pace: Pace::AsItComes })
        })
    }

    async fn finish(&self, lease: &Lease, report: AttemptReport) -> Result<(), ProtocolError> {
        self.about(lease, |known| {
            let stored = known.log.len() as u64;
            if stored != report.log_length {
                return Err(ProtocolError::LogGap { attempt: lease.attempt.clone(), stored });
            }
            if let Some(before) = &known.report {
                assert_eq!(before, &report, "the last word is the same, however often it is said");
            }
            known.report = Some(report);
            Ok(())
        })
    }
}

/// Writes one file, after having been let go where that is wanted; fails where the URL says so.
#[derive(Debug, Default)]
pub struct TestWorkspaces {
    pub wait: Option<PathBuf>,
    pub begun: AtomicUsize,
    /// Whether one was cancelled, and had the folder to itself until it had noticed.
    pub cancelled: AtomicBool,
}

#[async_trait]
impl Workspaces for TestWorkspaces {
    async fn prepare(
        &self,
        checkout: &CheckoutDefinition,
        commit: &CommitId,
        into: &Path,
        cancel: &Arc<AtomicBool>,
        log: &mut (dyn FnMut(String) + Send),
    ) -> Result<(), String> {
        self.begun.fetch_add(1, Ordering::SeqCst);
        log(format!("fetching {commit}"));
        // Half of it: what a killed checkout leaves must be gone when the next one begins.
        tokio::fs::create_dir(into.join("half")).await.map_err(|error| error.to_string())?;
        if let Some(file) = &self.wait {
            until_true("it is let go", || file.exists() || cancel.load(Ordering::Relaxed)).await;
        }
        if cancel.load(Ordering::Relaxed) {
            // It takes its time to notice, and writes until then.
            for number in 0..20 {
                let late = into.join(number.to_string());
                tokio::fs::create_dir(late).await.map_err(|error| error.to_string())?;
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            self.cancelled.store(true, Ordering::SeqCst);
            return Err("it was cancelled".to_owned());
        }
        if checkout.url.contains("missing") {
            return Err("there is no such repository".to_owned());
        }
        std::fs::write(into.join("file"), "from git\n").map_err(|error| error.to_string())?;
        log("wrote 1 file".to_owned());
        Ok(())
    }
}

pub fn step(run: &str) -> StepDefinition {
    StepDefinition {
        title: run.lines().next().unwrap_or_default().to_owned(),
        run: run.to_owned(),
        condition: None,
        env: Default::default(),
        shell: Default::default(),
        working_directory: None,
        timeout: None,
        allow_failure: false,
    }
}

pub fn definition(steps: Vec<StepDefinition>) -> RunDefinition {
    RunDefinition {
        format: 1,
        run: "app-1f3c9a2e04/1/1".parse().unwrap(),
        repository: RepositoryName::new("github.com/acme/app"),
        commit: CommitId::try_from("0123456789abcdef0123456789abcdef01234567".to_owned()).unwrap(),
        pipeline: PipelineName::new("ci"),
        job: JobName::new("test"),
        engine: Engine::Process,
        checkout: None,
        env: Default::default(),
        steps,
        timeout: Duration::from_secs(300),
        hidden: Default::default(),
        known: None,
        needs: Vec::new(),
        artifacts: Vec::new(),
        reports: ReportsDefinition::default(),
        grace: Duration::from_secs(30),
        retry: Default::default(),
    }
}

pub fn with_checkout(url: &str, definition: RunDefinition) -> RunDefinition {
    let checkout = CheckoutDefinition { url: url.to_owned(), ref_name: None, depth: None, submodules: false };
    RunDefinition { checkout: Some(checkout), ..definition }
}

pub fn one(run: &str) -> RunDefinition {
    definition(vec![step(run)])
}

pub fn stop_order() -> Stop {
    Stop::BuildTimedOut
}

/// A controller, a folder, and workers that come and go.
pub struct House {
    pub controller: Arc<MemoryController>,
    pub workspaces: Arc<TestWorkspaces>,
    pub folder: tempfile::TempDir,
    pub workspace: Workspace,
    pub heartbeat: Duration,
    pub slots: usize,
    pub spawner: Arc<Spawner>,
}

/// A worker that runs, on threads of its own, so that all of it can end at one moment.
pub struct Running {
    pub handle: WorkerHandle,
    task: Option<JoinHandle<()>>,
    runtime: Option<Runtime>,
}

impl House {
    pub fn new() -> Self {
        Self {
            controller: Arc::default(),
            workspaces: Arc::default(),
            folder: tempfile::tempdir().unwrap(),
            workspace: Workspace::Fresh,
            heartbeat: Duration::from_secs(15),
            slots: 2,
            spawner: Arc::new(Spawner::of(PROGRAM.into())),
        }
    }

    pub fn root(&self) -> PathBuf {
        self.folder.path().join("attempts")
    }

    pub fn directory(&self, attempt: &AttemptId) -> PathBuf {
        self.root().join(attempt.folder())
    }

    /// The supervisor of an attempt that has begun, as its state lines name it.
    pub fn supervisor(&self, attempt: &AttemptId) -> Pid {
        let state = std::fs::read_to_string(self.directory(attempt).join("state")).unwrap();
        let pid = state.split("\"pid\":").nth(1).unwrap();
        Pid::from_raw(pid.split('}').next().unwrap().parse().unwrap())
    }

    /// A file that steps can reach, whichever workspace they have.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn worker(&self) -> Running {
        let config = WorkerConfig {
            id: WorkerId::new("here"),
            pools: vec![PoolName::new("default")],
            tags: std::collections::BTreeSet::new(),
            slots: self.slots,
            root: self.root(),
            workspace: self.workspace.clone(),
            heartbeat: self.heartbeat,
        };
        let handle = WorkerHandle::new(&config);
        let protocol: Arc<dyn WorkerProtocol> = self.controller.clone();
        let worker = Worker::new(config, handle.clone(), protocol, self.workspaces.clone()).unwrap();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let task = runtime.spawn(worker.with_spawner(Arc::clone(&self.spawner)).run());
        Running { handle, task: Some(task), runtime: Some(runtime) }
    }

    pub fn is_empty(&self) -> bool {
        let kept = |name: &std::ffi::OsStr| name == "boot" || name.to_string_lossy().starts_with(".spare.");
        std::fs::read_dir(self.root()).unwrap().all(|entry| kept(&entry.unwrap().file_name()))
    }
}

impl Running {
    /// Ends it without a word, as a kill does: nothing of it goes on, and nothing that it has in memory gets out.
    pub async fn vanish(mut self) {
        let runtime = self.runtime.take().unwrap();
        tokio::task::spawn_blocking(move || runtime.shutdown_timeout(PATIENCE)).await.unwrap();
    }

    pub async fn end(self, drain: Drain) {
        self.handle.drain(drain);
        self.ended().await;
    }

    pub async fn ended(mut self) {
        self.task.take().unwrap().await.unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
