//! A worker says what it holds, and does as it is answered.

mod support;

use std::fs;
use std::sync::atomic::Ordering;
use std::time::Duration;

use branchline_model::{AttemptEnd, AttemptId};
use branchline_worker::Drain;
use support::{House, one, stop_order, until_true};

fn beating() -> House {
    House { heartbeat: Duration::from_millis(5), ..House::new() }
}

fn waiting(house: &House) -> String {
    format!("cd '{}'; echo on; until [ -e go ]; do sleep 0.005; done", house.folder.path().display())
}

async fn is_on(house: &House, attempt: &AttemptId) {
    until_true("it is on", || {
        house.controller.known(attempt).is_some_and(|known| known.log.ends_with(b"on\n"))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_worker_holds_is_told_again_and_again_until_it_has_ended() {
    let house = beating();
    let attempt = house.controller.enqueue(1, one(&waiting(&house)));
    let worker = house.worker();
    is_on(&house, &attempt).await;
    until_true("it was told often", || house.controller.known(&attempt).unwrap().heartbeats > 5).await;
    fs::write(house.file("go"), "").unwrap();
    assert_eq!(house.controller.end(&attempt).await, AttemptEnd::Passed);
    worker.end(Drain::HandOver).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_to_stop_that_was_lost_comes_with_the_next_heartbeat() {
    let house = beating();
    let attempt = house.controller.enqueue(1, one(&waiting(&house)));
    let worker = house.worker();
    is_on(&house, &attempt).await;
    house.controller.change(&attempt, |known| known.stop = Some(stop_order()));
    assert_eq!(house.controller.end(&attempt).await, AttemptEnd::Stopped);
    worker.end(Drain::HandOver).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_count_any_more_is_killed_although_it_says_nothing() {
    let house = beating();
    let attempt = house.controller.enqueue(1, one(&waiting(&house)));
    let worker = house.worker();
    is_on(&house, &attempt).await;
    house.controller.change(&attempt, |known| known.fenced = true);
    until_true("its directory is gone", || !house.directory(&attempt).exists()).await;
    assert!(house.controller.known(&attempt).unwrap().report.is_none());
    worker.end(Drain::HandOver).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_cut_off_from_its_controller_goes_on_and_is_told_later() {
    let house = beating();
    let attempt = house.controller.enqueue(1, one(&format!("{}; echo off", waiting(&house))));
    let worker = house.worker();
    is_on(&house, &attempt).await;
    house.controller.away.store(true, Ordering::SeqCst);
    fs::write(house.file("go"), "").unwrap();
    let state = house.directory(&attempt).join("state");
    until_true("it has ended", || fs::read_to_string(&state).is_ok_and(|state| state.contains("passed")))
        .await;
    house.controller.away.store(false, Ordering::SeqCst);
    assert_eq!(house.controller.end(&attempt).await, AttemptEnd::Passed);
    assert_eq!(house.controller.printed(&attempt), "on\noff\n");
    worker.end(Drain::HandOver).await;
}
