//! Points in time. Invariant: milliseconds since the Unix epoch, UTC. Reading a clock is not done here.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A point in time: milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// This time and `duration` more, at most the largest time that can be written.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }

    /// How long it is from `earlier` to this time; zero where it is not earlier.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// Thirteen digits, so that the order of the texts is the order of the times (until the year 2286).
    #[must_use]
    pub fn sortable(self) -> String {
        format!("{:013}", self.0.max(0))
    }
}

/// RFC 3339 in UTC with milliseconds: `2026-11-21T07:00:00.000Z`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match chrono::DateTime::from_timestamp_millis(self.0) {
            Some(time) => write!(f, "{}", time.format("%Y-%m-%dT%H:%M:%S%.3fZ")),
            None => write!(f, "{} ms", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_reads_as_rfc_3339() {
        assert_eq!(Timestamp(1_795_244_400_123).to_string(), "2026-11-21T07:00:00.123Z");
    }

    #[test]
    fn sortable_texts_keep_the_order_of_times() {
        assert!(Timestamp(999).sortable() < Timestamp(1_795_244_400_123).sortable());
    }

    #[test]
    fn a_duration_to_an_earlier_time_is_zero() {
        assert_eq!(Timestamp(5).since(Timestamp(9)), Duration::ZERO);
    }
}
