//! Leases as conversations: workers fall silent, are lost, come back in time or too late.

use crate::world::World;
use branchline_model::{EndReason, Outcome, RunStatus, Stop};

const ONE: &str = "{on: push, jobs: {a: {process: true, steps: ['true']}}}";

fn claimed() -> World {
    let mut world = World::new(&[("ci", ONE)]);
    world.push("main");
    world.look_at_leases();
    assert_eq!(world.claim_as("a", "worker"), Some(1));
    world.look_at_leases();
    world
}

#[test]
fn a_worker_that_is_heard_keeps_its_lease_for_ever() {
    let mut world = claimed();
    for _ in 0..100 {
        world.wait_and_look(20);
        assert_eq!(world.heartbeat("a", 1, "worker"), Ok(None));
    }
    assert_eq!(world.run(1, "a"), RunStatus::Starting);
    assert_eq!(world.silent_since("a"), None);
}

#[test]
fn a_silent_worker_is_shown_before_a_minute_has_passed_and_lost_after_three() {
    let mut world = claimed();
    world.heartbeat("a", 1, "worker").unwrap();
    world.wait_and_look(40);
    assert_eq!(world.silent_since("a"), None);
    world.wait_and_look(15);
    assert!(world.silent_since("a").is_some());
    world.wait_and_look(120);
    assert_eq!(world.run(1, "a"), RunStatus::Starting);
    world.wait_and_look(60);
    assert_eq!(world.run(1, "a"), RunStatus::Queued);
    let lost = world.attempts("a").remove(0).lost.unwrap();
    assert!(lost.at.since(lost.heard_at).as_secs() >= 180);
}

#[test]
fn a_lost_worker_gets_its_run_tried_twice_more_and_then_it_ends() {
    let mut world = claimed();
    for number in 2..=3 {
        world.wait_and_look(300);
        assert_eq!(world.claim_as("a", &format!("w{number}")), Some(number));
    }
    world.wait_and_look(300);
    assert_eq!(world.run(1, "a"), RunStatus::Ended(Outcome::Errored));
    assert!(matches!(world.reason(1, "a"), Some(EndReason::WorkerLost { .. })));
    assert_eq!(world.attempts("a").iter().filter(|attempt| attempt.lost.is_some()).count(), 3);
    assert_eq!(world.builds(), ["ci errored"]);
    let left = world.leftovers();
    assert!(left.iter().all(|key| key.partition == "pending-effects"), "{left:?}");
}

#[test]
fn a_run_that_is_tried_again_waits_before_it_stands_in_its_queue() {
    let mut world = claimed();
    world.wait_and_look(150);
    world.wait_and_look(32);
    assert_eq!(world.run(1, "a"), RunStatus::Queued);
    assert_eq!(world.claim_as("a", "other"), None);
    world.wait_and_look(5);
    assert_eq!(world.claim_as("a", "other"), Some(2));
}

#[test]
fn a_worker_that_is_back_before_another_attempt_was_begun_counts_on() {
    let mut world = claimed();
    world.wait_and_look(300);
    assert_eq!(world.run(1, "a"), RunStatus::Queued);
    assert_eq!(world.heartbeat("a", 1, "worker"), Ok(None));
    assert_eq!(world.run(1, "a"), RunStatus::Starting);
    assert!(world.attempts("a").remove(0).lost.is_none());
    assert_eq!(world.claim_as("a", "other"), None, "it does not stand in its queue any more");
    world.wait_and_look(30);
    world.end_as("a", 1, "worker", Outcome::Passed).unwrap();
    assert_eq!(world.builds(), ["ci passed"]);
    assert!(world.leftovers().is_empty(), "{:?}", world.leftovers());
}

#[test]
fn a_worker_that_is_back_after_another_attempt_was_begun_has_no_say() {
    let mut world = claimed();
    world.wait_and_look(300);
    assert_eq!(world.claim_as("a", "other"), Some(2));
    assert_eq!(world.heartbeat("a", 1, "worker"), Err("it has no lease".to_owned()));
    let refused = world.end_as("a", 1, "worker", Outcome::Passed).unwrap_err();
    assert_eq!(refused, "attempt 2 holds the run");
    world.end_as("a", 2, "other", Outcome::Failed).unwrap();
    assert_eq!(world.builds(), ["ci failed"]);
}

#[test]
fn the_absence_of_the_controller_is_not_counted() {
    let mut world = claimed();
    world.heartbeat("a", 1, "worker").unwrap();
    world.wait(3_600);
    world.look_at_leases();
    assert_eq!(world.run(1, "a"), RunStatus::Starting, "nobody could be heard");
    assert_eq!(world.silent_since("a"), None);
    world.wait_and_look(170);
    assert_eq!(world.run(1, "a"), RunStatus::Starting, "nor in the first minutes after it is back");
    world.wait_and_look(60);
    assert_eq!(world.run(1, "a"), RunStatus::Queued, "but then its worker is lost");
}

#[test]
fn a_clock_that_is_set_forward_loses_nobody() {
    let mut world = claimed();
    for _ in 0..5 {
        world.wait(7_200);
        world.look_at_leases();
        world.wait_and_look(10);
        assert_eq!(world.heartbeat("a", 1, "worker"), Ok(None));
    }
    assert!(world.attempts("a").remove(0).lost.is_none());
}

#[test]
fn a_clock_that_is_set_back_loses_nobody() {
    let mut world = claimed();
    world.wait_and_look(20);
    world.heartbeat("a", 1, "worker").unwrap();
    world.wait(-7_200);
    world.look_at_leases();
    assert_eq!(world.silent_since("a"), None);
    for _ in 0..30 {
        world.wait_and_look(15);
        assert_eq!(world.heartbeat("a", 1, "worker"), Ok(None));
    }
    assert_eq!(world.run(1, "a"), RunStatus::Starting);
}

#[test]
fn what_was_told_to_stop_and_is_lost_ends_as_stopped_and_is_not_tried_again() {
    let mut world = claimed();
    world.stop_build(1, &Stop::BuildTimedOut);
    world.wait_and_look(300);
    assert_eq!(world.run(1, "a"), RunStatus::Ended(Outcome::TimedOut));
    assert_eq!(world.builds(), ["ci timed_out"]);
}

#[test]
fn a_heartbeat_brings_an_order_to_stop_that_was_lost() {
    let mut world = claimed();
    world.stop_build(1, &Stop::BuildTimedOut);
    assert_eq!(world.heartbeat("a", 1, "worker"), Ok(Some(Stop::BuildTimedOut)));
}

#[test]
fn a_run_that_is_stopped_while_it_waits_for_its_next_attempt_ends_and_its_worker_is_fenced() {
    let mut world = claimed();
    world.wait_and_look(300);
    world.stop_run(1, "a");
    assert_eq!(world.run(1, "a"), RunStatus::Ended(Outcome::Cancelled));
    assert_eq!(world.heartbeat("a", 1, "worker"), Err("it has no lease".to_owned()));
    let left = world.leftovers();
    assert!(left.iter().all(|key| key.partition == "pending-effects"), "{left:?}");
}

mod whatever_workers_do {
    use branchline_model::{Actor, Outcome, RunStatus, Stop};
    use proptest::prelude::*;

    use super::{ONE, World};

    #[derive(Clone, Copy, Debug)]
    enum Deed {
        Claim,
        Heartbeat(u32),
        Finish(u32, Outcome),
        Silence(i64),
        Absence(i64),
        Stop,
    }

    fn deed() -> impl Strategy<Value = Deed> {
        let outcome = prop_oneof![Just(Outcome::Passed), Just(Outcome::Failed), Just(Outcome::Errored)];
        prop_oneof![
            6 => Just(Deed::Claim),
            6 => (1u32..5).prop_map(Deed::Heartbeat),
            2 => (1u32..5, outcome).prop_map(|(number, outcome)| Deed::Finish(number, outcome)),
            6 => (1i64..400).prop_map(Deed::Silence),
            2 => (-4_000i64..4_000).prop_map(Deed::Absence),
            1 => Just(Deed::Stop),
        ]
    }

    fn who(number: u32) -> String {
        format!("w{number}")
    }

    proptest! {
        #[test]
        fn one_attempt_at_a_time_has_a_say_and_what_has_ended_has_ended(
            deeds in proptest::collection::vec(deed(), 1..40),
        ) {
            let mut world = World::new(&[("ci", ONE)]);
            world.push("main");
            let mut ended: Option<RunStatus> = None;
            // So many seconds was the clock set back: what was to be looked at by a time is looked at later by as much.
            let mut set_back = 0;
            for deed in deeds {
                let attempts = u32::try_from(world.attempts("a").len()).unwrap();
                match deed {
                    Deed::Claim => {
                        let taken = world.claim_as("a", &who(attempts + 1));
                        prop_assert!(taken.is_none_or(|number| number == attempts + 1 && number <= 3));
                    }
                    Deed::Heartbeat(number) => {
                        let heard = world.heartbeat("a", number, &who(number));
                        let counts = number == attempts && ended.is_none();
                        prop_assert_eq!(heard.is_ok(), counts, "attempt {} of {}: {:?}", number, attempts, heard);
                        if counts {
                            prop_assert!(matches!(world.run(1, "a"), RunStatus::Starting | RunStatus::Running));
                        }
                    }
                    Deed::Finish(number, outcome) => {
                        let holds = world.run_row(1, "a").value.state.attempt() == Some(number);
                        let said = world.end_as("a", number, &who(number), outcome);
                        let again = world.attempts("a").iter().any(|row| row.id.number == number && row.report.is_some());
                        prop_assert_eq!(said.is_ok(), holds || again, "{:?}", said);
                    }
                    Deed::Silence(seconds) => world.wait_and_look(seconds),
                    Deed::Absence(seconds) => {
                        let before = world.run(1, "a");
                        set_back += (-seconds).max(0);
                        world.wait(seconds);
                        world.look_at_leases();
                        let after = world.run(1, "a");
                        let was_away = seconds.abs() > 120;
                        prop_assert!(!was_away || before == after, "nobody is lost by {} s: {:?}", seconds, after);
                    }
                    Deed::Stop => {
                        if ended.is_none() {
                            world.stop_build(1, &Stop::Cancelled { by: Actor::new("ann") });
                        }
                    }
                }
                let status = world.run(1, "a");
                if let Some(ended) = ended {
                    prop_assert_eq!(status, ended, "terminal is final");
                }
                if matches!(status, RunStatus::Ended(_)) {
                    ended = Some(status);
                }
            }
            // Left alone, it comes to its end, or waits for a worker.
            world.wait_and_look(10_000 + set_back);
            world.wait_and_look(1_000);
            let status = world.run(1, "a");
            prop_assert!(matches!(status, RunStatus::Ended(_) | RunStatus::Queued), "{:?}", status);
        }
    }
}
