//! Retention: what is too much or too old goes whole, nothing else does, and whatever is cut off is gone on with.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use branchline_controller::Part;
use branchline_model::{AttemptEnd, AttemptId, Digest, EventKey, PipelineName, RunId, keys};
use branchline_ports::{Clock, NewArtifact, Objects, Page, Store};

use crate::house::House;
use crate::ticks::Busy;

const DAY: u64 = 86_400;

fn pipeline(retention: &str) -> String {
    format!(
        "{{on: {{push: {{}}, manual: true}}, retention: {retention}, jobs: {{a: {{process: true, steps: ['true']}}}}}}"
    )
}

async fn house(retention: &str) -> House {
    let house = House::with(&[("ci", &pipeline(retention))]).await;
    house.look().await;
    house
}

/// Ends everything that waits, with a log each.
async fn end_all(house: &House) {
    for assignment in house.claim(100).await {
        house.carry_out(&assignment, AttemptEnd::Passed).await.unwrap();
    }
    house.rest().await;
}

async fn push(house: &House, count: usize) {
    for number in 0..count {
        house.commit(&format!("Push {number}"));
        house.look().await;
        end_all(house).await;
    }
}

async fn numbers(house: &House) -> Vec<u64> {
    house.builds().await.iter().map(|build| build.id.number).collect()
}

fn attempt(house: &House, build: u64) -> AttemptId {
    AttemptId { run: RunId { build: house.id(build), index: 1 }, number: 1 }
}

/// Whatever is stored of a build, but in the rows of the repository and its refs.
async fn left_of(house: &House, build: u64) -> Vec<String> {
    let id = house.id(build);
    let run = RunId { build: id.clone(), index: 1 };
    let mut left = Vec::new();
    for partition in [keys::build_parts(&id), keys::run_parts(&run)] {
        left.extend(house.store.page(&Page::of(partition, 100)).await.unwrap());
    }
    let named: Vec<_> = [keys::DEADLINES, keys::RETENTION, keys::ENDED_RUNS, keys::PENDING_EFFECTS]
        .map(str::to_owned)
        .into_iter()
        .chain([
            keys::kept_builds(&house.repository, &PipelineName::new("ci")),
            keys::builds(&house.repository),
        ])
        .collect();
    for partition in named {
        let rows = house.store.page(&Page::of(partition, 1_000)).await.unwrap();
        left.extend(rows.into_iter().filter(|row| {
            let sort = row.value.key().sort;
            sort.ends_with(&format!("/{id}")) || sort == format!("{build:010}")
        }));
    }
    let log = house.controller.read_log(&attempt(house, build), 0, 100).await.unwrap();
    let mut left: Vec<String> = left.into_iter().map(|row| row.value.key().to_string()).collect();
    if !log.bytes.is_empty() {
        left.push(format!("the log of build {build}"));
    }
    left
}

#[tokio::test]
async fn only_so_many_builds_of_a_pipeline_are_kept_and_nothing_is_left_of_the_others() {
    let house = house("{builds: 2}").await;
    end_all(&house).await;
    assert_ne!(left_of(&house, 1).await, [""; 0]);
    push(&house, 4).await;
    assert_eq!(numbers(&house).await, [4, 5]);
    for gone in 1..=3 {
        assert_eq!(left_of(&house, gone).await, [""; 0], "build {gone}");
        let event = EventKey::new(format!("{}/refs/heads/main/{gone}", house.repository));
        assert_eq!(house.controller.event(&event).await.unwrap(), None);
    }
    let log = house.controller.read_log(&attempt(&house, 5), 0, 100).await.unwrap();
    assert_eq!(log.bytes, b"hello\n");
}

#[tokio::test]
async fn a_build_or_an_event_that_cannot_be_read_goes_in_its_time_and_keeps_no_other_from_going() {
    let house = house("{builds: 2}").await;
    end_all(&house).await;
    push(&house, 1).await;
    let event = EventKey::new(format!("{}/refs/heads/main/2", house.repository));
    house.store.poison(keys::build(&house.id(1)));
    house.store.poison(keys::event(&event));
    push(&house, 3).await;
    assert_eq!(numbers(&house).await, [4, 5]);
    for gone in 1..=3 {
        assert_eq!(left_of(&house, gone).await, [""; 0], "build {gone}");
    }
    let is_there = || async { house.store.read(&[keys::event(&event)]).await.unwrap()[0].is_some() };
    assert!(is_there().await, "nobody can say what else it has made");
    house.step(91 * DAY);
    house.rest().await;
    assert!(!is_there().await);
}

#[tokio::test]
async fn an_event_stays_while_a_build_of_it_is_there_that_cannot_be_read() {
    let (few, many) = (pipeline("{builds: 1}"), pipeline("{builds: 2}"));
    let house = House::with(&[("few", &few), ("many", &many)]).await;
    house.look().await;
    end_all(&house).await;
    let event = EventKey::new(format!("{}/refs/heads/main/1", house.repository));
    house.store.poison(keys::build(&house.id(2)));
    push(&house, 1).await;
    assert!(house.controller.event(&event).await.unwrap().is_some());
}

#[tokio::test]
async fn a_build_that_cannot_be_removed_keeps_no_other_from_going_and_goes_when_it_can() {
    let house = house("{builds: 1}").await;
    end_all(&house).await;
    let log = house.closed_log(&attempt(&house, 1));
    std::fs::remove_file(&log).unwrap();
    std::fs::create_dir(&log).unwrap();
    for number in 2..=4 {
        house.commit(&format!("Push {number}"));
        house.look().await;
        let assignment = house.claim(1).await.remove(0);
        house.carry_out(&assignment, AttemptEnd::Passed).await.unwrap();
        house.tick().await;
        let ticked = house.tick().await;
        assert_eq!(ticked.failures, [], "it is not tried again and again");
    }
    assert_eq!(numbers(&house).await, [4]);
    // What is to be tried again stands under the build that met it; no other row of a build is left.
    for gone in 2..=3 {
        let left = left_of(&house, gone).await;
        assert!(left.iter().all(|key| key.contains("/build-ended/")), "build {gone}: {left:?}");
    }
    let listed = Page::of(keys::kept_builds(&house.repository, &PipelineName::new("ci")), 10);
    assert_eq!(house.store.page(&listed).await.unwrap().len(), 2, "that it is to go is not forgotten");
    std::fs::remove_dir(&log).unwrap();
    house.step(61);
    assert_eq!(house.tick().await.failures, []);
    for gone in 1..=3 {
        assert_eq!(left_of(&house, gone).await, [""; 0], "build {gone}");
    }
}

#[tokio::test]
async fn a_timeout_does_not_wait_until_many_builds_are_removed() {
    let text = "{on: push, timeout: 1h, retention: {builds: 1}, jobs: {a: {process: true, steps: ['true']}}}";
    let house = House::with(&[("ci", text)]).await;
    let decide = || house.controller.tick_parts(&[Part::Refs, Part::Events], Duration::from_secs(60));
    for number in 1..=20 {
        house.commit(&format!("Push {number}"));
        assert_eq!(decide().await.failures, []);
        let assignment = house.claim(1).await.remove(0);
        house.carry_out(&assignment, AttemptEnd::Passed).await.unwrap();
        house.controller.advance().await.unwrap();
    }
    house.commit("It is claimed by nobody");
    assert_eq!(decide().await.failures, []);
    assert_eq!((house.builds().await.len(), house.status(21).await), (21, "running"));
    // Each look at this clock takes a second, and a tick has twenty.
    let controller =
        house.with_clock(Arc::new(Busy::from(house.clock.now().after(Duration::from_secs(3_601)))));
    let ticked = controller.tick(Duration::from_secs(20)).await;
    assert!(ticked.unfinished.contains(&Part::Retention), "{ticked:?}");
    assert_eq!(house.status(21).await, "timed_out");
}

#[tokio::test]
async fn an_upload_of_a_build_that_is_retired_meanwhile_is_removed_by_its_own_deadline() {
    let house = house("{builds: 1}").await;
    let assignment = house.claim(1).await.remove(0);
    let new = NewArtifact {
        name: "one".parse().unwrap(),
        bytes: 5,
        sha256: Digest::of(b"bytes"),
        parts: Vec::new(),
    };
    let begun = house.controller.begin_upload(&assignment.lease, new).await.unwrap();
    let mut bytes = Some(b"bytes".to_vec());
    house.controller.put_upload(&assignment.lease, &begun.id, &mut bytes).await.unwrap();
    house.carry_out(&assignment, AttemptEnd::Passed).await.unwrap();
    house.rest().await;
    push(&house, 1).await;
    assert_eq!(numbers(&house).await, [2]);
    house.step(2 * 60 * 60);
    house.rest().await;
    assert_eq!(house.objects().list_objects("", None, 10).await.unwrap(), []);
    assert_eq!(left_of(&house, 1).await, [""; 0]);
}

#[tokio::test]
async fn numbers_are_not_given_again() {
    let house = house("{builds: 1}").await;
    end_all(&house).await;
    push(&house, 3).await;
    assert_eq!(numbers(&house).await, [4]);
}

#[tokio::test]
async fn a_build_is_kept_for_its_days_and_the_newest_for_ever() {
    let house = house("{days: 10}").await;
    end_all(&house).await;
    push(&house, 1).await;
    house.step(10 * DAY - 1);
    house.rest().await;
    assert_eq!(numbers(&house).await, [1, 2]);
    house.step(2);
    house.rest().await;
    assert_eq!((numbers(&house).await, left_of(&house, 1).await), (vec![2], Vec::new()));
    house.step(1_000 * DAY);
    house.rest().await;
    assert_eq!(numbers(&house).await, [2], "it is the newest");
    push(&house, 1).await;
    assert_eq!((numbers(&house).await, left_of(&house, 2).await), (vec![3], Vec::new()));
}

#[tokio::test]
async fn a_build_that_runs_is_never_retired_however_many_newer_ones_have_ended() {
    let house = house("{builds: 1, days: 1}").await;
    let first = house.claim(1).await.remove(0);
    push(&house, 3).await;
    assert_eq!(numbers(&house).await, [1, 4]);
    house.step(2);
    house.carry_out(&first, AttemptEnd::Passed).await.unwrap();
    house.rest().await;
    assert_eq!(numbers(&house).await, [4], "it was older than the newest when it ended");
}

#[tokio::test]
async fn pipelines_are_counted_each_for_itself() {
    let (few, many) = (pipeline("{builds: 1}"), pipeline("{builds: 3}"));
    let house = House::with(&[("few", &few), ("many", &many)]).await;
    house.look().await;
    end_all(&house).await;
    push(&house, 4).await;
    let kept: BTreeSet<String> =
        house.builds().await.iter().map(|build| format!("{} {}", build.pipeline, build.id.number)).collect();
    let expected = ["few 9", "many 6", "many 8", "many 10"].map(str::to_owned);
    assert_eq!(kept, BTreeSet::from(expected));
}

#[tokio::test]
async fn a_cancelled_and_an_invalid_build_count_too() {
    let house = house("{builds: 2}").await;
    end_all(&house).await;
    house.commit("To be cancelled");
    house.look().await;
    house.controller.cancel_build(&house.id(2), &branchline_model::Actor::new("ann")).await.unwrap();
    house.rest().await;
    push(&house, 1).await;
    assert_eq!(numbers(&house).await, [2, 3]);
    std::fs::write(house.path().join(".branchline/ci.yaml"), "{on: push, jobs: 5}").unwrap();
    push(&house, 3).await;
    assert_eq!(
        numbers(&house).await,
        [2, 3, 4, 5, 6],
        "an invalid file keeps as many as one that says nothing"
    );
}

#[tokio::test]
async fn a_manual_start_that_is_repeated_after_its_build_was_retired_is_not_built_again() {
    let house = house("{builds: 1}").await;
    end_all(&house).await;
    let started = house.start("ci", Some("deploy-1")).await.unwrap();
    assert_eq!(started.builds, [house.id(2)]);
    end_all(&house).await;
    push(&house, 2).await;
    assert_eq!(numbers(&house).await, [4]);
    assert_eq!(house.start("ci", Some("deploy-1")).await.unwrap().builds, [house.id(2)]);
    assert_eq!(numbers(&house).await, [4]);
    house.step(91 * DAY);
    house.rest().await;
    assert_eq!(house.controller.event(&started.event).await.unwrap(), None, "ninety days are enough");
}

#[tokio::test]
async fn an_event_that_made_no_build_is_forgotten_after_ninety_days() {
    let house = House::with(&[(
        "ci",
        "{on: {push: {branches: [never]}}, jobs: {a: {process: true, steps: ['true']}}}",
    )])
    .await;
    house.look().await;
    let event = EventKey::new(format!("{}/refs/heads/main/1", house.repository));
    house.step(89 * DAY);
    house.rest().await;
    assert!(house.controller.event(&event).await.unwrap().is_some());
    house.step(2 * DAY);
    house.rest().await;
    assert_eq!(house.controller.event(&event).await.unwrap(), None);
    house.look().await;
    assert_eq!(numbers(&house).await, [0; 0], "its ref remembers the move");
}

#[tokio::test]
async fn an_event_stays_as_long_as_one_of_its_builds() {
    let (few, many) = (pipeline("{builds: 1}"), pipeline("{builds: 2}"));
    let house = House::with(&[("few", &few), ("many", &many)]).await;
    house.look().await;
    end_all(&house).await;
    let event = EventKey::new(format!("{}/refs/heads/main/1", house.repository));
    push(&house, 1).await;
    assert_eq!(numbers(&house).await, [2, 3, 4]);
    assert!(house.controller.event(&event).await.unwrap().is_some());
    push(&house, 1).await;
    assert_eq!(house.controller.event(&event).await.unwrap(), None);
}

/// The store fails at each write of a retirement in turn; whoever looks meanwhile sees the build whole or not at all, and in the
/// end nothing is left of it.
#[tokio::test]
async fn a_retirement_that_is_cut_off_anywhere_shows_no_half_build_and_is_gone_on_with() {
    let mut cuts = 0;
    for cut in 0.. {
        let house = house("{builds: 1}").await;
        end_all(&house).await;
        house.commit("The next");
        house.look().await;
        let assignment = house.claim(1).await.remove(0);
        house.carry_out(&assignment, AttemptEnd::Passed).await.unwrap();
        house.controller.advance().await.unwrap();
        house.watched.refuse_after(cut);
        let was_cut = house.controller.pass_retention().await.is_err();
        match house.controller.build(&house.id(1)).await.unwrap() {
            Some(view) => assert_eq!((view.runs.len(), view.definition.jobs.len()), (1, 1)),
            None => assert_eq!(numbers(&house).await, [2]),
        }
        house.watched.refuse(false);
        house.step(61);
        house.rest().await;
        assert_eq!(numbers(&house).await, [2], "cut at {cut}");
        // A deadline may be left, which finds nothing.
        house.step(181 * DAY);
        house.rest().await;
        assert_eq!(left_of(&house, 1).await, [""; 0], "cut at {cut}");
        if !was_cut {
            break;
        }
        cuts += 1;
    }
    assert!(cuts >= 6, "only {cuts} places to cut");
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_ticks_at_once_retire_each_build_once() {
    let house = house("{builds: 2}").await;
    end_all(&house).await;
    for number in 0..5 {
        house.commit(&format!("Push {number}"));
        house.look().await;
    }
    for assignment in house.claim(100).await {
        house.carry_out(&assignment, AttemptEnd::Passed).await.unwrap();
    }
    let mut all = tokio::task::JoinSet::new();
    for _ in 0..10 {
        let controller = house.controller.clone();
        all.spawn(async move { controller.tick(Duration::from_secs(60)).await.failures });
    }
    for failures in all.join_all().await {
        assert_eq!(failures, []);
    }
    house.rest().await;
    assert_eq!(numbers(&house).await, [5, 6]);
    // A deadline may be left, which finds nothing.
    house.step(181 * DAY);
    house.rest().await;
    for gone in 1..=4 {
        assert_eq!(left_of(&house, gone).await, [""; 0], "build {gone}");
    }
}

#[tokio::test]
async fn a_build_of_a_thousand_runs_is_retired_whole() {
    let jobs: Vec<String> = (0..1_000)
        .map(|job| format!("j{job}: {{process: true, checkout: false, steps: ['true']}}"))
        .collect();
    let big = format!("{{on: push, retention: {{builds: 1}}, jobs: {{{}}}}}", jobs.join(", "));
    let house = House::with(&[("ci", &big)]).await;
    house.look().await;
    let taken = house.claim(1_000).await;
    for assignment in &taken {
        house.carry_out(assignment, AttemptEnd::Passed).await.unwrap();
    }
    house.rest().await;
    std::fs::write(house.path().join(".branchline/ci.yaml"), pipeline("{builds: 1}")).unwrap();
    push(&house, 1).await;
    assert_eq!(numbers(&house).await, [2]);
    assert_eq!(left_of(&house, 1).await, [""; 0]);
    for assignment in taken {
        let attempt = assignment.lease.attempt;
        assert_eq!(house.controller.run(&attempt.run).await.unwrap(), None);
        assert_eq!(house.controller.read_log(&attempt, 0, 1).await.unwrap().log.bytes, 0);
    }
}

#[tokio::test]
async fn a_one_job_build_costs_few_commits_from_its_end_to_its_retirement() {
    let house = house("{builds: 1}").await;
    end_all(&house).await;
    push(&house, 1).await;
    let before = house.watched.commits.load(Ordering::SeqCst);
    push(&house, 1).await;
    let commits = house.watched.commits.load(Ordering::SeqCst) - before;
    // Of which eight are the build's own: seen, decided, claimed, begun, ended, folded in, and the log's two looks are none.
    assert!(commits <= 16, "{commits} commits");
}
