//! How a piece is written into a chunk and into a head: its bytes as they are, then its times, 16 bytes each, the offset
//! and the milliseconds, both little-endian. Invariant: what is decoded is what was encoded, or it is said that it is not:
//! lengths and checksum stand in the head, apart from what they speak for.

use branchline_model::{LineTime, Timestamp};
use flate2::Crc;

use super::piece::Piece;

const TIME: usize = 16;

/// What says that a piece is as it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Seal {
    /// How many times follow the bytes.
    pub(super) times: u64,
    /// The CRC-32 of all that was written.
    pub(super) crc: u32,
}

pub(super) fn crc(bytes: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum()
}

/// Writes a piece.
pub(super) fn encode(piece: &Piece) -> (Vec<u8>, Seal) {
    let mut written = Vec::with_capacity(piece.bytes.len() + piece.times.len() * TIME);
    written.extend_from_slice(&piece.bytes);
    for time in &piece.times {
        written.extend_from_slice(&time.offset.to_le_bytes());
        written.extend_from_slice(&time.at.0.to_le_bytes());
    }
    let seal = Seal { times: piece.times.len() as u64, crc: crc(&written) };
    (written, seal)
}

/// Reads a piece of so many bytes that begins at an offset.
pub(super) fn decode(mut written: Vec<u8>, offset: u64, bytes: u64, seal: Seal) -> Result<Piece, String> {
    let there = written.len() as u64;
    let expected = bytes + seal.times * TIME as u64;
    if there != expected {
        return Err(format!("it has {there} bytes instead of {expected}"));
    }
    if crc(&written) != seal.crc {
        return Err("its checksum is wrong".to_owned());
    }
    let times = written.split_off(usize::try_from(bytes).unwrap_or(usize::MAX));
    let (times, _) = times.as_chunks::<TIME>();
    let times = times.iter().map(|entry| {
        let number = u128::from_le_bytes(*entry);
        LineTime { offset: number as u64, at: Timestamp((number >> 64) as i64) }
    });
    Ok(Piece { offset, bytes: written, times: times.collect() })
}
