//! `cargo xtask generate [--check]`: the files in the repository that are made from the code.
//!
//! One list says which they are. A generator returns the whole text of its file and writes nothing itself, so that
//! checking and writing cannot differ.

use std::error::Error;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::cli_reference::{self, CliReferenceError};
use crate::terminal;

/// One file that is made from the code.
struct Generated {
    /// Where it stands, from the workspace's root.
    path: &'static str,
    /// Makes its text.
    make: fn(&Path) -> Result<String, GenerateError>,
}

const FILES: &[Generated] = &[Generated { path: "docs/reference/cli.md", make: cli_page }];

fn cli_page(root: &Path) -> Result<String, GenerateError> {
    Ok(cli_reference::page(root)?)
}

/// A generated file is not as it should be, or could not be made.
#[derive(Debug)]
pub enum GenerateError {
    /// The file in the repository is not what the code makes of it.
    Differs {
        /// From the workspace's root.
        path: &'static str,
        /// The first line that differs, counted from 1.
        line: usize,
        /// That line in the repository; nothing where the file ends before it.
        found: Option<String>,
        /// That line as the code makes it; nothing where the text ends before it.
        made: Option<String>,
    },
    /// The command line's own help could not be read.
    CommandLine(CliReferenceError),
    /// The file could not be read or written.
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
}

impl fmt::Display for GenerateError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Differs { path, line, found, made } => {
                let shown = |text: &Option<String>| {
                    text.as_ref().map_or("the end".to_owned(), |text| format!("`{text}`"))
                };
                write!(
                    formatter,
                    "{path}:{line}: the file is not what the code makes of it\n  found: {}\n  made:  {}\n\
                     hint: run `cargo xtask generate` and commit what changes",
                    shown(found),
                    shown(made)
                )
            }
            Self::CommandLine(error) => write!(formatter, "docs/reference/cli.md could not be made: {error}"),
            Self::File { path, error } => write!(formatter, "{}: {error}", path.display()),
        }
    }
}

impl Error for GenerateError {}

impl From<CliReferenceError> for GenerateError {
    fn from(error: CliReferenceError) -> Self {
        Self::CommandLine(error)
    }
}

/// Writes every generated file, or compares each. Says what it did, and every error, not only the first.
pub fn run(root: &Path, check: bool) -> ExitCode {
    if all(root, check).is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// As [`run`]; returns the errors, which were said already.
pub fn all(root: &Path, check: bool) -> Vec<GenerateError> {
    let mut errors = Vec::new();
    for file in FILES {
        let done = (file.make)(root).and_then(|text| {
            if check {
                compare(root, file.path, &text).map(|()| "up to date")
            } else {
                write(root, file.path, &text)
            }
        });
        match done {
            Ok(what) => terminal::say(&format!("{}: {what}", file.path)),
            Err(error) => {
                terminal::complain(&error.to_string());
                errors.push(error);
            }
        }
    }
    errors
}

fn write(root: &Path, path: &'static str, text: &str) -> Result<&'static str, GenerateError> {
    let target = root.join(path);
    if fs::read_to_string(&target).is_ok_and(|there| there == text) {
        return Ok("up to date");
    }
    let folder = target.parent().unwrap_or(root);
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(&target, text))
        .map_err(|error| GenerateError::File { path: target, error })?;
    Ok("written")
}

fn compare(root: &Path, path: &'static str, text: &str) -> Result<(), GenerateError> {
    let target = root.join(path);
    let there = match fs::read(&target) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(GenerateError::File { path: target, error }),
    };
    if there == text {
        return Ok(());
    }
    let (mut found, mut made) = (there.split('\n'), text.split('\n'));
    let mut line = 1;
    loop {
        match (found.next(), made.next()) {
            (Some(one), Some(other)) if one == other => line += 1,
            (found, made) => {
                let (found, made) = (found.map(str::to_owned), made.map(str::to_owned));
                return Err(GenerateError::Differs { path, line, found, made });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli_reference::tests::Folder;

    #[test]
    fn what_was_written_compares_equal_and_is_not_written_again() {
        let folder = Folder::new("written");
        assert_eq!(write(&folder.path, "a/b.md", "one\ntwo\n").unwrap(), "written");
        assert_eq!(write(&folder.path, "a/b.md", "one\ntwo\n").unwrap(), "up to date");
        compare(&folder.path, "a/b.md", "one\ntwo\n").unwrap();
    }

    #[test]
    fn a_stale_file_is_named_with_the_first_line_that_differs() {
        let folder = Folder::new("stale");
        write(&folder.path, "b.md", "one\ntwo\nthree\n").unwrap();
        let error = compare(&folder.path, "b.md", "one\n2\nthree\n").unwrap_err();
        assert_eq!(
            error.to_string(),
            "b.md:2: the file is not what the code makes of it\n  found: `two`\n  made:  `2`\n\
             hint: run `cargo xtask generate` and commit what changes"
        );
    }

    #[test]
    fn a_file_that_ends_early_or_is_missing_differs_too() {
        let folder = Folder::new("short");
        write(&folder.path, "b.md", "one").unwrap();
        let GenerateError::Differs { line: 2, found: None, .. } =
            compare(&folder.path, "b.md", "one\ntwo").unwrap_err()
        else {
            panic!("the missing line was not noticed")
        };
        assert!(matches!(
            compare(&folder.path, "none.md", "one\n"),
            Err(GenerateError::Differs { line: 1, .. })
        ));
    }

    #[test]
    fn a_file_that_cannot_be_written_is_named() {
        let folder = Folder::new("unwritable");
        write(&folder.path, "file", "x").unwrap();
        let error = write(&folder.path, "file/below", "x").unwrap_err();
        assert!(error.to_string().contains("file/below: "), "{error}");
    }
}
