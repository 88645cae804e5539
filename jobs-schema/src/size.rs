//! Sizes as the language writes them: one whole number and one unit, `512KiB`, `2GiB`. Invariant: what is read is more
//! than nothing.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A number of bytes, never none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Size {
    /// How many.
    pub bytes: u64,
}

/// Why a text is not a size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum SizeError {
    #[error("is not a size")]
    NotASize,
    #[error("has no unit")]
    NoUnit,
    #[error("is nothing at all")]
    Zero,
    #[error("is more than any machine has")]
    TooLarge,
}

impl SizeError {
    /// What to write instead.
    pub(crate) fn hint(self, text: &str) -> String {
        match self {
            Self::NotASize | Self::Zero => {
                "write one whole number and one unit: `512KiB`, `256MiB`, `2GiB` or `1TiB`".to_owned()
            }
            Self::NoUnit => format!("add one: `{text}MiB` or `{text}GiB`"),
            Self::TooLarge => "write `1024TiB` or less".to_owned(),
        }
    }
}

const LARGEST: u64 = 1 << 50;

/// Reads a size.
pub(crate) fn parse(text: &str) -> Result<Size, SizeError> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(SizeError::NotASize);
    }
    let unit: u64 = match text.get(digits.len()..) {
        Some("B") => 1,
        Some("KiB") => 1 << 10,
        Some("MiB") => 1 << 20,
        Some("GiB") => 1 << 30,
        Some("TiB") => 1 << 40,
        Some("") => return Err(SizeError::NoUnit),
        _ => return Err(SizeError::NotASize),
    };
    match digits.parse::<u64>().ok().and_then(|number| number.checked_mul(unit)) {
        Some(0) => Err(SizeError::Zero),
        Some(bytes) if bytes <= LARGEST => Ok(Size { bytes }),
        _ => Err(SizeError::TooLarge),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_number_and_one_unit_make_a_size() {
        for (text, bytes) in [("1B", 1), ("512KiB", 524_288), ("2GiB", 2_147_483_648), ("1024TiB", LARGEST)] {
            assert_eq!(parse(text), Ok(Size { bytes }), "{text}");
        }
    }

    #[test]
    fn everything_else_says_what_is_wrong_with_it() {
        for text in ["", "GiB", "2G", "2GB", "2gib", "1.5GiB", "-1GiB", "2 GiB", "２GiB"] {
            assert_eq!(parse(text), Err(SizeError::NotASize), "{text}");
        }
        assert_eq!(parse("2048"), Err(SizeError::NoUnit));
        assert_eq!(parse("0MiB"), Err(SizeError::Zero));
        for text in ["1025TiB", "99999999999999999999B", "18446744073709551615TiB"] {
            assert_eq!(parse(text), Err(SizeError::TooLarge), "{text}");
        }
    }
}
