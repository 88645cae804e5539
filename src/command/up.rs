//! `branchline up`: the embedded controller, until it is told to end.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use branchline_checkout::Source;
use branchline_ports::{Clock, Ring};
use branchline_worker::Drain;
use tokio::sync::broadcast::error::RecvError;

use crate::cli;
use crate::embedded::{Data, Embedded, EmbeddedConfig, Listening, Signals, SystemClock};
use crate::show::{Narrator, Paint, words};

/// Serves until SIGTERM or Ctrl-C; a second one ends at once.
pub async fn up(arguments: &cli::Up) -> anyhow::Result<ExitCode> {
    let data = Data::at(arguments.data.folder.as_deref())?;
    let mut repositories = Vec::with_capacity(arguments.repositories.len());
    for text in &arguments.repositories {
        let source = Source::parse(text).with_context(|| format!("cannot watch `{text}`"))?;
        if let Some(folder) = source.git_dir() {
            // A bare repository is its own folder; of another, the working tree around it counts.
            let tree = if folder.ends_with(".git") { folder.parent().unwrap_or(folder) } else { folder };
            data.refuse_inside(tree)?;
            // Of a linked working tree the git folder is elsewhere.
            data.refuse_inside(Path::new(text.strip_prefix("file://").unwrap_or(text)))?;
        }
        repositories.push(source);
    }
    let mut signals = Signals::listen()?;
    let embedded = Embedded::start(EmbeddedConfig {
        data,
        listen: arguments.listen.clone(),
        hosts: arguments.hosts.clone(),
        repositories,
        slots: usize::from(arguments.slots.unwrap_or_else(crate::processors)),
        poll: arguments.poll,
    })
    .await?;
    greet(&embedded);
    let narration = tokio::spawn(narrate(embedded.listen(), arguments.repositories.len() > 1));
    signals.next().await;
    crate::say(&words::draining(arguments.drain));
    tokio::select! {
        left = embedded.stop(Drain::Wait(arguments.drain)) => if left > 0 {
            crate::say(&words::goes_on_alone(left));
        },
        () = signals.next() => crate::say(words::ENDED_AT_ONCE),
    }
    narration.abort();
    Ok(ExitCode::SUCCESS)
}

fn greet(embedded: &Embedded) {
    let paint = Paint::stderr();
    // The token is printed once, when it was made; after that it is read from where it is kept.
    let address = if embedded.token_is_new() { embedded.login_url() } else { embedded.url().to_owned() };
    crate::say(&format!("Serving {}", paint.bold(&address)));
    crate::say(&paint.dim(&words::where_the_token_is(embedded.data())));
    for watched in embedded.watched() {
        crate::say(&format!("Watching {watched}"));
    }
}

async fn narrate(listening: Listening, several: bool) {
    let mut narrator = Narrator::new(Paint::stderr(), false).with_repositories(several);
    let mut rings = listening.rings;
    loop {
        match rings.recv().await {
            Ok(Ring::BuildChanged(build)) => {
                let told = narrator
                    .tell(&listening.controller, &build, SystemClock.now(), &mut std::io::stderr())
                    .await;
                if let Err(error) = told {
                    tracing::warn!(%build, %error, "a build cannot be read");
                }
            }
            // What was missed is on the page.
            Ok(_) | Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return,
        }
    }
}
