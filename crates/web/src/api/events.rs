//! Events.

use axum::Json;
use axum::extract::State;

use super::{convert, json};
use crate::edge::{Asked, EventPath, Nothing};
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
