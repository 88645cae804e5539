//! The bytes of a report, as UTF-8. Invariant: no more of them are read than were allowed, and it is known on which line the reader is.

use std::io::{self, BufRead, Read};

use encoding_rs::{CoderResult, Decoder, Encoding, UTF_8, UTF_16BE, UTF_16LE};

use super::JunitError;
use crate::text::shortened;

/// So much of the beginning is looked at for the encoding.
const HEAD: usize = 512;

/// How much of a reason is said.
const LONGEST_WHY: usize = 200;

/// How many bytes are decoded at once.
const PIECE: usize = 16 << 10;

/// The bytes in UTF-8, counted.
pub(super) struct Input<'a> {
    source: &'a mut dyn BufRead,
    /// What was read of the source to see what it is.
    head: Vec<u8>,
    /// How many bytes may still be read.
    left: u64,
    was_too_long: bool,
    /// What makes UTF-8 of it; `None` where it is that already.
    decoder: Option<Decoder>,
    /// What is ready to be read, from `at` on.
    ready: Vec<u8>,
    at: usize,
    ended: bool,
    newlines: u64,
}

impl<'a> Input<'a> {
    pub(super) fn open(source: &'a mut dyn BufRead, most: u64) -> Result<Self, JunitError> {
        let mut head = Vec::new();
        source.take(HEAD as u64).read_to_end(&mut head).map_err(JunitError::Read)?;
        let encoding = encoding(&head)?;
        let mark = Encoding::for_bom(&head).map_or(0, |(_, length)| length);
        head.drain(..mark);
        Ok(Self {
            source,
            head,
            left: most,
            was_too_long: false,
            decoder: (encoding != UTF_8).then(|| encoding.new_decoder_without_bom_handling()),
            ready: Vec::new(),
            at: 0,
            ended: false,
            newlines: 0,
        })
    }

    /// The line that the reader is on.
    pub(super) fn line(&self) -> u64 {
        self.newlines + 1
    }

    /// What an error of the reader's means.
    pub(super) fn failure(&self, error: quick_xml::Error, most: u64) -> JunitError {
        let line = self.line();
        match error {
            _ if self.was_too_long => JunitError::TooMuch { line, most, what: "bytes" },
            quick_xml::Error::Io(error) => JunitError::Read(io::Error::new(error.kind(), error.to_string())),
            // It quotes what it did not understand, however much that is.
            error => JunitError::Malformed { line, why: shortened(&error.to_string(), LONGEST_WHY) },
        }
    }

    /// The next bytes of the source; none at its end.
    fn next(&mut self) -> io::Result<Vec<u8>> {
        let mut piece = std::mem::take(&mut self.head);
        if piece.is_empty() {
            let read = self.source.fill_buf()?;
            piece.extend_from_slice(&read[..read.len().min(PIECE)]);
            self.source.consume(piece.len());
        }
        let length = piece.len() as u64;
        if length > self.left {
            self.was_too_long = true;
            return Err(io::Error::other("it is too long"));
        }
        self.left -= length;
        Ok(piece)
    }
}

impl Read for Input<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let ready = self.fill_buf()?;
        let length = ready.len().min(buffer.len());
        buffer[..length].copy_from_slice(&ready[..length]);
        self.consume(length);
        Ok(length)
    }
}

impl BufRead for Input<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        // A piece may end within a character, of which nothing can be said yet.
        while self.at >= self.ready.len() && !self.ended {
            let piece = self.next()?;
            self.ended = piece.is_empty();
            self.at = 0;
            self.ready = match &mut self.decoder {
                None => piece,
                Some(decoder) => decoded(decoder, &piece, self.ended),
            };
        }
        Ok(self.ready.get(self.at..).unwrap_or_default())
    }

    fn consume(&mut self, amount: usize) {
        let end = (self.at + amount).min(self.ready.len());
        let read = self.ready.get(self.at..end).unwrap_or_default();
        self.newlines += read.iter().filter(|byte| **byte == b'\n').count() as u64;
        self.at = end;
    }
}

fn decoded(decoder: &mut Decoder, mut piece: &[u8], is_last: bool) -> Vec<u8> {
    let mut text = Vec::new();
    loop {
        let begin = text.len();
        text.resize(begin + 3 * piece.len() + 16, 0);
        let (result, read, written, _) = decoder.decode_to_utf8(piece, &mut text[begin..], is_last);
        text.truncate(begin + written);
        piece = &piece[read..];
        if result == CoderResult::InputEmpty {
            return text;
        }
    }
}

/// What the file is written in: as its first bytes, or its declaration, say.
fn encoding(head: &[u8]) -> Result<&'static Encoding, JunitError> {
    if let Some((encoding, _)) = Encoding::for_bom(head) {
        return Ok(encoding);
    }
    if head.starts_with(&[b'<', 0]) {
        return Ok(UTF_16LE);
    }
    if head.starts_with(&[0, b'<']) {
        return Ok(UTF_16BE);
    }
    let Some(said) = declared(head) else { return Ok(UTF_8) };
    match Encoding::for_label(said.as_bytes()) {
        // It could not have been read as far as this.
        Some(encoding) if encoding == UTF_16LE || encoding == UTF_16BE => Ok(UTF_8),
        Some(encoding) => Ok(encoding),
        None => Err(JunitError::Encoding { encoding: shortened(&said, 60) }),
    }
}

/// The encoding in `<?xml … encoding="…"?>`.
fn declared(head: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(head);
    let declaration = text.trim_start().strip_prefix("<?xml")?.split("?>").next()?;
    let (_, value) = declaration.split_once("encoding")?;
    let value = value.trim_start().strip_prefix('=')?.trim_start();
    let quote = value.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    Some(value[1..].split(quote).next()?.to_owned())
}
