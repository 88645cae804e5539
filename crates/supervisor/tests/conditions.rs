//! Steps with conditions: what runs after a failure, what is passed over, and what they know.

mod support;

use branchline_expression::Value;
use branchline_model::{AttemptEnd, CellValues, Known, StepDefinition, StepEnd, TimeoutOf};
use support::{TestAttempt, definition, step};

fn when(condition: &str, run: &str) -> StepDefinition {
    StepDefinition { condition: Some(condition.to_owned()), ..step(run) }
}

#[test]
fn after_a_failure_only_the_steps_that_ask_for_it_are_carried_out() {
    let attempt = TestAttempt::started(&definition(vec![
        step("exit 7"),
        step("echo never"),
        when("failure()", "echo \"$BRANCHLINE_FAILED_STEP: $BRANCHLINE_FAILED_EXIT\""),
        when("success()", "echo never"),
        when("env.CI == 'x' || always()", "echo always; exit 9"),
        when("cancelled()", "echo never"),
    ]));
    assert_eq!(attempt.end(), AttemptEnd::StepFailed { step: "exit 7".to_owned(), exit: 7 });
    assert_eq!(attempt.text(), "exit 7: 7\nalways\n");
    let steps = attempt.observed().steps;
    let ends: Vec<_> = steps.into_iter().map(|step| (step.index, step.end.unwrap())).collect();
    assert_eq!(
        ends,
        [
            (0, StepEnd::Exited { code: 7 }),
            (2, StepEnd::Exited { code: 0 }),
            (3, StepEnd::Skipped),
            (4, StepEnd::Exited { code: 9 }),
            (5, StepEnd::Skipped),
        ]
    );
}

#[test]
fn where_nothing_failed_what_asks_for_a_failure_is_passed_over() {
    let attempt = TestAttempt::started(&definition(vec![
        when("failure()", "echo never"),
        when("always()", "echo \"always${BRANCHLINE_FAILED_STEP-}\""),
        step("echo last"),
    ]));
    assert_eq!(attempt.end(), AttemptEnd::Passed);
    assert_eq!(attempt.text(), "always\nlast\n");
    assert!(attempt.observed().began_at.is_some());
    assert_eq!(attempt.step_ends()[0], Some(StepEnd::Skipped));
}

#[test]
fn a_step_whose_time_ran_out_is_a_failure_for_those_after_it() {
    let slow = StepDefinition { timeout: Some(std::time::Duration::from_millis(100)), ..step("sleep 1000") };
    let attempt = TestAttempt::started(&definition(vec![
        slow,
        when("failure()", "echo after $BRANCHLINE_FAILED_STEP"),
    ]));
    let of = TimeoutOf::Step { step: "sleep 1000".to_owned() };
    assert_eq!(attempt.end(), AttemptEnd::TimedOut { of });
    assert!(attempt.text().ends_with("after sleep 1000\n"), "{}", attempt.text());
}

#[test]
fn conditions_know_the_environment_and_what_the_build_knew() {
    let mut definition = definition(vec![
        when(
            "env.MODE == 'full' && matrix.os == 'linux' && needs.build.outputs.kind == 'nightly'",
            "echo yes",
        ),
        when("env.MODE == 'quick'", "echo never"),
        StepDefinition {
            env: [("MODE".to_owned(), "quick".to_owned())].into(),
            ..when("env.MODE == 'quick'", "echo its own")
        },
    ]);
    definition.env.insert("MODE".to_owned(), "full".to_owned());
    let outputs = Value::map([("kind", Value::from("nightly"))]);
    definition.known = Some(Box::new(Known {
        cell: CellValues { matrix: Value::map([("os", Value::from("linux"))]), host: Value::Null },
        needs: Value::map([("build", Value::map([("outputs", outputs)]))]),
        ..Known::default()
    }));
    let attempt = TestAttempt::started(&definition);
    assert_eq!(attempt.end(), AttemptEnd::Passed);
    assert_eq!(attempt.text(), "yes\nits own\n");
}

#[test]
fn a_condition_without_an_answer_is_an_error_that_names_the_step_and_others_clean_up_after_it() {
    let mut definition = definition(vec![
        when("env.MODE", "echo never"),
        step("echo never"),
        when("failure()", "echo cleaned"),
    ]);
    definition.env.insert("MODE".to_owned(), "full".to_owned());
    let attempt = TestAttempt::started(&definition);
    let AttemptEnd::StartFailed { why } = attempt.end() else { panic!("{:?}", attempt.end()) };
    assert!(why.starts_with("step `echo never`: its condition `env.MODE` has no answer: "), "{why}");
    assert!(attempt.text().ends_with("cleaned\n"), "{}", attempt.text());
}

#[test]
fn what_was_told_to_stop_begins_no_step_whatever_its_condition() {
    let attempt = TestAttempt::started(&definition(vec![
        step("echo begun; sleep 1000"),
        when("always()", "echo never"),
    ]));
    support::until_true("it began", || attempt.text().contains("begun"));
    attempt.stop(true);
    assert_eq!(attempt.end(), AttemptEnd::Stopped);
    assert!(!attempt.text().contains("never"));
}
