//! Where a log's files lie: `logs/<repository>/<build>/<run>.<attempt>.log`, with `.open` behind it until it is closed,
//! and beside it its times in `….times`, the beginnings of its lines in `….lines`. Invariant: every part of a name is a checked id, so no name leads elsewhere.

use std::path::{Path, PathBuf};

use branchline_model::AttemptId;

/// The files of one log.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    /// Under this name the log is written.
    pub(crate) open: PathBuf,
    /// Under this name it lies once it is closed: that it does is what says so.
    pub(crate) closed: PathBuf,
    /// When its lines came.
    pub(crate) times: PathBuf,
    /// Where its lines begin.
    pub(crate) lines: PathBuf,
    /// The build's folder, the repository's, and the one of all logs: each must be synced for what it newly holds.
    pub(crate) folders: [PathBuf; 3],
}

impl Names {
    pub(crate) fn of(logs: &Path, attempt: &AttemptId) -> Self {
        let build = &attempt.run.build;
        let of_repository = logs.join(build.repository.as_str());
        let of_build = of_repository.join(build.number.to_string());
        let file = |end: &str| of_build.join(format!("{}.{}.{end}", attempt.run.index, attempt.number));
        Self {
            open: file("log.open"),
            closed: file("log"),
            times: file("times"),
            lines: file("lines"),
            folders: [of_build, of_repository, logs.to_owned()],
        }
    }
}
