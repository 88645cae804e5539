//! The pipeline files of a commit in a large repository, over `file://` and `http://`, against what git takes for the
//! same: `git clone --depth 1 --bare` and one `git show` of all the files. `cargo bench -p branchline-checkout --bench
//! resolve`; it fails where git is the quicker.
//!
//! Invariants: both sides are whole processes with nothing cached of their own, take turns, and must print the same
//! bytes; git is told the files' names for nothing. Nothing is removed while times are taken, because ext4 is slow to
//! create files for seconds after many were deleted. What the disk and a real network cost is not measured: the
//! repository's pages are in memory, and the server is on this machine.
//!
//! `BENCH_REPOSITORY` names the repository (it is borrowed from, not written to); without it one is made of the
//! sources of cargo's registry.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a benchmark tells its figures and fails loudly"
)]

#[path = "../tests/git/fixture.rs"]
#[expect(
    dead_code,
    clippy::unwrap_used,
    reason = "the tests use the rest, and a server that cannot start is no figure"
)]
mod fixture;
mod large;

use std::io::Write;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use branchline_checkout::{Cache, FolderFiles, Network, Source};
use fixture::{Manners, Server, git};
use large::Large;

/// How often each side has its turn.
const TURNS: usize = 9;
/// How many times faster than git each way must be.
const BOUND: f64 = 1.0;
/// Set in the processes that are measured: read the files named by the arguments, and nothing else.
const READER: &str = "BRANCHLINE_BENCH_READER";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if std::env::var_os(READER).is_some() {
        return read(&arguments);
    }
    // `cargo bench` says that it is one; `cargo test --all-targets` and lists of tests do not.
    if !arguments.iter().any(|argument| argument == "--bench") {
        return ExitCode::SUCCESS;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let large = match Large::at(&folder.path().join("large.git")) {
        Ok(large) => large,
        Err(why) => {
            println!("resolve: {why}");
            return ExitCode::from(2);
        }
    };
    println!("{}", large.described());
    println!("{TURNS} turns each, cold caches, both sides whole processes\n");

    let server = Server::start(folder.path(), Manners::default());
    let (file, http) = (format!("file://{}", large.path.display()), server.url("large.git"));
    let ways = [
        ("file://", &file, "false"),
        ("http://, uploadpack.allowFilter=true", &http, "true"),
        ("http://, uploadpack.allowFilter=false", &http, "false"),
    ];
    let mut all_hold = true;
    for (at, (name, url, filter)) in ways.into_iter().enumerate() {
        git(&large.path, &["config", "uploadpack.allowFilter", filter]);
        let scratch = folder.path().join(format!("way-{at}"));
        std::fs::create_dir(&scratch).expect("a folder");
        all_hold &= race(name, url, &large, &server, &scratch);
    }
    if all_hold { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What one side took.
#[derive(Default)]
struct Side {
    times: Vec<Duration>,
    /// Bytes that the server sent, of the last turn.
    sent: usize,
}

impl Side {
    fn turn(&mut self, server: &Server, expected: &str, side: impl FnOnce() -> String) {
        let sent = server.sent();
        let began = Instant::now();
        let printed = side();
        self.times.push(began.elapsed());
        self.sent = server.sent() - sent;
        assert!(printed == expected, "other bytes were read than the commit holds");
    }

    /// Milliseconds.
    fn median(&mut self) -> f64 {
        self.times.sort_unstable();
        self.times[self.times.len() / 2].as_secs_f64() * 1000.0
    }

    fn line(&mut self, who: &str) -> String {
        let median = self.median();
        let [first, .., last] = self.times.as_slice() else { return String::new() };
        let (least, most) = (first.as_secs_f64() * 1000.0, last.as_secs_f64() * 1000.0);
        let sent = self.sent / 1024;
        format!(
            "  {who:<5} median {median:>8.1} ms   from {least:>8.1} to {most:>8.1} ms   {sent:>7} KiB over http"
        )
    }
}

/// Measures one way; says whether its bound holds.
fn race(name: &str, url: &str, large: &Large, server: &Server, scratch: &Path) -> bool {
    let (mut ours, mut gits) = (Side::default(), Side::default());
    for turn in 0..=TURNS {
        let (cache, clone) = (scratch.join(format!("cache-{turn}")), scratch.join(format!("clone-{turn}")));
        ours.turn(server, &large.expected, || read_apart(url, &large.commit, &cache));
        gits.turn(server, &large.expected, || clone_and_show(url, large, &clone));
        if turn == 0 {
            // The first one warms the machine's caches, for both.
            ours.times.clear();
            gits.times.clear();
        }
    }
    println!("{name}\n{}\n{}", ours.line("ours"), gits.line("git"));
    let ratio = gits.median() / ours.median();
    let holds = ratio > BOUND;
    let word = if holds { "holds" } else { "DOES NOT HOLD" };
    println!("resolve, {name}: {ratio:.2} × faster than git: {word}\n");
    holds
}

/// Ours: this program, started again as a reader.
fn read_apart(url: &str, commit: &str, cache: &Path) -> String {
    let output = Command::new(std::env::current_exe().expect("the path of this program"))
        .args([url, commit])
        .arg(cache)
        .env(READER, "1")
        .stdin(Stdio::null())
        .output()
        .expect("a reader");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the reader failed on {url}: {errors}");
    String::from_utf8(output.stdout).expect("text").trim_end().to_owned()
}

fn clone_and_show(url: &str, large: &Large, clone: &Path) -> String {
    let into = clone.to_str().expect("a path that is text");
    git(Path::new("/"), &["clone", "--quiet", "--depth", "1", "--bare", url, into]);
    large.show(clone)
}

/// What a measured process does.
fn read(arguments: &[String]) -> ExitCode {
    let [url, commit, cache] = arguments else { return ExitCode::from(2) };
    let read = || -> Result<FolderFiles, Box<dyn std::error::Error>> {
        let cache = Cache::open(cache, Network::default())?;
        Ok(cache.files_at(&Source::parse(url)?, &commit.parse()?, None, ".branchline", &[".yaml", ".yml"])?)
    };
    let found = read().expect("the commit's files");
    let mut out = std::io::stdout().lock();
    for file in found.files {
        out.write_all(&file.content.expect("a regular file")).expect("somebody who reads");
    }
    ExitCode::SUCCESS
}
