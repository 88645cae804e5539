//! Counts of tests, read from what nextest and libtest print.
//!
//! Both print one line of totals per run (nextest) or per binary (libtest); these lines are the only part of their
//! output that is understood here. Colours are ignored.

use std::fmt;
use std::ops::AddAssign;

/// How many tests ended how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Ran and passed.
    pub passed: u64,
    /// Ran and failed, crashed, leaked or were ended.
    pub failed: u64,
    /// Did not run, on purpose.
    pub skipped: u64,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

/// Reads nextest's `Summary [ 0.083s] 2 tests run: 1 passed (1 slow), 1 timed out, 2 skipped`.
///
/// The last such line counts. Whatever ended neither `passed` nor `skipped` has failed.
/// `None` where there is no such line: nothing was run.
pub fn of_nextest(output: &str) -> Option<Tally> {
    let plain = without_colours(output);
    let line = plain.lines().rev().find(|line| line.trim_start().starts_with("Summary ["))?;
    let (_, totals) = line.split_once("run: ")?;
    let mut tally = Tally::default();
    for part in without_parentheses(totals).split(',') {
        let Some((number, what)) = number_and_words(part) else { continue };
        match what {
            "passed" => tally.passed += number,
            "skipped" => tally.skipped += number,
            _ => tally.failed += number,
        }
    }
    Some(tally)
}

/// Adds up libtest's `test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; …`, one per binary.
///
/// `None` where there is no such line: nothing was run.
pub fn of_libtest(output: &str) -> Option<Tally> {
    let plain = without_colours(output);
    let mut tally = None;
    for line in plain.lines() {
        let Some(totals) = line.trim_start().strip_prefix("test result: ") else { continue };
        let sum = tally.get_or_insert(Tally::default());
        for part in totals.split(['.', ';']) {
            match number_and_words(part) {
                Some((number, "passed")) => sum.passed += number,
                Some((number, "failed")) => sum.failed += number,
                Some((number, "ignored")) => sum.skipped += number,
                _ => {}
            }
        }
    }
    tally
}

fn number_and_words(part: &str) -> Option<(u64, &str)> {
    let (number, words) = part.trim().split_once(' ')?;
    Some((number.parse().ok()?, words.trim()))
}

fn without_parentheses(text: &str) -> String {
    let mut depth = 0_u32;
    text.chars()
        .filter(|character| {
            match character {
                '(' => depth += 1,
                ')' => depth = depth.saturating_sub(1),
                _ => return depth == 0,
            }
            false
        })
        .collect()
}

/// Takes out the escape sequences that set colours (ECMA-48, SGR).
pub fn without_colours(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character == '\u{1b}' {
            characters.by_ref().find(char::is_ascii_alphabetic);
        } else {
            plain.push(character);
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(passed: u64, failed: u64, skipped: u64) -> Option<Tally> {
        Some(Tally { passed, failed, skipped })
    }

    #[test]
    fn a_nextest_summary_is_read() {
        let output = "        FAIL [   0.081s] (2/2) probe tests::b\n────────────\n     Summary [   0.083s] 2 tests run: 1 passed, 1 failed, 2 skipped\n        FAIL [   0.081s] (2/2) probe tests::b\nerror: test run failed\n";
        assert_eq!(of_nextest(output), tally(1, 1, 2));
    }

    #[test]
    fn every_way_of_not_passing_counts_as_failed() {
        let output = "     Summary [   3.1s] 9/12 tests run: 5 passed (1 slow, 2 leaky), 1 failed, 2 timed out, 1 exec failed, 7 skipped";
        assert_eq!(of_nextest(output), tally(5, 4, 7));
    }

    #[test]
    fn one_test_in_the_singular_is_read_too() {
        assert_eq!(of_nextest("     Summary [   0.003s] 1 test run: 1 passed, 0 skipped"), tally(1, 0, 0));
    }

    #[test]
    fn colours_do_not_hide_a_summary() {
        let output = "\u{1b}[32;1m     Summary\u{1b}[0m [   0.003s] \u{1b}[1m3\u{1b}[0m tests run: \u{1b}[1m3\u{1b}[0m \u{1b}[32;1mpassed\u{1b}[0m, \u{1b}[1m1\u{1b}[0m \u{1b}[33;1mskipped\u{1b}[0m";
        assert_eq!(of_nextest(output), tally(3, 0, 1));
    }

    #[test]
    fn a_build_that_failed_has_no_counts() {
        assert_eq!(of_nextest("error: could not compile `x`"), None);
        assert_eq!(of_libtest("error: could not compile `x`"), None);
    }

    #[test]
    fn the_results_of_several_libtest_binaries_are_added_up() {
        let output = "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s\n\ntest result: FAILED. 2 passed; 4 failed; 0 ignored; 0 measured; 9 filtered out; finished in 1.20s\n";
        assert_eq!(of_libtest(output), tally(5, 4, 1));
    }

    #[test]
    fn the_line_that_ends_the_test_command_is_plain() {
        assert_eq!(Tally { passed: 12, failed: 0, skipped: 3 }.to_string(), "12 passed, 0 failed, 3 skipped");
    }
}
