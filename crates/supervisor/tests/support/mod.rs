//! Attempts with real supervisors, in temporary folders. What is dropped has ended, and leaves nothing behind.
#![expect(dead_code, reason = "each test file uses a part")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "in tests, what is not as it should be has failed")]

use std::cell::RefCell;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use branchline_model::{
    AttemptEnd, AttemptId, CommitId, Engine, JobName, LineTime, PipelineName, ReportsDefinition,
    RepositoryName, RunDefinition, StepDefinition, StepEnd, WorkerId,
};
use branchline_supervisor::{
    AttemptDirectory, Claimed, Ended, Follower, NOTE_MARK, Observed, Place, Spawner, StopOrder,
};
use tempfile::TempDir;

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_branchline-supervisor-alone");

/// How long a condition may take on a busy machine before the test has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// Looks until it is so.
#[track_caller]
pub fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "waited in vain until {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

#[track_caller]
pub fn until_true(what: &str, mut look: impl FnMut() -> bool) {
    until(what, || look().then_some(()));
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
        run: "app-1f3c9a2e04/12/3".parse().unwrap(),
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

pub fn attempt_id() -> AttemptId {
    "app-1f3c9a2e04/12/3/1".parse().unwrap()
}

/// An attempt in a folder of its own.
pub struct TestAttempt {
    pub root: TempDir,
    pub directory: AttemptDirectory,
    pub spawner: Spawner,
    /// The supervisors that were started.
    pub supervisors: RefCell<Vec<u32>>,
}

impl TestAttempt {
    /// Claimed and filled, not started.
    pub fn filled(definition: &RunDefinition) -> Self {
        Self::filled_in(tempfile::tempdir().unwrap(), definition)
    }

    pub fn filled_in(root: TempDir, definition: &RunDefinition) -> Self {
        let Claimed::Made(directory) = AttemptDirectory::claim(root.path(), &attempt_id()).unwrap() else {
            panic!("someone was there before");
        };
        let place = Place { worker: WorkerId::new("here"), in_place: None };
        directory.hold().unwrap().unwrap().fill(definition, &place).unwrap();
        Self { root, directory, spawner: Spawner::of(PROGRAM.into()), supervisors: RefCell::default() }
    }

    pub fn started(definition: &RunDefinition) -> Self {
        let attempt = Self::filled(definition);
        attempt.start();
        attempt
    }

    /// Starts a supervisor; answers with its process id.
    pub fn start(&self) -> u32 {
        let supervisor = self.spawner.start(&self.directory).unwrap();
        self.supervisors.borrow_mut().push(supervisor);
        supervisor
    }

    pub fn observed(&self) -> Observed {
        self.directory.observed().unwrap()
    }

    #[track_caller]
    pub fn ended(&self) -> Ended {
        until("it ended", || self.observed().end)
    }

    #[track_caller]
    pub fn end(&self) -> AttemptEnd {
        self.ended().end
    }

    /// How each step ended.
    pub fn step_ends(&self) -> Vec<Option<StepEnd>> {
        self.observed().steps.into_iter().map(|step| step.end).collect()
    }

    pub fn whole_log(&self) -> Vec<u8> {
        fs::read(self.directory.path().join("log")).unwrap()
    }

    /// What the steps printed: from where the first one began.
    pub fn printed(&self) -> Vec<u8> {
        let log = self.whole_log();
        let from = self.observed().steps.first().map_or(log.len(), |step| step.log_offset as usize);
        log[from..].to_vec()
    }

    /// What the steps printed, without Branchline's own lines.
    pub fn text(&self) -> String {
        let text = String::from_utf8(self.printed()).unwrap();
        text.lines().filter(|line| !line.starts_with(NOTE_MARK)).map(|line| format!("{line}\n")).collect()
    }

    /// A file in the workspace, by which a step says that it is so far, or is told to go on.
    pub fn file(&self, name: &str) -> PathBuf {
        self.directory.workspace().join(name)
    }

    /// Waits until a step has written a whole line into a file, and answers with it.
    #[track_caller]
    pub fn line_in(&self, name: &str) -> String {
        until(&format!("`{name}` has a line"), || {
            fs::read_to_string(self.file(name)).ok().filter(|text| text.ends_with('\n'))
        })
        .trim()
        .to_owned()
    }

    pub fn stop(&self, at_once: bool) {
        self.directory.order_stop(&StopOrder { stop: None, at_once }).unwrap();
    }

    /// The processes of this attempt that live, its supervisor not counted.
    pub fn processes(&self) -> Vec<i32> {
        let mut mark = std::ffi::OsString::from("BRANCHLINE_ATTEMPT_DIRECTORY=");
        mark.push(self.directory.path());
        branchline_supervisor::leftovers(&mark).unwrap()
    }
}

impl Drop for TestAttempt {
    fn drop(&mut self) {
        let _ = self.directory.order_stop(&StopOrder { stop: None, at_once: true });
        let end = Instant::now() + PATIENCE;
        // Also those that find nothing to do: they would make files in a folder that is being removed.
        let some_live = || self.supervisors.borrow().iter().any(|pid| lives(&pid.to_string()));
        while (self.directory.is_held().unwrap_or(false) || some_live()) && Instant::now() < end {
            thread::sleep(Duration::from_millis(2));
        }
    }
}

pub fn kill_hard(pid: u32) {
    use nix::sys::signal::{Signal, kill};
    kill(nix::unistd::Pid::from_raw(i32::try_from(pid).unwrap()), Signal::SIGKILL).unwrap();
}

pub fn lives(pid: &str) -> bool {
    match fs::read_to_string(format!("/proc/{pid}/stat")) {
        Ok(stat) => !stat.rsplit(')').next().unwrap_or_default().trim_start().starts_with('Z'),
        Err(_) => false,
    }
}

/// A number of bytes that no one could guess, and that hold every kind of byte.
pub fn random_bytes(length: usize) -> Vec<u8> {
    use std::io::Read;
    let mut bytes = vec![0; length];
    fs::File::open("/dev/urandom").unwrap().read_exact(&mut bytes).unwrap();
    bytes
}

/// When the lines of a log came.
pub fn times(attempt: &TestAttempt) -> Vec<LineTime> {
    Follower::open(&attempt.directory, 0).unwrap().read_log(usize::MAX).unwrap().times
}

/// A small file system in memory, for as long as this lives.
pub struct SmallDisk(TempDir);

impl SmallDisk {
    pub fn of_one_mebibyte() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"])
            .arg(folder.path())
            .output()
            .unwrap();
        assert!(mounted.status.success(), "{}", String::from_utf8_lossy(&mounted.stderr));
        Self(folder)
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}
