//! What is damaged is named where it belongs, and nothing else fails.

use axum::http::StatusCode;
use branchline_model::keys;
use branchline_web::json;

use crate::site::{HELLO, Site};

async fn site() -> Site {
    let site = Site::with(&[("hello", HELLO), ("other", HELLO)]).await;
    site.push().await;
    site
}

#[tokio::test]
async fn a_build_whose_definition_cannot_be_read_is_shown_with_its_runs_and_what_to_do() {
    let site = site().await;
    site.store.poison(keys::build_definition(&site.build(1)));
    let page = site.get(&site.path("/builds/1")).await;
    assert_eq!(page.status, StatusCode::OK);
    for said in
        ["What is stored is damaged.", "definition</code> cannot be read", "<code>branchline doctor</code>"]
    {
        assert!(page.body.contains(said), "{said}: {}", page.body);
    }
    let details: json::BuildDetails =
        serde_json::from_str(&site.get(&format!("/api/v1{}", site.path("/builds/1"))).await.body).unwrap();
    assert_eq!((details.unreadable.len(), details.runs.is_empty()), (1, false));
    assert!(details.unreadable[0].key.ends_with("definition"), "{details:?}");
}

#[tokio::test]
async fn a_build_that_cannot_be_read_is_named_in_the_list_and_answered_with_its_key() {
    let site = site().await;
    site.store.poison(keys::build(&site.build(1)));
    let list: json::Builds =
        serde_json::from_str(&site.get(&format!("/api/v1{}", site.path("/builds"))).await.body).unwrap();
    assert_eq!((list.builds.len(), list.unreadable.len()), (1, 1));
    assert!(site.get(&site.path("")).await.body.contains("What is stored is damaged."));
    let answer = site.get(&format!("/api/v1{}", site.path("/builds/1"))).await;
    assert_eq!(answer.status, StatusCode::CONFLICT);
    let failure: json::Failure = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(failure.error.code, "unreadable");
    assert!(failure.error.message.contains("builds"), "{failure:?}");
    assert!(failure.error.hint.unwrap().contains("branchline doctor"));
}

#[tokio::test]
async fn where_everything_can_be_written_the_server_says_that_it_is_well() {
    let site = site().await;
    let health: json::Health = serde_json::from_str(&site.get("/api/v1/health").await.body).unwrap();
    assert_eq!(health, json::Health { ok: true, shortages: Vec::new() });
}
