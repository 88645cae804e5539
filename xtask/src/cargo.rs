//! Finds the workspace, and calls cargo and other programs in it.
//!
//! `cargo run` tells its child which package it is (`CARGO_PKG_*`, `CARGO_MANIFEST_DIR`, …). Build scripts that watch
//! those variables (ring's does) would run again, and all that depends on them be compiled again, whenever a build is
//! started from here instead of from a shell. So they are taken away from every program started here.

use std::env;
use std::error::Error;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// No folder from here upwards holds this workspace.
#[derive(Debug)]
pub struct NotInWorkspace {
    from: PathBuf,
}

impl fmt::Display for NotInWorkspace {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} is not inside a checkout of Branchline\nhint: change into the checkout and run `cargo xtask` there",
            self.from.display()
        )
    }
}

impl Error for NotInWorkspace {}

/// The folder that holds the workspace's `Cargo.toml`.
///
/// # Errors
/// [`NotInWorkspace`] when neither cargo nor the current folder says where that is.
pub fn workspace_root() -> Result<PathBuf, NotInWorkspace> {
    let from = env::var_os("CARGO_MANIFEST_DIR")
        .map(PathBuf::from)
        .or_else(|| env::current_dir().ok())
        .unwrap_or_else(|| PathBuf::from("."));
    from.ancestors()
        .find(|folder| folder.join("xtask/Cargo.toml").is_file())
        .map(Path::to_path_buf)
        .ok_or(NotInWorkspace { from })
}

/// A call of cargo, at the workspace's root.
pub fn cargo<S: AsRef<OsStr>>(root: &Path, arguments: impl IntoIterator<Item = S>) -> Command {
    let mut command = program(root, env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")));
    command.args(arguments);
    command
}

/// A call of any program at the workspace's root, without standard input and without this package's variables.
pub fn program(root: &Path, name: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(name);
    command.current_dir(root).stdin(Stdio::null());
    for (variable, _) in env::vars_os() {
        if variable.to_str().is_some_and(says_which_package) {
            command.env_remove(variable);
        }
    }
    command
}

/// Whether cargo has a subcommand of that name here.
pub fn has_subcommand(root: &Path, name: &str) -> bool {
    cargo(root, [name, "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

fn says_which_package(variable: &str) -> bool {
    const NAMES: &[&str] = &[
        "CARGO_BIN_NAME",
        "CARGO_CRATE_NAME",
        "CARGO_MANIFEST_DIR",
        "CARGO_MANIFEST_PATH",
        "CARGO_PRIMARY_PACKAGE",
        "OUT_DIR",
    ];
    variable.starts_with("CARGO_PKG_") || NAMES.contains(&variable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workspace_is_found_from_inside_it() {
        let root = workspace_root().unwrap();
        assert!(root.join("Cargo.toml").is_file() && root.join("jobs-schema").is_dir(), "{}", root.display());
    }

    #[test]
    fn what_cargo_said_about_this_package_is_not_passed_on_and_the_rest_is() {
        let output = program(Path::new("/"), "env").output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(env::var_os("CARGO_PKG_NAME").is_some(), "this test proves nothing outside cargo");
        assert!(
            !text
                .lines()
                .any(|line| line.starts_with("CARGO_PKG_") || line.starts_with("CARGO_MANIFEST_DIR="))
        );
        assert!(text.lines().any(|line| line.starts_with("PATH=")));
    }

    #[test]
    fn a_subcommand_is_there_or_not() {
        let root = workspace_root().unwrap();
        assert!(has_subcommand(&root, "fmt"));
        assert!(!has_subcommand(&root, "no-such-subcommand"));
    }
}
