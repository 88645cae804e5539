//! Workers are heard, fall silent, are lost and come back; the clock is stepped, and ticks look.

use std::sync::atomic::Ordering;

use branchline_model::{AttemptEnd, AttemptId, Change, Expectation, RunDefinitionRow, RunId, WorkerId, keys};
use branchline_ports::{Artifacts, Assignment, Clock, Heard, Lease, ProtocolError, Store, WorkerProtocol};

use crate::house::{House, Way, claimant, worker};

const ONE: &str = "{on: push, jobs: {a: {process: true, steps: ['true']}}}";

async fn one() -> (House, Assignment) {
    let house = House::with(&[("ci", ONE)]).await;
    house.look().await;
    let assignment = house.claim(1).await.remove(0);
    house.rest().await;
    (house, assignment)
}

impl House {
    /// The clock goes on by so many seconds, with a tick each half minute.
    async fn pass(&self, seconds: u64) {
        for _ in 0..seconds / 30 {
            self.step(30);
            self.rest().await;
        }
        self.step(seconds % 30);
        self.rest().await;
    }

    async fn beat(&self, assignment: &Assignment) -> Heard {
        let lease = &assignment.lease;
        let beaten = self.controller.heartbeat(&lease.worker, std::slice::from_ref(lease)).await;
        beaten.unwrap().remove(0)
    }

    async fn claim_as(&self, who: &str) -> Option<Assignment> {
        let claimed = self.controller.claim(&claimant(WorkerId::new(who)), 1).await;
        claimed.unwrap().pop()
    }

    async fn run_word(&self) -> &'static str {
        self.view(1).await.runs.remove(0).state.status().word()
    }
}

fn run_id(house: &House) -> RunId {
    RunId { build: house.id(1), index: 1 }
}

#[tokio::test]
async fn a_worker_that_is_heard_is_never_lost() {
    let (house, assignment) = one().await;
    for _ in 0..40 {
        house.pass(15).await;
        assert_eq!(house.beat(&assignment).await, Heard::Counts { milliseconds: 180_000 });
    }
    house.carry_out(&assignment, AttemptEnd::Passed).await.unwrap();
    house.rest().await;
    assert_eq!(house.status(1).await, "passed");
}

#[tokio::test]
async fn a_lost_workers_run_is_given_to_another_and_its_late_words_are_refused() {
    let (house, late) = one().await;
    house.controller.append_log(&late.lease, 0, b"early\n", &[]).await.unwrap();
    house.pass(300).await;
    assert_eq!(house.run_word().await, "queued");
    let second = house.claim_as("other").await.unwrap();
    assert_eq!(second.lease.attempt, AttemptId { run: run_id(&house), number: 2 });
    house.rest().await;

    assert!(matches!(house.beat(&late).await, Heard::Fenced { .. }));
    let append = house.controller.append_log(&late.lease, 6, b"late\n", &[]).await;
    assert!(matches!(append, Err(ProtocolError::Fenced { .. })), "{append:?}");
    let progress = house.controller.progress(&late.lease, &[], None).await;
    assert!(matches!(progress, Err(ProtocolError::Fenced { .. })), "{progress:?}");
    let finish = house.controller.finish(&late.lease, house.report(AttemptEnd::Passed, 6)).await;
    assert!(matches!(finish, Err(ProtocolError::Fenced { .. })), "{finish:?}");
    assert!(house.controller.held(&worker()).await.unwrap().is_empty());

    house.carry_out(&second, AttemptEnd::Passed).await.unwrap();
    house.rest().await;
    assert_eq!(house.status(1).await, "passed");
    let attempts = house.controller.run(&run_id(&house)).await.unwrap().unwrap().attempts;
    assert!(attempts[0].attempt.lost.is_some() && attempts[1].attempt.report.is_some());
    let log = house.controller.read_log(&late.lease.attempt, 0, 100).await.unwrap();
    assert_eq!((log.bytes.as_slice(), log.log.closed), (&b"early\n"[..], true));
}

#[tokio::test]
async fn an_attempt_that_is_lost_for_good_writes_no_byte_more_though_its_log_is_not_closed_yet() {
    for priced in [false, true] {
        let (house, late) = one().await;
        house.logs.priced.store(priced, std::sync::atomic::Ordering::SeqCst);
        house.controller.append_log(&late.lease, 0, b"early\n", &[]).await.unwrap();
        house.pass(300).await;
        house.claim_as("other").await.unwrap();
        for (offset, bytes) in [(0, &b"early\nlate\n"[..]), (6, b"late\n"), (0, b"early\n"), (9, b"x")] {
            let append = house.controller.append_log(&late.lease, offset, bytes, &[]).await;
            assert!(matches!(append, Err(ProtocolError::Fenced { .. })), "{append:?}");
        }
        let log = house.controller.read_log(&late.lease.attempt, 0, 100).await.unwrap();
        assert_eq!((log.bytes.as_slice(), log.log.closed), (&b"early\n"[..], false));
    }
}

#[tokio::test]
async fn that_someone_reads_along_is_noted_only_while_more_may_come() {
    let (house, assignment) = one().await;
    house.logs.priced.store(true, std::sync::atomic::Ordering::SeqCst);
    let (lease, attempt) = (&assignment.lease, &assignment.lease.attempt);
    let is_noted = || async { house.store.read(&[keys::log_watch(attempt)]).await.unwrap()[0].is_some() };
    house.controller.watch_log(attempt).await.unwrap();
    assert!(is_noted().await);
    let stored = house.controller.append_log(lease, 0, b"hello\n", &[]).await.unwrap();
    assert_eq!(stored.pace, branchline_model::Pace::Watched);
    house.step(61);
    let stored = house.controller.append_log(lease, 6, b"again\n", &[]).await.unwrap();
    assert_eq!(stored.pace, branchline_model::Pace::Unwatched);
    house.controller.finish(lease, house.report(AttemptEnd::Passed, 12)).await.unwrap();
    house.store.discard(&[keys::log_watch(attempt)]).await.unwrap();
    house.controller.watch_log(attempt).await.unwrap();
    assert!(!is_noted().await);
}

#[tokio::test]
async fn nobody_writes_into_the_log_of_anothers_attempt() {
    let (house, assignment) = one().await;
    let stranger = Lease { worker: WorkerId::new("stranger"), ..assignment.lease.clone() };
    let append = house.controller.append_log(&stranger, 0, b"mine\n", &[]).await;
    assert!(matches!(append, Err(ProtocolError::Fenced { .. })), "{append:?}");
    let log = house.controller.read_log(&stranger.attempt, 0, 100).await.unwrap();
    assert_eq!(log.log.bytes, 0);
}

#[tokio::test]
async fn bytes_that_are_sent_again_after_a_last_word_whose_answer_was_lost_are_there() {
    let (house, assignment) = one().await;
    house.carry_out(&assignment, AttemptEnd::Passed).await.unwrap();
    let again = house.controller.append_log(&assignment.lease, 0, b"hello\n", &[]).await.unwrap();
    assert_eq!(again.bytes, 6);
    let more = house.controller.append_log(&assignment.lease, 6, b"more\n", &[]).await;
    assert!(matches!(more, Err(ProtocolError::Fenced { .. })), "{more:?}");
}

#[tokio::test]
async fn a_log_that_is_begun_after_its_build_was_retired_is_removed() {
    let (house, assignment) = one().await;
    let lease = assignment.lease;
    let (store, clock, build) = (house.store.clone(), house.clock.clone(), lease.attempt.run.build.clone());
    // Its first row goes, and its logs are removed; of what goes after them, some may be there still.
    house.logs.before_next(async move {
        clock.step(std::time::Duration::from_secs(2));
        store.discard(&[keys::build(&build)]).await.unwrap();
    });
    let append = house.controller.append_log(&lease, 0, b"late\n", &[]).await;
    assert!(matches!(append, Err(ProtocolError::Fenced { .. })), "{append:?}");
    assert!(!house.closed_log(&lease.attempt).with_extension("log.open").exists());
}

#[tokio::test]
async fn a_log_whose_build_is_retired_while_it_is_closed_is_not_made_anew() {
    let (house, late) = one().await;
    house.pass(300).await;
    house.claim_as("other").await.unwrap();
    let (store, build) = (house.store.clone(), late.lease.attempt.run.build.clone());
    house.logs.before_next(async move { store.discard(&[keys::build(&build)]).await.unwrap() });
    house.controller.perform().await.unwrap();
    assert!(!house.closed_log(&late.lease.attempt).exists());
    assert_eq!(house.controller.effects().await.unwrap().pending, []);
}

#[tokio::test]
async fn a_log_that_whoever_died_has_closed_after_its_run_was_retired_is_removed() {
    let (house, late) = one().await;
    house.pass(300).await;
    house.claim_as("other").await.unwrap();
    house.forget_run(&late.lease.attempt.run).await;
    house.logs.close_log(&late.lease.attempt).await.unwrap();
    house.controller.perform().await.unwrap();
    assert!(!house.closed_log(&late.lease.attempt).exists());
}

#[tokio::test]
async fn a_worker_that_was_cut_off_and_is_back_in_time_goes_on_with_whatever_it_says_first() {
    for first in ["heartbeat", "held", "begun", "progress", "append", "nothing"] {
        let (house, assignment) = one().await;
        house.pass(300).await;
        assert_eq!(house.run_word().await, "queued");
        let lease = &assignment.lease;
        match first {
            "append" => {
                house.controller.append_log(lease, 0, b"hello\n", &[]).await.unwrap();
            }
            "heartbeat" => {
                assert_eq!(house.beat(&assignment).await, Heard::Counts { milliseconds: 180_000 });
            }
            "held" => {
                assert_eq!(
                    house.controller.held(&worker()).await.unwrap(),
                    std::slice::from_ref(&assignment)
                );
            }
            "begun" => {
                house.controller.begun(lease, house.clock.now()).await.unwrap();
            }
            "progress" => house.controller.progress(lease, &[], None).await.unwrap(),
            _ => {}
        }
        assert_eq!(house.claim_as("other").await.is_none(), first != "nothing", "{first}");
        if first == "nothing" {
            // The other one was quicker.
            continue;
        }
        house.controller.append_log(lease, 0, b"hello\n", &[]).await.unwrap();
        house.controller.finish(lease, house.report(AttemptEnd::Passed, 6)).await.unwrap();
        house.rest().await;
        assert_eq!(house.status(1).await, "passed", "{first}");
    }
}

#[tokio::test]
async fn the_last_word_of_a_worker_that_was_cut_off_counts_where_no_other_attempt_was_begun() {
    let (house, assignment) = one().await;
    house.pass(300).await;
    house.controller.finish(&assignment.lease, house.report(AttemptEnd::Passed, 0)).await.unwrap();
    house.rest().await;
    assert_eq!(house.status(1).await, "passed");
    assert!(house.claim_as("other").await.is_none());
}

#[tokio::test]
async fn a_run_whose_workers_are_lost_again_and_again_ends_with_the_reason() {
    let (house, _) = one().await;
    for number in 2..=3 {
        house.pass(300).await;
        house.claim_as(&format!("w{number}")).await.unwrap();
        house.rest().await;
    }
    house.pass(300).await;
    assert_eq!(house.status(1).await, "errored");
    let view = house.controller.run(&run_id(&house)).await.unwrap().unwrap();
    let branchline_model::RunState::Ended { reason: Some(reason), .. } = view.run.state else { panic!() };
    assert!(reason.to_string().starts_with("its worker `w3` was lost"), "{reason}");
    for attempt in view.attempts {
        let log = house.controller.read_log(&attempt.attempt.id, 0, 1).await.unwrap();
        assert!(log.log.closed, "{}", attempt.attempt.id);
    }
}

#[tokio::test]
async fn nobody_is_lost_while_the_controller_was_away_nor_right_after() {
    let (house, assignment) = one().await;
    house.step(10_800);
    house.rest().await;
    assert_eq!(house.run_word().await, "starting");
    house.pass(150).await;
    assert_eq!(house.run_word().await, "starting");
    assert!(matches!(house.beat(&assignment).await, Heard::Counts { .. }));
    // A short absence that only the process itself knows of.
    house.step(100);
    house.controller.begin_listening().await.unwrap();
    house.pass(150).await;
    assert_eq!(house.run_word().await, "starting");
    house.pass(60).await;
    assert_eq!(house.run_word().await, "queued");
}

#[tokio::test]
async fn a_clock_that_is_set_back_neither_loses_a_worker_nor_keeps_a_lost_one_for_hours() {
    let (house, assignment) = one().await;
    house.clock.set(branchline_model::Timestamp(house.clock.now().0 - 86_400_000));
    house.rest().await;
    house.pass(150).await;
    assert!(matches!(house.beat(&assignment).await, Heard::Counts { .. }));
    house.pass(170).await;
    assert_eq!(house.run_word().await, "starting");
    house.pass(60).await;
    assert_eq!(house.run_word().await, "queued");
}

#[tokio::test]
async fn a_heartbeat_tells_what_is_to_stop_and_nobody_speaks_for_another() {
    let (house, assignment) = one().await;
    house.orders_go(Way::Away);
    house.controller.cancel_build(&house.id(1), &branchline_model::Actor::new("ann")).await.unwrap();
    assert!(matches!(house.beat(&assignment).await, Heard::Stop { .. }));
    let stranger = WorkerId::new("stranger");
    let answer = house.controller.heartbeat(&stranger, std::slice::from_ref(&assignment.lease)).await;
    assert!(matches!(answer.unwrap()[0], Heard::Fenced { .. }));
}

#[tokio::test]
async fn ten_ticks_at_once_lose_an_attempt_once() {
    let (house, _) = one().await;
    house.pass(160).await;
    house.step(30);
    let mut ticks = tokio::task::JoinSet::new();
    for _ in 0..10 {
        let controller = house.controller.clone();
        ticks.spawn(async move { controller.tick(std::time::Duration::from_secs(60)).await });
    }
    while let Some(ticked) = ticks.join_next().await {
        ticked.unwrap();
    }
    assert_eq!(house.run_word().await, "queued");
    house.pass(10).await;
    assert_eq!(house.claim_as("other").await.unwrap().lease.attempt.number, 2);
    assert!(house.claim_as("third").await.is_none());
}

#[tokio::test]
async fn a_worker_that_asks_what_it_holds_is_told_what_had_begun() {
    let (house, assignment) = one().await;
    let begun = async || house.controller.held(&worker()).await.unwrap().remove(0).begun;
    assert!(!begun().await);
    house.controller.begun(&assignment.lease, house.clock.now()).await.unwrap();
    assert!(begun().await);
    house.pass(300).await;
    assert_eq!(house.run_word().await, "queued");
    assert!(begun().await, "it was lost, and comes back by asking");
    assert_eq!(house.run_word().await, "running");
}

/// An attempt of a run that must not begin twice.
async fn one_not_repeatable() -> (House, Assignment) {
    let (house, assignment) = one().await;
    let mut definition = assignment.definition.clone();
    definition.retry.repeatable = false;
    let row = RunDefinitionRow(definition).into();
    house.store.commit_if_unchanged(vec![Change::Put { row, expected: Expectation::Any }]).await.unwrap();
    (house, assignment)
}

#[tokio::test]
async fn a_lost_run_that_must_not_begin_twice_is_tried_again_only_where_it_had_not_begun() {
    let (house, _) = one_not_repeatable().await;
    house.pass(300).await;
    assert_eq!(house.run_word().await, "queued");

    let (house, assignment) = one_not_repeatable().await;
    house.controller.begun(&assignment.lease, house.clock.now()).await.unwrap();
    house.pass(300).await;
    assert_eq!(house.run_word().await, "errored");
    assert!(house.claim_as("other").await.is_none());
}

#[tokio::test]
async fn a_hundred_leases_that_end_together_are_looked_at_beside_each_other_and_not_all_at_once() {
    let jobs: Vec<String> =
        (0..100).map(|job| format!("j{job}: {{process: true, steps: ['true']}}")).collect();
    let house = House::with(&[("ci", &format!("{{on: push, jobs: {{{}}}}}", jobs.join(", ")))]).await;
    house.look().await;
    assert_eq!(house.claim(100).await.len(), 100);
    house.rest().await;
    for _ in 0..5 {
        house.step(30);
        house.rest().await;
    }
    house.watched.most_reading.store(0, Ordering::SeqCst);
    house.step(31);
    assert_eq!(house.controller.pass_leases().await.unwrap(), 100);
    let at_once = house.watched.most_reading.load(Ordering::SeqCst);
    assert!((2..=16).contains(&at_once), "{at_once}");
}
