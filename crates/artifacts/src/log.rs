//! One attempt's log: its state, and the file work on it, which blocks. Invariant: the file's length is what counts as
//! stored, and every byte of it is right, also after a crash of this process at any instruction.
//!
//! That holds because bytes are written in order, at the end, by one writer at a time (the lock of [`Log`]), and all
//! writers send the same bytes for the same offset. What a crash leaves of an append is a beginning of it; it was not
//! acknowledged, but it is what the next append at that offset passes over. After an append that failed, as on a full disk, what
//! it left is cut off, and only then is anything else appended. Closing syncs the bytes before it renames the file, so a
//! closed log is whole even if the machine crashes. An open one may then have lost its end: followers send it again.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use branchline_model::{AttemptId, LineTime};
use branchline_ports::{ArtifactError, LineStart, LogLength, LogPart, Place};

use crate::lines::{self, Index, LinesWriter};
use crate::names::Names;
use crate::times::{self, TimesWriter};

/// One attempt's log. There is one of it for each attempt that is at work with, which makes its lock the attempt's.
#[derive(Debug)]
pub(crate) struct Log {
    attempt: AttemptId,
    names: Names,
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    /// Not looked for yet, or there is no file.
    Unknown,
    /// It may be appended to.
    Open(OpenLog),
    /// Nothing is appended any more.
    Closed(ClosedLog),
}

#[derive(Debug)]
struct OpenLog {
    file: Arc<File>,
    /// How many bytes of the file were acknowledged.
    stored: u64,
    /// Whether a failed append may have left bytes behind `stored`.
    torn: bool,
    /// Opened when the first time comes.
    times: Option<TimesWriter>,
    /// `None` where it is not known how many lines there are.
    lines: Option<LinesWriter>,
}

#[derive(Debug)]
struct ClosedLog {
    file: Arc<File>,
    bytes: u64,
}

/// Why file work failed, before it is known whose log it was.
enum Failed {
    Closed,
    Gap { stored: u64 },
    Disk { doing: &'static str, path: PathBuf, error: io::Error },
}

/// Adds to an error of the disk what was done, and to what.
fn on<T>(doing: &'static str, path: &Path, outcome: io::Result<T>) -> Result<T, Failed> {
    outcome.map_err(|error| Failed::Disk { doing, path: path.to_owned(), error })
}

impl Log {
    pub(crate) fn new(logs: &Path, attempt: AttemptId) -> Self {
        Self { names: Names::of(logs, &attempt), attempt, state: Mutex::new(State::Unknown) }
    }

    /// Appends what of `bytes` lies behind the end, and answers where the end is then.
    pub(crate) fn append(&self, offset: u64, bytes: &[u8], times: &[LineTime]) -> Result<u64, ArtifactError> {
        self.try_append(offset, bytes, times).map_err(|failed| self.explain(failed, offset))
    }

    fn try_append(&self, offset: u64, bytes: &[u8], times: &[LineTime]) -> Result<u64, Failed> {
        let mut state = self.found()?;
        let stored = match &*state {
            State::Closed(_) => return Err(Failed::Closed),
            State::Open(log) => log.stored,
            State::Unknown => 0,
        };
        let Some(known) = stored.checked_sub(offset) else { return Err(Failed::Gap { stored }) };
        let new = usize::try_from(known).ok().and_then(|known| bytes.get(known..)).unwrap_or_default();
        let end = offset.saturating_add(bytes.len() as u64);
        if new.is_empty() && (times.is_empty() || stored == 0) {
            return Ok(stored);
        }
        let log = self.opened(&mut state)?;
        on("append to", &self.names.open, log.append(new))?;
        self.count_lines(log, stored, new);
        if let Err(failed) = self.append_times(log, times, end.min(stored + new.len() as u64)) {
            // Not acknowledged, so that bytes and times are sent again together.
            log.cut(stored);
            return Err(failed);
        }
        Ok(log.stored)
    }

    fn append_times(&self, log: &mut OpenLog, times: &[LineTime], end: u64) -> Result<(), Failed> {
        if times.is_empty() {
            return Ok(());
        }
        let path = &self.names.times;
        let writer = match &mut log.times {
            Some(writer) => writer,
            none => none.insert(on("open", path, TimesWriter::open(path))?),
        };
        on("append to", path, writer.append(times, end))
    }

    /// Counts the lines of what was appended at `at`. What cannot be counted now is counted when it is asked for.
    fn count_lines(&self, log: &mut OpenLog, at: u64, new: &[u8]) {
        let path = &self.names.lines;
        let writer = match log.lines.take() {
            None if at > 0 => LinesWriter::behind(path, &log.file, at),
            known => Ok(known.unwrap_or_default()),
        };
        log.lines = writer.and_then(|mut writer| writer.append(path, new).map(|()| writer)).ok();
    }

    /// Syncs and closes. `synced` syncs the folders that hold it.
    pub(crate) fn close(
        &self,
        synced: impl FnOnce(&[PathBuf; 3]) -> Result<(), (PathBuf, io::Error)>,
    ) -> Result<LogLength, ArtifactError> {
        self.try_close(synced).map_err(|failed| self.explain(failed, 0))
    }

    fn try_close(
        &self,
        synced: impl FnOnce(&[PathBuf; 3]) -> Result<(), (PathBuf, io::Error)>,
    ) -> Result<LogLength, Failed> {
        let mut state = self.found()?;
        if !matches!(&*state, State::Closed(_)) {
            let log = self.opened(&mut state)?;
            on("cut", &self.names.open, log.mend())?;
            on("sync", &self.names.open, log.file.sync_data())?;
            let closed = ClosedLog { file: Arc::clone(&log.file), bytes: log.stored };
            on("close", &self.names.open, std::fs::rename(&self.names.open, &self.names.closed))?;
            *state = State::Closed(closed);
        }
        let State::Closed(log) = &*state else { return Err(Failed::Closed) };
        // Also where another has renamed it: its sync may have failed.
        synced(&self.names.folders).map_err(|(path, error)| Failed::Disk { doing: "sync", path, error })?;
        Ok(LogLength { bytes: log.bytes, closed: true })
    }

    pub(crate) fn length(&self) -> Result<LogLength, ArtifactError> {
        let state = self.found().map_err(|failed| self.explain(failed, 0))?;
        Ok(length(&state))
    }

    /// Reads a part. The lock is held only to learn what is there, not while it is read.
    pub(crate) fn read(&self, offset: u64, most: usize) -> Result<LogPart, ArtifactError> {
        self.try_read(offset, most).map_err(|failed| self.explain(failed, offset))
    }

    fn try_read(&self, offset: u64, most: usize) -> Result<LogPart, Failed> {
        let state = self.found()?;
        let log = length(&state);
        let file = match &*state {
            State::Unknown => None,
            State::Open(log) => Some(Arc::clone(&log.file)),
            State::Closed(log) => Some(Arc::clone(&log.file)),
        };
        drop(state);
        let left = usize::try_from(log.bytes.saturating_sub(offset)).unwrap_or(usize::MAX);
        let mut part = LogPart { offset, bytes: vec![0; left.min(most)], times: Vec::new(), log };
        let Some(file) = file.filter(|_| !part.bytes.is_empty()) else { return Ok(part) };
        on("read", &self.names.closed, file.read_exact_at(&mut part.bytes, offset))?;
        // Times are a convenience: what cannot be read of them is missing.
        if let Ok(times) = File::open(&self.names.times) {
            let end = offset + part.bytes.len() as u64;
            part.times = times::within(&times, offset, end).unwrap_or_default();
        }
        Ok(part)
    }

    /// Removes its files. The bytes go last, so that what a crash leaves is found and removed again.
    pub(crate) fn delete(&self) -> Result<(), ArtifactError> {
        let mut state = self.found().map_err(|failed| self.explain(failed, 0))?;
        *state = State::Unknown;
        for path in [&self.names.times, &self.names.lines, &self.names.open, &self.names.closed] {
            match std::fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    let failed = Failed::Disk { doing: "remove", path: path.clone(), error };
                    return Err(self.explain(failed, 0));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The folder of its build.
    pub(crate) fn folder(&self) -> &Path {
        &self.names.folders[0]
    }

    /// Finds a line. A closed log whose index is missing gets one.
    pub(crate) fn find_line(&self, place: Place) -> Result<LineStart, ArtifactError> {
        self.try_find_line(place).map_err(|failed| self.explain(failed, 0))
    }

    fn try_find_line(&self, place: Place) -> Result<LineStart, Failed> {
        let state = self.found()?;
        let length = length(&state);
        let (file, path) = match &*state {
            State::Unknown => return Ok(LineStart::FIRST),
            State::Open(log) => (Arc::clone(&log.file), &self.names.open),
            State::Closed(log) => (Arc::clone(&log.file), &self.names.closed),
        };
        drop(state);
        let mut index = Index::open(&self.names.lines, length.bytes);
        if length.closed && index.is_short(length.bytes) {
            // Where that fails, as on a full disk, the log itself is read for what the index does not say.
            index = lines::rebuild(&self.names.lines, &file, length.bytes).unwrap_or(index);
        }
        on("read", path, index.find(&file, length.bytes, place))
    }

    /// The state, after looking for the files where that was not done yet.
    fn found(&self) -> Result<MutexGuard<'_, State>, Failed> {
        // Every change of a state is made after what can fail, so what a panicking thread left is whole.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(&*state, State::Unknown) {
            if let Some((file, bytes)) = existing(&self.names.closed, OpenOptions::new().read(true))? {
                *state = State::Closed(ClosedLog { file, bytes });
            } else if let Some((file, stored)) =
                existing(&self.names.open, OpenOptions::new().read(true).write(true))?
            {
                *state = State::Open(OpenLog { file, stored, torn: false, times: None, lines: None });
            }
        }
        Ok(state)
    }

    /// The open log, made where there is none. A closed one is not asked for here.
    fn opened<'s>(&self, state: &'s mut State) -> Result<&'s mut OpenLog, Failed> {
        if matches!(state, State::Unknown) {
            let path = &self.names.open;
            let mut options = OpenOptions::new();
            options.read(true).write(true).create_new(true).mode(0o600);
            let file = match options.open(path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    let folder = &self.names.folders[0];
                    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
                    on("make", folder, made)?;
                    options.open(path)
                }
                other => other,
            };
            let file = Arc::new(on("make", path, file)?);
            *state = State::Open(OpenLog { file, stored: 0, torn: false, times: None, lines: None });
        }
        match state {
            State::Open(log) => Ok(log),
            State::Closed(_) | State::Unknown => Err(Failed::Closed),
        }
    }

    fn explain(&self, failed: Failed, offset: u64) -> ArtifactError {
        let attempt = self.attempt.clone();
        match failed {
            Failed::Closed => ArtifactError::Closed { attempt },
            Failed::Gap { stored } => ArtifactError::Gap { attempt, stored, offset },
            Failed::Disk { doing, path, error } => {
                let what_next = match error.kind() {
                    io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ": make room on its disk",
                    _ => "",
                };
                let why = format!("cannot {doing} {}: {error}{what_next}", path.display());
                ArtifactError::Unavailable { attempt, why }
            }
        }
    }
}

impl OpenLog {
    /// Adds bytes at the end; after a failure, the end is where it was.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.mend()?;
        if let Err(error) = self.file.write_all_at(bytes, self.stored) {
            self.cut(self.stored);
            return Err(error);
        }
        self.stored += bytes.len() as u64;
        Ok(())
    }

    /// Goes back to an end that was acknowledged.
    fn cut(&mut self, stored: u64) {
        self.stored = stored;
        self.torn = true;
        self.lines = None;
        // Where even that fails, it is tried again before anything else is written.
        drop(self.mend());
    }

    /// Cuts off what a failed append left.
    fn mend(&mut self) -> io::Result<()> {
        if self.torn {
            self.file.set_len(self.stored)?;
            self.torn = false;
        }
        Ok(())
    }
}

fn length(state: &State) -> LogLength {
    match state {
        State::Unknown => LogLength::default(),
        State::Open(log) => LogLength { bytes: log.stored, closed: false },
        State::Closed(log) => LogLength { bytes: log.bytes, closed: true },
    }
}

/// Opens a file that may not be there, and measures it.
fn existing(path: &Path, options: &OpenOptions) -> Result<Option<(Arc<File>, u64)>, Failed> {
    let file = match options.open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => on("open", path, other)?,
    };
    let bytes = on("measure", path, file.metadata())?.len();
    Ok(Some((Arc::new(file), bytes)))
}
