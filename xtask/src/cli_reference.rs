//! Makes docs/reference/cli.md: the help of `branchline` and of each of its subcommands, as the binary prints it.
//!
//! The binary is the only source: subcommands are found in the `Commands:` section of each help text, so a new one
//! needs no word here. It runs in an environment of its own, so that the page is the same on every machine.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use crate::cargo::cargo;

/// A program that shows more help texts than this is taken to repeat itself.
const MOST_COMMANDS: usize = 100;

/// The help could not be read.
#[derive(Debug)]
pub enum CliReferenceError {
    /// The binary could not be built; cargo's words are above.
    NotBuilt {
        /// How cargo ended.
        status: ExitStatus,
    },
    /// The build did not say where the binary is.
    NoExecutable,
    /// A program could not be started.
    NotStarted {
        /// Which.
        program: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// `--help` failed, or said nothing.
    NoHelp {
        /// The command, as a person would type it.
        command: String,
        /// How it ended.
        status: ExitStatus,
    },
    /// There was no end of subcommands.
    TooMany,
}

impl fmt::Display for CliReferenceError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotBuilt { status } => {
                write!(
                    formatter,
                    "the branchline binary could not be built ({status}); cargo's words are above"
                )
            }
            Self::NoExecutable => {
                write!(formatter, "cargo built the package branchline without naming its binary")
            }
            Self::NotStarted { program, error } => {
                write!(formatter, "{} could not be started: {error}", program.display())
            }
            Self::NoHelp { command, status } => {
                write!(formatter, "`{command} --help` printed no help on stdout ({status})")
            }
            Self::TooMany => {
                write!(formatter, "more than {MOST_COMMANDS} subcommands: does one list itself?")
            }
        }
    }
}

impl Error for CliReferenceError {}

/// Builds the binary and makes the page from it.
///
/// # Errors
/// [`CliReferenceError`] when the binary cannot be built or does not explain itself.
pub fn page(root: &Path) -> Result<String, CliReferenceError> {
    let binary = built(root)?;
    page_of(&|path| help(root, &binary, path))
}

/// The page, given a way to read the help of a subcommand (by its path; empty for the program's own).
fn page_of(
    read: &dyn Fn(&[String]) -> Result<String, CliReferenceError>,
) -> Result<String, CliReferenceError> {
    let mut page = String::from(
        "<!-- Made by `cargo xtask generate` from the binary's own help. Do not edit. -->\n\n# Command line\n",
    );
    let mut shown = 0;
    // A stack, with the first subcommand on top, so that the page has the order of the help.
    let mut open: Vec<Vec<String>> = vec![Vec::new()];
    while let Some(path) = open.pop() {
        shown += 1;
        if shown > MOST_COMMANDS {
            return Err(CliReferenceError::TooMany);
        }
        let text = read(&path)?;
        let lines: Vec<&str> = text.trim().lines().map(str::trim_end).collect();
        page.push_str(&format!("\n## {}\n\n```text\n{}\n```\n", command_line(&path), lines.join("\n")));
        for name in subcommands(&text).into_iter().rev() {
            open.push(path.iter().cloned().chain([name]).collect());
        }
    }
    Ok(page)
}

/// The names in the `Commands:` section: clap indents each by two spaces, and what continues a description by more.
/// `help` only repeats what is shown here.
fn subcommands(help: &str) -> Vec<String> {
    help.lines()
        .skip_while(|line| line.trim_end() != "Commands:")
        .skip(1)
        .take_while(|line| line.is_empty() || line.starts_with(' '))
        .filter_map(|line| line.strip_prefix("  "))
        .filter(|entry| !entry.starts_with(' '))
        .filter_map(|entry| entry.split_whitespace().next())
        .map(|name| name.trim_end_matches(',').to_owned())
        .filter(|name| name != "help")
        .collect()
}

fn command_line(path: &[String]) -> String {
    let mut line = String::from("branchline");
    for name in path {
        line.push(' ');
        line.push_str(name);
    }
    line
}

fn help(root: &Path, binary: &Path, path: &[String]) -> Result<String, CliReferenceError> {
    let mut command = Command::new(binary);
    command.args(path).arg("--help").current_dir(root).stdin(Stdio::null());
    // Nothing of this machine may show: no variables, no home, no terminal width.
    command.env_clear().envs([("HOME", "/home/you"), ("NO_COLOR", "1"), ("COLUMNS", "100")]);
    let output = command
        .output()
        .map_err(|error| CliReferenceError::NotStarted { program: binary.to_path_buf(), error })?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() || text.trim().is_empty() {
        return Err(CliReferenceError::NoHelp { command: command_line(path), status: output.status });
    }
    Ok(text)
}

/// Builds the binary, in the profile that tests use, and says where it is.
fn built(root: &Path) -> Result<PathBuf, CliReferenceError> {
    let arguments = [
        "build",
        "--package",
        "branchline",
        "--bin",
        "branchline",
        "--locked",
        "--message-format=json-render-diagnostics",
    ];
    let mut command = cargo(root, arguments);
    let not_started = |error| CliReferenceError::NotStarted { program: PathBuf::from("cargo"), error };
    let output = command.stderr(Stdio::inherit()).output().map_err(not_started)?;
    if !output.status.success() {
        return Err(CliReferenceError::NotBuilt { status: output.status });
    }
    let messages = String::from_utf8_lossy(&output.stdout);
    let binary = messages.lines().find_map(executable_in).ok_or(CliReferenceError::NoExecutable)?;
    Ok(root.join(binary))
}

/// The binary's path in cargo's message about it. The only fact that is needed from JSON here, so it is cut out; a
/// path that JSON would escape is not understood, and then no binary is found.
fn executable_in(message: &str) -> Option<PathBuf> {
    if !message.contains("\"kind\":[\"bin\"]") || !message.contains("\"name\":\"branchline\"") {
        return None;
    }
    let (_, rest) = message.split_once("\"executable\":\"")?;
    let (path, _) = rest.split_once('"')?;
    if path.contains('\\') { None } else { Some(PathBuf::from(path)) }
}

#[cfg(test)]
pub mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::process;

    use super::*;

    /// A folder of one test's own, gone when the test ends.
    pub struct Folder {
        pub path: PathBuf,
    }

    impl Folder {
        pub fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("branchline-xtask-{}-{name}", process::id()));
            fs::create_dir_all(&path).unwrap();
            Self { path }
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.path);
        }
    }

    /// A program that explains itself as clap's programs do.
    const PROGRAM: &str = r#"#!/bin/sh
case "$*" in
--help) printf 'Runs things.\n\nUsage: branchline <COMMAND>\n\nCommands:\n  up    Start\n        and go on\n  data  Look after data\n  help  Print this\n\nOptions:\n  -h, --help  Print help   \n' ;;
"up --help") printf 'Start %s\n\nUsage: branchline up\n' "${BRANCHLINE_SERVER:-nowhere} $COLUMNS" ;;
"data --help") printf 'Look\n\nCommands:\n  prune, p\n          Delete\n' ;;
"data prune --help") printf 'Delete\n' ;;
*) exit 2 ;;
esac
"#;

    fn program_in(folder: &Folder, text: &str) -> PathBuf {
        let path = folder.path.join("branchline");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    #[test]
    fn every_subcommand_is_found_and_shown_in_the_order_of_the_help() {
        let folder = Folder::new("program");
        let binary = program_in(&folder, PROGRAM);
        let page = page_of(&|path| help(&folder.path, &binary, path)).unwrap();
        let headings: Vec<&str> = page.lines().filter(|line| line.starts_with("## ")).collect();
        assert_eq!(
            headings,
            ["## branchline", "## branchline up", "## branchline data", "## branchline data prune"]
        );
        assert!(page.contains("```text\nStart nowhere 100\n\nUsage: branchline up\n```\n"), "{page}");
        assert!(!page.lines().any(|line| line.ends_with(' ')), "{page}");
    }

    #[test]
    fn a_program_that_prints_no_help_is_an_error_that_names_the_command() {
        let folder = Folder::new("silent");
        let binary = program_in(&folder, "#!/bin/sh\n");
        let error = page_of(&|path| help(&folder.path, &binary, path)).unwrap_err();
        assert_eq!(error.to_string(), "`branchline --help` printed no help on stdout (exit status: 0)");
    }

    #[test]
    fn a_program_whose_subcommands_never_end_is_an_error_and_not_a_loop() {
        let error = page_of(&|_| Ok("Commands:\n  again  And again\n".into())).unwrap_err();
        assert!(matches!(error, CliReferenceError::TooMany));
    }

    #[test]
    fn the_binary_is_found_in_what_cargo_says_about_it() {
        let message = r#"{"reason":"compiler-artifact","target":{"kind":["bin"],"crate_types":["bin"],"name":"branchline"},"executable":"/t/debug/branchline","fresh":true}"#;
        assert_eq!(executable_in(message), Some(PathBuf::from("/t/debug/branchline")));
        assert_eq!(executable_in(&message.replace("[\"bin\"]", "[\"lib\"]")), None);
        assert_eq!(executable_in(r#"{"reason":"build-finished","success":true}"#), None);
    }
}
