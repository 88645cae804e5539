//! When the coverage is whole. Invariant: what is missing is either met by the ordinary run or listed here with the reason
//! why it cannot be.

use branchline_core::transition;
use branchline_model::{BuildStatus, Outcome, RunStatus};

use crate::coverage::{Coverage, Transition};
use crate::fault::Fault;

/// The faults that a commit may meet.
pub const COMMIT_FAULTS: &[Fault] = &[
    Fault::CrashBefore,
    Fault::CrashAfter,
    Fault::StoreUnavailable,
    Fault::StoreAnswerLost,
    Fault::StoreLate,
];

/// Whether a fault meets an operation, rather than the world.
#[must_use]
pub fn is_met_by_operations(fault: Fault) -> bool {
    !matches!(
        fault,
        Fault::DeliveryLost
            | Fault::DeliveryDoubled
            | Fault::DeliveryLate
            | Fault::ClockForward
            | Fault::ClockBack
            | Fault::GitLags
            | Fault::WorkersCutOff
            | Fault::ControllersAway
            | Fault::TicksAtOnce
            | Fault::WorkerDead
            | Fault::WorkerZombie
            | Fault::RowPoisoned
            | Fault::StoreKilled
    )
}

/// Every change of state that may be made, with the reason where none of the language leads there yet.
#[must_use]
pub fn transitions() -> Vec<(Transition, Option<&'static str>)> {
    let mut all: Vec<(Transition, Option<&'static str>)> = Vec::new();
    let statuses = run_statuses();
    for to in [RunStatus::Blocked, RunStatus::Queued] {
        all.push((Transition::Run(None, to), None));
    }
    for from in &statuses {
        for to in &statuses {
            if transition::may_follow(*from, *to) {
                all.push((Transition::Run(Some(*from), *to), unreachable_run(*from, *to)));
            }
        }
    }
    for to in [BuildStatus::Running, BuildStatus::Invalid] {
        all.push((Transition::Build(None, to), None));
    }
    for to in [
        BuildStatus::Running,
        BuildStatus::Passed,
        BuildStatus::Failed,
        BuildStatus::Errored,
        BuildStatus::Cancelled,
        BuildStatus::TimedOut,
    ] {
        all.push((Transition::Build(Some(BuildStatus::Running), to), None));
    }
    all
}

fn run_statuses() -> Vec<RunStatus> {
    use Outcome::{Cancelled, Errored, Failed, Passed, Skipped, TimedOut};
    let mut all = vec![
        RunStatus::Blocked,
        RunStatus::Held,
        RunStatus::Waiting,
        RunStatus::Queued,
        RunStatus::Starting,
        RunStatus::Running,
    ];
    all.extend([Passed, Failed, Errored, TimedOut, Cancelled, Skipped].map(RunStatus::Ended));
    all
}

/// Why this change cannot be yet, though the table allows it.
fn unreachable_run(from: RunStatus, to: RunStatus) -> Option<&'static str> {
    use RunStatus::{Blocked, Ended, Held, Queued, Waiting};
    match (from, to) {
        (Held, _) | (_, Held) => Some("nothing in the language asks for an approval yet"),
        (Waiting, _) | (_, Waiting) => Some("nothing in the language names a concurrency group yet"),
        (Blocked | Queued, Ended(Outcome::Errored)) => {
            Some("nothing ends as an error before a worker has it")
        }
        (Queued, Ended(Outcome::Skipped)) => Some("what is queued had all it needs"),
        _ => None,
    }
}

/// Which faults each operation of the controllers may meet.
#[must_use]
pub fn operations() -> Vec<(&'static str, Vec<Fault>)> {
    use Fault::{
        CrashAfter, CrashBefore, GitRefused, GitSlow, GitUnavailable, LauncherAnswerLost, LauncherAway,
        LogsAnswerLost, LogsUnavailable, StoreAnswerLost, StoreLate, StoreUnavailable, WordAnswerLost,
        WordDoubled, WordLate, WordLost, WorkerRestarted,
    };
    let reading = [CrashBefore, CrashAfter, StoreUnavailable];
    let writing = [CrashBefore, CrashAfter, StoreUnavailable, StoreAnswerLost, StoreLate];
    let git = [GitUnavailable, GitRefused, GitSlow];
    let logs = [LogsUnavailable, LogsAnswerLost];
    let word = [WordLost, WordAnswerLost, WordDoubled, WordLate, WorkerRestarted];
    let launcher = [LauncherAway, LauncherAnswerLost];
    vec![
        ("observe", [&writing[..], &git].concat()),
        ("resolve", [&writing[..], &git].concat()),
        ("start", [&writing[..], &git].concat()),
        ("tick", [&writing[..], &git, &launcher].concat()),
        ("advance", writing.to_vec()),
        ("perform", [&writing[..], &launcher].concat()),
        ("cancel_build", writing.to_vec()),
        ("cancel_run", writing.to_vec()),
        ("send_again", writing.to_vec()),
        ("look", reading.to_vec()),
        ("claim", [&writing[..], &word].concat()),
        ("held", [&reading[..], &word].concat()),
        ("heartbeat", [&writing[..], &word].concat()),
        ("begun", [&writing[..], &word].concat()),
        ("progress", [&writing[..], &word].concat()),
        ("append_log", [&reading[..], &logs, &word].concat()),
        ("begin_upload", [&writing[..], &word].concat()),
        ("put_upload", [&reading[..], &logs, &word].concat()),
        ("name_artifact", [&writing[..], &logs, &word].concat()),
        ("finish", [&writing[..], &logs, &word].concat()),
    ]
}

/// Every cell of the two tables that was not met though it may be, in words.
#[must_use]
pub fn missing(coverage: &Coverage) -> Vec<String> {
    let mut missing = Vec::new();
    for fault in Fault::ALL {
        // Killed is the store only where it is a process.
        if *fault != Fault::StoreKilled && !coverage.faults.contains_key(fault) {
            missing.push(format!("{} was never injected", fault.words()));
        }
    }
    for (transition, unreachable) in transitions() {
        if unreachable.is_some() {
            continue;
        }
        for fault in COMMIT_FAULTS {
            if !coverage.transitions.contains_key(&(transition.words(), *fault)) {
                missing.push(format!("{} × {}", transition.words(), fault.words()));
            }
        }
    }
    for (operation, faults) in operations() {
        for fault in faults {
            if !coverage.operations.contains_key(&(operation, fault)) {
                missing.push(format!("{operation} × {}", fault.words()));
            }
        }
    }
    missing
}
