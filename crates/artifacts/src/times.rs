//! When a log's lines came: a file of entries of 16 bytes, the offset and the milliseconds, both little-endian, in
//! ascending order of offsets. Invariant: what is there is only ever added to. It is a convenience: it is not synced,
//! and where it is missing, torn or garbled after a crash of the machine, times are missing, never bytes.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use branchline_model::{LineTime, Timestamp};

const ENTRY: usize = 16;

/// Entries are read in blocks of so many.
const BLOCK: u64 = 512;

/// The end of a times file that is written.
#[derive(Debug)]
pub(crate) struct TimesWriter {
    file: File,
    entries: u64,
    /// The offset of the last entry.
    last: Option<u64>,
}

impl TimesWriter {
    /// Opens the file at the end of its last whole entry.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
        let entries = file.metadata()?.len() / ENTRY as u64;
        let last = match entries.checked_sub(1) {
            Some(index) => Some(entry(&file, index)?.offset),
            None => None,
        };
        Ok(Self { file, entries, last })
    }

    /// Adds those of the times that lie behind the last one and before `end`.
    pub(crate) fn append(&mut self, times: &[LineTime], end: u64) -> io::Result<()> {
        let mut last = self.last;
        let mut bytes = Vec::new();
        for time in times {
            if time.offset < end && last.is_none_or(|last| time.offset > last) {
                bytes.extend_from_slice(&time.offset.to_le_bytes());
                bytes.extend_from_slice(&time.at.0.to_le_bytes());
                last = Some(time.offset);
            }
        }
        if bytes.is_empty() {
            return Ok(());
        }
        // Whatever a failed write left behind the last entry is overwritten by the next.
        self.file.write_all_at(&bytes, self.entries * ENTRY as u64)?;
        self.entries += (bytes.len() / ENTRY) as u64;
        self.last = last;
        Ok(())
    }
}

/// The times that hold within `from..end`: the last one not behind `from`, and all behind it.
pub(crate) fn within(file: &File, from: u64, end: u64) -> io::Result<Vec<LineTime>> {
    let entries = file.metadata()?.len() / ENTRY as u64;
    // The number of entries not behind `from`.
    let (mut low, mut high) = (0, entries);
    while low < high {
        let middle = low + (high - low) / 2;
        if entry(file, middle)?.offset <= from {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    let mut found: Vec<LineTime> = Vec::new();
    let mut index = low.saturating_sub(1);
    while index < entries {
        let block = entries_at(file, index, BLOCK.min(entries - index))?;
        for time in block {
            if time.offset >= end {
                return Ok(found);
            }
            // What a crash of the machine garbled is not ascending.
            if found.last().is_none_or(|last| last.offset < time.offset) {
                found.push(time);
            }
        }
        index += BLOCK;
    }
    Ok(found)
}

fn entry(file: &File, index: u64) -> io::Result<LineTime> {
    let mut bytes = [0; ENTRY];
    file.read_exact_at(&mut bytes, index * ENTRY as u64)?;
    Ok(decode(bytes))
}

fn entries_at(file: &File, index: u64, count: u64) -> io::Result<impl Iterator<Item = LineTime>> {
    let mut bytes = vec![[0; ENTRY]; usize::try_from(count).unwrap_or(0)];
    file.read_exact_at(bytes.as_flattened_mut(), index * ENTRY as u64)?;
    Ok(bytes.into_iter().map(decode))
}

fn decode(bytes: [u8; ENTRY]) -> LineTime {
    let number = u128::from_le_bytes(bytes);
    // The low half is the offset, the high half the milliseconds.
    LineTime { offset: number as u64, at: Timestamp((number >> 64) as i64) }
}
