//! Repositories.

use axum::Json;
use axum::extract::State;

use super::{convert, json};
use crate::edge::{Asked, Nothing, RepositoryPath};
use crate::failure::Failure;
use crate::web::App;

/// `GET /api/v1/repositories`
pub(crate) async fn list(
    State(app): State<App>,
    Asked(Nothing {}): Asked<Nothing>,
) -> Result<Json<json::Repositories>, Failure> {
    let now = app.clock.now();
    let views = app.controller.repositories().await?;
    let repositories = views.iter().map(|view| convert::repository(view, now)).collect();
    Ok(Json(json::Repositories { repositories }))
}

/// `GET /api/v1/repositories/{repository}`
pub(crate) async fn show(
    State(app): State<App>,
    RepositoryPath(id): RepositoryPath,
    Asked(Nothing {}): Asked<Nothing>,
) -> Result<Json<json::Repository>, Failure> {
    let view = app.controller.repository(&id).await?.ok_or_else(|| Failure::no_repository(&id))?;
    Ok(Json(convert::repository(&view, app.clock.now())))
}
