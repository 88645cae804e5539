//! What every page has around its content, and how a template becomes an answer.

use askama::Template;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use branchline_model::Timestamp;

use super::words;
use crate::failure::Failure;
use crate::web::App;

/// What every page has around its content.
pub(crate) struct Frame {
    pub(crate) title: String,
    pub(crate) style: String,
    pub(crate) script: Option<String>,
    pub(crate) version: String,
    pub(crate) form_token: String,
    /// The stream that says that the page is out of date.
    pub(crate) changes: Option<String>,
    /// What cannot be written now.
    pub(crate) shortages: Vec<String>,
}

impl Frame {
    /// Around a page for who has the token.
    pub(crate) fn new(app: &App, title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            style: app.assets.style_path().to_owned(),
            script: Some(app.assets.script_path().to_owned()),
            version: app.version.clone(),
            form_token: app.access.form_token().to_owned(),
            changes: None,
            shortages: app.controller.shortages().iter().map(words::shortage).collect(),
        }
    }

    /// Around a page for anyone: it says nothing about what is here.
    pub(crate) fn open(app: &App, title: impl Into<String>) -> Self {
        let (version, form_token) = (String::new(), String::new());
        Self { script: None, version, form_token, shortages: Vec::new(), ..Self::new(app, title) }
    }

    pub(crate) fn following(self, changes: String) -> Self {
        Self { changes: Some(changes), ..self }
    }
}

/// A moment: exact for machines, an age for people.
pub(crate) struct Moment {
    pub(crate) exact: String,
    pub(crate) ago: String,
}

impl Moment {
    pub(crate) fn new(at: Timestamp, now: Timestamp) -> Self {
        Self { exact: at.to_string(), ago: words::ago(at, now) }
    }
}

/// A page from its template.
pub(crate) fn page(template: &impl Template) -> Result<Response, Failure> {
    template.render().map(|html| Html(html).into_response()).map_err(Failure::defect)
}

/// A page with a status of its own, where no failure can be told any more.
pub(crate) fn last_word(status: StatusCode, template: &impl Template) -> Response {
    match template.render() {
        Ok(html) => (status, Html(html)).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page cannot be made");
            status.into_response()
        }
    }
}
