//! What went wrong with a request. Invariant: a handler says what happened once; whether a program reads it as JSON or a
//! person as a page is decided in one place; a cause that is not for outsiders goes to the trace under an id they are shown.

use std::fmt::Display;
use std::time::Duration;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use branchline_controller::{CancelError, ControllerError, StartError};
use branchline_model::{BuildId, EffectKey, IdError, RepositoryId, RunId};
use branchline_ports::{ArtifactError, StoreError};

use crate::api::json;
use crate::page;
use crate::web::App;

/// Why a request was not done.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
    /// What only the trace may know.
    cause: Option<String>,
}

impl Failure {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), hint: None, cause: None }
    }

    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    pub(crate) fn bad_request(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", message)
    }

    pub(crate) fn no_repository(id: &RepositoryId) -> Self {
        Self::not_found(format!("the repository {id} is not served"))
            .hint("the server's first page lists those that are; `branchline up` is told which")
    }

    pub(crate) fn no_build(id: &BuildId) -> Self {
        Self::not_found(format!("there is no build {id}"))
            .hint("`branchline builds` lists those there are, and so does the repository's page")
    }

    pub(crate) fn no_run(id: &RunId) -> Self {
        Self::not_found(format!("there is no run {id}")).hint(format!(
            "`branchline build {}` lists those there are, and so does the build's page",
            id.build
        ))
    }

    pub(crate) fn no_letter(key: &EffectKey) -> Self {
        Self::not_found(format!("there is no effect `{key}` of which this can be asked"))
            .hint("`branchline effects` lists those there are: it may have been done meanwhile")
    }

    pub(crate) fn unavailable(cause: impl Display) -> Self {
        let message = "what is stored cannot be read or written now";
        let failure = Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", message)
            .hint("try again; if it lasts, the server's log says why under this failure's id");
        Self { cause: Some(cause.to_string()), ..failure }
    }

    pub(crate) fn defect(cause: impl Display) -> Self {
        let message = "the server failed to answer this request";
        let failure = Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", message).hint(
            "this is a defect: please report it with what the server's log says under this failure's id",
        );
        Self { cause: Some(cause.to_string()), ..failure }
    }

    pub(crate) fn too_slow(longest: Duration) -> Self {
        let cause = format!("no answer within {} s", longest.as_secs());
        Self { message: "the answer took too long".to_owned(), ..Self::unavailable(cause) }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable { .. } => Self::unavailable(error),
            StoreError::Unreadable { .. } => {
                Self::new(StatusCode::CONFLICT, "unreadable", error.to_string()).hint(page::words::DOCTOR)
            }
            StoreError::Refused { .. } => Self::defect(error),
        }
    }
}

impl From<ArtifactError> for Failure {
    fn from(error: ArtifactError) -> Self {
        match error {
            ArtifactError::Unavailable { .. } | ArtifactError::Damaged { .. } => Self::unavailable(error),
            ArtifactError::Gap { .. } | ArtifactError::Closed { .. } => Self::defect(error),
        }
    }
}

impl From<ControllerError> for Failure {
    fn from(error: ControllerError) -> Self {
        match error {
            ControllerError::Store(error) => error.into(),
            ControllerError::Artifacts(error) => error.into(),
            ControllerError::Contended { .. } | ControllerError::Object(_) => Self::unavailable(error),
            ControllerError::Defect(_) => Self::defect(error),
        }
    }
}

impl From<CancelError> for Failure {
    fn from(error: CancelError) -> Self {
        let message = error.to_string();
        match error {
            CancelError::NotFound { .. } => Self::not_found(message),
            CancelError::AlreadyEnded { .. } => Self::new(StatusCode::CONFLICT, "already_ended", message)
                .hint("what has ended is final: start the pipeline again to have it run anew"),
            CancelError::Controller(error) => error.into(),
        }
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        let message = error.to_string();
        match error {
            StartError::NoSuchRepository(id) => Self::no_repository(&id),
            StartError::NoSuchRef { .. } => Self::not_found(message).hint(
                "name a branch, a tag as `refs/tags/NAME`, or nothing for the default branch; one that was just pushed is seen within moments",
            ),
            StartError::NoSuchPipeline { .. } => {
                Self::not_found(message).hint("a pipeline's name is that of its file in `.branchline/`")
            }
            StartError::NotManual { .. } => Self::new(StatusCode::CONFLICT, "not_manual", message)
                .hint("add `manual: true` under `on:` of the pipeline's file, on the branch or tag that is started"),
            StartError::BadInputs { .. } => Self::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_inputs", message)
                .hint("the pipeline's file says under `inputs:` what it takes"),
            StartError::Disabled { .. } => Self::new(StatusCode::CONFLICT, "disabled", message)
                .hint("take `disabled: true` out of the pipeline's file"),
            StartError::Abandoned { .. } => Self::new(StatusCode::CONFLICT, "abandoned", message)
                .hint("start it again with another idempotency key"),
            StartError::BadIdempotencyKey => Self::bad_request("bad_idempotency_key", message),
            StartError::Controller(error) => error.into(),
        }
    }
}

impl From<IdError> for Failure {
    fn from(error: IdError) -> Self {
        Self::bad_request("bad_id", error.to_string())
    }
}

/// Its status, and itself for [`render`].
impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// Gives every failure the form that its reader expects: JSON under `/api/`, a page elsewhere.
pub(crate) async fn render(State(app): State<App>, request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let method = request.method().clone();
    let mut response = next.run(request).await;
    let Some(failure) = response.extensions_mut().remove::<Failure>() else { return response };
    let id = failure.cause.as_ref().map(|cause| {
        let id = app.clock.fresh_id();
        tracing::error!(failure = %id, %method, path, cause, "a request failed");
        id
    });
    let rendered = if path.starts_with("/api/") {
        Json(json::Failure {
            error: json::FailureFacts {
                code: failure.code.to_owned(),
                message: failure.message,
                hint: failure.hint,
                id,
            },
        })
        .into_response()
    } else {
        page::trouble::show(&app, &failure, id.as_deref())
    };
    // What the failure's response said beyond its body (`Allow`, `Retry-After`) stays.
    let (mut parts, _) = response.into_parts();
    let (said, body) = rendered.into_parts();
    parts.headers.remove(axum::http::header::CONTENT_LENGTH);
    parts.headers.extend(said.headers);
    Response::from_parts(parts, body)
}

pub(crate) async fn no_such_route(request: Request) -> Failure {
    Failure::new(
        StatusCode::NOT_FOUND,
        "no_such_route",
        format!("there is nothing at `{}`", request.uri().path()),
    )
    .hint("pages begin at `/`; a program that asks for this may be of another version than the server")
}

pub(crate) async fn no_such_method(request: Request) -> Failure {
    Failure::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "no_such_method",
        format!("`{}` does not take {}", request.uri().path(), request.method()),
    )
    .hint("the `Allow` header says what it takes")
}
