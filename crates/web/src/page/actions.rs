//! What a person does with a button. Each ends on the page of what came of it (303, so that a reload does nothing again).

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::Redirect;
use branchline_controller::{CancelError, StartRequest};
use branchline_model::PipelineName;
use serde::Deserialize;

use crate::edge::{BuildPath, Filled, RepositoryPath, RunPath, ref_name};
use crate::failure::Failure;
use crate::web::{App, build_path, repository_path, run_path};

/// A form without fields of its own. The guard has seen its token.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Button {
    #[serde(rename = "form_token", default)]
    _form_token: String,
}

/// What the names of fields begin with that are inputs of the pipeline.
const INPUT: &str = "input.";

#[derive(Deserialize)]
pub(crate) struct StartForm {
    pipeline: String,
    #[serde(rename = "ref", default)]
    ref_name: String,
    /// Made with the page, so that sending the form twice starts once.
    #[serde(default)]
    idempotency_key: String,
    #[serde(rename = "form_token", default)]
    _form_token: String,
    /// The inputs, each in a field `input.<name>`. One that is left empty is not given.
    #[serde(flatten)]
    inputs: BTreeMap<String, String>,
}

/// `POST /repositories/{repository}/start`
pub(crate) async fn start(
    State(app): State<App>,
    RepositoryPath(repository): RepositoryPath,
    Filled(form): Filled<StartForm>,
) -> Result<Redirect, Failure> {
    let back = repository_path(&repository);
    if let Some(field) = form.inputs.keys().find(|field| !field.starts_with(INPUT)) {
        return Err(Failure::bad_request("bad_form", format!("the form is wrong: unknown field `{field}`")));
    }
    let inputs = form.inputs.into_iter().filter_map(given).collect();
    let wanted = form.ref_name.trim();
    let request = StartRequest {
        repository,
        pipeline: PipelineName::new(form.pipeline.trim()),
        ref_name: if wanted.is_empty() { None } else { Some(ref_name(wanted)?) },
        idempotency_key: (!form.idempotency_key.is_empty()).then_some(form.idempotency_key),
        actor: app.access.actor().clone(),
        inputs,
    };
    let started = app.controller.start(request).await?;
    Ok(Redirect::to(&started.builds.first().map_or(back, build_path)))
}

fn given((field, value): (String, String)) -> Option<(String, String)> {
    let name = field.strip_prefix(INPUT)?.to_owned();
    (!value.is_empty()).then_some((name, value))
}

/// `POST /repositories/{repository}/builds/{number}/cancel`
pub(crate) async fn cancel_build(
    State(app): State<App>,
    BuildPath(id): BuildPath,
    Filled(_): Filled<Button>,
) -> Result<Redirect, Failure> {
    match app.controller.cancel_build(&id, app.access.actor()).await {
        // The page shows how it ended, which is what whoever pressed a moment too late wants to know.
        Ok(_) | Err(CancelError::AlreadyEnded { .. }) => Ok(Redirect::to(&build_path(&id))),
        Err(error) => Err(error.into()),
    }
}

/// `POST /repositories/{repository}/builds/{number}/runs/{index}/cancel`
pub(crate) async fn cancel_run(
    State(app): State<App>,
    RunPath(id): RunPath,
    Filled(_): Filled<Button>,
) -> Result<Redirect, Failure> {
    match app.controller.cancel_run(&id, app.access.actor()).await {
        Ok(_) | Err(CancelError::AlreadyEnded { .. }) => Ok(Redirect::to(&run_path(&id))),
        Err(error) => Err(error.into()),
    }
}
