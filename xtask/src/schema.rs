//! `cargo xtask schema`: writes jobs-schema/pipeline.schema.json. The crate's own test makes the text and compares it; told
//! to, it writes it instead, so that checking and writing cannot differ.

use std::path::Path;
use std::process::ExitCode;

use crate::{cargo, terminal};

/// Writes the schema.
pub fn run(root: &Path) -> ExitCode {
    let mut command = cargo::cargo(
        root,
        ["test", "--quiet", "--locked", "--package", "branchline-jobs-schema", "--test", "schema"],
    );
    match command.env("UPDATE_EXPECT", "1").status() {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            terminal::complain(&format!("cargo cannot be run: {error}"));
            ExitCode::from(2)
        }
    }
}
