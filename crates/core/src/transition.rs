//! Which state of a run may follow which: the one table. Invariant: terminal is final, and no decision in this
//! crate changes a run's state but through [`change`].

use branchline_model::{Outcome, Run, RunId, RunState, RunStatus};

/// A run was to be given a state that cannot follow the one it has: a defect in the decision, never a fact of life.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("run {run} is {}: it cannot become {}", from.word(), to.word())]
pub struct Forbidden {
    /// Which run.
    pub run: RunId,
    /// What it is.
    pub from: RunStatus,
    /// What it was to become.
    pub to: RunStatus,
}

/// Gives the run its next state.
pub fn change(run: &Run, to: RunState) -> Result<Run, Forbidden> {
    let (from, next) = (run.state.status(), to.status());
    if !may_follow(from, next) {
        return Err(Forbidden { run: run.id.clone(), from, to: next });
    }
    Ok(Run { state: to, ..run.clone() })
}

/// The table. A state may follow itself where only its evidence changes (a stop that was asked for).
#[must_use]
pub fn may_follow(from: RunStatus, to: RunStatus) -> bool {
    use Outcome::{Cancelled, Errored, Failed, Passed, Skipped, TimedOut};
    use RunStatus::{Blocked, Ended, Held, Queued, Running, Starting, Waiting};
    match (from, to) {
        // What it needs has ended well: on to whatever it still has to wait for.
        (Blocked, Held | Waiting | Queued) | (Held, Waiting | Queued) | (Waiting, Queued) => true,
        // What it needs did not end well, or someone ends it before a worker has it.
        (Blocked | Held | Waiting | Queued, Ended(Skipped | Cancelled | TimedOut | Errored)) => true,
        // A worker takes it (or one that was lost before it began comes back), begins, and may be asked to stop at any time.
        (Queued, Starting) | (Starting, Starting | Running) | (Running, Running) => true,
        // The attempt is lost before or after it began, and the run is tried again.
        (Starting | Running, Queued) => true,
        // The same attempt comes back before another one was begun (`lease::come_back` sees to that).
        (Queued, Running) => true,
        // The last word. An attempt that was so quick that its beginning was not reported ends from `starting`.
        (Starting | Running, Ended(Passed | Failed | Errored | TimedOut | Cancelled)) => true,
        (Starting | Running, Ended(Skipped)) => false,
        (Blocked | Held | Waiting | Queued, Ended(Passed | Failed)) => false,
        (Blocked, Blocked | Starting | Running) => false,
        (Held, Blocked | Held | Starting | Running) => false,
        (Waiting, Blocked | Held | Waiting | Starting | Running) => false,
        (Queued, Blocked | Held | Waiting | Queued) => false,
        (Starting | Running, Blocked | Held | Waiting) | (Running, Starting) => false,
        (Ended(_), Blocked | Held | Waiting | Queued | Starting | Running | Ended(_)) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTCOMES: [Outcome; 6] = [
        Outcome::Passed,
        Outcome::Failed,
        Outcome::Errored,
        Outcome::TimedOut,
        Outcome::Cancelled,
        Outcome::Skipped,
    ];

    fn every_status() -> Vec<RunStatus> {
        use RunStatus::{Blocked, Ended, Held, Queued, Running, Starting, Waiting};
        let mut all = vec![Blocked, Held, Waiting, Queued, Starting, Running];
        all.extend(OUTCOMES.map(Ended));
        all
    }

    #[test]
    fn nothing_follows_an_end() {
        for outcome in OUTCOMES {
            for to in every_status() {
                assert!(!may_follow(RunStatus::Ended(outcome), to), "{outcome:?} → {to:?}");
            }
        }
    }

    #[test]
    fn every_state_can_come_to_an_end() {
        for from in every_status() {
            if !matches!(from, RunStatus::Ended(_)) {
                assert!(may_follow(from, RunStatus::Ended(Outcome::Cancelled)), "{from:?}");
            }
        }
    }

    #[test]
    fn a_run_passes_only_from_the_hands_of_a_worker() {
        for from in every_status() {
            let held = matches!(from, RunStatus::Starting | RunStatus::Running);
            assert_eq!(may_follow(from, RunStatus::Ended(Outcome::Passed)), held, "{from:?}");
        }
    }

    #[test]
    fn what_a_worker_has_is_not_skipped() {
        assert!(!may_follow(RunStatus::Running, RunStatus::Ended(Outcome::Skipped)));
        assert!(!may_follow(RunStatus::Starting, RunStatus::Ended(Outcome::Skipped)));
    }
}
