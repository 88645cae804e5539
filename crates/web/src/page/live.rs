//! A log as it grows, as Server-Sent Events of lines that are ready to be shown. Invariant: each message's id is the
//! position after it, so that a browser that comes back goes on exactly there; a message holds at most 64 KiB of the log,
//! and whoever cannot keep up is told what was passed over instead of being sent all of it.

use std::convert::Infallible;
use std::time::Duration;

use askama::Template;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use branchline_model::{AttemptId, RunId};
use branchline_ports::Ring;
use futures_util::Stream;
use futures_util::stream::unfold;
use serde::{Deserialize, Serialize};

use super::log::{Lines, group, step_at, step_starts};
use super::run::position;
use super::words;
use crate::api::log::{PART, attempt, is_over};
use crate::changes::{Changes, Woken};
use crate::edge::{Asked, RunPath};
use crate::failure::Failure;
use crate::log::window::{self, MOST_BYTES, MOST_LINES, Position};
use crate::watching::Watching;
use crate::web::App;

/// What comes within this time becomes one message.
const MOMENT: Duration = Duration::from_millis(50);

/// After this time it is looked again even if nothing rang.
const LOOK_ANYWAY: Duration = Duration::from_secs(1);

/// Whoever is further behind is brought near the end.
const FURTHEST_BEHIND: u64 = 1024 * 1024;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Which {
    attempt: u32,
    from: String,
}

/// What a message holds.
#[derive(Serialize)]
struct Grown {
    /// Lines, in the groups of their steps.
    html: String,
    /// What was passed over before them.
    skipped: Option<String>,
}

struct Following {
    app: App,
    run: RunId,
    attempt: AttemptId,
    position: Position,
    /// The open line that was shown last.
    open: Option<String>,
    changes: Changes,
    watching: Watching,
    is_done: bool,
}

/// `GET …/runs/{index}/live?attempt=&from=`
pub(crate) async fn follow(
    State(app): State<App>,
    RunPath(run): RunPath,
    Asked(which): Asked<Which>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Failure> {
    let changes = Changes::subscribe(&app);
    // A browser that lost the connection says what it has seen.
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok()).unwrap_or(&which.from);
    let position = position(last)?;
    let attempt = attempt(&app, &run, Some(which.attempt)).await?.ok_or_else(|| Failure::no_run(&run))?;
    let watching = Watching::default();
    let following = Following { app, run, attempt, position, open: None, changes, watching, is_done: false };
    let stream = unfold(following, |mut following| async move {
        match following.next().await {
            Ok(Some(event)) => Some((Ok(event), following)),
            Ok(None) => None,
            // The browser comes back by itself and is told then what is wrong.
            Err(failure) => {
                tracing::warn!(run = %following.run, failure.code, failure.message, "a live log is cut off");
                None
            }
        }
    });
    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(Duration::from_secs(15))))
}

impl Following {
    /// The next message; `None` ends the stream.
    async fn next(&mut self) -> Result<Option<Event>, Failure> {
        let mut is_last_look = false;
        loop {
            if self.is_done {
                return Ok(None);
            }
            let part = self.app.controller.read_log(&self.attempt, self.position.offset, PART).await?;
            let behind = part.log.bytes.saturating_sub(self.position.offset);
            if behind > FURTHEST_BEHIND {
                return self.pass_over(part.log.bytes).map(Some);
            }
            let is_whole = (part.log.closed || is_last_look) && part.bytes.len() as u64 >= behind;
            let cut = window::cut(&part.bytes, self.position, &part.times, is_whole, MOST_LINES);
            let open = cut.open.as_ref().map(|line| line.html.clone());
            if !cut.lines.is_empty() || open != self.open {
                let view =
                    self.app.controller.run(&self.run).await?.ok_or_else(|| Failure::no_run(&self.run))?;
                let steps = step_starts(&view, &self.attempt);
                let before = self.position.offset.checked_sub(1).map(|offset| step_at(&steps, offset));
                let groups = group(cut.lines, &steps);
                let goes_on = groups.first().is_some_and(|first| before == Some(first.step.clone()));
                let html = Lines { groups: &groups, goes_on, open: cut.open.as_ref() }.render();
                let html = html.map_err(Failure::defect)?;
                (self.position, self.open) = (cut.next, open);
                return self.message("grown", &Grown { html, skipped: None }).map(Some);
            }
            if is_whole {
                self.is_done = true;
                return self.message("over", &()).map(Some);
            }
            self.watching.go_on(&self.app, &self.attempt).await;
            let attempt = &self.attempt;
            let woken =
                self.changes.next(LOOK_ANYWAY, |ring| matches!(ring, Ring::LogGrew(grew) if grew == attempt));
            if woken.await == Woken::Closing || self.changes.gather(MOMENT).await == Woken::Closing {
                return Ok(None);
            }
            is_last_look = is_over(&self.app, &self.attempt).await?;
        }
    }

    fn pass_over(&mut self, length: u64) -> Result<Event, Failure> {
        let to = length.saturating_sub(MOST_BYTES as u64);
        let skipped = words::skipped(to - self.position.offset);
        self.position = Position::at(to, true);
        self.open = None;
        self.message("grown", &Grown { html: String::new(), skipped: Some(skipped) })
    }

    fn message(&self, name: &str, data: &impl Serialize) -> Result<Event, Failure> {
        let event = Event::default().event(name).id(self.position.to_string());
        event.json_data(data).map_err(Failure::defect)
    }
}
