//! Tests that are ignored: which, why, and which of them can run after all, by the first words of their reasons.
//!
//! nextest only counts ignored tests; libtest says the reason when it is asked to run one by name without
//! `--ignored`. So the binaries that are built anyway are asked twice: for the names, and then for the reasons.

use std::collections::BTreeSet;
use std::path::Path;

use crate::cargo::cargo;
use crate::tally::without_colours;

/// The variable that says where the shared test data is. A test that needs it is marked
/// `#[ignore = "needs BRANCHLINE_TEST_DATA: …"]` and runs where the variable is set.
pub const TEST_DATA: &str = "BRANCHLINE_TEST_DATA";

/// A test that mounts a file system of its own is marked `#[ignore = "needs to mount a file system: …"]` and runs where
/// that is allowed.
pub const MOUNT: &str = "to mount a file system";

/// A test that does not run by itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ignored {
    /// Its path within its binary (`module::test`).
    pub name: String,
    /// What stands in its `#[ignore = "…"]`; empty where nothing does.
    pub reason: String,
}

impl Ignored {
    /// Whether this ([`TEST_DATA`], [`MOUNT`]) is all that it lacks.
    pub fn needs(&self, what: &str) -> bool {
        self.reason.strip_prefix("needs ").is_some_and(|needed| needed.starts_with(what))
    }
}

/// Asks the built test binaries for their ignored tests.
///
/// # Errors
/// The output of a binary or build that failed.
pub fn of_workspace(root: &Path) -> Result<Vec<Ignored>, String> {
    let names = names_listed(&asked(root, &["--list", "--ignored", "--format", "terse"], &[])?);
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    Ok(reported(&asked(root, &["--exact"], &names)?))
}

/// Without `--quiet`, which cargo hands on: libtest then says nothing of a test but a letter.
fn asked(root: &Path, options: &[&str], names: &[&str]) -> Result<String, String> {
    let start = ["test", "--workspace", "--tests", "--locked", "--no-fail-fast", "--", "--color=never"];
    let mut command = cargo(root, start.iter().chain(options).chain(names));
    let output = command.output().map_err(|error| format!("cargo could not be run: {error}"))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
    }
}

/// The names in libtest's terse list: `module::test: test`.
fn names_listed(list: &str) -> BTreeSet<String> {
    list.lines().filter_map(|line| line.strip_suffix(": test")).map(str::to_owned).collect()
}

/// The tests that libtest reports as `test module::test ... ignored, reason`.
pub fn reported(output: &str) -> Vec<Ignored> {
    let plain = without_colours(output);
    let mut found: Vec<Ignored> = plain.lines().filter_map(ignored_in).collect();
    found.sort();
    found
}

fn ignored_in(line: &str) -> Option<Ignored> {
    let (name, end) = line.strip_prefix("test ")?.rsplit_once(" ... ignored")?;
    let reason = match end.strip_prefix(", ") {
        Some(reason) => reason,
        None if end.is_empty() => "",
        None => return None,
    };
    let name = name.strip_suffix(" - should panic").unwrap_or(name);
    Some(Ignored { name: name.to_owned(), reason: reason.trim().to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ignored_tests_are_found_with_their_reasons() {
        let output = "\nrunning 4 tests\ntest a::works ... ok\ntest a::waits ... ignored, needs a browser, and time\ntest a::bare ... ignored\ntest a::stops - should panic ... ignored, later\n\ntest result: ok. 1 passed; 0 failed; 3 ignored;\n";
        let found = reported(output);
        let pairs: Vec<_> = found.iter().map(|test| (test.name.as_str(), test.reason.as_str())).collect();
        assert_eq!(
            pairs,
            [("a::bare", ""), ("a::stops", "later"), ("a::waits", "needs a browser, and time")]
        );
    }

    #[test]
    fn what_a_test_lacks_is_known_by_the_start_of_its_reason() {
        let because = |reason: &str| Ignored { name: "t".into(), reason: reason.into() };
        assert!(because("needs BRANCHLINE_TEST_DATA: the cron vectors").needs(TEST_DATA));
        assert!(because("needs BRANCHLINE_TEST_DATA").needs(TEST_DATA));
        assert!(!because("takes an hour; BRANCHLINE_TEST_DATA helps").needs(TEST_DATA));
        assert!(!because("").needs(TEST_DATA));
        assert!(because("needs to mount a file system: run as root").needs(MOUNT));
        assert!(!because("needs to mount a file system: run as root").needs(TEST_DATA));
    }

    #[test]
    fn only_tests_are_taken_from_a_list() {
        let list = "a::one: test\nb::two: test\nc::three: benchmark\n\n2 tests, 1 benchmark\n";
        assert_eq!(names_listed(list).into_iter().collect::<Vec<_>>(), ["a::one", "b::two"]);
    }
}
