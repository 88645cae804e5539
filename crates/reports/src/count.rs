//! Results, counted. Invariant: all are counted, and of the bad ones as many are kept as fit.

use branchline_model::{Test, TestOutcome, Tests};

/// So many bad results are kept.
const MOST_BAD: usize = 100;

/// They have no more text than this together.
const MOST_TEXT: usize = 96 << 10;

/// Counts results as they come.
#[derive(Clone, Debug, Default)]
pub struct Counting {
    tests: Tests,
    text: usize,
}

impl Counting {
    /// One more result.
    pub fn add(&mut self, test: Test) {
        let tests = &mut self.tests;
        let count = match test.outcome {
            TestOutcome::Passed => &mut tests.passed,
            TestOutcome::Failed => &mut tests.failed,
            TestOutcome::Errored => &mut tests.errored,
            TestOutcome::Skipped => &mut tests.skipped,
        };
        *count = count.saturating_add(1);
        tests.milliseconds = tests.milliseconds.saturating_add(test.milliseconds.unwrap_or(0));
        let text = self.text + test.weight();
        if test.outcome.is_bad() && tests.bad.len() < MOST_BAD && text <= MOST_TEXT {
            self.text = text;
            tests.bad.push(test);
        }
    }

    /// Something besides a test went wrong, which must not look as if all were well: it counts as one that errored.
    pub fn add_trouble(&mut self, name: impl Into<String>, why: impl Into<String>) {
        self.add(Test {
            suite: None,
            name: name.into(),
            outcome: TestOutcome::Errored,
            milliseconds: None,
            message: Some(why.into()),
            place: None,
        });
    }

    /// All of them; `None` where there was none.
    #[must_use]
    pub fn tests(self) -> Option<Tests> {
        (self.tests.count() > 0).then_some(self.tests)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_counted_and_the_first_bad_ones_are_kept() {
        let mut counting = Counting::default();
        for number in 0..5000 {
            let outcome = if number % 2 == 0 { TestOutcome::Failed } else { TestOutcome::Passed };
            let (name, milliseconds) = (number.to_string(), Some(u64::MAX / 2));
            counting.add(Test { suite: None, name, outcome, milliseconds, message: None, place: None });
        }
        counting.add_trouble("report.xml", "m".repeat(MOST_TEXT));
        let tests = counting.tests().unwrap();
        assert_eq!(
            (tests.passed, tests.failed, tests.errored, tests.milliseconds),
            (2500, 2500, 1, u64::MAX)
        );
        assert_eq!((tests.bad.len(), tests.bad[0].name.as_str()), (MOST_BAD, "0"));
        assert_eq!(Counting::default().tests(), None);
    }
}
