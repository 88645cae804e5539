//! What a run has to show: on its page, and to programs.

use axum::http::StatusCode;
use branchline_model::{
    AttemptEnd, AttemptReport, Content, Results, SourcePlace, Summary, Tally, Test, TestOutcome, Tests,
};
use branchline_ports::{HandOver, Lease, NewArtifact, WorkerProtocol};

use crate::site::{HELLO, NOW, Site};

async fn keep(site: &Site, lease: &Lease, name: &str, bytes: &[u8]) {
    let protocol: &dyn HandOver = &site.controller;
    let Content { bytes: length, sha256, .. } = Content::of(bytes);
    let new = NewArtifact { name: name.parse().unwrap(), bytes: length, sha256, parts: Vec::new() };
    let begun = protocol.begin_upload(lease, new.clone()).await.unwrap().unwrap();
    protocol.put_upload(lease, &begun.id, &mut Some(bytes.to_vec())).await.unwrap();
    protocol.name_artifact(lease, &begun.id, &new.name).await.unwrap();
}

fn results() -> Results {
    let bad = Test {
        suite: Some("math".to_owned()),
        name: "adds <numbers>".to_owned(),
        outcome: TestOutcome::Failed,
        milliseconds: Some(1_500),
        message: Some("1 is not 2".to_owned()),
        place: Some(SourcePlace { file: "tests/math.py".to_owned(), line: Some(7) }),
    };
    let text = "# Report\n\n<script>alert(1)</script>\n\n| a |\n| --- |\n| **b** |\n".to_owned();
    Results {
        outputs: [("version".to_owned(), "1.2 <3".to_owned())].into(),
        summary: Some(Summary { text, left_out: 2048 }),
        tests: Some(Tests { passed: 3, failed: 1, skipped: 1, bad: vec![bad], ..Tests::default() }),
        notes: vec!["outputs, line 2: `x` is not of the form name=value: left out".to_owned()],
    }
}

async fn failed(site: &Site) {
    let lease = site.begin().await;
    keep(site, &lease, "app", b"an archive").await;
    site.controller.show_results(&lease, results()).await.unwrap();
    let report = AttemptReport {
        end: AttemptEnd::TestsFailed { count: 1 },
        began_at: Some(NOW),
        ended_at: NOW,
        steps: Vec::new(),
        log_length: 0,
    };
    site.controller.finish(&lease, report).await.unwrap();
    site.controller.advance_build(&lease.attempt.run.build).await.unwrap();
}

#[tokio::test]
async fn a_runs_page_shows_its_tests_its_summary_its_outputs_and_its_artifacts() {
    let site = Site::with(&[("hello", HELLO)]).await;
    site.push().await;
    failed(&site).await;
    let page = site.get(&site.path("/builds/1/runs/1")).await;
    assert_eq!(page.status, StatusCode::OK);
    for part in [
        "1 test failed",
        "1 of 5 tests failed, 1 was skipped.",
        "adds &#60;numbers&#62;",
        "<code>tests/math.py:7</code>",
        "1 is not 2",
        "<h1>Report</h1>",
        "&lt;script&gt;alert(1)&lt;/script&gt;",
        "<td><strong>b</strong></td>",
        "The summary was longer: 2.0 KiB were left out.",
        "Outputs, line 2: <code>x</code> is not of the form name=value: left out.",
        "1.2 &#60;3",
        "/runs/1/artifacts/app?attempt=1\" download>app</a>",
    ] {
        assert!(page.body.contains(part), "`{part}` is not in\n{}", page.body);
    }
    assert!(!page.body.contains("<script>alert"), "{}", page.body);
}

#[tokio::test]
async fn programs_read_the_same_and_download_artifacts() {
    let site = Site::with(&[("hello", HELLO)]).await;
    site.push().await;
    failed(&site).await;
    let run = site.get(&site.api("/builds/1/runs/1")).await.json();
    assert_eq!(run["run"]["reason"]["code"], "test_failed");
    assert_eq!(run["run"]["reason"]["details"]["count"], 1);
    let shown = &run["attempts"][0]["results"];
    assert_eq!((&shown["outputs"]["version"], &shown["tests"]["passed"]), (&"1.2 <3".into(), &3.into()));
    let bad = &shown["tests"]["bad"][0];
    assert_eq!(
        (&bad["file"], &bad["line"], &bad["name"]),
        (&"tests/math.py".into(), &7.into(), &"adds <numbers>".into())
    );
    let artifact = &run["artifacts"][0];
    assert_eq!(
        (&artifact["name"], &artifact["bytes"], &artifact["attempt"]),
        (&"app".into(), &10.into(), &1.into())
    );
    let answer = site.get(artifact["path"].as_str().unwrap()).await;
    assert_eq!((answer.status, answer.body.as_str()), (StatusCode::OK, "an archive"));
    assert_eq!(answer.header("content-disposition"), "attachment; filename=\"app.tar.gz\"");
    assert_eq!(answer.header("content-length"), "10");
    for missing in [
        "/builds/1/runs/1/artifacts/other",
        "/builds/1/runs/1/artifacts/app?attempt=2",
        "/builds/1/runs/9/artifacts/app",
    ] {
        let answer = site.get(&site.api(missing)).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{missing}: {}", answer.body);
    }
    let wrong = site.get(&site.api("/builds/1/runs/1/artifacts/a%20b")).await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST, "{}", wrong.body);
}

#[tokio::test]
async fn how_far_a_step_is_is_shown_while_it_runs() {
    let site = Site::with(&[("hello", HELLO)]).await;
    site.push().await;
    let lease = site.begin().await;
    site.controller.progress(&lease, &[], Some(Tally { current: 3, total: 25 })).await.unwrap();
    let page = site.get(&site.path("/builds/1/runs/1")).await;
    assert!(page.body.contains("3 of 25"), "{}", page.body);
    let run = site.get(&site.api("/builds/1/runs/1")).await.json();
    assert_eq!(run["attempts"][0]["tally"]["total"], 25);
    site.finish(&lease, 0).await;
    let page = site.get(&site.path("/builds/1/runs/1")).await;
    assert!(!page.body.contains("3 of 25"), "it is over");
}
