//! The lines of a log that comes in chunks. Invariants: where a chunk ends makes no difference; memory is bounded by one line, of which
//! the beginning is enough; what a terminal would not show is not in it.

use anstream::adapter::strip_bytes;

/// So much of a line is looked at.
const LONGEST: usize = 16 << 10;

/// Takes chunks apart into lines.
#[derive(Clone, Debug, Default)]
pub struct Lines {
    line: Vec<u8>,
}

impl Lines {
    /// Takes a chunk, and calls for each line that ends in it: without its end, and without the codes that colour it. What is written over
    /// (`\r`) is a line of its own.
    pub fn push(&mut self, chunk: &[u8], mut line: impl FnMut(&str)) {
        for piece in chunk.split_inclusive(|byte| matches!(byte, b'\n' | b'\r')) {
            let (piece, ends) = match piece.split_last() {
                Some((b'\n' | b'\r', before)) => (before, true),
                _ => (piece, false),
            };
            let room = LONGEST - self.line.len();
            self.line.extend_from_slice(&piece[..piece.len().min(room)]);
            if ends {
                self.end(&mut line);
            }
        }
    }

    /// Calls for the last line, where the log does not end with the end of one.
    pub fn end(&mut self, mut line: impl FnMut(&str)) {
        if !self.line.is_empty() {
            let plain = strip_bytes(&self.line).into_vec();
            line(&String::from_utf8_lossy(&plain));
            self.line.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lines(chunks: &[&[u8]]) -> Vec<String> {
        let (mut lines, mut found) = (Lines::default(), Vec::new());
        for chunk in chunks {
            lines.push(chunk, |line| found.push(line.to_owned()));
        }
        lines.end(|line| found.push(line.to_owned()));
        found
    }

    #[test]
    fn colours_and_what_is_written_over_are_no_part_of_a_line() {
        let log = b"\x1b[32mtest\x1b[0m a \x1b]8;;http://x\x07ok\x1b]8;;\x07\r\n1/3\r2/3\r3/3\nlast";
        assert_eq!(lines(&[log]), ["test a ok", "1/3", "2/3", "3/3", "last"]);
    }

    #[test]
    fn of_a_line_without_end_the_beginning_is_looked_at() {
        let mut lines = Lines::default();
        for _ in 0..1000 {
            lines.push(&[b'x'; 4096], |_| panic!("no line has ended"));
        }
        let mut found = Vec::new();
        lines.push(b"\nnext\n", |line| found.push(line.len()));
        assert_eq!(found, [LONGEST, 4]);
    }

    proptest! {
        #[test]
        fn where_a_chunk_ends_makes_no_difference(
            log in prop::collection::vec(prop_oneof![any::<u8>(), Just(b'\n'), Just(b'\r'), Just(0x1b), Just(b'a')], 0..400),
            cut in 0usize..400,
        ) {
            let cut = cut.min(log.len());
            let bytes: Vec<&[u8]> = log.chunks(1).collect();
            prop_assert_eq!(lines(&[&log]), lines(&[&log[..cut], &log[cut..]]));
            prop_assert_eq!(lines(&[&log]), lines(&bytes));
        }
    }
}
