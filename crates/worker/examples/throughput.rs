//! What a run of `true` costs here: 1,000 of them without a controller's work, at 2, 4 and 8 slots, beside what
//! `xargs -P 2 -n 1 sh -c true` starts. `cargo run --release -p branchline-worker --example throughput [SLOTS]`
#![expect(clippy::print_stdout, reason = "printing is what it is for")]

use std::collections::VecDeque;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use branchline_model::{
    Artifact, AttemptReport, CheckoutDefinition, CommitId, Engine, JobName, LineTime, ObjectKey, Pace,
    PipelineName, PoolName, ReportsDefinition, RepositoryName, Results, RunDefinition, StepDefinition,
    StepRecord, Tally, Timestamp, WorkerId,
};
use branchline_ports::{
    Assignment, BegunUpload, Claimant, HandOver, Heard, Lease, NeededArtifact, NewArtifact, ObjectPart,
    Pieces, ProtocolError, Stored, WorkerProtocol,
};
use branchline_supervisor::{AttemptDirectory, SUPERVISOR_WORD, Spawner};
use branchline_worker::{Drain, Worker, WorkerConfig, WorkerHandle, Workspace, Workspaces};
use tokio::sync::Notify;

const RUNS: usize = 1000;

type Failure = Box<dyn std::error::Error>;

/// Hands out runs and counts them when they come back; keeps nothing.
#[derive(Default)]
struct Nothing {
    waiting: Mutex<VecDeque<Assignment>>,
    begun: AtomicUsize,
    finished: AtomicUsize,
    done: Notify,
}

#[async_trait]
impl HandOver for Nothing {
    async fn show_results(&self, _: &Lease, _: Results) -> Result<(), ProtocolError> {
        Ok(())
    }

    async fn begin_upload(&self, _: &Lease, _: NewArtifact) -> Result<Option<BegunUpload>, ProtocolError> {
        Ok(None)
    }

    async fn put_upload(&self, _: &Lease, _: &str, _: &mut dyn Pieces) -> Result<(), ProtocolError> {
        Ok(())
    }

    async fn name_artifact(&self, _: &Lease, _: &str, _: &ObjectKey) -> Result<(), ProtocolError> {
        Ok(())
    }

    async fn needed_artifacts(&self, _: &Lease) -> Result<Vec<NeededArtifact>, ProtocolError> {
        Ok(Vec::new())
    }

    async fn read_needed(
        &self,
        _: &Lease,
        _: &Artifact,
        _: u64,
        _: usize,
    ) -> Result<ObjectPart, ProtocolError> {
        Err(ProtocolError::Refused { why: "there are none".to_owned() })
    }
}

#[async_trait]
impl WorkerProtocol for Nothing {
    async fn claim(&self, _: &Claimant, most: usize) -> Result<Vec<Assignment>, ProtocolError> {
        let mut waiting =
            self.waiting.lock().map_err(|e| ProtocolError::Unavailable { why: e.to_string() })?;
        let count = most.min(waiting.len());
        Ok(waiting.drain(..count).collect())
    }

    async fn held(&self, _: &WorkerId) -> Result<Vec<Assignment>, ProtocolError> {
        Ok(Vec::new())
    }

    async fn heartbeat(&self, _: &WorkerId, leases: &[Lease]) -> Result<Vec<Heard>, ProtocolError> {
        Ok(leases.iter().map(|_| Heard::Counts { milliseconds: 180_000 }).collect())
    }

    async fn begun(&self, _: &Lease, _: Timestamp) -> Result<(), ProtocolError> {
        self.begun.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    async fn progress(&self, _: &Lease, _: &[StepRecord], _: Option<Tally>) -> Result<(), ProtocolError> {
        Ok(())
    }

    async fn log_length(&self, _: &Lease) -> Result<u64, ProtocolError> {
        Ok(0)
    }

    async fn append_log(
        &self,
        _: &Lease,
        offset: u64,
        bytes: &[u8],
        _: &[LineTime],
    ) -> Result<Stored, ProtocolError> {
        Ok(Stored { bytes: offset + bytes.len() as u64, pace: Pace::AsItComes })
    }

    async fn finish(&self, _: &Lease, _: AttemptReport) -> Result<(), ProtocolError> {
        if self.finished.fetch_add(1, Ordering::Relaxed) + 1 == RUNS {
            self.done.notify_one();
        }
        Ok(())
    }
}

#[async_trait]
impl Workspaces for Nothing {
    async fn prepare(
        &self,
        _: &CheckoutDefinition,
        _: &CommitId,
        _: &Path,
        _: &Arc<AtomicBool>,
        _: &mut (dyn FnMut(String) + Send),
    ) -> Result<(), String> {
        Ok(())
    }
}

fn definition() -> Result<RunDefinition, Failure> {
    let step = StepDefinition {
        title: "true".to_owned(),
        run: "true".to_owned(),
        condition: None,
        env: Default::default(),
        shell: Default::default(),
        working_directory: None,
        timeout: None,
        allow_failure: false,
    };
    Ok(RunDefinition {
        format: 1,
        run: "app-1f3c9a2e04/1/1".parse()?,
        repository: RepositoryName::new("app"),
        commit: "0123456789abcdef0123456789abcdef01234567".parse()?,
        pipeline: PipelineName::new("ci"),
        job: JobName::new("test"),
        engine: Engine::Process,
        checkout: None,
        env: Default::default(),
        steps: vec![step],
        timeout: Duration::from_secs(60),
        hidden: Default::default(),
        known: None,
        needs: Vec::new(),
        artifacts: Vec::new(),
        reports: ReportsDefinition::default(),
        grace: Duration::from_secs(10),
        retry: Default::default(),
    })
}

fn assignments() -> Result<VecDeque<Assignment>, Failure> {
    let mut all = VecDeque::new();
    for number in 1..=RUNS {
        let attempt: branchline_model::AttemptId = format!("app-1f3c9a2e04/1/{number}/1").parse()?;
        let definition = RunDefinition { run: attempt.run.clone(), ..definition()? };
        let lease = Lease { attempt, worker: WorkerId::new("here") };
        all.push_back(Assignment { lease, definition, stop: None, begun: false });
    }
    Ok(all)
}

/// Milliseconds of processor time that this machine has spent on anything but idling.
fn busy() -> Result<u64, Failure> {
    let stat = fs::read_to_string("/proc/stat")?;
    let fields: Vec<u64> =
        stat.lines().next().unwrap_or_default().split_whitespace().skip(1).flat_map(str::parse).collect();
    Ok(fields
        .iter()
        .enumerate()
        .filter(|(index, _)| !matches!(index, 3 | 4))
        .map(|(_, ticks)| ticks * 10)
        .sum())
}

fn xargs() -> Result<f64, Failure> {
    let begin = Instant::now();
    let mut child = Command::new("sh")
        .args(["-c", &format!("seq {RUNS} | xargs -P 2 -n 1 sh -c true")])
        .stdout(Stdio::null())
        .spawn()?;
    child.wait()?;
    Ok(RUNS as f64 / begin.elapsed().as_secs_f64())
}

/// Microseconds that a supervisor's start takes in both ways, until it has seen that there is nothing to do.
fn starts() -> Result<[f64; 2], Failure> {
    let folder = tempfile::tempdir()?;
    let missing = AttemptDirectory::at(folder.path(), &"app-1f3c9a2e04/1/1/1".parse()?)?;
    let spawner = Spawner::of_this_program();
    spawner.start(&missing)?;
    let begin = Instant::now();
    for _ in 0..RUNS {
        spawner.start(&missing)?;
    }
    let fork = begin.elapsed();
    let begin = Instant::now();
    for _ in 0..RUNS {
        Command::new("/proc/self/exe").arg(SUPERVISOR_WORD).arg(missing.path()).spawn()?.wait()?;
    }
    Ok([fork, begin.elapsed()].map(|took| took.as_secs_f64() * 1e6 / RUNS as f64))
}

async fn worker(slots: usize) -> Result<(f64, f64, usize), Failure> {
    let folder = tempfile::tempdir()?;
    let nothing = Arc::new(Nothing { waiting: Mutex::new(assignments()?), ..Nothing::default() });
    let config = WorkerConfig {
        id: WorkerId::new("here"),
        pools: vec![PoolName::new("default")],
        tags: std::collections::BTreeSet::new(),
        slots,
        root: folder.path().join("attempts"),
        workspace: Workspace::Fresh,
        heartbeat: branchline_worker::HEARTBEAT,
    };
    let handle = WorkerHandle::new(&config);
    let worker = Worker::new(config, handle.clone(), nothing.clone(), nothing.clone())?;
    let (begin, before) = (Instant::now(), busy()?);
    let task = tokio::spawn(worker.run());
    nothing.done.notified().await;
    let (took, spent) = (begin.elapsed(), busy()? - before);
    handle.drain(Drain::Wait(Duration::from_secs(10)));
    task.await?;
    Ok((RUNS as f64 / took.as_secs_f64(), spent as f64 / RUNS as f64, nothing.begun.load(Ordering::Relaxed)))
}

fn main() -> Result<ExitCode, Failure> {
    if let Some(code) = branchline_supervisor::main_if_asked() {
        return Ok(code);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    if let Some(slots) = std::env::args().nth(1) {
        // Alone, as under `perf stat -e task-clock`, which counts every process that comes of it.
        let (rate, ..) = runtime.block_on(worker(slots.parse()?))?;
        println!("{slots} slots: {rate:.0} runs/s");
        return Ok(ExitCode::SUCCESS);
    }
    let [fork, exec] = starts()?;
    println!("a start by the spawner (fork): {fork:.0} µs; by exec of this program: {exec:.0} µs");
    for _ in 0..3 {
        let base = xargs()?;
        println!("xargs -P 2: {base:.0}/s");
        for slots in [2, 4, 8] {
            let (rate, spent, begun) = runtime.block_on(worker(slots))?;
            let share = 100.0 * rate / base;
            println!(
                "{slots} slots: {rate:.0} runs/s, {share:.0} % of xargs, {spent:.2} CPU-ms a run, {begun} told as begun"
            );
        }
    }
    Ok(ExitCode::SUCCESS)
}
