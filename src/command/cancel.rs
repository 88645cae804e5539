//! `branchline cancel`: a build, or one run of it.

use std::process::ExitCode;

use branchline_web::json;

use super::named;
use crate::cli;
use crate::client::{Client, Named};
use crate::show::{print, words};

/// Cancels it and says whether it has ended or is being stopped.
pub async fn cancel(arguments: &cli::Cancel) -> anyhow::Result<ExitCode> {
    let what = Named::parse(&arguments.what).ok();
    let is_run = what.is_some_and(|what| what.run.is_some());
    let Some(named) = named(&arguments.what, is_run) else { return Ok(ExitCode::from(2)) };
    let client = Client::find(&arguments.server)?;
    let path = if is_run {
        client.run_path(&named, &arguments.repository).await?
    } else {
        client.build_path(&named, &arguments.repository).await?
    };
    let answer = client.post(&format!("{path}/cancel"), &serde_json::json!({})).await?;
    if arguments.server.json {
        return print(&format!("{answer:#}\n"));
    }
    let cancelled: json::Cancelled = serde_json::from_value(answer)?;
    crate::say(&words::cancelled(&cancelled));
    Ok(ExitCode::SUCCESS)
}
