//! The first page: every repository with its newest build.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use branchline_controller::RepositoryView;
use branchline_model::Timestamp;

use super::frame::{Frame, page};
use super::repository::BuildLine;
use super::sentence;
use super::words;
use crate::edge::{Asked, Nothing};
use crate::failure::Failure;
use crate::web::{App, repository_path};

#[derive(Template)]
#[template(path = "repositories.html")]
struct RepositoriesPage {
    frame: Frame,
    repositories: Vec<RepositoryLine>,
    has_dead_letters: bool,
}

struct RepositoryLine {
    path: String,
    name: String,
    trouble: Option<String>,
    newest: Option<BuildLine>,
    is_seen: bool,
}

/// What is wrong with reaching a repository, in words.
pub(crate) fn trouble(view: &RepositoryView, now: Timestamp) -> Option<String> {
    let trouble = view.trouble.as_ref()?;
    Some(words::trouble(trouble.failures, &words::ago(trouble.since, now), &trouble.why))
}

/// `GET /`
pub(crate) async fn show(
    State(app): State<App>,
    Asked(Nothing {}): Asked<Nothing>,
) -> Result<Response, Failure> {
    let now = app.clock.now();
    let views = app.controller.repositories().await?;
    let repositories = views
        .iter()
        .map(|view| RepositoryLine {
            path: repository_path(&view.repository.id),
            name: view.repository.name.to_string(),
            trouble: trouble(view, now),
            newest: view.newest.as_ref().map(|build| BuildLine::new(build, now)),
            is_seen: view.repository.first_seen.is_some(),
        })
        .collect();
    let has_dead_letters = app.controller.has_dead_letters().await?;
    page(&RepositoriesPage { frame: Frame::new(&app, words::REPOSITORIES), repositories, has_dead_letters })
}
