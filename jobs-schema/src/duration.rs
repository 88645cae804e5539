//! Times as the language writes them: one number and one unit, `90s`, `20m`, `2h`, `7d`. Invariant: what is read
//! is more than nothing. Combined times (`1h30m`) are deliberately not read: there is one way
//! to write each.

use std::time::Duration;

use thiserror::Error;

const DAY: u64 = 24 * 60 * 60;

/// Why a text is not a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum DurationError {
    #[error("is not a time")]
    NotATime,
    #[error("has no unit")]
    NoUnit,
    #[error("is no time at all")]
    Zero,
    #[error("is more than {} days, the longest time there can be here", .days)]
    TooLong { days: u32 },
}

impl DurationError {
    /// What to write instead.
    pub(crate) fn hint(self, text: &str) -> String {
        match self {
            Self::NotATime => {
                "write one whole number and one unit: `90s`, `20m`, `2h` or `7d` (`1h30m` is `90m`)"
                    .to_owned()
            }
            Self::NoUnit => format!("add one: `{text}s`, `{text}m`, `{text}h` or `{text}d`"),
            Self::Zero => "write a time of at least `1s`".to_owned(),
            Self::TooLong { days } => format!("write `{days}d` or less"),
        }
    }
}

/// Reads a time of at most so many days.
pub(crate) fn parse_up_to(text: &str, days: u32) -> Result<Duration, DurationError> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(DurationError::NotATime);
    }
    let unit = match text.get(digits.len()..) {
        Some("s") => 1,
        Some("m") => 60,
        Some("h") => 60 * 60,
        Some("d") => DAY,
        Some("") => return Err(DurationError::NoUnit),
        _ => return Err(DurationError::NotATime),
    };
    let seconds = digits.parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
    match seconds.map(Duration::from_secs) {
        Some(Duration::ZERO) => Err(DurationError::Zero),
        Some(duration) if duration <= Duration::from_secs(u64::from(days) * DAY) => Ok(duration),
        _ => Err(DurationError::TooLong { days }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Duration, DurationError> {
        parse_up_to(text, 30)
    }

    #[test]
    fn one_number_and_one_unit_make_a_time() {
        for (text, seconds) in [("90s", 90), ("20m", 1_200), ("2h", 7_200), ("7d", 604_800), ("007s", 7)] {
            assert_eq!(parse(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        assert_eq!(parse("30d"), Ok(Duration::from_secs(2_592_000)));
        assert_eq!(parse("2592000s"), Ok(Duration::from_secs(2_592_000)));
    }

    #[test]
    fn everything_else_says_what_is_wrong_with_it() {
        for text in ["", "h", "1h30m", "-1s", "+1s", "1.5h", "1 h", "1H", "1ms", "one hour", "１s", "1s "] {
            assert_eq!(parse(text), Err(DurationError::NotATime), "{text}");
        }
        assert_eq!(parse("30"), Err(DurationError::NoUnit));
        assert_eq!(parse("0m"), Err(DurationError::Zero));
        for text in ["31d", "2592001s", "99999999999999999999d", "18446744073709551615d"] {
            assert_eq!(parse(text), Err(DurationError::TooLong { days: 30 }), "{text}");
        }
    }
}
