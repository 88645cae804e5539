//! Starting a pipeline by hand.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use branchline_controller::StartRequest;
use branchline_model::PipelineName;
use serde_json::Value;

use super::{convert, json};
use crate::edge::{Asked, Nothing, RepositoryPath, Sent, ref_name};
use crate::failure::Failure;
use crate::web::App;

/// `POST /api/v1/repositories/{repository}/start`
pub(crate) async fn start(
    State(app): State<App>,
    RepositoryPath(repository): RepositoryPath,
    Asked(Nothing {}): Asked<Nothing>,
    Sent(wish): Sent<json::Start>,
) -> Result<(StatusCode, Json<json::Started>), Failure> {
    let request = StartRequest {
        repository,
        pipeline: PipelineName::new(wish.pipeline),
        ref_name: wish.ref_name.as_deref().map(ref_name).transpose()?,
        idempotency_key: wish.idempotency_key,
        actor: app.access.actor().clone(),
        inputs: wish.inputs.into_iter().filter_map(given).collect(),
    };
    let started = app.controller.start(request).await?;
    Ok((
        StatusCode::CREATED,
        Json(json::Started {
            event: started.event.to_string(),
            builds: started.builds.iter().map(ToString::to_string).collect(),
            reasons: started.reasons.iter().map(convert::pipeline_reason).collect(),
            pending: started.pending,
        }),
    ))
}

/// An input as text, as a person would write it; `null` is as if it were not given.
fn given((name, value): (String, Value)) -> Option<(String, String)> {
    let text = match value {
        Value::Null => return None,
        Value::String(text) => text,
        Value::Array(items) => {
            let texts =
                items.iter().map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned));
            texts.collect::<Vec<_>>().join(",")
        }
        other => other.to_string(),
    };
    Some((name, text))
}
