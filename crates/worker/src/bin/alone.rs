//! The supervisor and its spawner without the rest of `branchline`: the tests' workers start them.

use std::process::ExitCode;

fn main() -> ExitCode {
    branchline_supervisor::main_if_asked().unwrap_or(ExitCode::from(2))
}
