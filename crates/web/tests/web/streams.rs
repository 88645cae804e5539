//! What is told as it happens.

use std::time::Duration;

use axum::body::Body;
use http_body_util::BodyExt;
use tower::ServiceExt;

use crate::site::{HELLO, Site, authorised};

/// Far longer than anything here takes: only a hang reaches it.
const PATIENCE: Duration = Duration::from_secs(30);

struct Stream(Body, String);

impl Stream {
    async fn open(site: &Site, path: &str) -> Self {
        let request = authorised("GET", path).body(Body::empty()).unwrap();
        let response = site.router(8080).oneshot(request).await.unwrap();
        assert!(response.status().is_success(), "{path}: {}", response.status());
        Self(response.into_body(), String::new())
    }

    /// Reads until the text is there; panics where the stream ends before.
    async fn until(&mut self, text: &str) -> &str {
        while !self.1.contains(text) {
            let frame = tokio::time::timeout(PATIENCE, self.0.frame()).await.expect("the stream goes on");
            let frame = frame.unwrap_or_else(|| panic!("ended without `{text}`: {}", self.1)).unwrap();
            self.1.push_str(&String::from_utf8_lossy(&frame.into_data().unwrap_or_default()));
        }
        &self.1
    }

    async fn rest(mut self) -> String {
        while let Some(frame) = tokio::time::timeout(PATIENCE, self.0.frame()).await.expect("the stream ends")
        {
            self.1.push_str(&String::from_utf8_lossy(&frame.unwrap().into_data().unwrap_or_default()));
        }
        self.1
    }
}

async fn site() -> Site {
    let site = Site::with(&[("hello", HELLO)]).await;
    site.push().await;
    site
}

#[tokio::test]
async fn a_log_is_followed_from_before_its_run_begins_until_it_is_closed() {
    let site = site().await;
    let mut stream = Stream::open(&site, &site.api("/builds/1/runs/1/log?follow=true")).await;
    let lease = site.begin().await;
    site.append(&lease, b"one\n").await;
    stream.until("one\n").await;
    site.append(&lease, b"two\n").await;
    stream.until("two\n").await;
    site.finish(&lease, 0).await;
    assert_eq!(stream.rest().await, "one\ntwo\n");
}

#[tokio::test]
async fn following_ends_with_a_run_that_never_begins() {
    let site = site().await;
    let stream = Stream::open(&site, &site.api("/builds/1/runs/2/log?follow=true")).await;
    site.post(&site.api("/builds/1/cancel"), "").await;
    assert_eq!(stream.rest().await, "");
}

#[tokio::test]
async fn following_needs_no_bell() {
    let site = site().await;
    let lease = site.begin().await;
    let deaf = Site { rings: tokio::sync::broadcast::channel(1).0, ..site };
    let mut stream = Stream::open(&deaf, &deaf.api("/builds/1/runs/1/log?follow=true")).await;
    deaf.append(&lease, b"unheard\n").await;
    stream.until("unheard").await;
}

#[tokio::test]
async fn a_build_tells_all_first_and_then_only_what_changed() {
    let site = site().await;
    let mut stream = Stream::open(&site, &format!("/api/v1/stream?build={}", site.build(1))).await;
    let first = stream.until("\n\n").await;
    assert!(
        first.contains("event: changed") && first.contains("/1/1\"") && first.contains("/1/2\""),
        "{first}"
    );
    stream.1.clear();
    let lease = site.begin().await;
    let second = stream.until("\"running\"").await.to_owned();
    let second = stream.until("\n\n").await.len().max(second.len());
    assert!(!stream.1.contains("/1/2\""), "the second run did not change: {}", &stream.1[..second]);
    site.finish(&lease, 0).await;
    stream.until("\"passed\"").await;
}

#[tokio::test]
async fn a_repository_tells_of_its_new_builds() {
    let site = site().await;
    let mut stream = Stream::open(&site, &format!("/api/v1/stream?repository={}", site.repository)).await;
    stream.until("\"number\":1").await;
    site.post(&site.api("/start"), r#"{"pipeline": "hello"}"#).await;
    stream.until("\"number\":2").await;
}

#[tokio::test]
async fn streams_end_when_the_server_closes_down() {
    let site = site().await;
    let lease = site.begin().await;
    site.append(&lease, b"open\n").await;
    let run = site.path("/builds/1/runs/1");
    for path in [
        format!("/api/v1/stream?build={}", site.build(1)),
        site.api("/builds/1/runs/1/log?follow=true"),
        format!("{run}/live?attempt=1&from=0,1,"),
    ] {
        let closing = tokio_util::sync::CancellationToken::new();
        let stream = {
            let site = Site { closing: closing.clone(), ..site.clone() };
            Stream::open(&site, &path).await
        };
        closing.cancel();
        stream.rest().await;
    }
}

#[tokio::test]
async fn a_live_log_goes_on_where_the_browser_was() {
    let site = site().await;
    let lease = site.begin().await;
    site.append(&lease, b"one\n\x1b[31mtw").await;
    let path = site.path("/builds/1/runs/1/live?attempt=1&from=0,1,");
    let mut stream = Stream::open(&site, &path).await;
    let said = stream.until("\n\n").await.to_owned();
    assert!(said.contains("id: 4,2,") && said.contains("one") && said.contains("tw"), "{said}");
    site.append(&lease, b"o<script>\n").await;
    let said = stream.until("o&lt;script&gt;").await.to_owned();
    assert!(!said.contains("<script>"), "{said}");
    let again = authorised("GET", &path).header("last-event-id", "4,2,").body(Body::empty()).unwrap();
    let again = site.router(8080).oneshot(again).await.unwrap();
    let mut again = Stream(again.into_body(), String::new());
    let said = again.until("\n\n").await;
    assert!(!said.contains("one") && said.contains("data-line=\\\"2\\\""), "{said}");
    site.finish(&lease, 0).await;
    assert!(stream.rest().await.contains("event: over"));
}

#[tokio::test]
async fn a_live_log_that_cannot_keep_up_is_told_what_was_passed_over() {
    let site = site().await;
    let lease = site.begin().await;
    let mut line = vec![b'x'; 99];
    line.push(b'\n');
    site.append(&lease, &line.repeat(30_000)).await;
    let mut stream = Stream::open(&site, &site.path("/builds/1/runs/1/live?attempt=1&from=0,1,")).await;
    let said = stream.until("\n\n").await.to_owned();
    assert!(said.contains("were passed over here to keep up"), "{said}");
    site.append(&lease, b"the end\n").await;
    stream.until("the end").await;
    assert!(stream.1.len() < 2_000_000, "{} bytes of HTML", stream.1.len());
}
