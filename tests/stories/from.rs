//! The examples that were files of other systems: each is planned to what its original would do, and run where all that it
//! asks for is carried out. What an original would do is written here by hand, and never taken from what was planned.

use std::fs;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use branchline_jobs_schema::{Pipeline, WhenFull, parse_pipeline};
use serde_json::Value;

use crate::examples::{as_repository, example};
use crate::support::{Controller, Repository, Said, branchline, said, until};

const EXAMPLES: [&str; 10] = [
    "cromtit-before",
    "jobserv-host-tags",
    "jobserv-merge-request",
    "jobserv-parameters",
    "jobserv-target-branches",
    "prunner-content-release",
    "prunner-partitions",
    "prunner-queues",
    "sparky-hourly",
    "sparky-stages",
];

fn repository(name: &str) -> Repository {
    as_repository(&format!("from/{name}"))
}

fn command(repository: &Repository, arguments: &[&str]) -> Said {
    said(&branchline().args(arguments).current_dir(repository.path()).output().unwrap())
}

/// What an event would come to.
struct Planned {
    /// Why each pipeline is built or not.
    reasons: Vec<String>,
    /// `PIPELINE JOB/CELL`, with `after NEEDS` or `skipped: WHY`.
    runs: Vec<String>,
}

fn plan(repository: &Repository, arguments: &[&str]) -> Planned {
    let said = command(repository, &[&["plan", "--json"][..], arguments].concat());
    assert_eq!(said.code, Some(0), "{arguments:?}: {}{}", said.stdout, said.stderr);
    let events: Vec<Value> = serde_json::from_str(&said.stdout).unwrap();
    let list = |value: &Value, key: &str| value[key].as_array().unwrap().clone();
    let mut planned = Planned { reasons: Vec::new(), runs: Vec::new() };
    for event in &events {
        let sentences = list(event, "reasons").into_iter().map(|reason| text(&reason["sentence"]));
        planned.reasons.extend(sentences);
        for build in list(event, "builds") {
            assert_eq!(build["problems"], Value::Array(Vec::new()), "{build}");
            let jobs = list(&build, "jobs");
            for run in list(&build, "runs") {
                let job = jobs.iter().find(|job| job["name"] == run["job"]).unwrap();
                let needs: Vec<String> = list(job, "needs").iter().map(|need| text(&need["job"])).collect();
                // No original says more of where it runs than tags.
                assert_eq!((&run["pool"], &job["pool"]), (&"default".into(), &"default".into()), "{run}");
                let how = how(&run, &needs);
                planned.runs.push(format!("{} {}{how}", text(&build["pipeline"]), text(&run["label"])));
            }
        }
    }
    planned
}

/// When a run runs, or why not. One that asks for what nothing carries out yet counts as planned.
fn how(run: &Value, needs: &[String]) -> String {
    let reason = run["reason"].as_str().unwrap_or_default();
    let status = run["status"].as_str().unwrap();
    match status {
        "skipped" => return format!(" skipped: {reason}"),
        "errored" => assert!(reason.starts_with("nothing here can carry it out: "), "{run}"),
        "queued" => assert!(needs.is_empty(), "{run}"),
        "blocked" => assert!(!needs.is_empty(), "{run}"),
        _ => panic!("neither planned nor skipped: {run}"),
    }
    if needs.is_empty() { String::new() } else { format!(" after {}", needs.join(", ")) }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// What a file says.
fn pipeline(example_name: &str, name: &str) -> Pipeline {
    let file = format!(".branchline/{name}.yaml");
    let text = fs::read(example(&format!("from/{example_name}")).join(&file)).unwrap();
    parse_pipeline(&file, &text).unwrap_or_else(|diagnostics| panic!("{diagnostics}"))
}

/// The tags that a job asks of its worker, as they are written.
fn tags(pipeline: &Pipeline, job: &str) -> Vec<String> {
    let job = pipeline.jobs.iter().find(|one| one.name.as_str() == job).unwrap();
    assert!(job.worker.pool.is_none());
    job.worker.tags.iter().map(|tag| tag.text().to_owned()).collect()
}

/// Of concurrency: how many run, how many wait, what becomes of one more, and how long a start waits for a newer one.
fn queue(pipeline: &Pipeline) -> (u32, Option<u32>, WhenFull, Option<Duration>) {
    let concurrency = pipeline.concurrency.as_ref().unwrap();
    assert!(concurrency.group.is_none() && !concurrency.cancel_running);
    (concurrency.limit.get(), concurrency.queue, concurrency.when_full, concurrency.debounce)
}

#[test]
fn every_example_is_small_well_written_and_told_of() {
    let folder = example("from");
    let mut found: Vec<String> = fs::read_dir(&folder)
        .unwrap()
        .map(Result::unwrap)
        .filter(|entry| entry.file_type().unwrap().is_dir())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    found.sort();
    assert_eq!(found, EXAMPLES);
    let table = fs::read_to_string(folder.join("README.md")).unwrap();
    let lines = |path: PathBuf| fs::read_to_string(path).unwrap().lines().count();
    for name in EXAMPLES {
        assert!(table.contains(&format!("| [{name}]({name}) |")), "{name}");
        assert!(lines(folder.join(name).join("README.md")) <= 25, "{name}");
        for file in fs::read_dir(folder.join(name).join(".branchline")).unwrap() {
            assert!(lines(file.unwrap().path()) <= 60, "{name}");
        }
        let linted = command(&repository(name), &["lint"]);
        assert_eq!(linted.code, Some(0), "{name}: {}{}", linted.stdout, linted.stderr);
        assert!(linted.stderr.ends_with(": all is well\n"), "{name}: {}", linted.stderr);
    }
}

#[test]
fn a_loop_over_host_tags_is_a_run_on_each_kind_of_machine_for_every_branch_that_moves() {
    let repository = repository("jobserv-host-tags");
    for branch in ["main", "fix/boot"] {
        let planned = plan(&repository, &["--event", "push", "--ref", branch]);
        assert_eq!(
            planned.runs,
            ["firmware any-arm64", "firmware compile/aarch64", "firmware compile/armhf"],
            "{branch}"
        );
    }
    let planned = plan(&repository, &["--event", "push", "--ref", "refs/tags/v1"]);
    assert_eq!(planned.reasons, ["firmware: not built, it has no `on.tag`"]);
    let firmware = pipeline("jobserv-host-tags", "firmware");
    assert_eq!(tags(&firmware, "any-arm64"), ["aarch6*"]);
    assert_eq!(tags(&firmware, "compile"), ["${{ matrix.machine }}"]);
    // A failure on one kind of machine says nothing of the other.
    assert!(firmware.jobs.iter().all(|job| job.name.as_str() != "compile" || !job.fail_fast));
}

#[test]
fn a_merge_request_is_checked_and_what_was_merged_becomes_an_image() {
    let repository = repository("jobserv-merge-request");
    let planned = plan(&repository, &["--event", "pull_request", "--ref", "fix/login", "--base", "main"]);
    assert_eq!(planned.runs, ["merge-request unit-test", "merge-request style"]);
    assert!(
        planned.reasons.contains(&"merged: not built, it has no `on.pull_request`".to_owned()),
        "{:?}",
        planned.reasons
    );
    let planned = plan(&repository, &["--event", "push", "--ref", "main"]);
    assert_eq!(planned.runs, ["merged image", "merged style"]);
    let planned = plan(&repository, &["--event", "push", "--ref", "fix/login"]);
    assert!(planned.runs.is_empty(), "{:?}", planned.runs);
    assert_eq!(
        planned.reasons,
        [
            "merge-request: not built, it has no `on.push`",
            "merged: not built, nothing in `on.push.branches` matches `fix/login`"
        ]
    );
    for (name, jobs) in [("merge-request", ["unit-test", "style"]), ("merged", ["image", "style"])] {
        let pipeline = pipeline("jobserv-merge-request", name);
        for job in jobs {
            assert_eq!(tags(&pipeline, job), ["amd64"], "{name}/{job}");
        }
    }
}

#[test]
fn a_pull_request_is_tested_by_the_one_trigger_that_is_meant_for_its_target_branch() {
    let repository = repository("jobserv-target-branches");
    for (base, tested, why_not) in [
        (
            "v1",
            "review-v1 unit-test",
            "review: not built, `on.pull_request.branches` takes `v1` away with `!v1`",
        ),
        (
            "v1beta",
            "review-v1 unit-test",
            "review: not built, `on.pull_request.branches` takes `v1beta` away with `!v1beta`",
        ),
        (
            "main",
            "review unit-test",
            "review-v1: not built, nothing in `on.pull_request.branches` matches `main`",
        ),
        (
            "v2",
            "review unit-test",
            "review-v1: not built, nothing in `on.pull_request.branches` matches `v2`",
        ),
    ] {
        let planned = plan(&repository, &["--event", "pull_request", "--ref", "fix/login", "--base", base]);
        assert_eq!(planned.runs, [tested], "{base}");
        assert!(planned.reasons.iter().any(|reason| reason == why_not), "{:?}", planned.reasons);
    }
    assert!(plan(&repository, &["--event", "push", "--ref", "v1"]).runs.is_empty());
    for (name, suite) in [("review-v1", "old"), ("review", "new")] {
        let run = command(&repository, &["run", name]);
        assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
        assert!(run.stdout.contains(&format!("\nthe {suite} suite passed\n")), "{}", run.stdout);
    }
}

#[test]
fn the_innermost_parameter_counts_and_a_loop_sets_one_for_each_run() {
    let repository = repository("jobserv-parameters");
    let planned = plan(&repository, &["--event", "push", "--ref", "any/branch"]);
    assert_eq!(planned.runs, ["parameters basic", "parameters size/small", "parameters size/large"]);
    let run = command(&repository, &["run"]);
    assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
    for said in [
        "colour=from-the-pipeline shape=from-the-job size=none\n",
        "colour=from-the-pipeline shape=from-the-pipeline size=small\n",
        "colour=from-the-pipeline shape=from-the-pipeline size=large\n",
    ] {
        assert_eq!(run.stdout.matches(said).count(), 1, "{said}: {}", run.stdout);
    }
}

#[test]
fn a_pipeline_is_started_with_a_name_and_another_recovers_from_whatever_failed() {
    let repository = repository("prunner-queues");
    let release = ["release lint", "release test", "release build after lint, test"];
    assert_eq!(plan(&repository, &["--event", "push"]).runs, release);
    assert_eq!(plan(&repository, &["release", "--event", "manual"]).runs, release);
    let planned = plan(&repository, &["recover", "--event", "manual"]);
    assert_eq!(planned.runs, ["recover good", "recover bad", "recover recover after good, bad"]);
    let planned = plan(&repository, &["hello", "--event", "manual", "--input", "name=Ada"]);
    assert_eq!(planned.runs, ["hello hello"]);
    let planned = plan(&repository, &["hello", "--event", "manual"]);
    assert!(planned.runs.is_empty(), "{:?}", planned.runs);
    assert!(planned.reasons[0].starts_with("hello: not built, the input `name` must be given"));

    let run = command(&repository, &["run", "release"]);
    assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
    assert!(run.stdout.contains("worked on build\n"), "{}", run.stdout);
    let run = command(&repository, &["run", "recover"]);
    assert_eq!(run.code, Some(1), "{}{}", run.stdout, run.stderr);
    assert!(run.stdout.contains("step Cannot work failed with 1\n"), "{}", run.stdout);
    let controller = Controller::of(&[repository.path()]).start();
    controller.ended(1);
    until("the start is accepted", || {
        let start = ["start", "hello", "--input", "name=Ada", "--idempotency-key", "one"];
        (controller.command(&start).code == Some(0)).then_some(())
    });
    assert_eq!(controller.ended(2)["status"], "passed");
    let log = controller.command(&["logs", "2/hello"]);
    assert!(log.stdout.ends_with("\nHello Ada\n"), "{}", log.stdout);
}

#[test]
fn a_queue_refuses_one_too_many_or_takes_the_newest_and_waits_for_quiet() {
    let repository = repository("prunner-queues");
    for name in ["bounded", "newest"] {
        let planned = plan(&repository, &[name, "--event", "manual"]);
        assert_eq!(planned.runs, [format!("{name} busy")]);
        assert!(plan(&repository, &[name, "--event", "push"]).runs.is_empty());
    }
    let bounded = pipeline("prunner-queues", "bounded");
    assert_eq!(queue(&bounded), (2, Some(3), WhenFull::Refuse, None));
    let newest = pipeline("prunner-queues", "newest");
    assert_eq!(queue(&newest), (1, Some(1), WhenFull::Replace, Some(Duration::from_secs(15))));
}

#[test]
fn each_site_has_a_queue_of_its_own_and_one_of_all_sites_is_published_at_a_time() {
    let repository = repository("prunner-partitions");
    let planned = plan(&repository, &["--event", "manual", "--input", "site=garden"]);
    assert_eq!(planned.runs, ["publish publish"]);
    for start in [&["--event", "manual"][..], &["--event", "manual", "--input", "site=../x"], &[]] {
        assert!(plan(&repository, start).runs.is_empty(), "{start:?}");
    }
    let publish = pipeline("prunner-partitions", "publish");
    assert_eq!(queue(&publish), (1, Some(2), WhenFull::Replace, None));
    let partition = publish.concurrency.unwrap().partition.unwrap();
    assert_eq!(partition.text(), "${{ inputs.site }}");
}

#[test]
fn content_is_released_in_stages_with_eight_workers_and_validated_where_that_is_asked_for() {
    let repository = repository("prunner-content-release");
    let mut stages = vec![
        "content-release prepare".to_owned(),
        "content-release enumerate after prepare".to_owned(),
        "content-release orchestrate after enumerate".to_owned(),
    ];
    stages.extend((1..=8).map(|worker| format!("content-release render/w{worker} after enumerate")));
    let end = [
        "content-release validate after orchestrate, render",
        "content-release transfer after orchestrate, render, validate",
        "content-release switch after transfer",
    ];
    stages.extend(end.map(str::to_owned));
    let planned = plan(&repository, &["--event", "manual", "--input", "release=r1"]);
    assert_eq!(planned.runs, stages);

    let unasked = ["--event", "manual", "--input", "release=r1", "--input", "validate=false"];
    stages[11] =
        "content-release validate skipped: `if: inputs.validate` is false (inputs.validate is false)"
            .to_owned();
    assert_eq!(plan(&repository, &unasked).runs, stages);
    assert!(plan(&repository, &["--event", "push"]).runs.is_empty());

    let release = pipeline("prunner-content-release", "content-release");
    assert_eq!(queue(&release), (1, Some(1), WhenFull::Replace, None));
    assert_eq!(Some(release.retention.builds), NonZeroU32::new(10));
}

#[test]
fn what_comes_before_a_project_is_done_first_and_its_product_is_handed_on() {
    let repository = repository("cromtit-before");
    let stages = ["report compiler", "report report after compiler"];
    assert_eq!(plan(&repository, &["--event", "manual"]).runs, stages);
    let planned = plan(&repository, &["--event", "schedule"]);
    assert_eq!(planned.runs, stages);
    assert_eq!(planned.reasons, ["report: built, `on.schedule` matches with `30 * * * *`"]);
    assert!(plan(&repository, &["--event", "push"]).runs.is_empty());

    let run = command(&repository, &["run"]);
    assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
    let page = fs::read_to_string(repository.path().join("html/index.html")).unwrap();
    assert_eq!(page, "<p>compiled --no-index</p>\n");
    repository.git(&["clean", "-dfqx"]);

    // Where each job has a workspace of its own, nothing but the artifact gets from one to the other.
    let controller = Controller::of(&[repository.path()]).start();
    until("the start is accepted", || {
        let start = ["start", "report", "--idempotency-key", "one"];
        (controller.command(&start).code == Some(0)).then_some(())
    });
    assert_eq!(controller.ended(1)["status"], "passed");
    let into = tempfile::tempdir().unwrap();
    let folder = into.path().to_str().unwrap();
    let downloaded = controller.command(&["artifacts", "1/report", "html", "--download", folder]);
    assert_eq!(downloaded.code, Some(0), "{}", downloaded.stderr);
    let page = fs::read_to_string(into.path().join("report/2/html/index.html")).unwrap();
    assert_eq!(page, "<p>compiled --no-index</p>\n");
}

#[test]
fn what_runs_every_hour_is_started_by_the_clock_alone() {
    let repository = repository("sparky-hourly");
    let planned = plan(&repository, &["--event", "schedule"]);
    assert_eq!(planned.runs, ["hourly look"]);
    assert_eq!(planned.reasons, ["hourly: built, `on.schedule` matches with `2 * * * *`"]);
    for (event, missing) in [("push", "on.push"), ("manual", "on.manual")] {
        let planned = plan(&repository, &["--event", event]);
        assert!(planned.runs.is_empty(), "{event}");
        assert_eq!(planned.reasons, [format!("hourly: not built, it has no `{missing}`")]);
    }
    let hourly = pipeline("sparky-hourly", "hourly");
    assert_eq!(Some(hourly.retention.builds), NonZeroU32::new(5));
    let run = command(&repository, &["run"]);
    assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
    assert!(run.stdout.contains("\nthere are 2 files\n"), "{}", run.stdout);
}

#[test]
fn the_main_stage_waits_for_its_child_and_the_child_runs_alone_where_it_is_asked_for() {
    let repository = repository("sparky-stages");
    let planned = plan(&repository, &["--event", "manual"]);
    assert_eq!(planned.runs, ["stages child", "stages main after child"]);
    let planned = plan(&repository, &["--event", "manual", "--input", "stage=child", "--input", "foo=4"]);
    assert_eq!(
        planned.runs,
        [
            "stages child",
            "stages main skipped: `if: inputs.stage == \"main\"` is false (inputs.stage is \"child\")"
        ]
    );
    let planned = plan(&repository, &["--event", "manual", "--input", "stage=parent"]);
    assert!(planned.runs.is_empty(), "{:?}", planned.runs);
    assert!(planned.reasons[0].contains("the options are `main` and `child`"), "{:?}", planned.reasons);
    assert!(plan(&repository, &["--event", "push"]).runs.is_empty());

    let run = command(&repository, &["run"]);
    assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
    assert!(run.stdout.contains("the child's sum is 3\n"), "{}", run.stdout);
}
