//! A worker takes runs from a queue. Invariant: a run goes to one attempt at a time, with a number that no attempt
//! of it has had; the queue's entry goes with the claim.

use branchline_model::{
    Attempt, AttemptId, EndReason, EndedRun, Expectation, Outcome, Plan, QueueEntry, Run, RunState,
    Timestamp, Versioned, WorkerId, keys,
};

use crate::transition::{self, Forbidden};
use crate::{lease, queue};

/// Whether a run waits at this very place.
#[must_use]
pub fn waits_at(run: &Versioned<Run>, entry: &Versioned<QueueEntry>) -> bool {
    matches!(&run.value.state, RunState::Queued { place, .. } if *place == entry.value.place)
}

/// Ends a run that waits in a queue and cannot be carried out, since what it is to do is lost or cannot be understood.
pub fn end_without_definition(run: &Versioned<Run>, now: Timestamp) -> Result<Plan, Forbidden> {
    let mut plan = Plan::default();
    queue::dequeue(&mut plan, &run.value);
    let began_at = lease::forget(&mut plan, &run.value);
    let reason = EndReason::Unreadable {
        what: format!("what it is to do (`{}`) cannot be read", keys::run_definition(&run.value.id)),
    };
    let outcome = Outcome::Errored;
    let ended = RunState::Ended { outcome, reason: Some(reason), began_at, at: now };
    plan.put(transition::change(&run.value, ended)?, Expectation::Unchanged(run.version));
    plan.put(EndedRun { run: run.value.id.clone(), job: run.value.job.clone(), outcome }, Expectation::Any);
    Ok(plan)
}

/// Takes these runs for a worker. An entry whose run does not stand there any more, or cannot be read, is only removed, so that
/// it stands in nobody's way: the place is known to the run.
pub fn claim(
    waiting: &[(Versioned<QueueEntry>, Option<Versioned<Run>>)],
    worker: &WorkerId,
    now: Timestamp,
    policy: &lease::Policy,
) -> Result<(Plan, Vec<AttemptId>), Forbidden> {
    let mut plan = Plan::default();
    let mut taken = Vec::with_capacity(waiting.len());
    for (entry, run) in waiting {
        let key = keys::queue_entry(&entry.value.lane(), &entry.value.place);
        plan.delete(key, Expectation::Unchanged(entry.version));
        let Some(run) = run else { continue };
        if !waits_at(run, entry) {
            continue;
        }
        let number = run.value.attempts + 1;
        let id = AttemptId { run: run.value.id.clone(), number };
        let starting = RunState::Starting { attempt: number, worker: worker.clone(), since: now, stop: None };
        let mut next = transition::change(&run.value, starting)?;
        next.attempts = number;
        plan.put(next, Expectation::Unchanged(run.version));
        plan.put(
            Attempt { id: id.clone(), worker: worker.clone(), claimed_at: now, report: None, lost: None },
            Expectation::Absent,
        );
        lease::forget(&mut plan, &run.value);
        lease::grant(&mut plan, worker, &id, Expectation::Absent, now, policy);
        taken.push(id);
    }
    Ok((plan, taken))
}
