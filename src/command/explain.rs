//! `branchline explain`: why each pipeline of an event was built or not, and why each job ran or did not.

use std::process::ExitCode;

use branchline_web::json;

use crate::cli;
use crate::client::{Client, Named};
use crate::show::{Paint, print, words};

/// So many digits name a commit at the least.
const FEWEST_DIGITS: usize = 7;

/// Prints the reasons, or the API's own JSON.
pub async fn explain(arguments: &cli::Explain) -> anyhow::Result<ExitCode> {
    let client = Client::find(&arguments.server)?;
    let what = arguments.what.as_str();
    if is_commit(what) {
        let id = client.repository(arguments.repository.repository.as_deref()).await?;
        let answer = client.get(&format!("repositories/{id}/commits/{what}")).await?;
        if arguments.server.json {
            return print(&format!("{answer:#}\n"));
        }
        let found: json::CommitEvents = serde_json::from_value(answer)?;
        if found.events.is_empty() {
            crate::say(&words::no_events(what));
            return Ok(ExitCode::FAILURE);
        }
        let paint = Paint::stdout();
        return print(&found.events.iter().map(|event| event_text(event, &paint)).collect::<String>());
    }
    let named = match Named::parse(what) {
        Ok(named) if named.run.is_none() => named,
        Ok(_) => anyhow::bail!("`{what}` is a run: name its build alone"),
        Err(error) => return Err(error),
    };
    let path = client.build_path(&named, &arguments.repository).await?;
    let build = client.get(&path).await?;
    let details: json::BuildDetails = serde_json::from_value(build.clone())?;
    let event = client.get(&format!("events/{}", details.build.cause)).await?;
    if arguments.server.json {
        return print(&format!("{:#}\n", serde_json::json!({"event": event, "build": build})));
    }
    let paint = Paint::stdout();
    let event: json::Event = serde_json::from_value(event)?;
    let title = format!("build {} {} {}", details.build.number, details.build.pipeline, details.build.status);
    let mut text = format!("{}\n{}\n", event_text(&event, &paint), paint.bold(&title));
    for run in &details.runs {
        text.push_str(&format!("  {}  {}\n", run.label, words::explained_run(run, &details.jobs)));
    }
    print(&text)
}

/// Whether it is a commit's beginning rather than a build's number.
fn is_commit(text: &str) -> bool {
    (FEWEST_DIGITS..=64).contains(&text.len()) && text.bytes().all(|digit| digit.is_ascii_hexdigit())
}

fn event_text(event: &json::Event, paint: &Paint) -> String {
    let title = format!(
        "{} {} {}",
        event.kind,
        words::short_ref(&event.ref_name),
        words::short_commit(&event.commit)
    );
    let mut text = format!("{}\n", paint.bold(&title));
    if let Some(why) = &event.why {
        text.push_str(&format!("  {}: {why}\n", event.status));
    }
    for reason in &event.reasons {
        text.push_str(&format!("  {}\n", reason.sentence));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_is_told_from_a_build() {
        assert!(is_commit("0123456789"));
        assert!(is_commit("abcdef0"));
        assert!(!is_commit("123"));
        assert!(!is_commit("app/1234567"));
    }
}
