//! When the next bytes of a log are sent. Invariant: what waits is bounded in time, so nothing is kept back for ever; where an
//! append costs nothing, nothing waits at all.

use std::time::Duration;

use branchline_model::Pace;

/// While someone reads along.
const WATCHED: Duration = Duration::from_secs(1);

/// While nobody does: never sooner, and never later, than this after the last time.
const SOONEST: Duration = Duration::from_secs(1);
const LATEST: Duration = Duration::from_secs(60);

/// So many bytes are sent at once where they are sent as they come, and where they were gathered.
const PIECE: usize = 256 << 10;
const GATHERED_PIECE: usize = 1 << 20;

/// How long to gather after a log was sent whose first bytes were sent so long ago. While nobody watches, each wait is three times
/// what passed before: after 1, 4 and 16 s, then every minute.
#[must_use]
pub fn again_after(pace: Pace, age: Duration) -> Duration {
    match pace {
        Pace::AsItComes => Duration::ZERO,
        Pace::Watched => WATCHED,
        Pace::Unwatched => age.saturating_mul(3).clamp(SOONEST, LATEST),
    }
}

/// What whoever sends a log remembers of it. Times are counted from any moment that stays the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gathering {
    pace: Pace,
    began: Option<Duration>,
    next: Option<Duration>,
}

impl Gathering {
    /// Whether what there is may be sent.
    #[must_use]
    pub fn is_due(&self, now: Duration) -> bool {
        self.next.is_none_or(|next| next <= now)
    }

    /// When it may, where it may not yet.
    #[must_use]
    pub fn next(&self) -> Option<Duration> {
        self.next
    }

    /// How many bytes to send at once.
    #[must_use]
    pub fn piece(&self) -> usize {
        if self.pace == Pace::AsItComes { PIECE } else { GATHERED_PIECE }
    }

    /// A piece of so many bytes was sent; answers whether to look for more at once.
    pub fn sent(&mut self, pace: Pace, bytes: usize, now: Duration) -> bool {
        let is_full = bytes >= self.piece();
        let began = *self.began.get_or_insert(now);
        self.pace = pace;
        let wait = again_after(pace, now.saturating_sub(began));
        self.next = (!wait.is_zero()).then(|| now + wait);
        wait.is_zero() || is_full
    }

    /// There was nothing to send: what comes next is sent when it comes.
    pub fn nothing_left(&mut self) {
        self.next = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When a log that grows all the time is sent, in seconds.
    fn sent_at(pace: Pace, seconds: u64) -> Vec<u64> {
        let mut gathering = Gathering::default();
        let due = |now: &u64| {
            let now = Duration::from_secs(*now);
            let is_due = gathering.is_due(now);
            if is_due {
                gathering.sent(pace, 100, now);
            }
            is_due
        };
        (0..=seconds).filter(due).collect()
    }

    #[test]
    fn what_nobody_watches_is_sent_soon_at_first_and_then_every_minute() {
        assert_eq!(sent_at(Pace::Unwatched, 300), [0, 1, 4, 16, 64, 124, 184, 244]);
    }

    #[test]
    fn what_is_watched_is_sent_every_second_and_what_costs_nothing_at_once() {
        assert_eq!(sent_at(Pace::Watched, 9), (0..=9).collect::<Vec<_>>());
        let mut gathering = Gathering::default();
        assert!(gathering.sent(Pace::AsItComes, 1, Duration::ZERO), "and looks for more at once");
        assert!(gathering.is_due(Duration::ZERO));
    }

    #[test]
    fn what_comes_after_a_silence_is_sent_when_it_comes() {
        let mut gathering = Gathering::default();
        gathering.sent(Pace::Unwatched, 100, Duration::ZERO);
        assert!(!gathering.is_due(Duration::from_millis(900)));
        assert!(gathering.is_due(Duration::from_secs(1)));
        gathering.nothing_left();
        assert_eq!(gathering.next(), None);
        assert!(
            gathering.sent(Pace::Unwatched, gathering.piece(), Duration::from_secs(50)),
            "a full piece is followed by the next"
        );
        assert_eq!(gathering.next(), Some(Duration::from_secs(110)));
    }
}
