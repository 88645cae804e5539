//! What the system lets one process have.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Lets this process open as many files as it may: each run that is followed holds a few open, and the usual soft limit is
/// meant for programs that `select`. Where that cannot be, it goes on with what it has.
pub fn raise_open_files() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(_, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard));
    if let Err(error) = raised {
        tracing::warn!(%error, "the number of files that may be open stays as it is");
    }
}
