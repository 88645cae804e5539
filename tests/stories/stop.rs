//! Cancel, and an ordered end.

use std::path::Path;

use crate::support::{Controller, Repository, until};

/// A pipeline whose first job waits until a file is there, and leaves a trace when it is asked to end.
fn gated(gate: &Path) -> String {
    let (open, begun) = (gate.join("open"), gate.join("begun"));
    format!(
        "on: {{push: {{}}, manual: true}}
jobs:
  a: {{process: true, checkout: false, steps: ['touch {}; while [ ! -e {} ]; do sleep 0.01; done']}}
  b: {{process: true, checkout: false, needs: [a], steps: ['true']}}
",
        begun.display(),
        open.display()
    )
}

#[test]
fn a_cancelled_build_stops_what_runs_and_ends_what_waits() {
    let gate = tempfile::tempdir().unwrap();
    let repository = Repository::with(&[("ci", &gated(gate.path()))]);
    let controller = Controller::of(&[repository.path()]).start();
    until("it runs", || gate.path().join("begun").exists().then_some(()));
    let said = controller.command(&["cancel", "1"]);
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    let build = controller.ended(1);
    assert_eq!(build["status"], "cancelled", "{build}");
    assert_eq!(Controller::runs_of(&build), ["a cancelled", "b cancelled"]);
    let said = controller.command(&["cancel", "1"]);
    assert_eq!(said.code, Some(1));
    assert!(said.stderr.contains("ended already"), "{}", said.stderr);
}

#[test]
fn a_cancelled_run_lets_the_rest_of_its_build_come_to_an_end() {
    let gate = tempfile::tempdir().unwrap();
    let repository = Repository::with(&[("ci", &gated(gate.path()))]);
    let controller = Controller::of(&[repository.path()]).start();
    until("it runs", || gate.path().join("begun").exists().then_some(()));
    assert_eq!(controller.command(&["cancel", "1/a"]).code, Some(0));
    let build = controller.ended(1);
    assert_eq!(Controller::runs_of(&build), ["a cancelled", "b skipped"]);
}

#[test]
fn an_ordered_end_hands_over_what_runs_and_the_next_start_follows_it_on() {
    let gate = tempfile::tempdir().unwrap();
    let repository = Repository::with(&[("ci", &gated(gate.path()))]);
    let mut controller = Controller::of(&[repository.path()]).with(&["--drain", "0s"]).start();
    until("it runs", || gate.path().join("begun").exists().then_some(()));
    controller.terminate();
    assert!(controller.log().contains("1 run goes on alone"), "{}", controller.log());
    assert!(!controller.data().join("address").exists());
    std::fs::write(gate.path().join("open"), "").unwrap();
    controller.restart();
    let build = controller.ended(1);
    assert_eq!(Controller::runs_of(&build), ["a passed", "b passed"]);
}

#[test]
fn a_client_that_sends_half_a_request_does_not_keep_the_end_waiting() {
    let repository = Repository::with(&[("ci", "{on: push, jobs: {a: {process: true, steps: ['true']}}}")]);
    let mut controller = Controller::of(&[repository.path()]).start();
    let address = std::fs::read_to_string(controller.data().join("address")).unwrap();
    let mut half = std::net::TcpStream::connect(address.trim().trim_start_matches("http://")).unwrap();
    std::io::Write::write_all(&mut half, b"GET / HTTP/1.1\r\nHost: x").unwrap();
    controller.ended(1);
    controller.terminate();
}

#[test]
fn an_ordered_end_waits_for_what_runs_and_takes_nothing_new() {
    let gate = tempfile::tempdir().unwrap();
    let repository = Repository::with(&[("ci", &gated(gate.path()))]);
    let mut controller = Controller::of(&[repository.path()]).with(&["--drain", "60s"]).start();
    until("it runs", || gate.path().join("begun").exists().then_some(()));
    let pid = nix::unistd::Pid::from_raw(controller.pid());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
    until("it says so", || controller.log().contains("Ending").then_some(()));
    std::fs::write(gate.path().join("open"), "").unwrap();
    until("it has ended", || (!controller.runs()).then_some(()));
    controller.forget();
    controller.restart();
    let build = controller.ended(1);
    assert_eq!(Controller::runs_of(&build), ["a passed", "b passed"]);
}

#[test]
fn a_build_whose_time_runs_out_is_ended_with_its_processes() {
    let gate = tempfile::tempdir().unwrap();
    let pipeline = format!("timeout: 1s\n{}", gated(gate.path()));
    let repository = Repository::with(&[("ci", &pipeline)]);
    let controller = Controller::of(&[repository.path()]).start();
    let build = controller.ended(1);
    assert_eq!(build["status"], "timed_out", "{build}");
    assert_eq!(Controller::runs_of(&build), ["a timed_out", "b timed_out"]);
}

#[test]
fn a_pipeline_is_started_by_hand_once_for_each_key() {
    let repository =
        Repository::with(&[("ci", "{on: {manual: true}, jobs: {a: {process: true, steps: ['true']}}}")]);
    let controller = Controller::of(&[repository.path()]).start();
    until("its refs were seen", || {
        (controller.command(&["start", "ci", "--idempotency-key", "one"]).code == Some(0)).then_some(())
    });
    let again = controller.json(&["start", "ci", "--idempotency-key", "one"]);
    assert_eq!(again["builds"].as_array().unwrap().len(), 1, "{again}");
    controller.json(&["start", "ci"]);
    controller.ended(2);
    assert!(controller.build_now(3).is_none());
    let said = controller.command(&["start", "nope"]);
    assert_eq!(said.code, Some(1));
    assert!(said.stderr.contains("no such pipeline at this commit; there are ci"), "{}", said.stderr);
}
