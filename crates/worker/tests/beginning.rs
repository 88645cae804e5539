//! When a controller knows that an attempt has begun, and what a worker makes of that.

mod support;

use std::fs;
use std::sync::atomic::Ordering;

use branchline_model::{AttemptEnd, AttemptId, Retry, RunDefinition};
use branchline_ports::Launcher;
use branchline_worker::Drain;
use nix::sys::signal::{Signal, kill};
use support::{House, one, stop_order, until_true};

/// A house whose controller does not answer when it is told that an attempt begins.
fn not_listening() -> House {
    let house = House::new();
    house.controller.ignores_begun.store(true, Ordering::SeqCst);
    house
}

/// Leaves a trace, which must not be left twice.
fn once(house: &House) -> RunDefinition {
    let run = one(&format!("echo effect >> '{}'", house.file("effects").display()));
    RunDefinition { retry: Retry { repeatable: false, ..Retry::default() }, ..run }
}

fn effects(house: &House) -> String {
    fs::read_to_string(house.file("effects")).unwrap_or_default()
}

/// The worker has said that it begins, in vain, more than once.
async fn is_said_in_vain(house: &House) {
    until_true("it was said again", || house.controller.begun_said.load(Ordering::SeqCst) > 1).await;
}

fn begun(house: &House, attempt: &AttemptId) -> bool {
    house.controller.known(attempt).is_some_and(|known| known.begun.is_some())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_must_not_begin_twice_begins_only_once_the_controller_knows() {
    let house = not_listening();
    let attempt = house.controller.enqueue(1, once(&house));
    let worker = house.worker();
    is_said_in_vain(&house).await;
    assert_eq!(effects(&house), "");
    house.controller.ignores_begun.store(false, Ordering::SeqCst);
    assert_eq!(house.controller.end(&attempt).await, AttemptEnd::Passed);
    assert_eq!((effects(&house).as_str(), begun(&house, &attempt)), ("effect\n", true));
    worker.end(Drain::HandOver).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_may_begin_again_waits_for_nobody() {
    let house = not_listening();
    let run = RunDefinition { retry: Retry::default(), ..once(&house) };
    let attempt = house.controller.enqueue(1, run);
    let worker = house.worker();
    assert_eq!(house.controller.end(&attempt).await, AttemptEnd::Passed);
    assert!(!begun(&house, &attempt));
    worker.end(Drain::HandOver).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_stopped_while_it_waits_to_begin_does_not_begin() {
    let house = not_listening();
    let attempt = house.controller.enqueue(1, once(&house));
    let worker = house.worker();
    is_said_in_vain(&house).await;
    let lease = house.controller.known(&attempt).unwrap().assignment.lease;
    worker.handle.stop(&lease.worker, &attempt, &stop_order()).await.unwrap();
    assert_eq!(house.controller.end(&attempt).await, AttemptEnd::Stopped);
    assert_eq!(effects(&house), "");
    worker.end(Drain::HandOver).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_count_any_more_when_it_is_to_begin_does_not_begin() {
    let house = not_listening();
    let attempt = house.controller.enqueue(1, once(&house));
    let worker = house.worker();
    is_said_in_vain(&house).await;
    house.controller.change(&attempt, |known| known.fenced = true);
    until_true("its directory is gone", || !house.directory(&attempt).exists()).await;
    assert_eq!(effects(&house), "");
    worker.end(Drain::HandOver).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_had_begun_without_a_word_is_not_begun_anew_where_its_directory_is_gone() {
    let house = House::new();
    let at = house.folder.path().display();
    let run = format!("cd '{at}'; echo effect >> effects; until [ -e go ]; do sleep 0.005; done; : > ended");
    let attempt = house.controller.enqueue(1, one(&run));
    let first = house.worker();
    until_true("it has begun", || begun(&house, &attempt) && effects(&house) == "effect\n").await;
    let supervisor = house.supervisor(&attempt);
    first.vanish().await;
    kill(supervisor, Signal::SIGKILL).unwrap();
    fs::rename(house.directory(&attempt), house.file("taken-away")).unwrap();
    let second = house.worker();
    let end = house.controller.end(&attempt).await;
    assert!(matches!(end, AttemptEnd::SupervisorLost { .. }), "{end:?}");
    assert_eq!(effects(&house), "effect\n");
    fs::write(house.file("go"), "").unwrap();
    // Nobody else ends it: without its folder it would look for the file for ever.
    until_true("the step has ended", || house.file("ended").exists()).await;
    second.end(Drain::HandOver).await;
}
