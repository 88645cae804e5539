//! `branchline builds`: a repository's builds, the newest first.

use std::process::ExitCode;

use branchline_web::json;

use crate::cli;
use crate::client::Client;
use crate::show::{Paint, Table, print, words};

/// Prints a table, or the API's own JSON.
pub async fn builds(arguments: &cli::Builds) -> anyhow::Result<ExitCode> {
    let client = Client::find(&arguments.server)?;
    let id = client.repository(arguments.repository.repository.as_deref()).await?;
    let answer = client.get(&format!("repositories/{id}/builds?limit={}", arguments.limit)).await?;
    let repository: json::Repository =
        serde_json::from_value(client.get(&format!("repositories/{id}")).await?)?;
    let health: json::Health = serde_json::from_value(client.get("health").await?)?;
    for shortage in &health.shortages {
        crate::say(&words::shortage(shortage));
    }
    if let Some(trouble) = &repository.trouble {
        crate::say(&words::trouble(trouble));
    }
    if arguments.server.json {
        return print(&format!("{answer:#}\n"));
    }
    let json::Builds { builds, before, unreadable } = serde_json::from_value(answer)?;
    for row in &unreadable {
        crate::say(&words::unreadable(row));
    }
    if builds.is_empty() {
        crate::say(words::NO_BUILDS);
        return Ok(ExitCode::SUCCESS);
    }
    let paint = Paint::stdout();
    let mut table = Table::new(&words::BUILDS_COLUMNS);
    for build in &builds {
        table.row(vec![
            build.number.to_string(),
            build.pipeline.clone(),
            paint.state(&build.status),
            words::short_ref(&build.ref_name).to_owned(),
            words::short_commit(&build.commit).to_owned(),
            words::milliseconds(build.duration_ms),
            words::first_line(&build.subject),
        ]);
    }
    if before.is_some() {
        crate::say(words::MORE_BUILDS);
    }
    print(&table.render())
}
