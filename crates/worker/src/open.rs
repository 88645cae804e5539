//! What is found when an attempt is taken up: for the first time, or again. Invariant: nothing is begun twice. An attempt whose
//! directory is missing is begun only where the controller has no byte of its log either, and never heard that it had begun.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use branchline_model::RunDefinition;
use branchline_supervisor::{AttemptDirectory, Claimed, DirectoryError, Held, Place, Spares};

/// How an attempt comes to a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// It was claimed just now.
    Claimed,
    /// It was held already when the worker started.
    Held {
        /// How many bytes of its log the controller has.
        stored: u64,
        /// Whether the controller was told that it had begun.
        begun: bool,
        /// Whether the machine was restarted since.
        restarted: bool,
    },
}

/// How long another worker of this name, which is ending, may take to fill a directory, and how often that is looked at.
const FILL_PATIENCE: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(2);

/// What was found.
#[derive(Debug)]
pub(crate) enum Found {
    /// Someone holds it: a supervisor that lives; or a worker that is ending, and lets go of it soon.
    Alive,
    /// It has ended: how is in its state lines.
    Ended,
    /// Nothing was begun: it is to be prepared and started.
    ToPrepare(Held),
    /// Its directory is gone, and it may have begun: nothing can be said about it.
    Vanished,
}

/// Takes an attempt up.
pub(crate) fn open(
    directory: &AttemptDirectory,
    definition: &RunDefinition,
    place: &Place,
    origin: Origin,
    spares: &Spares,
) -> Result<Found, DirectoryError> {
    let had_begun_elsewhere =
        matches!(origin, Origin::Held { stored: 1.., .. } | Origin::Held { begun: true, .. });
    if !directory.exists() && had_begun_elsewhere {
        return Ok(Found::Vanished);
    }
    let root = directory.path().parent().unwrap_or_else(|| directory.path());
    match spares.claim(root, directory.attempt())? {
        Claimed::Made(_) | Claimed::AlreadyThere(_) => {}
    }
    let until = Instant::now() + FILL_PATIENCE;
    let held = loop {
        match directory.hold()? {
            Some(held) => break held,
            None if directory.is_filled() || Instant::now() >= until => return Ok(Found::Alive),
            None => thread::sleep(LOOK),
        }
    };
    if matches!(origin, Origin::Held { restarted: true, .. }) {
        if !ended_whole(&held)? {
            held.fill(definition, place)?;
            held.lose(
                "the machine was restarted while this was under way; what its steps had done is not known"
                    .to_owned(),
            )?;
        }
        return Ok(Found::Ended);
    }
    if held.bury()?.is_some() {
        return Ok(Found::Ended);
    }
    held.fill(definition, place)?;
    held.empty_workspace()?;
    Ok(Found::ToPrepare(held))
}

/// Whether it had ended, and its log is all there.
fn ended_whole(held: &Held) -> Result<bool, DirectoryError> {
    let length = fs::metadata(held.directory().path().join("log")).map_or(0, |log| log.len());
    Ok(held.observed()?.end.is_some_and(|ended| ended.log_length == length))
}
