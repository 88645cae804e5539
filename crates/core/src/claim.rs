//! A worker takes runs from a queue. Invariant: a run goes to one attempt at a time, with a number that no attempt
//! of it has had; the queue's entry goes with the claim.

use branchline_model::{
    Attempt, AttemptId, Expectation, HeldAttempt, Plan, QueueEntry, Run, RunState, Timestamp, Versioned,
    WorkerId, keys,
};

use crate::transition::{self, Forbidden};

/// Takes these runs for a worker. An entry whose run does not stand there any more is only removed.
pub fn claim(
    waiting: &[(Versioned<QueueEntry>, Option<Versioned<Run>>)],
    worker: &WorkerId,
    now: Timestamp,
) -> Result<(Plan, Vec<AttemptId>), Forbidden> {
    let mut plan = Plan::default();
    let mut taken = Vec::with_capacity(waiting.len());
    for (entry, run) in waiting {
        let key = keys::queue_entry(&entry.value.lane(), &entry.value.place);
        plan.delete(key, Expectation::Unchanged(entry.version));
        let Some(run) = run else { continue };
        if !matches!(&run.value.state, RunState::Queued { place, .. } if *place == entry.value.place) {
            continue;
        }
        let number = run.value.attempts + 1;
        let id = AttemptId { run: run.value.id.clone(), number };
        let starting = RunState::Starting { attempt: number, worker: worker.clone(), since: now, stop: None };
        let mut next = transition::change(&run.value, starting)?;
        next.attempts = number;
        plan.put(next, Expectation::Unchanged(run.version));
        plan.put(
            Attempt { id: id.clone(), worker: worker.clone(), claimed_at: now, report: None },
            Expectation::Absent,
        );
        plan.put(HeldAttempt { worker: worker.clone(), attempt: id.clone() }, Expectation::Absent);
        taken.push(id);
    }
    Ok((plan, taken))
}
