//! What the tests need of the machine, beyond Rust: one list, looked for before anything is built.
//!
//! On Debian and its kin, as root, what is missing is installed. Anywhere else nothing is touched: what is missing is
//! said, with the command that would install it. Containers, SSH servers and clouds are not needed by any test yet.

use std::env;
use std::error::Error;
use std::fmt;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cargo::program;
use crate::step::{Outcome, shown};
use crate::terminal;

/// Something a test runs or opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Need {
    /// The Debian package that brings it.
    package: &'static str,
    /// A command that is there when the package is.
    command: &'static str,
    /// What it is for.
    purpose: &'static str,
}

const NEEDS: &[Need] = &[
    Need { package: "chromium", command: "chromium", purpose: "the pages are tested in a real browser" },
    Need { package: "chromium-driver", command: "chromedriver", purpose: "steers the browser" },
    Need { package: "gcc", command: "cc", purpose: "compiles SQLite and ring, and links" },
    Need { package: "git", command: "git", purpose: "makes and serves the repositories that tests read" },
    Need { package: "openssh-client", command: "ssh", purpose: "reaches repositories at ssh:// addresses" },
];

/// The machine lacks what the tests need.
#[derive(Debug)]
pub enum Unmet {
    /// It is not there, and this is not the place to install it.
    Missing {
        /// The Debian packages.
        packages: Vec<&'static str>,
        /// One line for each: what is missing and what it is for.
        details: String,
        /// Why it was not installed here.
        because: &'static str,
    },
    /// It was to be installed, and that failed.
    InstallFailed {
        /// What apt-get was asked to do, and how it ended.
        why: String,
    },
    /// apt-get says it is installed, yet the command is not found.
    StillMissing {
        /// One line for each.
        details: String,
    },
}

impl fmt::Display for Unmet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { packages, details, because } => write!(
                formatter,
                "the tests need what this machine does not have:\n{details}\n\
                 nothing was installed, because {because}\n\
                 hint: on Debian or Ubuntu run `apt-get install -y --no-install-recommends {}` as root; \
                 elsewhere install the same programs and put them on PATH",
                packages.join(" ")
            ),
            Self::InstallFailed { why } => write!(
                formatter,
                "what the tests need could not be installed: {why}\n\
                 hint: apt-get's own words are above; is the package archive reachable?"
            ),
            Self::StillMissing { details } => write!(
                formatter,
                "apt-get installed the packages, but their programs are not on PATH:\n{details}\n\
                 hint: some distributions ship chromium as a snap only; install the browser by hand"
            ),
        }
    }
}

impl Error for Unmet {}

/// Makes sure that everything on the list is there.
///
/// # Errors
/// [`Unmet`] when something is missing that could not, or may not, be installed here.
pub fn meet(root: &Path) -> Result<(), Unmet> {
    let missing = missing_from(&search_path());
    if missing.is_empty() {
        let there: Vec<&str> = NEEDS.iter().map(|need| need.command).collect();
        terminal::say(&format!("all there: {}", there.join(", ")));
        return Ok(());
    }
    let packages: Vec<&'static str> = missing.iter().map(|need| need.package).collect();
    let os_release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    if let Some(because) = why_not_install(is_debian(&os_release), is_root()) {
        return Err(Unmet::Missing { packages, details: described(&missing), because });
    }
    terminal::say(&format!("installing {}", packages.join(", ")));
    install(root, &packages)?;
    let missing = missing_from(&search_path());
    if missing.is_empty() { Ok(()) } else { Err(Unmet::StillMissing { details: described(&missing) }) }
}

/// Installs packages where that is done here at all.
///
/// # Errors
/// Why it was not done.
pub fn install_if_allowed(root: &Path, packages: &[&str]) -> Result<(), String> {
    let os_release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    if let Some(because) = why_not_install(is_debian(&os_release), is_root()) {
        return Err(format!("nothing was installed, because {because}"));
    }
    terminal::say(&format!("installing {}", packages.join(", ")));
    install(root, packages).map_err(|error| error.to_string())
}

fn install(root: &Path, packages: &[&str]) -> Result<(), Unmet> {
    let mut update = apt_get(root);
    update.args(["update", "-q"]);
    let mut install = apt_get(root);
    install.args(["install", "-q", "-y", "--no-install-recommends"]).args(packages);
    for command in [&mut update, &mut install] {
        if let Outcome::Failed(why) = shown(command) {
            return Err(Unmet::InstallFailed { why });
        }
    }
    Ok(())
}

fn apt_get(root: &Path) -> Command {
    let mut command = program(root, "apt-get");
    // Another apt may hold the lock for a while: wait for it, at most this many seconds.
    command.args(["-o", "DPkg::Lock::Timeout=120"]).env("DEBIAN_FRONTEND", "noninteractive");
    command
}

fn why_not_install(debian: bool, root: bool) -> Option<&'static str> {
    match (debian, root) {
        (true, true) => None,
        (true, false) => Some("this is not root"),
        (false, _) => Some("this is not Debian or a kin of it"),
    }
}

/// Reads os-release(5): the system's own id, or one it says it is like.
fn is_debian(os_release: &str) -> bool {
    os_release
        .lines()
        .filter_map(|line| line.strip_prefix("ID=").or_else(|| line.strip_prefix("ID_LIKE=")))
        .flat_map(|value| value.trim_matches(['"', '\'']).split_whitespace())
        .any(|id| id == "debian" || id == "ubuntu")
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

fn search_path() -> Vec<PathBuf> {
    env::var_os("PATH").map(|path| env::split_paths(&path).collect()).unwrap_or_default()
}

fn missing_from(folders: &[PathBuf]) -> Vec<Need> {
    NEEDS
        .iter()
        .filter(|need| !folders.iter().any(|folder| is_program(&folder.join(need.command))))
        .copied()
        .collect()
}

fn is_program(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

fn described(missing: &[Need]) -> String {
    let lines: Vec<String> = missing
        .iter()
        .map(|need| format!("  {} (package {}): {}", need.command, need.package, need.purpose))
        .collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debian_and_its_kin_are_recognised() {
        assert!(is_debian("PRETTY_NAME=\"Debian GNU/Linux 12\"\nID=debian\n"));
        assert!(is_debian("ID=ubuntu\nID_LIKE=debian\n"));
        assert!(is_debian("ID=pop\nID_LIKE=\"ubuntu debian\"\n"));
        assert!(!is_debian("ID=fedora\nVERSION_ID=40\n"));
        assert!(!is_debian("ID=alpine\nHOME_URL=\"https://not-debian.example\"\n"));
        assert!(!is_debian(""));
    }

    #[test]
    fn only_root_on_debian_installs_anything() {
        assert_eq!(why_not_install(true, true), None);
        assert_eq!(why_not_install(true, false), Some("this is not root"));
        assert_eq!(why_not_install(false, true), Some("this is not Debian or a kin of it"));
    }

    #[test]
    fn a_machine_without_any_of_it_lacks_all_of_it() {
        assert_eq!(missing_from(&[]), NEEDS);
        assert_eq!(missing_from(&[PathBuf::from("/no/such/folder")]), NEEDS);
    }

    #[test]
    fn a_file_that_cannot_be_executed_is_no_program() {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
        assert!(!is_program(&manifest));
        assert!(!is_program(Path::new("/")));
        assert!(is_program(Path::new("/bin/sh")));
    }

    #[test]
    fn what_is_missing_is_said_with_its_purpose_and_the_command_that_installs_it() {
        let missing = [NEEDS[1], NEEDS[3]];
        let packages = missing.iter().map(|need| need.package).collect();
        let unmet = Unmet::Missing { packages, details: described(&missing), because: "this is not root" };
        assert_eq!(
            unmet.to_string(),
            "the tests need what this machine does not have:\n\
             \x20 chromedriver (package chromium-driver): steers the browser\n\
             \x20 git (package git): makes and serves the repositories that tests read\n\
             nothing was installed, because this is not root\n\
             hint: on Debian or Ubuntu run `apt-get install -y --no-install-recommends chromium-driver git` as root; \
             elsewhere install the same programs and put them on PATH"
        );
    }
}
