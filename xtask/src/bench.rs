//! `cargo xtask bench NAME`: runs one benchmark in release mode. Figures are ratios, or have their bound beside them;
//! none of them is a test, because a busy machine is no defect.

use std::path::Path;
use std::process::{Command, ExitCode};

use crate::{cargo, terminal};

/// Every benchmark: its name, the package and target that hold it, what it measures.
pub const BENCHES: &[(&str, &str, &str, &str)] = &[
    ("pickup", "branchline", "pickup", "a commit → the first byte stored; a start → the process"),
    ("throughput", "branchline", "throughput", "1,000 runs of `true` against xargs, and memory"),
    ("resolve", "branchline-checkout", "resolve", "the specs of a commit against git clone and git show"),
    ("store", "branchline", "durable", "claims, accepted events and memory with a million runs and builds"),
    ("rows", "branchline-store", "store", "commits, reads and pages of the store's back ends"),
    ("planning", "branchline-core", "planning", "a push that makes 1,024 runs, planned whole"),
    ("language", "branchline-jobs-schema", "language", "a file of 100 KB read and checked whole"),
    ("logs", "branchline-artifacts", "artifacts", "tiny logs appended and closed"),
];

/// Runs one benchmark.
pub fn run(root: &Path, name: &str) -> ExitCode {
    let Some((_, package, target, _)) = BENCHES.iter().find(|(known, ..)| *known == name) else {
        terminal::complain(&format!("there is no benchmark `{name}`"));
        return ExitCode::from(2);
    };
    let mut command: Command =
        cargo::cargo(root, ["bench", "--quiet", "--locked", "--package", package, "--bench", target]);
    match command.status() {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            terminal::complain(&format!("cargo cannot be run: {error}"));
            ExitCode::from(2)
        }
    }
}
