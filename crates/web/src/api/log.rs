//! A log's bytes. Invariant: a part of at most 64 KiB is in memory for each reader, and it is read only when the reader
//! has taken the one before: a slow reader makes nothing grow.

use std::num::NonZeroU64;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use branchline_model::{AttemptId, RunId, RunState};
use branchline_ports::{LineStart, Ring};
use futures_util::stream::unfold;
use serde::Deserialize;

use crate::changes::{Changes, Woken};
use crate::edge::{Asked, RunPath};
use crate::failure::Failure;
use crate::watching::Watching;
use crate::web::App;

/// So much is read at a time.
pub(crate) const PART: usize = 64 * 1024;

/// After this time it is looked again even if nothing rang.
const LOOK_ANYWAY: Duration = Duration::from_secs(1);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Which {
    attempt: Option<u32>,
    offset: Option<u64>,
    line: Option<NonZeroU64>,
    limit: Option<u64>,
    #[serde(default)]
    follow: bool,
}

/// `GET …/runs/{index}/log?attempt=&offset=&line=&limit=&follow=`
///
/// Without `attempt`, that of the newest one. It begins at a byte, from 0, or at a line, from 1. `Branchline-Log-Attempt` says
/// which attempt; `-Offset` where the bytes begin; `-Length` how many were stored when the answer began, and `-Closed` whether
/// more will come.
pub(crate) async fn read(
    State(app): State<App>,
    RunPath(run): RunPath,
    Asked(which): Asked<Which>,
) -> Result<Response, Failure> {
    let changes = Changes::subscribe(&app);
    let attempt = attempt(&app, &run, which.attempt).await?;
    let (length, closed) = match &attempt {
        Some(attempt) => {
            let log = app.controller.read_log(attempt, 0, 0).await?.log;
            (log.bytes, log.closed)
        }
        None => (0, has_ended(&app, &run).await?),
    };
    let offset = match (which.offset, which.line) {
        (Some(_), Some(_)) => {
            return Err(Failure::bad_request(
                "bad_request",
                "a log begins at an `offset` or at a `line`, not at both",
            )
            .hint("leave one of them out"));
        }
        (offset, None) => offset.unwrap_or(0),
        (None, Some(line)) => line_start(&app, attempt.as_ref(), line.get(), which.follow).await?,
    };
    if offset > length && !which.follow {
        let message = format!("the log has {length} bytes: there is nothing at {offset}");
        return Err(Failure::new(StatusCode::RANGE_NOT_SATISFIABLE, "beyond_end", message)
            .hint("read from a smaller offset, or follow it to wait for more"));
    }
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    if let Some(attempt) = &attempt {
        headers.insert(HeaderName::from_static("branchline-log-attempt"), attempt.number.into());
    }
    headers.insert(HeaderName::from_static("branchline-log-offset"), offset.into());
    headers.insert(HeaderName::from_static("branchline-log-length"), length.into());
    let closed = HeaderValue::from_static(if closed { "true" } else { "false" });
    headers.insert(HeaderName::from_static("branchline-log-closed"), closed);

    let limit = which.limit.unwrap_or(u64::MAX);
    let left = if which.follow { limit } else { limit.min(length - offset.min(length)) };
    if !which.follow {
        headers.insert(CONTENT_LENGTH, left.into());
    }
    let watching = Watching::default();
    let reader = Reader { app, run, attempt, offset, left, follow: which.follow, changes, watching };
    *response.body_mut() = Body::from_stream(unfold(Some(reader), |reader| async move {
        let mut reader = reader?;
        match reader.next().await {
            Ok(Some(bytes)) => Some((Ok(bytes), Some(reader))),
            Ok(None) => None,
            Err(failure) => {
                tracing::warn!(run = %reader.run, failure.code, failure.message, "a log's reader is cut off");
                Some((Err(std::io::Error::other(failure.message)), None))
            }
        }
    }));
    Ok(response)
}

/// Where a line begins. One that is not there yet is waited for from the last one on, where the log is followed.
async fn line_start(
    app: &App,
    attempt: Option<&AttemptId>,
    wanted: u64,
    follow: bool,
) -> Result<u64, Failure> {
    let found = match attempt {
        Some(attempt) => app.controller.find_line(attempt, wanted).await?,
        None => LineStart::FIRST,
    };
    if found.number < wanted && !follow {
        let message = format!("the log has {} lines: there is no line {wanted}", found.number);
        return Err(Failure::new(StatusCode::RANGE_NOT_SATISFIABLE, "beyond_end", message)
            .hint("read from an earlier line, or follow it to wait for more"));
    }
    Ok(found.offset)
}

/// The attempt that is meant; none where the run has had none and the newest is asked for.
pub(crate) async fn attempt(
    app: &App,
    run: &RunId,
    number: Option<u32>,
) -> Result<Option<AttemptId>, Failure> {
    let view = app.controller.run(run).await?.ok_or_else(|| Failure::no_run(run))?;
    let attempts = view.run.attempts;
    match number {
        None if attempts == 0 => Ok(None),
        None => Ok(Some(AttemptId { run: run.clone(), number: attempts })),
        Some(number) if (1..=attempts).contains(&number) => Ok(Some(AttemptId { run: run.clone(), number })),
        Some(number) => Err(Failure::not_found(format!("the run {run} has no attempt {number}"))
            .hint(format!("it has had {attempts}; where none is named, the newest one is meant"))),
    }
}

async fn has_ended(app: &App, run: &RunId) -> Result<bool, Failure> {
    let view = app.controller.run(run).await?.ok_or_else(|| Failure::no_run(run))?;
    Ok(view.run.state.has_ended())
}

/// Whether nobody writes about an attempt any more, whatever became of its log.
pub(crate) async fn is_over(app: &App, attempt: &AttemptId) -> Result<bool, Failure> {
    let view = app.controller.run(&attempt.run).await?.ok_or_else(|| Failure::no_run(&attempt.run))?;
    Ok(match view.run.state {
        RunState::Ended { .. } => true,
        // It was lost, and may come back.
        RunState::Queued { after: Some(last), .. } if last.may_come_back() => last.number != attempt.number,
        _ => view.run.state.attempt() != Some(attempt.number),
    })
}

struct Reader {
    app: App,
    run: RunId,
    attempt: Option<AttemptId>,
    offset: u64,
    left: u64,
    follow: bool,
    changes: Changes,
    watching: Watching,
}

impl Reader {
    /// The next bytes; `None` at the end.
    async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        // Set once nobody writes any more: what is there then is all there will be.
        let mut is_last_look = false;
        loop {
            if self.left == 0 {
                return Ok(None);
            }
            if self.attempt.is_none() {
                // Read before: an attempt that begins in between is found with the next look.
                is_last_look = has_ended(&self.app, &self.run).await?;
                self.attempt = attempt(&self.app, &self.run, None).await?;
            }
            if let Some(attempt) = &self.attempt {
                let most = usize::try_from(self.left).map_or(PART, |left| left.min(PART));
                let part = self.app.controller.read_log(attempt, self.offset, most).await?;
                if !part.bytes.is_empty() {
                    let length = part.bytes.len() as u64;
                    self.offset += length;
                    self.left = self.left.saturating_sub(length);
                    return Ok(Some(part.bytes.into()));
                }
                if part.log.closed {
                    return Ok(None);
                }
            }
            if is_last_look || !self.follow {
                return Ok(None);
            }
            if let Some(attempt) = &self.attempt {
                self.watching.go_on(&self.app, attempt).await;
            }
            let (attempt, run) = (&self.attempt, &self.run);
            let woken = self.changes.next(LOOK_ANYWAY, |ring| match (attempt, ring) {
                (Some(attempt), Ring::LogGrew(grew)) => attempt == grew,
                (None, Ring::BuildChanged(build)) => run.build == *build,
                _ => false,
            });
            if woken.await == Woken::Closing {
                return Ok(None);
            }
            if let Some(attempt) = &self.attempt {
                is_last_look = is_over(&self.app, attempt).await?;
            }
        }
    }
}
