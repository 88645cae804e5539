//! One attempt in a worker, from its assignment to the removal of its directory. Invariants: an attempt that does not count any
//! more is killed and forgotten; every other one is reported, also where it could not even have a directory; a directory
//! is removed only when its processes are gone and nothing in it is needed.

use std::sync::Arc;
use std::time::Duration;

use branchline_model::{AttemptEnd, AttemptReport};
use branchline_ports::{Assignment, Lease, ProtocolError};
use branchline_supervisor::{AttemptDirectory, Cleared, DirectoryError, Place, StopOrder};
use tokio::sync::Notify;

use crate::backoff::Backoff;
use crate::config::Workspace;
use crate::follow::Following;
use crate::handle::{Presence, blocking};
use crate::open::{Found, Origin, open};
use crate::prepare::{now, prepare_and_start};
use crate::slots::Slot;
use crate::worker::Context;

/// How often an attempt is taken up whose supervisors end before they begin anything.
const MOST_STARTS: u32 = 10;

/// How long a killed attempt may take to be gone.
const KILL_PATIENCE: Duration = Duration::from_secs(30);

/// How often it is looked whether a supervisor that has said its last word has let go of the directory.
const LET_GO_LOOK: Duration = Duration::from_millis(1);

/// Why an attempt is not followed to its end.
#[derive(Debug)]
pub(crate) enum Broken {
    /// It does not count any more.
    Fenced { why: String },
    /// Nobody holds it, and nothing has begun: it can be taken up once more.
    NotBegun,
    /// Its directory cannot be used.
    Directory(DirectoryError),
}

impl From<DirectoryError> for Broken {
    fn from(error: DirectoryError) -> Self {
        Self::Directory(error)
    }
}

/// Carries out, or goes on with, what was assigned.
pub(crate) async fn carry_out(context: Arc<Context>, assignment: Assignment, origin: Origin, slot: Slot) {
    let lease = &assignment.lease;
    let attempt = &lease.attempt;
    let directory = match AttemptDirectory::at(&context.config.root, attempt) {
        Ok(directory) => directory,
        Err(error) => return report_start_failed(&context, lease, &error).await,
    };
    let presence = context.handle.enter(attempt, assignment.stop.clone());
    let mut slot = Some(slot);
    let mut origin = origin;
    let (mut starts, mut backoff) = (0, Backoff::new());
    while starts < MOST_STARTS {
        match take_up(&context, &assignment, origin, &directory, &presence, &mut slot).await {
            Err(Broken::NotBegun) => {
                tracing::warn!(%attempt, "its supervisor ended before it began: started once more");
                starts += 1;
            }
            Err(Broken::Directory(error)) if error.is_passing() => {
                backoff.pause_in_shortage("take up an attempt", &error).await;
            }
            ended => return settle(&context, lease, &directory, ended).await,
        }
        if origin == Origin::Claimed {
            // What was done before it failed is found in the directory.
            origin = Origin::Held { stored: 0, begun: false, restarted: false };
        }
    }
    let why = format!("its supervisor ended {MOST_STARTS} times before it began: {}", directory.errors());
    let error = DirectoryError::Failed {
        what: "begin",
        path: directory.path().to_owned(),
        source: std::io::Error::other(why),
    };
    settle(&context, lease, &directory, Err(error.into())).await;
}

/// What is left to do when an attempt is not followed any more.
async fn settle(context: &Context, lease: &Lease, directory: &AttemptDirectory, ended: Result<(), Broken>) {
    let attempt = &lease.attempt;
    match ended {
        Ok(()) => clear_away(context, directory).await,
        Err(Broken::Fenced { why }) => {
            tracing::warn!(%attempt, why, "does not count any more: killed and forgotten");
            abandon(context, directory).await;
        }
        Err(Broken::Directory(error)) => {
            tracing::error!(%attempt, %error, "its directory cannot be used");
            // First: what was reported as ended must not go on.
            let killed = kill(directory).await;
            report_start_failed(context, lease, &error).await;
            if killed {
                clear_away(context, directory).await;
            }
        }
        Err(Broken::NotBegun) => {}
    }
}

async fn take_up(
    context: &Context,
    assignment: &Assignment,
    origin: Origin,
    directory: &AttemptDirectory,
    presence: &Presence,
    slot: &mut Option<Slot>,
) -> Result<(), Broken> {
    let (lease, definition) = (&assignment.lease, &assignment.definition);
    let origin = match origin {
        Origin::Held { begun, restarted, .. } => {
            Origin::Held { stored: stored_length(context, lease).await?, begun, restarted }
        }
        Origin::Claimed => Origin::Claimed,
    };
    let found = {
        let (directory, definition, place) = (directory.clone(), definition.clone(), place(context));
        let spares = Arc::clone(&context.spares);
        blocking(move || open(&directory, &definition, &place, origin, &spares)).await?
    };
    let stored = match origin {
        Origin::Held { stored, .. } => stored,
        Origin::Claimed => 0,
    };
    if let Found::Vanished = found {
        let why =
            "its attempt directory is gone: someone has removed it, and whether it had begun is not known";
        let end = AttemptEnd::SupervisorLost { why: why.to_owned() };
        return finish(context, lease, end, stored).await;
    }
    if let (Found::Alive, Some(order)) = (&found, presence.ordered()) {
        let directory = directory.clone();
        blocking(move || directory.order_stop(&order)).await?;
    }
    let rings = Notify::new();
    let mut following = Following::new(context, assignment, directory, presence, stored, &rings)?;
    if let Found::ToPrepare(held) = found {
        following =
            following.starting(Box::pin(prepare_and_start(context, held, assignment, presence, &rings)));
    }
    following.follow_to_the_end(slot).await
}

fn place(context: &Context) -> Place {
    let in_place = match &context.config.workspace {
        Workspace::Fresh => None,
        Workspace::InPlace(tree) => Some(tree.clone()),
    };
    Place { worker: context.config.id.clone(), in_place }
}

/// How many bytes of a log the controller has.
async fn stored_length(context: &Context, lease: &Lease) -> Result<u64, Broken> {
    let mut backoff = Backoff::new();
    loop {
        match context.protocol.log_length(lease).await {
            Ok(stored) | Err(ProtocolError::LogGap { stored, .. }) => return Ok(stored),
            Err(ProtocolError::Fenced { why, .. }) => return Err(Broken::Fenced { why }),
            Err(ProtocolError::Unavailable { why } | ProtocolError::Refused { why }) => {
                backoff.pause("ask for a log's length", &why).await;
            }
        }
    }
}

/// The last word about an attempt without a directory.
async fn finish(context: &Context, lease: &Lease, end: AttemptEnd, stored: u64) -> Result<(), Broken> {
    let mut backoff = Backoff::new();
    let mut log_length = stored;
    loop {
        let report = AttemptReport {
            end: end.clone(),
            began_at: None,
            ended_at: now(),
            steps: Vec::new(),
            log_length,
        };
        match context.protocol.finish(lease, report).await {
            Ok(()) => return Ok(()),
            Err(ProtocolError::Fenced { why, .. }) => return Err(Broken::Fenced { why }),
            Err(ProtocolError::LogGap { stored, .. }) => {
                backoff.pause("finish an attempt", "its log has another length").await;
                log_length = stored;
            }
            Err(ProtocolError::Unavailable { why } | ProtocolError::Refused { why }) => {
                backoff.pause("finish an attempt", &why).await;
            }
        }
    }
}

/// Reports an attempt that the file system does not let be carried out, or followed: then its processes were killed before.
async fn report_start_failed(context: &Context, lease: &Lease, error: &DirectoryError) {
    let report = async {
        let stored = stored_length(context, lease).await?;
        finish(context, lease, AttemptEnd::StartFailed { why: error.to_string() }, stored).await
    };
    if let Err(error) = report.await {
        tracing::warn!(attempt = %lease.attempt, ?error, "its end could not be reported");
    }
}

/// Kills what runs of an attempt that does not count any more, and removes its directory.
pub(crate) async fn abandon(context: &Context, directory: &AttemptDirectory) {
    if directory.exists() && kill(directory).await {
        clear_away(context, directory).await;
    }
}

/// Kills what runs of an attempt; answers whether nothing does any more.
async fn kill(directory: &AttemptDirectory) -> bool {
    let killed = async {
        let mut backoff = Backoff::new();
        loop {
            match try_to_kill(directory).await {
                Err(error) if error.is_passing() => {
                    backoff.pause_in_shortage("kill an attempt", &error).await;
                }
                ended => return ended,
            }
        }
    };
    match tokio::time::timeout(KILL_PATIENCE, killed).await {
        Ok(Ok(())) => return true,
        Ok(Err(error)) if error.is_missing() && !directory.exists() => return true,
        Ok(Err(error)) => tracing::error!(attempt = %directory.attempt(), %error, "cannot be ended"),
        Err(_) => tracing::error!(attempt = %directory.attempt(), "does not end although it was killed"),
    }
    false
}

async fn try_to_kill(directory: &AttemptDirectory) -> Result<(), DirectoryError> {
    let (ordered, order) = (directory.clone(), StopOrder { stop: None, at_once: true });
    blocking(move || ordered.order_stop(&order)).await?;
    while directory.is_held()? {
        // It is another process's, and its bell may be heard by another follower.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // One that had died may have left processes.
    let left = directory.clone();
    blocking(move || left.hold()?.map_or(Ok(None), |held| held.bury())).await?;
    Ok(())
}

/// Removes the directory of an attempt that is over, or makes a spare one of it; what cannot be removed now is tried again at the next start.
async fn clear_away(context: &Context, directory: &AttemptDirectory) {
    let cleared = async {
        let mut backoff = Backoff::new();
        loop {
            let cleared = {
                let Ok(_turn) = context.removals.acquire().await else { return Ok(()) };
                let (directory, spares) = (directory.clone(), Arc::clone(&context.spares));
                blocking(move || spares.clear_away(&directory)).await
            };
            match cleared {
                Ok(Cleared::Spare | Cleared::Removed) => return Ok(()),
                // Its supervisor has said its last word, and ends.
                Ok(Cleared::InUse) => tokio::time::sleep(LET_GO_LOOK).await,
                Err(error) if error.is_passing() => {
                    backoff.pause_in_shortage("clear an attempt away", &error).await;
                }
                Err(error) => return Err(error),
            }
        }
    };
    let path = directory.path().display();
    match tokio::time::timeout(KILL_PATIENCE, cleared).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            tracing::warn!(%path, %error, "an attempt's directory cannot be removed; it is tried again at the next start");
        }
        Err(_) => {
            tracing::warn!(%path, "an attempt's directory is still held; it is removed at the next start");
        }
    }
}
