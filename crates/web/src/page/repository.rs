//! A repository's page: its builds, and a form to start one.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use branchline_controller::BuildList;
use branchline_model::{Build, BuildState, BuildStatus, Timestamp};
use serde::Deserialize;

use super::frame::{Frame, Moment, page};
use super::repositories::trouble;
use super::sentence;
use super::status::{self, Shown};
use super::words;
use crate::edge::{Asked, RepositoryPath};
use crate::failure::Failure;
use crate::web::{App, build_path, repository_path};

/// So many builds are on a page.
const BUILDS: usize = 50;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Which {
    before: Option<u64>,
}

#[derive(Template)]
#[template(path = "repository.html")]
struct RepositoryPage {
    frame: Frame,
    path: String,
    name: String,
    trouble: Option<String>,
    builds: Vec<BuildLine>,
    /// Builds that cannot be read.
    unreadable: Vec<String>,
    is_first: bool,
    older: Option<u64>,
    idempotency_key: String,
}

/// A build in a list.
pub(crate) struct BuildLine {
    pub(crate) path: String,
    pub(crate) number: u64,
    pub(crate) status: Shown,
    pub(crate) pipeline: String,
    pub(crate) ref_name: String,
    pub(crate) commit: String,
    pub(crate) subject: String,
    pub(crate) created: Moment,
    pub(crate) took: Option<String>,
}

impl BuildLine {
    pub(crate) fn new(build: &Build, now: Timestamp) -> Self {
        Self {
            path: build_path(&build.id),
            number: build.id.number,
            status: status::build(build.state.status()),
            pipeline: build.pipeline.to_string(),
            ref_name: build.ref_name.short().to_owned(),
            commit: build.commit.short().to_owned(),
            subject: build.subject.clone(),
            created: Moment::new(build.created_at, now),
            took: took(build, now),
        }
    }
}

/// From a build's creation to its end, or to now; none for one that is invalid, as nothing of it was ever run.
pub(crate) fn took(build: &Build, now: Timestamp) -> Option<String> {
    if build.state.status() == BuildStatus::Invalid {
        return None;
    }
    let end = match &build.state {
        BuildState::Ended { at, .. } => *at,
        BuildState::Waiting | BuildState::Running { .. } => now,
    };
    Some(words::duration(end.since(build.created_at)))
}

/// `GET /repositories/{repository}?before=`
pub(crate) async fn show(
    State(app): State<App>,
    RepositoryPath(id): RepositoryPath,
    Asked(Which { before }): Asked<Which>,
) -> Result<Response, Failure> {
    let view = app.controller.repository(&id).await?.ok_or_else(|| Failure::no_repository(&id))?;
    let BuildList { builds: rows, unreadable } = app.controller.build_list(&id, before, BUILDS).await?;
    let now = app.clock.now();
    let frame = Frame::new(&app, view.repository.name.as_str());
    // What is new comes first: on the pages of older builds nothing changes that is worth a look.
    let frame =
        if before.is_none() { frame.following(format!("/api/v1/stream?repository={id}")) } else { frame };
    page(&RepositoryPage {
        frame,
        path: repository_path(&id),
        name: view.repository.name.to_string(),
        trouble: trouble(&view, now),
        older: rows.last().map(|row| row.id.number).filter(|number| rows.len() == BUILDS && *number > 1),
        builds: rows.iter().map(|row| BuildLine::new(row, now)).collect(),
        unreadable: words::unreadable_rows(&unreadable),
        is_first: before.is_none(),
        idempotency_key: app.clock.fresh_id(),
    })
}
