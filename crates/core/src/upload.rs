//! An attempt uploads an artifact. Invariant: only the attempt that holds the run begins an upload or names one, and the run's row
//! is part of the condition; an upload is named or removed, never both, because each is a change of its row.

use std::time::Duration;

use branchline_model::{
    Artifact, Change, Deadline, DeadlineKind, Expectation, Plan, Run, RunState, Timestamp, Upload,
    UploadState, Versioned, WorkerId, keys,
};

/// Why an upload is not begun or named.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The attempt does not hold the run.
    #[error("the attempt does not hold the run")]
    Fenced,
    /// The attempt has an artifact of this name already, which holds something else.
    #[error("there is an artifact of this name already")]
    Taken,
    /// Its time is out.
    #[error("the time of the upload is out")]
    Over,
}

/// That this worker's attempt holds the run now.
fn hold(run: &Versioned<Run>, number: u32, worker: &WorkerId) -> Result<Change, Refused> {
    match &run.value.state {
        RunState::Starting { attempt, worker: holder, .. }
        | RunState::Running { attempt, worker: holder, .. }
            if *attempt == number && holder == worker =>
        {
            Ok(Change::Check { key: keys::run(&run.value.id), expected: Expectation::Unchanged(run.version) })
        }
        _ => Err(Refused::Fenced),
    }
}

fn deadline(upload: &Upload) -> Deadline {
    let of = DeadlineKind::Upload { attempt: upload.attempt.clone(), upload: upload.id.clone() };
    Deadline { at: upload.ends_at, of }
}

/// Records an upload before anybody may write its object.
pub fn begin(run: &Versioned<Run>, upload: Upload) -> Result<Plan, Refused> {
    let mut plan = Plan::default();
    plan.changes.push(hold(run, upload.attempt.number, &upload.worker)?);
    plan.put(deadline(&upload), Expectation::Any);
    plan.put(upload, Expectation::Absent);
    Ok(plan)
}

/// Makes the object of an upload, which is there and holds what was said, an artifact. `there`: the attempt's artifact of that name;
/// `keep`: how long it is kept, where its build may be kept for longer.
pub fn name(
    run: &Versioned<Run>,
    upload: &Versioned<Upload>,
    there: Option<&Artifact>,
    keep: Option<Duration>,
    now: Timestamp,
) -> Result<Plan, Refused> {
    let Upload { attempt, worker, name, key, content, .. } = &upload.value;
    let mut plan = Plan::default();
    plan.changes.push(hold(run, attempt.number, worker)?);
    if upload.value.state == UploadState::Removing {
        return Err(Refused::Over);
    }
    if there.is_some() {
        return Err(Refused::Taken);
    }
    let artifact = Artifact {
        attempt: attempt.clone(),
        name: name.clone(),
        key: key.clone(),
        content: content.clone(),
        named_at: now,
    };
    plan.put(artifact, Expectation::Absent);
    if let Some(keep) = keep {
        let of = DeadlineKind::Artifact { attempt: attempt.clone(), name: name.clone() };
        plan.put(Deadline { at: now.after(keep), of }, Expectation::Any);
    }
    plan.delete(keys::upload(attempt, &upload.value.id), Expectation::Unchanged(upload.version));
    plan.delete(keys::deadline(&deadline(&upload.value)), Expectation::Any);
    Ok(plan)
}

/// Says that an upload whose time is out is never named. Only then may its object be removed.
#[must_use]
pub fn give_up(upload: &Versioned<Upload>) -> Plan {
    let mut plan = Plan::default();
    if upload.value.state == UploadState::Open {
        let removing = Upload { state: UploadState::Removing, ..upload.value.clone() };
        plan.put(removing, Expectation::Unchanged(upload.version));
    }
    plan
}
