//! `branchline run`: the working tree's jobs here and now, with the same core, worker and supervisor, and no server.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use branchline_artifacts::FolderArtifacts;
use branchline_controller::{Controller, LocalStart, Ports, check};
use branchline_core::intent::SpecFile;
use branchline_model::{Actor, BuildId, BuildStatus, PoolName, RepositoryName, WorkerId};
use branchline_ports::{Clock, Ring};
use branchline_store::MemoryStore;
use branchline_worker::{Drain, HEARTBEAT, Worker, WorkerConfig, WorkerHandle, Workspace};
use tokio::sync::broadcast;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::cli;
use crate::embedded::{EmbeddedBell, Loops, Signals, SystemClock, WorkingTree};
use crate::show::{LogFollower, Narrator, Paint, Printed, words};

/// How often to look where no ring says to.
const LOOK: Duration = Duration::from_millis(250);

/// Runs a pipeline, or one job of it; the exit code is the build's.
pub async fn run(arguments: &cli::Run) -> anyhow::Result<ExitCode> {
    let here = std::env::current_dir().context("the current folder cannot be read")?;
    let tree = WorkingTree::around(&here)?;
    let files = check(&tree.pipeline_files()?);
    let (pipeline, job) = match &arguments.what {
        Some(what) => match what.split_once('/') {
            Some((pipeline, job)) => (Some(pipeline), Some(job)),
            None => (Some(what.as_str()), None),
        },
        None => (None, None),
    };
    let mut file = match choose(files, pipeline, tree.root()) {
        Ok(file) => file,
        Err(error) => {
            crate::say(&format!("error: {error}"));
            return Ok(ExitCode::from(2));
        }
    };
    match &mut file.spec {
        Err(problems) => {
            for problem in problems {
                crate::say(problem.rendered.trim_end());
                crate::say("");
            }
            return Ok(ExitCode::from(2));
        }
        Ok(pipeline) => {
            // Whoever runs it here wants it, whatever its file says of events.
            pipeline.on.manual = true;
            if let Some(job) = job {
                let known: Vec<String> =
                    pipeline.jobs.iter().map(|job| job.name.as_str().to_owned()).collect();
                let known: Vec<&str> = known.iter().map(String::as_str).collect();
                pipeline.jobs.retain(|known| known.name.as_str() == job);
                if let [only] = pipeline.jobs.as_mut_slice() {
                    only.needs.clear();
                } else {
                    crate::say(&format!("error: {}", words::no_such_job(file.name.as_str(), job, &known)));
                    return Ok(ExitCode::from(2));
                }
            }
        }
    }
    let slots = usize::from(arguments.slots.unwrap_or_else(crate::processors));
    let mut signals = Signals::listen()?;
    let local = Local::start(&tree, slots).await?;
    let outcome = local.carry_out(&tree, file, &arguments.inputs, &mut signals).await;
    let ended = local.end().await;
    let code = outcome?;
    ended?;
    Ok(code)
}

/// The file that is meant, out of those that there are.
fn choose(files: Vec<SpecFile>, wanted: Option<&str>, root: &Path) -> anyhow::Result<SpecFile> {
    let names: Vec<String> = files.iter().map(|file| file.name.to_string()).collect();
    match (wanted, files.len()) {
        (_, 0) => bail!(
            "there is no pipeline in `{}`: write one, as .branchline/ci.yaml",
            root.join(".branchline").display()
        ),
        (Some(wanted), _) => files
            .into_iter()
            .find(|file| file.name.as_str() == wanted)
            .with_context(|| format!("there is no pipeline `{wanted}`; there are {}", names.join(", "))),
        (None, 1) => files.into_iter().next().context("there is no pipeline"),
        (None, _) => bail!("which pipeline? There are {}; say `branchline run NAME`", names.join(", ")),
    }
}

/// A controller for one build, in memory and a temporary folder.
struct Local {
    folder: tempfile::TempDir,
    controller: Controller,
    bell: EmbeddedBell,
    worker: WorkerHandle,
    task: JoinHandle<()>,
    loops: Loops,
}

impl Local {
    async fn start(tree: &WorkingTree, slots: usize) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("branchline-run-")
            .tempdir()
            .context("no temporary folder can be made")?;
        let bell = EmbeddedBell::new();
        let config = WorkerConfig {
            id: WorkerId::new("here"),
            pools: vec![PoolName::new(branchline_core::pools::DEFAULT_POOL)],
            tags: std::collections::BTreeSet::new(),
            slots,
            root: folder.path().join("attempts"),
            workspace: Workspace::InPlace(tree.root().to_owned()),
            heartbeat: HEARTBEAT,
        };
        let worker = WorkerHandle::new(&config);
        let controller = Controller::new(Ports {
            store: Arc::new(MemoryStore::default()),
            artifacts: Arc::new(FolderArtifacts::open(folder.path().join("artifacts"))?),
            checkout: Arc::new(tree.clone()),
            launcher: Arc::new(worker.clone()),
            bell: Arc::new(bell.clone()),
            clock: Arc::new(SystemClock),
            page_address: None,
        });
        let executor =
            Worker::new(config, worker.clone(), Arc::new(controller.clone()), Arc::new(tree.clone()))?;
        let loops = Loops::start(&controller, &bell, &worker);
        let task = tokio::spawn(executor.run());
        Ok(Self { folder, controller, bell, worker, task, loops })
    }

    /// Starts the build and waits for its end; a first signal cancels it, a second one gives up.
    async fn carry_out(
        &self,
        tree: &WorkingTree,
        file: SpecFile,
        inputs: &[(String, String)],
        signals: &mut Signals,
    ) -> anyhow::Result<ExitCode> {
        let rings = self.bell.rings().subscribe();
        let root = tree.root().to_string_lossy().into_owned();
        let repository = self.controller.add_repository(&RepositoryName::new(root.clone()), &root).await?;
        let head = tree.head();
        let builds = self
            .controller
            .start_local(LocalStart {
                repository,
                pipeline: file.name.clone(),
                ref_name: head.ref_name,
                commit: head.commit,
                info: head.info,
                files: vec![file],
                actor: Actor::new(words::YOU),
                inputs: inputs.iter().cloned().collect(),
            })
            .await?;
        let build = builds.into_iter().next().context("the pipeline made no build")?;
        self.worker.wake();
        // Whoever reads what is printed may be slow, or have stopped: that must not keep a signal waiting.
        let mut printing = tokio::spawn(print(self.controller.clone(), rings, build.clone()));
        let mut interrupted = false;
        loop {
            tokio::select! {
                printed = &mut printing => {
                    let status = printed.context("printing died")??;
                    return Ok(exit_code(status, interrupted));
                }
                () = signals.next() => {
                    if interrupted {
                        printing.abort();
                        return Ok(ExitCode::from(130));
                    }
                    interrupted = true;
                    crate::say(words::CANCELLING);
                    if let Err(error) = self.controller.cancel_build(&build, &Actor::new(words::YOU)).await {
                        tracing::debug!(%error, "nothing to cancel");
                    }
                }
            }
        }
    }

    async fn end(self) -> anyhow::Result<()> {
        self.worker.drain(Drain::Stop);
        self.task.await.context("the worker died")?;
        self.loops.end().await;
        self.folder.close().context("the temporary folder cannot be removed")
    }
}

/// Prints logs and changes until the build has ended and all is printed; answers how it ended.
async fn print(
    controller: Controller,
    mut rings: broadcast::Receiver<Ring>,
    build: BuildId,
) -> anyhow::Result<BuildStatus> {
    let mut narrator = Narrator::new(Paint::stderr(), true);
    let mut follower = None;
    loop {
        let view = controller.build(&build).await?.context("the build is gone")?;
        let follower = follower.get_or_insert_with(|| LogFollower::new(&view));
        let printed = follower.print(&controller, &view, &mut std::io::stdout()).await?;
        if !follower.is_within_a_line() {
            narrator.tell(&controller, &build, SystemClock.now(), &mut std::io::stderr()).await?;
        }
        match printed {
            Printed::Whole if view.build.state.has_ended() => return Ok(view.build.state.status()),
            Printed::Part => {}
            Printed::Whole | Printed::SoFar => {
                // A ring makes it quick; without one it looks again all the same.
                drop(timeout(LOOK, rings.recv()).await);
                // What has come meanwhile is looked at in one go.
                while rings.try_recv().is_ok() {}
            }
        }
    }
}

fn exit_code(status: BuildStatus, interrupted: bool) -> ExitCode {
    match status {
        BuildStatus::Passed | BuildStatus::Skipped => ExitCode::SUCCESS,
        _ if interrupted => ExitCode::from(130),
        _ => ExitCode::FAILURE,
    }
}
