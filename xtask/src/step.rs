//! One step of the test command: run, timed, and never the end of the others.

use std::io::{self, Read, Write};
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::tally::Tally;
use crate::terminal;

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It ran and found nothing wrong.
    Passed,
    /// It found something wrong, or could not run; with what.
    Failed(String),
    /// It was left out on purpose; with why.
    LeftOut(String),
}

/// A step that is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// Its name in the summary.
    pub name: &'static str,
    /// How it ended.
    pub outcome: Outcome,
    /// How long it took.
    pub took: Duration,
    /// The tests it ran; nothing for steps that run none.
    pub tally: Tally,
}

/// Runs one step under its heading. `work` says how it ended and which tests it counted.
pub fn run(name: &'static str, work: impl FnOnce() -> (Outcome, Tally)) -> Finished {
    terminal::heading(name);
    let begun = Instant::now();
    let (outcome, tally) = work();
    match &outcome {
        Outcome::Passed => {}
        Outcome::Failed(why) => terminal::complain(&format!("{name}: {why}")),
        Outcome::LeftOut(why) => terminal::say(&format!("{name}: left out, {why}")),
    }
    Finished { name, outcome, took: begun.elapsed(), tally }
}

/// Runs a program whose output only a person reads.
pub fn shown(command: &mut Command) -> Outcome {
    match command.status() {
        Ok(status) => judged(command, status),
        Err(error) => not_started(command, &error),
    }
}

/// Runs a program whose output is shown as it comes and also kept (stdout then stderr), to be read.
pub fn overheard(command: &mut Command) -> (Outcome, String) {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => return (not_started(command, &error), String::new()),
    };
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let (mut kept, also) = thread::scope(|scope| {
        let errors = scope.spawn(|| err.map(|pipe| passed_on(pipe, io::stderr())).unwrap_or_default());
        let kept = out.map(|pipe| passed_on(pipe, io::stdout())).unwrap_or_default();
        (kept, errors.join().unwrap_or_default())
    });
    kept.extend_from_slice(&also);
    let outcome = match child.wait() {
        Ok(status) => judged(command, status),
        Err(error) => not_started(command, &error),
    };
    (outcome, String::from_utf8_lossy(&kept).into_owned())
}

/// Copies a pipe to `shown` until its end and returns all of it. What cannot be shown is still kept.
fn passed_on(mut pipe: impl Read, mut shown: impl Write) -> Vec<u8> {
    let mut kept = Vec::new();
    let mut chunk = [0; 8192];
    loop {
        match pipe.read(&mut chunk) {
            Ok(0) => return kept,
            Ok(length) => {
                let _ = shown.write_all(&chunk[..length]);
                let _ = shown.flush();
                kept.extend_from_slice(&chunk[..length]);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return kept,
        }
    }
}

fn judged(command: &Command, status: ExitStatus) -> Outcome {
    if status.success() {
        Outcome::Passed
    } else {
        Outcome::Failed(format!("`{}` ended with {status}", line_of(command)))
    }
}

fn not_started(command: &Command, error: &io::Error) -> Outcome {
    Outcome::Failed(format!("`{}` could not be run: {error}", line_of(command)))
}

/// The command as a person would type it; the program without its folder.
fn line_of(command: &Command) -> String {
    let program = std::path::Path::new(command.get_program());
    let mut line = program.file_name().unwrap_or(command.get_program()).to_string_lossy().into_owned();
    for argument in command.get_args() {
        line.push(' ');
        line.push_str(&argument.to_string_lossy());
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]).stdin(Stdio::null());
        command
    }

    #[test]
    fn a_program_that_succeeds_has_passed() {
        assert_eq!(shown(&mut shell("exit 0")), Outcome::Passed);
    }

    #[test]
    fn a_program_that_fails_is_named_with_its_exit_code() {
        assert_eq!(
            shown(&mut shell("exit 3")),
            Outcome::Failed("`sh -c exit 3` ended with exit status: 3".to_owned())
        );
    }

    #[test]
    fn a_program_that_is_not_there_fails_the_step_instead_of_ending_everything() {
        let Outcome::Failed(why) = shown(&mut Command::new("/no/such/program")) else { panic!("it passed") };
        assert!(why.starts_with("`program` could not be run: "), "{why}");
    }

    #[test]
    fn output_of_both_kinds_is_kept_whole_even_when_it_is_more_than_a_pipe_holds() {
        let (outcome, output) = overheard(&mut shell(
            "i=0; while [ $i -lt 3000 ]; do echo 'out: a line of some forty characters, no more'; echo 'err: a line of some forty characters, no more' >&2; i=$((i+1)); done; exit 1",
        ));
        assert!(matches!(outcome, Outcome::Failed(_)));
        assert_eq!(output.lines().filter(|line| line.starts_with("out:")).count(), 3000);
        assert_eq!(output.lines().filter(|line| line.starts_with("err:")).count(), 3000);
    }

    #[test]
    fn a_step_carries_its_name_outcome_and_counts() {
        let counted = Tally { passed: 2, failed: 1, skipped: 0 };
        let finished = run("tests", || (Outcome::Failed("one test".into()), counted));
        assert_eq!((finished.name, finished.tally), ("tests", counted));
        assert_eq!(finished.outcome, Outcome::Failed("one test".into()));
    }
}
