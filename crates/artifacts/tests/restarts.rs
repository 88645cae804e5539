//! What the next process makes of the files that the last one left: whole, torn, or not there.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use branchline_artifacts::FolderArtifacts;
use branchline_model::{AttemptId, LineTime, Timestamp};
use branchline_ports::{ArtifactError, Artifacts, LineStart, LogLength, Place};
use branchline_testkit::conformance::carry_out;

fn attempt() -> AttemptId {
    "app-1/12/3/1".parse().unwrap()
}

fn time(offset: u64, millis: i64) -> LineTime {
    LineTime { offset, at: Timestamp(millis) }
}

fn file(folder: &Path, name: &str) -> PathBuf {
    folder.join("logs/app-1/12").join(name)
}

/// A process that appends three lines and is gone; answers the folder it worked with.
async fn left(closed: bool) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let artifacts = FolderArtifacts::open(folder.path()).unwrap();
    let times = [time(0, 100), time(4, 200), time(8, 300)];
    artifacts.append_log(&attempt(), 0, b"one\ntwo\nten\n", &times).await.unwrap();
    if closed {
        artifacts.close_log(&attempt()).await.unwrap();
    }
    folder
}

fn add(path: &Path, bytes: &[u8]) {
    OpenOptions::new().append(true).open(path).unwrap().write_all(bytes).unwrap();
}

#[test]
fn a_closed_log_is_a_plain_file_and_stays_closed() {
    carry_out(async {
        let folder = left(true).await;
        assert_eq!(std::fs::read(file(folder.path(), "3.1.log")).unwrap(), b"one\ntwo\nten\n");
        assert!(!file(folder.path(), "3.1.log.open").exists());
        let artifacts = FolderArtifacts::open(folder.path()).unwrap();
        let late = artifacts.append_log(&attempt(), 12, b"late", &[]).await;
        assert_eq!(late, Err(ArtifactError::Closed { attempt: attempt() }));
        let log = LogLength { bytes: 12, closed: true };
        assert_eq!(artifacts.close_log(&attempt()).await, Ok(log));
        assert_eq!(artifacts.log_length(&attempt()).await, Ok(log));
        let part = artifacts.read_log(&attempt(), 5, 100).await.unwrap();
        assert_eq!((part.bytes, part.times), (b"wo\nten\n".to_vec(), vec![time(4, 200), time(8, 300)]));
    });
}

#[test]
fn an_open_log_goes_on_where_it_was() {
    carry_out(async {
        let folder = left(false).await;
        let artifacts = FolderArtifacts::open(folder.path()).unwrap();
        let again =
            artifacts.append_log(&attempt(), 4, b"two\nten\nsix\n", &[time(8, 300), time(12, 400)]).await;
        assert_eq!(again, Ok(16));
        let part = artifacts.read_log(&attempt(), 0, 100).await.unwrap();
        assert_eq!(part.bytes, b"one\ntwo\nten\nsix\n");
        assert_eq!(part.times, [time(0, 100), time(4, 200), time(8, 300), time(12, 400)]);
    });
}

#[test]
fn what_a_killed_process_left_of_an_append_is_a_beginning_that_is_passed_over() {
    carry_out(async {
        let folder = left(false).await;
        add(&file(folder.path(), "3.1.log.open"), b"si");
        let artifacts = FolderArtifacts::open(folder.path()).unwrap();
        assert_eq!(artifacts.log_length(&attempt()).await.unwrap().bytes, 14);
        assert_eq!(artifacts.append_log(&attempt(), 12, b"six\n", &[time(12, 400)]).await, Ok(16));
        let part = artifacts.read_log(&attempt(), 12, 100).await.unwrap();
        assert_eq!((part.bytes, part.times), (b"six\n".to_vec(), vec![time(12, 400)]));
    });
}

#[test]
fn times_that_are_torn_garbled_or_gone_are_missing_and_bytes_are_not() {
    type Damage = fn(&Path);
    let damages: [(&str, Damage, usize); 4] = [
        ("torn", |path| add(path, b"12345"), 3),
        (
            "cut in an entry",
            |path| OpenOptions::new().write(true).open(path).unwrap().set_len(40).unwrap(),
            2,
        ),
        ("zeros", |path| std::fs::write(path, [0; 160]).unwrap(), 1),
        ("gone", |path| std::fs::remove_file(path).unwrap(), 0),
    ];
    for (damage, harm, kept) in damages {
        for closed in [true, false] {
            carry_out(async {
                let folder = left(closed).await;
                harm(&file(folder.path(), "3.1.times"));
                let artifacts = FolderArtifacts::open(folder.path()).unwrap();
                let part = artifacts.read_log(&attempt(), 0, 100).await.unwrap();
                assert_eq!(part.bytes, b"one\ntwo\nten\n", "{damage}");
                assert_eq!(part.times.len(), kept, "{damage}");
                if closed {
                    return;
                }
                artifacts.append_log(&attempt(), 12, b"six\n", &[time(12, 400)]).await.unwrap();
                let part = artifacts.read_log(&attempt(), 0, 100).await.unwrap();
                assert_eq!(part.bytes, b"one\ntwo\nten\nsix\n", "{damage}");
                assert_eq!(part.times.last(), Some(&time(12, 400)), "{damage}");
            });
        }
    }
}

#[test]
fn an_index_of_lines_that_is_torn_garbled_or_gone_is_made_up_for() {
    type Damage = fn(&Path);
    let damages: [Damage; 5] = [
        |_| {},
        |path| add(path, b"12345"),
        |path| OpenOptions::new().write(true).open(path).unwrap().set_len(40).unwrap(),
        |path| std::fs::write(path, [0; 160]).unwrap(),
        |path| std::fs::remove_file(path).unwrap(),
    ];
    for (which, harm) in damages.into_iter().enumerate() {
        for closed in [true, false] {
            carry_out(async {
                let folder = tempfile::tempdir().unwrap();
                let artifacts = FolderArtifacts::open(folder.path()).unwrap();
                let text = b"0123456789\n".repeat(70_000);
                artifacts.append_log(&attempt(), 0, &text, &[]).await.unwrap();
                if closed {
                    artifacts.close_log(&attempt()).await.unwrap();
                }
                harm(&file(folder.path(), "3.1.lines"));
                let artifacts = FolderArtifacts::open(folder.path()).unwrap();
                if !closed {
                    artifacts.append_log(&attempt(), 770_000, &text, &[]).await.unwrap();
                }
                for number in [1, 6_000, 12_345, 70_000, 70_001, 139_999] {
                    let number = if closed { number.min(70_001) } else { number };
                    let found = artifacts.find_line(&attempt(), Place::Line(number)).await.unwrap();
                    let expected = LineStart { number, offset: (number - 1) * 11 };
                    assert_eq!(found, expected, "damage {which}, closed: {closed}");
                }
            });
        }
    }
}

#[test]
fn only_the_owner_may_read_logs() {
    use std::os::unix::fs::PermissionsExt;
    carry_out(async {
        let folder = left(true).await;
        for (name, mode) in [("3.1.log", 0o600), ("3.1.times", 0o600), ("", 0o700)] {
            let path = file(folder.path(), name);
            assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, mode, "{}", path.display());
        }
    });
}

#[test]
fn more_logs_than_are_kept_open_are_written_at_once() {
    carry_out(async {
        let folder = tempfile::tempdir().unwrap();
        let artifacts = FolderArtifacts::open(folder.path()).unwrap();
        let attempts: Vec<AttemptId> =
            (1..=700).map(|run| format!("app-1/12/{run}/1").parse().unwrap()).collect();
        for round in 0..3_u64 {
            for attempt in &attempts {
                let times = [time(round * 4, 1)];
                artifacts.append_log(attempt, round * 4, b"abc\n", &times).await.unwrap();
            }
        }
        let open = std::fs::read_dir("/proc/self/fd").unwrap().count();
        assert!(open < 256 * 2 + 64, "{open} files are open");
        for attempt in &attempts {
            let part = artifacts.read_log(attempt, 0, 100).await.unwrap();
            assert_eq!((part.bytes.len(), part.times.len()), (12, 3));
        }
    });
}

#[test]
fn what_stands_in_the_way_is_named() {
    carry_out(async {
        let folder = tempfile::tempdir().unwrap();
        let artifacts = FolderArtifacts::open(folder.path()).unwrap();
        let way = folder.path().join("logs/app-1");
        std::fs::write(&way, "no folder").unwrap();
        let error = artifacts.append_log(&attempt(), 0, b"one", &[]).await.unwrap_err();
        assert!(matches!(error, ArtifactError::Unavailable { .. }));
        assert!(error.to_string().contains(way.to_str().unwrap()), "{error}");
        std::fs::remove_file(&way).unwrap();
        artifacts.append_log(&attempt(), 0, b"one", &[]).await.unwrap();

        let occupied = FolderArtifacts::open(file(folder.path(), "3.1.log.open")).unwrap_err().to_string();
        assert!(occupied.contains("3.1.log.open") && occupied.contains("cannot be used"), "{occupied}");
    });
}
