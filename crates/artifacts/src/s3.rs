//! Logs and objects in a bucket of S3.
//!
//! A log is one small object, its *head*, and what the head names. The head says which bytes are stored and where: in chunks,
//! in the head itself (the newest bytes), or, once the log is closed, in the members of one compressed object. Nothing exists
//! but what the head names.
//!
//! **Why bytes are there once and in order, whoever writes.** The head is only ever written on the condition that it is still
//! the one that was read (`If-None-Match: *` for the first, `If-Match` after that), so all heads of a log form one line, each
//! made from the one before, and appending is: take the head, add what lies behind its end, put it. Two writers with the same
//! head, be they in one process or in two, cut alike or not: one is answered, the other is refused, reads again, and finds
//! its bytes there or adds only what is new. What a process remembers of a head is therefore only a guess that saves a request: a wrong one
//! is refused by S3. The answer to an append is given after the head that names its bytes is stored, and S3 reads
//! what it acknowledged.
//!
//! **Why closing is once.** A head that says `sealed` takes no more bytes. Only then is the compressed object made (written once,
//! `If-None-Match: *`), only when it is complete does a head name it, and only then are the chunks removed. Whoever dies in between leaves a sealed
//! log that reads as before, and the next to close goes on from there. A compressed object that is there already was made by
//! another: its index is read from itself, not assumed.
//!
//! Who may read what, and when a log is removed, is not known here.

mod bucket;
mod cache;
mod close;
mod codec;
mod head;
mod heads;
mod keys;
mod log;
mod member;
mod objects;
mod piece;
mod sign;
mod upload;

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_s3::Client;
use branchline_model::{AttemptId, LineTime};
use branchline_ports::{Appends, ArtifactError, Artifacts, LineStart, LogLength, LogPart, Objects, Place};

use bucket::Bucket;
use cache::Cache;
use heads::Heads;

/// So many bytes of pieces of logs are remembered.
const REMEMBERED: usize = 8 << 20;

/// So many logs' heads are remembered.
const HEADS: usize = 256;

/// Logs and objects in one bucket, under one prefix. Any number of processes may work with it at the same time. Cheap to clone.
#[derive(Debug, Clone)]
pub struct S3Artifacts {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    bucket: Bucket,
    heads: Heads,
    pieces: Cache,
}

impl S3Artifacts {
    /// Works with the objects whose keys begin with `prefix`, which is empty or ends with `/`. Asks nothing of the bucket.
    #[must_use]
    pub fn new(client: Client, bucket: impl Into<String>, prefix: impl Into<String>) -> Self {
        let bucket = Bucket::new(client, bucket.into(), prefix.into());
        Self { shared: Arc::new(Shared { bucket, heads: Heads::new(HEADS), pieces: Cache::new(REMEMBERED) }) }
    }
}

#[async_trait]
impl Artifacts for S3Artifacts {
    async fn append_log(
        &self,
        attempt: &AttemptId,
        offset: u64,
        bytes: &[u8],
        times: &[LineTime],
    ) -> Result<u64, ArtifactError> {
        self.shared.append(attempt, offset, bytes, times).await
    }

    async fn close_log(&self, attempt: &AttemptId) -> Result<LogLength, ArtifactError> {
        self.shared.close(attempt).await
    }

    async fn log_length(&self, attempt: &AttemptId) -> Result<LogLength, ArtifactError> {
        Ok(self.shared.current(attempt).await?.head.length())
    }

    async fn read_log(
        &self,
        attempt: &AttemptId,
        offset: u64,
        most: usize,
    ) -> Result<LogPart, ArtifactError> {
        self.shared.read(attempt, offset, most).await
    }

    async fn delete_log(&self, attempt: &AttemptId) -> Result<(), ArtifactError> {
        self.shared.remove(attempt).await
    }

    fn appends(&self) -> Appends {
        Appends::Priced
    }

    fn objects(&self) -> Option<&dyn Objects> {
        Some(self)
    }

    async fn find_line(&self, attempt: &AttemptId, place: Place) -> Result<LineStart, ArtifactError> {
        self.shared.find_line(attempt, place).await
    }
}
