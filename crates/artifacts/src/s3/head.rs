//! A log's head: what is stored, and where. Invariant: its segments and its tail lie one behind the other, without gap or overlap, from the
//! log's first byte to its last. It is written as one line of JSON, so that a person can read it, and behind that the tail as a piece.

use branchline_model::LineTime;
use branchline_ports::LogLength;
use serde::{Deserialize, Serialize};

use super::codec::{self, Seal};
use super::piece::Piece;

/// The format that heads are written in.
const FORMAT: u32 = 1;

/// A tail that has grown so long becomes a chunk. A larger one is written again with each append, a smaller one makes more requests.
const LONG_TAIL: usize = 1 << 20;

/// No chunk is longer, so that whoever reads one byte reads no more than this.
const LONGEST_CHUNK: usize = 4 << 20;

/// How far a log is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Phase {
    /// It may be appended to.
    Open,
    /// Nothing is appended any more; it is about to be compressed.
    Sealed,
    /// It is whole and compressed.
    Closed,
}

/// Where a segment's bytes are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Source {
    /// In a chunk of its own.
    Chunk(Seal),
    /// In the compressed object, so many bytes of it; members lie there one behind the other.
    Member {
        /// How long it is, compressed.
        length: u64,
    },
    /// Nowhere: what held them was damaged before it was compressed.
    Lost {
        /// What was wrong.
        why: String,
    },
}

/// Some bytes of a log that are kept, and read, together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Segment {
    pub(super) bytes: u64,
    pub(super) newlines: u64,
    #[serde(flatten)]
    pub(super) source: Source,
}

/// A log, as far as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) phase: Phase,
    pub(super) segments: Vec<Segment>,
    /// The newest bytes.
    pub(super) tail: Piece,
}

/// The line of JSON.
#[derive(Serialize, Deserialize)]
struct Line {
    format: u32,
    phase: Phase,
    segments: Vec<Segment>,
    tail: u64,
    #[serde(flatten)]
    seal: Seal,
}

impl Head {
    /// The head of a log that nothing was appended to.
    pub(super) fn new(phase: Phase) -> Self {
        Self { phase, segments: Vec::new(), tail: Piece::default() }
    }

    /// How many bytes are stored.
    pub(super) fn stored(&self) -> u64 {
        self.tail.end()
    }

    pub(super) fn length(&self) -> LogLength {
        LogLength { bytes: self.stored(), closed: self.phase == Phase::Closed }
    }

    /// This head with more behind its end; `bytes` begin there. And the chunks that must be stored before it.
    pub(super) fn with(&self, bytes: &[u8], times: &[LineTime]) -> (Self, Vec<(Segment, Piece)>) {
        let mut next = self.clone();
        next.tail.push(bytes, times.iter().copied());
        let mut chunks = Vec::new();
        if next.tail.bytes.len() < LONG_TAIL {
            return (next, chunks);
        }
        while !next.tail.bytes.is_empty() {
            let behind = next.tail.split_off(LONGEST_CHUNK);
            let chunk = std::mem::replace(&mut next.tail, behind);
            let (_, seal) = codec::encode(&chunk);
            let segment = Segment {
                bytes: chunk.bytes.len() as u64,
                newlines: chunk.newlines(),
                source: Source::Chunk(seal),
            };
            next.segments.push(segment.clone());
            chunks.push((segment, chunk));
        }
        (next, chunks)
    }

    pub(super) fn encode(&self) -> Result<Vec<u8>, String> {
        let (tail, seal) = codec::encode(&self.tail);
        let line = Line {
            format: FORMAT,
            phase: self.phase,
            segments: self.segments.clone(),
            tail: self.tail.bytes.len() as u64,
            seal,
        };
        let mut written = serde_json::to_vec(&line).map_err(|error| error.to_string())?;
        written.push(b'\n');
        written.extend_from_slice(&tail);
        Ok(written)
    }

    pub(super) fn decode(written: &[u8]) -> Result<Self, String> {
        let end = written.iter().position(|byte| *byte == b'\n').ok_or("its first line has no end")?;
        let (line, tail) = written.split_at(end);
        let line: Line = serde_json::from_slice(line).map_err(|error| error.to_string())?;
        if line.format != FORMAT {
            return Err(format!("its format is {}, this program reads {FORMAT}", line.format));
        }
        let offset = line.segments.iter().map(|segment| segment.bytes).sum();
        let tail = tail.get(1..).unwrap_or_default().to_vec();
        let tail = codec::decode(tail, offset, line.tail, line.seal)?;
        Ok(Self { phase: line.phase, segments: line.segments, tail })
    }
}

#[cfg(test)]
mod tests {
    use branchline_model::Timestamp;

    use super::*;

    #[test]
    fn a_head_reads_as_it_was_written_and_a_person_can_read_it() {
        let (head, chunks) = Head::new(Phase::Open).with(&vec![b'\n'; LONGEST_CHUNK + 5], &[]);
        assert_eq!(chunks.len(), 2);
        let (head, chunks) = head.with(b"one\ntwo", &[LineTime { offset: 4_194_309, at: Timestamp(7) }]);
        assert_eq!(chunks.len(), 0);
        let written = head.encode().unwrap();
        assert_eq!(Head::decode(&written).unwrap(), head);
        let line = String::from_utf8_lossy(&written);
        let line = line.lines().next().unwrap();
        assert!(
            line.starts_with(
                r#"{"format":1,"phase":"open","segments":[{"bytes":4194304,"newlines":4194304,"chunk":{"#
            ),
            "{line}"
        );
    }

    #[test]
    fn what_is_not_a_whole_head_is_refused() {
        let (head, _) = Head::new(Phase::Open).with(b"one\ntwo", &[]);
        let written = head.encode().unwrap();
        for length in 0..written.len() {
            assert!(Head::decode(&written[..length]).is_err(), "{length} bytes of it");
        }
        let mut garbled = written;
        *garbled.last_mut().unwrap() ^= 1;
        assert_eq!(Head::decode(&garbled), Err("its checksum is wrong".to_owned()));
    }
}
