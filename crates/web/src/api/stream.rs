//! What changes, as Server-Sent Events (WHATWG HTML, "Server-sent events"). Invariant: each message is read anew from what
//! is stored, so whoever missed some, or comes back, has the truth with the next one; only the last message is kept.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use branchline_model::{BuildId, RepositoryId, Run};
use branchline_ports::Ring;
use futures_util::Stream;
use futures_util::stream::unfold;
use serde::Deserialize;

use super::{convert, json};
use crate::changes::{Changes, Woken};
use crate::edge::Asked;
use crate::failure::Failure;
use crate::web::App;

/// Changes within this time become one message.
const MOMENT: Duration = Duration::from_millis(100);

/// After this time it is looked again even if nothing rang.
const LOOK_ANYWAY: Duration = Duration::from_secs(5);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Of {
    build: Option<String>,
    repository: Option<String>,
}

enum Subject {
    Repository(RepositoryId),
    Build(BuildId),
}

struct Following {
    app: App,
    subject: Subject,
    changes: Changes,
    last: Option<json::Changed>,
    /// The runs as they were last told.
    runs: Vec<json::Run>,
}

/// `GET /api/v1/stream?build=ID` or `?repository=ID`
pub(crate) async fn follow(
    State(app): State<App>,
    Asked(of): Asked<Of>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Failure> {
    let subject = match (of.build, of.repository) {
        (Some(build), None) => Subject::Build(build.parse()?),
        (None, Some(repository)) => Subject::Repository(repository.parse()?),
        _ => {
            let message = "a stream is of one thing: say `build=ID` or `repository=ID`";
            return Err(Failure::bad_request("bad_query", message));
        }
    };
    let changes = Changes::subscribe(&app);
    let mut following = Following { app, subject, changes, last: None, runs: Vec::new() };
    // The first look decides whether there is anything to follow.
    let first = following.look().await?;
    let stream = unfold((following, first), |(mut following, ready)| async move {
        let message = match ready {
            Some(message) => message,
            None => following.next().await?,
        };
        let event = Event::default().event("changed").json_data(&message).ok()?;
        Some((Ok(event), (following, None)))
    });
    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(Duration::from_secs(15))))
}

impl Following {
    /// Waits for the next message; `None` ends the stream.
    async fn next(&mut self) -> Option<json::Changed> {
        loop {
            if self.changes.gather(MOMENT).await == Woken::Closing {
                return None;
            }
            let subject = &self.subject;
            let woken = self.changes.next(LOOK_ANYWAY, |ring| match (subject, ring) {
                (Subject::Build(id), Ring::BuildChanged(changed)) => id == changed,
                (Subject::Repository(id), Ring::BuildChanged(changed)) => *id == changed.repository,
                (Subject::Repository(id), Ring::RepositoryChanged(changed)) => id == changed,
                _ => false,
            });
            if woken.await == Woken::Closing {
                return None;
            }
            match self.look().await {
                Ok(Some(message)) => return Some(message),
                Ok(None) => {}
                // The client comes back by itself and is told then what is wrong.
                Err(failure) => {
                    tracing::warn!(
                        failure.code,
                        failure.message,
                        "a stream ends because its subject cannot be read"
                    );
                    return None;
                }
            }
        }
    }

    /// What is so now, if that was not told before.
    async fn look(&mut self) -> Result<Option<json::Changed>, Failure> {
        let now = self.app.clock.now();
        let message = match &self.subject {
            Subject::Repository(id) => {
                let view = self.app.controller.repository(id).await?;
                let view = view.ok_or_else(|| Failure::no_repository(id))?;
                json::Changed::Repository { repository: convert::repository(&view, now) }
            }
            Subject::Build(id) => {
                let view = self.app.controller.build(id).await?.ok_or_else(|| Failure::no_build(id))?;
                let told = |row: &Run| convert::run(row, view.silent.get(&row.id).copied(), now);
                let all: Vec<json::Run> = view.runs.iter().map(told).collect();
                let runs = differing(&all, &self.runs);
                self.runs = all;
                json::Changed::Build { build: convert::build(&view.build, now), runs }
            }
        };
        let news = self.last.as_ref().is_none_or(|last| !is_same(last, &message));
        self.last = Some(message.clone());
        Ok(news.then_some(message))
    }
}

/// The runs that are new or not as before, time that merely went by aside.
fn differing(now: &[json::Run], before: &[json::Run]) -> Vec<json::Run> {
    let timeless = |run: &json::Run| json::Run { duration_ms: None, ..run.clone() };
    let is_told = |run: &&json::Run| {
        // Runs are by index, and none is ever taken away.
        let position = usize::try_from(run.index.saturating_sub(1)).unwrap_or(usize::MAX);
        before.get(position).is_some_and(|told| timeless(told) == timeless(run))
    };
    now.iter().filter(|run| !is_told(run)).cloned().collect()
}

/// Whether a message says nothing that the last one did not, time that merely went by aside.
fn is_same(last: &json::Changed, message: &json::Changed) -> bool {
    let timeless = |build: &json::Build| json::Build { duration_ms: 0, ..build.clone() };
    match (last, message) {
        (json::Changed::Build { build: last, .. }, json::Changed::Build { build, runs }) => {
            runs.is_empty() && timeless(last) == timeless(build)
        }
        (json::Changed::Repository { repository: last }, json::Changed::Repository { repository }) => {
            let plain = |repository: &json::Repository| json::Repository {
                newest: repository.newest.as_ref().map(timeless),
                ..repository.clone()
            };
            plain(last) == plain(repository)
        }
        _ => false,
    }
}
