//! Where a log's lines begin: a file of entries of 16 bytes, one for each 64 KiB of the log, that say how many newlines
//! lie before that place. Invariant: an entry that is there and passes its check is right, because a log's bytes at an
//! offset never change. It is a convenience: it is not synced, a short log has none, and where entries are missing or garbled
//! the log itself is read instead.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use branchline_ports::{LineStart, Place};

const ENTRY: usize = 16;

/// An entry stands for so many bytes of the log.
const STRIDE: u64 = 64 << 10;

/// Makes an entry that holds only zeros, or lies in another's place, fail its check.
const CHECK: u64 = 0x9e37_79b9_7f4a_7c15;

/// The end of an index that is written while the log grows.
#[derive(Debug, Default)]
pub(crate) struct LinesWriter {
    /// Up to where newlines were counted, and how many there are.
    counted: u64,
    newlines: u64,
    /// Opened when the first entry is due.
    file: Option<File>,
}

impl LinesWriter {
    /// Counts what was appended, and writes each entry that is due. After a failure, go on with [`LinesWriter::behind`].
    pub(crate) fn append(&mut self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let until_due = usize::try_from(STRIDE - self.counted % STRIDE).unwrap_or(rest.len());
            let (counted, after) = rest.split_at(until_due.min(rest.len()));
            self.newlines += newlines(counted);
            self.counted += counted.len() as u64;
            rest = after;
            if self.counted.is_multiple_of(STRIDE) {
                self.write(path)?;
            }
        }
        Ok(())
    }

    /// Goes on with a log of this length whose beginning others have counted.
    pub(crate) fn behind(path: &Path, log: &File, length: u64) -> io::Result<Self> {
        let index = Index::open(path, length);
        Ok(Self { counted: length, newlines: index.newlines_before(log, length)?, file: None })
    }

    fn write(&mut self, path: &Path) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => {
                let mut options = OpenOptions::new();
                none.insert(options.write(true).create(true).truncate(false).mode(0o600).open(path)?)
            }
        };
        let index = self.counted / STRIDE - 1;
        file.write_all_at(&encode(index, self.newlines), index * ENTRY as u64)
    }
}

/// An index that is read.
#[derive(Debug)]
pub(crate) struct Index {
    file: Option<File>,
    /// How many entries it may have: those of a log that is not longer than this.
    entries: u64,
}

impl Index {
    /// Opens what there is of the index of a log of this length.
    pub(crate) fn open(path: &Path, length: u64) -> Self {
        let file = File::open(path).ok();
        let there =
            file.as_ref().and_then(|file| file.metadata().ok()).map_or(0, |data| data.len() / ENTRY as u64);
        Self { file, entries: there.min(length / STRIDE) }
    }

    /// Whether a log of this length should have more of an index than this.
    pub(crate) fn is_short(&self, length: u64) -> bool {
        let last = self.entries.checked_sub(1);
        self.entries < length / STRIDE || last.is_some_and(|last| self.entry(last).is_none())
    }

    /// Finds a line of a log of this length.
    pub(crate) fn find(&self, log: &File, length: u64, place: Place) -> io::Result<LineStart> {
        let before = match place {
            Place::Line(number) => {
                let before = number.saturating_sub(1);
                match self.start_after(log, length, before)? {
                    Some(offset) => return Ok(LineStart { number: before + 1, offset }),
                    None => self.newlines_before(log, length)?,
                }
            }
            Place::Offset(offset) => self.newlines_before(log, offset.min(length))?,
        };
        let offset = self.start_after(log, length, before)?;
        let gone = || io::Error::other("the log became shorter while it was read");
        Ok(LineStart { number: before + 1, offset: offset.ok_or_else(gone)? })
    }

    /// Where the line begins that has so many newlines before it; `None` where the log has fewer.
    fn start_after(&self, log: &File, length: u64, before: u64) -> io::Result<Option<u64>> {
        if before == 0 {
            return Ok(Some(0));
        }
        // The last place that has fewer before it.
        let (mut low, mut high) = (0, self.entries);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.entry(middle).is_some_and(|newlines| newlines < before) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        let (mut at, mut seen) = self.place(low);
        let mut buffer = vec![0; STRIDE as usize];
        while at < length {
            let part = read(log, at, length, &mut buffer)?;
            let ends = newlines(part);
            if seen + ends >= before {
                let end = part
                    .iter()
                    .enumerate()
                    .filter(|(_, byte)| **byte == b'\n')
                    .nth((before - seen - 1) as usize);
                return Ok(end.map(|(index, _)| at + index as u64 + 1));
            }
            seen += ends;
            at += part.len() as u64;
        }
        Ok(None)
    }

    /// How many newlines lie before an offset.
    fn newlines_before(&self, log: &File, offset: u64) -> io::Result<u64> {
        let mut known = self.entries.min(offset / STRIDE);
        while known > 0 && self.entry(known - 1).is_none() {
            known -= 1;
        }
        let (mut at, mut seen) = self.place(known);
        let mut buffer = vec![0; STRIDE as usize];
        while at < offset {
            let part = read(log, at, offset, &mut buffer)?;
            seen += newlines(part);
            at += part.len() as u64;
        }
        Ok(seen)
    }

    /// The place behind so many entries, and how many newlines lie before it.
    fn place(&self, entries: u64) -> (u64, u64) {
        match entries.checked_sub(1).and_then(|last| self.entry(last)) {
            Some(newlines) => (entries * STRIDE, newlines),
            None => (0, 0),
        }
    }

    fn entry(&self, index: u64) -> Option<u64> {
        let mut bytes = [0; ENTRY];
        self.file.as_ref()?.read_exact_at(&mut bytes, index * ENTRY as u64).ok()?;
        let newlines = u128::from_le_bytes(bytes) as u64;
        (encode(index, newlines) == bytes).then_some(newlines)
    }
}

/// Writes the whole index of a log that has none, or a wrong one.
pub(crate) fn rebuild(path: &Path, log: &File, length: u64) -> io::Result<Index> {
    let new = path.with_extension("lines.new");
    let mut writer = LinesWriter::default();
    let mut buffer = vec![0; STRIDE as usize];
    while writer.counted < length {
        let part = read(log, writer.counted, length, &mut buffer)?;
        writer.append(&new, part)?;
    }
    std::fs::rename(&new, path)?;
    Ok(Index::open(path, length))
}

fn read<'b>(log: &File, at: u64, end: u64, buffer: &'b mut [u8]) -> io::Result<&'b [u8]> {
    let most = usize::try_from(end - at).unwrap_or(usize::MAX).min(buffer.len());
    let part = buffer.get_mut(..most).unwrap_or_default();
    log.read_exact_at(part, at)?;
    Ok(part)
}

fn newlines(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|byte| **byte == b'\n').count() as u64
}

fn encode(index: u64, newlines: u64) -> [u8; ENTRY] {
    let check = (newlines ^ (index + 1)).wrapping_mul(CHECK);
    (u128::from(newlines) | u128::from(check) << 64).to_le_bytes()
}
