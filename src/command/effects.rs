//! `branchline effects`: what is still to be done outside, and the dead letters among it.

use std::process::ExitCode;

use branchline_web::json;

use crate::cli;
use crate::client::Client;
use crate::show::{Paint, Table, print, words};

/// Prints a table, or the API's own JSON; or does something about one of them.
pub async fn effects(arguments: &cli::Effects) -> anyhow::Result<ExitCode> {
    let client = Client::find(&arguments.server)?;
    let answer = match (arguments.action, &arguments.key) {
        (Some(action), Some(key)) => {
            let path = match action {
                cli::Letter::Resend => "effects/resend",
                cli::Letter::Drop => "effects/drop",
            };
            client.post(path, &serde_json::json!({ "key": key })).await?
        }
        _ => client.get("effects").await?,
    };
    if arguments.server.json {
        return print(&format!("{answer:#}\n"));
    }
    if arguments.action.is_some() {
        let letter: json::Letter = serde_json::from_value(answer)?;
        crate::say(&words::letter(&letter));
        return Ok(ExitCode::SUCCESS);
    }
    let json::Effects { pending, dead } = serde_json::from_value(answer)?;
    if pending.is_empty() && dead.is_empty() {
        crate::say(words::NO_EFFECTS);
        return Ok(ExitCode::SUCCESS);
    }
    let paint = Paint::stdout();
    let mut table = Table::new(&words::EFFECTS_COLUMNS);
    for (state, effects) in [("dead", &dead), ("pending", &pending)] {
        for effect in effects {
            table.row(vec![
                effect.key.clone(),
                paint.state(state),
                effect.failures.to_string(),
                words::first_line(effect.why.as_deref().unwrap_or(&effect.does)),
            ]);
        }
    }
    if !dead.is_empty() {
        crate::say(words::DEAD_LETTERS);
    }
    print(&table.render())
}
