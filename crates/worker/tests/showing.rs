//! What a worker hands over besides the log, and what it lays out before the first step.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::Duration;

use branchline_archive::{Choice, pack, unpack};
use branchline_model::{
    Artifact, ArtifactDefinition, AttemptEnd, Content, JobName, MatchDefinition, ReportsDefinition, Results,
    RunDefinition, Tally, Timestamp,
};
use branchline_ports::NeededArtifact;
use branchline_worker::Drain;
use support::{House, one, until, until_true};

fn artifact(name: &str, path: &str) -> ArtifactDefinition {
    let (name, paths) = (name.to_owned(), vec![path.to_owned()]);
    ArtifactDefinition { name, paths, condition: None, keep: None }
}

fn when(condition: &str, artifact: ArtifactDefinition) -> ArtifactDefinition {
    ArtifactDefinition { condition: Some(condition.to_owned()), ..artifact }
}

fn keeping(artifacts: Vec<ArtifactDefinition>, definition: RunDefinition) -> RunDefinition {
    RunDefinition { artifacts, ..definition }
}

fn reporting(junit: &str, definition: RunDefinition) -> RunDefinition {
    let reports = ReportsDefinition { junit: vec![junit.to_owned()], ..ReportsDefinition::default() };
    RunDefinition { reports, ..definition }
}

/// Carries out one run to its end; answers that, what it showed, and what it kept.
async fn carried_out(definition: RunDefinition) -> (AttemptEnd, Results, BTreeMap<String, Vec<u8>>) {
    let house = House::new();
    let attempt = house.controller.enqueue(1, definition);
    let worker = house.worker();
    let end = house.controller.end(&attempt).await;
    until_true("all is cleared away", || house.is_empty()).await;
    let known = house.controller.known(&attempt).unwrap();
    worker.end(Drain::HandOver).await;
    (end, known.results.unwrap_or_default(), known.artifacts)
}

/// The files of an archive.
fn unpacked(archive: &[u8]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    unpack(&mut &*archive, folder.path()).unwrap();
    let mut files: Vec<String> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            format!("{}: {}", path.file_name().unwrap().display(), fs::read_to_string(&path).unwrap())
        })
        .collect();
    files.sort();
    files
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn outputs_a_summary_and_artifacts_are_with_the_controller_before_the_last_word() {
    let script = "echo version=1.2 >> $BRANCHLINE_OUTPUT; echo '# Fine' >> $BRANCHLINE_SUMMARY; mkdir dist; \
                  echo a > dist/a; echo b > dist/b; echo nonsense >> $BRANCHLINE_OUTPUT";
    let (end, results, artifacts) = carried_out(keeping(vec![artifact("dist", "dist")], one(script))).await;
    assert_eq!(end, AttemptEnd::Passed);
    assert_eq!(results.outputs, BTreeMap::from([("version".to_owned(), "1.2".to_owned())]));
    assert_eq!(results.summary.unwrap().text, "# Fine\n");
    assert_eq!(results.notes, ["outputs, line 2: `nonsense` is not of the form name=value: left out"]);
    assert_eq!(unpacked(&artifacts["dist"]), ["a: a\n", "b: b\n"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_whose_tests_fail_has_not_passed() {
    let report = "<testsuite><testcase name='good'/><testcase name='bad'><failure message='1 is not 2'>at t.py:7: x\
                  </failure></testcase></testsuite>";
    let script = format!("cat > r.xml <<'E'\n{report}\nE");
    let (end, results, _) = carried_out(reporting("r.xml", one(&script))).await;
    assert_eq!(end, AttemptEnd::TestsFailed { count: 1 });
    let tests = results.tests.unwrap();
    assert_eq!((tests.passed, tests.failed), (1, 1));
    let place = tests.bad[0].place.clone().unwrap();
    assert_eq!((tests.bad[0].name.as_str(), place.file.as_str(), place.line), ("bad", "t.py", Some(7)));

    let (end, results, _) = carried_out(reporting("r.xml", one(&format!("{script}\nexit 4")))).await;
    assert!(
        matches!(end, AttemptEnd::StepFailed { exit: 4, .. }),
        "{end:?}: what failed first is the reason"
    );
    assert_eq!(results.tests.unwrap().failed, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_that_is_missing_or_broken_does_not_look_as_if_all_were_well() {
    let (end, results, _) = carried_out(reporting("r/*.xml", one("true"))).await;
    assert_eq!(end, AttemptEnd::TestsFailed { count: 1 });
    let missing = results.tests.unwrap().bad[0].message.clone().unwrap();
    assert_eq!(missing, "nothing in the workspace matches `r/*.xml`");

    let (end, results, _) = carried_out(reporting("*.xml", one("echo '<testsuite>' > r.xml"))).await;
    assert_eq!(end, AttemptEnd::TestsFailed { count: 1 });
    let broken = &results.tests.unwrap().bad[0];
    let message = broken.message.as_deref().unwrap();
    assert!(broken.name == "r.xml" && message.contains("it ends within <testsuite>"), "{broken:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tests_are_found_in_the_log_and_how_far_it_is_is_told_meanwhile() {
    let house = House::new();
    let go = house.file("go");
    let script = format!(
        "printf '[1/4] a ... \\033[32mok\\033[0m\\n[2/4] b ... FAILED\\n'; until test -e {}; do sleep 0.02; done",
        go.display()
    );
    let matching = MatchDefinition {
        test: r"\] (?<name>\w+) \.\.\. ".to_owned(),
        result: r"(?<result>ok|FAILED)$".to_owned(),
        results: BTreeMap::new(),
    };
    let progress = Some(r"^\[(?<current>\d+)/(?<total>\d+)\]".to_owned());
    let reports = ReportsDefinition { junit: Vec::new(), matching: Some(matching), progress };
    let attempt = house.controller.enqueue(1, RunDefinition { reports, ..one(&script) });
    let worker = house.worker();
    let tally =
        until("it is told how far it is", || house.controller.known(&attempt)?.tallies.last().copied());
    assert_eq!(tally.await, Tally { current: 2, total: 4 });
    fs::write(go, "").unwrap();
    assert_eq!(house.controller.end(&attempt).await, AttemptEnd::TestsFailed { count: 1 });
    let tests = house.controller.known(&attempt).unwrap().results.unwrap().tests.unwrap();
    assert_eq!((tests.passed, tests.bad[0].name.as_str()), (1, "b"));
    worker.end(Drain::HandOver).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_artifact_that_cannot_be_kept_fails_the_run_that_promised_it() {
    let (end, results, artifacts) =
        carried_out(keeping(vec![artifact("app", "target/app")], one("true"))).await;
    let why = "nothing in the workspace matches `target/app`".to_owned();
    assert_eq!(end, AttemptEnd::ArtifactFailed { artifact: "app".to_owned(), why: why.clone() });
    assert_eq!(results.notes, [format!("the artifact `app` was not kept: {why}")]);
    assert!(artifacts.is_empty());

    let script = "mkdir out; ln -s /etc/passwd out/passwd";
    let (end, ..) = carried_out(keeping(vec![artifact("out", "out")], one(script))).await;
    let AttemptEnd::ArtifactFailed { why, .. } = end else { panic!("{end:?}") };
    assert!(
        why.starts_with("`out/passwd` is a link to `/etc/passwd`, which is not within what is kept"),
        "{why}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_kept_depends_on_how_the_run_went() {
    let artifacts = || {
        vec![
            artifact("passed", "f"),
            when("failure()", artifact("failed", "f")),
            when("always() && env.WANTED == 'yes'", artifact("always", "f")),
            when("env.WANTED == 'no'", artifact("never", "f")),
        ]
    };
    let with_env = |script: &str| RunDefinition {
        env: BTreeMap::from([("WANTED".to_owned(), "yes".to_owned())]),
        ..keeping(artifacts(), one(script))
    };
    let (end, _, kept) = carried_out(with_env("echo x > f")).await;
    assert_eq!(
        (end, kept.into_keys().collect::<Vec<_>>()),
        (AttemptEnd::Passed, vec!["always".into(), "passed".into()])
    );
    let (end, _, kept) = carried_out(with_env("echo x > f; exit 1")).await;
    assert!(matches!(end, AttemptEnd::StepFailed { .. }));
    assert_eq!(kept.into_keys().collect::<Vec<_>>(), ["always", "failed"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_that_puts_something_else_in_the_place_of_its_files_harms_only_itself() {
    let script = "rm $BRANCHLINE_OUTPUT $BRANCHLINE_SUMMARY; ln -s /etc/passwd $BRANCHLINE_OUTPUT; \
                  mkfifo $BRANCHLINE_SUMMARY";
    let (end, results, _) = carried_out(keeping(
        vec![when("always()", artifact("f", "f"))],
        one(&format!("echo x > f; {script}")),
    ))
    .await;
    assert_eq!(end, AttemptEnd::Passed);
    assert!(results.outputs.is_empty() && results.summary.is_none());
    assert_eq!(results.notes.len(), 2, "{:?}", results.notes);
}

/// An artifact of another run, as it lies with the controller.
fn needed(job: &str, cell: Option<&str>, name: &str, text: &str) -> (NeededArtifact, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let workspace = folder.path().join("workspace");
    fs::create_dir(&workspace).unwrap();
    fs::write(workspace.join("file"), text).unwrap();
    let packed: PathBuf = folder.path().join("packed");
    pack(&workspace, &Choice::new(["**"]).unwrap(), &packed).unwrap();
    let bytes = fs::read(packed).unwrap();
    let artifact = Artifact {
        attempt: "app-1f3c9a2e04/1/7/1".parse().unwrap(),
        name: name.parse().unwrap(),
        key: "artifacts/x".parse().unwrap(),
        content: Content::of(&bytes),
        named_at: Timestamp(0),
    };
    let (job, cell) = (JobName::new(job), cell.map(str::to_owned));
    (NeededArtifact { job, cell, artifact, request: None }, bytes)
}

fn needing(definition: RunDefinition) -> RunDefinition {
    RunDefinition { needs: vec![JobName::new("build")], ..definition }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_needs_have_made_is_there_before_the_first_step() {
    let house = House::new();
    *house.controller.needed.lock().unwrap() =
        vec![needed("build", None, "app", "one"), needed("test", Some("1.95-alpine"), "app", "two")];
    let script = "cd $BRANCHLINE_ARTIFACTS; cat build/app/file test/1.95-alpine/app/file";
    let attempt = house.controller.enqueue(1, needing(one(script)));
    house.controller.lost_answers.store(2, Ordering::SeqCst);
    let worker = house.worker();
    assert_eq!(house.controller.end(&attempt).await, AttemptEnd::Passed);
    assert_eq!(house.controller.printed(&attempt), "onetwo");
    let log = String::from_utf8(house.controller.known(&attempt).unwrap().log).unwrap();
    assert!(log.contains("[branchline] artifact build/app: 1 files, 3 bytes\n"), "{log}");
    until_true("all is cleared away", || house.is_empty()).await;
    worker.end(Drain::HandOver).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_artifact_keeps_the_run_from_beginning() {
    let house = House::new();
    let (mut wrong, bytes) = needed("build", None, "app", "one");
    wrong.artifact.content = Content::of(&[&bytes[1..], b"x"].concat());
    *house.controller.needed.lock().unwrap() = vec![(wrong, bytes)];
    let attempt = house.controller.enqueue(1, needing(one("echo never")));
    let worker = house.worker();
    let AttemptEnd::StartFailed { why } = house.controller.end(&attempt).await else { panic!() };
    assert!(why.starts_with("the artifact `app` of `build` is damaged: "), "{why}");
    assert!(house.controller.known(&attempt).unwrap().report.unwrap().steps.is_empty());
    worker.end(Drain::HandOver).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_vanishes_before_the_last_word_leaves_it_to_the_next_one() {
    let house = House::new();
    let go = house.file("go");
    let script = format!(
        "until test -e {}; do sleep 0.02; done; echo a=1 >> $BRANCHLINE_OUTPUT; echo x > f",
        go.display()
    );
    let attempt = house.controller.enqueue(1, keeping(vec![artifact("f", "f")], one(&script)));
    let worker = house.worker();
    until_true("it began", || house.controller.known(&attempt).is_some_and(|known| known.begun.is_some()))
        .await;
    house.controller.away.store(true, Ordering::SeqCst);
    fs::write(go, "").unwrap();
    until_true("its steps have ended", || {
        fs::read_to_string(house.directory(&attempt).join("state"))
            .is_ok_and(|state| state.contains("\"ended\""))
    })
    .await;
    worker.vanish().await;
    house.controller.away.store(false, Ordering::SeqCst);
    // What was done and not answered is done again.
    house.controller.lost_answers.store(3, Ordering::SeqCst);
    let worker = house.worker();
    assert_eq!(house.controller.end(&attempt).await, AttemptEnd::Passed);
    let known = house.controller.known(&attempt).unwrap();
    assert_eq!(known.results.unwrap().outputs["a"], "1");
    assert_eq!(unpacked(&known.artifacts["f"]), ["f: x\n"]);
    worker.end(Drain::Wait(Duration::from_secs(10))).await;
}
