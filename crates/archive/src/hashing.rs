//! Bytes on their way into a file, with what they are.

use std::io::{self, Write};

use branchline_model::{Digest, OBJECT_PART};
use sha2::{Digest as _, Sha256};

/// Writes on, and takes down what was written: as a whole, and in parts as an object is uploaded in.
#[derive(Debug)]
pub(crate) struct Hashing<W> {
    inner: W,
    whole: Sha256,
    part: Sha256,
    part_length: u64,
    parts: Vec<Digest>,
    bytes: u64,
}

/// What was written.
#[derive(Debug)]
pub(crate) struct Hashed<W> {
    pub(crate) inner: W,
    pub(crate) bytes: u64,
    pub(crate) sha256: Digest,
    pub(crate) parts: Vec<Digest>,
}

impl<W: Write> Hashing<W> {
    pub(crate) fn new(inner: W) -> Self {
        Self { inner, whole: Sha256::new(), part: Sha256::new(), part_length: 0, parts: Vec::new(), bytes: 0 }
    }

    pub(crate) fn finish(mut self) -> Hashed<W> {
        if self.part_length > 0 {
            self.parts.push(Digest(self.part.finalize().into()));
        }
        let sha256 = Digest(self.whole.finalize().into());
        Hashed { inner: self.inner, bytes: self.bytes, sha256, parts: self.parts }
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = usize::try_from(OBJECT_PART - self.part_length).unwrap_or(usize::MAX);
        let written = self.inner.write(&bytes[..bytes.len().min(room)])?;
        let bytes = &bytes[..written];
        self.whole.update(bytes);
        self.part.update(bytes);
        self.bytes += written as u64;
        self.part_length += written as u64;
        if self.part_length == OBJECT_PART {
            let part = std::mem::replace(&mut self.part, Sha256::new());
            self.parts.push(Digest(part.finalize().into()));
            self.part_length = 0;
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use branchline_model::Content;

    use super::*;

    #[test]
    fn what_was_written_is_what_an_object_is_said_to_hold() {
        for length in [0, 1, OBJECT_PART, OBJECT_PART + 1] {
            let bytes: Vec<u8> = (0..length).map(|number| (number % 251) as u8).collect();
            let mut hashing = Hashing::new(Vec::new());
            for piece in bytes.chunks(1_000_003) {
                hashing.write_all(piece).unwrap();
            }
            let Hashed { inner, bytes: count, sha256, parts } = hashing.finish();
            assert_eq!(inner, bytes);
            assert_eq!(Content::in_parts(count, sha256, &parts), Content::of(&bytes));
        }
    }
}
