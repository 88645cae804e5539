//! Artifacts: an object belongs to a run only once the attempt that holds it has named it, and goes where nobody does.

use std::time::Duration;

use async_trait::async_trait;
use branchline_controller::UploadError;
use branchline_model::{AttemptEnd, Content, Digest, ObjectKey, WorkerId};
use branchline_ports::{
    Assignment, BegunUpload, Destination, Lease, NewArtifact, ObjectError, Objects, Pieces,
};

use crate::house::House;

const ONE: &str = "{on: push, jobs: {a: {process: true, steps: ['true']}}}";

fn key(name: &str) -> ObjectKey {
    name.parse().unwrap()
}

fn new(name: &str, bytes: &[u8]) -> NewArtifact {
    let Content { bytes, sha256, .. } = Content::of(bytes);
    NewArtifact { name: key(name), bytes, sha256, parts: Vec::new() }
}

async fn claimed() -> (House, Assignment) {
    let house = House::with(&[("ci", ONE)]).await;
    house.look().await;
    let assignment = house.claim(1).await.remove(0);
    (house, assignment)
}

async fn begin(house: &House, lease: &Lease, name: &str, bytes: &[u8]) -> BegunUpload {
    let begun = house.controller.begin_upload(lease, new(name, bytes)).await.unwrap();
    assert_eq!(begun.destination, Destination::Controller, "a folder signs nothing");
    begun
}

async fn upload(house: &House, lease: &Lease, name: &str, bytes: &[u8]) -> String {
    let begun = begin(house, lease, name, bytes).await;
    house.controller.put_upload(lease, &begun.id, &mut Some(bytes.to_vec())).await.unwrap();
    begun.id
}

#[tokio::test]
async fn what_was_uploaded_and_named_is_an_artifact_of_the_run() {
    let (house, assignment) = claimed().await;
    let (lease, run) = (&assignment.lease, &assignment.lease.attempt.run);
    let id = upload(&house, lease, "report/index.html", b"<p>").await;
    assert_eq!(house.controller.artifacts(run).await.unwrap(), [], "it was not named");
    let named = house.controller.name_artifact(lease, &id, &key("report/index.html")).await.unwrap();
    let again = house.controller.name_artifact(lease, &id, &key("report/index.html")).await.unwrap();
    assert_eq!(named, again, "the answer may have been lost");
    assert_eq!(house.controller.artifacts(run).await.unwrap(), std::slice::from_ref(&named));
    assert_eq!(house.controller.read_artifact(&named, 1, 10).await.unwrap().bytes, b"p>");
    house.step(3 * 60 * 60);
    house.rest().await;
    assert_eq!(house.controller.read_artifact(&named, 0, 10).await.unwrap().bytes, b"<p>", "named is kept");
}

#[tokio::test]
async fn what_nobody_named_is_removed_after_its_time_and_is_never_named() {
    let (house, assignment) = claimed().await;
    let lease = &assignment.lease;
    let id = upload(&house, lease, "one", b"bytes").await;
    let never_sent = begin(&house, lease, "two", b"bytes").await.id;
    let objects = house.objects();
    assert_eq!(objects.list_objects("", None, 10).await.unwrap().len(), 1);
    house.step(59 * 60);
    house.controller.pass_retention().await.unwrap();
    assert_eq!(objects.list_objects("", None, 10).await.unwrap().len(), 1, "its time is not out");
    house.step(2 * 60);
    house.controller.pass_retention().await.unwrap();
    assert_eq!(objects.list_objects("", None, 10).await.unwrap(), []);
    for (id, name) in [(id, "one"), (never_sent, "two")] {
        let late = house.controller.name_artifact(lease, &id, &key(name)).await;
        assert_eq!(late, Err(UploadError::Over { id: id.clone() }));
        let late = house.controller.put_upload(lease, &id, &mut Some(b"bytes".to_vec())).await;
        assert_eq!(late, Err(UploadError::Over { id }));
    }
    assert_eq!(objects.list_objects("", None, 10).await.unwrap(), []);
}

/// Bytes of an upload that are on their way when the same were sent, and named.
struct SentTwice<'a> {
    house: &'a House,
    lease: &'a Lease,
    id: &'a str,
    bytes: Option<Vec<u8>>,
}

#[async_trait]
impl Pieces for SentTwice<'_> {
    async fn next(&mut self) -> std::io::Result<Option<Vec<u8>>> {
        let Some(bytes) = self.bytes.take() else { return Ok(None) };
        let controller = &self.house.controller;
        controller.put_upload(self.lease, self.id, &mut Some(bytes.clone())).await.unwrap();
        controller.name_artifact(self.lease, self.id, &key("one")).await.unwrap();
        Ok(Some(bytes))
    }
}

#[tokio::test]
async fn bytes_that_come_once_more_after_their_naming_take_nothing_away() {
    let (house, assignment) = claimed().await;
    let lease = &assignment.lease;
    let id = begin(&house, lease, "one", b"bytes").await.id;
    let mut twice = SentTwice { house: &house, lease, id: &id, bytes: Some(b"bytes".to_vec()) };
    house.controller.put_upload(lease, &id, &mut twice).await.unwrap();
    let named = house.controller.artifacts(&lease.attempt.run).await.unwrap().remove(0);
    assert_eq!(house.controller.read_artifact(&named, 0, 10).await.unwrap().bytes, b"bytes");
}

#[tokio::test]
async fn an_artifact_that_is_kept_for_so_long_goes_when_that_is_over() {
    let (house, assignment) = claimed().await;
    let (lease, run) = (&assignment.lease, &assignment.lease.attempt.run);
    house.keep_artifact(run, "short", Duration::from_secs(3600)).await;
    for name in ["short", "long"] {
        let id = upload(&house, lease, name, name.as_bytes()).await;
        house.controller.name_artifact(lease, &id, &key(name)).await.unwrap();
    }
    let names = async || -> Vec<String> {
        let all = house.controller.artifacts(run).await.unwrap();
        all.into_iter().map(|artifact| artifact.name.to_string()).collect()
    };
    house.step(3599);
    house.controller.pass_retention().await.unwrap();
    assert_eq!(names().await, ["long", "short"]);
    house.step(1);
    house.controller.pass_retention().await.unwrap();
    assert_eq!(names().await, ["long"]);
    assert_eq!(house.objects().list_objects("", None, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn only_the_attempt_that_holds_the_run_begins_and_names() {
    let (house, assignment) = claimed().await;
    let lease = &assignment.lease;
    let id = upload(&house, lease, "one", b"bytes").await;
    let fenced = UploadError::Fenced { attempt: lease.attempt.clone() };
    let other = Lease { worker: WorkerId::new("another"), ..lease.clone() };
    let refused = house.controller.begin_upload(&other, new("x", b"x")).await;
    assert_eq!(refused, Err(fenced.clone()));
    assert_eq!(house.controller.put_upload(&other, &id, &mut None).await, Err(fenced.clone()));
    house.carry_out(&assignment, AttemptEnd::Passed).await.unwrap();
    assert_eq!(house.controller.name_artifact(lease, &id, &key("one")).await, Err(fenced.clone()));
    assert_eq!(house.controller.begin_upload(lease, new("x", b"x")).await, Err(fenced));
    assert_eq!(house.controller.artifacts(&lease.attempt.run).await.unwrap(), []);
}

#[tokio::test]
async fn an_artifact_is_what_was_said_of_it_or_none() {
    let (house, assignment) = claimed().await;
    let lease = &assignment.lease;
    let begun = begin(&house, lease, "one", b"bytes").await;
    let missing = house.controller.name_artifact(lease, &begun.id, &key("one")).await;
    assert!(matches!(missing, Err(UploadError::Object(ObjectError::NotFound { .. }))), "{missing:?}");
    let other = house.controller.put_upload(lease, &begun.id, &mut Some(b"others".to_vec())).await;
    assert!(matches!(other, Err(UploadError::Object(ObjectError::Different { .. }))), "{other:?}");
    for _ in 0..2 {
        house.controller.put_upload(lease, &begun.id, &mut Some(b"bytes".to_vec())).await.unwrap();
    }
    house.controller.name_artifact(lease, &begun.id, &key("one")).await.unwrap();
    let second = upload(&house, lease, "one", b"other").await;
    let taken = house.controller.name_artifact(lease, &second, &key("one")).await;
    assert_eq!(taken, Err(UploadError::Taken { name: key("one") }));
}

#[tokio::test]
async fn an_upload_that_is_said_to_have_other_parts_than_it_must_is_refused() {
    let (house, assignment) = claimed().await;
    let long = NewArtifact { bytes: 20 << 20, parts: vec![Digest::of(b"")], ..new("long", b"") };
    let refused = house.controller.begin_upload(&assignment.lease, long).await;
    assert_eq!(refused, Err(UploadError::Parts { bytes: 20 << 20, parts: 3, said: 1 }));
}
