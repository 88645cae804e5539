//! What was accepted is decided once, whatever happens in between.

use branchline_controller::{Resolved, StartError};
use branchline_model::EventStatus;

use crate::house::{House, git};

const CI: &str = "{on: {push: {}, manual: true}, jobs: {a: {process: true, steps: ['true']}}}";

#[tokio::test]
async fn with_no_bell_at_all_ticks_alone_bring_a_push_to_its_build() {
    let house = House::with(&[("ci", CI)]).await;
    house.look().await;
    assert_eq!(house.status(1).await, "running");
    for assignment in house.claim(10).await {
        house.carry_out(&assignment, branchline_model::AttemptEnd::Passed).await.unwrap();
    }
    house.rest().await;
    assert_eq!(house.status(1).await, "passed");
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_ticks_and_ten_looks_at_once_make_one_build() {
    let house = House::with(&[("ci", CI)]).await;
    let mut all = tokio::task::JoinSet::new();
    for _ in 0..10 {
        let (controller, id) = (house.controller.clone(), house.repository.clone());
        all.spawn(async move {
            controller.observe(&id, None).await.unwrap();
            controller.tick(std::time::Duration::from_secs(60)).await;
        });
    }
    while let Some(done) = all.join_next().await {
        done.unwrap();
    }
    house.rest().await;
    assert_eq!(house.builds().await.len(), 1);
}

#[tokio::test]
async fn builds_are_numbered_in_the_order_of_their_commits() {
    let house = House::with(&[("ci", CI)]).await;
    house.look().await;
    let mut commits = vec![git(&house.path(), &["rev-parse", "HEAD"])];
    for message in ["Second", "Third"] {
        commits.push(house.commit(message));
        house.step(1);
        house.look().await;
    }
    let built: Vec<String> = house.builds().await.iter().map(|build| build.commit.to_string()).collect();
    assert_eq!(built, commits);
}

#[tokio::test]
async fn a_commit_that_is_gone_is_given_up_with_its_reason() {
    let house = House::with(&[("ci", CI)]).await;
    house.look().await;
    // The ref is seen at a commit; before its event is resolved the commit is replaced, and pruned.
    house.commit("Soon gone");
    house.controller.observe(&house.repository, None).await.unwrap();
    let key = house.controller.due_events(10).await.unwrap().pop().unwrap().event;
    git(&house.path(), &["reset", "--quiet", "--hard", "HEAD~1"]);
    git(&house.path(), &["reflog", "expire", "--expire=now", "--all"]);
    git(&house.path(), &["prune", "--expire=now"]);
    let Resolved::Abandoned { why } = house.controller.resolve(&key).await.unwrap() else { panic!() };
    assert!(why.contains("forced push"), "{why}");
    house.rest().await;
    assert_eq!(house.builds().await.len(), 2, "the way back is a move of its own");
}

#[tokio::test]
async fn an_event_of_a_repository_that_cannot_be_reached_waits_longer_each_time_and_is_decided_when_it_is_back()
 {
    let house = House::with(&[("ci", CI)]).await;
    house.controller.observe(&house.repository, None).await.unwrap();
    let key = house.controller.due_events(10).await.unwrap().pop().unwrap().event;
    let gone = house.path().with_extension("gone");
    std::fs::rename(house.path(), &gone).unwrap();
    let mut waits = Vec::new();
    for _ in 0..4 {
        house.tick().await;
        let event = house.controller.event(&key).await.unwrap().unwrap();
        let EventStatus::Pending { next_try, .. } = event.status else { panic!("{event:?}") };
        let now = branchline_ports::Clock::now(&*house.clock);
        waits.push(next_try.since(now).as_secs());
        // Not before its time.
        assert!(house.controller.due_events(10).await.unwrap().is_empty());
        house.clock.set(next_try);
    }
    assert_eq!(waits, [1, 2, 4, 8]);
    std::fs::rename(gone, house.path()).unwrap();
    house.rest().await;
    assert_eq!(house.builds().await.len(), 1);
}

#[tokio::test]
async fn an_event_is_not_given_up_however_long_its_repository_is_away() {
    let house = House::with(&[("ci", CI)]).await;
    house.controller.observe(&house.repository, None).await.unwrap();
    let gone = house.path().with_extension("gone");
    std::fs::rename(house.path(), &gone).unwrap();
    for _ in 0..100 {
        house.tick().await;
        house.step(3_600);
    }
    std::fs::rename(gone, house.path()).unwrap();
    house.rest().await;
    assert_eq!(house.builds().await.len(), 1);
}

#[tokio::test]
async fn the_same_start_asked_for_twice_is_one_build() {
    let house = House::with(&[("ci", CI)]).await;
    house.look().await;
    let first = house.start("ci", Some("deploy-1")).await.unwrap();
    let again = house.start("ci", Some("deploy-1")).await.unwrap();
    assert_eq!(first, again);
    assert_eq!(house.start("ci", None).await.unwrap().builds, [house.id(3)]);
    assert_eq!(house.builds().await.len(), 3);
}

#[tokio::test]
async fn a_start_that_cannot_be_says_what_there_is() {
    let push_only = "{on: push, jobs: {a: {process: true, steps: ['true']}}}";
    let house = House::with(&[("ci", CI), ("push-only", push_only)]).await;
    let early = house.start("ci", None).await.unwrap_err();
    assert!(early.to_string().contains("default branch yet"), "{early}");
    house.look().await;
    let unknown = house.start("nope", None).await.unwrap_err();
    assert_eq!(unknown.to_string(), "nope: no such pipeline at this commit; there are ci, push-only");
    let not_manual = house.start("push-only", None).await.unwrap_err();
    assert!(matches!(not_manual, StartError::NotManual { .. }), "{not_manual}");
    let key = house.start("ci", Some("../x")).await.unwrap_err();
    assert!(matches!(key, StartError::BadIdempotencyKey), "{key}");
}

#[tokio::test]
async fn a_pipeline_file_that_is_a_link_is_an_invalid_build_and_is_not_followed() {
    let house = House::with(&[("ci", CI)]).await;
    std::os::unix::fs::symlink("/etc/passwd", house.path().join(".branchline/link.yaml")).unwrap();
    house.commit("A link");
    house.look().await;
    let builds = house.builds().await;
    let link = builds.iter().find(|build| build.pipeline.as_str() == "link").unwrap();
    assert_eq!(link.state.status().word(), "invalid");
    let view = house.view(link.id.number).await;
    assert!(!view.definition.problems[0].rendered.contains("root:"), "{:?}", view.definition.problems);
}
