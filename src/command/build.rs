//! `branchline build`: one build with its runs.

use std::process::ExitCode;

use branchline_web::json;

use super::named;
use crate::cli;
use crate::client::Client;
use crate::show::{Paint, Table, print, words};

/// Prints the build's facts, its runs and what is wrong with its file; or the API's own JSON.
pub async fn build(arguments: &cli::Build) -> anyhow::Result<ExitCode> {
    let Some(named) = named(&arguments.build, false) else { return Ok(ExitCode::from(2)) };
    let client = Client::find(&arguments.server)?;
    let path = client.build_path(&named, &arguments.repository).await?;
    let answer = client.get(&path).await?;
    if arguments.server.json {
        return print(&format!("{answer:#}\n"));
    }
    let details: json::BuildDetails = serde_json::from_value(answer)?;
    let paint = Paint::stdout();
    let build = &details.build;
    let mut text = format!(
        "{} {}\n",
        paint.bold(&format!("build {} {}", build.number, build.pipeline)),
        paint.state(&build.status)
    );
    for (what, value) in words::build_facts(build) {
        text.push_str(&format!("{what:<9} {value}\n"));
    }
    if !details.runs.is_empty() {
        let mut table = Table::new(&words::RUNS_COLUMNS);
        for run in &details.runs {
            table.row(vec![
                run.index.to_string(),
                run.label.clone(),
                paint.state(&run.status),
                run.duration_ms.map(words::milliseconds).unwrap_or_default(),
                words::run_why(run),
            ]);
        }
        text.push('\n');
        text.push_str(&table.render());
    }
    for problem in &details.problems {
        text.push('\n');
        text.push_str(problem.rendered.trim_end());
        text.push('\n');
    }
    for row in &details.unreadable {
        crate::say(&words::unreadable(row));
    }
    print(&text)
}
