//! The one thread that writes, with group commit. Invariant: what was answered with `Ok` is on the disk; of a commit
//! that was not, nothing or all is. A commit sees those before it, also those of its own batch. It never retries what
//! the disk refused: whoever asked decides.

use std::path::{Path, PathBuf};

use branchline_model::{Key, Row, Version};
use branchline_ports::{CommitError, StoreError};
use rusqlite::{CachedStatement, Connection, ErrorCode, OptionalExtension, Transaction, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};

use crate::commit::{self, Step, Write};

/// So many commits are written with one sync at the most.
const BATCH: usize = 256;

/// A row as it is written.
pub(super) struct Body {
    pub(super) json: String,
    pub(super) checksum: u32,
}

/// A commit that waits. Its rows are JSON already: that is done by whoever asks, not by the one writer.
pub(super) struct Request {
    pub(super) steps: Vec<Step<Body>>,
    pub(super) answer: oneshot::Sender<Result<(), CommitError>>,
}

/// What became of each commit of a batch, where the batch as a whole was written.
type Outcomes = Vec<Result<(), CommitError>>;

pub(super) struct Writer {
    connection: Connection,
    path: PathBuf,
    /// The version of the last commit. It only grows, also over a restart, so no row's version is ever repeated.
    last: u64,
}

impl Writer {
    pub(super) fn new(connection: Connection, path: PathBuf, last: u64) -> Self {
        Self { connection, path, last }
    }

    /// Writes until nobody can ask any more and all that was asked is answered.
    pub(super) fn run(mut self, mut requests: mpsc::Receiver<Request>) {
        let mut batch = Vec::with_capacity(BATCH);
        while requests.blocking_recv_many(&mut batch, BATCH) > 0 {
            let outcomes = self.write(&batch);
            for (request, outcome) in batch.drain(..).zip(outcomes) {
                // Whoever asked may have gone; the commit is made all the same.
                drop(request.answer.send(outcome));
            }
        }
    }

    fn write(&mut self, batch: &[Request]) -> Outcomes {
        match self.write_together(batch) {
            Ok(outcomes) => outcomes,
            // One large commit must not take small ones along that still find room, and one that meets a damaged page
            // none that do not.
            Err(error) if batch.len() > 1 && is_of_one(&error) => {
                batch.iter().flat_map(|request| self.write(std::slice::from_ref(request))).collect()
            }
            Err(error) => {
                let error = CommitError::Store(unavailable(&self.path, &error));
                batch.iter().map(|_| Err(error.clone())).collect()
            }
        }
    }

    /// Writes those commits whose conditions hold, with one sync. An error means that nothing was written.
    fn write_together(&mut self, batch: &[Request]) -> rusqlite::Result<Outcomes> {
        let transaction = Transaction::new_unchecked(&self.connection, TransactionBehavior::Immediate)?;
        let mut last = self.last;
        let mut statements = Statements::prepare(&transaction)?;
        let mut outcomes = Vec::with_capacity(batch.len());
        for request in batch {
            let outcome = statements.check_all(&request.steps)?;
            if outcome.is_ok() {
                last += 1;
                statements.write_all(&request.steps, Version(last))?;
            }
            outcomes.push(outcome);
        }
        if last == self.last {
            return Ok(outcomes);
        }
        statements.version.execute([last])?;
        drop(statements);
        transaction.commit()?;
        self.last = last;
        Ok(outcomes)
    }
}

struct Statements<'c> {
    find: CachedStatement<'c>,
    put: CachedStatement<'c>,
    delete: CachedStatement<'c>,
    version: CachedStatement<'c>,
}

impl<'c> Statements<'c> {
    fn prepare(connection: &'c Connection) -> rusqlite::Result<Self> {
        Ok(Self {
            find: connection.prepare_cached("SELECT version FROM rows WHERE partition = ?1 AND sort = ?2")?,
            put: connection.prepare_cached(
                "INSERT INTO rows (partition, sort, version, format, body, checksum) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                 ON CONFLICT (partition, sort) DO UPDATE
                 SET version = excluded.version, format = excluded.format, body = excluded.body, checksum = excluded.checksum",
            )?,
            delete: connection.prepare_cached("DELETE FROM rows WHERE partition = ?1 AND sort = ?2")?,
            version: connection.prepare_cached("UPDATE meta SET value = ?1 WHERE name = 'version'")?,
        })
    }

    /// Whether every condition of a commit holds: asked before any of it is written.
    fn check_all(&mut self, steps: &[Step<Body>]) -> rusqlite::Result<Result<(), CommitError>> {
        for Step { key, expected, .. } in steps {
            let found = self.found(key)?;
            if let Err(conflict) = commit::check(key, *expected, found) {
                return Ok(Err(conflict));
            }
        }
        Ok(Ok(()))
    }

    fn found(&mut self, key: &Key) -> rusqlite::Result<Option<Version>> {
        self.find
            .query_row((&key.partition, &key.sort), |row| {
                row.get(0).map(|version: i64| Version(version.cast_unsigned()))
            })
            .optional()
    }

    fn write_all(&mut self, steps: &[Step<Body>], version: Version) -> rusqlite::Result<()> {
        for Step { key, write, .. } in steps {
            match write {
                Write::Put(Body { json, checksum }) => {
                    let version = version.0.cast_signed();
                    self.put.execute((&key.partition, &key.sort, version, Row::FORMAT, json, checksum))?;
                }
                Write::Delete => {
                    self.delete.execute((&key.partition, &key.sort))?;
                }
                Write::Nothing => {}
            }
        }
        Ok(())
    }
}

/// Whether the error may be that of one commit of a batch.
fn is_of_one(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DiskFull | ErrorCode::DatabaseCorrupt))
}

/// Says what failed, where, and what to do.
pub(super) fn unavailable(path: &Path, error: &rusqlite::Error) -> StoreError {
    let what_next = match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => ": make room on its disk",
        Some(ErrorCode::SystemIoFailure) => ": look at its disk",
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            ": a part of it is damaged; stop this program, then `branchline doctor` says what can be saved"
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => ": another program holds it",
        _ => "",
    };
    StoreError::Unavailable { why: format!("{}: {error}{what_next}", path.display()) }
}
