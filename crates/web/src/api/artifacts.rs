//! Artifacts of runs, to download. Invariant: at most a part is in memory for each reader, as of a log.

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE, ETAG};
use axum::response::Response;
use branchline_model::Artifact;
use futures_util::stream::unfold;
use serde::Deserialize;

use crate::edge::{ArtifactPath, Asked};
use crate::failure::Failure;
use crate::web::App;

/// So much is read at a time.
const PART: usize = 256 << 10;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Which {
    attempt: Option<u32>,
}

/// `GET …/runs/{index}/artifacts/{name}?attempt=`: a gzipped tar. Without `attempt`, that of the newest one that has it.
pub(crate) async fn download(
    State(app): State<App>,
    ArtifactPath { run, name }: ArtifactPath,
    Asked(which): Asked<Which>,
) -> Result<Response, Failure> {
    if app.controller.run(&run).await?.is_none() {
        return Err(Failure::no_run(&run));
    }
    let all = app.controller.artifacts(&run).await?;
    let meant = |one: &&Artifact| {
        one.name.as_str() == name && which.attempt.is_none_or(|attempt| one.attempt.number == attempt)
    };
    let artifact = all.iter().filter(meant).max_by_key(|one| one.attempt.number).cloned();
    let artifact = artifact.ok_or_else(|| {
        Failure::not_found(format!("the run {run} has no artifact `{name}`"))
            .hint("`branchline artifacts` lists those there are, and so does the run's page")
    })?;
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/gzip"));
    headers.insert(CONTENT_LENGTH, artifact.content.bytes.into());
    // A name is letters, digits and `-_./`: nothing that a header could not hold.
    let file = name.replace('/', "-");
    let disposition = format!("attachment; filename=\"{file}.tar.gz\"");
    headers.insert(CONTENT_DISPOSITION, HeaderValue::from_str(&disposition).map_err(Failure::defect)?);
    let tag = format!("\"{}\"", artifact.content.sha256);
    headers.insert(ETAG, HeaderValue::from_str(&tag).map_err(Failure::defect)?);
    *response.body_mut() = Body::from_stream(unfold(Some((app, artifact, 0)), |reading| async move {
        let (app, artifact, offset) = reading?;
        if offset >= artifact.content.bytes {
            return None;
        }
        match app.controller.read_artifact(&artifact, offset, PART).await {
            Ok(part) if part.bytes.is_empty() => {
                Some((Err(std::io::Error::other("the artifact ends too early")), None))
            }
            Ok(part) => {
                let next = offset + part.bytes.len() as u64;
                Some((Ok(Bytes::from(part.bytes)), Some((app, artifact, next))))
            }
            Err(error) => {
                tracing::warn!(attempt = %artifact.attempt, name = %artifact.name, %error, "an artifact's reader is cut off");
                Some((Err(std::io::Error::other(error.to_string())), None))
            }
        }
    }));
    Ok(response)
}
