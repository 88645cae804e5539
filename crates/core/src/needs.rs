//! What jobs need of each other. Invariant: a job has ended when every one of its runs has; what that comes to is said
//! here alone.

use std::collections::BTreeMap;

use branchline_model::{EndReason, JobDefinition, Need, Outcome, Wanted};

use crate::outcome;

/// How a job ended, all its runs taken together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobEnd {
    /// The worst of its runs; skipped only where all were.
    pub outcome: Outcome,
    /// Whether what needs it goes on where nothing else is said.
    pub lets_go_on: bool,
}

/// How a job ended; `None` while a run of it has not.
#[must_use]
pub fn end_of(job: &JobDefinition, ended: &BTreeMap<u32, Outcome>) -> Option<JobEnd> {
    let mut worst = Outcome::Skipped;
    let mut stopped = false;
    for (run, cell) in job.runs().zip(&job.cells) {
        let outcome = *ended.get(&run)?;
        if severity(outcome) > severity(worst) {
            worst = outcome;
        }
        stopped |= outcome != Outcome::Skipped && !outcome::lets_go_on(outcome, cell.allow_failure);
    }
    Some(JobEnd { outcome: worst, lets_go_on: !stopped && worst != Outcome::Skipped })
}

fn severity(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Skipped => 0,
        Outcome::Passed => 1,
        Outcome::Cancelled => 2,
        Outcome::Errored => 3,
        Outcome::TimedOut => 4,
        Outcome::Failed => 5,
    }
}

/// Whether a job that ended so is what was wanted of it.
#[must_use]
pub fn is_met(wanted: Wanted, end: JobEnd) -> bool {
    match wanted {
        Wanted::Passed => end.lets_go_on,
        Wanted::Failed => is_failure(end.outcome),
        Wanted::Any => true,
    }
}

/// Whether it was begun, or was to be, and did not pass.
#[must_use]
pub fn is_failure(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Failed | Outcome::Errored | Outcome::TimedOut)
}

/// Why a job is skipped that needs one that ended otherwise than is wanted.
#[must_use]
pub fn unmet(need: &Need) -> EndReason {
    match need.wanted {
        Wanted::Passed => EndReason::NeedsFailed { job: need.job.clone() },
        wanted => EndReason::NeedNotMet { job: need.job.clone(), wanted },
    }
}

#[cfg(test)]
mod tests {
    use branchline_model::{Cell, JobName, PoolName};

    use super::*;

    fn job(allowed: &[bool]) -> JobDefinition {
        JobDefinition {
            name: JobName::new("test"),
            needs: Vec::new(),
            fail_fast: true,
            max_parallel: None,
            pool: PoolName::new("default"),
            first: 1,
            cells: allowed
                .iter()
                .map(|allow_failure| Cell { allow_failure: *allow_failure, ..Cell::default() })
                .collect(),
            late: None,
        }
    }

    fn end(allowed: &[bool], outcomes: &[Outcome]) -> Option<(Outcome, bool)> {
        let ended = (1..).zip(outcomes.iter().copied()).collect();
        end_of(&job(allowed), &ended).map(|end| (end.outcome, end.lets_go_on))
    }

    #[test]
    fn a_job_ends_with_its_last_run_and_as_the_worst_of_them() {
        use Outcome::{Cancelled, Errored, Failed, Passed, Skipped};
        assert_eq!(end(&[false, false], &[Passed]), None);
        assert_eq!(end(&[false, false], &[Passed, Passed]), Some((Passed, true)));
        assert_eq!(end(&[false, false], &[Passed, Skipped]), Some((Passed, true)));
        assert_eq!(end(&[false, false], &[Skipped, Skipped]), Some((Skipped, false)));
        assert_eq!(end(&[false, false], &[Cancelled, Failed]), Some((Failed, false)));
        assert_eq!(end(&[true, false], &[Failed, Passed]), Some((Failed, true)));
        assert_eq!(end(&[true, false], &[Failed, Errored]), Some((Failed, false)));
    }
}
