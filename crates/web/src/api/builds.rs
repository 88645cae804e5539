//! Builds.

use axum::Json;
use axum::extract::State;
use branchline_controller::{BuildList, Cancelled};
use serde::Deserialize;

use super::{convert, json};
use crate::edge::{Asked, BuildPath, Nothing, RepositoryPath};
use crate::failure::Failure;
use crate::web::App;

/// So many builds are listed where nothing else is asked for.
const BUILDS: usize = 50;

/// So many at the most.
const MOST_BUILDS: usize = 200;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Which {
    before: Option<u64>,
    limit: Option<usize>,
}

/// `GET /api/v1/repositories/{repository}/builds?before=&limit=`
pub(crate) async fn list(
    State(app): State<App>,
    RepositoryPath(id): RepositoryPath,
    Asked(Which { before, limit }): Asked<Which>,
) -> Result<Json<json::Builds>, Failure> {
    let limit = limit.unwrap_or(BUILDS);
    if !(1..=MOST_BUILDS).contains(&limit) {
        return Err(Failure::bad_request("bad_query", format!("`limit` is 1 to {MOST_BUILDS}, not {limit}")));
    }
    if app.controller.repository(&id).await?.is_none() {
        return Err(Failure::no_repository(&id));
    }
    let BuildList { builds: rows, unreadable } = app.controller.build_list(&id, before, limit).await?;
    let oldest = rows.last().map(|row| row.id.number);
    let now = app.clock.now();
    Ok(Json(json::Builds {
        before: oldest.filter(|number| rows.len() == limit && *number > 1),
        builds: rows.iter().map(|row| convert::build(row, now)).collect(),
        unreadable: unreadable.iter().map(convert::unreadable).collect(),
    }))
}

/// `GET /api/v1/repositories/{repository}/builds/{number}`
pub(crate) async fn show(
    State(app): State<App>,
    BuildPath(id): BuildPath,
    Asked(Nothing {}): Asked<Nothing>,
) -> Result<Json<json::BuildDetails>, Failure> {
    let view = app.controller.build(&id).await?.ok_or_else(|| Failure::no_build(&id))?;
    Ok(Json(convert::build_details(&view, app.clock.now())))
}

/// `POST /api/v1/repositories/{repository}/builds/{number}/cancel`
pub(crate) async fn cancel(
    State(app): State<App>,
    BuildPath(id): BuildPath,
    Asked(Nothing {}): Asked<Nothing>,
) -> Result<Json<json::Cancelled>, Failure> {
    let cancelled = app.controller.cancel_build(&id, app.access.actor()).await?;
    Ok(Json(json::Cancelled { id: id.to_string(), cancelled: word(cancelled).to_owned() }))
}

/// The word for what a cancel came to.
pub(crate) fn word(cancelled: Cancelled) -> &'static str {
    match cancelled {
        Cancelled::Ended => "ended",
        Cancelled::Stopping => "stopping",
    }
}
