//! Tests found in the lines of a log by two regular expressions. Invariants: an expression takes time linear in the line, and bounded
//! memory; a test that began and of which no result came is not forgotten.

use std::collections::BTreeMap;

use branchline_model::{MatchDefinition, Test, TestOutcome};
use regex::{Regex, RegexBuilder};

use crate::text::shortened;

/// How much memory an expression may take, compiled and while it looks.
const LARGEST_PROGRAM: usize = 1 << 20;

/// How much of a name and of a line is kept.
const LONGEST_NAME: usize = 500;
const LONGEST_MESSAGE: usize = 1000;

/// What is wrong with a regular expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// It is none, or it would take too much memory.
    #[error("`{pattern}` is no regular expression that can be used: {why}")]
    Wrong {
        /// The expression.
        pattern: String,
        /// What is wrong.
        why: String,
    },
    /// It does not say what it is to say.
    #[error("`{pattern}` has no group `{group}`: write it as (?<{group}>…)")]
    NoGroup {
        /// The expression.
        pattern: String,
        /// The group.
        group: &'static str,
    },
}

/// A regular expression that has these groups.
pub(crate) fn pattern(pattern: &str, groups: &[&'static str]) -> Result<Regex, PatternError> {
    let built =
        RegexBuilder::new(pattern).size_limit(LARGEST_PROGRAM).dfa_size_limit(LARGEST_PROGRAM).build();
    let regex = built.map_err(|error| {
        let text = error.to_string();
        // The parser draws the expression with a caret in several lines; the last one says what is wrong.
        let why = text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
        PatternError::Wrong { pattern: shortened(pattern, LONGEST_NAME), why }
    })?;
    match groups.iter().find(|group| !regex.capture_names().flatten().any(|name| name == **group)) {
        Some(group) => Err(PatternError::NoGroup { pattern: shortened(pattern, LONGEST_NAME), group }),
        None => Ok(regex),
    }
}

/// Finds tests in lines.
#[derive(Clone, Debug)]
pub struct Matching {
    test: Regex,
    result: Regex,
    results: BTreeMap<String, TestOutcome>,
    /// The test that has begun.
    under_way: Option<String>,
}

impl Matching {
    /// What finds them.
    ///
    /// # Errors
    /// An expression is none, or lacks its group.
    pub fn new(definition: &MatchDefinition) -> Result<Self, PatternError> {
        Ok(Self {
            test: pattern(&definition.test, &["name"])?,
            result: pattern(&definition.result, &["result"])?,
            results: definition.results.clone(),
            under_way: None,
        })
    }

    /// Looks at one line; answers the tests that ended with it: two, where one begins before the last one's result has come.
    pub fn line(&mut self, line: &str) -> Vec<Test> {
        let mut ended = Vec::new();
        if let Some(name) = self.test.captures(line).and_then(|found| Some(found.name("name")?.as_str())) {
            let name = shortened(name, LONGEST_NAME);
            // The same name again is the same test.
            if self.under_way.as_ref() != Some(&name) {
                ended.extend(self.end());
                self.under_way = Some(name);
            }
        }
        if let Some(found) = self.result.captures(line)
            && let Some(word) = found.name("result")
        {
            let named = found.name("name").map(|name| shortened(name.as_str(), LONGEST_NAME));
            // A result of nothing is a line that only looks like one.
            if let Some(name) = named.or_else(|| self.under_way.take()) {
                self.under_way = None;
                ended.push(self.result(name, word.as_str(), line));
            }
        }
        ended
    }

    /// There are no more lines: the test that is under way has no result.
    pub fn end(&mut self) -> Option<Test> {
        let name = self.under_way.take()?;
        let message = "it began, and no result of it came".to_owned();
        let (outcome, message) = (TestOutcome::Errored, Some(message));
        Some(Test { suite: None, name, outcome, milliseconds: None, message, place: None })
    }

    fn result(&self, name: String, word: &str, line: &str) -> Test {
        let known = self.results.get(word).copied().or_else(|| usual(word));
        let (outcome, message) = match known {
            Some(outcome) if !outcome.is_bad() => (outcome, None),
            Some(outcome) => (outcome, Some(shortened(line, LONGEST_MESSAGE))),
            None => {
                let word = shortened(word, LONGEST_NAME);
                (TestOutcome::Errored, Some(format!("what `{word}` means is not said: name it in `results`")))
            }
        };
        Test { suite: None, name, outcome, milliseconds: None, message, place: None }
    }
}

/// What a word usually means.
fn usual(word: &str) -> Option<TestOutcome> {
    match word.to_lowercase().as_str() {
        "ok" | "pass" | "passed" | "success" => Some(TestOutcome::Passed),
        "fail" | "failed" | "failure" | "not ok" => Some(TestOutcome::Failed),
        "error" | "errored" => Some(TestOutcome::Errored),
        "skip" | "skipped" | "ignored" => Some(TestOutcome::Skipped),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(
        test: &str,
        result: &str,
        results: &[(&str, TestOutcome)],
        log: &str,
    ) -> Vec<(String, TestOutcome)> {
        let results = results.iter().map(|(word, outcome)| ((*word).to_owned(), *outcome)).collect();
        let definition = MatchDefinition { test: test.to_owned(), result: result.to_owned(), results };
        let mut matching = Matching::new(&definition).unwrap();
        let mut tests: Vec<Test> = log.lines().flat_map(|line| matching.line(line)).collect();
        tests.extend(matching.end());
        tests.into_iter().map(|test| (test.name, test.outcome)).collect()
    }

    fn one(name: &str, outcome: TestOutcome) -> (String, TestOutcome) {
        (name.to_owned(), outcome)
    }

    #[test]
    fn a_test_and_its_result_may_stand_on_one_line_or_far_apart() {
        let log = "a ... ok\nb ... \nsome output\nFAILED\nresult: ok\nc ... ignored\n";
        let tests = found(r"^(?<name>\S+) \.\.\. ", r"(?<result>ok|FAILED|ignored)$", &[], log);
        let expected =
            [one("a", TestOutcome::Passed), one("b", TestOutcome::Failed), one("c", TestOutcome::Skipped)];
        assert_eq!(tests, expected, "a result that belongs to no test is none");
    }

    #[test]
    fn a_test_without_a_result_has_errored() {
        let log = "Starting one\nStarting one\nStarting two\nPASS\nStarting three\n";
        let tests = found("^Starting (?<name>.*)$", "^(?<result>PASS)$", &[], log);
        let expected = [
            one("one", TestOutcome::Errored),
            one("two", TestOutcome::Passed),
            one("three", TestOutcome::Errored),
        ];
        assert_eq!(tests, expected);
    }

    #[test]
    fn words_mean_what_is_said_of_them_or_what_they_usually_do() {
        let results = [("BAD", TestOutcome::Failed), ("ok", TestOutcome::Skipped)];
        let log = "TEST a: BAD\nTEST b: ok\nTEST c: Passed\nTEST d: odd\n";
        let result = r"^TEST (?<name>\w+): (?<result>\w+)$";
        let expected = [
            one("a", TestOutcome::Failed),
            one("b", TestOutcome::Skipped),
            one("c", TestOutcome::Passed),
            one("d", TestOutcome::Errored),
        ];
        assert_eq!(found("^never (?<name>x)$", result, &results, log), expected);
    }

    #[test]
    fn an_expression_that_cannot_be_used_says_why() {
        let new = |test: &str| {
            let result = "(?<result>x)".to_owned();
            let definition = MatchDefinition { test: test.to_owned(), result, results: BTreeMap::new() };
            Matching::new(&definition).unwrap_err().to_string()
        };
        assert_eq!(new("(?<name>a"), "`(?<name>a` is no regular expression that can be used: unclosed group");
        assert_eq!(new("(.*)"), "`(.*)` has no group `name`: write it as (?<name>…)");
        let huge = new(r"(?<name>(\w{100}){100}){100}");
        assert!(huge.contains("exceeds size limit"), "{huge}");
    }

    #[test]
    fn an_expression_that_backtracks_elsewhere_takes_linear_time_here() {
        let log = format!("{}!", "a".repeat(16 << 10));
        assert_eq!(found("^(?<name>(a+)+)$", "(?<result>x)", &[], &log), []);
    }
}
