//! The log of an attempt, and the times of its lines. Invariants: bytes are only ever appended, exactly as they came; the
//! time of a chunk is written before its bytes, so whoever sees a byte can see its time. Reading is `follow`'s.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use branchline_model::Timestamp;

use crate::place::{NOTE_MARK, one_line};

/// How many bytes one entry of `times` has: offset and milliseconds, both 64 bits, little-endian.
pub(crate) const TIME_ENTRY: u64 = 16;

/// Appends to a log. Only who holds the attempt's lock may have one.
#[derive(Debug)]
pub struct LogWriter {
    log: File,
    times: File,
    length: u64,
    at_line_start: bool,
    last_time: Option<Timestamp>,
}

fn append_to(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)
}

impl LogWriter {
    pub(crate) fn open(log: &Path, times: &Path) -> io::Result<Self> {
        let (log, times) = (append_to(log)?, append_to(times)?);
        let torn = times.metadata()?.len() % TIME_ENTRY;
        if torn != 0 {
            // Whoever wrote it was killed in the middle: this entry's time is unknown, those after it must stay aligned.
            times.set_len(times.metadata()?.len() - torn)?;
        }
        let length = log.metadata()?.len();
        let mut last = [b'\n'];
        if length > 0 {
            log.read_exact_at(&mut last, length - 1)?;
        }
        Ok(Self { log, times, length, at_line_start: last == *b"\n", last_time: None })
    }

    /// How many bytes it has.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Appends what was read at a time.
    ///
    /// # Errors
    /// The file system refused, as a full one does. A part of the bytes may be there then: the log's length says how many.
    pub fn append(&mut self, bytes: &[u8], at: Timestamp) -> io::Result<()> {
        let Some((last, before)) = bytes.split_last() else { return Ok(()) };
        let first_line = if self.at_line_start {
            Some(0)
        } else {
            before.iter().position(|byte| *byte == b'\n').map(|newline| newline + 1)
        };
        if let Some(first) = first_line
            && self.last_time != Some(at)
        {
            let mut entry = [0; TIME_ENTRY as usize];
            entry[..8].copy_from_slice(&(self.length + first as u64).to_le_bytes());
            entry[8..].copy_from_slice(&at.0.to_le_bytes());
            self.times.write_all(&entry)?;
            self.last_time = Some(at);
        }
        if let Err(error) = self.log.write_all(bytes) {
            self.length = self.log.metadata()?.len();
            return Err(error);
        }
        self.length += bytes.len() as u64;
        self.at_line_start = *last == b'\n';
        Ok(())
    }

    /// Appends a line of Branchline's own, on a line of its own.
    ///
    /// # Errors
    /// As [`LogWriter::append`].
    pub fn note(&mut self, words: &str, at: Timestamp) -> io::Result<()> {
        let end_of_line = if self.at_line_start { "" } else { "\n" };
        self.append(format!("{end_of_line}{NOTE_MARK}{}\n", one_line(words)).as_bytes(), at)
    }
}
