//! What the benchmarks share: a repository, a controller that watches it, and figures told plainly.

use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use branchline::embedded::{Data, Embedded, EmbeddedConfig};
use branchline_checkout::Source;
use branchline_worker::Drain;

/// A repository made with the `git` command.
pub struct Repository {
    folder: tempfile::TempDir,
}

impl Repository {
    /// An empty one with these pipelines in its first commit.
    pub fn new(pipelines: &[(&str, &str)]) -> Self {
        let repository = Self { folder: tempfile::tempdir().expect("a temporary folder") };
        repository.git(&["init", "--quiet", "--initial-branch=main"]);
        let folder = repository.path().join(".branchline");
        std::fs::create_dir(&folder).expect("a folder for pipelines");
        for (name, text) in pipelines {
            std::fs::write(folder.join(format!("{name}.yaml")), text).expect("a pipeline file");
        }
        repository.git(&["add", "."]);
        repository.git(&["commit", "--quiet", "--message=First"]);
        repository
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Runs git in it and answers what it printed.
    pub fn git(&self, arguments: &[&str]) -> String {
        let output = Command::new("git")
            .args(["-c", "user.name=Bench", "-c", "user.email=bench@example.org", "-c", "gc.auto=0"])
            .args(arguments)
            .current_dir(self.path())
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .stdin(Stdio::null())
            .output()
            .expect("git runs");
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }
}

/// A controller that watches a repository, with its data folder.
pub struct Served {
    /// The controller.
    pub embedded: Embedded,
    data: tempfile::TempDir,
}

impl Served {
    /// Starts to watch.
    pub async fn start(repository: &Path, slots: usize) -> Self {
        let data = tempfile::tempdir().expect("a temporary folder");
        let embedded = Embedded::start(EmbeddedConfig {
            data: Data::at(Some(data.path())).expect("a data folder"),
            listen: "127.0.0.1:0".to_owned(),
            hosts: Vec::new(),
            repositories: vec![Source::local(repository).expect("a local repository")],
            slots,
            poll: Duration::from_secs(60),
        })
        .await
        .expect("the controller starts");
        Self { embedded, data }
    }

    /// Ends it.
    pub async fn stop(self) {
        self.embedded.stop(Drain::Wait(Duration::from_secs(10))).await;
        drop(self.data);
    }
}

/// Milliseconds, sorted.
pub struct Figures(Vec<f64>);

impl Figures {
    /// Of measured times in milliseconds.
    pub fn new(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        Self(values)
    }

    /// The value below which so many of a hundred lie.
    pub fn percentile(&self, percent: usize) -> f64 {
        let last = self.0.len().saturating_sub(1);
        self.0.get((self.0.len() * percent / 100).min(last)).copied().unwrap_or(f64::NAN)
    }

    /// One line.
    pub fn line(&self, what: &str) -> String {
        format!(
            "{what:<34} median {:>8.1} ms   p90 {:>8.1} ms   p99 {:>8.1} ms   n {}",
            self.percentile(50),
            self.percentile(90),
            self.percentile(99),
            self.0.len()
        )
    }
}

/// Runs a benchmark; the same binary is its supervisors too.
pub fn run<F: Future<Output = bool>>(benchmark: impl FnOnce() -> F) -> ExitCode {
    if let Some(code) = branchline_supervisor::main_if_asked() {
        return code;
    }
    // `cargo test --benches` asks whether there are tests: there are none.
    if std::env::args().any(|argument| argument == "--list" || argument == "--test") {
        return ExitCode::SUCCESS;
    }
    branchline_checkout::install_tls();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    if runtime.block_on(benchmark()) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Says whether a figure is within its bound.
pub fn verdict(what: &str, value: f64, bound: f64, at_most: bool) -> bool {
    let holds = if at_most { value <= bound } else { value >= bound };
    let (sign, word) = (if at_most { "≤" } else { "≥" }, if holds { "holds" } else { "DOES NOT HOLD" });
    println!("{what}: {value:.2} {sign} {bound}: {word}");
    holds
}

/// The most memory this process has had, in MiB (Linux: `VmHWM`).
pub fn peak_memory() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib: f64 = line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(f64::NAN);
    kib / 1024.0
}
