//! The edge: paths, queries and bodies become words of the model here, or a clear failure. Inside, invalid cannot exist.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Query, RawPathParams, Request};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use branchline_model::{BuildId, EventKey, ObjectKey, RefName, RepositoryId, RunId};
use serde::de::DeserializeOwned;

use crate::failure::Failure;
use crate::guard::too_large;
use crate::web::App;

/// `{repository}` of the path.
pub(crate) struct RepositoryPath(pub(crate) RepositoryId);

/// `{repository}` and `{number}` of the path.
pub(crate) struct BuildPath(pub(crate) BuildId);

/// `{repository}`, `{number}` and `{index}` of the path.
pub(crate) struct RunPath(pub(crate) RunId);

/// `{repository}` and `{commit}` of the path.
pub(crate) struct CommitPath(pub(crate) RepositoryId, pub(crate) String);

/// `{repository}`, `{number}`, `{index}` and `{*name}` of the path.
pub(crate) struct ArtifactPath {
    pub(crate) run: RunId,
    pub(crate) name: String,
}

/// `{*key}` of the path.
pub(crate) struct EventPath(pub(crate) EventKey);

/// The named parts of the path, joined by `/` as ids are written.
async fn id_text(parts: &mut Parts, app: &App, names: &[&str]) -> Result<String, Failure> {
    let params = RawPathParams::from_request_parts(parts, app)
        .await
        .map_err(|error| Failure::bad_request("bad_path", error.body_text()))?;
    let found: Vec<&str> = names
        .iter()
        .filter_map(|name| params.iter().find(|(key, _)| key == name).map(|(_, value)| value))
        .collect();
    Ok(found.join("/"))
}

macro_rules! from_path {
    ($($type:ident: $names:expr),*) => {$(
        impl FromRequestParts<App> for $type {
            type Rejection = Failure;

            async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failure> {
                Ok(Self(id_text(parts, app, &$names).await?.parse()?))
            }
        }
    )*};
}
from_path! {
    RepositoryPath: ["repository"],
    BuildPath: ["repository", "number"],
    RunPath: ["repository", "number", "index"]
}

impl FromRequestParts<App> for CommitPath {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failure> {
        let repository = id_text(parts, app, &["repository"]).await?.parse()?;
        Ok(Self(repository, id_text(parts, app, &["commit"]).await?))
    }
}

impl FromRequestParts<App> for ArtifactPath {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failure> {
        let run = id_text(parts, app, &["repository", "number", "index"]).await?.parse()?;
        let name: ObjectKey = id_text(parts, app, &["name"]).await?.parse()?;
        Ok(Self { run, name: name.to_string() })
    }
}

impl FromRequestParts<App> for EventPath {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failure> {
        Ok(Self(EventKey::new(id_text(parts, app, &["key"]).await?)))
    }
}

/// The query, of which every key is known.
pub(crate) struct Asked<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<App> for Asked<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Failure> {
        Query::<T>::try_from_uri(&parts.uri).map(|Query(query)| Self(query)).map_err(|error| {
            Failure::bad_request(
                "bad_query",
                format!("the query of this address is wrong: {}", inner(&error)),
            )
        })
    }
}

/// The query of an address that takes none.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nothing {}

/// A JSON body, of which every field is known.
pub(crate) struct Sent<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<App> for Sent<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, app: &App) -> Result<Self, Failure> {
        let kind = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let essence = kind.and_then(|kind| kind.split(';').next()).map(str::trim);
        if essence != Some("application/json") {
            let message = "the request's body is not said to be JSON";
            return Err(Failure::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not_json", message)
                .hint("send `Content-Type: application/json`"));
        }
        let bytes = body(request, app).await?;
        serde_json::from_slice(&bytes).map(Self).map_err(|error| {
            Failure::bad_request("bad_json", format!("the request's body is wrong: {error}"))
        })
    }
}

/// A form's body, of which every field is known.
pub(crate) struct Filled<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<App> for Filled<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, app: &App) -> Result<Self, Failure> {
        let kind = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        if !kind.is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded")) {
            let message = "the request's body is not a form";
            return Err(Failure::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not_a_form", message)
                .hint("programs use `/api/v1/`"));
        }
        let bytes = body(request, app).await?;
        let mut form = Request::new(axum::body::Body::from(bytes));
        *form.method_mut() = axum::http::Method::POST;
        form.headers_mut()
            .insert(CONTENT_TYPE, axum::http::HeaderValue::from_static("application/x-www-form-urlencoded"));
        axum::Form::<T>::from_request(form, app).await.map(|axum::Form(form)| Self(form)).map_err(|error| {
            Failure::bad_request("bad_form", format!("the form is wrong: {}", inner(&error)))
        })
    }
}

async fn body(request: Request, app: &App) -> Result<Bytes, Failure> {
    Bytes::from_request(request, app).await.map_err(|error| match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => too_large(),
        _ => Failure::bad_request("bad_body", "the request's body could not be read"),
    })
}

/// What was wrong, without what every such error begins with.
fn inner(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

/// A branch or tag as people name it: `refs/heads/…`, `refs/tags/…`, or a branch's name alone.
pub(crate) fn ref_name(text: &str) -> Result<RefName, Failure> {
    let full = if text.starts_with("refs/") { text.to_owned() } else { format!("refs/heads/{text}") };
    full.parse().map_err(|error: branchline_model::RefNameError| {
        Failure::bad_request("bad_ref", error.to_string()).hint("a branch may be named without `refs/heads/`")
    })
}
