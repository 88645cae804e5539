//! A look at a store's file without opening the store: for the doctor, also while another process has it open. Invariant:
//! it never writes into the file, but for what [`set_aside`] moves within it when told to.

use std::path::Path;

use branchline_model::{Key, Row, Versioned};
use branchline_ports::StoreError;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::open::open_reader;
use super::reader::{decode, text};
use super::writer::unavailable;

/// So many rows are read at once.
const ROWS_AT_ONCE: usize = 1_000;

/// A look at a store's file.
pub struct SqliteLook {
    connection: Connection,
    path: std::path::PathBuf,
}

impl SqliteLook {
    /// Opens the file for reading only. Blocks.
    ///
    /// # Errors
    /// Where it cannot be read at all.
    pub fn at(path: &Path) -> Result<Self, StoreError> {
        let explain = |error| unavailable(path, &error);
        let connection = open_reader(path).map_err(explain)?;
        // The first read finds out what is no database, or cut off.
        connection.query_row("SELECT count(*) FROM meta", [], |_| Ok(())).map_err(explain)?;
        Ok(Self { connection, path: path.to_owned() })
    }

    /// What is wrong with the file itself, in SQLite's words; at most a hundred lines, none where all is well.
    ///
    /// # Errors
    /// Where it is so damaged that not even that can be found out.
    pub fn integrity(&self) -> Result<Vec<String>, StoreError> {
        let check = || {
            let mut statement = self.connection.prepare("PRAGMA integrity_check(100)")?;
            let lines =
                statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<Vec<String>>>()?;
            Ok(lines.into_iter().filter(|line| line != "ok").collect())
        };
        check().map_err(|error| unavailable(&self.path, &error))
    }

    /// Shows every row whose partition lies from `first` on and before `end`, in the order of their keys.
    ///
    /// # Errors
    /// Where a part of the file cannot be read; some rows were shown then.
    pub fn each(
        &self,
        first: &str,
        end: Option<&str>,
        mut see: impl FnMut(Versioned<Row>),
    ) -> Result<(), StoreError> {
        let mut after = (first.to_owned(), String::new());
        // `~~` lies behind every partition's name.
        let end = end.unwrap_or("~~");
        loop {
            let rows = self.rows(&after, end).map_err(|error| unavailable(&self.path, &error))?;
            let more = rows.len() == ROWS_AT_ONCE;
            if let Some(last) = rows.last().map(|row| row.value.key()) {
                after = (last.partition, last.sort);
            }
            rows.into_iter().for_each(&mut see);
            if !more {
                return Ok(());
            }
        }
    }

    fn rows(&self, after: &(String, String), end: &str) -> rusqlite::Result<Vec<Versioned<Row>>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT version, format, body, checksum, partition, sort FROM rows
             WHERE (partition, sort) > (?1, ?2) AND partition < ?3 ORDER BY partition, sort LIMIT ?4",
        )?;
        let limit = i64::try_from(ROWS_AT_ONCE).unwrap_or(i64::MAX);
        let mut rows = statement.query((&after.0, &after.1, end, limit))?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(decode(row, Key::new(text(row.get_ref(4)?), text(row.get_ref(5)?)))?);
        }
        Ok(found)
    }
}

/// Moves rows to where they are kept and never read: the table `quarantine` of the same file. Whoever calls it has the
/// store open, so that nobody else writes. Blocks.
///
/// # Errors
/// Where nothing was moved.
pub(super) fn set_aside(path: &Path, keys: &[Key], why: &str) -> Result<(), StoreError> {
    let moved = || {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(path, flags)?;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for Key { partition, sort } in keys {
            transaction.execute(
                "INSERT INTO quarantine (partition, sort, version, format, body, why)
                 SELECT partition, sort, version, format, body, ?3 FROM rows WHERE partition = ?1 AND sort = ?2",
                (partition, sort, why),
            )?;
            transaction.execute("DELETE FROM rows WHERE partition = ?1 AND sort = ?2", (partition, sort))?;
        }
        transaction.commit()
    };
    moved().map_err(|error| unavailable(path, &error))
}
