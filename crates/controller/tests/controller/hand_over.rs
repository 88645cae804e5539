//! What workers hand over besides logs, and what they are handed.

use branchline_model::{
    AttemptEnd, EndReason, JobName, Outcome, Results, RunId, RunState, Summary, Test, TestOutcome, Tests,
    WorkerId,
};
use branchline_model::{Content, ObjectKey};
use branchline_ports::{Assignment, HandOver, Lease, NewArtifact, ProtocolError};

use crate::house::House;

const NEEDS: &str = "{on: push, jobs: {build: {process: true, steps: ['true']}, other: {process: true, steps: ['true']}, \
                     ship: {process: true, needs: [build], steps: ['true']}}}";

fn key(name: &str) -> ObjectKey {
    name.parse().unwrap()
}

fn results(version: &str) -> Results {
    Results { outputs: [("version".to_owned(), version.to_owned())].into(), ..Results::default() }
}

async fn shown(house: &House, run: &RunId) -> Vec<Option<Results>> {
    let view = house.controller.run(run).await.unwrap().unwrap();
    view.attempts.into_iter().map(|attempt| attempt.results).collect()
}

/// Uploads and names an artifact, as a worker does.
async fn keep(house: &House, lease: &Lease, name: &str, bytes: &[u8]) {
    let protocol: &dyn HandOver = &house.controller;
    let Content { bytes: length, sha256, .. } = Content::of(bytes);
    let new = NewArtifact { name: key(name), bytes: length, sha256, parts: Vec::new() };
    let begun = protocol.begin_upload(lease, new.clone()).await.unwrap().unwrap();
    protocol.put_upload(lease, &begun.id, &mut Some(bytes.to_vec())).await.unwrap();
    protocol.name_artifact(lease, &begun.id, &new.name).await.unwrap();
    assert_eq!(protocol.begin_upload(lease, new).await, Ok(None), "it is there already");
}

#[tokio::test]
async fn what_an_attempt_shows_is_shown_with_it_and_goes_with_its_build() {
    let house = House::with(&[("ci", NEEDS)]).await;
    house.look().await;
    let assignment = house.claim(1).await.remove(0);
    let (lease, run) = (&assignment.lease, &assignment.lease.attempt.run);
    house.controller.show_results(lease, results("1")).await.unwrap();
    house.controller.show_results(lease, results("2")).await.unwrap();
    assert_eq!(shown(&house, run).await, [Some(results("2"))]);
    let other = Lease { worker: WorkerId::new("another"), ..lease.clone() };
    let refused = house.controller.show_results(&other, results("3")).await;
    assert!(matches!(refused, Err(ProtocolError::Fenced { .. })), "{refused:?}");
    let text = "x".repeat(1 << 20);
    let large = Results { summary: Some(Summary { text, left_out: 0 }), ..Results::default() };
    let refused = house.controller.show_results(lease, large).await;
    assert!(matches!(refused, Err(ProtocolError::Refused { .. })), "{refused:?}");
    house.carry_out(&assignment, AttemptEnd::Passed).await.unwrap();
    let late = house.controller.show_results(lease, results("4")).await;
    assert!(matches!(late, Err(ProtocolError::Fenced { .. })), "{late:?}");
    assert_eq!(shown(&house, run).await, [Some(results("2"))]);
}

#[tokio::test]
async fn a_run_whose_tests_failed_has_failed_and_says_how_many() {
    let house = House::with(&[("ci", NEEDS)]).await;
    house.look().await;
    let assignment = house.claim(1).await.remove(0);
    let (lease, run) = (&assignment.lease, &assignment.lease.attempt.run);
    let name = "adds".to_owned();
    let bad = Test {
        suite: None,
        name,
        outcome: TestOutcome::Failed,
        milliseconds: None,
        message: None,
        place: None,
    };
    let tests = Some(Tests { passed: 1, failed: 1, bad: vec![bad], ..Tests::default() });
    house.controller.show_results(lease, Results { tests, ..Results::default() }).await.unwrap();
    house.carry_out(&assignment, AttemptEnd::TestsFailed { count: 1 }).await.unwrap();
    let view = house.controller.run(run).await.unwrap().unwrap();
    let RunState::Ended { outcome, reason, .. } = view.run.state else { panic!("{:?}", view.run.state) };
    assert_eq!((outcome, reason), (Outcome::Failed, Some(EndReason::TestFailed { count: 1 })));
}

/// Carries out `build` and `other`, each with an artifact; answers the assignment of `ship`.
async fn shipping(house: &House) -> Assignment {
    for assignment in house.claim(10).await {
        let job = assignment.definition.job.as_str().to_owned();
        keep(house, &assignment.lease, "app", format!("made by {job}").as_bytes()).await;
        house.carry_out(&assignment, AttemptEnd::Passed).await.unwrap();
    }
    house.rest().await;
    house.claim(10).await.remove(0)
}

#[tokio::test]
async fn a_run_is_handed_the_artifacts_of_what_its_job_needs_and_no_others() {
    let house = House::with(&[("ci", NEEDS)]).await;
    house.look().await;
    let ship = shipping(&house).await;
    let jobs: Vec<&str> = ship.definition.needs.iter().map(JobName::as_str).collect();
    assert_eq!((ship.definition.job.as_str(), jobs), ("ship", vec!["build"]));
    let needed = house.controller.needed_artifacts(&ship.lease).await.unwrap();
    let [one] = needed.as_slice() else { panic!("{needed:?}") };
    assert_eq!((one.job.as_str(), one.cell.as_ref(), one.artifact.name.as_str()), ("build", None, "app"));
    let part = house.controller.read_needed(&ship.lease, &one.artifact, 8, 100).await.unwrap();
    assert_eq!((part.bytes.as_slice(), part.length), (b"build".as_slice(), 13));

    let view = house.view(1).await;
    let other = view.runs.iter().find(|run| run.job.as_str() == "other").unwrap();
    let foreign = house.controller.artifacts_shown(&other.id).await.unwrap().remove(0);
    let refused = house.controller.read_needed(&ship.lease, &foreign, 0, 100).await;
    assert!(matches!(refused, Err(ProtocolError::Refused { .. })), "{refused:?}");
    let fenced = Lease { worker: WorkerId::new("another"), ..ship.lease.clone() };
    let refused = house.controller.needed_artifacts(&fenced).await;
    assert!(matches!(refused, Err(ProtocolError::Fenced { .. })), "{refused:?}");
    let refused = house.controller.read_needed(&fenced, &one.artifact, 0, 100).await;
    assert!(matches!(refused, Err(ProtocolError::Fenced { .. })), "{refused:?}");
}
