//! Health.

use axum::Json;
use axum::extract::State;
use branchline_controller::{Place, Shortage};

use super::json;
use crate::edge::{Asked, Nothing};
use crate::web::App;

/// `GET /api/v1/health`
pub(crate) async fn show(State(app): State<App>, Asked(Nothing {}): Asked<Nothing>) -> Json<json::Health> {
    let shortages: Vec<_> = app.controller.shortages().iter().map(shortage).collect();
    Json(json::Health { ok: shortages.is_empty(), shortages })
}

fn shortage(shortage: &Shortage) -> json::Shortage {
    let place = match shortage.place {
        Place::Store => "store",
        Place::Logs => "logs",
    };
    json::Shortage { place: place.to_owned(), since: shortage.since.to_string(), why: shortage.why.clone() }
}
