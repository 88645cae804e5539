//! `branchline build`: one build with its runs.

use std::process::ExitCode;

use branchline_web::json;

use super::named;
use crate::cli;
use crate::client::Client;
use crate::show::{Paint, Table, print, words};

/// Of so many runs the tests that failed are listed, and so many of each.
const MOST_TESTED_RUNS: usize = 10;
const MOST_TESTS: usize = 20;

fn has_failed_tests(run: &json::Run) -> bool {
    run.reason.as_ref().is_some_and(|reason| reason.code == "test_failed")
}

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
    for run in details.runs.iter().filter(|run| has_failed_tests(run)).take(MOST_TESTED_RUNS) {
        let run: json::RunDetails =
            serde_json::from_value(client.get(&format!("{path}/runs/{}", run.index)).await?)?;
        let results = run.attempts.last().and_then(|attempt| attempt.results.as_ref());
        if let Some(tests) = results.and_then(|results| results.tests.as_ref()) {
            text.push_str(&format!("\n{}\n", words::tests(&run.run.job, tests)));
            for test in tests.bad.iter().take(MOST_TESTS) {
                text.push_str(&format!("{}\n", words::bad_test(test)));
            }
        }
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
