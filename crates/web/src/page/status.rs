//! How a state is shown: an icon, a tone and the word, so that no one depends on colours.

use branchline_model::{BuildStatus, Outcome, RunStatus};

/// A state's looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    /// The word, as people read it.
    pub(crate) word: &'static str,
    /// The name of its icon in the layout.
    pub(crate) icon: &'static str,
    /// The class of its colours: good, bad, active, idle or quiet.
    pub(crate) tone: &'static str,
}

const fn shown(word: &'static str, icon: &'static str, tone: &'static str) -> Shown {
    Shown { word, icon, tone }
}

pub(crate) fn run(status: RunStatus) -> Shown {
    match status {
        RunStatus::Blocked => shown("blocked", "idle", "idle"),
        RunStatus::Held => shown("held", "idle", "idle"),
        RunStatus::Waiting => shown("waiting", "idle", "idle"),
        RunStatus::Queued => shown("queued", "idle", "idle"),
        RunStatus::Starting => shown("starting", "active", "active"),
        RunStatus::Running => shown("running", "active", "active"),
        RunStatus::Ended(Outcome::Passed) => shown("passed", "passed", "good"),
        RunStatus::Ended(Outcome::Failed) => shown("failed", "failed", "bad"),
        RunStatus::Ended(Outcome::Errored) => shown("errored", "errored", "bad"),
        RunStatus::Ended(Outcome::TimedOut) => shown("timed out", "late", "bad"),
        RunStatus::Ended(Outcome::Cancelled) => shown("cancelled", "cancelled", "quiet"),
        RunStatus::Ended(Outcome::Skipped) => shown("skipped", "skipped", "quiet"),
    }
}

pub(crate) fn build(status: BuildStatus) -> Shown {
    match status {
        BuildStatus::Waiting => shown("waiting", "idle", "idle"),
        BuildStatus::Running => shown("running", "active", "active"),
        BuildStatus::Passed => shown("passed", "passed", "good"),
        BuildStatus::Failed => shown("failed", "failed", "bad"),
        BuildStatus::Errored => shown("errored", "errored", "bad"),
        BuildStatus::Cancelled => shown("cancelled", "cancelled", "quiet"),
        BuildStatus::TimedOut => shown("timed out", "late", "bad"),
        BuildStatus::Skipped => shown("skipped", "skipped", "quiet"),
        BuildStatus::Superseded => shown("superseded", "skipped", "quiet"),
        BuildStatus::Invalid => shown("invalid", "errored", "bad"),
    }
}
