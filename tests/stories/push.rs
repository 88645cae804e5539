//! A commit is noticed, built, and shown.

use crate::support::{Controller, Repository, until};

const GRAPH: &str = "
on: {push: {branches: [main]}, tag: ['v*'], manual: true}
env: {GREETING: hello}
jobs:
  lint: {process: true, steps: ['test -f README.md', 'git status --porcelain | wc -l']}
  test:
    process: true
    needs: [lint]
    env: {NAME: world}
    steps:
      - 'echo \"$GREETING $NAME from $BRANCHLINE_PIPELINE/$BRANCHLINE_JOB on $BRANCHLINE_BRANCH\"'
      - {name: In a folder, run: 'pwd; cat note', working_directory: docs}
";

fn repository() -> Repository {
    let repository = Repository::empty();
    repository.write(".branchline/ci.yaml", GRAPH);
    repository.write("README.md", "# Hello");
    repository.write("docs/note", "a note\n");
    repository.commit("First light");
    repository
}

#[test]
fn the_default_branch_is_built_at_first_sight_and_each_new_head_after_that() {
    let repository = repository();
    let controller = Controller::of(&[repository.path()]).start();
    let build = controller.ended(1);
    assert_eq!(build["status"], "passed", "{build}");
    assert_eq!(build["subject"], "First light");
    assert_eq!(build["author"], "Ann");
    assert_eq!(Controller::runs_of(&build), ["lint passed", "test passed"]);

    let commit = repository.commit("Second");
    let build = controller.ended(2);
    assert_eq!(build["commit"], commit);
    repository.git(&["branch", "side"]);
    repository.git(&["tag", "v1.0"]);
    let build = controller.ended(3);
    assert_eq!((&build["event"], &build["ref"]), (&"tag".into(), &"refs/tags/v1.0".into()), "{build}");
    assert_eq!(controller.json(&["builds"])["builds"].as_array().unwrap().len(), 3);
}

#[test]
fn the_steps_see_the_commit_their_environment_and_their_folder() {
    let repository = repository();
    let controller = Controller::of(&[repository.path()]).start();
    controller.ended(1);
    let log = controller.command(&["logs", "1/test"]);
    assert_eq!(log.code, Some(0), "{}", log.stderr);
    assert!(log.stdout.contains("\nhello world from ci/test on main\n"), "{}", log.stdout);
    assert!(log.stdout.contains("/docs\na note\n"), "{}", log.stdout);
    let third = controller.command(&["logs", "1/test", "--line", "3"]);
    let all: Vec<&str> = log.stdout.lines().collect();
    assert_eq!(third.stdout.lines().collect::<Vec<_>>(), all[2..]);
    let beyond = controller.command(&["logs", "1/test", "--line", "1000"]);
    assert_eq!((beyond.code, beyond.stdout.as_str()), (Some(1), ""));
    assert!(beyond.stderr.contains("there is no line 1000"), "{}", beyond.stderr);
    // The work tree is clean: what git says of it is nothing.
    let log = controller.command(&["logs", "1/lint"]);
    assert!(log.stdout.ends_with("\n0\n"), "{}", log.stdout);
}

#[test]
fn a_step_that_fails_says_which_and_how_and_what_needs_it_is_skipped() {
    let pipeline = "
on: push
jobs:
  test: {process: true, steps: [{name: Unit tests, run: 'echo broken >&2; exit 7'}]}
  ship: {process: true, needs: [test], steps: ['true']}
";
    let repository = Repository::with(&[("ci", pipeline)]);
    let controller = Controller::of(&[repository.path()]).start();
    let build = controller.ended(1);
    assert_eq!(build["status"], "failed");
    assert_eq!(Controller::runs_of(&build), ["test failed", "ship skipped"]);
    let shown = controller.command(&["build", "1"]);
    assert!(shown.stdout.contains("step `Unit tests` failed with exit code 7"), "{}", shown.stdout);
    assert!(shown.stdout.contains("`test`, which it needs, did not pass"), "{}", shown.stdout);
    assert_eq!(shown.code, Some(0));
}

#[test]
fn a_wrong_file_is_an_invalid_build_with_its_mistakes_and_the_others_are_built() {
    let repository = Repository::with(&[
        ("ci", "{on: push, jobs: {a: {process: true, steps: ['true']}}}"),
        ("wrong", "on: push\njobs:\n  a:\n    process: true\n    stepz: [x]\n"),
    ]);
    let controller = Controller::of(&[repository.path()]).start();
    let (ci, wrong) = (controller.ended(1), controller.ended(2));
    assert_eq!((&ci["status"], &wrong["status"]), (&"passed".into(), &"invalid".into()));
    let shown = controller.command(&["build", "2"]);
    assert!(shown.stdout.contains(".branchline/wrong.yaml:5:5"), "{}", shown.stdout);
    assert!(shown.stdout.contains("steps"), "{}", shown.stdout);
}

#[test]
fn a_log_is_followed_while_it_grows() {
    let gate = tempfile::tempdir().unwrap();
    let open = gate.path().join("open");
    let pipeline = format!(
        "{{on: push, jobs: {{a: {{process: true, steps: ['echo before; while [ ! -e {} ]; do sleep 0.01; done; echo after']}}}}}}",
        open.display()
    );
    let repository = Repository::with(&[("ci", &pipeline)]);
    let controller = Controller::of(&[repository.path()]).start();
    controller.build(1);
    until("the log begins", || {
        controller.command(&["logs", "1/a"]).stdout.contains("\nbefore\n").then_some(())
    });
    let mut following = crate::support::branchline()
        .args(["logs", "--follow", "1/a", "--data"])
        .arg(controller.data())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = std::io::BufReader::new(following.stdout.take().unwrap());
    let mut seen = String::new();
    while !seen.contains("\nbefore\n") {
        assert_ne!(std::io::BufRead::read_line(&mut out, &mut seen).unwrap(), 0, "{seen}");
    }
    assert!(!seen.contains("after\n"));
    std::fs::write(&open, "").unwrap();
    let rest = crate::support::read_all(out);
    assert_eq!(rest, "after\n");
    assert!(following.wait().unwrap().success());
}

#[test]
fn two_repositories_are_served_side_by_side() {
    let (one, two) = (repository(), repository());
    let controller = Controller::of(&[one.path(), two.path()]).start();
    let path = two.path().to_str().unwrap();
    until("both are built", || {
        let ended = |path: &str| {
            let said = controller.command(&["build", "1", "--repository", path, "--json"]);
            said.code == Some(0) && said.stdout.contains("\"passed\"")
        };
        (ended(path) && ended(one.path().to_str().unwrap())).then_some(())
    });
    let said = controller.command(&["build", "1"]);
    assert_eq!(said.code, Some(1));
    assert!(said.stderr.contains("which repository?"), "{}", said.stderr);
}
