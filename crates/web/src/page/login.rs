//! Letting a person in: the page that asks for the token, and the probe that says nothing.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use super::frame::{Frame, last_word};
use super::sentence;
use super::words;
use crate::edge::Filled;
use crate::guard::{local, logged_in};
use crate::web::App;

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage {
    frame: Frame,
    next: String,
    is_wrong: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Login {
    token: String,
    next: String,
}

/// The page that asks for the token; `next` is where its reader wanted to go.
pub(crate) fn ask(app: &App, next: &str, is_wrong: bool) -> Response {
    let page = LoginPage { frame: Frame::open(app, words::LOGIN), next: local(next).to_owned(), is_wrong };
    last_word(StatusCode::UNAUTHORIZED, &page)
}

/// `POST /login`
pub(crate) async fn log_in(State(app): State<App>, Filled(login): Filled<Login>) -> Response {
    if app.access.is_token(login.token.trim()) {
        logged_in(&app, &login.next)
    } else {
        ask(&app, &login.next, true)
    }
}

/// `GET /healthz`: someone is there.
pub(crate) async fn health() -> StatusCode {
    StatusCode::NO_CONTENT
}
