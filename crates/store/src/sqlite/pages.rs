//! Rows read from the pages of a store's file one by one, where SQLite itself cannot follow its tree any more. Invariant:
//! whatever bytes a file holds, reading ends and never panics; what is answered was once written as a whole, as its
//! checksum or at least its own words say. It may be older than what was last written: who calls takes the newest.
//!
//! The format: <https://sqlite.org/fileformat2.html>. Rows lie in an index b-tree, since the table has no row id.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use branchline_model::{Key, Row};

use crate::decode;
use crate::sqlite::open::PAGE;

/// A row as its cell says.
pub(super) struct Cell {
    pub(super) key: Key,
    pub(super) version: i64,
    pub(super) format: i64,
    pub(super) body: String,
    pub(super) checksum: Option<i64>,
}

/// Where the pages of a store lie: in its file, and newer ones in its log.
pub(super) struct Pages {
    file: File,
    log: Option<File>,
    size: usize,
    /// How many pages the file has; the last may be cut.
    count: u64,
    /// Where in the log each page's newest frame is.
    newest: HashMap<u64, u64>,
    /// Where every frame of the log is.
    frames: Vec<u64>,
}

const LOG_HEADER: u64 = 32;
const FRAME_HEADER: u64 = 24;
const LEAF: u8 = 0x0a;
const INTERIOR: u8 = 0x02;

impl Pages {
    pub(super) fn of(path: &Path, log: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let mut header = [0; 100];
        let read = file.read_at(&mut header, 0)?;
        let size = match usize::from(u16::from_be_bytes([header[16], header[17]])) {
            1 => 65_536,
            size if read == header.len() && size.is_power_of_two() && size >= 512 => size,
            // What every new file has.
            _ => PAGE,
        };
        let count = file.metadata()?.len().div_ceil(size as u64);
        let mut pages =
            Self { file, log: File::open(log).ok(), size, count, newest: HashMap::new(), frames: Vec::new() };
        pages.find_frames()?;
        Ok(pages)
    }

    fn find_frames(&mut self) -> io::Result<()> {
        let Some(log) = &self.log else { return Ok(()) };
        let length = log.metadata()?.len();
        let mut at = LOG_HEADER;
        while at + FRAME_HEADER + self.size as u64 <= length {
            let mut number = [0; 4];
            log.read_exact_at(&mut number, at)?;
            self.newest.insert(u64::from(u32::from_be_bytes(number)), at + FRAME_HEADER);
            self.frames.push(at + FRAME_HEADER);
            at += FRAME_HEADER + self.size as u64;
        }
        Ok(())
    }

    /// Shows every row of which a whole cell is found.
    pub(super) fn each(&self, mut see: impl FnMut(Cell) -> rusqlite::Result<()>) -> rusqlite::Result<()> {
        let in_file = (1..=self.count).map(|number| (number, self.in_file(number)));
        let in_log = self.frames.iter().map(|at| (0, self.read(self.log.as_ref(), *at)));
        for (number, page) in in_file.chain(in_log) {
            let start = if number == 1 { 100 } else { 0 };
            for payload in self.cells(&page, start) {
                if let Some(cell) = record(&payload) {
                    see(cell)?;
                }
            }
        }
        Ok(())
    }

    fn in_file(&self, number: u64) -> Vec<u8> {
        self.read(Some(&self.file), (number - 1) * self.size as u64)
    }

    /// A page's bytes; zeros where they are cut off or cannot be read.
    fn read(&self, file: Option<&File>, at: u64) -> Vec<u8> {
        let mut page = vec![0; self.size];
        let mut filled = 0;
        while let Some(Ok(read)) = file.map(|file| file.read_at(&mut page[filled..], at + filled as u64)) {
            filled += read;
            if read == 0 || filled == page.len() {
                break;
            }
        }
        page
    }

    /// The payloads of a page's cells.
    fn cells(&self, page: &[u8], start: usize) -> Vec<Vec<u8>> {
        let (pointers, child) = match page.get(start) {
            Some(&LEAF) => (start + 8, 0),
            Some(&INTERIOR) => (start + 12, 4),
            _ => return Vec::new(),
        };
        let count = number(page, start + 3).unwrap_or_default();
        (0..count)
            .filter_map(|index| {
                let at = number(page, pointers + 2 * index)? + child;
                self.payload(page, at)
            })
            .collect()
    }

    fn payload(&self, page: &[u8], at: usize) -> Option<Vec<u8>> {
        let (length, at) = varint(page, at)?;
        let length = usize::try_from(length).ok().filter(|length| *length <= 64 << 20)?;
        let usable = self.size;
        let (most, least) = ((usable - 12) * 64 / 255 - 23, (usable - 12) * 32 / 255 - 23);
        if length <= most {
            return Some(page.get(at..at + length)?.to_vec());
        }
        let fitting = least + (length - least) % (usable - 4);
        let local = if fitting <= most { fitting } else { least };
        let mut payload = page.get(at..at + local)?.to_vec();
        let mut next = u32::from_be_bytes(page.get(at + local..at + local + 4)?.try_into().ok()?);
        let mut followed = HashSet::new();
        while payload.len() < length {
            let number = u64::from(next);
            if number == 0 || !followed.insert(number) {
                return None;
            }
            let page = match self.newest.get(&number) {
                Some(at) => self.read(self.log.as_ref(), *at),
                None if number <= self.count => self.in_file(number),
                None => return None,
            };
            next = u32::from_be_bytes(page.get(..4)?.try_into().ok()?);
            let rest = (length - payload.len()).min(usable - 4);
            payload.extend_from_slice(page.get(4..4 + rest)?);
        }
        Some(payload)
    }
}

/// A row, where the payload is one that can be understood.
fn record(payload: &[u8]) -> Option<Cell> {
    let (header, mut at) = varint(payload, 0)?;
    let mut value = usize::try_from(header).ok()?;
    let mut values = Vec::with_capacity(6);
    while at < usize::try_from(header).ok()? && values.len() < 6 {
        let (kind, next) = varint(payload, at)?;
        at = next;
        let length = match kind {
            0 | 8 | 9 => 0,
            1..=4 => usize::try_from(kind).ok()?,
            5 => 6,
            6 => 8,
            text if text >= 13 && text % 2 == 1 => usize::try_from((text - 13) / 2).ok()?,
            _ => return None,
        };
        values.push((kind, payload.get(value..value.checked_add(length)?)?));
        value += length;
    }
    let [partition, sort, version, format, body, rest @ ..] = values.as_slice() else { return None };
    let key = Key::new(text(partition)?, text(sort)?);
    let checksum = match rest.first() {
        None | Some((0, _)) => None,
        Some(value) => Some(integer(value)?),
    };
    let cell =
        Cell { key, version: integer(version)?, format: integer(format)?, body: text(body)?, checksum };
    let row = decode::row(cell.key.clone(), cell.format, cell.body.as_bytes(), cell.checksum);
    (!matches!(row, Row::Unreadable(_))).then_some(cell)
}

fn text((kind, bytes): &(u64, &[u8])) -> Option<String> {
    (*kind >= 13).then(|| String::from_utf8(bytes.to_vec()).ok()).flatten()
}

fn integer((kind, bytes): &(u64, &[u8])) -> Option<i64> {
    match kind {
        8 => Some(0),
        9 => Some(1),
        1..=6 => {
            let negative = bytes.first().is_some_and(|first| *first >= 0x80);
            let start = if negative { -1 } else { 0 };
            Some(bytes.iter().fold(start, |number: i64, byte| (number << 8) | i64::from(*byte)))
        }
        _ => None,
    }
}

fn number(page: &[u8], at: usize) -> Option<usize> {
    Some(usize::from(u16::from_be_bytes(page.get(at..at + 2)?.try_into().ok()?)))
}

/// SQLite's variable-length integer, and where it ends.
fn varint(bytes: &[u8], at: usize) -> Option<(u64, usize)> {
    let mut value = 0;
    for index in 0..9 {
        let byte = *bytes.get(at + index)?;
        if index == 8 {
            return Some(((value << 8) | u64::from(byte), at + 9));
        }
        value = (value << 7) | u64::from(byte & 0x7f);
        if byte < 0x80 {
            return Some((value, at + index + 1));
        }
    }
    None
}
