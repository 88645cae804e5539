//! A log of a gibibyte goes through append, close and seek in little memory. The work is done by a process of its own, because what a test
//! process used before says nothing.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test that cannot be set up has failed, and one that measures says what"
)]

use std::fs;
use std::process::Command;

use branchline_artifacts::FolderArtifacts;
use branchline_model::AttemptId;
use branchline_ports::{Artifacts, LineStart, LogLength, Place};
use branchline_testkit::conformance::carry_out;

/// Set for the process that does the work: how long its log is to be, in bytes.
const LENGTH: &str = "BRANCHLINE_TEST_LARGE_LOG";
/// What that process may need beyond what it had before, in KiB.
const MOST: u64 = 64 << 10;
const LINE: &[u8; 32] = b"0123456789 abcdefghi 0123456789\n";
/// So much is sent at once, as a worker sends where an append costs nothing.
const PIECE: usize = 256 << 10;

/// The most memory that this process ever had, in KiB ("VmHWM" in proc_pid_status(5)).
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Writes, closes and reads a log of this length.
async fn go_through(length: u64) {
    let folder = tempfile::tempdir().unwrap();
    let attempt: AttemptId = "app-1/1/1/1".parse().unwrap();
    let piece = LINE.repeat(PIECE / LINE.len());
    let before = peak();
    let logs = FolderArtifacts::open(folder.path()).unwrap();
    let mut stored = 0;
    while stored < length {
        stored = logs.append_log(&attempt, stored, &piece, &[]).await.unwrap();
    }
    assert_eq!(logs.close_log(&attempt).await, Ok(LogLength { bytes: length, closed: true }));
    // Another process, which remembers nothing, seeks the line before the last.
    drop(logs);
    let logs = FolderArtifacts::open(folder.path()).unwrap();
    let number = length / LINE.len() as u64;
    let found = logs.find_line(&attempt, Place::Line(number)).await;
    let line = LineStart { number, offset: length - LINE.len() as u64 };
    assert_eq!(found, Ok(line));
    let read = logs.read_log(&attempt, line.offset, 64 << 10).await.unwrap();
    assert_eq!(read.bytes, LINE);
    let grown = peak() - before;
    assert!(grown <= MOST, "{grown} KiB more than before");
    println!("{} MiB of log, {grown} KiB of memory", length >> 20);
}

fn in_a_process_of_its_own(test: &str, length: u64) {
    if let Ok(length) = std::env::var(LENGTH) {
        return carry_out(go_through(length.parse().unwrap()));
    }
    let mut worker = Command::new(std::env::current_exe().unwrap());
    worker.args([test, "--exact", "--include-ignored", "--nocapture"]).env(LENGTH, length.to_string());
    let output = worker.output().unwrap();
    let (said, complained) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && said.contains("KiB of memory"), "{said}{complained}");
    print!("{said}");
}

#[test]
fn a_log_of_a_hundred_mebibytes_goes_through_in_little_memory() {
    in_a_process_of_its_own("a_log_of_a_hundred_mebibytes_goes_through_in_little_memory", 100 << 20);
}

#[test]
#[ignore = "writes a gibibyte to disk: run it by hand, with --run-ignored all"]
fn a_log_of_a_gibibyte_goes_through_in_little_memory() {
    in_a_process_of_its_own("a_log_of_a_gibibyte_goes_through_in_little_memory", 1 << 30);
}
