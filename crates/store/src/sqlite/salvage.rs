//! Saving what can be read of a damaged file. Invariant: the damaged file is never written to; the new one takes its place only
//! when it is whole, and the old one is kept beside it.
//!
//! What SQLite can still reach is taken as it is, from both ends of the table. Between the two, where its tree is broken, rows
//! are taken from the pages themselves ([`super::pages`]), the newest of each; a row there that was removed shortly
//! before may come back, which the doctor's check of all rows finds.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};

use super::open::{OpenError, migrate, open_reader, take_lock};
use super::pages::{Cell, Pages};

/// What was saved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Salvaged {
    /// How many rows the new file holds.
    pub rows: u64,
    /// Where the damaged file is now.
    pub old: PathBuf,
}

const PUT: &str = "INSERT INTO rows (partition, sort, version, format, body, checksum) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
    ON CONFLICT (partition, sort) DO UPDATE
    SET version = excluded.version, format = excluded.format, body = excluded.body, checksum = excluded.checksum
    WHERE excluded.version > version";

/// The versions of a new file begin so far behind the last one that was found: commits that are lost had some, too.
const VERSIONS_LOST: i64 = 1 << 20;

/// A key, as SQLite compares it.
type Place = (String, String);

pub(super) fn salvage(path: &Path) -> Result<Salvaged, OpenError> {
    let _lock = take_lock(path)?;
    let file_error =
        |error: io::Error| OpenError::Unavailable { path: path.to_owned(), why: error.to_string() };
    let new = beside(path, ".new");
    let explain =
        |error: rusqlite::Error| OpenError::Unavailable { path: new.clone(), why: error.to_string() };
    remove(&new).map_err(file_error)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
    let mut connection = Connection::open_with_flags(&new, flags).map_err(explain)?;
    migrate(&mut connection, &new, true)?;
    let transaction =
        connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(explain)?;
    fill(path, &transaction).map_err(explain)?;
    let rows = finish(&transaction).map_err(explain)?;
    transaction.commit().map_err(explain)?;
    drop(connection);
    File::open(&new).and_then(|file| file.sync_all()).map_err(file_error)?;
    let old = put_in_place(path, &new).map_err(file_error)?;
    Ok(Salvaged { rows, old })
}

fn fill(path: &Path, new: &Transaction<'_>) -> rusqlite::Result<()> {
    let (mut from_start, mut from_end) = (None, None);
    if let Ok(old) = open_reader(path) {
        if reach(&old, "ASC", None, new, &mut from_start)? {
            copy_quarantine(&old, new)?;
            return Ok(());
        }
        reach(&old, "DESC", from_start.as_ref(), new, &mut from_end)?;
        copy_quarantine(&old, new)?;
    }
    let Ok(pages) = Pages::of(path, &beside(path, "-wal")) else { return Ok(()) };
    let mut put = new.prepare(PUT)?;
    pages.each(|Cell { key, version, format, body, checksum }| {
        let place = (key.partition, key.sort);
        let is_between = from_start.as_ref().is_none_or(|start| place > *start)
            && from_end.as_ref().is_none_or(|end| place < *end);
        if is_between {
            put.execute((&place.0, &place.1, version, format, body, checksum))?;
        }
        Ok(())
    })
}

/// Takes over rows in an order as far as SQLite reaches, or until `until`; answers whether it reached all.
fn reach(
    old: &Connection,
    order: &str,
    until: Option<&Place>,
    new: &Transaction<'_>,
    last: &mut Option<Place>,
) -> rusqlite::Result<bool> {
    let mut put = new.prepare(PUT)?;
    // A file from before checksums has none to select.
    let checksum = if old.prepare("SELECT checksum FROM rows").is_ok() { "checksum" } else { "NULL" };
    let query = format!(
        "SELECT partition, sort, version, format, body, {checksum} FROM rows ORDER BY partition {order}, sort {order}"
    );
    let Ok(mut statement) = old.prepare(&query) else { return Ok(false) };
    let Ok(mut rows) = statement.query([]) else { return Ok(false) };
    loop {
        let values: [Value; 6] = match rows.next() {
            Ok(Some(row)) => {
                let value = |index| row.get(index).unwrap_or(Value::Null);
                [value(0), value(1), value(2), value(3), value(4), value(5)]
            }
            Ok(None) => return Ok(true),
            Err(_) => return Ok(false),
        };
        let place = match (&values[0], &values[1]) {
            (Value::Text(partition), Value::Text(sort)) => (partition.clone(), sort.clone()),
            // No key of a row: it is nobody's.
            _ => continue,
        };
        if until.is_some_and(|until| place <= *until) {
            return Ok(true);
        }
        // What has another type than its column is no row either.
        drop(put.execute(values));
        *last = Some(place);
    }
}

fn copy_quarantine(old: &Connection, new: &Transaction<'_>) -> rusqlite::Result<()> {
    let columns = "partition, sort, version, format, body, why, moved_at";
    let Ok(mut statement) = old.prepare(&format!("SELECT {columns} FROM quarantine")) else { return Ok(()) };
    let Ok(mut rows) = statement.query([]) else { return Ok(()) };
    let mut put =
        new.prepare(&format!("INSERT INTO quarantine ({columns}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"))?;
    while let Ok(Some(row)) = rows.next() {
        let values: Vec<Value> = (0..7).map(|index| row.get(index).unwrap_or(Value::Null)).collect();
        drop(put.execute(rusqlite::params_from_iter(values)));
    }
    Ok(())
}

fn finish(new: &Transaction<'_>) -> rusqlite::Result<u64> {
    new.execute(
        "UPDATE meta SET value = ?1 + (SELECT coalesce(max(version), 0) FROM rows) WHERE name = 'version'",
        [VERSIONS_LOST],
    )?;
    new.query_row("SELECT count(*) FROM rows", [], |row| row.get(0))
}

/// Moves the damaged file aside, with its log, and the new one to its place.
fn put_in_place(path: &Path, new: &Path) -> io::Result<PathBuf> {
    let old = (1..).map(|number| beside(path, &format!(".damaged-{number}"))).find(|old| !old.exists());
    let old = old.unwrap_or_else(|| beside(path, ".damaged"));
    for end in ["-wal", "-shm"] {
        let file = beside(path, end);
        if file.exists() {
            fs::rename(&file, beside(&old, end))?;
        }
    }
    fs::rename(path, &old)?;
    fs::rename(new, path)?;
    if let Some(folder) = path.parent() {
        File::open(folder)?.sync_all()?;
    }
    Ok(old)
}

fn remove(path: &Path) -> io::Result<()> {
    for end in ["", "-wal", "-shm", "-journal"] {
        match fs::remove_file(beside(path, end)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(end);
    PathBuf::from(name)
}
