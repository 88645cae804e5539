//! Events.

use axum::Json;
use axum::extract::State;

use super::{convert, json};
use crate::edge::{Asked, CommitPath, EventPath, Nothing};
use crate::failure::Failure;
use crate::web::App;

/// `GET /api/v1/events/{*key}`
pub(crate) async fn show(
    State(app): State<App>,
    EventPath(key): EventPath,
    Asked(Nothing {}): Asked<Nothing>,
) -> Result<Json<json::Event>, Failure> {
    let event = app.controller.event(&key).await?;
    let event = event.ok_or_else(|| Failure::not_found(format!("there is no event `{key}`")))?;
    Ok(Json(convert::event(&event)))
}

/// So many digits name a commit at the least.
const FEWEST_DIGITS: usize = 7;

/// `GET /api/v1/repositories/{repository}/commits/{commit}`: the commit's first digits are enough.
pub(crate) async fn of_commit(
    State(app): State<App>,
    CommitPath(id, commit): CommitPath,
    Asked(Nothing {}): Asked<Nothing>,
) -> Result<Json<json::CommitEvents>, Failure> {
    if !(FEWEST_DIGITS..=64).contains(&commit.len()) || !commit.bytes().all(|digit| digit.is_ascii_hexdigit())
    {
        let message = format!("a commit is named by its first digits, at least {FEWEST_DIGITS}");
        return Err(Failure::bad_request("bad_commit", message));
    }
    if app.controller.repository(&id).await?.is_none() {
        return Err(Failure::no_repository(&id));
    }
    let events = app.controller.events_at(&id, &commit).await?;
    Ok(Json(json::CommitEvents { events: events.iter().map(convert::event).collect() }))
}
