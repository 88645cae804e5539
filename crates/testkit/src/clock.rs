//! A clock that stands until it is stepped. Invariant: ids are never repeated and sort in the order they were made,
//! whichever way the time is stepped. It never looks at the machine's clock.

use std::pin::pin;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use branchline_model::Timestamp;
use branchline_ports::Clock;
use tokio::sync::Notify;

/// A clock whose time a test steps.
#[derive(Debug, Default)]
pub struct SteppedClock {
    now: AtomicI64,
    ids: AtomicU64,
    stepped: Notify,
}

impl SteppedClock {
    /// A clock that stands at this time.
    #[must_use]
    pub fn at(now: Timestamp) -> Self {
        Self { now: AtomicI64::new(now.0), ..Self::default() }
    }

    /// Moves the time on; answers the time then.
    pub fn step(&self, duration: Duration) -> Timestamp {
        let moved = self
            .now
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |now| Some(Timestamp(now).after(duration).0));
        let (Ok(before) | Err(before)) = moved;
        self.stepped.notify_waiters();
        Timestamp(before).after(duration)
    }

    /// Puts the time to another one, also an earlier one: machines' clocks are set back, too.
    pub fn set(&self, now: Timestamp) {
        self.now.store(now.0, Ordering::SeqCst);
        self.stepped.notify_waiters();
    }
}

#[async_trait]
impl Clock for SteppedClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.now.load(Ordering::SeqCst))
    }

    async fn sleep(&self, duration: Duration) {
        let until = self.now().after(duration);
        loop {
            let mut stepped = pin!(self.stepped.notified());
            // From here on no step is missed.
            stepped.as_mut().enable();
            if self.now() >= until {
                return;
            }
            stepped.await;
        }
    }

    fn fresh_id(&self) -> String {
        // Twenty digits hold every u64, so that the order of the texts is the order of the numbers.
        format!("id{:020}", self.ids.fetch_add(1, Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_stands_until_it_is_stepped() {
        let clock = SteppedClock::at(Timestamp(1_000));
        assert_eq!(clock.now(), Timestamp(1_000));
        assert_eq!(clock.step(Duration::from_secs(2)), Timestamp(3_000));
        assert_eq!(clock.now(), Timestamp(3_000));
        clock.set(Timestamp(5));
        assert_eq!(clock.now(), Timestamp(5));
    }

    #[tokio::test]
    async fn who_sleeps_wakes_when_the_time_is_stepped_far_enough() {
        let clock = SteppedClock::at(Timestamp(1_000));
        let mut sleep = pin!(clock.sleep(Duration::from_secs(2)));
        let mut is_over = async || tokio::select! { biased; () = &mut sleep => true, () = async {} => false };
        assert!(!is_over().await);
        clock.step(Duration::from_millis(1_999));
        assert!(!is_over().await);
        clock.set(Timestamp(3_000));
        assert!(is_over().await);
    }

    #[test]
    fn ids_are_never_repeated_and_sort_as_they_were_made() {
        let clock = SteppedClock::default();
        let ids: Vec<String> = (0..200).map(|_| clock.fresh_id()).collect();
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(ids[0].chars().all(|letter| letter.is_ascii_alphanumeric()));
    }
}
