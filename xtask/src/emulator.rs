//! The emulator of DynamoDB that some tests use: installed in a Python environment of its own under the target folder,
//! at the versions in the testkit. The tests start it themselves, and it ends by itself.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use crate::cargo::program;
use crate::needs;
use crate::step::{Outcome, shown};
use crate::terminal;

/// A test that speaks DynamoDB's protocol is marked `#[ignore = "needs a DynamoDB"]` and runs where there is one.
pub const DYNAMODB: &str = "a DynamoDB";

/// The variable that says where else a DynamoDB is: an endpoint, or `aws`.
const ENDPOINT: &str = "BRANCHLINE_TEST_DYNAMODB_ENDPOINT";

/// Where the testkit looks for it, within the target folder.
const INSTALLED_IN: &str = "tools/dynamodb-emulator";

/// What is installed.
const REQUIREMENTS: &str = "crates/testkit/emulator/requirements.txt";

/// Makes sure that there is a DynamoDB for the tests.
///
/// # Errors
/// What is missing, and what to do.
pub fn meet(root: &Path) -> Result<(), String> {
    if env::var_os(ENDPOINT).is_some_and(|value| !value.is_empty()) {
        return Ok(());
    }
    let wanted =
        fs::read_to_string(root.join(REQUIREMENTS)).map_err(|error| format!("{REQUIREMENTS}: {error}"))?;
    let folder = target_folder(root).join(INSTALLED_IN);
    let stamp = folder.join("requirements.txt");
    if is_installed(&stamp, &wanted) {
        return Ok(());
    }
    let mut has_venv = program(root, "python3");
    has_venv.args(["-c", "import ensurepip, venv"]);
    if !has_venv.output().is_ok_and(|output| output.status.success()) {
        needs::install_if_allowed(root, &["python3-venv"]).map_err(|because| {
            format!("Python 3 with venv is not here (package python3-venv), and {because}")
        })?;
    }
    terminal::say(&format!("installing the DynamoDB emulator in {}", folder.display()));
    let mut environment = program(root, "python3");
    environment.args(["-m", "venv", "--clear"]).arg(&folder);
    let mut packages = program(root, folder.join("bin/python"));
    packages.args(["-m", "pip", "install", "-q", "--disable-pip-version-check", "-r", REQUIREMENTS]);
    for command in [&mut environment, &mut packages] {
        if let Outcome::Failed(why) = shown(command) {
            return Err(format!("the DynamoDB emulator could not be installed: {why}"));
        }
    }
    // Last, so that what was begun and not ended is begun again.
    fs::write(&stamp, wanted).map_err(|error| format!("{}: {error}", stamp.display()))
}

fn is_installed(stamp: &Path, wanted: &str) -> bool {
    fs::read_to_string(stamp).is_ok_and(|installed| installed == wanted)
}

fn target_folder(root: &Path) -> PathBuf {
    match env::var_os("CARGO_TARGET_DIR").filter(|folder| !folder.is_empty()) {
        Some(folder) => root.join(folder),
        None => root.join("target"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(path: &str) -> String {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        fs::read_to_string(root.join(path)).unwrap()
    }

    #[test]
    fn the_testkit_looks_where_it_is_installed() {
        let testkit = source("crates/testkit/src/emulator.rs");
        for text in [INSTALLED_IN, ENDPOINT] {
            assert!(testkit.contains(&format!("\"{text}\"")), "{text}");
        }
        assert!(
            source("crates/store/tests/emulator.rs").contains(&format!("#[ignore = \"needs {DYNAMODB}\"]"))
        );
    }

    #[test]
    fn versions_are_pinned() {
        let wanted = source(REQUIREMENTS);
        let lines: Vec<&str> = wanted.lines().filter(|line| !line.starts_with('#')).collect();
        assert!(!lines.is_empty() && lines.iter().all(|line| line.contains("==")), "{lines:?}");
    }

    #[test]
    fn what_is_installed_in_part_or_in_another_version_is_installed_again() {
        assert!(!is_installed(Path::new("/no/such/folder/requirements.txt"), "moto==1"));
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
        assert!(!is_installed(&manifest, "moto==1"));
        assert!(is_installed(&manifest, &fs::read_to_string(&manifest).unwrap()));
    }
}
