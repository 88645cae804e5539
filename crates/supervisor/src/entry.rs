//! The hidden words of the `branchline` binary: the supervisor and its spawner are the same program. Invariant: they are looked
//! for before anything else is done, so that neither has a second thread or anything big in memory.

use std::ffi::OsStr;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use crate::directory::AttemptDirectory;
use crate::spawner;
use crate::supervise::{Supervised, supervise};

/// `branchline supervise-attempt DIRECTORY`: carries out an attempt in this process.
pub const SUPERVISOR_WORD: &str = "supervise-attempt";

/// `branchline spawn-supervisors`: forks a supervisor for each request on its stdin, a socket.
pub const SPAWNER_WORD: &str = "spawn-supervisors";

/// What `main` does first of all: where the first argument is one of the hidden words, carries it out and answers with what to
/// end with.
#[must_use]
pub fn main_if_asked() -> Option<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    let word = arguments.next()?;
    if word == SPAWNER_WORD {
        return Some(match spawner::serve() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => failed(&format!("cannot start supervisors: {error}")),
        });
    }
    if word == SUPERVISOR_WORD {
        let code = match (arguments.next(), arguments.next()) {
            (Some(directory), None) => supervise_at(&directory),
            _ => return Some(failed("say which attempt's directory, and nothing else")),
        };
        return Some(ExitCode::from(code));
    }
    None
}

/// Supervises, and says the exit code: 0 carried out, 1 failed, 3 nothing to do (another lives, or it had ended).
pub(crate) fn supervise_at(directory: &OsStr) -> u8 {
    match AttemptDirectory::named(Path::new(directory)).and_then(|directory| supervise(&directory)) {
        Ok(Supervised::CarriedOut | Supervised::Buried) => 0,
        Ok(Supervised::AnotherLives | Supervised::HadEnded) => 3,
        Err(error) => {
            // Stderr is the file `errors` of the attempt by now, or the caller's.
            let _ = writeln!(io::stderr(), "{error}");
            1
        }
    }
}

fn failed(words: &str) -> ExitCode {
    let _ = writeln!(io::stderr(), "error: {words}");
    ExitCode::FAILURE
}
