//! A disk that is full: appends are refused with the reason, what was acknowledged stays readable, and the log goes on
//! where it was once there is room. On a real file system of a few megabytes, and under a limit of a file's size.
//!
//! Both are a process's own, so the test's program is started once more to carry out [`fills_the_disk`].

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::path::PathBuf;
use std::process::Command;

use branchline_artifacts::FolderArtifacts;
use branchline_model::{AttemptId, LineTime, Timestamp};
use branchline_ports::{ArtifactError, Artifacts, LogLength};
use branchline_testkit::conformance::carry_out;

/// What the process is told: the folder to fill, the words that its error must hold, and how room is made, in sh.
const FOLDER: &str = "BRANCHLINE_TEST_FULL_FOLDER";
const WORDS: &str = "BRANCHLINE_TEST_FULL_WORDS";
const ROOM: &str = "BRANCHLINE_TEST_FULL_ROOM";

/// Not a divisor of any block's size, so that the last append finds room for a part.
const PART: usize = 50_021;

fn part(offset: u64) -> Vec<u8> {
    (offset..).take(PART).map(|at| (at % 251) as u8).collect()
}

async fn append(artifacts: &FolderArtifacts, attempt: &AttemptId, offset: u64) -> Result<u64, ArtifactError> {
    let times = [LineTime { offset, at: Timestamp(1) }];
    artifacts.append_log(attempt, offset, &part(offset), &times).await
}

async fn assert_holds(artifacts: &FolderArtifacts, attempt: &AttemptId, bytes: u64, closed: bool) {
    let read = artifacts.read_log(attempt, 0, usize::MAX).await.unwrap();
    assert_eq!(read.log, LogLength { bytes, closed });
    assert!((0..).zip(&read.bytes).all(|(at, byte)| *byte == (at % 251) as u8));
    assert_eq!(read.bytes.len() as u64, bytes);
    assert_eq!(read.times.len() as u64, bytes / PART as u64);
}

#[test]
#[ignore = "carried out by the tests of this file, in a process for which a disk is full soon"]
fn fills_the_disk() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let (folder, words, room) =
        (PathBuf::from(folder), std::env::var(WORDS).unwrap(), std::env::var(ROOM).unwrap());
    let attempt: AttemptId = "app-1/1/1/1".parse().unwrap();
    let file = folder.join("logs/app-1/1/1.1.log.open");
    carry_out(async {
        let artifacts = FolderArtifacts::open(&folder).unwrap();
        let (mut stored, mut refused) = (0, 0);
        while refused < 10 {
            assert!(stored < 16 << 20, "after {stored} bytes there was still room");
            match append(&artifacts, &attempt, stored).await {
                Ok(length) => stored = length,
                Err(ArtifactError::Unavailable { why, .. }) => {
                    assert!(why.contains(file.to_str().unwrap()) && why.contains(&words), "{why}");
                    refused += 1;
                }
                Err(other) => unreachable!("{other}"),
            }
            assert_eq!(file.metadata().unwrap().len(), stored, "what a failed append left is cut off");
        }
        assert!(stored > 1 << 20, "only {stored} bytes found room");
        assert_holds(&artifacts, &attempt, stored, false).await;
        assert_holds(&FolderArtifacts::open(&folder).unwrap(), &attempt, stored, false).await;
        assert!(Command::new("sh").args(["-c", &room]).status().unwrap().success());
        for _ in 0..10 {
            stored = append(&artifacts, &attempt, stored).await.unwrap();
        }
        artifacts.close_log(&attempt).await.unwrap();
        assert_holds(&artifacts, &attempt, stored, true).await;
    });
}

/// Starts this program once more, from a sh that first does what `limit` says.
fn carry_out_under(wrapper: &[&str], limit: &str, words: &str, room: &str) {
    let folder = tempfile::tempdir().unwrap();
    let script = format!("{limit} && exec \"$@\"");
    let program = std::env::current_exe().unwrap();
    let status = Command::new(wrapper[0])
        .args(&wrapper[1..])
        .args(["sh", "-c", &script, "sh"])
        .arg(program)
        .args(["--exact", "fills_the_disk", "--ignored", "--nocapture"])
        .env(FOLDER, folder.path())
        .env(WORDS, words)
        .env(ROOM, room)
        .status()
        .unwrap();
    assert!(status.success(), "{status}: what went wrong is said above");
}

#[test]
fn at_a_limit_of_a_files_size_appends_are_refused_until_it_is_lifted() {
    // 4 MiB; the signal that comes with it is ignored, so that the write fails.
    let limit = "trap '' XFSZ && ulimit -S -f 8192";
    carry_out_under(&["env"], limit, "File too large", "prlimit --pid $PPID --fsize=unlimited");
}

#[test]
#[ignore = "needs to mount a file system: run as root"]
fn on_a_full_disk_appends_are_refused_until_there_is_room() {
    // A file system of the process's own, which is gone with it.
    let wrapper = ["unshare", "--map-root-user", "--mount"];
    let limit = format!(
        "mount -t tmpfs -o size=8m none \"${FOLDER}\" && head -c 4194304 /dev/zero > \"${FOLDER}/ballast\""
    );
    carry_out_under(&wrapper, &limit, "make room on its disk", &format!("rm \"${FOLDER}/ballast\""));
}
