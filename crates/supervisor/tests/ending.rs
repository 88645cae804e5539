//! How an attempt is ended: by its times, by order, and with all that its steps left behind.

mod support;

use std::fs;
use std::time::{Duration, Instant};

use branchline_model::{AttemptEnd, RunDefinition, StepDefinition, StepEnd, TimeoutOf};
use support::{TestAttempt, definition, lives, step, until_true};

/// A shell that ignores TERM and waits, with a child that does too; both write their process ids.
const STUBBORN: &str = "trap '' TERM; (trap '' TERM; sh -c 'echo $PPID > child'; while :; do sleep 1000; done) &\n\
                        until [ -s child ]; do sleep 0.01; done; echo $$ > main; while :; do sleep 1000; done";

/// Leaves its group, its session and its parent, as a daemon does.
const DAEMON: &str = "setsid sh -c 'setsid sh -c \"echo \\$\\$ > daemon; exec sleep 1000\" &'\n\
                      until [ -s daemon ]; do sleep 0.01; done";

fn with_grace(milliseconds: u64, steps: Vec<StepDefinition>) -> RunDefinition {
    RunDefinition { grace: Duration::from_millis(milliseconds), ..definition(steps) }
}

fn timed(milliseconds: u64, run: &str) -> StepDefinition {
    StepDefinition { timeout: Some(Duration::from_millis(milliseconds)), ..step(run) }
}

#[test]
fn a_step_whose_time_runs_out_is_asked_to_end() {
    let attempt = TestAttempt::started(&definition(vec![
        StepDefinition {
            title: "slow".to_owned(),
            ..timed(300, "trap 'echo asked; exit 0' TERM; while :; do sleep 0.01; done")
        },
        step("echo never"),
    ]));
    let of = TimeoutOf::Step { step: "slow".to_owned() };
    assert_eq!(attempt.end(), AttemptEnd::TimedOut { of });
    assert_eq!(attempt.step_ends(), [Some(StepEnd::TimedOut)]);
    // The shell may say first that its `sleep` was terminated.
    assert!(attempt.text().ends_with("asked\n"), "{}", attempt.text());
    assert!(
        String::from_utf8_lossy(&attempt.whole_log()).contains("the time of step `slow` ran out (0.3 s)")
    );
}

#[test]
fn what_ignores_the_request_is_killed_after_the_grace_time() {
    let attempt = TestAttempt::started(&with_grace(400, vec![timed(600, STUBBORN)]));
    let (main, child) = (attempt.line_in("main"), attempt.line_in("child"));
    assert!(matches!(attempt.end(), AttemptEnd::TimedOut { of: TimeoutOf::Step { .. } }));
    assert!(!lives(&main) && !lives(&child));
    let step = &attempt.observed().steps[0];
    let took = step.ended_at.unwrap().since(step.began_at);
    assert!(took >= Duration::from_millis(990), "{took:?}");
}

#[test]
fn the_jobs_time_counts_over_all_steps() {
    let wanted = RunDefinition {
        timeout: Duration::from_millis(400),
        ..definition(vec![step("sleep 0.1"), step("sleep 1000"), step("echo never")])
    };
    let attempt = TestAttempt::started(&wanted);
    assert_eq!(attempt.end(), AttemptEnd::TimedOut { of: TimeoutOf::Job });
    assert_eq!(attempt.step_ends(), [Some(StepEnd::Exited { code: 0 }), Some(StepEnd::TimedOut)]);
}

#[test]
fn a_step_that_may_fail_may_also_run_out_of_time() {
    let attempt = TestAttempt::started(&definition(vec![
        StepDefinition { allow_failure: true, ..timed(200, "sleep 1000") },
        step("echo after"),
    ]));
    assert_eq!(attempt.end(), AttemptEnd::Passed);
    assert_eq!(attempt.text(), "after\n");
}

#[test]
fn a_daemon_is_killed_when_its_run_ends() {
    let attempt =
        TestAttempt::started(&definition(vec![step(DAEMON), step("kill -0 $(cat daemon) && echo it lives")]));
    assert_eq!(attempt.end(), AttemptEnd::Passed);
    assert_eq!(attempt.text(), "it lives\n");
    assert!(!lives(&attempt.line_in("daemon")));
    assert_eq!(attempt.processes(), [0; 0]);
}

#[test]
fn a_daemon_that_hides_its_environment_is_killed_too() {
    let attempt =
        TestAttempt::started(&definition(vec![step(&DAEMON.replace("exec sleep", "exec env -i sleep"))]));
    assert_eq!(attempt.end(), AttemptEnd::Passed);
    assert!(!lives(&attempt.line_in("daemon")));
}

#[test]
fn an_order_to_stop_ends_daemons_too() {
    let attempt = TestAttempt::started(&with_grace(
        200,
        vec![step(&format!("{DAEMON}\n{STUBBORN}")), step("echo never")],
    ));
    let pids = [attempt.line_in("daemon"), attempt.line_in("main"), attempt.line_in("child")];
    attempt.stop(false);
    assert_eq!(attempt.end(), AttemptEnd::Stopped);
    assert_eq!(attempt.step_ends(), [Some(StepEnd::Stopped)]);
    assert!(pids.iter().all(|pid| !lives(pid)));
}

#[test]
fn an_order_that_says_at_once_does_not_wait_for_grace() {
    let attempt = TestAttempt::started(&with_grace(3_600_000, vec![step(STUBBORN)]));
    attempt.line_in("main");
    attempt.stop(false);
    // Repeating an order does not make it a harder one.
    attempt.stop(false);
    assert!(lives(&attempt.line_in("main")));
    attempt.stop(true);
    assert_eq!(attempt.end(), AttemptEnd::Stopped);
}

#[test]
fn without_grace_processes_are_killed_unasked() {
    let attempt =
        TestAttempt::started(&with_grace(0, vec![step(&format!("trap 'echo asked' TERM; {STUBBORN}"))]));
    attempt.line_in("main");
    let before = Instant::now();
    attempt.stop(false);
    assert_eq!(attempt.end(), AttemptEnd::Stopped);
    assert!(before.elapsed() < Duration::from_secs(9));
    assert_eq!(attempt.text(), "");
}

#[test]
fn an_order_given_before_the_start_keeps_every_step_from_running() {
    let attempt = TestAttempt::filled(&definition(vec![step("echo never")]));
    attempt.stop(false);
    attempt.start();
    assert_eq!(attempt.end(), AttemptEnd::Stopped);
    assert_eq!(attempt.observed().began_at, None);
}

#[test]
fn a_stopped_process_is_woken_so_that_it_can_end() {
    let attempt = TestAttempt::started(&definition(vec![step("echo $$ > main; kill -STOP $$; echo never")]));
    let pid = attempt.line_in("main");
    until_true("it is stopped", || {
        fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| stat.contains(") T "))
    });
    attempt.stop(false);
    assert_eq!(attempt.end(), AttemptEnd::Stopped);
}

#[test]
fn a_server_started_in_one_step_serves_the_next() {
    let attempt = TestAttempt::started(&definition(vec![
        step(
            "mkfifo ask; (while read -r word < ask; do echo \"served $word\"; echo ok > answer; done) & echo $! > server",
        ),
        step("echo tea > ask; until [ -s answer ]; do sleep 0.01; done; echo got it"),
    ]));
    assert_eq!(attempt.end(), AttemptEnd::Passed);
    assert_eq!(attempt.text(), "served tea\ngot it\n");
    assert!(!lives(&attempt.line_in("server")));
}

#[test]
fn a_step_ends_with_its_process_although_its_children_hold_the_output_open() {
    let attempt = TestAttempt::started(&definition(vec![step("sleep 1000 & echo done"), step("echo next")]));
    assert_eq!(attempt.end(), AttemptEnd::Passed);
    assert_eq!(attempt.text(), "done\nnext\n");
}

#[test]
fn a_child_that_prints_without_end_keeps_nothing_from_ending() {
    let attempt = TestAttempt::started(&definition(vec![step("yes & echo $! > noisy"), step("echo next")]));
    assert_eq!(attempt.end(), AttemptEnd::Passed);
    assert!(!lives(&attempt.line_in("noisy")));
    assert_eq!(attempt.step_ends().len(), 2);
}

#[test]
fn a_supervisor_is_not_ended_by_signals_that_can_be_refused() {
    let attempt =
        TestAttempt::filled(&definition(vec![step("echo on > on; until [ -e go ]; do sleep 0.01; done")]));
    let supervisor = attempt.start() as i32;
    attempt.line_in("on");
    use nix::sys::signal::{Signal, kill};
    for signal in
        [Signal::SIGHUP, Signal::SIGINT, Signal::SIGTERM, Signal::SIGQUIT, Signal::SIGPIPE, Signal::SIGUSR1]
    {
        kill(nix::unistd::Pid::from_raw(supervisor), signal).unwrap();
    }
    fs::write(attempt.file("go"), "").unwrap();
    assert_eq!(attempt.end(), AttemptEnd::Passed);
}
