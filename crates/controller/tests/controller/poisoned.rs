//! A row that cannot be understood is contained to the build it belongs to: others go on, and that one says what is wrong.
//! One test for each partition that builds share.

use std::time::Duration;

use branchline_model::{
    Actor, AttemptEnd, AttemptId, Change, DueEffect, EndReason, EventStatus, Expectation, Key, LaneId,
    Outcome, PoolName, RefName, Results, Row, RunState, Wants, WorkerId, keys,
};
use branchline_ports::{HandOver, Heard, Page, ProtocolError, Store, StoreError, WorkerProtocol};

use crate::house::{House, worker};

const CI: &str = "{on: {push: {}, manual: true}, timeout: 1h, jobs: {a: {process: true, steps: ['true']}}}";

/// Three builds, each of one run that waits in the queue.
async fn three() -> House {
    let house = House::with(&[("ci", CI)]).await;
    house.look().await;
    for key in ["second", "third"] {
        house.start("ci", Some(key)).await.unwrap();
    }
    house
}

async fn page(house: &House, partition: &str) -> Vec<Row> {
    let page = house.store.page(&Page::of(partition, 100)).await.unwrap();
    page.into_iter().map(|row| row.value).collect()
}

/// The row of a partition that says that it is of this build.
async fn key_of(house: &House, partition: &str, build: u64) -> Key {
    let mark = format!("{}", house.id(build));
    let rows = page(house, partition).await;
    let row =
        rows.iter().find(|row| format!("{row:?}").contains(&mark) || row.key().to_string().contains(&mark));
    row.unwrap_or_else(|| panic!("{partition} has no row of {mark}: {rows:?}")).key()
}

/// The lane in which everything of these tests waits.
fn lane(house: &House) -> LaneId {
    LaneId { pool: PoolName::new("default"), wants: Wants::default(), repository: house.repository.clone() }
}

/// Everything that can still be claimed passes.
async fn work(house: &House) {
    for assignment in house.claim(10).await {
        house.carry_out(&assignment, AttemptEnd::Passed).await.unwrap();
    }
    house.rest().await;
}

async fn statuses(house: &House) -> Vec<&'static str> {
    house.builds().await.iter().map(|build| build.state.status().word()).collect()
}

#[tokio::test]
async fn a_poisoned_place_at_the_head_of_a_queue_lets_the_others_by() {
    let house = three().await;
    let run = house.view(1).await.runs.remove(0);
    let RunState::Queued { place, .. } = run.state else { panic!("{run:?}") };
    house.store.poison(keys::queue_entry(&lane(&house), &place));
    let first = house.claim(1).await;
    assert_eq!(first.len(), 1, "a claim of one takes the next");
    house.carry_out(&first[0], AttemptEnd::Passed).await.unwrap();
    work(&house).await;
    assert_eq!(statuses(&house).await, ["running", "passed", "passed"]);
}

#[tokio::test]
async fn a_poisoned_lane_and_its_demand_are_made_anew_by_who_looks_through_them() {
    let house = three().await;
    let lane = lane(&house);
    house.store.poison(keys::lane(&lane));
    house.store.poison(keys::demand(&lane.pool, &lane.wants));
    work(&house).await;
    assert_eq!(statuses(&house).await, ["passed"; 3]);
}

#[tokio::test]
async fn a_poisoned_lane_or_demand_that_leads_to_nothing_is_made_anew_by_who_queues_next() {
    let house = three().await;
    work(&house).await;
    let lane = lane(&house);
    house.store.poison(keys::lane(&lane));
    house.store.poison(keys::demand(&lane.pool, &lane.wants));
    assert!(house.claim(10).await.is_empty());
    house.start("ci", Some("fourth")).await.unwrap();
    work(&house).await;
    assert_eq!(statuses(&house).await, ["passed"; 4]);
}

#[tokio::test]
async fn of_three_runs_that_wait_the_two_that_can_be_read_are_claimed() {
    let house = three().await;
    house.store.poison(keys::run(&house.view(1).await.runs[0].id));
    let taken = house.claim(3).await;
    assert_eq!(taken.len(), 2);
    let view = house.view(1).await;
    assert_eq!((view.runs.len(), view.unreadable.len()), (0, 1));
    assert!(page(&house, &keys::queue(&lane(&house))).await.is_empty(), "it stands in nobody's way");
    house.controller.cancel_build(&house.id(1), &Actor::new("ann")).await.unwrap();
    assert_eq!(house.status(1).await, "cancelled", "a build with a run that cannot be read can be ended");
}

#[tokio::test]
async fn a_run_whose_definition_cannot_be_read_ends_with_that_reason_when_its_turn_comes() {
    let house = three().await;
    house.store.poison(keys::run_definition(&house.view(1).await.runs[0].id));
    work(&house).await;
    assert_eq!(statuses(&house).await, ["errored", "passed", "passed"]);
    let RunState::Ended { outcome, reason, .. } = house.view(1).await.runs.remove(0).state else { panic!() };
    let Some(EndReason::Unreadable { what }) = reason else { panic!("{reason:?}") };
    assert!(outcome == Outcome::Errored && what.contains("definition"), "{what}");
}

#[tokio::test]
async fn a_poisoned_event_keeps_no_other_from_its_build_and_a_poisoned_place_of_one_nobody() {
    let house = House::with(&[("ci", CI)]).await;
    house.look().await;
    house.commit("Its place is unreadable");
    house.controller.observe(&house.repository, None).await.unwrap();
    let pending = house.controller.due_events(10).await.unwrap().remove(0);
    house.store.poison(keys::pending_event(pending.next_try, &pending.event));
    house.step(1);
    house.commit("Its event is unreadable");
    house.controller.observe(&house.repository, None).await.unwrap();
    let pending = house.controller.due_events(10).await.unwrap().pop().unwrap();
    house.store.poison(keys::event(&pending.event));
    house.step(1);
    house.commit("Good");
    house.look().await;
    let builds = house.builds().await;
    let subjects: Vec<_> = builds.iter().map(|build| build.subject.as_str()).collect();
    assert_eq!(subjects, ["First", "Its place is unreadable", "Good"]);
    assert!(house.controller.due_events(10).await.unwrap().is_empty(), "it is looked at again in an hour");
    let error = house.controller.event(&pending.event).await.unwrap_err();
    assert!(matches!(error, StoreError::Unreadable { .. }), "{error}");
}

#[tokio::test]
async fn a_poisoned_end_of_a_run_keeps_no_other_from_being_folded_in() {
    let house = three().await;
    let taken = house.claim(3).await;
    for assignment in &taken {
        house.carry_out(assignment, AttemptEnd::Passed).await.unwrap();
    }
    house.store.poison(key_of(&house, keys::ENDED_RUNS, 1).await);
    house.rest().await;
    assert_eq!(statuses(&house).await, ["passed"; 3], "its run says how it ended");
    assert!(house.view(1).await.unreadable.is_empty());
}

#[tokio::test]
async fn a_run_that_ended_while_its_end_and_its_own_row_cannot_be_read_keeps_its_build_until_its_time_is_out()
{
    let house = three().await;
    let taken = house.claim(3).await;
    for assignment in &taken {
        house.carry_out(assignment, AttemptEnd::Passed).await.unwrap();
    }
    house.store.poison(key_of(&house, keys::ENDED_RUNS, 1).await);
    house.store.poison(keys::run(&house.view(1).await.runs[0].id));
    house.rest().await;
    assert_eq!(statuses(&house).await, ["running", "passed", "passed"]);
    let unreadable = house.view(1).await.unreadable;
    assert!(unreadable.iter().any(|row| row.key.partition == keys::ENDED_RUNS), "{unreadable:?}");
    house.step(3_601);
    house.rest().await;
    assert_eq!(house.status(1).await, "timed_out");
}

#[tokio::test]
async fn a_lost_worker_is_found_out_though_no_row_of_its_lease_can_be_read() {
    let rows: [fn(&AttemptId) -> Key; 2] = [|id| keys::held_attempt(&worker(), id), keys::attempt];
    for row in rows {
        let house = three().await;
        let attempt = house.claim(1).await.remove(0).lease.attempt;
        house.store.poison(row(&attempt));
        house.store.poison(key_of(&house, keys::LEASE_ENDS, 1).await);
        for _ in 0..20 {
            house.step(30);
            house.rest().await;
        }
        assert_eq!(house.view(1).await.runs[0].state.status().word(), "queued");
    }
}

#[tokio::test]
async fn the_last_word_counts_after_the_rows_of_its_attempt_were_made_anew() {
    let rows: [fn(&AttemptId) -> Key; 2] = [|id| keys::held_attempt(&worker(), id), keys::attempt];
    for row in rows {
        let house = three().await;
        let assignment = house.claim(1).await.remove(0);
        house.store.poison(row(&assignment.lease.attempt));
        house.controller.append_log(&assignment.lease, 0, b"hello\n", &[]).await.unwrap();
        let report = house.report(AttemptEnd::Passed, 6);
        let first = house.controller.finish(&assignment.lease, report.clone()).await;
        assert!(matches!(first, Err(ProtocolError::Unavailable { .. })), "{first:?}");
        house.controller.finish(&assignment.lease, report).await.unwrap();
        house.rest().await;
        assert_eq!(house.status(1).await, "passed");
        assert!(house.controller.held(&worker()).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_run_that_failed_ends_though_nobody_can_read_whether_it_is_tried_again() {
    let house = three().await;
    let assignment = house.claim(1).await.remove(0);
    house.store.poison(keys::run_definition(&assignment.lease.attempt.run));
    let failed = AttemptEnd::StepFailed { step: "true".to_owned(), exit: 1 };
    house.carry_out(&assignment, failed).await.unwrap();
    house.rest().await;
    assert_eq!(house.status(1).await, "failed");
}

#[tokio::test]
async fn an_effect_whose_time_cannot_be_read_is_performed_all_the_same() {
    let house = three().await;
    house.claim(1).await;
    house.controller.cancel_build(&house.id(1), &Actor::new("ann")).await.unwrap();
    house.store.poison(key_of(&house, keys::DUE_EFFECTS, 1).await);
    house.rest().await;
    assert_eq!(house.orders.told.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_build_whose_own_rows_cannot_be_read_is_not_advanced_and_says_why() {
    let house = three().await;
    let definition = keys::build_definition(&house.id(1));
    house.store.poison(definition.clone());
    house.store.poison(keys::build_progress(&house.id(2)));
    work(&house).await;
    assert_eq!(statuses(&house).await, ["running", "running", "passed"]);
    let view = house.view(1).await;
    assert_eq!((view.unreadable[0].key.clone(), view.runs.len()), (definition, 1));
    assert_eq!(house.view(2).await.unreadable.len(), 1);
}

#[tokio::test]
async fn a_job_whose_run_cannot_be_read_when_its_turn_comes_ends_as_errored_and_stops_what_needs_it() {
    let jobs = "
      on: push
      jobs:
        a: {process: true, steps: ['true']}
        b: {process: true, needs: [a], steps: ['true']}
        c: {process: true, needs: [b], steps: ['true']}
        d: {process: true, needs: [a], steps: ['true']}
    ";
    let house = House::with(&[("ci", jobs)]).await;
    house.look().await;
    let [_, b, ..] = &house.view(1).await.runs[..] else { panic!() };
    house.store.poison(keys::run(&b.id));
    work(&house).await;
    work(&house).await;
    let view = house.view(1).await;
    let named = vec![branchline_model::JobName::new("b")];
    let branchline_model::BuildState::Ended { reason, .. } = &view.build.state else { panic!("{view:?}") };
    assert_eq!(reason, &Some(EndReason::JobsFailed { jobs: named, more: 0 }));
    let ends: Vec<_> = view.runs.iter().map(|run| run.state.status().word()).collect();
    assert_eq!((view.build.state.status().word(), ends), ("errored", vec!["passed", "skipped", "passed"]));
    assert_eq!(view.unreadable[0].key, keys::run(&b.id), "it is shown");
}

#[tokio::test]
async fn a_build_some_of_whose_own_rows_are_missing_forgets_no_end_and_keeps_its_time() {
    let rows = [keys::build_progress, keys::build_definition];
    for row in rows {
        let house = three().await;
        let key = row(&house.id(1));
        let lost = house.store.read(std::slice::from_ref(&key)).await.unwrap().remove(0).unwrap();
        house.store.discard(std::slice::from_ref(&key)).await.unwrap();
        work(&house).await;
        assert_eq!(statuses(&house).await, ["running", "passed", "passed"]);
        house.step(3_601);
        house.rest().await;
        let back = Change::Put { row: lost.value, expected: Expectation::Absent };
        house.store.commit_if_unchanged(vec![back]).await.unwrap();
        house.rest().await;
        assert_eq!(house.status(1).await, "passed", "its end is folded in");
    }
}

#[tokio::test]
async fn a_worker_whose_run_cannot_be_read_is_let_go_when_its_build_has_ended() {
    let house = three().await;
    let assignment = house.claim(1).await.remove(0);
    let lease = &assignment.lease;
    house.store.poison(keys::run(&lease.attempt.run));
    let beat = || async {
        house.controller.heartbeat(&worker(), std::slice::from_ref(lease)).await.unwrap().remove(0)
    };
    assert!(matches!(beat().await, Heard::Unknown { .. }));
    let append = house.controller.append_log(lease, 0, b"kept until then\n", &[]).await;
    assert!(matches!(append, Err(ProtocolError::Unavailable { .. })), "{append:?}");
    house.controller.cancel_build(&house.id(1), &Actor::new("ann")).await.unwrap();
    assert!(matches!(beat().await, Heard::Fenced { .. }));
    let finish = house.controller.finish(lease, house.report(AttemptEnd::Passed, 0)).await;
    assert!(matches!(finish, Err(ProtocolError::Fenced { .. })), "{finish:?}");
}

#[tokio::test]
async fn a_build_one_of_whose_runs_cannot_be_read_any_more_is_ended_by_its_timeout() {
    let house = three().await;
    for assignment in house.claim(3).await {
        house.controller.begun(&assignment.lease, branchline_ports::Clock::now(&*house.clock)).await.unwrap();
    }
    house.store.poison(keys::run(&house.view(1).await.runs[0].id));
    house.step(3_601);
    house.rest().await;
    assert_eq!(house.status(1).await, "timed_out");
}

#[tokio::test]
async fn a_poisoned_build_is_listed_as_such_beside_the_others() {
    let house = three().await;
    house.store.poison(keys::build(&house.id(2)));
    work(&house).await;
    assert_eq!(statuses(&house).await, ["passed", "passed"]);
    let list = house.controller.build_list(&house.repository, None, 1).await.unwrap();
    assert_eq!((list.builds[0].id.number, list.unreadable.len()), (3, 0));
    let list = house.controller.build_list(&house.repository, Some(3), 1).await.unwrap();
    assert_eq!((list.builds[0].id.number, &list.unreadable[0].key), (1, &keys::build(&house.id(2))));
    let error = house.controller.build(&house.id(2)).await.unwrap_err();
    assert!(matches!(error, StoreError::Unreadable { .. }), "{error}");
}

#[tokio::test]
async fn a_poisoned_deadline_keeps_nobody_and_a_poisoned_build_no_other_from_timing_out() {
    let house = three().await;
    house.store.poison(key_of(&house, keys::DEADLINES, 1).await);
    house.store.poison(keys::build_definition(&house.id(2)));
    house.step(3_601);
    house.rest().await;
    assert_eq!(statuses(&house).await, ["timed_out", "running", "timed_out"]);
}

#[tokio::test]
async fn a_poisoned_effect_keeps_no_other_from_being_performed() {
    let house = three().await;
    house.claim(3).await;
    for number in 1..=3 {
        house.controller.cancel_build(&house.id(number), &Actor::new("ann")).await.unwrap();
    }
    house.store.poison(key_of(&house, keys::PENDING_EFFECTS, 1).await);
    house.rest().await;
    let told = house.orders.told.lock().unwrap().clone();
    assert_eq!(told.iter().map(|attempt| attempt.run.build.number).collect::<Vec<_>>(), [2, 3]);
}

#[tokio::test]
async fn an_effect_that_is_due_at_two_times_is_one_effect() {
    for is_poisoned in [true, false] {
        let house = three().await;
        house.claim(3).await;
        for number in 1..=3 {
            house.controller.cancel_build(&house.id(number), &Actor::new("ann")).await.unwrap();
        }
        let due = page(&house, keys::DUE_EFFECTS).await;
        let Row::DueEffect(first) = due[0].clone() else { panic!("{due:?}") };
        let second = DueEffect { at: first.at.after(Duration::from_millis(1)), ..first };
        let change = Change::Put { row: second.into(), expected: Expectation::Absent };
        house.store.commit_if_unchanged(vec![change]).await.unwrap();
        if is_poisoned {
            house.store.poison(key_of(&house, keys::PENDING_EFFECTS, 1).await);
        }
        house.step(1);
        house.rest().await;
        assert_eq!(house.orders.told.lock().unwrap().len(), if is_poisoned { 2 } else { 3 });
        assert_eq!(page(&house, keys::DUE_EFFECTS).await.len(), usize::from(is_poisoned));
    }
}

#[tokio::test]
async fn a_job_that_asks_what_a_need_has_said_where_that_cannot_be_read_is_errored_and_not_guessed() {
    let text = "{on: push, jobs: {scan: {process: true, steps: ['true']}, deploy: {process: true, needs: scan, \
                if: 'needs.scan.outputs.found != \"yes\"', steps: ['true']}}}";
    let house = House::with(&[("ci", text)]).await;
    house.look().await;
    let scan = house.claim(1).await.remove(0);
    let results = Results { outputs: [("found".to_owned(), "yes".to_owned())].into(), ..Results::default() };
    house.controller.show_results(&scan.lease, results).await.unwrap();
    house.store.poison(keys::attempt_results(&scan.lease.attempt));
    house.carry_out(&scan, AttemptEnd::Passed).await.unwrap();
    house.rest().await;
    assert_eq!(house.claim(1).await.len(), 0);
    let RunState::Ended { outcome, reason, .. } = house.view(1).await.runs[1].state.clone() else { panic!() };
    assert_eq!(outcome, Outcome::Errored);
    assert!(
        matches!(reason, Some(EndReason::Unreadable { what }) if what.contains("the outputs of the run"))
    );
}

#[tokio::test]
async fn a_poisoned_held_attempt_or_run_keeps_no_other_from_its_worker() {
    let house = three().await;
    house.claim(3).await;
    house.store.poison(key_of(&house, &keys::held_attempts(&worker()), 1).await);
    house.store.poison(keys::run(&house.view(2).await.runs[0].id));
    let held = house.controller.held(&WorkerId::new("worker")).await.unwrap();
    // What was left out the worker would clear away: the row is made anew of its run. The run itself cannot be.
    assert_eq!(held.iter().map(|one| one.lease.attempt.run.build.number).collect::<Vec<_>>(), [1, 3]);
    assert_eq!(page(&house, &keys::held_attempts(&worker())).await.len(), 3, "none of them is forgotten");
}

#[tokio::test]
async fn a_poisoned_repository_or_trouble_hides_no_other() {
    let house = three().await;
    let other =
        house.controller.add_repository(&branchline_model::RepositoryName::new("other"), "/x").await.unwrap();
    house.controller.record_trouble(&other, "gone", branchline_model::Timestamp(0)).await.unwrap();
    house.store.poison(keys::trouble(&other));
    house.store.poison(keys::repository(&house.repository));
    let ids: Vec<_> =
        house.controller.repositories().await.unwrap().into_iter().map(|view| view.repository.id).collect();
    assert_eq!(ids, [other]);
}

#[tokio::test]
async fn a_poisoned_ref_keeps_no_other_from_being_seen() {
    let house = three().await;
    crate::house::git(&house.path(), &["branch", "other"]);
    house.look().await;
    let main: RefName = "refs/heads/main".parse().unwrap();
    house.store.poison(keys::reference(&house.repository, &main));
    house.commit("On main, which cannot be seen");
    crate::house::git(&house.path(), &["branch", "third"]);
    house.look().await;
    let newest = house.builds().await.pop().unwrap();
    assert_eq!(newest.ref_name.to_string(), "refs/heads/third");
}

#[tokio::test]
async fn an_event_that_was_put_off_and_can_be_read_again_waits_as_others_do() {
    let house = House::with(&[("ci", CI)]).await;
    house.controller.observe(&house.repository, None).await.unwrap();
    let pending = house.controller.due_events(10).await.unwrap().remove(0);
    let row = house.store.read(&[keys::event(&pending.event)]).await.unwrap().remove(0).unwrap().value;
    house.store.poison(row.key());
    house.tick().await;
    house.store.commit_if_unchanged(vec![Change::Put { row, expected: Expectation::Any }]).await.unwrap();
    // It is tried once in an hour's time, and not again and again for having been put off.
    std::fs::rename(house.path(), house.path().with_extension("gone")).unwrap();
    house.step(3_600);
    for _ in 0..5 {
        house.tick().await;
    }
    let event = house.controller.event(&pending.event).await.unwrap().unwrap();
    assert!(matches!(event.status, EventStatus::Pending { failures: 1, .. }), "{event:?}");
    assert!(house.controller.due_events(10).await.unwrap().is_empty());
}
