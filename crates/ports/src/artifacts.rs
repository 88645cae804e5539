//! Where logs are kept. Invariant: bytes that were acknowledged are there, once and in order; each log belongs to
//! one attempt, so a late writer of an older attempt cannot touch a newer one's.

use async_trait::async_trait;
use branchline_model::{AttemptId, LineTime};

/// Why a log could not be written or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArtifactError {
    /// The store failed, is full or cannot be reached: the same may work later.
    #[error("the log of {attempt} is unavailable: {why}")]
    Unavailable {
        /// Whose log.
        attempt: AttemptId,
        /// What failed, and where.
        why: String,
    },
    /// The offset lies beyond what is stored: bytes between are missing. Send from `stored` on.
    #[error("the log of {attempt} has {stored} bytes: cannot append at {offset}")]
    Gap {
        /// Whose log.
        attempt: AttemptId,
        /// How many bytes are stored.
        stored: u64,
        /// Where bytes were to be appended.
        offset: u64,
    },
    /// The log was closed; nothing is appended any more.
    #[error("the log of {attempt} is closed")]
    Closed {
        /// Whose log.
        attempt: AttemptId,
    },
}

/// How much of a log is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogLength {
    /// Bytes.
    pub bytes: u64,
    /// Whether nothing will be appended any more.
    pub closed: bool,
}

/// A part of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogPart {
    /// Where it begins, in bytes from the log's beginning.
    pub offset: u64,
    /// The bytes, as the process wrote them; cut at any byte.
    pub bytes: Vec<u8>,
    /// The times that hold within it; the first entry may lie before `offset`.
    pub times: Vec<LineTime>,
    /// How much of the log was stored when this part was read.
    pub log: LogLength,
}

/// The logs.
///
/// A log that nothing was appended to reads as empty. After a crash of this process, what was acknowledged is there; after
/// a crash of the machine, what was acknowledged before [`Artifacts::close_log`] answered is there.
#[async_trait]
pub trait Artifacts: Send + Sync {
    /// Appends bytes at an offset. What lies below the stored length is already there and is passed over, so that
    /// sending again is harmless. `times` are those of the lines in `bytes`, ascending, none before the log's beginning.
    /// Answers how many bytes are stored then.
    async fn append_log(
        &self,
        attempt: &AttemptId,
        offset: u64,
        bytes: &[u8],
        times: &[LineTime],
    ) -> Result<u64, ArtifactError>;

    /// Makes what is stored durable and says that nothing will follow. Closing twice is closing once.
    async fn close_log(&self, attempt: &AttemptId) -> Result<LogLength, ArtifactError>;

    /// How much is stored.
    async fn log_length(&self, attempt: &AttemptId) -> Result<LogLength, ArtifactError>;

    /// Reads at most `most` bytes from an offset on; fewer, or none, where the log ends before.
    async fn read_log(&self, attempt: &AttemptId, offset: u64, most: usize)
    -> Result<LogPart, ArtifactError>;

    /// Removes a log with all that belongs to it; from then on it reads as empty. Removing one that is not there is no
    /// failure. What a crash leaves of a removal is a log that can be removed again.
    async fn delete_log(&self, attempt: &AttemptId) -> Result<(), ArtifactError>;
}
