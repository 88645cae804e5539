//! The page for what went wrong.

use askama::Template;
use axum::response::Response;

use super::frame::{Frame, last_word};
use super::sentence;
use super::words;
use crate::failure::Failure;
use crate::web::App;

#[derive(Template)]
#[template(path = "trouble.html")]
struct TroublePage<'a> {
    frame: Frame,
    message: &'a str,
    hint: Option<&'a str>,
    id: Option<&'a str>,
}

/// A failure, for a person. It says no more than its request's sender may know.
pub(crate) fn show(app: &App, failure: &Failure, id: Option<&str>) -> Response {
    let title = failure.status.canonical_reason().unwrap_or(words::PRODUCT);
    let page = TroublePage {
        frame: Frame::open(app, title),
        message: &failure.message,
        hint: failure.hint.as_deref(),
        id,
    };
    last_word(failure.status, &page)
}
