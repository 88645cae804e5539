//! The compressed log: gzip members one behind the other, so that the whole is a plain `.gz` (RFC 1952) that any tool unpacks, and
//! each can be unpacked without the others. The times of a member's lines stand before it, in extra fields of members that unpack to
//! nothing. Invariant: what is unpacked passes gzip's own checksum.

use std::io::{self, Read, Write};

use branchline_model::{LineTime, Timestamp};
use flate2::bufread::{DeflateDecoder, GzDecoder};
use flate2::write::DeflateEncoder;
use flate2::{Compression, GzBuilder};

use super::piece::Piece;

/// So many bytes of a log are compressed together: few enough to be read at once, enough to compress well.
pub(super) const MEMBER: usize = 1 << 20;

/// The names of an extra field's subfield, and how much one can hold beside its own four bytes.
const SUBFIELD: [u8; 2] = *b"BL";
const LONGEST_EXTRA: usize = u16::MAX as usize - 4;

/// Compresses a piece.
pub(super) fn pack(piece: &Piece) -> io::Result<Vec<u8>> {
    let mut packed = Vec::with_capacity(piece.bytes.len() / 4 + 64);
    if !piece.times.is_empty() {
        for part in pack_times(piece)?.chunks(LONGEST_EXTRA) {
            let mut extra = SUBFIELD.to_vec();
            extra.extend_from_slice(&(part.len() as u16).to_le_bytes());
            extra.extend_from_slice(part);
            GzBuilder::new().extra(extra).write(&mut packed, Compression::none()).finish()?;
        }
    }
    let mut member = GzBuilder::new().write(&mut packed, Compression::default());
    member.write_all(&piece.bytes)?;
    member.finish()?;
    Ok(packed)
}

/// Unpacks the member, with its times, that some bytes begin with; answers the bytes behind it too.
pub(super) fn unpack(packed: &[u8], offset: u64) -> io::Result<(Piece, &[u8])> {
    let (mut rest, mut times) = (packed, Vec::new());
    loop {
        let mut member = GzDecoder::new(rest);
        let mut bytes = Vec::new();
        member.read_to_end(&mut bytes)?;
        if let Some(extra) = member.header().and_then(|header| header.extra()) {
            times.extend_from_slice(extra.get(4..).unwrap_or_default());
        }
        rest = member.into_inner();
        if !bytes.is_empty() {
            // A convenience: where it is garbled, times are missing, and bytes are not.
            let times = unpack_times(&times, offset).unwrap_or_default();
            return Ok((Piece { offset, bytes, times }, rest));
        }
    }
}

/// Times as differences from the one before, each zigzagged and in groups of seven bits, deflated.
fn pack_times(piece: &Piece) -> io::Result<Vec<u8>> {
    let mut packed = DeflateEncoder::new(Vec::new(), Compression::default());
    let (mut offset, mut at) = (piece.offset as i64, 0);
    for time in &piece.times {
        put_number(&mut packed, (time.offset as i64).wrapping_sub(offset))?;
        put_number(&mut packed, time.at.0.wrapping_sub(at))?;
        (offset, at) = (time.offset as i64, time.at.0);
    }
    packed.finish()
}

fn unpack_times(packed: &[u8], offset: u64) -> io::Result<Vec<LineTime>> {
    let mut unpacked = Vec::new();
    if !packed.is_empty() {
        DeflateDecoder::new(packed).read_to_end(&mut unpacked)?;
    }
    let (mut offset, mut at) = (offset as i64, 0_i64);
    let (mut times, mut rest) = (Vec::new(), unpacked.as_slice());
    while let Some(step) = take_number(&mut rest) {
        let Some(later) = take_number(&mut rest) else { break };
        (offset, at) = (offset.wrapping_add(step), at.wrapping_add(later));
        times.push(LineTime { offset: offset as u64, at: Timestamp(at) });
    }
    Ok(times)
}

fn put_number(packed: &mut impl Write, number: i64) -> io::Result<()> {
    let mut rest = (number.wrapping_shl(1) ^ (number >> 63)) as u64;
    while rest >= 0x80 {
        packed.write_all(&[rest as u8 | 0x80])?;
        rest >>= 7;
    }
    packed.write_all(&[rest as u8])
}

fn take_number(rest: &mut &[u8]) -> Option<i64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some((number >> 1) as i64 ^ -((number & 1) as i64));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use flate2::read::MultiGzDecoder;

    use super::*;

    fn piece(offset: u64, lines: usize) -> Piece {
        let mut piece = Piece { offset, ..Piece::default() };
        let before = LineTime { offset: offset.saturating_sub(5), at: Timestamp(1_800_000_000_000) };
        piece.push(&b"\n".repeat(lines), [before]);
        let times = (0..lines as u64).map(|line| LineTime {
            offset: offset + line,
            // They jump to and fro, as a clock that is set does.
            at: Timestamp((line.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 1) as i64 - (1 << 62)),
        });
        piece.push(&[], times);
        piece
    }

    #[test]
    fn members_unpack_to_what_was_packed_and_the_whole_is_a_plain_gz() {
        let pieces = [piece(0, 3), piece(3, 100_000), piece(100_003, 1)];
        let packed: Vec<u8> = pieces.iter().flat_map(|piece| pack(piece).unwrap()).collect();
        let mut rest = packed.as_slice();
        for piece in &pieces {
            let (unpacked, after) = unpack(rest, piece.offset).unwrap();
            assert!(unpacked == *piece);
            rest = after;
        }
        assert!(rest.is_empty());
        let mut plain = Vec::new();
        MultiGzDecoder::new(packed.as_slice()).read_to_end(&mut plain).unwrap();
        assert_eq!(plain, b"\n".repeat(100_004));
    }

    #[test]
    fn a_member_that_is_cut_or_garbled_is_refused() {
        let packed = pack(&piece(7, 300)).unwrap();
        for cut in [0, 1, packed.len() / 2, packed.len() - 1] {
            assert!(unpack(&packed[..cut], 7).is_err(), "{cut} bytes of it");
        }
        let mut garbled = packed;
        let last = garbled.len() - 6;
        garbled[last] ^= 1;
        assert!(unpack(&garbled, 7).is_err());
    }
}
