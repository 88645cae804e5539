//! The last words of the test command: a table of steps, the ignored tests, and the counts alone on their line.

use crate::ignored::Ignored;
use crate::step::{Finished, Outcome};
use crate::tally::Tally;

/// Whether no step failed.
pub fn all_is_well(steps: &[Finished]) -> bool {
    steps.iter().all(|step| !matches!(step.outcome, Outcome::Failed(_)))
}

/// Everything, as it is printed. The counts are the last line.
pub fn of(steps: &[Finished], ignored: &[Ignored]) -> String {
    let mut text = String::from("\n==> summary\n");
    let width = steps.iter().map(|step| step.name.len()).max().unwrap_or(0).max("step".len());
    let row = |name: &str, result: &str, seconds: &str, remark: &str| {
        format!("{name:<width$}  {result:<8}  {seconds:>8}  {remark}").trim_end().to_owned() + "\n"
    };
    text.push_str(&row("step", "result", "seconds", ""));
    for step in steps {
        let seconds = format!("{:.1}", step.took.as_secs_f64());
        let (result, remark) = match &step.outcome {
            Outcome::Passed if step.tally == Tally::default() => ("passed", String::new()),
            Outcome::Passed => ("passed", step.tally.to_string()),
            Outcome::Failed(why) => ("FAILED", first_line(why)),
            Outcome::LeftOut(why) => ("left out", first_line(why)),
        };
        text.push_str(&row(step.name, result, &seconds, &remark));
    }
    if !ignored.is_empty() {
        text.push_str(&format!("\nignored tests ({}):\n", ignored.len()));
        for test in ignored {
            let reason = if test.reason.is_empty() { "no reason is given" } else { &test.reason };
            text.push_str(&format!("  {}: {reason}\n", test.name));
        }
    }
    let mut total = Tally::default();
    for step in steps {
        total += step.tally;
    }
    text.push_str(&format!("\n{total}"));
    text
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn step(name: &'static str, outcome: Outcome, tenths: u64, tally: (u64, u64, u64)) -> Finished {
        let tally = Tally { passed: tally.0, failed: tally.1, skipped: tally.2 };
        Finished { name, outcome, took: Duration::from_millis(tenths * 100), tally }
    }

    #[test]
    fn the_summary_names_every_step_and_ignored_test_and_ends_with_the_counts() {
        let steps = [
            step("format", Outcome::Passed, 7, (0, 0, 0)),
            step(
                "tests",
                Outcome::Failed("`cargo nextest run` ended with 100\nand more".into()),
                1234,
                (10, 1, 2),
            ),
            step("doc tests", Outcome::Passed, 31, (4, 0, 1)),
            step("licenses", Outcome::LeftOut("cargo-deny is not installed".into()), 0, (0, 0, 0)),
        ];
        let ignored = [
            Ignored { name: "cron::vectors".into(), reason: "needs BRANCHLINE_TEST_DATA".into() },
            Ignored { name: "slow::one".into(), reason: String::new() },
        ];
        let expected = "
==> summary
step       result     seconds
format     passed         0.7
tests      FAILED       123.4  `cargo nextest run` ended with 100
doc tests  passed         3.1  4 passed, 0 failed, 1 skipped
licenses   left out       0.0  cargo-deny is not installed

ignored tests (2):
  cron::vectors: needs BRANCHLINE_TEST_DATA
  slow::one: no reason is given

14 passed, 1 failed, 3 skipped";
        assert_eq!(of(&steps, &ignored), expected);
        assert!(!all_is_well(&steps));
    }

    #[test]
    fn a_step_that_was_left_out_is_no_failure() {
        assert!(all_is_well(&[step("licenses", Outcome::LeftOut("not installed".into()), 0, (0, 0, 0))]));
    }
}
