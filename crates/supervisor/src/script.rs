//! A step as a command: its script, what interprets it, and where it starts. Invariant: everything that keeps a step from
//! starting is found here or by the kernel, and is a sentence for people; no process is started here.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use branchline_model::{RunDefinition, ShellDefinition, StepDefinition};

use crate::directory::AttemptDirectory;
use crate::environment;
use crate::error::hint;

/// The step's command, in a process group of its own, with nothing on stdin; stdout and stderr are the caller's to set.
///
/// # Errors
/// A sentence: what is wrong, and where.
pub(crate) fn command(
    directory: &AttemptDirectory,
    definition: &RunDefinition,
    index: usize,
    step: &StepDefinition,
) -> Result<Command, String> {
    let workspace = directory.workspace();
    let workspace = workspace
        .canonicalize()
        .map_err(|error| format!("the workspace `{}` cannot be used: {error}", workspace.display()))?;
    let working_directory = within(&workspace, step.working_directory.as_deref())?;
    let environment = environment::of_step(directory, definition, step, workspace.as_os_str())?;
    let script = directory.file("steps").join(format!("{index:03}.sh"));
    write_script(&script, &step.run)?;
    let mut command = match (&step.shell, step.run.starts_with("#!")) {
        (_, true) => Command::new(&script),
        (ShellDefinition::Default, false) => {
            // An absolute path, so that the process is started without a copy of this one (posix_spawn).
            let mut command = Command::new("/bin/sh");
            command.arg("-e").arg(&script);
            command
        }
        (ShellDefinition::Command(words), false) => {
            let (program, arguments) = words.split_first().ok_or("its `shell` is empty: name a program")?;
            let mut command = Command::new(find_program(program, &working_directory, &environment)?);
            command.args(arguments).arg(&script);
            command
        }
    };
    command
        .env_clear()
        .envs(environment)
        .current_dir(working_directory)
        .stdin(Stdio::null())
        .process_group(0);
    Ok(command)
}

/// The folder that a step starts in, with all links resolved: it must be in the workspace.
fn within(workspace: &Path, wanted: Option<&str>) -> Result<PathBuf, String> {
    let Some(wanted) = wanted else { return Ok(workspace.to_owned()) };
    let found = workspace
        .join(wanted)
        .canonicalize()
        .map_err(|error| format!("its working_directory `{wanted}` cannot be used: {error}"))?;
    if !found.starts_with(workspace) {
        return Err(format!(
            "its working_directory `{wanted}` is outside of the workspace: {}",
            found.display()
        ));
    }
    if !found.is_dir() {
        return Err(format!("its working_directory `{wanted}` is not a folder"));
    }
    Ok(found)
}

fn write_script(path: &Path, run: &str) -> Result<(), String> {
    let write = || -> std::io::Result<()> {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o700).open(path)?;
        file.write_all(run.as_bytes())?;
        if !run.ends_with('\n') {
            file.write_all(b"\n")?;
        }
        Ok(())
    };
    write().map_err(|error| {
        format!("its script `{}` cannot be written: {error}{}", path.display(), hint(&error))
    })
}

/// As a shell would find it, but in the step's own PATH.
fn find_program(
    program: &str,
    working_directory: &Path,
    environment: &BTreeMap<OsString, OsString>,
) -> Result<PathBuf, String> {
    if program.contains('/') {
        return Ok(working_directory.join(program));
    }
    let path = environment.get(OsStr::new("PATH")).map(OsString::as_os_str).unwrap_or_default();
    let runs = |file: &PathBuf| {
        file.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
    };
    std::env::split_paths(path)
        .map(|folder| working_directory.join(folder).join(program))
        .find(runs)
        .ok_or_else(|| {
            format!("its shell `{program}` is in no folder of PATH ({}): install it there", path.display())
        })
}
