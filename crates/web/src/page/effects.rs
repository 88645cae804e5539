//! What is still to be done outside, and the dead letters: what failed so often that it waits for a person.

use askama::Template;
use axum::extract::State;
use axum::response::{Redirect, Response};
use branchline_model::{DeadEffect, EffectKey, PendingEffect, Timestamp};
use serde::Deserialize;

use super::frame::{Frame, Moment, page};
use super::sentence;
use super::words;
use crate::edge::{Asked, Filled, Nothing};
use crate::failure::Failure;
use crate::web::{App, run_path};

#[derive(Template)]
#[template(path = "effects.html")]
struct EffectsPage {
    frame: Frame,
    dead: Vec<DeadLine>,
    pending: Vec<PendingLine>,
}

struct DeadLine {
    key: String,
    does: String,
    run: String,
    failures: u32,
    first: Moment,
    last: Moment,
    why: String,
}

struct PendingLine {
    does: String,
    run: String,
    failures: u32,
    planned: Moment,
    why: String,
}

impl DeadLine {
    fn new(dead: &DeadEffect, now: Timestamp) -> Self {
        Self {
            key: dead.effect.key().to_string(),
            does: dead.effect.to_string(),
            run: run_path(dead.effect.run()),
            failures: dead.failures,
            first: Moment::new(dead.first_failure, now),
            last: Moment::new(dead.last_failure, now),
            why: dead.why.clone(),
        }
    }
}

impl PendingLine {
    fn new(pending: &PendingEffect, now: Timestamp) -> Self {
        Self {
            does: pending.effect.to_string(),
            run: run_path(pending.effect.run()),
            failures: pending.failures,
            planned: Moment::new(pending.planned_at, now),
            why: pending.last.why().unwrap_or_default().to_owned(),
        }
    }
}

/// `GET /effects`
pub(crate) async fn show(
    State(app): State<App>,
    Asked(Nothing {}): Asked<Nothing>,
) -> Result<Response, Failure> {
    let now = app.clock.now();
    let effects = app.controller.effects().await?;
    page(&EffectsPage {
        frame: Frame::new(&app, words::EFFECTS),
        dead: effects.dead.iter().map(|dead| DeadLine::new(dead, now)).collect(),
        pending: effects.pending.iter().map(|pending| PendingLine::new(pending, now)).collect(),
    })
}

/// Which effect a button is about.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Letter {
    key: String,
    #[serde(rename = "form_token", default)]
    _form_token: String,
}

/// `POST /effects/resend`
pub(crate) async fn resend(
    State(app): State<App>,
    Filled(letter): Filled<Letter>,
) -> Result<Redirect, Failure> {
    let key = EffectKey(letter.key);
    // The page shows what is left, also to whoever pressed a moment too late.
    let letter = app.controller.resend_effect(&key).await?;
    tracing::info!(effect = %key, actor = %app.access.actor(), ?letter, "an effect was to be sent again");
    Ok(Redirect::to("/effects"))
}

/// `POST /effects/drop`
pub(crate) async fn drop(
    State(app): State<App>,
    Filled(letter): Filled<Letter>,
) -> Result<Redirect, Failure> {
    let key = EffectKey(letter.key);
    let letter = app.controller.drop_effect(&key).await?;
    tracing::info!(effect = %key, actor = %app.access.actor(), ?letter, "a dead letter was to be dropped");
    Ok(Redirect::to("/effects"))
}
