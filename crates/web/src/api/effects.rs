//! Effects that are not known to have been done, and what a person says about a dead letter.

use axum::Json;
use axum::extract::State;
use branchline_controller::Letter;
use branchline_model::EffectKey;

use super::{convert, json};
use crate::edge::{Asked, Nothing, Sent};
use crate::failure::Failure;
use crate::web::App;

/// `GET /api/v1/effects`
pub(crate) async fn list(
    State(app): State<App>,
    Asked(Nothing {}): Asked<Nothing>,
) -> Result<Json<json::Effects>, Failure> {
    let effects = app.controller.effects().await?;
    Ok(Json(json::Effects {
        pending: effects.pending.iter().map(convert::pending_effect).collect(),
        dead: effects.dead.iter().map(convert::dead_effect).collect(),
    }))
}

/// `POST /api/v1/effects/resend`
pub(crate) async fn resend(
    State(app): State<App>,
    Asked(Nothing {}): Asked<Nothing>,
    Sent(named): Sent<json::NamedEffect>,
) -> Result<Json<json::Letter>, Failure> {
    let key = EffectKey(named.key);
    let letter = app.controller.resend_effect(&key).await?;
    answer(&app, &key, letter)
}

/// `POST /api/v1/effects/drop`
pub(crate) async fn drop(
    State(app): State<App>,
    Asked(Nothing {}): Asked<Nothing>,
    Sent(named): Sent<json::NamedEffect>,
) -> Result<Json<json::Letter>, Failure> {
    let key = EffectKey(named.key);
    let letter = app.controller.drop_effect(&key).await?;
    answer(&app, &key, letter)
}

fn answer(app: &App, key: &EffectKey, letter: Letter) -> Result<Json<json::Letter>, Failure> {
    let word = match letter {
        Letter::Sent => "sent",
        Letter::Dropped => "dropped",
        Letter::Unknown => return Err(Failure::no_letter(key)),
    };
    tracing::info!(effect = %key, actor = %app.access.actor(), "an effect was {word}");
    Ok(Json(json::Letter { key: key.to_string(), letter: word.to_owned() }))
}
