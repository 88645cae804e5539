//! Dead letters: people see them, and send them again.

use axum::http::StatusCode;
use branchline_model::Actor;
use branchline_web::json;

use crate::site::{HELLO, Site};

/// A site whose worker could never be told to stop what it has.
async fn with_dead_letter() -> Site {
    let site = Site::with(&[("hello", HELLO)]).await;
    site.push().await;
    site.begin().await;
    site.away.store(true, std::sync::atomic::Ordering::SeqCst);
    site.controller.cancel_build(&site.build(1), &Actor::new("ann")).await.unwrap();
    for _ in 0..20 {
        site.controller.perform().await.unwrap();
        if let Some(pending) = site.controller.effects().await.unwrap().pending.first() {
            site.clock.set(pending.next_try);
        }
    }
    assert_eq!(site.controller.effects().await.unwrap().dead.len(), 1);
    site
}

async fn effects(site: &Site) -> json::Effects {
    serde_json::from_str(&site.get("/api/v1/effects").await.body).unwrap()
}

#[tokio::test]
async fn a_dead_letter_stands_on_its_page_and_the_first_page_leads_there() {
    let site = with_dead_letter().await;
    assert!(site.get("/").await.body.contains("href=\"/effects\""));
    let page = site.get("/effects").await;
    assert_eq!(page.status, StatusCode::OK);
    for said in [
        "to stop attempt 1 of",
        "failed 20 times",
        "the worker <code>here</code> cannot be told: it is away",
        "Send again",
        "Give up",
    ] {
        assert!(page.body.contains(said), "{said}: {}", page.body);
    }
    let dead = effects(&site).await.dead.remove(0);
    assert_eq!(dead.key, format!("stop/{}/1/1", site.build(1)));
    assert_eq!((dead.failures, dead.next_try_at), (20, None));
    assert!(dead.first_failure_at.is_some() && dead.last_failure_at > dead.first_failure_at);
}

#[tokio::test]
async fn a_dead_letter_is_sent_again_by_a_program() {
    let site = with_dead_letter().await;
    site.away.store(false, std::sync::atomic::Ordering::SeqCst);
    let named = format!("{{\"key\": \"stop/{}/1/1\"}}", site.build(1));
    let sent = site.post("/api/v1/effects/resend", &named).await;
    assert_eq!((sent.status, &sent.json()["letter"]), (StatusCode::OK, &"sent".into()));
    assert_eq!((effects(&site).await.dead.len(), effects(&site).await.pending.len()), (0, 1));
    assert_eq!(site.controller.perform().await.unwrap(), 1);
    let again = site.post("/api/v1/effects/resend", &named).await;
    assert_eq!((again.status, &again.json()["error"]["code"]), (StatusCode::NOT_FOUND, &"not_found".into()));
    assert!(!site.get("/").await.body.contains("href=\"/effects\""));
}

#[tokio::test]
async fn a_dead_letter_is_given_up_by_a_button_and_by_a_program() {
    for by_button in [true, false] {
        let site = with_dead_letter().await;
        let key = format!("stop/{}/1/1", site.build(1));
        let answer = if by_button {
            site.press("/effects/drop", &[("key", &key)]).await
        } else {
            site.post("/api/v1/effects/drop", &format!("{{\"key\": \"{key}\"}}")).await
        };
        let expected = if by_button { StatusCode::SEE_OTHER } else { StatusCode::OK };
        assert_eq!(answer.status, expected, "{}", answer.body);
        assert_eq!(effects(&site).await, json::Effects { pending: Vec::new(), dead: Vec::new() });
    }
}

#[tokio::test]
async fn a_button_sends_a_dead_letter_again() {
    let site = with_dead_letter().await;
    site.away.store(false, std::sync::atomic::Ordering::SeqCst);
    let answer = site.press("/effects/resend", &[("key", &format!("stop/{}/1/1", site.build(1)))]).await;
    assert_eq!((answer.status, answer.header("location")), (StatusCode::SEE_OTHER, "/effects"));
    assert_eq!(site.controller.perform().await.unwrap(), 1);
}
