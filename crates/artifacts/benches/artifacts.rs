//! Numbers of the logs, measured on the disk of the temporary folder (`TMPDIR`):
//! `cargo bench -p branchline-artifacts`. Closing syncs as in production.

#![expect(clippy::print_stdout, reason = "its output is what it is for")]
#![expect(clippy::unwrap_used, reason = "a measurement that cannot be made is none")]

use std::time::Instant;

use branchline_artifacts::FolderArtifacts;
use branchline_model::{AttemptId, LineTime, Timestamp};
use branchline_ports::Artifacts;

const LINE: &[u8] = b"one line of a log, of forty bytes as most\n";

fn attempt(build: usize, run: usize) -> AttemptId {
    format!("app-1f3c9a2e04/{build}/{}/1", run + 1).parse().unwrap()
}

/// Appends one line to each log and closes it; `writers` of them at the same time.
async fn tiny_logs(artifacts: &FolderArtifacts, build: usize, writers: usize) {
    const LOGS: usize = 2_000;
    let begun = Instant::now();
    let tasks: Vec<_> = (0..writers)
        .map(|writer| {
            let artifacts = artifacts.clone();
            tokio::spawn(async move {
                for run in (writer..LOGS).step_by(writers) {
                    let attempt = attempt(build, run);
                    let times = [LineTime { offset: 0, at: Timestamp(1) }];
                    artifacts.append_log(&attempt, 0, LINE, &times).await.unwrap();
                    artifacts.close_log(&attempt).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let took = begun.elapsed().as_secs_f64();
    println!(
        "tiny logs appended and closed, {writers:>2} at a time: {:>5.0}/s, {:.2} ms each",
        LOGS as f64 / took,
        took * 1e3 * writers as f64 / LOGS as f64
    );
}

async fn one_log(artifacts: &FolderArtifacts, size: usize) {
    const LENGTH: u64 = 256 << 20;
    let attempt = attempt(1_000, size);
    let bytes: Vec<u8> = LINE.iter().copied().cycle().take(size).collect();
    let begun = Instant::now();
    let (mut stored, mut appends) = (0, 0);
    while stored < LENGTH {
        let lines = (0..size as u64).step_by(LINE.len());
        let times: Vec<_> = lines.map(|line| LineTime { offset: stored + line, at: Timestamp(1) }).collect();
        stored = artifacts.append_log(&attempt, stored, &bytes, &times).await.unwrap();
        appends += 1;
    }
    let took = begun.elapsed().as_secs_f64();
    println!(
        "256 MiB in appends of {size:>6} bytes: {:.0} MiB/s, {:.1} µs an append",
        256.0 / took,
        took * 1e6 / f64::from(appends)
    );
    let begun = Instant::now();
    let mut read = 0;
    while read < LENGTH {
        read += artifacts.read_log(&attempt, read, 256 << 10).await.unwrap().bytes.len() as u64;
    }
    println!("and read in parts of 256 KiB: {:.0} MiB/s", 256.0 / begun.elapsed().as_secs_f64());
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let artifacts = FolderArtifacts::open(folder.path()).unwrap();
    runtime.block_on(async {
        for (build, writers) in [1, 2, 8, 64].into_iter().enumerate() {
            tiny_logs(&artifacts, build + 1, writers).await;
        }
        for size in [4 << 10, 64 << 10] {
            one_log(&artifacts, size).await;
        }
    });
}
