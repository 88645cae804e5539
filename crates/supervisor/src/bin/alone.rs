//! The supervisor and its spawner without the rest of `branchline`, and a follower to be killed: for tests of this crate.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use branchline_supervisor::{AttemptDirectory, Follower};

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<ExitCode, Failure> {
    if let Some(code) = branchline_supervisor::main_if_asked() {
        return Ok(code);
    }
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    match arguments.as_slice() {
        [word, directory, copy] if word == "follow" => follow(directory.as_ref(), copy.as_ref()),
        _ => Ok(ExitCode::from(2)),
    }
}

/// Appends an attempt's log to a copy of it, from where the copy ends, until the log has ended.
fn follow(directory: &Path, copy: &Path) -> Result<ExitCode, Failure> {
    let directory = AttemptDirectory::named(directory)?;
    let copied = fs::metadata(copy).map_or(0, |copy| copy.len());
    let mut copy = OpenOptions::new().append(true).create(true).open(copy)?;
    let mut follower = Follower::open(&directory, copied)?;
    loop {
        follower.read_state()?;
        let piece = follower.read_log(4096)?;
        copy.write_all(&piece.bytes)?;
        match &follower.observed().end {
            Some(ended) if ended.log_length == follower.offset() => return Ok(ExitCode::SUCCESS),
            _ if piece.bytes.is_empty() => thread::sleep(Duration::from_millis(1)),
            _ => {}
        }
    }
}
