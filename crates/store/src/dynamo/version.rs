//! Versions without a counter. Invariant: a store never gives out a version twice, each is larger than all that it
//! gave out or saw before, and two stores agree by chance only, once in a million commits of the same millisecond: so
//! a row that is removed and made again does not get back a version that somebody still holds. That machines' clocks
//! agree is not relied upon.

use std::sync::atomic::{AtomicU64, Ordering};

use branchline_model::Timestamp;

use super::backoff::mixed;

/// So many bits below the milliseconds are drawn.
const DRAWN: u32 = 20;

/// What makes versions.
#[derive(Debug, Default)]
pub(super) struct Versions {
    last: AtomicU64,
}

impl Versions {
    /// A version for a commit that is made now, with this id.
    pub(super) fn fresh(&self, now: Timestamp, id: &str) -> u64 {
        let millis = u64::try_from(now.0).unwrap_or(0);
        let drawn = mixed(id.as_bytes()) >> (u64::BITS - DRAWN);
        let wanted = (millis << DRAWN) | drawn;
        let given = self.last.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| {
            Some(wanted.max(last.saturating_add(1)))
        });
        let (Ok(last) | Err(last)) = given;
        wanted.max(last.saturating_add(1))
    }

    /// Takes notice of a version that another store gave out.
    pub(super) fn observe(&self, version: u64) {
        self.last.fetch_max(version, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_grow_though_the_clock_stands_or_goes_back() {
        let versions = Versions::default();
        let mut last = 0;
        for now in [1_000, 1_000, 5, 1_001, -3] {
            let fresh = versions.fresh(Timestamp(now), "a");
            assert!(fresh > last);
            last = fresh;
        }
    }

    #[test]
    fn a_version_is_larger_than_any_that_was_seen() {
        let versions = Versions::default();
        versions.observe(u64::MAX / 2);
        assert!(versions.fresh(Timestamp(1), "a") > u64::MAX / 2);
    }

    #[test]
    fn two_stores_whose_clocks_stand_alike_give_different_versions() {
        let fresh = |id: &str| Versions::default().fresh(Timestamp(7), id);
        assert_ne!(fresh("one"), fresh("other"));
    }

    #[test]
    fn a_version_fits_a_signed_number_for_a_century() {
        let in_2126 = Timestamp(4_922_000_000_000);
        assert!(i64::try_from(Versions::default().fresh(in_2126, "a")).is_ok());
    }
}
