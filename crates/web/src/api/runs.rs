//! Runs.

use axum::Json;
use axum::extract::State;

use super::{builds, convert, json};
use crate::edge::{Asked, Nothing, RunPath};
use crate::failure::Failure;
use crate::web::App;

/// `GET /api/v1/repositories/{repository}/builds/{number}/runs/{index}`
pub(crate) async fn show(
    State(app): State<App>,
    RunPath(id): RunPath,
    Asked(Nothing {}): Asked<Nothing>,
) -> Result<Json<json::RunDetails>, Failure> {
    let view = app.controller.run(&id).await?.ok_or_else(|| Failure::no_run(&id))?;
    Ok(Json(convert::run_details(&view, app.clock.now())?))
}

/// `POST /api/v1/repositories/{repository}/builds/{number}/runs/{index}/cancel`
pub(crate) async fn cancel(
    State(app): State<App>,
    RunPath(id): RunPath,
    Asked(Nothing {}): Asked<Nothing>,
) -> Result<Json<json::Cancelled>, Failure> {
    let cancelled = app.controller.cancel_run(&id, app.access.actor()).await?;
    Ok(Json(json::Cancelled { id: id.to_string(), cancelled: builds::word(cancelled).to_owned() }))
}
