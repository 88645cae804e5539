//! `branchline run`: the working tree, here and now.

use std::path::Path;
use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::{Repository, Said, branchline, said, until};

fn run(folder: &Path, arguments: &[&str]) -> Said {
    said(&branchline().arg("run").args(arguments).current_dir(folder).output().unwrap())
}

#[test]
fn a_pipeline_runs_in_the_working_tree_itself_and_its_exit_code_is_the_builds() {
    let pipeline = "{on: push, jobs: {a: {process: true, steps: ['cat draft; echo made > made']}}}";
    let repository = Repository::with(&[("ci", pipeline)]);
    repository.write("draft", "not committed\n");
    let said = run(repository.path(), &[]);
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    assert!(said.stdout.contains("\nnot committed\n"), "{}", said.stdout);
    assert_eq!(std::fs::read_to_string(repository.path().join("made")).unwrap(), "made\n");
}

#[test]
fn a_failure_is_exit_code_one_and_says_which_step() {
    let repository = Repository::with(&[("ci", "{on: push, jobs: {a: {process: true, steps: ['exit 9']}}}")]);
    let said = run(repository.path(), &["ci"]);
    assert_eq!(said.code, Some(1));
    assert!(said.stderr.contains("step `exit 9` failed with exit code 9"), "{}", said.stderr);
}

#[test]
fn one_job_runs_alone_without_what_it_needs() {
    let pipeline = "
on: push
jobs:
  a: {process: true, steps: ['exit 1']}
  b: {process: true, needs: [a], steps: ['echo alone']}
";
    let repository = Repository::with(&[("ci", pipeline)]);
    let said = run(repository.path(), &["ci/b"]);
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    assert!(said.stdout.contains("alone\n"));
    let said = run(repository.path(), &["ci/c"]);
    assert_eq!(said.code, Some(2));
    assert!(said.stderr.contains("the pipeline `ci` has no job `c`; there are a, b"), "{}", said.stderr);
}

#[test]
fn lines_of_several_jobs_stand_behind_their_names() {
    let pipeline = "
on: push
jobs:
  a: {process: true, steps: ['echo from a']}
  long: {process: true, steps: ['printf unended']}
";
    let repository = Repository::with(&[("ci", pipeline)]);
    let said = run(repository.path(), &[]);
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    assert!(said.stdout.contains("a    | from a\n"), "{}", said.stdout);
    assert!(said.stdout.contains("long | unended\n"), "{}", said.stdout);
}

#[test]
fn a_wrong_file_is_exit_code_two_with_every_mistake() {
    let repository = Repository::with(&[("ci", "on: push\njobs:\n  a:\n    proces: true\n    steps: [x]\n")]);
    let said = run(repository.path(), &[]);
    assert_eq!(said.code, Some(2));
    assert!(said.stderr.contains(".branchline/ci.yaml:4:5"), "{}", said.stderr);
    assert!(said.stderr.contains("did you mean `process`?"), "{}", said.stderr);
}

#[test]
fn where_there_are_several_pipelines_one_must_be_named() {
    let pipeline = "{on: push, jobs: {a: {process: true, steps: ['true']}}}";
    let repository = Repository::with(&[("one", pipeline), ("two", pipeline)]);
    let said = run(repository.path(), &[]);
    assert_eq!(said.code, Some(2));
    assert!(said.stderr.contains("There are one, two"), "{}", said.stderr);
}

#[test]
fn outside_of_any_repository_it_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let said = run(folder.path(), &[]);
    assert_eq!(said.code, Some(1));
    assert!(said.stderr.contains("is in no repository"), "{}", said.stderr);
}

/// Runs a step that prints without end and waits for nothing; answers the command and the step's process.
fn endless(repository: &Repository, stdout: Stdio) -> (std::process::Child, i32) {
    let pid_file = repository.path().join("pid");
    let pipeline = format!(
        "{{on: push, jobs: {{a: {{process: true, steps: ['echo $$ > {0}.new; mv {0}.new {0}; exec yes']}}}}}}",
        pid_file.display()
    );
    repository.write(".branchline/ci.yaml", pipeline);
    let child = branchline()
        .arg("run")
        .current_dir(repository.path())
        .stdout(stdout)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let pid = until("the step runs", || std::fs::read_to_string(&pid_file).ok()?.trim().parse().ok());
    (child, pid)
}

fn signalled(child: &std::process::Child, signal: Signal) {
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), signal).unwrap();
}

fn gone(pid: i32) {
    until("the step's process is gone", || (!Path::new(&format!("/proc/{pid}")).exists()).then_some(()));
}

#[test]
fn an_interrupt_or_an_order_to_end_cancels_the_build_however_much_it_prints() {
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let repository = Repository::empty();
        let (mut child, pid) = endless(&repository, Stdio::null());
        signalled(&child, signal);
        let status = until("it ends", || child.try_wait().unwrap());
        assert_eq!(status.code(), Some(130), "{signal}");
        gone(pid);
    }
}

#[test]
fn a_second_interrupt_ends_it_though_nobody_reads_what_it_prints() {
    let repository = Repository::empty();
    let (mut child, pid) = endless(&repository, Stdio::piped());
    // Nobody reads the pipe: printing is stuck, and must not keep the signals waiting.
    signalled(&child, Signal::SIGINT);
    let cancelled = || !Path::new(&format!("/proc/{pid}")).exists();
    until("the first one cancels", || cancelled().then_some(()));
    signalled(&child, Signal::SIGINT);
    let status = until("the second one ends it", || child.try_wait().unwrap());
    assert_eq!(status.code(), Some(130));
}
