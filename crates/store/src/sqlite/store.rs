//! The store as its callers see it. Invariant: what waits is bounded by those who wait: a commit is held by its
//! caller until there is room for it. Dropping the store writes and answers all that was accepted.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use async_trait::async_trait;
use branchline_model::{Change, Key, Row, Versioned};
use branchline_ports::{CommitError, Page, Store, StoreError};
use tokio::sync::{mpsc, oneshot};

use super::look;
use super::open::{OpenError, Opened, open};
use super::reader::Readers;
use super::salvage::{Salvaged, salvage};
use super::writer::{Body, Request, Writer};
use crate::commit::{self, Step, Write};
use crate::decode;

/// So many commits wait for the writer at the most.
const WAITING: usize = 1024;

/// A row may be so many bytes of JSON at the most. What is larger belongs among the artifacts.
const LARGEST: usize = 64 << 20;

/// A store in one SQLite file, for one process.
///
/// A commit is answered once it is synced to the disk; commits that wait at the same time share the sync. One that
/// was handed over is carried out even if its caller stops waiting.
pub struct SqliteStore {
    path: PathBuf,
    readers: Readers,
    /// `None` only while it is dropped.
    requests: Option<mpsc::Sender<Request>>,
    writer: Option<JoinHandle<()>>,
    /// Let go of last.
    _lock: File,
}

impl SqliteStore {
    /// Opens the store in this file, making it, its folder and its schema where there is none. Blocks.
    ///
    /// Beside the file lie SQLite's own (`-wal`, `-shm`) and one with `.lock` at its end, which are part of it.
    ///
    /// # Errors
    /// [`OpenError`] says what is in the way and what to do about it.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        let path = path.as_ref().to_owned();
        let Opened { writer: connection, last_version, lock } = open(&path)?;
        let (requests, waiting) = mpsc::channel(WAITING);
        let writer = Writer::new(connection, path.clone(), last_version);
        let thread = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || writer.run(waiting))
            .map_err(|error| OpenError::Unavailable { path: path.clone(), why: error.to_string() })?;
        Ok(Self {
            readers: Readers::new(path.clone()),
            path,
            requests: Some(requests),
            writer: Some(thread),
            _lock: lock,
        })
    }

    /// Saves what can be read of a damaged file into a new one, which takes its place; the damaged one is kept beside it.
    /// Blocks.
    ///
    /// # Errors
    /// Where the store is in use, or the new file cannot be written; everything is then as it was.
    pub fn salvage(path: impl AsRef<Path>) -> Result<Salvaged, OpenError> {
        salvage(path.as_ref())
    }

    /// Moves rows to the quarantine, where they are kept and never read. Blocks.
    ///
    /// # Errors
    /// Where nothing was moved.
    pub fn set_aside(&self, keys: &[Key], why: &str) -> Result<(), StoreError> {
        look::set_aside(&self.path, keys, why)
    }

    fn gone(&self) -> CommitError {
        let why = format!("{}: the thread that writes has ended", self.path.display());
        StoreError::Unavailable { why }.into()
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        self.readers.close();
        // The writer ends when nobody can ask any more and all that was asked is answered.
        self.requests = None;
        if let Some(writer) = self.writer.take() {
            drop(writer.join());
        }
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn read(&self, keys: &[Key]) -> Result<Vec<Option<Versioned<Row>>>, StoreError> {
        self.readers.read(keys).await
    }

    async fn page(&self, page: &Page) -> Result<Vec<Versioned<Row>>, StoreError> {
        self.readers.page(page).await
    }

    async fn commit_if_unchanged(&self, changes: Vec<Change>) -> Result<(), CommitError> {
        let steps = commit::steps(changes)?.into_iter().map(encode).collect::<Result<Vec<_>, _>>()?;
        if steps.is_empty() {
            return Ok(());
        }
        let Some(requests) = &self.requests else { return Err(self.gone()) };
        let (answer, answered) = oneshot::channel();
        requests.send(Request { steps, answer }).await.map_err(|_| self.gone())?;
        answered.await.map_err(|_| self.gone())?
    }
}

fn encode(Step { key, expected, write }: Step<Row>) -> Result<Step<Body>, StoreError> {
    let write = match write {
        Write::Put(row) => match serde_json::to_string(&row) {
            Ok(json) if json.len() <= LARGEST => {
                let checksum = decode::checksum(&key, json.as_bytes());
                Write::Put(Body { json, checksum })
            }
            Ok(json) => {
                let why = format!("it is {} bytes of JSON: {LARGEST} are allowed", json.len());
                return Err(StoreError::Refused { key, why });
            }
            Err(error) => return Err(StoreError::Refused { key, why: format!("its JSON: {error}") }),
        },
        Write::Delete => Write::Delete,
        Write::Nothing => Write::Nothing,
    };
    Ok(Step { key, expected, write })
}
