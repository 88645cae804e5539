//! What programs read.

use axum::body::Body;
use axum::http::StatusCode;
use branchline_web::json;

use crate::site::{HELLO, Site, request};

async fn running() -> Site {
    let site =
        Site::with(&[("hello", HELLO), ("wrong", "on: {push: {}}\njobs: {a: {steps: [x], neds: []}}\n")])
            .await;
    site.push().await;
    site
}

#[tokio::test]
async fn a_repository_has_its_newest_build_and_its_trouble() {
    let site = running().await;
    site.controller.record_trouble(&site.repository, "no route to host", crate::site::NOW).await.unwrap();
    let all: json::Repositories = serde_json::from_str(&site.get("/api/v1/repositories").await.body).unwrap();
    let one: json::Repository = serde_json::from_str(&site.get(&site.api("")).await.body).unwrap();
    assert_eq!((all.repositories.len(), all.repositories.first()), (1, Some(&one)));
    assert_eq!((one.name.as_str(), one.builds), ("example.org/acme/app", 2));
    assert_eq!(one.trouble.unwrap().why, "no route to host");
    assert_eq!(one.newest.unwrap().number, 2);
}

#[tokio::test]
async fn builds_come_newest_first_and_in_pages() {
    let site = running().await;
    let page: json::Builds =
        serde_json::from_str(&site.get(&site.api("/builds?limit=1")).await.body).unwrap();
    assert_eq!((page.builds[0].number, page.before), (2, Some(2)));
    let older = site.api("/builds?limit=1&before=2");
    let page: json::Builds = serde_json::from_str(&site.get(&older).await.body).unwrap();
    assert_eq!((page.builds[0].number, page.before), (1, None));
    for wrong in ["limit=0", "limit=201", "limit=x", "before=-1", "colour=red", "limit=1&limit=2"] {
        let answer = site.get(&site.api(&format!("/builds?{wrong}"))).await;
        assert_eq!(
            (answer.status, &answer.json()["error"]["code"]),
            (StatusCode::BAD_REQUEST, &"bad_query".into()),
            "{wrong}"
        );
    }
}

#[tokio::test]
async fn a_build_tells_its_jobs_runs_reasons_and_problems() {
    let site = running().await;
    let lease = site.begin().await;
    site.finish(&lease, 3).await;
    let build: json::BuildDetails =
        serde_json::from_str(&site.get(&site.api("/builds/1")).await.body).unwrap();
    assert_eq!((build.build.status.as_str(), build.build.ended), ("failed", true));
    assert_eq!(build.jobs[1].needs, ["hello"]);
    let reason = build.runs[0].reason.clone().unwrap();
    assert_eq!((reason.code.as_str(), &reason.details["exit"]), ("step_failed", &3.into()));
    insta::assert_snapshot!(reason.sentence, @"step `echo hello` failed with exit code 3");
    assert_eq!((build.runs[0].duration_ms, build.runs[1].status.as_str()), (Some(1_500), "skipped"));
    let invalid: json::BuildDetails =
        serde_json::from_str(&site.get(&site.api("/builds/2")).await.body).unwrap();
    assert_eq!(invalid.build.status, "invalid");
    assert!(invalid.problems.iter().any(|problem| problem.rendered.contains("neds")), "{invalid:?}");
}

#[tokio::test]
async fn a_run_tells_its_steps_attempts_and_definition() {
    let site = running().await;
    let lease = site.begin().await;
    let run: json::RunDetails =
        serde_json::from_str(&site.get(&site.api("/builds/1/runs/1")).await.body).unwrap();
    assert_eq!((run.run.status.as_str(), run.attempts.len()), ("running", 1));
    assert_eq!(
        (run.attempts[0].steps[0].title.as_str(), &run.attempts[0].steps[0].end),
        ("echo hello", &None)
    );
    assert_eq!(run.definition["job"], "hello");
    site.finish(&lease, 0).await;
    let run: json::RunDetails =
        serde_json::from_str(&site.get(&site.api("/builds/1/runs/1")).await.body).unwrap();
    assert_eq!(run.attempts[0].steps[0].end.as_ref().unwrap()["code"], 0);
}

#[tokio::test]
async fn what_is_not_there_or_badly_named_is_never_a_failure_of_the_server() {
    let site = running().await;
    for (path, status) in [
        ("/api/v1/repositories/nobody".to_owned(), 404),
        ("/api/v1/repositories/Not%20An%20Id".to_owned(), 400),
        ("/api/v1/repositories/%ff".to_owned(), 400),
        (site.api("/builds/99"), 404),
        (site.api("/builds/0"), 400),
        (site.api("/builds/01"), 400),
        (site.api("/builds/99999999999999999999999"), 400),
        (site.api("/builds/1/runs/99"), 404),
        (site.api("/builds/1/runs/-1"), 400),
        (site.api("/builds/1/runs/1/log?attempt=7"), 404),
        (site.api("/builds/1?verbose=1"), 400),
        ("/api/v1/events/no/such/event".to_owned(), 404),
        ("/api/v1/stream".to_owned(), 400),
        ("/api/v1/stream?build=x/1&repository=x".to_owned(), 400),
        ("/api/v1/stream?build=nobody/1".to_owned(), 404),
        (format!("/api/v1/events/{}", "a".repeat(5000)), 404),
    ] {
        let answer = site.get(&path).await;
        assert_eq!(answer.status.as_u16(), status, "{path}: {}", answer.body);
        let message = answer.json()["error"]["message"].as_str().unwrap().to_owned();
        assert!(!message.is_empty(), "{path}");
        let page = site.get(path.trim_start_matches("/api/v1")).await;
        assert!(page.status.is_client_error(), "{path} as a page: {}", page.status);
    }
    let verb = site.post(&site.api("/builds"), "{}").await;
    assert_eq!((verb.status, verb.header("allow")), (StatusCode::METHOD_NOT_ALLOWED, "GET,HEAD"));
    insta::assert_snapshot!(verb.json()["error"]["hint"].as_str().unwrap(), @"the `Allow` header says what it takes");
}

#[tokio::test]
async fn a_pipeline_is_started_once_for_one_key() {
    let site = running().await;
    let body = r#"{"pipeline": "hello", "ref": "main", "idempotency_key": "once"}"#;
    let first = site.post(&site.api("/start"), body).await;
    assert_eq!(first.status, StatusCode::CREATED, "{}", first.body);
    let first: json::Started = serde_json::from_str(&first.body).unwrap();
    assert_eq!(first.builds, [site.build(3).to_string()]);
    let again: json::Started =
        serde_json::from_str(&site.post(&site.api("/start"), body).await.body).unwrap();
    assert_eq!(again, first);
    let event: json::Event =
        serde_json::from_str(&site.get(&format!("/api/v1/events/{}", first.event)).await.body).unwrap();
    assert_eq!(
        (event.status.as_str(), event.actor.as_deref(), event.builds),
        ("decided", Some("tester"), first.builds)
    );
}

#[tokio::test]
async fn a_start_that_cannot_be_says_why() {
    let site = running().await;
    for (body, status, code) in [
        (r#"{"pipeline": "nope"}"#, 404, "not_found"),
        (r#"{"pipeline": "hello", "ref": "nope"}"#, 404, "not_found"),
        (r#"{"pipeline": "hello", "ref": "refs/notes/x"}"#, 400, "bad_ref"),
        (r#"{"pipeline": "hello", "idempotency_key": "a b"}"#, 400, "bad_idempotency_key"),
        (r#"{"pipeline": "hello", "branch": "main"}"#, 400, "bad_json"),
        (r#"{"pipeline": 1}"#, 400, "bad_json"),
        ("{", 400, "bad_json"),
    ] {
        let answer = site.post(&site.api("/start"), body).await;
        assert_eq!(
            (answer.status.as_u16(), answer.json()["error"]["code"].as_str().unwrap()),
            (status, code),
            "{body}"
        );
    }
    let unknown = site.post("/api/v1/repositories/nobody/start", r#"{"pipeline": "hello"}"#).await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    let answer = site.post(&site.api("/start"), r#"{"pipeline": "nope"}"#).await;
    insta::assert_snapshot!(answer.json()["error"]["message"].as_str().unwrap(), @"nope: no such pipeline at this commit; there are hello, wrong");
}

#[tokio::test]
async fn a_cancel_says_what_came_of_it() {
    let site = running().await;
    let lease = site.begin().await;
    let run = site.post(&site.api("/builds/1/runs/1/cancel"), "").await;
    assert_eq!((run.status, &run.json()["cancelled"]), (StatusCode::OK, &"stopping".into()));
    let build = site.post(&site.api("/builds/1/cancel"), "").await;
    assert_eq!(build.status, StatusCode::OK, "{}", build.body);
    site.finish(&lease, 0).await;
    let again = site.post(&site.api("/builds/1/cancel"), "").await;
    assert_eq!(
        (again.status, &again.json()["error"]["code"]),
        (StatusCode::CONFLICT, &"already_ended".into())
    );
    assert_eq!(site.post(&site.api("/builds/77/cancel"), "").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_log_is_read_from_any_offset_byte_for_byte() {
    let site = running().await;
    let empty = site.get(&site.api("/builds/1/runs/1/log")).await;
    assert_eq!(
        (empty.status, empty.body.as_str(), empty.header("branchline-log-closed")),
        (StatusCode::OK, "", "false")
    );
    let lease = site.begin().await;
    site.append(&lease, b"hello <world>\n").await;
    let log = site.get(&site.api("/builds/1/runs/1/log?offset=6&limit=7")).await;
    assert_eq!(log.body, "<world>");
    assert_eq!(log.header("content-type"), "text/plain; charset=utf-8");
    let said = ["attempt", "offset", "length", "closed"]
        .map(|name| log.header(&format!("branchline-log-{name}")).to_owned());
    assert_eq!(said, ["1", "6", "14", "false"]);
    let beyond = site.get(&site.api("/builds/1/runs/1/log?offset=15")).await;
    assert_eq!(beyond.status, StatusCode::RANGE_NOT_SATISFIABLE);
    site.finish(&lease, 0).await;
    let whole = site.get(&site.api("/builds/1/runs/1/log?attempt=1&follow=true")).await;
    assert_eq!((whole.body.as_str(), whole.header("branchline-log-closed")), ("hello <world>\n", "true"));
}

#[tokio::test]
async fn a_log_is_read_from_a_line_on() {
    let site = Site::with(&[("hello", HELLO)]).await;
    site.push().await;
    let log = |query: &str| site.api(&format!("/builds/1/runs/1/log?{query}"));
    let none_yet = site.get(&log("line=1")).await;
    assert_eq!((none_yet.status, none_yet.body.as_str()), (StatusCode::OK, ""));
    let lease = site.begin().await;
    site.append(&lease, b"one\ntwo\nthree\n").await;
    for (query, body, offset) in [
        ("line=1", "one\ntwo\nthree\n", "0"),
        ("line=2", "two\nthree\n", "4"),
        ("line=3&limit=2", "th", "8"),
        ("line=4", "", "14"),
    ] {
        let read = site.get(&log(query)).await;
        assert_eq!((read.body.as_str(), read.header("branchline-log-offset")), (body, offset), "{query}");
    }
    let beyond = site.get(&log("line=5")).await;
    assert_eq!(beyond.status, StatusCode::RANGE_NOT_SATISFIABLE);
    assert!(beyond.body.contains("the log has 4 lines: there is no line 5"), "{}", beyond.body);
    for unclear in ["line=0", "line=2&offset=4", "line=two"] {
        assert_eq!(site.get(&log(unclear)).await.status, StatusCode::BAD_REQUEST, "{unclear}");
    }
    site.finish(&lease, 0).await;
    let followed = site.get(&log("line=2&follow=true")).await;
    assert_eq!(followed.body, "two\nthree\n");
    let from_the_last_one_on = site.get(&log("line=9&follow=true")).await;
    assert_eq!((from_the_last_one_on.status, from_the_last_one_on.body.as_str()), (StatusCode::OK, ""));
}

#[tokio::test]
async fn hints_say_what_to_do_with_a_command_as_well_as_with_a_program() {
    let site = running().await;
    let mut hints = Vec::new();
    for path in
        ["/builds/99", "/builds/1/runs/9", "/builds/1/runs/1/log?offset=5", "/builds/1/runs/1/log?attempt=7"]
    {
        let answer = site.get(&site.api(path)).await;
        hints.push(answer.json()["error"]["hint"].as_str().unwrap().to_owned());
    }
    let nowhere = site.get("/api/v1/repositories/nowhere/builds").await;
    hints.push(nowhere.json()["error"]["hint"].as_str().unwrap().to_owned());
    let wrong = request("GET", "/api/v1/repositories").header("authorization", "Bearer wrong");
    let wrong = site.send(wrong.body(Body::empty()).unwrap()).await;
    hints.push(wrong.json()["error"]["hint"].as_str().unwrap().to_owned());
    insta::assert_snapshot!(hints.join("\n"), @r"
    `branchline builds` lists those there are, and so does the repository's page
    `branchline build app-c6a16d3c39/1` lists those there are, and so does the build's page
    read from a smaller offset, or follow it to wait for more
    it has had 0; where none is named, the newest one is meant
    the server's first page lists those that are; `branchline up` is told which
    it is in the file `token` of the server's data folder: give the commands its text in `BRANCHLINE_TOKEN`, and send it as a bearer token from programs
    ");
    for internal in ["/api/", "follow=", "Authorization"] {
        assert!(hints.iter().all(|hint| !hint.contains(internal)), "{internal}");
    }
}
