//! From an attempt that has not begun to its supervisor: the work tree, what needs have made, then the start. Invariants: until
//! the supervisor is asked for, the lock is held, so nobody starts what is half prepared; whatever fails is the attempt's end, in
//! its state lines; what must not begin twice is started only once the controller knows that it begins.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use branchline_model::{AttemptEnd, RunDefinition, Timestamp};
use branchline_ports::{Assignment, Lease, ProtocolError};
use branchline_supervisor::{AttemptDirectory, DirectoryError, Held};
use tokio::sync::Notify;

use crate::backoff::Backoff;
use crate::config::Workspace;
use crate::handle::{Presence, blocking};
use crate::needs::{self, NotLaidOut};
use crate::worker::Context;

/// Now, as the log's lines have it.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// Writes the work tree, lays out what needs have made, and starts the supervisor; each new line of the log rings.
pub(crate) async fn prepare_and_start(
    context: &Context,
    held: Held,
    assignment: &Assignment,
    presence: &Presence,
    rings: &Notify,
) -> Result<(), DirectoryError> {
    let directory = held.directory().clone();
    let definition = &assignment.definition;
    let mut prepared = match &context.config.workspace {
        Workspace::Fresh => check_out(context, &held, definition, presence, rings).await?,
        Workspace::InPlace(_) => Ok(()),
    };
    if prepared.is_ok() && !definition.needs.is_empty() {
        prepared = lay_out_needs(context, &held, &assignment.lease, presence, rings).await?;
    }
    if prepared.is_ok() && !definition.retry.repeatable {
        prepared = announce(context, &assignment.lease, presence).await;
    }
    if let Err(end) = prepared {
        blocking(move || held.end(end)).await?;
        return Ok(());
    }
    if let Some(order) = presence.ordered() {
        let directory = directory.clone();
        blocking(move || directory.order_stop(&order)).await?;
    }
    drop(held);
    start(context, &directory).await
}

/// Writes the work tree where one is wanted; answers how the attempt ends where it could not be.
async fn check_out(
    context: &Context,
    held: &Held,
    definition: &RunDefinition,
    presence: &Presence,
    rings: &Notify,
) -> Result<Result<(), AttemptEnd>, DirectoryError> {
    let Some(checkout) = &definition.checkout else { return Ok(Ok(())) };
    let mut log = held.log()?;
    let mut unwritten = None;
    let mut note = |line: String| {
        if unwritten.is_none() {
            unwritten = log.note(&line, now()).err();
        }
        rings.notify_one();
    };
    let into = held.directory().workspace();
    let cancel = Arc::new(AtomicBool::new(false));
    let written = {
        let mut writing = context.workspaces.prepare(checkout, &definition.commit, &into, &cancel, &mut note);
        tokio::select! {
            written = &mut writing => written,
            () = presence.stopped() => {
                cancel.store(true, Ordering::Relaxed);
                // What ends while something still writes in it could not be removed, or would be made again.
                if let Err(why) = writing.await {
                    tracing::debug!(attempt = %held.directory().attempt(), why, "the checkout was stopped");
                }
                return Ok(Err(AttemptEnd::Stopped));
            }
        }
    };
    Ok(match (written, unwritten) {
        (Err(why), _) => {
            let why = format!("the work tree could not be written: {why}");
            // The reason is told where the attempt ends; the log has it too where it can.
            let _ = log.note(&why, now());
            Err(AttemptEnd::StartFailed { why })
        }
        (Ok(()), Some(error)) => {
            let place = held.directory().path().display();
            Err(AttemptEnd::StartFailed {
                why: format!("the log could not be written: {error}; make space for `{place}`"),
            })
        }
        (Ok(()), None) => Ok(()),
    })
}

/// Tells the controller that the first step begins, until it has answered; or answers how the attempt ends without it.
async fn announce(context: &Context, lease: &Lease, presence: &Presence) -> Result<(), AttemptEnd> {
    let told = async {
        let mut backoff = Backoff::new();
        loop {
            match context.protocol.begun(lease, now()).await {
                Ok(()) => return Ok(()),
                // It counts for nothing any more, and so does this end: whoever follows hears that when it is told.
                Err(ProtocolError::Fenced { .. }) => return Err(AttemptEnd::Stopped),
                Err(error) => backoff.pause("say that an attempt begins", &error.to_string()).await,
            }
        }
    };
    tokio::select! {
        biased;
        told = told => told,
        () = presence.stopped() => Err(AttemptEnd::Stopped),
    }
}

/// Lays out the artifacts of what this run needs; answers how the attempt ends where they could not be.
async fn lay_out_needs(
    context: &Context,
    held: &Held,
    lease: &Lease,
    presence: &Presence,
    rings: &Notify,
) -> Result<Result<(), AttemptEnd>, DirectoryError> {
    let mut log = held.log()?;
    let mut note = |line: String| {
        // A log that cannot be written is noticed as soon as the first step begins.
        let _ = log.note(&line, now());
        rings.notify_one();
    };
    let laid_out = needs::lay_out(context, lease, held.directory(), presence, &mut note).await;
    Ok(laid_out.map_err(|why| match why {
        // Whoever follows it hears the same.
        NotLaidOut::Fenced | NotLaidOut::Stopped => AttemptEnd::Stopped,
        NotLaidOut::Failed(why) => {
            note(why.clone());
            AttemptEnd::StartFailed { why }
        }
    }))
}

/// Starts the supervisor; where none can be, that is the attempt's end.
pub(crate) async fn start(context: &Context, directory: &AttemptDirectory) -> Result<(), DirectoryError> {
    let (spawner, directory) = (Arc::clone(&context.spawner), directory.clone());
    blocking(move || {
        if let Err(error) = spawner.start(&directory)
            && let Some(held) = directory.hold()?
        {
            let why = format!("no supervisor could be started: {error}");
            if held.bury()?.is_none() {
                held.end(AttemptEnd::StartFailed { why })?;
            }
        }
        Ok(())
    })
    .await
}
