//! `cargo xtask simulate …`: lets histories happen on the worst store there may be. The simulator itself reads what
//! follows; it is built as for tests, whose profile optimises what it is made of.

use std::path::Path;
use std::process::ExitCode;

use crate::{cargo, terminal};

/// Runs the simulator with these arguments.
pub fn run(root: &Path, arguments: &[String]) -> ExitCode {
    let mut command =
        cargo::cargo(root, ["run", "--quiet", "--locked", "--package", "branchline-simulator", "--"]);
    match command.args(arguments).status() {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            terminal::complain(&format!("cargo cannot be run: {error}"));
            ExitCode::from(2)
        }
    }
}
