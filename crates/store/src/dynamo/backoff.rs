//! Waiting before something is tried again. Invariant: how long is drawn from the commit's id and the number of tries
//! alone, so that the same history waits the same; how it is waited belongs to whoever made the store.

use std::time::Duration;

use async_trait::async_trait;

/// Lets time pass.
#[async_trait]
pub trait Pause: Send + Sync {
    /// Comes back after this long.
    async fn pause(&self, duration: Duration);
}

/// Waits by the machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sleep;

#[async_trait]
impl Pause for Sleep {
    async fn pause(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

/// The waits of one call: each up to twice as long as the one before, drawn anew, and so many at the most.
#[derive(Debug)]
pub(super) struct Backoff {
    seed: u64,
    tried: u32,
}

const FIRST: Duration = Duration::from_millis(40);
const LONGEST: Duration = Duration::from_secs(2);

impl Backoff {
    pub(super) fn of(id: &str) -> Self {
        Self { seed: mixed(id.as_bytes()), tried: 0 }
    }

    /// How long to wait next; `None` when it was tried more than `tries` times.
    pub(super) fn next(&mut self, tries: u32) -> Option<Duration> {
        if self.tried >= tries {
            return None;
        }
        let longest = FIRST.saturating_mul(1 << self.tried.min(10)).min(LONGEST);
        self.tried += 1;
        // "Full jitter": anything up to the longest, so that those who met once do not meet again.
        let drawn = mixed(&[self.seed.to_le_bytes(), u64::from(self.tried).to_le_bytes()].concat());
        let millis = u64::try_from(longest.as_millis()).unwrap_or(u64::MAX);
        Some(Duration::from_millis(1 + drawn % millis.max(1)))
    }
}

/// Spreads bytes over all numbers: FNV-1a, then the end of SplitMix64.
pub(super) fn mixed(bytes: &[u8]) -> u64 {
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_up_to_a_bound_and_then_end() {
        let mut backoff = Backoff::of("a");
        let waits: Vec<_> = std::iter::from_fn(|| backoff.next(20)).collect();
        assert_eq!(waits.len(), 20);
        assert!(waits[0] <= FIRST && waits.iter().all(|wait| *wait <= LONGEST));
        assert!(waits[6..].iter().any(|wait| *wait > Duration::from_millis(500)), "{waits:?}");
    }

    #[test]
    fn two_commits_wait_differently_and_each_the_same_again() {
        let waits = |id: &str| {
            let mut backoff = Backoff::of(id);
            std::iter::from_fn(|| backoff.next(5)).collect::<Vec<_>>()
        };
        assert_ne!(waits("a"), waits("b"));
        assert_eq!(waits("a"), waits("a"));
    }
}
