//! What a run leaves behind besides its log: artifacts, outputs, a summary, tests.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use crate::support::{Controller, Repository, until_within};

const HANDED_ON: &str = r##"
on: push
jobs:
  build:
    process: true
    steps:
      - 'mkdir -p out/bin; printf "#!/bin/sh\necho from the app\n" > out/bin/app; chmod 755 out/bin/app; echo junk > out/junk'
      - 'echo version=1.2 >> "$BRANCHLINE_OUTPUT"; echo "# Built **well**" >> "$BRANCHLINE_SUMMARY"'
    artifacts:
      - {name: app, path: [out, '!out/junk']}
  test:
    process: true
    needs: [build]
    steps:
      - '"$BRANCHLINE_ARTIFACTS/build/app/bin/app"; test ! -e "$BRANCHLINE_ARTIFACTS/build/app/junk"'
"##;

#[test]
fn a_job_makes_an_artifact_and_another_one_uses_it() {
    let repository = Repository::with(&[("ci", HANDED_ON)]);
    let controller = Controller::of(&[repository.path()]).start();
    let build = controller.ended(1);
    assert_eq!(Controller::runs_of(&build), ["build passed", "test passed"], "{build}");
    let log = controller.command(&["logs", "1/test"]);
    assert!(log.stdout.ends_with("\nfrom the app\n"), "{}", log.stdout);
    assert!(log.stdout.contains("[branchline] artifact build/app: 1 files, 28 bytes\n"), "{}", log.stdout);

    let run = controller.json(&["logs", "1/build"]);
    let shown = &run["attempts"][0]["results"];
    assert_eq!(
        (&shown["outputs"]["version"], &shown["summary"]),
        (&"1.2".into(), &"# Built **well**\n".into())
    );

    let list = controller.command(&["artifacts", "1"]);
    assert_eq!(list.code, Some(0), "{}", list.stderr);
    assert!(list.stdout.contains("build"), "{}", list.stdout);
    let folder = tempfile::tempdir().unwrap();
    let into = folder.path().to_str().unwrap();
    let downloaded = controller.command(&["artifacts", "1/build", "app", "--download", into]);
    assert_eq!(downloaded.code, Some(0), "{}", downloaded.stderr);
    let app = folder.path().join("build/1/app/bin/app");
    assert!(fs::read_to_string(&app).unwrap().contains("from the app"));
    assert_eq!(fs::metadata(&app).unwrap().permissions().mode() & 0o777, 0o755);
    let again = controller.command(&["artifacts", "1/build", "--download", into]);
    assert!(again.code == Some(1) && again.stderr.contains("is there already"), "{}", again.stderr);
    let missing = controller.command(&["artifacts", "1", "other"]);
    assert!(
        missing.code == Some(1) && missing.stderr.contains("there is no artifact `other`"),
        "{}",
        missing.stderr
    );
}

const TESTED: &str = r#"
on: push
jobs:
  test:
    process: true
    steps: ['cp report.xml out.xml']
    reports: {junit: [out.xml]}
  after: {process: true, needs: [test], steps: ['true']}
"#;

#[test]
fn a_failing_test_fails_the_run_with_its_name_file_and_line() {
    let repository = Repository::empty();
    repository.write(".branchline/ci.yaml", TESTED);
    repository.write(
        "report.xml",
        "<testsuite name='math'><testcase classname='math' name='adds'/><testcase classname='math' name='divides'>\
         <failure message='by zero'>src/math.rs:12:5: by zero</failure></testcase></testsuite>",
    );
    repository.commit("Divide");
    let controller = Controller::of(&[repository.path()]).start();
    let build = controller.ended(1);
    assert_eq!(build["status"], "failed", "{build}");
    assert_eq!(Controller::runs_of(&build), ["test failed", "after skipped"]);
    let shown = controller.command(&["build", "1"]);
    for part in [
        "1 test failed",
        "tests of test: 1 passed, 1 failed, 0 errored, 0 skipped\n",
        "  failed math: divides (src/math.rs:12)\n    by zero\n",
    ] {
        assert!(shown.stdout.contains(part), "`{part}` is not in\n{}", shown.stdout);
    }
}

#[test]
fn a_link_out_of_the_workspace_is_refused() {
    let pipeline = "
on: push
jobs:
  leak:
    process: true
    steps: ['mkdir out; ln -s /etc/passwd out/passwd']
    artifacts: [{name: out, path: out}]
";
    let repository = Repository::with(&[("ci", pipeline)]);
    let controller = Controller::of(&[repository.path()]).start();
    let build = controller.ended(1);
    assert_eq!(Controller::runs_of(&build), ["leak failed"]);
    let shown = controller.command(&["build", "1"]).stdout;
    assert!(shown.contains("`out/passwd` is a link to `/etc/passwd`"), "{shown}");
    let list = controller.json(&["artifacts", "1"]);
    assert_eq!(list, serde_json::json!([]));
}

#[test]
fn a_large_artifact_goes_through_in_bounded_memory() {
    // What does not compress, so that all of it is sent.
    let pipeline = "
on: push
jobs:
  make:
    process: true
    steps: ['head -c 209715200 /dev/urandom > large; sha256sum large']
    artifacts: [{name: large, path: large}]
  use:
    process: true
    needs: [make]
    steps: ['sha256sum \"$BRANCHLINE_ARTIFACTS/make/large/large\"']
";
    let repository = Repository::with(&[("ci", pipeline)]);
    let controller = Controller::of(&[repository.path()]).start();
    // Each byte is hashed, packed and copied several times, without optimisation.
    let build = until_within(Duration::from_secs(280), "the large artifact has gone through", || {
        controller.build_now(1).filter(|build| build["ended_at"].is_string())
    });
    assert_eq!(Controller::runs_of(&build), ["make passed", "use passed"], "{build}");
    let sum = |run: &str| {
        let log = controller.command(&["logs", run]).stdout;
        log.lines().last().and_then(|line| line.split(' ').next()).map(str::to_owned)
    };
    assert!(sum("1/make").is_some_and(|sum| sum.len() == 64));
    assert_eq!(sum("1/make"), sum("1/use"));
    let status = fs::read_to_string(format!("/proc/{}/status", controller.pid())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let kib: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(kib < 150 << 10, "the controller and its worker used {kib} KiB at the most");
}

#[test]
fn what_runs_in_the_working_tree_hands_on_artifacts_too() {
    let repository = Repository::with(&[("ci", HANDED_ON)]);
    let output = crate::support::branchline().arg("run").current_dir(repository.path()).output().unwrap();
    let said = crate::support::said(&output);
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    assert!(said.stdout.contains("from the app"), "{}", said.stdout);
}
