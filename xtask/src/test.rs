//! `cargo xtask test`: everything that is checked before a change is good.
//!
//! Every step runs, whatever became of those before it; only a machine that lacks what the tests need ends it early.
//! Dependencies are compiled twice and no more: as metadata for clippy, and in full for the tests, whose result the
//! doc tests and the generated files use again. Nothing is tried twice.

use std::env;
use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, ExitCode};

use crate::cargo::{cargo, has_subcommand, program};
use crate::emulator::{self, DYNAMODB};
use crate::generate;
use crate::ignored::{self, Ignored, MOUNT, TEST_DATA};
use crate::needs;
use crate::step::{self, Finished, Outcome, overheard, shown};
use crate::summary;
use crate::tally::{self, Tally};
use crate::terminal;

/// Runs every step and prints the summary.
pub fn run(root: &Path) -> ExitCode {
    let data = env::var_os(TEST_DATA).filter(|value| !value.is_empty());
    if let Err(why) = checked_data(data.as_deref()) {
        terminal::complain(&why);
        return ExitCode::FAILURE;
    }
    let mut unmet = None;
    let needs = step::run("needs", || match needs::meet(root) {
        Ok(()) => (Outcome::Passed, Tally::default()),
        Err(error) => {
            let why = error.to_string();
            unmet = Some(error);
            (Outcome::Failed(why), Tally::default())
        }
    });
    if unmet.is_some() {
        return ExitCode::from(2);
    }

    let mut ignored = Vec::new();
    let nextest = has_subcommand(root, "nextest");
    let ci = env::var_os("CI").is_some_and(|value| is_yes(&value));
    let steps = [
        needs,
        step::run("format", || uncounted(shown(&mut cargo(root, ["fmt", "--all", "--check"])))),
        step::run("clippy", || {
            let arguments = ["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"];
            uncounted(shown(&mut cargo(root, arguments)))
        }),
        step::run("tests", || tests(root, nextest, ci, &mut ignored)),
        step::run("tests on disks", || {
            tests_that_need(MOUNT, may_mount(root), root, nextest, ci, &mut ignored)
        }),
        step::run("tests on DynamoDB", || {
            let there = emulator::meet(root);
            let absent = there.is_err();
            let (outcome, tally) = tests_that_need(DYNAMODB, there, root, nextest, ci, &mut ignored);
            (if absent && ci { required(outcome) } else { outcome }, tally)
        }),
        step::run("tests on data", || {
            let there = data.as_ref().map(|_| ()).ok_or_else(|| format!("{TEST_DATA} is not set"));
            let (outcome, tally) = tests_that_need(TEST_DATA, there, root, nextest, ci, &mut ignored);
            // What is still ignored now is left out for good.
            (outcome, Tally { skipped: ignored.len() as u64, ..tally })
        }),
        step::run("doc tests", || doc_tests(root, &mut ignored)),
        step::run("generated files", || generated_files(root)),
        step::run("licenses and bans", || licenses_and_bans(root)),
    ];
    end(&steps, &ignored)
}

fn end(steps: &[Finished], ignored: &[Ignored]) -> ExitCode {
    terminal::say(&summary::of(steps, ignored));
    if summary::all_is_well(steps) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The data's folder must be there when it is named, and be named in full: each test runs in its package's folder.
fn checked_data(data: Option<&OsStr>) -> Result<(), String> {
    let Some(data) = data.map(Path::new) else { return Ok(()) };
    let wrong = if !data.is_absolute() {
        "is not an absolute path"
    } else if !data.is_dir() {
        "is not a folder that is there"
    } else {
        return Ok(());
    };
    Err(format!(
        "{TEST_DATA} is set to `{}`, which {wrong}\n\
         hint: set it to the absolute path of the test data, or unset it to leave out the tests that need it",
        data.display()
    ))
}

fn is_yes(value: &OsStr) -> bool {
    !["", "0", "false", "no"].iter().any(|no| value == *no)
}

fn uncounted(outcome: Outcome) -> (Outcome, Tally) {
    (outcome, Tally::default())
}

/// Runs all that is not ignored, and finds out what is.
fn tests(root: &Path, nextest: bool, ci: bool, ignored: &mut Vec<Ignored>) -> (Outcome, Tally) {
    let mut command = test_command(root, nextest, ci, &[], &["--no-fail-fast"]);
    let (outcome, output) = overheard(&mut command);
    let counted = if nextest { tally::of_nextest(&output) } else { tally::of_libtest(&output) };
    let Some(tally) = counted else { return not_counted(outcome) };
    // What is ignored is counted once, in the end, from the list.
    let left_out = tally.skipped;
    let tally = Tally { skipped: 0, ..tally };
    if nextest {
        match ignored::of_workspace(root) {
            Ok(found) => ignored.extend(found),
            Err(why) => {
                return (worse(outcome, format!("the ignored tests could not be listed: {why}")), tally);
            }
        }
        if let Some(why) = missed(left_out, ignored.len()) {
            return (worse(outcome, why), tally);
        }
    } else {
        ignored.extend(ignored::reported(&output));
    }
    (outcome, tally)
}

/// An ignored test that is not in the list would be left out unseen: that is a failure of this command.
fn missed(left_out: u64, listed: usize) -> Option<String> {
    let listed = listed as u64;
    (listed < left_out)
        .then(|| format!("nextest left out {left_out} tests, but only {listed} were found to be ignored"))
}

/// Whether file systems can be mounted here; tried in a mount namespace that is gone with the trial.
fn may_mount(root: &Path) -> Result<(), String> {
    let mut trial = program(root, "unshare");
    trial.args(["--mount", "mount", "-t", "tmpfs", "none", "/mnt"]);
    match trial.output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(_) => Err("no file system can be mounted here: run it as root".to_owned()),
        Err(error) => Err(format!("no file system can be mounted here: unshare: {error}")),
    }
}

/// Runs the ignored tests that lack nothing but `what`, where that is `there`: else it says why not.
fn tests_that_need(
    what: &str,
    there: Result<(), String>,
    root: &Path,
    nextest: bool,
    ci: bool,
    ignored: &mut Vec<Ignored>,
) -> (Outcome, Tally) {
    let able: Vec<String> =
        ignored.iter().filter(|test| test.needs(what)).map(|test| test.name.clone()).collect();
    if let Err(why) = there {
        return uncounted(Outcome::LeftOut(format!("{why} (tests that need it: {})", able.len())));
    }
    if able.is_empty() {
        return uncounted(Outcome::LeftOut("no ignored test was found that needs it".to_owned()));
    }
    ignored.retain(|test| !test.needs(what));
    let mut command = if nextest {
        let filter = able.iter().map(|name| format!("test(={name})")).collect::<Vec<_>>().join(" | ");
        test_command(root, true, ci, &[], &["--no-fail-fast", "--run-ignored", "only", "-E", &filter])
    } else {
        let names: Vec<&str> =
            ["--ignored", "--exact"].into_iter().chain(able.iter().map(String::as_str)).collect();
        test_command(root, false, ci, &names, &["--no-fail-fast"])
    };
    let (outcome, output) = overheard(&mut command);
    let counted = if nextest { tally::of_nextest(&output) } else { tally::of_libtest(&output) };
    match counted {
        // Those that the filter left out are counted elsewhere.
        Some(tally) => (outcome, Tally { skipped: 0, ..tally }),
        None => not_counted(outcome),
    }
}

fn test_command(root: &Path, nextest: bool, ci: bool, to_tests: &[&str], options: &[&str]) -> Command {
    let start: &[&str] = match (nextest, ci) {
        (true, true) => &["nextest", "run", "--profile", "ci", "--workspace", "--locked"],
        (true, false) => &["nextest", "run", "--workspace", "--locked"],
        (false, _) => &["test", "--workspace", "--tests", "--locked"],
    };
    let mut command = cargo(root, start.iter().chain(options));
    if !to_tests.is_empty() {
        command.arg("--").args(to_tests);
    }
    if terminal::colours() {
        command.env("CARGO_TERM_COLOR", "always");
    }
    command
}

fn doc_tests(root: &Path, ignored: &mut Vec<Ignored>) -> (Outcome, Tally) {
    let (outcome, output) =
        overheard(&mut cargo(root, ["test", "--doc", "--workspace", "--locked", "--no-fail-fast"]));
    ignored.extend(ignored::reported(&output));
    match tally::of_libtest(&output) {
        Some(tally) => (outcome, tally),
        None => not_counted(outcome),
    }
}

/// A test step that never came to its tests. That counts as one failure, so that the counts never read like success.
fn not_counted(outcome: Outcome) -> (Outcome, Tally) {
    let outcome = worse(outcome, "no test was run".to_owned());
    (outcome, Tally { failed: 1, ..Tally::default() })
}

/// What CI must not leave out.
fn required(outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::LeftOut(why) => Outcome::Failed(why),
        outcome => outcome,
    }
}

/// The outcome, with what else was wrong.
fn worse(outcome: Outcome, why: String) -> Outcome {
    match outcome {
        Outcome::Failed(first) => Outcome::Failed(format!("{first}; {why}")),
        Outcome::Passed | Outcome::LeftOut(_) => Outcome::Failed(why),
    }
}

fn generated_files(root: &Path) -> (Outcome, Tally) {
    let wrong = generate::all(root, true).len();
    uncounted(if wrong == 0 {
        Outcome::Passed
    } else {
        Outcome::Failed(format!("{wrong} not as the code makes them"))
    })
}

fn licenses_and_bans(root: &Path) -> (Outcome, Tally) {
    if !has_subcommand(root, "deny") {
        return uncounted(Outcome::LeftOut("cargo-deny is not installed".to_owned()));
    }
    uncounted(shown(&mut cargo(root, ["deny", "--workspace", "check", "bans", "licenses", "sources"])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_data_that_is_named_must_be_there() {
        let why = checked_data(Some(OsStr::new("/no/such/folder"))).unwrap_err();
        assert!(why.starts_with("BRANCHLINE_TEST_DATA is set to `/no/such/folder`, which is not a folder that is there\nhint: "), "{why}");
        let why = checked_data(Some(OsStr::new("relative/data"))).unwrap_err();
        assert!(why.contains("is not an absolute path"), "{why}");
        assert_eq!(checked_data(Some(env::temp_dir().as_os_str())), Ok(()));
        assert_eq!(checked_data(None), Ok(()));
    }

    #[test]
    fn ci_is_on_unless_it_says_no() {
        assert!(is_yes(OsStr::new("true")) && is_yes(OsStr::new("1")));
        assert!(!is_yes(OsStr::new("false")) && !is_yes(OsStr::new("")) && !is_yes(OsStr::new("0")));
    }

    #[test]
    fn a_build_that_fails_counts_as_a_failure_and_keeps_its_reason() {
        let (outcome, tally) = not_counted(Outcome::Failed("`cargo test` ended with 101".into()));
        assert_eq!(outcome, Outcome::Failed("`cargo test` ended with 101; no test was run".into()));
        assert_eq!(tally.failed, 1);
    }

    #[test]
    fn what_ci_requires_cannot_be_left_out() {
        let left_out = Outcome::LeftOut("no DynamoDB is here".into());
        assert_eq!(required(left_out), Outcome::Failed("no DynamoDB is here".into()));
        assert_eq!(required(Outcome::Passed), Outcome::Passed);
    }

    #[test]
    fn a_test_that_is_left_out_unseen_is_a_failure() {
        assert_eq!(missed(2, 2), None);
        let why = missed(3, 2).unwrap();
        assert_eq!(why, "nextest left out 3 tests, but only 2 were found to be ignored");
    }

    #[test]
    fn the_ci_profile_is_used_by_nextest_alone() {
        let words = |nextest, ci| {
            let command = test_command(Path::new("/"), nextest, ci, &["x"], &["--no-fail-fast"]);
            command.get_args().map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(words(true, true), "nextest run --profile ci --workspace --locked --no-fail-fast -- x");
        assert_eq!(words(true, false), "nextest run --workspace --locked --no-fail-fast -- x");
        assert_eq!(words(false, true), "test --workspace --tests --locked --no-fail-fast -- x");
    }
}
