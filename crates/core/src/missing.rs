//! An event whose commit its repository does not have. Invariant: it is given up only after the commit was looked for several
//! times, and for some minutes: one server of a forge says that a branch has moved while another, which is asked next, has not
//! got the commit yet.

use std::time::Duration;

use branchline_model::{Missing, Timestamp};

use crate::effect;

/// So long is a commit looked for: a replica is behind for seconds, and where a forge is ill for minutes. Nobody would push it
/// again; and what is started by hand is started at the head of a branch or tag that was seen.
pub const PATIENCE: Duration = Duration::from_secs(600);

/// So often at the least, since a machine that slept is an hour later at its second look.
pub const FEWEST_LOOKS: u32 = 5;

/// A commit that comes late is found so long after it came, at the most.
const LONGEST_WAIT: Duration = Duration::from_secs(120);

/// What follows a look that was in vain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// It is looked for again at this time.
    Look(Timestamp),
    /// The event is given up.
    GiveUp,
}

/// The commit was looked for now and not found. Answers also what is remembered of that.
#[must_use]
pub fn look(before: Option<Missing>, now: Timestamp) -> (Missing, Next) {
    // A look in the future: the clock was set back since.
    let since = before.map_or(now, |before| before.since.min(now));
    let looks = before.map_or(0, |before| before.looks).saturating_add(1);
    let next = if looks >= FEWEST_LOOKS && now.since(since) >= PATIENCE {
        Next::GiveUp
    } else {
        Next::Look(now.after(effect::backoff(looks).min(LONGEST_WAIT)))
    };
    (Missing { since, looks }, next)
}

/// What is said of it while it is looked for, and once it is given up. `error` says what is missing, and where.
#[must_use]
pub fn say(missing: Missing, next: Next, error: &str) -> String {
    let Missing { since, looks } = missing;
    let times = if looks == 1 { "once".to_owned() } else { format!("{looks} times since {since}") };
    match next {
        Next::Look(_) => {
            let until = since.after(PATIENCE);
            format!("{error}, or has not come there yet (looked for {times}; given up after {until})")
        }
        Next::GiveUp => format!("{error} (looked for {times})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The seconds at which a commit that never comes is looked for.
    fn looks_at() -> Vec<i64> {
        let (mut now, mut missing, mut seconds) = (Timestamp(0), None, Vec::new());
        loop {
            seconds.push(now.0 / 1_000);
            let (remembered, next) = look(missing, now);
            missing = Some(remembered);
            match next {
                Next::Look(at) => now = at,
                Next::GiveUp => return seconds,
            }
        }
    }

    #[test]
    fn a_commit_is_looked_for_for_ten_minutes_at_least_every_other_minute() {
        assert_eq!(looks_at(), [0, 1, 3, 7, 15, 31, 63, 127, 247, 367, 487, 607]);
    }

    #[test]
    fn a_machine_that_slept_after_its_first_look_looks_several_times_more() {
        let (first, _) = look(None, Timestamp(0));
        let mut missing = first;
        for looks in 2..FEWEST_LOOKS {
            let (next, then) = look(Some(missing), Timestamp(86_400_000));
            assert!(matches!(then, Next::Look(_)), "{looks}");
            missing = next;
        }
        assert_eq!(look(Some(missing), Timestamp(86_400_000)).1, Next::GiveUp);
    }

    #[test]
    fn a_clock_that_was_set_back_does_not_make_the_wait_longer() {
        let before = Missing { since: Timestamp(86_400_000), looks: 3 };
        let (missing, _) = look(Some(before), Timestamp(0));
        assert_eq!(missing, Missing { since: Timestamp(0), looks: 4 });
    }

    #[test]
    fn people_are_told_how_long_it_is_looked_for_and_how_long_it_was() {
        let error = "`/srv/app` has no commit c0ffee: it may have been replaced by a forced push and removed";
        let once = Missing { since: Timestamp(1_795_244_400_000), looks: 1 };
        assert_eq!(
            say(once, Next::Look(Timestamp(0)), error),
            "`/srv/app` has no commit c0ffee: it may have been replaced by a forced push and removed, or has not \
             come there yet (looked for once; given up after 2026-11-21T07:10:00.000Z)"
        );
        let often = Missing { looks: 12, ..once };
        assert_eq!(
            say(often, Next::GiveUp, error),
            "`/srv/app` has no commit c0ffee: it may have been replaced by a forced push and removed (looked for \
             12 times since 2026-11-21T07:00:00.000Z)"
        );
    }
}
