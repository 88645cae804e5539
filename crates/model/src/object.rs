//! Objects: bytes under a key that are written once. Invariant: a key is a path of plain names, so it leads nowhere else; what an
//! object is to hold is known, by length and SHA-256, before it is written.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::IdError;

/// How long the parts of an object are that is uploaded in parts; the last one may be shorter. No shorter object has parts.
pub const OBJECT_PART: u64 = 8 << 20;

/// The SHA-256 of some bytes. Written as 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// The digest of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

impl TryFrom<String> for Digest {
    type Error = IdError;

    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}

impl FromStr for Digest {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let error = || IdError {
            text: text.to_owned(),
            what: "a SHA-256",
            expected: "64 hexadecimal digits in lower case",
        };
        let digits = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if text.len() != 64 || !digits {
            return Err(error());
        }
        let mut digest = [0; 32];
        for (index, byte) in digest.iter_mut().enumerate() {
            let pair = text.get(index * 2..index * 2 + 2).ok_or_else(error)?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| error())?;
        }
        Ok(Self(digest))
    }
}

/// What an object is to hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// How many bytes.
    pub bytes: u64,
    /// Their SHA-256.
    pub sha256: Digest,
    /// Where they are uploaded in parts of [`OBJECT_PART`] bytes, the SHA-256 of the parts' SHA-256s one behind the other; `None` where the
    /// object has one part only.
    pub parts: Option<Digest>,
}

impl Content {
    /// What these bytes are.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let parts: Vec<Digest> = bytes.chunks(OBJECT_PART as usize).map(Digest::of).collect();
        Self::in_parts(bytes.len() as u64, Digest::of(bytes), &parts)
    }

    /// So many bytes with this SHA-256, whose parts have these.
    #[must_use]
    pub fn in_parts(bytes: u64, sha256: Digest, parts: &[Digest]) -> Self {
        let all: Vec<u8> = parts.iter().flat_map(|part| part.0).collect();
        Self { bytes, sha256, parts: (bytes > OBJECT_PART).then(|| Digest::of(&all)) }
    }

    /// How many parts it has: at least one.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.bytes.div_ceil(OBJECT_PART).max(1)
    }
}

/// Where an object is kept: names of letters, digits, `-`, `_` and `.`, not only of dots, with `/` between them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ObjectKey(String);

impl ObjectKey {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<ObjectKey> for String {
    fn from(key: ObjectKey) -> Self {
        key.0
    }
}

impl TryFrom<String> for ObjectKey {
    type Error = IdError;

    fn try_from(text: String) -> Result<Self, IdError> {
        let is_name = |name: &str| {
            name.len() <= 200
                && name.bytes().any(|byte| byte != b'.')
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
        };
        if text.len() <= 800 && text.split('/').all(is_name) {
            Ok(Self(text))
        } else {
            Err(IdError {
                text,
                what: "an object's key",
                expected: "names of letters, digits, `-`, `_` and `.` with `/` between them",
            })
        }
    }
}

impl FromStr for ObjectKey {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        Self::try_from(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_leads_nowhere_else() {
        assert!("artifacts/app-1/12/3.1/id1/report.html".parse::<ObjectKey>().is_ok());
        for text in ["", "/", "a//b", "../a", "a/..", "a/./b", "a b", "a\\b", "/a", "a/", "é"] {
            assert!(text.parse::<ObjectKey>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_digest_reads_as_it_is_written() {
        let digest = Digest::of(b"abc");
        let text = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!((digest.to_string().as_str(), text.parse()), (text, Ok(digest)));
        assert!(text.to_uppercase().parse::<Digest>().is_err() && text[1..].parse::<Digest>().is_err());
    }

    #[test]
    fn only_what_is_longer_than_a_part_has_parts() {
        let short = Content::of(b"abc");
        assert_eq!((short.parts, short.count()), (None, 1));
        assert_eq!(Content::of(b"").count(), 1);
        let long = Content::of(&vec![7; OBJECT_PART as usize + 1]);
        assert!(long.parts.is_some());
        assert_eq!(long.count(), 2);
    }
}
