//! Workers end at any moment, and the next one goes on.

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use branchline_model::{AttemptEnd, AttemptId, WorkerId};
use branchline_ports::{Claimant, WorkerProtocol};
use branchline_supervisor::AttemptDirectory;
use branchline_worker::{Drain, Workspace};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use support::{House, TestWorkspaces, definition, one, step, until_true, with_checkout};

/// Says that it is on, waits, and says that it has ended.
fn waiting(house: &House) -> String {
    let at = house.folder.path().display();
    format!("cd '{at}'; echo effect >> effects; echo on; until [ -e go ]; do sleep 0.005; done; echo off")
}

fn effects(house: &House) -> String {
    fs::read_to_string(house.file("effects")).unwrap_or_default()
}

async fn is_on(house: &House, attempt: &AttemptId) {
    until_true("it is on", || {
        house.controller.known(attempt).is_some_and(|known| known.log.ends_with(b"on\n"))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_worker_follows_where_a_killed_one_was() {
    let house = House::new();
    let attempt = house.controller.enqueue(1, one(&waiting(&house)));
    let first = house.worker();
    is_on(&house, &attempt).await;
    first.vanish().await;
    let second = house.worker();
    fs::write(house.file("go"), "").unwrap();
    assert_eq!(house.controller.end(&attempt).await, AttemptEnd::Passed);
    assert_eq!(
        (house.controller.printed(&attempt).as_str(), effects(&house).as_str()),
        ("on\noff\n", "effect\n")
    );
    second.end(Drain::HandOver).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_ended_while_nobody_looked_is_reported_by_the_next_worker() {
    let house = House::new();
    let attempt = house.controller.enqueue(1, one(&waiting(&house)));
    let first = house.worker();
    is_on(&house, &attempt).await;
    first.end(Drain::HandOver).await;
    fs::write(house.file("go"), "").unwrap();
    let directory = AttemptDirectory::at(&house.root(), &attempt).unwrap();
    until_true("it has ended", || directory.observed().unwrap().end.is_some()).await;
    let second = house.worker();
    assert_eq!(house.controller.end(&attempt).await, AttemptEnd::Passed);
    assert_eq!(house.controller.printed(&attempt), "on\noff\n");
    until_true("all is cleared away", || house.is_empty()).await;
    second.end(Drain::HandOver).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_passed_but_whose_log_was_cut_before_it_was_stored_has_not_passed() {
    let house = House::new();
    let attempt = house.controller.enqueue(1, one(&waiting(&house)));
    let first = house.worker();
    is_on(&house, &attempt).await;
    first.end(Drain::HandOver).await;
    fs::write(house.file("go"), "").unwrap();
    let directory = AttemptDirectory::at(&house.root(), &attempt).unwrap();
    until_true("it has ended", || directory.observed().unwrap().end.is_some()).await;
    let log = fs::OpenOptions::new().write(true).open(directory.path().join("log")).unwrap();
    let length = log.metadata().unwrap().len();
    log.set_len(length - 2).unwrap();
    let second = house.worker();
    assert_eq!(
        house.controller.end(&attempt).await,
        AttemptEnd::LogIncomplete { stored: length - 2, length }
    );
    assert_eq!(house.controller.printed(&attempt), "on\nof");
    second.end(Drain::HandOver).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_supervisor_is_noticed_at_once_and_nothing_is_run_again() {
    let house = House::new();
    let attempt = house.controller.enqueue(1, one(&waiting(&house)));
    let worker = house.worker();
    is_on(&house, &attempt).await;
    kill(house.supervisor(&attempt), Signal::SIGKILL).unwrap();
    let AttemptEnd::SupervisorLost { why } = house.controller.end(&attempt).await else { panic!() };
    assert!(why.contains("while step 1 ran"), "{why}");
    assert_eq!(effects(&house), "effect\n");
    worker.end(Drain::HandOver).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_supervisor_lost_together_with_its_worker_is_noticed_by_the_next_one() {
    let house = House::new();
    let attempt = house.controller.enqueue(1, definition(vec![step(&waiting(&house)), step("echo never")]));
    let first = house.worker();
    is_on(&house, &attempt).await;
    let supervisor = house.supervisor(&attempt);
    first.vanish().await;
    kill(supervisor, Signal::SIGKILL).unwrap();
    let second = house.worker();
    assert!(matches!(house.controller.end(&attempt).await, AttemptEnd::SupervisorLost { .. }));
    assert_eq!(effects(&house), "effect\n");
    second.end(Drain::HandOver).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_checkout_whose_worker_was_killed_is_done_again_from_the_start() {
    let mut house = House::new();
    let go = house.file("let it go");
    house.workspaces = Arc::new(TestWorkspaces { wait: Some(go.clone()), ..Default::default() });
    let attempt = house.controller.enqueue(1, with_checkout("https://example.org/a.git", one("cat file")));
    let first = house.worker();
    until_true("it is under way", || house.workspaces.begun.load(Ordering::SeqCst) == 1).await;
    until_true("half of it is there", || house.directory(&attempt).join("workspace/half").exists()).await;
    first.vanish().await;
    let second = house.worker();
    until_true("it is under way again", || house.workspaces.begun.load(Ordering::SeqCst) == 2).await;
    fs::write(&go, "").unwrap();
    assert_eq!(house.controller.end(&attempt).await, AttemptEnd::Passed);
    assert_eq!(house.controller.printed(&attempt), "from git\n");
    second.end(Drain::HandOver).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_claimed_but_has_no_directory_is_begun() {
    let house = House::new();
    let first = house.worker();
    until_true("this start of the machine is remembered", || house.root().join("boot").exists()).await;
    first.vanish().await;
    // Claimed in the name of a worker that was killed before it made a directory.
    let attempt = house.controller.enqueue(1, one("echo effect"));
    let claimant = Claimant { worker: WorkerId::new("here"), pools: Vec::new(), tags: BTreeSet::new() };
    assert_eq!(house.controller.claim(&claimant, 1).await.unwrap().len(), 1);
    let worker = house.worker();
    assert_eq!(house.controller.end(&attempt).await, AttemptEnd::Passed);
    worker.end(Drain::HandOver).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_had_a_log_but_has_no_directory_is_lost() {
    let house = House::new();
    let attempt = house.controller.enqueue(1, one(&waiting(&house)));
    let first = house.worker();
    is_on(&house, &attempt).await;
    first.vanish().await;
    fs::write(house.file("go"), "").unwrap();
    let directory = AttemptDirectory::at(&house.root(), &attempt).unwrap();
    until_true("nobody holds it", || !directory.is_held().unwrap()).await;
    branchline_supervisor::remove(directory.path()).unwrap();
    let second = house.worker();
    let AttemptEnd::SupervisorLost { why } = house.controller.end(&attempt).await else { panic!() };
    assert!(why.contains("directory is gone"), "{why}");
    assert_eq!(effects(&house), "effect\n");
    second.end(Drain::HandOver).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_restart_of_the_machine_nothing_that_was_held_is_begun() {
    let house = House::new();
    let attempt = house.controller.enqueue(1, one(&waiting(&house)));
    let first = house.worker();
    is_on(&house, &attempt).await;
    let supervisor = house.supervisor(&attempt);
    first.vanish().await;
    kill(supervisor, Signal::SIGKILL).unwrap();
    fs::write(house.file("go"), "").unwrap();
    let directory = AttemptDirectory::at(&house.root(), &attempt).unwrap();
    until_true("nobody holds it", || !directory.is_held().unwrap()).await;
    // A crash of the machine may take back what was written last: the directory says that nothing was begun.
    fs::write(directory.path().join("state"), "").unwrap();
    fs::write(house.root().join("boot"), "another start of this machine").unwrap();
    let second = house.worker();
    let AttemptEnd::SupervisorLost { why } = house.controller.end(&attempt).await else { panic!() };
    assert!(why.contains("restarted"), "{why}");
    assert_eq!(effects(&house), "effect\n");
    until_true("this start is remembered", || {
        fs::read_to_string(house.root().join("boot")).unwrap() == branchline_supervisor::boot_id().unwrap()
    })
    .await;
    second.end(Drain::HandOver).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_held_any_more_is_cleared_away_at_the_next_start() {
    let house = House::new();
    let attempt = house.controller.enqueue(1, one(&waiting(&house)));
    let first = house.worker();
    is_on(&house, &attempt).await;
    let supervisor = house.supervisor(&attempt);
    first.vanish().await;
    house.controller.change(&attempt, |known| known.fenced = true);
    let second = house.worker();
    until_true("its supervisor is gone", || kill(supervisor, None).is_err()).await;
    until_true("its directory is gone", || house.is_empty()).await;
    second.end(Drain::HandOver).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_draining_worker_waits_for_what_runs_and_claims_nothing() {
    let mut house = House::new();
    house.slots = 1;
    let running = house.controller.enqueue(1, one(&waiting(&house)));
    let waiting = house.controller.enqueue(2, one("true"));
    let worker = house.worker();
    is_on(&house, &running).await;
    worker.handle.drain(Drain::Wait(Duration::from_secs(60)));
    fs::write(house.file("go"), "").unwrap();
    worker.ended().await;
    assert_eq!(house.controller.end(&running).await, AttemptEnd::Passed);
    assert!(house.controller.known(&waiting).is_none());
    assert!(house.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopping_worker_kills_and_reports_what_runs() {
    let house = House::new();
    let attempt = house.controller.enqueue(1, one("echo on; trap '' TERM; while :; do sleep 1000; done"));
    let worker = house.worker();
    is_on(&house, &attempt).await;
    worker.end(Drain::Stop).await;
    assert_eq!(house.controller.known(&attempt).unwrap().report.unwrap().end, AttemptEnd::Stopped);
    assert!(house.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_is_stopped_while_it_clears_away_leaves_nothing() {
    let mut house = House::new();
    let tree = house.file("tree");
    fs::create_dir(&tree).unwrap();
    // A directory with a link for its workspace is removed, not used again.
    house.workspace = Workspace::InPlace(tree);
    for number in 1..=20 {
        let attempt = house.controller.enqueue(number, one("true"));
        let worker = house.worker();
        until_true("it is reported", || {
            house.controller.known(&attempt).is_some_and(|known| known.report.is_some())
        })
        .await;
        worker.end(Drain::Stop).await;
        assert!(house.is_empty(), "attempt {number}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_moments_workers_lose_nothing_and_do_nothing_twice() {
    let mut house = House::new();
    house.slots = 4;
    let attempts: Vec<_> = (1..=150)
        .map(|number| {
            let run =
                format!("echo effect >> '{}'; echo hello", house.file(&format!("effect.{number}")).display());
            house.controller.enqueue(number, one(&run))
        })
        .collect();
    let mut kills = 0;
    while house.controller.all().iter().filter(|known| known.report.is_some()).count() < attempts.len() {
        let worker = house.worker();
        // The moment of the kill is the point here: it is not waited for anything.
        tokio::time::sleep(Duration::from_millis(3 + (kills * 7) % 40)).await;
        worker.vanish().await;
        if kills % 5 == 0
            && let Some(spawner) = house.spawner.process_id()
        {
            let _ = kill(Pid::from_raw(i32::try_from(spawner).unwrap()), Signal::SIGKILL);
        }
        kills += 1;
        assert!(kills < 3000, "it goes nowhere");
    }
    assert!(kills > 5, "{kills}");
    for (number, attempt) in (1..).zip(&attempts) {
        assert_eq!(house.controller.end(attempt).await, AttemptEnd::Passed);
        assert_eq!(house.controller.printed(attempt), "hello\n");
        assert_eq!(fs::read_to_string(house.file(&format!("effect.{number}"))).unwrap(), "effect\n");
    }
    let last = house.worker();
    until_true("all is cleared away", || house.is_empty()).await;
    last.end(Drain::HandOver).await;
}
