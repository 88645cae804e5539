//! Following an attempt by byte offset. Invariants: a follower only reads, so any number may, and any may die; what it has read
//! is named by offsets, so the next one goes on exactly there. Waiting is the caller's: for the bell, or for a while.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use branchline_model::{LineTime, Timestamp};

use crate::directory::AttemptDirectory;
use crate::error::DirectoryError;
use crate::log::TIME_ENTRY;
use crate::state::Observed;

/// A piece of a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogPiece {
    /// Where it begins, in bytes from the log's beginning.
    pub offset: u64,
    /// The bytes, as they came.
    pub bytes: Vec<u8>,
    /// When the lines that begin in it came.
    pub times: Vec<LineTime>,
}

/// Reads an attempt on from where it was read to.
#[derive(Debug)]
pub struct Follower {
    directory: AttemptDirectory,
    log: File,
    times: File,
    state: Option<File>,
    observed: Observed,
    offset: u64,
    /// Which entry of `times` is next.
    next_time: u64,
}

impl Follower {
    /// Follows an attempt, its log from `offset` on. The directory must be filled.
    ///
    /// # Errors
    /// The directory is missing or incomplete, or the file system refused.
    pub fn open(directory: &AttemptDirectory, offset: u64) -> Result<Self, DirectoryError> {
        let open = |path: PathBuf| File::open(&path).map_err(DirectoryError::failed("open", &path));
        let mut follower = Self {
            directory: directory.clone(),
            log: open(directory.file("log"))?,
            times: open(directory.file("times"))?,
            state: None,
            observed: Observed::default(),
            offset: 0,
            next_time: 0,
        };
        follower.seek(offset)?;
        Ok(follower)
    }

    /// Goes on from another offset of the log.
    ///
    /// # Errors
    /// The times cannot be read.
    pub fn seek(&mut self, offset: u64) -> Result<(), DirectoryError> {
        let path = self.directory.file("times");
        let failed = || DirectoryError::failed("read", &path);
        let (mut low, mut high) = (0, self.times.metadata().map_err(failed())?.len() / TIME_ENTRY);
        while low < high {
            let middle = low + (high - low) / 2;
            match self.time(middle).map_err(failed())? {
                Some(time) if time.offset < offset => low = middle + 1,
                _ => high = middle,
            }
        }
        self.next_time = low;
        self.offset = offset;
        Ok(())
    }

    /// Where it is in the log, in bytes.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// What the state lines said when they were last read.
    #[must_use]
    pub fn observed(&self) -> &Observed {
        &self.observed
    }

    /// Reads new state lines; answers whether there were any.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn read_state(&mut self) -> Result<bool, DirectoryError> {
        let path = self.directory.file("state");
        let failed = || DirectoryError::failed("read", &path);
        if self.state.is_none() {
            match File::open(&path) {
                Ok(file) => self.state = Some(file),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
                Err(error) => return Err(failed()(error)),
            }
        }
        match &self.state {
            Some(file) => self.observed.read_on(file).map_err(failed()),
            None => Ok(false),
        }
    }

    /// Reads on in the log, at most `most` bytes; an empty piece where there is nothing new.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read_log(&mut self, most: usize) -> Result<LogPiece, DirectoryError> {
        let path = self.directory.file("log");
        let failed = || DirectoryError::failed("read", &path);
        let there = self.log.metadata().map_err(failed())?.len().saturating_sub(self.offset);
        let wanted = usize::try_from(there).unwrap_or(most).min(most);
        let mut piece = LogPiece { offset: self.offset, bytes: vec![0; wanted], times: Vec::new() };
        let mut filled = 0;
        while filled < wanted {
            match self.log.read_at(&mut piece.bytes[filled..], self.offset + filled as u64) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(failed()(error)),
            }
        }
        piece.bytes.truncate(filled);
        // Only what is answered with was read: after an error the same piece is read again.
        let (end, mut next_time) = (self.offset + filled as u64, self.next_time);
        while let Some(time) = self.time(next_time).map_err(failed())?.filter(|time| time.offset < end) {
            piece.times.push(time);
            next_time += 1;
        }
        (self.offset, self.next_time) = (end, next_time);
        Ok(piece)
    }

    /// Whether the attempt's supervisor lives (or someone who prepares or ends it).
    ///
    /// # Errors
    /// The lock cannot be read.
    pub fn supervisor_lives(&self) -> Result<bool, DirectoryError> {
        self.directory.is_held()
    }

    /// An entry of `times`; `None` where there is none (yet).
    fn time(&self, index: u64) -> io::Result<Option<LineTime>> {
        let mut entry = [0; TIME_ENTRY as usize];
        match self.times.read_exact_at(&mut entry, index * TIME_ENTRY) {
            Ok(()) => {
                let (offset, at) = entry.split_at(8);
                let number =
                    |bytes: &[u8]| bytes.try_into().map(u64::from_le_bytes).map_err(io::Error::other);
                let at = i64::try_from(number(at)?).unwrap_or(i64::MAX);
                Ok(Some(LineTime { offset: number(offset)?, at: Timestamp(at) }))
            }
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(error),
        }
    }
}
