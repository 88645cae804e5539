//! Which builds are kept. Invariants: a build that has not ended is never retired, nor is the newest of its pipeline that has;
//! and an event is remembered for as long as it may be delivered again, or it would be built again.
//!
//! A build that ends leaves a deadline that is due at once. Acting on it lists the build among those of its pipeline, retires
//! those that are too many, and sets the deadline at which the build's own days are over. So nothing looks through all builds,
//! and whatever is cut off is found by its deadline again.

use std::time::Duration;

use branchline_model::{
    Build, Deadline, DeadlineKind, Event, EventKey, EventKind, EventStatus, Expectation, KeptBuild, Plan,
    Retention, Timestamp,
};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A manual start may be asked for again under the same idempotency key for so long, and an event that made no build may be
/// looked at.
pub const EVENTS_REMEMBERED: Duration = DAY.saturating_mul(90);

/// Leaves the deadline of a build that has just ended.
pub fn ended(plan: &mut Plan, build: &Build, retention: Retention, now: Timestamp) {
    let kept = KeptBuild {
        build: build.id.clone(),
        pipeline: build.pipeline.clone(),
        cause: build.cause.clone(),
        until: now.after(DAY.saturating_mul(retention.days)),
    };
    let of = DeadlineKind::BuildEnded { build: kept, keep: retention.builds };
    plan.put(Deadline { at: now, of }, Expectation::Any);
}

/// Which of a pipeline's builds are to be retired: those beyond so many, and those whose days are over; never the newest.
#[must_use]
pub fn surplus(newest_first: &[KeptBuild], keep: u32, now: Timestamp) -> Vec<&KeptBuild> {
    let keep = usize::try_from(keep).unwrap_or(usize::MAX).max(1);
    newest_first
        .iter()
        .enumerate()
        .skip(1)
        .filter(|(index, kept)| *index >= keep || kept.until <= now)
        .map(|(_, kept)| kept)
        .collect()
}

/// What becomes of an event none of whose builds is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Memory {
    /// It goes with them: it cannot come again.
    Forget,
    /// It is remembered until then.
    Until(Timestamp),
}

/// What becomes of an event none of whose builds is left. That a ref moved is remembered by the ref's own row, whose
/// generation only grows; nothing but the event itself remembers any other kind.
#[must_use]
pub fn memory(event: &Event, now: Timestamp) -> Memory {
    let until = event.accepted_at.after(EVENTS_REMEMBERED);
    match &event.kind {
        EventKind::RefMoved { .. } => Memory::Forget,
        _ if until <= now => Memory::Forget,
        _ => Memory::Until(until),
    }
}

/// What becomes of an event of which nobody can read when it was accepted, nor what else it made: it is remembered for as long as
/// any other that is accepted now.
#[must_use]
pub fn memory_of_unreadable(now: Timestamp) -> Memory {
    Memory::Until(now.after(EVENTS_REMEMBERED))
}

/// Sets the deadline at which an event is forgotten that made no build.
pub(crate) fn forget_later(plan: &mut Plan, event: &Event) {
    let of = DeadlineKind::ForgetEvent { event: event.key.clone() };
    plan.put(Deadline { at: event.accepted_at.after(EVENTS_REMEMBERED), of }, Expectation::Any);
}

/// The deadline at which an event is forgotten.
#[must_use]
pub fn forget_at(event: &EventKey, at: Timestamp) -> Deadline {
    Deadline { at, of: DeadlineKind::ForgetEvent { event: event.clone() } }
}

/// The deadline at which a build's days are over.
#[must_use]
pub fn retire_at(kept: &KeptBuild) -> Deadline {
    Deadline { at: kept.until, of: DeadlineKind::RetireBuild { build: kept.clone() } }
}

/// Whether an event still waits for its decision.
#[must_use]
pub fn is_pending(event: &Event) -> bool {
    matches!(event.status, EventStatus::Pending { .. })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(number: u64, until: i64) -> KeptBuild {
        KeptBuild {
            build: format!("app-1/{number}").parse().unwrap(),
            pipeline: branchline_model::PipelineName::new("ci"),
            cause: EventKey::new("app-1/refs/heads/main/1"),
            until: Timestamp(until),
        }
    }

    fn retired(newest_first: &[KeptBuild], keep: u32) -> Vec<u64> {
        surplus(newest_first, keep, Timestamp(1_000)).into_iter().map(|kept| kept.build.number).collect()
    }

    #[test]
    fn what_is_beyond_the_number_goes() {
        let all: Vec<_> = (1..=5).rev().map(|number| kept(number, 9_999)).collect();
        assert_eq!(retired(&all, 3), [2, 1]);
        assert_eq!(retired(&all, 5), [0; 0]);
        assert_eq!(retired(&all, 1), [4, 3, 2, 1]);
    }

    #[test]
    fn what_is_too_old_goes_however_few_there_are() {
        assert_eq!(retired(&[kept(3, 9_999), kept(2, 1_000), kept(1, 1_001)], 100), [2]);
    }

    #[test]
    fn the_newest_stays_however_old_it_is() {
        assert_eq!(retired(&[kept(3, 1), kept(2, 1)], 100), [2]);
        assert_eq!(retired(&[kept(3, 1)], 0), [0; 0]);
    }
}
