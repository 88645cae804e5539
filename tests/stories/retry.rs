//! Attempts: a run is tried again where its job says so, and not because its controller was away.

use std::io::{BufRead, BufReader};

use branchline_model::{Expectation, HeldAttempt, LeaseEnd, Listening, Plan, Row, Timestamp, keys};
use branchline_ports::{Page, Store};
use branchline_store::SqliteStore;

use crate::support::{Controller, Repository, branchline, said, until};

const TWICE: &str = "
on: push
jobs:
  flaky:
    process: true
    checkout: false
    retry: {attempts: 3, on: \"exit:75\", backoff: 1s}
    steps:
      - 'echo in attempt $BRANCHLINE_ATTEMPT; [ $BRANCHLINE_ATTEMPT != 1 ] || exit 75'
";

#[test]
fn a_job_that_asks_for_it_is_tried_again_and_every_attempt_is_shown_with_its_log() {
    let repository = Repository::with(&[("ci", TWICE)]);
    let controller = Controller::of(&[repository.path()]).start();
    let again = until("it is to be tried again", || {
        let build = controller.build_now(1)?;
        let run = build["runs"][0].clone();
        (run["again"].is_object() || run["attempts"] == 2).then_some(run)
    });
    if again["again"].is_object() {
        assert_eq!(again["status"], "queued");
        assert_eq!(again["again"]["reason"]["code"], "step_failed", "{again}");
    }
    let build = controller.ended(1);
    assert_eq!((&build["status"], &build["runs"][0]["attempts"]), (&"passed".into(), &2.into()), "{build}");
    let shown = controller.command(&["build", "1"]);
    assert!(shown.stdout.contains("(attempt 2)"), "{}", shown.stdout);
    assert!(controller.command(&["logs", "1/flaky"]).stdout.contains("in attempt 2"));
}

#[test]
fn a_log_that_is_followed_goes_on_with_the_next_attempt() {
    let files = tempfile::tempdir().unwrap();
    let wait = format!("until [ -e {}/go ]; do sleep 0.01; done", files.path().display());
    let pipeline = TWICE.replace("|| exit 75", &format!("|| {{ {wait}; exit 75; }}"));
    let repository = Repository::with(&[("ci", &pipeline)]);
    let controller = Controller::of(&[repository.path()]).start();
    controller.build(1);
    let mut follow = branchline();
    follow
        .args(["logs", "1/flaky", "-f", "--data"])
        .arg(controller.data())
        .stdout(std::process::Stdio::piped());
    let mut following = follow.spawn().unwrap();
    let mut lines = BufReader::new(following.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line == "in attempt 1"));
    std::fs::write(files.path().join("go"), "").unwrap();
    assert!(lines.any(|line| line == "in attempt 2"));
    assert_eq!(lines.count(), 0);
    assert!(following.wait().unwrap().success());
    let first = controller.command(&["logs", "1/flaky", "-f", "--attempt", "1"]);
    assert!(first.stdout.contains("in attempt 1\n") && !first.stdout.contains("in attempt 2\n"));
}

#[test]
fn a_local_run_is_tried_again_too_and_only_after_the_ends_that_are_named() {
    let repository = Repository::with(&[("ci", TWICE)]);
    let run = || said(&branchline().arg("run").current_dir(repository.path()).output().unwrap());
    let passed = run();
    assert_eq!(passed.code, Some(0), "{}", passed.stderr);
    assert!(passed.stdout.contains("in attempt 1\n") && passed.stdout.contains("in attempt 2\n"));
    assert!(passed.stderr.contains("tried again: in attempt 1, step"), "{}", passed.stderr);
    repository.write(".branchline/ci.yaml", TWICE.replace("exit 75", "exit 76"));
    let failed = run();
    assert_eq!(failed.code, Some(1), "{}", failed.stderr);
    assert!(!failed.stdout.contains("in attempt 2\n"), "{}", failed.stdout);
}

/// As if the controller had been killed a day ago: what it wrote down last is that old.
async fn grow_old(database: &std::path::Path) {
    let store = SqliteStore::open(database).unwrap();
    let old = |at: Timestamp| Timestamp(at.0 - 86_400_000);
    let mut plan = Plan::default();
    for end in store.page(&Page::of(keys::LEASE_ENDS, 10)).await.unwrap() {
        let end = LeaseEnd::try_from(end.value).unwrap();
        let key = keys::held_attempt(&end.worker, &end.attempt);
        let held = store.read(&[key]).await.unwrap().pop().flatten().unwrap();
        let held = HeldAttempt::try_from(held.value).unwrap();
        plan.delete(keys::lease_end(&end), Expectation::Any);
        plan.put(LeaseEnd { at: old(end.at), ..end }, Expectation::Absent);
        let (heard_at, ends_at) = (old(held.heard_at), old(held.ends_at));
        plan.put(HeldAttempt { heard_at, ends_at, ..held }, Expectation::Any);
    }
    let listening = store.read(&[keys::listening()]).await.unwrap().pop().flatten().unwrap();
    let Row::Listening(Listening { since, at }) = listening.value else { panic!("{listening:?}") };
    plan.put(Listening { since: old(since), at: old(at) }, Expectation::Any);
    assert_eq!(plan.changes.len(), 4, "one lease is held: {plan:?}");
    store.commit_if_unchanged(plan.changes).await.unwrap();
}

#[tokio::test]
async fn what_runs_while_the_controller_is_away_for_a_day_is_neither_lost_nor_begun_twice() {
    let files = tempfile::tempdir().unwrap();
    let at = files.path().display();
    let pipeline = format!(
        "{{on: push, jobs: {{a: {{process: true, checkout: false, steps: ['cd {at}; echo on >> begun; until [ -e go ]; do sleep 0.01; done']}}}}}}"
    );
    let repository = Repository::with(&[("ci", &pipeline)]);
    let mut controller = Controller::of(&[repository.path()]).start();
    until("it runs", || files.path().join("begun").exists().then_some(()));
    controller.kill();
    grow_old(&controller.data().join("branchline.db")).await;
    controller.restart();
    let first_look = controller.build(1);
    assert_eq!(first_look["runs"][0]["attempts"], 1, "{first_look}");
    std::fs::write(files.path().join("go"), "").unwrap();
    let build = controller.ended(1);
    assert_eq!(build["status"], "passed", "{build}");
    assert_eq!(build["runs"][0]["attempts"], 1, "{build}");
    assert_eq!(std::fs::read_to_string(files.path().join("begun")).unwrap(), "on\n");
}
