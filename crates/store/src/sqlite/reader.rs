//! The connections that read. Invariant: a read sees one state of the store, the newest committed one, and never waits
//! for the writer. There are at most [`CONNECTIONS`]; who comes when all are in use waits for the next.
//!
//! A small read is done where it is asked for: it takes some microseconds, less than handing it to another thread (the
//! benchmark shows both). A large one goes to a thread that may block.

use std::ops::Bound;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use branchline_model::{Key, Row, Version, Versioned};
use branchline_ports::{Order, Page, StoreError};
use rusqlite::types::{Value, ValueRef};
use rusqlite::{CachedStatement, Connection, params_from_iter};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::open::open_reader;
use super::writer::unavailable;
use crate::decode;
use crate::range::{self, SortRange};

/// So many reads at once.
const CONNECTIONS: usize = 8;

/// Up to so many rows are read where they are asked for.
const SMALL: usize = 32;

/// The readers of a store.
pub(super) struct Readers {
    shared: Arc<Shared>,
    permits: Arc<Semaphore>,
}

struct Shared {
    path: PathBuf,
    /// Those that nobody uses now; made when they are first needed.
    idle: Mutex<Vec<Connection>>,
}

impl Readers {
    pub(super) fn new(path: PathBuf) -> Self {
        let shared = Shared { path, idle: Mutex::default() };
        Self { shared: Arc::new(shared), permits: Arc::new(Semaphore::new(CONNECTIONS)) }
    }

    pub(super) async fn read(&self, keys: &[Key]) -> Result<Vec<Option<Versioned<Row>>>, StoreError> {
        if keys.len() <= SMALL {
            let _permit = self.permit().await?;
            return self.shared.with_connection(|connection| read(connection, keys));
        }
        let keys = keys.to_vec();
        self.aside(move |connection| read(connection, &keys)).await
    }

    pub(super) async fn page(&self, page: &Page) -> Result<Vec<Versioned<Row>>, StoreError> {
        let Some(range) = range::of(page) else { return Ok(Vec::new()) };
        if page.limit <= SMALL {
            let _permit = self.permit().await?;
            return self.shared.with_connection(|connection| read_page(connection, page, range));
        }
        let page = page.clone();
        self.aside(move |connection| read_page(connection, &page, range)).await
    }

    /// Ends the connections, so that the writer's is the last: that one folds the log into the store.
    pub(super) fn close(&self) {
        self.permits.close();
        self.shared.idle().clear();
    }

    /// Reads in a thread that may block.
    async fn aside<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let permit = self.permit().await?;
        let shared = Arc::clone(&self.shared);
        let thread = tokio::task::spawn_blocking(move || {
            let outcome = shared.with_connection(read);
            drop(permit);
            outcome
        });
        let cut_off = |error| self.shared.unavailable(&format!("a read was cut off: {error}"));
        thread.await.map_err(cut_off)?
    }

    async fn permit(&self) -> Result<OwnedSemaphorePermit, StoreError> {
        let permit = Arc::clone(&self.permits).acquire_owned().await;
        permit.map_err(|_| self.shared.unavailable("the store is closed"))
    }
}

impl Shared {
    /// Reads with a connection that nobody else uses; whoever calls has a permit for it.
    fn with_connection<T>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let idle = self.idle().pop();
        let connection = match idle {
            Some(connection) => Ok(connection),
            None => open_reader(&self.path),
        };
        let connection = connection.map_err(|error| unavailable(&self.path, &error))?;
        let outcome = read(&connection);
        // One that failed may be stuck in what failed: the next read makes a new one.
        if outcome.is_ok() {
            self.idle().push(connection);
        }
        outcome.map_err(|error| unavailable(&self.path, &error))
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn unavailable(&self, why: &str) -> StoreError {
        StoreError::Unavailable { why: format!("{}: {why}", self.path.display()) }
    }
}

fn read(connection: &Connection, keys: &[Key]) -> rusqlite::Result<Vec<Option<Versioned<Row>>>> {
    // One statement sees one state; several need a transaction for that. (A connection whose transaction an error left open
    // is used no more.)
    let is_one = keys.len() == 1;
    if !is_one {
        connection.prepare_cached("BEGIN")?.execute([])?;
    }
    let mut statement = connection.prepare_cached(
        "SELECT version, format, body, checksum FROM rows WHERE partition = ?1 AND sort = ?2",
    )?;
    let found = keys.iter().map(|key| {
        let mut rows = statement.query((&key.partition, &key.sort))?;
        rows.next()?.map(|row| decode(row, key.clone())).transpose()
    });
    let found = found.collect::<rusqlite::Result<_>>()?;
    if !is_one {
        connection.prepare_cached("COMMIT")?.execute([])?;
    }
    Ok(found)
}

fn read_page(
    connection: &Connection,
    page: &Page,
    range: SortRange,
) -> rusqlite::Result<Vec<Versioned<Row>>> {
    let (mut statement, values) = select(connection, page, range)?;
    let mut rows = statement.query(params_from_iter(values))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let key = Key::new(page.partition.clone(), text(row.get_ref("sort")?));
        found.push(decode(row, key)?);
    }
    Ok(found)
}

/// The statement that reads a range, one of few, and what it is to be filled with.
fn select<'c>(
    connection: &'c Connection,
    page: &Page,
    (lower, upper): SortRange,
) -> rusqlite::Result<(CachedStatement<'c>, Vec<Value>)> {
    let limit = i64::try_from(page.limit).unwrap_or(i64::MAX);
    let mut values = vec![Value::Text(page.partition.clone()), Value::Integer(limit)];
    let lower = match lower {
        Bound::Included(sort) => bounded(&mut values, sort, "AND sort >= ?3"),
        Bound::Excluded(sort) => bounded(&mut values, sort, "AND sort > ?3"),
        Bound::Unbounded => bounded(&mut values, String::new(), "AND sort >= ?3"),
    };
    let upper = match upper {
        Bound::Included(sort) => bounded(&mut values, sort, "AND sort <= ?4"),
        Bound::Excluded(sort) => bounded(&mut values, sort, "AND sort < ?4"),
        Bound::Unbounded => "",
    };
    let order = match page.order {
        Order::Ascending => "ASC",
        Order::Descending => "DESC",
    };
    let statement = connection.prepare_cached(&format!(
        "SELECT version, format, body, checksum, sort FROM rows WHERE partition = ?1 {lower} {upper} ORDER BY sort {order} LIMIT ?2"
    ))?;
    Ok((statement, values))
}

fn bounded(values: &mut Vec<Value>, sort: String, condition: &'static str) -> &'static str {
    values.push(Value::Text(sort));
    condition
}

/// A key's part, also where it is damaged: then it is no row's own.
pub(super) fn text(value: ValueRef<'_>) -> String {
    value.as_bytes().map(|bytes| String::from_utf8_lossy(bytes).into_owned()).unwrap_or_default()
}

/// Makes a row of its version, format, body and checksum, whatever is in their places.
pub(super) fn decode(row: &rusqlite::Row<'_>, key: Key) -> rusqlite::Result<Versioned<Row>> {
    let (version, format, body, checksum) =
        (row.get_ref(0)?, row.get_ref(1)?, row.get_ref(2)?, row.get_ref(3)?);
    let value = match (format.as_i64(), body.as_bytes(), checksum.as_i64_or_null()) {
        (Ok(format), Ok(body), Ok(checksum)) => decode::row(key, format, body, checksum),
        (Err(error), ..) | (_, Err(error), _) | (.., Err(error)) => {
            decode::unreadable(key, error.to_string())
        }
    };
    Ok(Versioned { value, version: Version(version.as_i64().unwrap_or_default().cast_unsigned()) })
}
