//! A supervisor's life. Invariants: at most one lives per attempt (the lock); it never runs a step of an attempt that a dead
//! one had begun; it belongs to nobody's session, so it outlives whoever started it.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;

use nix::errno::Errno;
use nix::sys::prctl;
use nix::unistd::{dup2_stderr, setsid};

use crate::attend::Attendant;
use crate::directory::AttemptDirectory;
use crate::error::DirectoryError;
use crate::signals;
use crate::state::StateWriter;
use crate::steps;

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Supervised {
    /// The steps were carried out, and the end is written.
    CarriedOut,
    /// Another one lives.
    AnotherLives,
    /// It had ended before, and its directory may be gone.
    HadEnded,
    /// A dead one had begun it: what it left was killed, and the attempt is lost.
    Buried,
}

/// Carries out an attempt from its beginning to its end, in this process: detaches it from its session, makes it the
/// reaper of all that its steps leave behind, and handles its signals. The process must have no other thread, and
/// should end after this.
///
/// # Errors
/// The directory is not complete, or the file system refused. What had begun then has no end written; whoever follows
/// sees that the lock is free, and ends it ([`crate::Held::bury`]).
pub fn supervise(directory: &AttemptDirectory) -> Result<Supervised, DirectoryError> {
    let failed = |what| DirectoryError::failed(what, directory.path());
    if !directory.exists() {
        return Ok(Supervised::HadEnded);
    }
    detach(directory).map_err(failed("detach the supervisor of"))?;
    let Some(held) = directory.hold()? else { return Ok(Supervised::AnotherLives) };
    let observed = directory.observed()?;
    if observed.end.is_some() {
        return Ok(Supervised::HadEnded);
    }
    if observed.began_at.is_some() {
        held.bury()?;
        return Ok(Supervised::Buried);
    }
    let definition = directory.definition()?;
    let mut state = StateWriter::open(&directory.file("state")).map_err(failed("write the state of"))?;
    state.reserve(definition.steps.len()).map_err(failed("write the state of"))?;
    let log = held.log()?;
    let mut attendant = Attendant::new(directory, definition.grace, log).map_err(failed("attend"))?;
    let carried_out = steps::carry_out(directory, &definition, &mut state, &mut attendant);
    if carried_out.is_err() {
        // The end cannot be written, but nothing may outlive it all the same.
        let _ = attendant.clear();
    }
    carried_out.map_err(failed("carry out"))?;
    Ok(Supervised::CarriedOut)
}

fn detach(directory: &AttemptDirectory) -> io::Result<()> {
    match setsid() {
        // A process group's leader cannot: then it was started by a person, in a shell, who may want it so.
        Ok(_) | Err(Errno::EPERM) => {}
        Err(error) => return Err(error.into()),
    }
    let errors = OpenOptions::new().append(true).create(true).mode(0o600).open(directory.file("errors"))?;
    dup2_stderr(&errors)?;
    prctl::set_child_subreaper(true)?;
    prctl::set_name(c"branchline-run")?;
    signals::disarm()
}
