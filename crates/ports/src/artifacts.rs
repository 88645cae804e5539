//! Where logs are kept. Invariant: bytes that were acknowledged are there, once and in order; each log belongs to
//! one attempt, so a late writer of an older attempt cannot touch a newer one's.

use async_trait::async_trait;
use branchline_model::{AttemptId, LineTime};

use crate::Objects;

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
    /// What was stored is missing or is not what was stored. The harm is within these bytes: what lies before `offset`
    /// and from `until` on can still be read.
    #[error("the log of {attempt} is damaged from byte {offset} to byte {until}: {why}")]
    Damaged {
        /// Whose log.
        attempt: AttemptId,
        /// Where the damage begins, or where reading it was begun, in bytes.
        offset: u64,
        /// Where reading may go on, in bytes, always beyond `offset`; `u64::MAX` where all of it is damaged.
        until: u64,
        /// Which object or file, and what is wrong with it.
        why: String,
    },
}

/// What an append costs, and so how its sender should cut the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appends {
    /// Nothing: send bytes as they come.
    Free,
    /// A request that somebody pays for: gather bytes while nobody watches.
    Priced,
}

/// A place in a log whose line is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The line with this number, from 1.
    Line(u64),
    /// The line that the byte at this offset belongs to.
    Offset(u64),
}

/// Where a line begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineStart {
    /// Its number, from 1.
    pub number: u64,
    /// The offset of its first byte.
    pub offset: u64,
}

impl LineStart {
    /// The beginning of every log.
    pub const FIRST: Self = Self { number: 1, offset: 0 };

    /// Goes on through bytes that begin at `at`, up to the line that is looked for; answers whether it was reached.
    pub fn advance(&mut self, place: Place, at: u64, bytes: &[u8]) -> bool {
        let reached = |line: &Self, next: u64| match place {
            Place::Line(number) => line.number >= number,
            Place::Offset(offset) => next > offset,
        };
        let ends = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
        for next in ends.map(|(index, _)| at + index as u64 + 1) {
            if reached(self, next) {
                return true;
            }
            *self = Self { number: self.number + 1, offset: next };
        }
        reached(self, at + bytes.len() as u64)
    }
}

/// So much of a log is in memory while it is gone through.
const PART: usize = 256 << 10;

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

    /// Reads at most `most` bytes from an offset on; fewer, or none, where the log ends before, and fewer where damage
    /// begins before.
    async fn read_log(&self, attempt: &AttemptId, offset: u64, most: usize)
    -> Result<LogPart, ArtifactError>;

    /// Removes a log with all that belongs to it; from then on it reads as empty. Removing one that is not there is no
    /// failure. What a crash leaves of a removal is a log that can be removed again.
    async fn delete_log(&self, attempt: &AttemptId) -> Result<(), ArtifactError>;

    /// What an append costs here.
    fn appends(&self) -> Appends;

    /// The objects that are kept here beside logs; `None` where there are logs only.
    fn objects(&self) -> Option<&dyn Objects> {
        None
    }

    /// Where a line begins. A line is what ends with a newline, and what comes after the last one, be it empty. Beyond the end
    /// it is the last line.
    ///
    /// This way reads the log up to there; one that keeps an index of lines does better.
    async fn find_line(&self, attempt: &AttemptId, place: Place) -> Result<LineStart, ArtifactError> {
        let (mut line, mut read) = (LineStart::FIRST, 0);
        loop {
            let part = self.read_log(attempt, read, PART).await?;
            if part.bytes.is_empty() || line.advance(place, read, &part.bytes) {
                return Ok(line);
            }
            read += part.bytes.len() as u64;
        }
    }

    /// Reads the whole log and answers what is damaged, each damage once; none where all of it is as it was stored.
    ///
    /// # Errors
    /// Where it cannot be said now.
    async fn verify_log(&self, attempt: &AttemptId) -> Result<Vec<ArtifactError>, ArtifactError> {
        let (mut damages, mut read) = (Vec::new(), 0);
        loop {
            match self.read_log(attempt, read, PART).await {
                Ok(part) if part.bytes.is_empty() => return Ok(damages),
                Ok(part) => read += part.bytes.len() as u64,
                Err(ArtifactError::Damaged { attempt, offset, until, why }) => {
                    damages.push(ArtifactError::Damaged { attempt, offset, until, why });
                    if until <= read || until == u64::MAX {
                        return Ok(damages);
                    }
                    read = until;
                }
                Err(error) => return Err(error),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(log: &[u8], cut: usize, place: Place) -> (u64, u64) {
        let mut line = LineStart::FIRST;
        for (index, part) in log.chunks(cut).enumerate() {
            if line.advance(place, (index * cut) as u64, part) {
                break;
            }
        }
        (line.number, line.offset)
    }

    #[test]
    fn a_line_is_found_by_its_number_and_by_any_of_its_bytes() {
        for cut in 1..12 {
            let log = b"one\n\nthree\nend";
            for (number, offset) in [(1, 0), (2, 4), (3, 5), (4, 11), (9, 11)] {
                assert_eq!(find(log, cut, Place::Line(number)), (number.min(4), offset), "cut at {cut}");
            }
            let numbers: Vec<u64> = (0..15).map(|at| find(log, cut, Place::Offset(at)).0).collect();
            assert_eq!(numbers, [1, 1, 1, 1, 2, 3, 3, 3, 3, 3, 3, 4, 4, 4, 4], "cut at {cut}");
            assert_eq!(find(b"end\n", cut, Place::Line(7)), (2, 4));
        }
    }
}
