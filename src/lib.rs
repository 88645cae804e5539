//! The library behind the `branchline` binary: its commands, and the embedded controller that they, the benchmarks and
//! the tests share. Decisions are not made here but in the crates below.

pub mod cli;
pub mod client;
pub mod command;
pub mod embedded;
pub mod show;

use std::io::Write;

/// Says something to the person. A closed standard error is no reason to end.
pub fn say(text: &str) {
    drop(writeln!(std::io::stderr(), "{text}"));
}

/// How many processors there are.
#[must_use]
pub fn processors() -> u16 {
    std::thread::available_parallelism()
        .map_or(2, |count| u16::try_from(count.get()).unwrap_or(1024).min(1024))
}
