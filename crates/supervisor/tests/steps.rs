//! What a step is, how it starts, and how it ends.

mod support;

use std::fs;
use std::os::unix::fs::symlink;

use branchline_model::{AttemptEnd, ShellDefinition, StepDefinition, StepEnd};
use support::{TestAttempt, definition, step};

#[test]
fn steps_that_exit_with_zero_pass_in_order() {
    let attempt =
        TestAttempt::started(&definition(vec![step("echo one"), step("echo two"), step("echo three")]));
    assert_eq!(attempt.end(), AttemptEnd::Passed);
    assert_eq!(attempt.text(), "one\ntwo\nthree\n");
    let observed = attempt.observed();
    assert_eq!(observed.steps.iter().map(|step| step.index).collect::<Vec<_>>(), [0, 1, 2]);
    assert!(observed.steps.iter().all(|step| step.end == Some(StepEnd::Exited { code: 0 })));
    let base = observed.steps[0].log_offset;
    assert_eq!(observed.steps.iter().map(|step| step.log_offset - base).collect::<Vec<_>>(), [0, 4, 8]);
    assert_eq!(observed.end.unwrap().log_length, attempt.whole_log().len() as u64);
    assert_eq!(attempt.directory.errors(), "");
}

#[test]
fn an_attempt_without_steps_passes_without_having_begun() {
    let attempt = TestAttempt::started(&definition(vec![]));
    assert_eq!(attempt.end(), AttemptEnd::Passed);
    assert_eq!(attempt.observed().began_at, None);
}

#[test]
fn a_failed_step_is_the_last_one() {
    let attempt = TestAttempt::started(&definition(vec![step("exit 7"), step("echo never")]));
    assert_eq!(attempt.end(), AttemptEnd::StepFailed { step: "exit 7".to_owned(), exit: 7 });
    assert_eq!(attempt.step_ends(), [Some(StepEnd::Exited { code: 7 })]);
    assert_eq!(attempt.text(), "");
}

#[test]
fn a_script_ends_at_its_first_failed_command() {
    let attempt = TestAttempt::started(&definition(vec![step("false\necho never")]));
    assert_eq!(attempt.end(), AttemptEnd::StepFailed { step: "false".to_owned(), exit: 1 });
}

#[test]
fn a_step_that_may_fail_does_not_keep_the_others_from_running() {
    let may_fail = |run: &str| StepDefinition { allow_failure: true, ..step(run) };
    let attempt = TestAttempt::started(&definition(vec![
        may_fail("exit 3"),
        StepDefinition { working_directory: Some("nowhere".to_owned()), ..may_fail("echo never") },
        step("echo after"),
    ]));
    assert_eq!(attempt.end(), AttemptEnd::Passed);
    assert_eq!(attempt.text(), "after\n");
    assert_eq!(attempt.step_ends()[0], Some(StepEnd::Exited { code: 3 }));
}

#[test]
fn a_step_ended_by_a_signal_says_which() {
    let attempt = TestAttempt::started(&definition(vec![step("kill -SEGV $$")]));
    assert_eq!(attempt.end(), AttemptEnd::StepSignalled { step: "kill -SEGV $$".to_owned(), signal: 11 });
    assert_eq!(attempt.step_ends(), [Some(StepEnd::Signalled { signal: 11 })]);
}

#[test]
fn the_scripts_own_first_line_wins_over_its_shell() {
    let shell = ShellDefinition::Command(vec!["no-such-shell".to_owned()]);
    let attempt = TestAttempt::started(&definition(vec![StepDefinition {
        shell,
        ..step("#!/usr/bin/env -S sh -u\necho \"$0\"; echo ${nothing}; echo never")
    }]));
    assert!(matches!(attempt.end(), AttemptEnd::StepFailed { exit: 2, .. }), "{:?}", attempt.end());
    assert!(attempt.text().contains("steps/000.sh\n"), "{}", attempt.text());
}

#[test]
fn a_shell_is_found_in_the_steps_own_path() {
    let attempt = TestAttempt::filled(&definition(vec![StepDefinition {
        env: [("PATH".to_owned(), "tools:/usr/bin:/bin".to_owned())].into(),
        shell: ShellDefinition::Command(vec!["mine".to_owned(), "-x".to_owned()]),
        ..step("anything")
    }]));
    fs::create_dir(attempt.file("tools")).unwrap();
    fs::copy("/bin/echo", attempt.file("tools/mine")).unwrap();
    attempt.start();
    assert_eq!(attempt.end(), AttemptEnd::Passed);
    assert_eq!(attempt.text(), format!("-x {}/steps/000.sh\n", attempt.directory.path().display()));
}

#[test]
fn a_shell_that_is_not_installed_is_named() {
    let attempt = TestAttempt::started(&definition(vec![StepDefinition {
        shell: ShellDefinition::Command(vec!["no-such-shell".to_owned()]),
        ..step("echo")
    }]));
    let AttemptEnd::StartFailed { why } = attempt.end() else { panic!("{:?}", attempt.end()) };
    assert!(why.contains("`no-such-shell` is in no folder of PATH"), "{why}");
    assert!(matches!(&attempt.step_ends()[0], Some(StepEnd::NotStarted { .. })));
    assert!(String::from_utf8_lossy(&attempt.whole_log()).contains("no-such-shell"));
}

#[test]
fn a_script_whose_interpreter_is_missing_is_not_started() {
    let attempt = TestAttempt::started(&definition(vec![step("#!/no/such/interpreter\n")]));
    assert!(matches!(attempt.end(), AttemptEnd::StartFailed { .. }), "{:?}", attempt.end());
}

#[test]
fn a_working_directory_must_be_a_folder_in_the_workspace() {
    for (wanted, word) in [
        ("nowhere", "cannot be used"),
        ("..", "outside of the workspace"),
        ("/", "outside of the workspace"),
        ("out", "outside of the workspace"),
        ("file", "not a folder"),
        ("a\0b", "cannot be used"),
    ] {
        let attempt = TestAttempt::filled(&definition(vec![StepDefinition {
            working_directory: Some(wanted.to_owned()),
            ..step("echo never")
        }]));
        symlink("/usr", attempt.file("out")).unwrap();
        fs::write(attempt.file("file"), "").unwrap();
        attempt.start();
        let AttemptEnd::StartFailed { why } = attempt.end() else { panic!("{wanted}: {:?}", attempt.end()) };
        assert!(why.contains(word), "{wanted}: {why}");
        assert_eq!(attempt.text(), "", "{wanted}");
    }
}

#[test]
fn a_working_directory_may_be_reached_through_a_link_within_the_workspace() {
    let attempt = TestAttempt::filled(&definition(vec![StepDefinition {
        working_directory: Some("link".to_owned()),
        ..step("pwd -P")
    }]));
    fs::create_dir_all(attempt.file("a/b")).unwrap();
    symlink("a/b", attempt.file("link")).unwrap();
    attempt.start();
    assert_eq!(attempt.end(), AttemptEnd::Passed);
    assert!(attempt.text().ends_with("/workspace/a/b\n"), "{}", attempt.text());
}

#[test]
fn a_step_sees_its_own_environment_and_nothing_of_the_controllers() {
    let mut wanted = definition(vec![StepDefinition {
        env: [("OWN".to_owned(), "step".to_owned()), ("BOTH".to_owned(), "step".to_owned())].into(),
        ..step("env | sort")
    }]);
    wanted.env = [
        ("BOTH".to_owned(), "run".to_owned()),
        ("CI".to_owned(), "mine".to_owned()),
        ("BRANCHLINE_WORKSPACE".to_owned(), "/elsewhere".to_owned()),
    ]
    .into();
    let attempt = TestAttempt::started(&wanted);
    assert_eq!(attempt.end(), AttemptEnd::Passed);
    let text = attempt.text();
    let at = attempt.directory.path().canonicalize().unwrap();
    for line in [
        "OWN=step".to_owned(),
        "BOTH=step".to_owned(),
        "CI=mine".to_owned(),
        "BRANCHLINE=true".to_owned(),
        "BRANCHLINE_ATTEMPT=1".to_owned(),
        format!("BRANCHLINE_WORKSPACE={}/workspace", at.display()),
        format!("BRANCHLINE_OUTPUT={}/output", attempt.directory.path().display()),
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in:\n{text}");
    }
    // Cargo sets this for tests; the supervisor has it, a step must not.
    assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some());
    assert!(!text.contains("CARGO_MANIFEST_DIR"), "{text}");
}

#[test]
fn what_no_environment_can_hold_is_refused_by_name() {
    for (name, value) in [("A=B", "x"), ("", "x"), ("A", "x\0y")] {
        let attempt = TestAttempt::started(&definition(vec![StepDefinition {
            env: [(name.to_owned(), value.to_owned())].into(),
            ..step("echo never")
        }]));
        assert!(matches!(attempt.end(), AttemptEnd::StartFailed { .. }), "{name:?}: {:?}", attempt.end());
    }
}

#[test]
fn nothing_is_on_stdin() {
    let attempt = TestAttempt::started(&definition(vec![step("wc -c")]));
    assert_eq!(attempt.end(), AttemptEnd::Passed);
    assert_eq!(attempt.text().trim(), "0");
}

#[test]
fn a_step_starts_with_every_signal_at_its_default() {
    let attempt = TestAttempt::started(&definition(vec![step("grep -E 'Sig(Blk|Ign)' /proc/self/status")]));
    assert_eq!(attempt.end(), AttemptEnd::Passed);
    let text = attempt.text();
    let masks: Vec<u64> = text
        .lines()
        .map(|line| u64::from_str_radix(line.split_whitespace().nth(1).unwrap(), 16).unwrap())
        .collect();
    // Signals 32 and 33 are glibc's own: its posix_spawn(3) always leaves them ignored.
    assert_eq!(masks.iter().map(|mask| mask & !(0b11 << 31)).collect::<Vec<_>>(), [0, 0], "{text}");
}
