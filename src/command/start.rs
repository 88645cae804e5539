//! `branchline start`: a pipeline by hand.

use std::process::ExitCode;

use branchline_web::json;

use crate::cli;
use crate::client::Client;
use crate::show::{print, words};

/// Starts it and says which builds that made.
pub async fn start(arguments: &cli::Start) -> anyhow::Result<ExitCode> {
    let client = Client::find(&arguments.server)?;
    let id = client.repository(arguments.repository.repository.as_deref()).await?;
    let request = json::Start {
        pipeline: arguments.pipeline.clone(),
        ref_name: arguments.ref_name.clone(),
        idempotency_key: arguments.idempotency_key.clone(),
        inputs: arguments.inputs.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect(),
    };
    let answer = client.post(&format!("repositories/{id}/start"), &serde_json::to_value(request)?).await?;
    if arguments.server.json {
        return print(&format!("{answer:#}\n"));
    }
    let started: json::Started = serde_json::from_value(answer)?;
    if let Some(why) = &started.pending {
        crate::say(&words::start_is_pending(why));
    }
    print(&started.builds.iter().map(|build| format!("{build}\n")).collect::<String>())
}
