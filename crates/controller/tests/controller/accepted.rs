//! What was accepted is decided once, whatever happens in between.

use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::Duration;

use branchline_controller::{Part, Resolved, StartError};
use branchline_model::{Change, EventKey, EventStatus, Row};
use branchline_ports::Clock;

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

/// A house whose branch is seen at a commit that its repository does not hold any more, or not yet; and the key of the event.
async fn without_its_head() -> (House, Hidden, EventKey) {
    let house = House::with(&[("ci", CI)]).await;
    house.look().await;
    let hidden = Hidden::new(&house, &house.commit("Not everywhere yet"));
    house.controller.observe(&house.repository, None).await.unwrap();
    hidden.hide();
    let key = house.controller.due_events(10).await.unwrap().pop().unwrap().event;
    (house, hidden, key)
}

/// A commit that can be taken away and given back, as a replica that lags behind has it.
struct Hidden {
    object: PathBuf,
}

impl Hidden {
    fn new(house: &House, commit: &str) -> Self {
        Self { object: house.path().join(".git/objects").join(&commit[..2]).join(&commit[2..]) }
    }

    fn hide(&self) {
        std::fs::rename(&self.object, self.object.with_extension("hidden")).unwrap();
    }

    fn show(&self) {
        std::fs::rename(self.object.with_extension("hidden"), &self.object).unwrap();
    }
}

async fn resolve_what_is_due(house: &House) {
    let ticked = house.controller.tick_parts(&[Part::Events], Duration::from_secs(60)).await;
    assert_eq!(ticked.failures, []);
}

async fn status(house: &House, key: &EventKey) -> EventStatus {
    house.controller.event(key).await.unwrap().unwrap().status
}

#[tokio::test]
async fn a_commit_that_is_gone_is_looked_for_for_ten_minutes_and_given_up_with_its_reason() {
    let (house, _hidden, key) = without_its_head().await;
    let began = house.clock.now();
    let why = loop {
        resolve_what_is_due(&house).await;
        match status(&house, &key).await {
            EventStatus::Pending { next_try, why, .. } => {
                assert!(why.unwrap().contains("has not come there yet (looked for"));
                house.clock.set(next_try);
            }
            EventStatus::Abandoned { why, .. } => break why,
            EventStatus::Decided { .. } => panic!("it is not there"),
        }
    };
    let took = house.clock.now().since(began);
    assert!((600..750).contains(&took.as_secs()), "{took:?}");
    assert!(why.contains("forced push") && why.contains("looked for 12 times since 2027"), "{why}");
    assert_eq!(house.builds().await.len(), 1);
}

#[tokio::test]
async fn a_push_whose_commit_comes_minutes_later_is_built() {
    let (house, hidden, key) = without_its_head().await;
    for seconds in [1, 120, 240] {
        resolve_what_is_due(&house).await;
        assert!(matches!(status(&house, &key).await, EventStatus::Pending { .. }));
        house.step(seconds);
    }
    hidden.show();
    resolve_what_is_due(&house).await;
    assert_eq!(house.builds().await.len(), 2);
}

#[tokio::test]
async fn a_night_in_which_the_repository_was_away_does_not_count_as_looking_for_its_commit() {
    let (house, hidden, key) = without_its_head().await;
    let away = house.path().with_extension("away");
    std::fs::rename(house.path(), &away).unwrap();
    for _ in 0..20 {
        resolve_what_is_due(&house).await;
        house.step(3_600);
    }
    std::fs::rename(away, house.path()).unwrap();
    resolve_what_is_due(&house).await;
    assert!(matches!(status(&house, &key).await, EventStatus::Pending { .. }));
    hidden.show();
    house.step(1);
    resolve_what_is_due(&house).await;
    assert_eq!(house.builds().await.len(), 2);
}

#[tokio::test]
async fn who_starts_a_commit_that_is_gone_is_told_so_at_once_and_has_the_last_word_after_ten_minutes() {
    let (house, _hidden, _) = without_its_head().await;
    let started = house.start("ci", Some("by-hand")).await.unwrap();
    let why = started.pending.unwrap();
    assert!(
        why.contains("has no commit") && why.contains("given up after 2027-01-15T08:10:00.000Z"),
        "{why}"
    );
    for _ in 0..12 {
        house.step(121);
        resolve_what_is_due(&house).await;
    }
    let given_up = house.start("ci", Some("by-hand")).await.unwrap_err();
    assert!(matches!(given_up, StartError::Abandoned { .. }), "{given_up}");
}

#[tokio::test]
async fn who_could_not_find_a_commit_that_another_found_meanwhile_answers_with_its_build() {
    let (house, hidden, key) = without_its_head().await;
    let (another, event) = (house.controller.clone(), key.clone());
    house.watched.before_next_commit(async move {
        hidden.show();
        another.resolve(&event).await.unwrap();
    });
    let resolved = house.controller.resolve(&key).await.unwrap();
    assert!(
        matches!(&resolved, Resolved::Decided { builds, .. } if *builds == [house.id(2)]),
        "{resolved:?}"
    );
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
        let now = house.clock.now();
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
async fn a_repository_that_never_answers_is_asked_again_later() {
    let house = House::with(&[("ci", CI)]).await;
    house.controller.observe(&house.repository, None).await.unwrap();
    let key = house.controller.due_events(10).await.unwrap().remove(0).event;
    house.git.hangs.store(true, Ordering::SeqCst);
    let controller = house.controller.clone();
    let looking =
        tokio::spawn(async move { controller.tick_parts(&[Part::Events], Duration::from_secs(60)).await });
    house.git.asked.notified().await;
    house.step(120);
    assert_eq!(looking.await.unwrap().failures, []);
    let EventStatus::Pending { why, failures, .. } = status(&house, &key).await else { panic!() };
    assert!(failures == 1 && why.unwrap().contains("within 120 s"));
    house.git.hangs.store(false, Ordering::SeqCst);
    house.step(1);
    house.rest().await;
    assert_eq!(house.builds().await.len(), 1);
}

#[tokio::test]
async fn a_repository_that_never_says_what_changed_is_asked_again_later() {
    let house = House::with(&[(
        "ci",
        "{on: {push: {paths: ['src/**']}}, jobs: {a: {process: true, steps: ['true']}}}",
    )])
    .await;
    house.look().await;
    std::fs::create_dir(house.path().join("src")).unwrap();
    std::fs::write(house.path().join("src/main.c"), "").unwrap();
    crate::house::git(&house.path(), &["add", "."]);
    house.commit("With a source");
    house.controller.observe(&house.repository, None).await.unwrap();
    let key = house.controller.due_events(10).await.unwrap().remove(0).event;
    house.git.hangs_on_changes.store(true, Ordering::SeqCst);
    let (controller, git) = (house.controller.clone(), house.git.clone());
    let looking =
        tokio::spawn(async move { controller.tick_parts(&[Part::Events], Duration::from_secs(60)).await });
    git.hanging.notified().await;
    house.step(120);
    assert_eq!(looking.await.unwrap().failures, []);
    let EventStatus::Pending { why, failures, .. } = status(&house, &key).await else { panic!() };
    assert!(failures == 1 && why.unwrap().contains("did not say what changed at"));
    house.git.hangs_on_changes.store(false, Ordering::SeqCst);
    house.step(1);
    house.rest().await;
    assert_eq!(house.builds().await.len(), 2);
}

#[tokio::test]
async fn many_events_that_can_never_be_decided_keep_no_other_waiting() {
    let house = House::with(&[("ci", CI)]).await;
    house.look().await;
    let bad = house.commit("Cannot be stored");
    for number in 0..70 {
        git(&house.path(), &["branch", &format!("bad{number}")]);
    }
    git(&house.path(), &["reset", "--quiet", "--hard", "HEAD~1"]);
    house.controller.observe(&house.repository, None).await.unwrap();
    house.watched.refuse_where(
        move |change| matches!(change, Change::Put { row: Row::Build(build), .. } if build.commit.as_str() == bad),
    );
    house.step(1);
    house.commit("Can be");
    house.controller.observe(&house.repository, None).await.unwrap();
    for _ in 0..3 {
        house.tick().await;
    }
    assert_eq!(house.builds().await.len(), 2);
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
async fn a_start_that_others_get_in_the_way_of_is_stored_all_the_same() {
    let house = House::with(&[("ci", CI)]).await;
    house.look().await;
    house.watched.conflict(3);
    let started = house.start("ci", None).await.unwrap();
    assert_eq!((started.builds, started.pending), (vec![house.id(2)], None));
}

#[tokio::test]
async fn a_start_that_could_not_be_stored_is_an_error_and_no_build() {
    let house = House::with(&[("ci", CI)]).await;
    house.look().await;
    house.watched.conflict(usize::MAX);
    let error = house.start("ci", None).await.unwrap_err();
    assert!(error.to_string().contains("try again"), "{error}");
    house.watched.conflict(0);
    house.rest().await;
    assert_eq!(house.builds().await.len(), 1);
}

#[tokio::test]
async fn a_start_that_is_stored_and_cannot_be_decided_now_is_pending_and_no_error() {
    let house = House::with(&[("ci", CI)]).await;
    house.look().await;
    house.watched.refuse_after(1);
    let started = house.start("ci", None).await.unwrap();
    assert!(started.builds.is_empty());
    assert!(started.pending.unwrap().contains("told to refuse"));
    house.watched.refuse(false);
    house.rest().await;
    assert_eq!(house.builds().await.len(), 2);
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
