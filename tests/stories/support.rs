//! The verbs of the stories.

use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// So long is anything waited for.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The binary.
pub fn branchline() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_branchline"));
    command.stdin(Stdio::null());
    for variable in
        ["BRANCHLINE_SERVER", "BRANCHLINE_TOKEN", "BRANCHLINE_DATA", "BRANCHLINE_LOG", "BRANCHLINE_LISTEN"]
    {
        command.env_remove(variable);
    }
    command.env("NO_COLOR", "1");
    command
}

/// Waits until something is so, and answers it.
pub fn until<T>(what: &str, is_so: impl FnMut() -> Option<T>) -> T {
    until_within(PATIENCE, what, is_so)
}

/// The same for what takes longer than anything else does.
pub fn until_within<T>(patience: Duration, what: &str, mut is_so: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = is_so() {
            return found;
        }
        assert!(began.elapsed() < patience, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A repository made with the `git` command.
pub struct Repository {
    folder: tempfile::TempDir,
}

impl Repository {
    /// An empty one.
    pub fn empty() -> Self {
        let repository = Self { folder: tempfile::tempdir().unwrap() };
        repository.git(&["init", "--quiet", "--initial-branch=main"]);
        repository
    }

    /// One whose first commit holds these pipelines.
    pub fn with(pipelines: &[(&str, &str)]) -> Self {
        let repository = Self::empty();
        for (name, text) in pipelines {
            repository.write(&format!(".branchline/{name}.yaml"), text);
        }
        repository.commit("First");
        repository
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        let path = self.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub fn git(&self, arguments: &[&str]) -> String {
        git(self.path(), arguments)
    }

    /// Commits everything; answers the commit's id.
    pub fn commit(&self, message: &str) -> String {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message", message]);
        self.git(&["rev-parse", "HEAD"])
    }

    /// Takes the folder out of the way, and puts it back.
    pub fn vanish(&self) -> PathBuf {
        let elsewhere = self.path().with_extension("gone");
        std::fs::rename(self.path(), &elsewhere).unwrap();
        elsewhere
    }
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

/// What a command came to.
pub struct Said {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

pub fn said(output: &Output) -> Said {
    Said {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// A data folder, and the controllers that use it one after the other.
pub struct Controller {
    data: tempfile::TempDir,
    elsewhere: Option<PathBuf>,
    child: Option<Child>,
    arguments: Vec<String>,
}

impl Controller {
    /// A controller that watches these, not started yet.
    pub fn of(repositories: &[&Path]) -> Self {
        let mut arguments = vec!["--listen".to_owned(), "127.0.0.1:0".to_owned()];
        arguments.extend(repositories.iter().map(|path| path.to_str().unwrap().to_owned()));
        Self { data: tempfile::tempdir().unwrap(), elsewhere: None, child: None, arguments }
    }

    /// With one more argument.
    pub fn with(mut self, arguments: &[&str]) -> Self {
        self.arguments.splice(0..0, arguments.iter().map(|argument| (*argument).to_owned()));
        self
    }

    /// With its data elsewhere.
    pub fn with_data(mut self, folder: PathBuf) -> Self {
        self.elsewhere = Some(folder);
        self
    }

    pub fn data(&self) -> PathBuf {
        self.elsewhere.clone().unwrap_or_else(|| self.data.path().join("data"))
    }

    pub fn start(mut self) -> Self {
        self.restart();
        self
    }

    /// Starts `up` and waits until it serves.
    pub fn restart(&mut self) {
        assert!(self.child.is_none(), "it runs already");
        drop(std::fs::remove_file(self.data().join("address")));
        let log =
            std::fs::File::options().create(true).append(true).open(self.data.path().join("up.log")).unwrap();
        let child = branchline()
            .arg("up")
            .args(&self.arguments)
            .arg("--data")
            .arg(self.data())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        self.child = Some(child);
        until("the controller serves", || {
            assert!(self.runs(), "it ended at once:\n{}", self.log());
            self.data().join("address").exists().then_some(())
        });
    }

    /// What it said on standard error so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.data.path().join("up.log")).unwrap_or_default()
    }

    pub fn runs(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| child.try_wait().unwrap().is_none())
    }

    pub fn pid(&self) -> i32 {
        i32::try_from(self.child.as_ref().unwrap().id()).unwrap()
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(9));
    }

    /// SIGTERM, and waits until it has ended by itself.
    pub fn terminate(&mut self) {
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(self.pid()), nix::sys::signal::Signal::SIGTERM)
            .unwrap();
        let mut child = self.child.take().unwrap();
        let status = until("the controller ends", || child.try_wait().unwrap());
        assert!(status.success(), "{status}\n{}", self.log());
    }

    /// It has ended by itself.
    pub fn forget(&mut self) {
        let status = self.child.take().unwrap().wait().unwrap();
        assert!(status.success(), "{status}\n{}", self.log());
    }

    /// Runs a command against it.
    pub fn command(&self, arguments: &[&str]) -> Said {
        let output = branchline().args(arguments).arg("--data").arg(self.data()).output().unwrap();
        said(&output)
    }

    /// Runs a command that must succeed, and reads its JSON.
    pub fn json(&self, arguments: &[&str]) -> Value {
        let mut with_json = arguments.to_vec();
        with_json.push("--json");
        let said = self.command(&with_json);
        assert_eq!(said.code, Some(0), "{arguments:?}: {}{}", said.stdout, said.stderr);
        serde_json::from_str(&said.stdout).unwrap_or_else(|error| panic!("{error}: {}", said.stdout))
    }

    /// A build, once it is there.
    pub fn build(&self, number: u64) -> Value {
        until(&format!("build {number} is there"), || self.build_now(number))
    }

    pub fn build_now(&self, number: u64) -> Option<Value> {
        let said = self.command(&["build", &number.to_string(), "--json"]);
        (said.code == Some(0)).then(|| flat(&serde_json::from_str(&said.stdout).unwrap()))
    }

    /// A build, once it has ended.
    pub fn ended(&self, number: u64) -> Value {
        until(&format!("build {number} has ended"), || {
            self.build_now(number).filter(|build| build["ended_at"].is_string())
        })
    }

    /// `job state` of each run of a build.
    pub fn runs_of(build: &Value) -> Vec<String> {
        let runs = build["runs"].as_array().unwrap();
        runs.iter()
            .map(|run| format!("{} {}", run["job"].as_str().unwrap(), run["status"].as_str().unwrap()))
            .collect()
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            drop(child.kill());
            drop(child.wait());
        }
        // A supervisor outlives its controller by design: a test that kills one leaves none behind.
        let attempts = self.data().join("attempts");
        for attempt in std::fs::read_dir(attempts).into_iter().flatten().flatten() {
            let mut mark = std::ffi::OsString::from(branchline_supervisor::MARKER);
            mark.push("=");
            mark.push(attempt.path());
            drop(branchline_supervisor::kill_leftovers(&mark));
        }
    }
}

/// A build's own facts with its runs among them.
pub fn flat(details: &Value) -> Value {
    let mut build = details["build"].clone();
    build["runs"] = details["runs"].clone();
    build
}

/// Reads a whole pipe.
pub fn read_all(mut from: impl Read) -> String {
    let mut text = String::new();
    from.read_to_string(&mut text).unwrap();
    text
}
