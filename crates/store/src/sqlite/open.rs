//! Opening the file. Invariant: a store that is open is this program's, of a schema this program knows, on a WAL that
//! is synced before a commit is answered, and no other process has it open. It never changes a file that it refuses.

use std::ffi::OsString;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

/// Says in the file's header whose file it is: `Brnl` (<https://sqlite.org/pragma.html#pragma_application_id>).
const APPLICATION_ID: i32 = i32::from_be_bytes(*b"Brnl");

/// The schema, by number: the first entry makes number 1 of nothing, the second number 2 of number 1, and so on. An
/// entry that was released is never changed.
const MIGRATIONS: &[&str] = &[
    "
    CREATE TABLE meta (
        name TEXT NOT NULL PRIMARY KEY,
        value INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    INSERT INTO meta (name, value) VALUES ('schema', 0), ('version', 0);
    CREATE TABLE rows (
        partition TEXT NOT NULL,
        sort TEXT NOT NULL,
        version INTEGER NOT NULL,
        format INTEGER NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (partition, sort)
    ) STRICT, WITHOUT ROWID;
",
    "
    ALTER TABLE rows ADD COLUMN checksum INTEGER;
    CREATE TABLE quarantine (
        partition ANY,
        sort ANY,
        version ANY,
        format ANY,
        body ANY,
        why TEXT NOT NULL,
        moved_at TEXT NOT NULL DEFAULT (datetime())
    ) STRICT;
",
];

/// The pages of a new file, in bytes. Rows are long, and kept in the tree of their keys: with pages of 4 KiB it is half as deep
/// again.
pub(super) const PAGE: usize = 8_192;

/// So many statements a connection keeps prepared.
const STATEMENTS: usize = 32;

/// How long a statement waits for a lock that another program holds, such as a backup.
const BUSY: Duration = Duration::from_secs(5);

/// Why a store was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it open.
    #[error(
        "the store {} is in use{}: end that process, or choose another data folder",
        .path.display(),
        .by.map(|process| format!(" by process {process}")).unwrap_or_default()
    )]
    InUse {
        /// The store's file.
        path: PathBuf,
        /// The id of the process that holds it, where it said so.
        by: Option<u32>,
    },
    /// A newer program has written it.
    #[error(
        "the store {} has schema {found}, and this program knows schemas up to {known}: use the newer program that wrote it",
        .path.display()
    )]
    Newer {
        /// The store's file.
        path: PathBuf,
        /// The number of its schema.
        found: i64,
        /// The largest number that is known here.
        known: i64,
    },
    /// The file is something else. It was left as it is.
    #[error("{} is not a store of this program: {why}; move it away, or choose another data folder", .path.display())]
    NotAStore {
        /// The file.
        path: PathBuf,
        /// What says so.
        why: String,
    },
    /// The file is a store of this program, and damaged. It was left as it is.
    #[error(
        "the store {} is damaged: {why}; `branchline doctor --data {}` says what can be saved, and `--repair` saves it",
        .path.display(),
        .path.parent().unwrap_or(.path).display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The disk or the file failed: the same may work later.
    #[error("the store {} cannot be opened: {why}", .path.display())]
    Unavailable {
        /// The file that failed.
        path: PathBuf,
        /// What failed.
        why: String,
    },
}

/// A store's file, open for writing.
pub(super) struct Opened {
    pub(super) writer: Connection,
    /// The version of the last commit.
    pub(super) last_version: u64,
    /// Held as long as the store is open.
    pub(super) lock: File,
}

/// Opens the file, making it and its folder where there is none.
pub(super) fn open(path: &Path) -> Result<Opened, OpenError> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|error| unavailable(folder, &error))?;
    }
    let lock = take_lock(path)?;
    let explain = |error| explain(path, &error);
    let mut writer = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )
    .map_err(explain)?;
    writer.busy_timeout(BUSY).map_err(explain)?;
    let fresh = recognise(&writer, path)?;
    if fresh {
        writer.pragma_update(None, "page_size", PAGE).map_err(explain)?;
    }
    let mode: String =
        writer.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0)).map_err(explain)?;
    if mode != "wal" {
        let why = format!("its file system has no write-ahead log (journal mode `{mode}`): use a local disk");
        return Err(OpenError::Unavailable { path: path.to_owned(), why });
    }
    writer.pragma_update(None, "synchronous", "full").map_err(explain)?;
    // Some 32 MiB: what is folded in later is written once for several commits.
    writer.pragma_update(None, "wal_autocheckpoint", 4_000).map_err(explain)?;
    // What the log may keep of the disk after a burst.
    writer.pragma_update(None, "journal_size_limit", 64_i64 << 20).map_err(explain)?;
    migrate(&mut writer, path, fresh)?;
    let last_version = writer
        .query_row("SELECT value FROM meta WHERE name = 'version'", [], |row| row.get(0))
        .map_err(explain)?;
    Ok(Opened { writer, last_version, lock })
}

/// Opens the file once more, for reading only.
pub(super) fn open_reader(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let reader = Connection::open_with_flags(path, flags)?;
    reader.busy_timeout(BUSY)?;
    // There are 18 ways to bound a range, and none is to be parsed twice.
    reader.set_prepared_statement_cache_capacity(STATEMENTS);
    // A damaged page is said to be damaged, before its cells are taken for rows.
    reader.pragma_update(None, "cell_size_check", true)?;
    Ok(reader)
}

/// Locks the store for this process, by flock(2) on a file beside it: the kernel lets go of it when the process ends,
/// however it ends. (SQLite's own locks come and go with each transaction.)
pub(super) fn take_lock(path: &Path) -> Result<File, OpenError> {
    let mut name = OsString::from(path);
    name.push(".lock");
    let beside = PathBuf::from(name);
    let mut lock = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&beside)
        .map_err(|error| unavailable(&beside, &error))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            let by = lock.read_to_string(&mut text).ok().and_then(|_| text.trim().parse().ok());
            return Err(OpenError::InUse { path: path.to_owned(), by });
        }
        Err(TryLockError::Error(error)) => return Err(unavailable(&beside, &error)),
    }
    let noted = lock.set_len(0).and_then(|()| lock.rewind());
    // The number is only there to be shown; a full disk does not stand in the way.
    drop(noted.and_then(|()| writeln!(lock, "{}", std::process::id())));
    Ok(lock)
}

/// Whether the file is new; refused where it is something else. Only reads.
fn recognise(writer: &Connection, path: &Path) -> Result<bool, OpenError> {
    let explain = |error| explain(path, &error);
    let id: i32 = writer.pragma_query_value(None, "application_id", |row| row.get(0)).map_err(explain)?;
    if id == APPLICATION_ID {
        return Ok(false);
    }
    let tables: i64 =
        writer.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(explain)?;
    if id == 0 && tables == 0 {
        return Ok(true);
    }
    let why =
        format!("it is a database of another program (application id {id}, {tables} tables and indexes)");
    Err(OpenError::NotAStore { path: path.to_owned(), why })
}

/// Brings the schema to the newest number, in one transaction.
pub(super) fn migrate(writer: &mut Connection, path: &Path, fresh: bool) -> Result<(), OpenError> {
    let explain = |error| explain(path, &error);
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate).map_err(explain)?;
    let found: i64 = if fresh {
        0
    } else {
        transaction
            .query_row("SELECT value FROM meta WHERE name = 'schema'", [], |row| row.get(0))
            .map_err(explain)?
    };
    if found > known {
        return Err(OpenError::Newer { path: path.to_owned(), found, known });
    }
    if found == known {
        return Ok(());
    }
    for migration in MIGRATIONS.iter().skip(usize::try_from(found).unwrap_or(0)) {
        transaction.execute_batch(migration).map_err(explain)?;
    }
    transaction.execute("UPDATE meta SET value = ?1 WHERE name = 'schema'", [known]).map_err(explain)?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID).map_err(explain)?;
    transaction.commit().map_err(explain)
}

fn unavailable(path: &Path, error: &io::Error) -> OpenError {
    OpenError::Unavailable { path: path.to_owned(), why: error.to_string() }
}

fn explain(path: &Path, error: &rusqlite::Error) -> OpenError {
    let why = error.to_string();
    let path = path.to_owned();
    match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::NotADatabase) if is_torn(&path) => {
            OpenError::Damaged { path, why: "its beginning is lost".to_owned() }
        }
        Some(rusqlite::ErrorCode::NotADatabase) => OpenError::NotAStore { path, why },
        Some(rusqlite::ErrorCode::DatabaseCorrupt) => OpenError::Damaged { path, why },
        _ => OpenError::Unavailable { path, why },
    }
}

/// Whether a file that SQLite does not know is a store whose beginning was damaged: it is zeros, as a file system leaves it after
/// a crash of the machine, or the program's id still stands in it.
fn is_torn(path: &Path) -> bool {
    let mut header = [0; 72];
    let read = File::open(path).and_then(|mut file| file.read(&mut header)).unwrap_or_default();
    read == header.len() && (header[..16] == [0; 16] || header[68..] == APPLICATION_ID.to_be_bytes())
}
