//! The right to write in an attempt directory while no supervisor lives: to fill it, to prepare it, to end it. Invariant: who
//! has a [`Held`] has the lock; so nothing here can race with a supervisor, and no supervisor can start meanwhile.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, symlink};
use std::path::Path;

use branchline_model::{AttemptEnd, RunDefinition};
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use crate::clock::now;
use crate::directory::AttemptDirectory;
use crate::environment;
use crate::error::DirectoryError;
use crate::lock::Lock;
use crate::log::LogWriter;
use crate::orders::Bell;
use crate::place::{Place, preface};
use crate::processes;
use crate::remove::remove;
use crate::state::{Ended, Line, Observed, StateWriter};

/// An attempt directory and its lock.
#[derive(Debug)]
pub struct Held {
    directory: AttemptDirectory,
    _lock: Lock,
}

/// What is there already is fine.
fn unless_there(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

fn make_folder(path: &Path) -> Result<(), DirectoryError> {
    unless_there(DirBuilder::new().mode(0o700).create(path))
        .map_err(DirectoryError::failed("make the folder", path))
}

impl Held {
    pub(crate) fn new(directory: AttemptDirectory, lock: Lock) -> Self {
        Self { directory, _lock: lock }
    }

    /// Whose it is.
    #[must_use]
    pub fn directory(&self) -> &AttemptDirectory {
        &self.directory
    }

    /// Makes all that a supervisor needs, as far as it is not there: also after a kill in the middle of it. The log begins
    /// with what this is and how to do the same at home.
    ///
    /// # Errors
    /// The file system refused.
    pub fn fill(&self, definition: &RunDefinition, place: &Place) -> Result<(), DirectoryError> {
        let directory = &self.directory;
        let workspace = directory.workspace();
        match &place.in_place {
            Some(tree) => {
                unless_there(symlink(tree, &workspace))
                    .map_err(DirectoryError::failed("link", &workspace))?;
            }
            None => make_folder(&workspace)?,
        }
        make_folder(&directory.file("steps"))?;
        for name in ["bell", "orders"] {
            let path = directory.file(name);
            unless_there(mkfifo(&path, Mode::S_IRUSR | Mode::S_IWUSR).map_err(io::Error::from))
                .map_err(DirectoryError::failed("make the FIFO", &path))?;
        }
        for name in ["output", "summary"] {
            let path = directory.file(name);
            unless_there(OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).map(drop))
                .map_err(DirectoryError::failed("make", &path))?;
        }
        let mut log = self.log()?;
        if log.length() == 0 {
            let path = directory.file("log");
            log.append(preface(directory.attempt(), definition, place).as_bytes(), now())
                .map_err(DirectoryError::failed("write", &path))?;
        }
        // Last: without it no supervisor runs.
        directory.write_definition(definition)
    }

    /// The log, to append to.
    ///
    /// # Errors
    /// The file system refused.
    pub fn log(&self) -> Result<LogWriter, DirectoryError> {
        let path = self.directory.file("log");
        LogWriter::open(&path, &self.directory.file("times")).map_err(DirectoryError::failed("open", &path))
    }

    /// Makes the workspace an empty folder again, after someone was killed while preparing it. One that is a link is left
    /// as it is.
    ///
    /// # Errors
    /// What is in it cannot be removed.
    pub fn empty_workspace(&self) -> Result<(), DirectoryError> {
        let path = self.directory.workspace();
        let failed = || DirectoryError::failed("empty", &path);
        if fs::symlink_metadata(&path).map_err(failed())?.is_symlink() {
            return Ok(());
        }
        if fs::read_dir(&path).map_err(failed())?.next().is_some() {
            remove(&path).map_err(failed())?;
            make_folder(&path)?;
        }
        Ok(())
    }

    /// What the state lines say.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn observed(&self) -> Result<Observed, DirectoryError> {
        self.directory.observed()
    }

    /// Writes the end of an attempt that has no supervisor; one that is there already stays. The log must be whole.
    ///
    /// # Errors
    /// The file system refused.
    pub fn end(&self, end: AttemptEnd) -> Result<Ended, DirectoryError> {
        if let Some(ended) = self.observed()?.end {
            return Ok(ended);
        }
        let path = self.directory.file("state");
        let failed = || DirectoryError::failed("write", &path);
        let log_length = match fs::metadata(self.directory.file("log")) {
            Ok(log) => log.len(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(failed()(error)),
        };
        let ended = Ended { end, at: now(), log_length };
        let line = Line::Ended { at: ended.at, end: ended.end.clone(), log_length };
        StateWriter::open(&path).and_then(|mut state| state.write(&[line])).map_err(failed())?;
        Bell::open(&self.directory.bell()).ring();
        Ok(ended)
    }

    /// Ends an attempt whose supervisor is gone although it had begun: kills what is left of its processes, says so in the
    /// log, and writes [`AttemptEnd::SupervisorLost`]. `None` where it has not begun: then it can be started.
    ///
    /// # Errors
    /// The file system refused, or a process could not be killed.
    pub fn bury(&self) -> Result<Option<Ended>, DirectoryError> {
        let observed = self.observed()?;
        if observed.end.is_some() || observed.began_at.is_none() {
            return Ok(observed.end);
        }
        let found = processes::kill_leftovers(&environment::mark(&self.directory))
            .map_err(DirectoryError::failed("end the processes of", self.directory.path()))?;
        let step = observed.steps.last().filter(|step| step.end.is_none());
        let mut why = match step {
            Some(step) => format!("it ended without a word while step {} ran", step.index + 1),
            None => "it ended without a word".to_owned(),
        };
        match found.len() {
            0 => {}
            1 => why.push_str("; 1 process it had left was killed"),
            more => why.push_str(&format!("; {more} processes it had left were killed")),
        }
        let errors = self.directory.errors();
        if !errors.is_empty() {
            why.push_str("; its last words: ");
            why.push_str(&errors);
        }
        self.lose(why).map(Some)
    }

    /// Writes [`AttemptEnd::SupervisorLost`] for a reason of the caller's, into the log too where it can be.
    ///
    /// # Errors
    /// The file system refused.
    pub fn lose(&self, why: String) -> Result<Ended, DirectoryError> {
        // The end matters more than the line that tells of it: a full disk may have room for one of them only.
        let _ = self.log()?.note(&format!("the supervisor is lost: {why}"), now());
        self.end(AttemptEnd::SupervisorLost { why })
    }
}
