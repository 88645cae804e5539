//! Some bytes of a log together with the times of their lines. Invariant: times ascend, none lies behind the bytes, and the first may lie
//! before them: it is the one that holds where they begin. So a piece can be read without its neighbours.

use branchline_model::LineTime;

/// Bytes from an offset on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Piece {
    /// Where they begin in the log.
    pub(super) offset: u64,
    pub(super) bytes: Vec<u8>,
    pub(super) times: Vec<LineTime>,
}

impl Piece {
    /// Where it ends.
    pub(super) fn end(&self) -> u64 {
        self.offset + self.bytes.len() as u64
    }

    pub(super) fn newlines(&self) -> u64 {
        self.bytes.iter().filter(|byte| **byte == b'\n').count() as u64
    }

    /// How much memory it takes.
    pub(super) fn weight(&self) -> usize {
        self.bytes.len() + self.times.len() * size_of::<LineTime>()
    }

    /// Adds what comes next.
    pub(super) fn push(&mut self, bytes: &[u8], times: impl IntoIterator<Item = LineTime>) {
        self.bytes.extend_from_slice(bytes);
        let end = self.end();
        for time in times {
            if time.offset < end && self.times.last().is_none_or(|last| last.offset < time.offset) {
                self.times.push(time);
            }
        }
    }

    /// Splits off what lies behind so many bytes; both keep the times that hold within them.
    pub(super) fn split_off(&mut self, at: usize) -> Self {
        let bytes = self.bytes.split_off(at.min(self.bytes.len()));
        let offset = self.end();
        let first_behind = self.times.partition_point(|time| time.offset < offset);
        let mut times = self.times.split_off(first_behind);
        if times.first().is_none_or(|time| time.offset > offset)
            && let Some(carried) = self.times.last()
        {
            times.insert(0, *carried);
        }
        Self { offset, bytes, times }
    }

    /// Where the newline lies that has so many before it in this piece; `None` where there are not so many.
    pub(super) fn newline(&self, before: u64) -> Option<u64> {
        let mut ends = self.bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
        let (index, _) = ends.nth(usize::try_from(before).ok()?)?;
        Some(self.offset + index as u64)
    }
}

#[cfg(test)]
mod tests {
    use branchline_model::Timestamp;

    use super::*;

    fn time(offset: u64) -> LineTime {
        LineTime { offset, at: Timestamp(offset as i64) }
    }

    #[test]
    fn both_halves_keep_the_times_that_hold_within_them() {
        let mut piece = Piece { offset: 10, ..Piece::default() };
        piece.push(b"one\ntwo\nthree", [time(8), time(14), time(18), time(23)]);
        assert_eq!(piece.times, [time(8), time(14), time(18)], "none behind the bytes");
        let rest = piece.split_off(6);
        assert_eq!((piece.end(), piece.times.as_slice()), (16, &[time(8), time(14)][..]));
        assert_eq!((rest.offset, rest.bytes.as_slice()), (16, &b"o\nthree"[..]));
        assert_eq!(rest.times, [time(14), time(18)]);
        let mut begins_with_a_line = rest.clone();
        assert_eq!(begins_with_a_line.split_off(2).times, [time(18)]);
        assert_eq!(rest.newline(0), Some(17));
        assert_eq!(rest.newline(1), None);
    }
}
