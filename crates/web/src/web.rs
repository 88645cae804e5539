//! The router, and the table of every route. Invariant: a route is in the table or it does not exist; what the table
//! does not call open is closed; and nothing outlives a request but the streams that clients hold open.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{MethodRouter, get, post};
use branchline_controller::Controller;
use branchline_ports::{Clock, Ring};
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

use crate::page::assets::Assets;
use crate::{Access, api, failure, guard, headers, page};

/// What the router is made of.
pub struct Web {
    /// What is asked and told.
    pub controller: Controller,
    /// What rings when something changed; each stream subscribes. Rings may be lost: streams look again by themselves.
    pub rings: broadcast::Sender<Ring>,
    /// Who may pass, and under which names the server is reached.
    pub access: Access,
    /// The time, for durations of what has not ended, and ids of failures.
    pub clock: Arc<dyn Clock>,
    /// Ends every open stream once it is cancelled, so that a server can close down.
    pub closing: CancellationToken,
    /// The version that pages show.
    pub version: String,
}

/// What handlers share.
#[derive(Clone)]
pub(crate) struct App(Arc<Shared>);

pub(crate) struct Shared {
    pub(crate) controller: Controller,
    pub(crate) rings: broadcast::Sender<Ring>,
    pub(crate) access: Access,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) closing: CancellationToken,
    pub(crate) version: String,
    pub(crate) assets: Assets,
}

impl std::ops::Deref for App {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

/// No request's body is larger: 64 KiB.
pub(crate) const LARGEST_BODY: usize = 64 * 1024;

/// So long may an answer's beginning take.
const LONGEST_ANSWER: Duration = Duration::from_secs(30);

/// One route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteEntry {
    /// `GET` (which answers `HEAD` too) or `POST`.
    pub method: &'static str,
    /// Its path, with `{parameters}`.
    pub path: &'static str,
    /// Whether it answers without a token.
    pub open: bool,
}

struct Route {
    entry: RouteEntry,
    handler: fn() -> MethodRouter<App>,
}

const fn route(method: &'static str, path: &'static str, handler: fn() -> MethodRouter<App>) -> Route {
    Route { entry: RouteEntry { method, path, open: false }, handler }
}

/// Answers without a token. It must say nothing about what is served here.
const fn open(method: &'static str, path: &'static str, handler: fn() -> MethodRouter<App>) -> Route {
    Route { entry: RouteEntry { method, path, open: true }, handler }
}

const BUILD: &str = "/repositories/{repository}/builds/{number}";

const TABLE: &[Route] = &[
    open("GET", "/healthz", || get(page::login::health)),
    open("POST", "/login", || post(page::login::log_in)),
    open("GET", "/login/{style}", || get(page::assets::style)),
    // Pages.
    route("GET", "/", || get(page::repositories::show)),
    route("GET", "/assets/{script}", || get(page::assets::script)),
    route("GET", "/effects", || get(page::effects::show)),
    route("POST", "/effects/resend", || post(page::effects::resend)),
    route("POST", "/effects/drop", || post(page::effects::drop)),
    route("GET", "/repositories/{repository}", || get(page::repository::show)),
    route("POST", "/repositories/{repository}/start", || post(page::actions::start)),
    route("GET", "/repositories/{repository}/builds/{number}", || get(page::build::show)),
    route("POST", "/repositories/{repository}/builds/{number}/cancel", || post(page::actions::cancel_build)),
    route("GET", "/repositories/{repository}/builds/{number}/runs/{index}", || get(page::run::show)),
    route("GET", "/repositories/{repository}/builds/{number}/runs/{index}/live", || get(page::live::follow)),
    route("POST", "/repositories/{repository}/builds/{number}/runs/{index}/cancel", || {
        post(page::actions::cancel_run)
    }),
    // Programs.
    route("GET", "/api/v1/health", || get(api::health::show)),
    route("GET", "/api/v1/repositories", || get(api::repositories::list)),
    route("GET", "/api/v1/repositories/{repository}", || get(api::repositories::show)),
    route("GET", "/api/v1/repositories/{repository}/commits/{commit}", || get(api::events::of_commit)),
    route("POST", "/api/v1/repositories/{repository}/start", || post(api::start::start)),
    route("GET", "/api/v1/repositories/{repository}/builds", || get(api::builds::list)),
    route("GET", "/api/v1/repositories/{repository}/builds/{number}", || get(api::builds::show)),
    route("POST", "/api/v1/repositories/{repository}/builds/{number}/cancel", || post(api::builds::cancel)),
    route("GET", "/api/v1/repositories/{repository}/builds/{number}/runs/{index}", || get(api::runs::show)),
    route("POST", "/api/v1/repositories/{repository}/builds/{number}/runs/{index}/cancel", || {
        post(api::runs::cancel)
    }),
    route("GET", "/api/v1/repositories/{repository}/builds/{number}/runs/{index}/log", || {
        get(api::log::read)
    }),
    route("GET", "/api/v1/repositories/{repository}/builds/{number}/runs/{index}/artifacts/{*name}", || {
        get(api::artifacts::download)
    }),
    route("GET", "/api/v1/effects", || get(api::effects::list)),
    route("POST", "/api/v1/effects/resend", || post(api::effects::resend)),
    route("POST", "/api/v1/effects/drop", || post(api::effects::drop)),
    route("GET", "/api/v1/events/{*key}", || get(api::events::show)),
    route("GET", "/api/v1/stream", || get(api::stream::follow)),
];

/// Every route there is.
pub fn routes() -> impl Iterator<Item = RouteEntry> {
    TABLE.iter().map(|route| route.entry)
}

/// The path of a build's page.
pub(crate) fn build_path(id: &branchline_model::BuildId) -> String {
    BUILD.replace("{repository}", id.repository.as_str()).replace("{number}", &id.number.to_string())
}

/// The path of a run's page.
pub(crate) fn run_path(id: &branchline_model::RunId) -> String {
    format!("{}/runs/{}", build_path(&id.build), id.index)
}

/// Where an artifact is downloaded.
pub(crate) fn artifact_path(artifact: &branchline_model::Artifact) -> String {
    let (run, attempt) = (run_path(&artifact.attempt.run), artifact.attempt.number);
    format!("/api/v1{run}/artifacts/{}?attempt={attempt}", artifact.name)
}

/// The path of a repository's page.
pub(crate) fn repository_path(id: &branchline_model::RepositoryId) -> String {
    format!("/repositories/{id}")
}

/// Everything that is answered over HTTP.
pub fn router(web: Web) -> Router {
    let Web { controller, rings, access, clock, closing, version } = web;
    let assets = Assets::new();
    let app = App(Arc::new(Shared { controller, rings, access, clock, closing, version, assets }));
    let mut router = Router::new();
    for route in TABLE {
        router = router.route(route.entry.path, (route.handler)());
    }
    router
        .fallback(failure::no_such_route)
        .method_not_allowed_fallback(failure::no_such_method)
        // The last layer is the outermost.
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .layer(from_fn_with_state(app.clone(), guard::guard))
        .layer(from_fn(|request, next| headers::in_time(LONGEST_ANSWER, request, next)))
        .layer(from_fn_with_state(app.clone(), failure::render))
        .layer(from_fn(headers::secure))
        .with_state(app)
}
