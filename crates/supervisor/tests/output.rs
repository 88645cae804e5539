//! What the steps print is in the log: byte for byte, in order, with times.

mod support;

use std::fs;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use branchline_model::AttemptEnd;
use branchline_supervisor::{Follower, NOTE_MARK};
use support::{SmallDisk, TestAttempt, definition, random_bytes, step, times, until_true};

#[test]
fn a_mebibyte_of_random_bytes_is_kept_exactly() {
    let bytes = random_bytes(1 << 20);
    let attempt = TestAttempt::filled(&definition(vec![step("cat bytes")]));
    fs::write(attempt.file("bytes"), &bytes).unwrap();
    attempt.start();
    assert_eq!(attempt.end(), AttemptEnd::Passed);
    assert!(attempt.printed() == bytes);
}

#[test]
fn colours_and_invalid_text_are_kept() {
    let attempt =
        TestAttempt::started(&definition(vec![step(r"printf '\033[31mred\033[0m\r\377\376 \0 end'")]));
    assert_eq!(attempt.end(), AttemptEnd::Passed);
    assert_eq!(attempt.printed(), b"\x1b[31mred\x1b[0m\r\xff\xfe \0 end");
}

#[test]
fn stdout_and_stderr_are_in_the_order_they_came() {
    let attempt = TestAttempt::started(&definition(vec![step(
        "i=0; while [ $i -lt 2000 ]; do echo out $i; echo err $i >&2; i=$((i+1)); done",
    )]));
    assert_eq!(attempt.end(), AttemptEnd::Passed);
    let wanted: String = (0..2000).map(|i| format!("out {i}\nerr {i}\n")).collect();
    assert!(attempt.text() == wanted);
}

#[test]
fn a_log_begins_with_what_would_do_the_same() {
    let attempt = TestAttempt::started(&definition(vec![step("echo hello")]));
    assert_eq!(attempt.end(), AttemptEnd::Passed);
    let log = String::from_utf8(attempt.whole_log()).unwrap();
    let lines: Vec<&str> = log.lines().collect();
    let (preface, output) = lines.split_at(lines.len() - 1);
    assert_eq!(output, ["hello"]);
    assert!((1..=8).contains(&preface.len()), "{log}");
    assert!(preface.iter().all(|line| line.starts_with(NOTE_MARK)), "{log}");
    for word in ["app-1f3c9a2e04/12/3", "attempt 1", "github.com/acme/app", "branchline run ci/test"] {
        assert!(preface.iter().any(|line| line.contains(word)), "{word}: {log}");
    }
}

#[test]
fn each_line_has_the_time_at_which_it_came() {
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64;
    let attempt = TestAttempt::started(&definition(vec![step(
        "echo first; until [ -e go ]; do sleep 0.01; done; printf 'sec'; printf 'ond\\n'; echo third",
    )]));
    until_true("the first line is there", || attempt.text() == "first\n");
    let between = now();
    // The next millisecond at the earliest.
    until_true("the clock went on", || now() > between);
    fs::write(attempt.file("go"), "").unwrap();
    assert_eq!(attempt.end(), AttemptEnd::Passed);

    let begin = attempt.observed().steps[0].log_offset;
    let times = times(&attempt);
    let time_of = |offset: u64| times.iter().rfind(|time| time.offset <= offset).unwrap().at.0;
    assert_eq!(times[0].offset, 0);
    assert!(times.iter().any(|time| time.offset == begin), "{times:?}");
    assert!(time_of(begin) <= between, "{times:?} {between}");
    assert!(time_of(begin + 6) > between, "{times:?} {between}");
    assert!(time_of(begin + 13) >= time_of(begin + 6));
}

#[test]
fn a_follower_gets_every_byte_and_time_once_wherever_it_begins() {
    let attempt = TestAttempt::started(&definition(vec![step(
        "seq 1 3000; sleep 0.01; seq 1 3000; sleep 0.01; seq 5",
    )]));
    assert_eq!(attempt.end(), AttemptEnd::Passed);
    let (log, all_times) = (attempt.whole_log(), times(&attempt));
    assert!(all_times.len() >= 3, "{all_times:?}");
    for start in [0, 1, 77, log.len() / 2, log.len() - 1, log.len()] {
        let mut follower = Follower::open(&attempt.directory, start as u64).unwrap();
        let (mut bytes, mut times) = (Vec::new(), Vec::new());
        loop {
            let piece = follower.read_log(1000).unwrap();
            assert_eq!(piece.offset, (start + bytes.len()) as u64);
            if piece.bytes.is_empty() {
                break;
            }
            bytes.extend(piece.bytes);
            times.extend(piece.times);
        }
        assert!(bytes == log[start..]);
        let wanted: Vec<_> = all_times.iter().copied().filter(|time| time.offset >= start as u64).collect();
        assert_eq!(times, wanted);
    }
}

#[test]
fn two_hundred_megabytes_cost_little_memory() {
    let attempt = TestAttempt::filled(&definition(vec![step(
        "yes 'a short line' | head -c 200000000; echo done > printed; until [ -e go ]; do sleep 0.01; done",
    )]));
    let supervisor = attempt.start();
    attempt.line_in("printed");
    until_true("all of it is in the log", || attempt.printed().len() == 200_000_000);
    let status = fs::read_to_string(format!("/proc/{supervisor}/status")).unwrap();
    let most: u64 = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|rest| rest.split_whitespace().next())
        .unwrap()
        .parse()
        .unwrap();
    assert!(most < 16 * 1024, "{most} KiB");
    let times = fs::metadata(attempt.directory.path().join("times")).unwrap().len();
    assert!(times <= 16 * (200_000_000 / 4096), "{times} bytes of times");
    fs::write(attempt.file("go"), "").unwrap();
    assert_eq!(attempt.end(), AttemptEnd::Passed);
}

#[test]
#[ignore = "needs to mount a file system: run as root"]
fn a_log_that_fills_the_disk_ends_the_attempt_and_says_so() {
    let disk = SmallDisk::of_one_mebibyte();
    let root = tempfile::tempdir_in(disk.path()).unwrap();
    let attempt =
        TestAttempt::filled_in(root, &definition(vec![step("yes; sleep 1000"), step("echo never")]));
    attempt.start();
    let ended = attempt.ended();
    let AttemptEnd::StartFailed { why } = &ended.end else { panic!("{ended:?}") };
    assert!(why.contains("No space left on device"), "{why}");
    assert!(why.contains(&attempt.directory.path().display().to_string()), "{why}");
    assert_eq!(ended.log_length, attempt.whole_log().len() as u64);
    assert_eq!(attempt.observed().steps.len(), 1);
    assert_eq!(attempt.processes(), [0; 0]);
    let printed = attempt.printed();
    assert!(printed.len() > 100_000, "{}", printed.len());
    assert!(printed.chunks(2).all(|line| line == b"y\n" || line == b"y"), "there is no gap in it");
    drop(attempt);
    drop(disk);
}

#[test]
fn a_log_that_cannot_be_written_at_all_ends_the_attempt_too() {
    // /dev/full refuses every byte as a full disk does, and is there without a mount.
    let attempt = TestAttempt::filled(&definition(vec![step("echo lost; sleep 1000"), step("echo never")]));
    let log = attempt.directory.path().join("log");
    fs::remove_file(&log).unwrap();
    std::os::unix::fs::symlink("/dev/full", &log).unwrap();
    attempt.start();
    let AttemptEnd::StartFailed { why } = attempt.end() else { panic!("{:?}", attempt.end()) };
    assert!(why.contains("No space left on device"), "{why}");
    assert_eq!(attempt.observed().steps.len(), 1);
    assert_eq!(attempt.processes(), [0; 0]);
}

#[test]
fn a_quiet_step_leaves_its_log_to_others_at_once() {
    // What was printed before a long silence is there during it.
    let attempt = TestAttempt::started(&definition(vec![step(
        "printf 'no newline'; until [ -e go ]; do sleep 0.01; done",
    )]));
    until_true("it is there", || attempt.printed() == b"no newline");
    fs::write(attempt.file("go"), "").unwrap();
    assert_eq!(attempt.end(), AttemptEnd::Passed);
    assert!(Duration::ZERO <= attempt.ended().at.since(attempt.observed().began_at.unwrap()));
}
