//! Workers take runs, say what they see, and are told to stop.

use branchline_model::{Actor, AttemptEnd, WorkerId};
use branchline_ports::{Lease, ProtocolError, WorkerProtocol};

use crate::house::{House, Way, claimant, worker};

const TWO: &str = "
on: push
timeout: 1h
jobs:
  a: {process: true, steps: ['true']}
  b: {process: true, needs: [a], steps: ['true']}
";

async fn two() -> House {
    let house = House::with(&[("ci", TWO)]).await;
    house.look().await;
    house
}

#[tokio::test]
async fn a_run_is_given_to_one_worker_however_many_ask_at_once() {
    let house = House::with(&[(
        "ci",
        "{on: push, jobs: {a: {process: true, steps: ['true']}, b: {process: true, steps: ['true']}}}",
    )])
    .await;
    house.look().await;
    let mut all = tokio::task::JoinSet::new();
    for number in 0..8 {
        let controller = house.controller.clone();
        all.spawn(async move {
            controller.claim(&claimant(WorkerId::new(format!("w{number}"))), 1).await.unwrap()
        });
    }
    let mut given = Vec::new();
    while let Some(taken) = all.join_next().await {
        given.extend(taken.unwrap().into_iter().map(|assignment| assignment.lease.attempt.to_string()));
    }
    given.sort();
    assert_eq!(given, [format!("{}/1/1", house.id(1)), format!("{}/2/1", house.id(1))]);
}

#[tokio::test]
async fn what_a_worker_held_when_it_died_is_told_to_it_when_it_is_back() {
    let house = two().await;
    let taken = house.claim(5).await;
    assert_eq!(taken.len(), 1);
    assert_eq!(house.controller.held(&worker()).await.unwrap(), taken);
    house.carry_out(&taken[0], AttemptEnd::Passed).await.unwrap();
    assert!(house.controller.held(&worker()).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_run_ends_only_when_its_log_is_whole() {
    let house = two().await;
    let assignment = house.claim(1).await.remove(0);
    house.controller.append_log(&assignment.lease, 0, b"hello", &[]).await.unwrap();
    let gap = house.controller.finish(&assignment.lease, house.report(AttemptEnd::Passed, 10)).await;
    assert_eq!(gap, Err(ProtocolError::LogGap { attempt: assignment.lease.attempt.clone(), stored: 5 }));
    house.controller.append_log(&assignment.lease, 5, b"world", &[]).await.unwrap();
    house.controller.finish(&assignment.lease, house.report(AttemptEnd::Passed, 10)).await.unwrap();
    let log = house.controller.read_log(&assignment.lease.attempt, 0, 100).await.unwrap();
    assert_eq!((log.bytes.as_slice(), log.log.closed), (&b"helloworld"[..], true));
}

#[tokio::test]
async fn every_word_may_be_said_again_after_a_lost_answer() {
    let house = two().await;
    let assignment = house.claim(1).await.remove(0);
    for _ in 0..2 {
        house.carry_out(&assignment, AttemptEnd::Passed).await.unwrap_or_else(|error| match error {
            // What has ended has begun: said again it does not count, and the worker forgets the attempt.
            ProtocolError::Fenced { .. } => {}
            other => panic!("{other}"),
        });
        house.controller.finish(&assignment.lease, house.report(AttemptEnd::Passed, 6)).await.unwrap();
    }
    house.rest().await;
    let log = house.controller.read_log(&assignment.lease.attempt, 0, 100).await.unwrap();
    assert_eq!(log.bytes, b"hello\n");
}

#[tokio::test]
async fn a_stranger_has_no_say_about_an_attempt() {
    let house = two().await;
    let assignment = house.claim(1).await.remove(0);
    let stranger = Lease { worker: WorkerId::new("stranger"), ..assignment.lease.clone() };
    let begun = house.controller.begun(&stranger, branchline_ports::Clock::now(&*house.clock)).await;
    assert!(matches!(begun, Err(ProtocolError::Fenced { .. })), "{begun:?}");
    let finish = house.controller.finish(&stranger, house.report(AttemptEnd::Passed, 0)).await;
    assert!(matches!(finish, Err(ProtocolError::Fenced { .. })), "{finish:?}");
    house.carry_out(&assignment, AttemptEnd::Passed).await.expect("its holder goes on");
}

#[tokio::test]
async fn an_order_to_stop_that_did_not_reach_its_worker_is_given_again() {
    let house = two().await;
    let assignment = house.claim(1).await.remove(0);
    house.orders_go(Way::Away);
    house.controller.cancel_build(&house.id(1), &Actor::new("ann")).await.unwrap();
    house.rest().await;
    assert!(house.orders.told.lock().unwrap().is_empty());
    house.orders_go(Way::Open);
    house.rest().await;
    assert!(house.orders.told.lock().unwrap().is_empty(), "not before its time");
    house.step(2);
    house.rest().await;
    assert_eq!(*house.orders.told.lock().unwrap(), std::slice::from_ref(&assignment.lease.attempt));
    house.carry_out(&assignment, AttemptEnd::Stopped).await.unwrap();
    house.rest().await;
    assert_eq!(house.status(1).await, "cancelled");
}

#[tokio::test]
async fn a_build_whose_time_has_run_out_is_told_to_stop() {
    let house = two().await;
    let assignment = house.claim(1).await.remove(0);
    house.step(3_599);
    house.rest().await;
    assert_eq!(house.status(1).await, "running");
    assert!(house.orders.told.lock().unwrap().is_empty());
    house.step(2);
    house.rest().await;
    assert_eq!(*house.orders.told.lock().unwrap(), std::slice::from_ref(&assignment.lease.attempt));
    house.carry_out(&assignment, AttemptEnd::Stopped).await.unwrap();
    house.rest().await;
    assert_eq!(house.status(1).await, "timed_out");
}

#[tokio::test]
async fn a_thousand_runs_that_end_together_are_folded_in_and_none_is_forgotten() {
    let jobs: Vec<String> = (0..1_000)
        .map(|job| format!("j{job}: {{process: true, checkout: false, steps: ['true']}}"))
        .collect();
    let pipeline = format!("{{on: push, jobs: {{{}}}}}", jobs.join(", "));
    let house = House::with(&[("ci", &pipeline)]).await;
    house.look().await;
    let taken = house.claim(1_000).await;
    assert_eq!(taken.len(), 1_000);
    for assignment in &taken {
        house.controller.finish(&assignment.lease, house.report(AttemptEnd::Passed, 0)).await.unwrap();
    }
    house.rest().await;
    let build = house.view(1).await.build;
    assert_eq!((build.state.status().word(), build.ended), ("passed", 1_000));
}
