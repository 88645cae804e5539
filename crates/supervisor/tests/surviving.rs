//! Killing any process at any moment: nothing is lost, and nothing is done twice.

mod support;

use std::fs;
use std::process::Command;
use std::time::Duration;

use branchline_model::{AttemptEnd, StepEnd, WorkerId};
use branchline_supervisor::{AttemptDirectory, Claimed, Place, Spawner};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use support::{PROGRAM, TestAttempt, attempt_id, definition, kill_hard, lives, step, until_true};

fn place() -> Place {
    Place { worker: WorkerId::new("here"), in_place: None }
}

const WAIT: &str =
    "echo begun >> effects; echo on > on; until [ -e go ]; do sleep 0.01; done; echo ended >> effects";

#[test]
fn an_attempt_is_claimed_once() {
    let root = tempfile::tempdir().unwrap();
    let claims: Vec<_> = std::thread::scope(|scope| {
        let claim = || AttemptDirectory::claim(root.path(), &attempt_id()).unwrap();
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(claim)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(claims.iter().filter(|claimed| matches!(claimed, Claimed::Made(_))).count(), 1);
}

#[test]
fn an_attempt_whose_maker_was_killed_is_filled_by_the_next_one() {
    let wanted = definition(vec![step("echo hello")]);
    // Killed after each of the things that filling makes: what is there stays, what is missing is made.
    for made in ["", "workspace/", "steps/", "log", "times", ".definition.json.1-1", "lock"] {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join(attempt_id().folder());
        fs::create_dir(&path).unwrap();
        match made.strip_suffix('/') {
            _ if made.is_empty() => {}
            Some(folder) => fs::create_dir(path.join(folder)).unwrap(),
            None => fs::write(path.join(made), "").unwrap(),
        }
        let Claimed::AlreadyThere(directory) = AttemptDirectory::claim(root.path(), &attempt_id()).unwrap()
        else {
            panic!("it was there");
        };
        directory.hold().unwrap().unwrap().fill(&wanted, &place()).unwrap();
        let attempt = TestAttempt {
            root,
            directory,
            spawner: Spawner::of(PROGRAM.into()),
            supervisors: Default::default(),
        };
        attempt.start();
        assert_eq!(attempt.end(), AttemptEnd::Passed, "{made}");
        assert_eq!(attempt.text(), "hello\n", "{made}");
        assert_eq!(attempt.directory.definition().unwrap(), wanted);
    }
}

#[test]
fn what_is_not_filled_is_not_begun() {
    let root = tempfile::tempdir().unwrap();
    let Claimed::Made(directory) = AttemptDirectory::claim(root.path(), &attempt_id()).unwrap() else {
        panic!()
    };
    let status = Command::new(PROGRAM).arg("supervise-attempt").arg(directory.path()).status().unwrap();
    assert_eq!(status.code(), Some(1));
    assert!(directory.errors().contains("definition.json"), "{}", directory.errors());
    assert_eq!(directory.observed().unwrap().began_at, None);
    assert!(!directory.is_held().unwrap());
}

#[test]
fn of_two_supervisors_one_runs_the_steps() {
    let attempt = TestAttempt::filled(&definition(vec![step("echo effect >> effects; sleep 0.2")]));
    let start =
        || Command::new(PROGRAM).arg("supervise-attempt").arg(attempt.directory.path()).spawn().unwrap();
    let mut codes: Vec<_> =
        [start(), start(), start(), start()].map(|mut child| child.wait().unwrap().code().unwrap()).into();
    codes.sort_unstable();
    assert_eq!(codes, [0, 3, 3, 3]);
    assert_eq!(attempt.end(), AttemptEnd::Passed);
    assert_eq!(attempt.line_in("effects"), "effect");
}

#[test]
fn an_attempt_that_ended_is_not_run_again() {
    let attempt = TestAttempt::started(&definition(vec![step("echo effect >> effects")]));
    let before = attempt.ended();
    let status =
        Command::new(PROGRAM).arg("supervise-attempt").arg(attempt.directory.path()).status().unwrap();
    assert_eq!(status.code(), Some(3));
    assert_eq!((attempt.line_in("effects").as_str(), attempt.ended()), ("effect", before));
}

#[test]
fn a_supervisor_that_was_killed_leaves_a_lost_attempt_and_no_process() {
    let attempt =
        TestAttempt::filled(&definition(vec![step("setsid sleep 1000 & echo $! > stray"), step(WAIT)]));
    let supervisor = attempt.start();
    attempt.line_in("on");
    let stray = attempt.line_in("stray");
    kill_hard(supervisor);
    until_true("nobody holds it", || !attempt.directory.is_held().unwrap());
    assert!(!attempt.processes().is_empty(), "its processes outlive it until someone looks");

    let ended = attempt.directory.hold().unwrap().unwrap().bury().unwrap().unwrap();
    let AttemptEnd::SupervisorLost { why } = &ended.end else { panic!("{ended:?}") };
    assert!(why.contains("while step 2 ran"), "{why}");
    assert!(why.contains("killed"), "{why}");
    assert_eq!(attempt.processes(), [0; 0]);
    assert!(!lives(&stray));
    assert_eq!(attempt.step_ends(), [Some(StepEnd::Exited { code: 0 }), None]);
    assert_eq!(attempt.ended(), ended);
    assert_eq!(ended.log_length, attempt.whole_log().len() as u64);
    assert!(String::from_utf8_lossy(&attempt.whole_log()).contains("the supervisor is lost"));
}

#[test]
fn no_step_is_run_again_after_a_dead_supervisor() {
    let attempt = TestAttempt::filled(&definition(vec![step(WAIT)]));
    let supervisor = attempt.start();
    attempt.line_in("on");
    kill_hard(supervisor);
    until_true("nobody holds it", || !attempt.directory.is_held().unwrap());
    attempt.start();
    assert!(matches!(attempt.end(), AttemptEnd::SupervisorLost { .. }));
    assert_eq!(attempt.processes(), [0; 0]);
    assert_eq!(attempt.line_in("effects"), "begun");
}

#[test]
fn killed_anywhere_between_start_and_end_a_supervisor_has_done_nothing_twice() {
    let wanted = definition(vec![step("echo effect >> effects")]);
    for delay in (0..3000).step_by(150) {
        let attempt = TestAttempt::filled(&wanted);
        let supervisor = attempt.start();
        // The moment of the kill is the point here: it is not waited for anything.
        std::thread::sleep(Duration::from_micros(delay));
        let _ = kill(Pid::from_raw(supervisor as i32), Signal::SIGKILL);
        until_true("nobody holds it", || !attempt.directory.is_held().unwrap());
        let begun = attempt.observed().began_at.is_some();
        if attempt.observed().end.is_none() {
            attempt.start();
        }
        let end = attempt.end();
        let effects = fs::read_to_string(attempt.file("effects")).unwrap_or_default();
        match end {
            AttemptEnd::Passed => assert_eq!(effects, "effect\n"),
            AttemptEnd::SupervisorLost { .. } => {
                assert!(begun && matches!(effects.as_str(), "" | "effect\n"), "{effects}");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn supervisors_outlive_their_spawner_and_the_next_one_is_started() {
    let attempt = TestAttempt::started(&definition(vec![step(WAIT)]));
    attempt.line_in("on");
    let first = attempt.spawner.process_id().unwrap();
    kill_hard(first);

    let other = TestAttempt::filled(&definition(vec![step("echo hello")]));
    attempt.spawner.start(&other.directory).unwrap();
    assert_ne!(attempt.spawner.process_id().unwrap(), first);
    assert_eq!(other.end(), AttemptEnd::Passed);

    fs::write(attempt.file("go"), "").unwrap();
    assert_eq!(attempt.end(), AttemptEnd::Passed);
    assert_eq!(fs::read_to_string(attempt.file("effects")).unwrap(), "begun\nended\n");
}

#[test]
fn a_spawner_ends_with_whoever_started_it() {
    let attempt = TestAttempt::started(&definition(vec![step("true")]));
    let spawner = attempt.spawner.process_id().unwrap().to_string();
    assert!(lives(&spawner));
    drop(attempt);
    until_true("it is gone", || !lives(&spawner));
}

#[test]
fn a_spawner_that_cannot_be_started_is_named() {
    let attempt = TestAttempt::filled(&definition(vec![step("true")]));
    let error = Spawner::of("/no/such/program".into()).start(&attempt.directory).unwrap_err();
    assert!(error.to_string().contains("/no/such/program"), "{error}");
}

#[test]
fn what_nohup_ignores_is_not_handed_down_to_steps() {
    let attempt = TestAttempt::filled(&definition(vec![step("grep SigIgn /proc/self/status")]));
    let script = "trap '' HUP INT TERM QUIT; exec \"$0\" supervise-attempt \"$1\"";
    let status =
        Command::new("/bin/sh").args(["-c", script, PROGRAM]).arg(attempt.directory.path()).status().unwrap();
    assert!(status.success());
    // Signals 32 and 33 are glibc's own: its posix_spawn(3) always leaves them ignored.
    assert!(matches!(
        attempt.text().split_whitespace().nth(1),
        Some("0000000180000000" | "0000000000000000")
    ));
}

#[test]
fn the_next_follower_goes_on_where_a_killed_one_was() {
    let attempt = TestAttempt::started(&definition(vec![step(
        "i=0; until [ -e go ]; do echo line $i; i=$((i+1)); [ $((i % 50)) != 0 ] || sleep 0.005; done; echo last",
    )]));
    let copy = attempt.root.path().join("copy");
    let follow =
        || Command::new(PROGRAM).arg("follow").arg(attempt.directory.path()).arg(&copy).spawn().unwrap();
    let length = || fs::metadata(&copy).map_or(0, |copy| copy.len());
    for _ in 0..5 {
        let before = length();
        let mut follower = follow();
        until_true("it has copied something", || length() > before);
        follower.kill().unwrap();
        follower.wait().unwrap();
    }
    fs::write(attempt.file("go"), "").unwrap();
    assert!(follow().wait().unwrap().success());
    assert_eq!(attempt.end(), AttemptEnd::Passed);
    assert!(fs::read(&copy).unwrap() == attempt.whole_log());
    assert!(attempt.text().ends_with("last\n"));
}
