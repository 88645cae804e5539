//! Planning as conversations: an event with its facts arrives, and each pipeline and job says what it makes of it.

use std::collections::BTreeMap;

use branchline_core::facts::Facts;
use branchline_core::pools::{Host, Pool, Setting};
use branchline_jobs_schema as schema;
use branchline_model::{
    BuildId, BuildStatus, Changed, EventKind, Outcome, PipelineName, PoolName, PullRequest, RefName,
    RepositoryId, RepositoryName, RunStatus, Timestamp, Upstream,
};

use crate::world::{World, commit};

/// A pipeline of process jobs; `{$` stands for what every job must say.
fn pipeline(text: &str) -> World {
    world(&text.replace("{$", "{process: true, steps: ['true']"))
}

/// A repository with this pipeline, which is well written.
fn world(text: &str) -> World {
    if let Err(wrong) = schema::parse_pipeline(".branchline/ci.yaml", text.as_bytes()) {
        panic!("{}", schema::render(&wrong, text, false));
    }
    World::new(&[("ci", text)])
}

fn changed(paths: &[&str]) -> Facts {
    let paths = paths.iter().map(ToString::to_string).collect();
    Facts { changed: Changed::Paths { paths }, ..Facts::default() }
}

fn branch(name: &str) -> RefName {
    RefName::Branch(name.to_owned())
}

fn request(action: &str, labels: &[&str], base: &str) -> EventKind {
    EventKind::PullRequest {
        request: PullRequest {
            number: 7,
            action: action.to_owned(),
            title: "Mend it".to_owned(),
            labels: labels.iter().map(ToString::to_string).collect(),
            fork: false,
            base: base.to_owned(),
        },
        name: branch("topic"),
        commit: commit(9),
        actor: None,
    }
}

#[test]
fn a_push_is_filtered_by_the_files_that_it_changed() {
    let mut world = pipeline("{on: {push: {paths: ['src/**', '!**/*.md']}}, jobs: {a: {$}}}");
    world.facts = changed(&["README.md", "src/notes.md"]);
    world.push("main");
    assert_eq!(
        world.reasons(),
        ["ci: not built, nothing in `on.push.paths` matches any of the 2 changed files"]
    );
    world.facts = changed(&["src/main.rs"]);
    world.push("main");
    assert_eq!(world.reasons(), ["ci: built, it has `on.push` (src/main.rs changed)"]);
    world.facts =
        Facts { changed: Changed::Everything { why: "the branch dev is new".into() }, ..Facts::default() };
    world.push("dev");
    assert_eq!(
        world.reasons(),
        ["ci: built, it has `on.push` (every file counts as changed: the branch dev is new)"]
    );
}

#[test]
fn a_message_that_asks_for_no_build_skips_pushes_and_nothing_else() {
    let mut world = pipeline("{on: {push: {}, tag: ['v*'], manual: true}, jobs: {a: {$}}}");
    world.message = "Fix a comma\n\n[Skip CI]".to_owned();
    world.push("main");
    assert_eq!(world.reasons(), ["ci: not built, the commit's message says `[skip ci]`"]);
    world.start("ci");
    assert_eq!(world.builds(), ["ci running"]);
}

#[test]
fn a_disabled_pipeline_is_built_for_no_event() {
    let mut world = pipeline("{on: {push: {}, manual: true}, disabled: true, jobs: {a: {$}}}");
    world.push("main");
    assert_eq!(world.reasons(), ["ci: not built, its file says `disabled: true`"]);
    assert!(world.builds().is_empty());
}

#[test]
fn a_pull_request_is_filtered_by_its_base_its_change_its_labels_and_its_files() {
    let text =
        "{on: {pull_request: {branches: [main], labels: [ok-to-test], paths: ['src/**']}}, jobs: {a: {$}}}";
    let mut world = pipeline(text);
    world.facts = changed(&["src/a.rs"]);
    assert_eq!(
        world.event(request("opened", &["ok-to-test"], "stable")),
        ["ci: not built, nothing in `on.pull_request.branches` matches `stable`"]
    );
    assert_eq!(
        world.event(request("closed", &["ok-to-test"], "main")),
        ["ci: not built, nothing in `on.pull_request.types` matches `closed`"]
    );
    assert_eq!(
        world.event(request("opened", &["other"], "main")),
        ["ci: not built, the pull request has none of the labels ok-to-test"]
    );
    assert_eq!(
        world.event(request("opened", &["ok-to-test"], "main")),
        ["ci: built, `on.pull_request` matches with `main` (src/a.rs changed)"]
    );
    let env = world.definition(1, "a").env;
    assert_eq!((env["BRANCHLINE_PULL_REQUEST"].as_str(), env["BRANCHLINE_BASE"].as_str()), ("7", "main"));
}

#[test]
fn schedules_named_events_and_other_pipelines_build_what_asks_for_them() {
    let text = "
on:
  schedule: [{cron: '30 4 * * *', inputs: {target: staging}}]
  event: [deploy-requested]
  pipeline: [{name: build, repository: github.com/acme/lib, branches: [main]}]
inputs: {target: {type: string, required: true}}
jobs: {a: {$}}
";
    let mut world = pipeline(text);
    let schedule = |entry| EventKind::Schedule {
        pipeline: PipelineName::new("ci"),
        entry,
        slot: Timestamp(0),
        name: branch("main"),
        commit: commit(1),
    };
    assert_eq!(world.event(schedule(0)), ["ci: built, `on.schedule` matches with `30 4 * * *`"]);
    assert_eq!(world.definition(1, "a").env["INPUT_TARGET"], "staging");
    assert_eq!(world.event(schedule(3)), ["ci: not built, it has no `on.schedule[3]`"]);
    let named = |event: &str| EventKind::Named {
        event: event.to_owned(),
        name: branch("main"),
        commit: commit(1),
        actor: None,
    };
    assert_eq!(
        world.event(named("deploy-requested")),
        ["ci: built, `on.event` matches with `deploy-requested`"]
    );
    assert_eq!(world.event(named("other")), ["ci: not built, nothing in `on.event` matches `other`"]);
    let ended = |status| EventKind::Upstream {
        of: Upstream {
            repository: RepositoryName::new("github.com/acme/lib"),
            pipeline: PipelineName::new("build"),
            branch: Some("main".to_owned()),
            build: BuildId { repository: RepositoryId::of(&RepositoryName::new("lib")), number: 1 },
            status,
        },
        name: branch("main"),
        commit: commit(1),
    };
    assert_eq!(
        world.event(ended(BuildStatus::Failed)),
        ["ci: not built, nothing in `on.pipeline.status` matches `failed`"]
    );
    assert_eq!(world.event(ended(BuildStatus::Passed)), ["ci: built, `on.pipeline` matches with `main`"]);
}

#[test]
fn a_matrix_makes_its_cells_in_order_with_what_is_excluded_and_included() {
    let text = "
on: push
jobs:
  test:
    process: true
    matrix:
      rust: ['1.94', '1.95']
      os: [bookworm, alpine]
      exclude: [{rust: '1.94', os: alpine}]
      include: [{rust: nightly, os: bookworm, experimental: true}]
    allow_failure: ${{ matrix.experimental == true }}
    env: {TOOLCHAIN: 'rust-${{ matrix.rust }}'}
    steps: ['true']
";
    let mut world = world(text);
    world.push("main");
    assert_eq!(
        world.runs(1),
        [
            "test/1.94-bookworm queued",
            "test/1.95-bookworm queued",
            "test/1.95-alpine queued",
            "test/nightly-bookworm-true queued"
        ]
    );
    let env = world.definition(1, "test/1.95-alpine").env;
    assert_eq!((env["TOOLCHAIN"].as_str(), env["MATRIX_OS"].as_str()), ("rust-1.95", "alpine"));
    assert_eq!(env.get("MATRIX_EXPERIMENTAL"), None);
    world.end("test/nightly-bookworm-true", Outcome::Failed);
    for cell in ["1.94-bookworm", "1.95-bookworm", "1.95-alpine"] {
        world.end(&format!("test/{cell}"), Outcome::Passed);
    }
    assert_eq!(world.builds(), ["ci passed"], "the experimental cell may fail, and cancels nothing");
}

#[test]
fn a_failed_cell_cancels_the_others_of_its_job_unless_it_is_not_to_fail_fast() {
    let text = "{on: push, jobs: {test: {$, matrix: {n: [1, 2, 3]}}, next: {$, needs: test}}}";
    let mut world = pipeline(text);
    world.push("main");
    world.claim("test/2");
    world.end("test/1", Outcome::Failed);
    assert_eq!(world.runs(1), ["test/1 failed", "test/2 starting", "test/3 cancelled", "next blocked"]);
    assert_eq!(world.why(1, "test/3"), "cancelled because `1` failed");
    assert_eq!(world.stops(), 1);
    world.end("test/2", Outcome::Passed);
    assert_eq!(world.run(1, "test/2"), RunStatus::Ended(Outcome::Cancelled));
    assert_eq!(world.run(1, "next"), RunStatus::Ended(Outcome::Skipped));
    assert_eq!(world.builds(), ["ci failed"]);

    let mut world = pipeline(&text.replace("matrix:", "fail_fast: false, matrix:"));
    world.push("main");
    world.end("test/1", Outcome::Failed);
    assert_eq!(world.runs(1), ["test/1 failed", "test/2 queued", "test/3 queued", "next blocked"]);
}

#[test]
fn only_so_many_cells_are_under_way_at_once_in_order() {
    let mut world = pipeline("{on: push, jobs: {test: {$, max_parallel: 2, matrix: {n: [1, 2, 3, 4]}}}}");
    world.push("main");
    let states = |world: &World| -> Vec<String> {
        world.runs(1).iter().map(|run| run.split(' ').nth(1).unwrap().to_owned()).collect()
    };
    assert_eq!(states(&world), ["queued", "queued", "blocked", "blocked"]);
    world.end("test/2", Outcome::Passed);
    assert_eq!(states(&world), ["queued", "passed", "queued", "blocked"]);
    world.stop_run(1, "test/4");
    world.end("test/1", Outcome::Passed);
    world.end("test/3", Outcome::Passed);
    assert_eq!(states(&world), ["passed", "passed", "passed", "cancelled"]);
    assert_eq!(world.builds(), ["ci cancelled"]);
}

#[test]
fn a_condition_that_names_no_needs_is_decided_at_once_and_says_what_it_saw() {
    let text = "
on: push
jobs:
  docs: {$, if: 'changed(\"docs/**\")'}
  ship: {$, needs: docs, if: 'event.branch == \"main\"'}
  test: {$, if: 'event.kind == \"push\"'}
";
    let mut world = pipeline(text);
    world.facts = changed(&["src/a.rs"]);
    world.look();
    world.push("dev");
    assert_eq!(world.runs(1), ["docs skipped", "ship skipped", "test queued"]);
    assert_eq!(
        world.why(1, "docs"),
        "`if: changed(\"docs/**\")` is false (changed(\"docs/**\") is false, of 1 changed files none matches)"
    );
    assert_eq!(world.why(1, "ship"), "`if: event.branch == \"main\"` is false (event.branch is \"dev\")");
    let because = world.run_row(1, "test").value.because.unwrap();
    assert_eq!(
        (because.expression.as_str(), because.seen[0].value.as_str()),
        ("event.kind == \"push\"", "\"push\"")
    );
    world.end("test", Outcome::Passed);
    assert_eq!(world.builds(), ["ci passed"]);
}

#[test]
fn a_build_none_of_whose_jobs_is_to_run_is_skipped_at_once() {
    let mut world = pipeline("{on: push, jobs: {a: {$, if: 'event.branch == \"main\"'}, b: {$, needs: a}}}");
    world.look();
    world.push("dev");
    assert_eq!(world.runs(1), ["a skipped", "b skipped"]);
    assert_eq!(world.builds(), ["ci skipped"]);
    assert!(world.leftovers().is_empty(), "{:?}", world.leftovers());
}

#[test]
fn what_asks_how_its_needs_went_is_decided_when_they_have_ended() {
    let text = "
on: push
jobs:
  test: {$}
  mend: {$, needs: test, if: failure()}
  tidy: {$, needs: [test, mend], if: always()}
  tell: {$, needs: [{job: test, status: failed}]}
  note: {$, needs: [{job: test, status: any}]}
  ship: {$, needs: test}
";
    let mut world = pipeline(text);
    world.push("main");
    world.end("test", Outcome::Failed);
    assert_eq!(
        world.runs(1),
        ["test failed", "mend queued", "tidy blocked", "tell queued", "note queued", "ship skipped"]
    );
    let env = world.definition(1, "mend").env;
    assert_eq!((env["BRANCHLINE_FAILED_STEP"].as_str(), env["BRANCHLINE_FAILED_EXIT"].as_str()), ("x", "1"));
    world.end("mend", Outcome::Passed);
    assert_eq!(world.run(1, "tidy"), RunStatus::Queued);

    let mut world = pipeline(text);
    world.push("main");
    world.end("test", Outcome::Passed);
    assert_eq!(
        world.runs(1),
        ["test passed", "mend skipped", "tidy queued", "tell skipped", "note queued", "ship queued"]
    );
    assert_eq!(world.why(1, "mend"), "`if: failure()` is false (failure() is false)");
    assert_eq!(world.why(1, "tell"), "`test`, which it follows when that fails, did not fail");
}

#[test]
fn outputs_of_needs_decide_conditions_and_fill_the_environment() {
    let text = "
on: push
jobs:
  make: {$, matrix: {os: [bookworm, alpine]}}
  one: {$}
  ship:
    process: true
    needs: [make, one]
    if: needs.one.outputs.version != '0' && needs.make.cells['alpine'].outputs.size == '5'
    env: {VERSION: 'v${{ needs.one.outputs.version }}', NOTHING: '${{ needs.one.outputs.absent }}'}
    steps: [{run: 'true', env: {STATUS: '${{ needs.make.status }}'}}]
";
    let mut world = pipeline(text);
    world.push("main");
    world.say(1, "one", "version", "12");
    world.say(1, "make/alpine", "size", "5");
    world.end("one", Outcome::Passed);
    world.end("make/bookworm", Outcome::Passed);
    assert_eq!(world.run(1, "ship"), RunStatus::Blocked);
    world.end("make/alpine", Outcome::Passed);
    assert_eq!(world.run(1, "ship"), RunStatus::Queued);
    let definition = world.definition(1, "ship");
    assert_eq!((definition.env["VERSION"].as_str(), definition.env["NOTHING"].as_str()), ("v12", ""));
    assert_eq!(definition.steps[0].env["STATUS"], "passed");
    assert!(world.run_row(1, "ship").value.because.is_some());
}

#[test]
fn a_condition_without_a_value_ends_its_run_and_says_where_and_why() {
    let mut world = pipeline("{on: push, jobs: {a: {$, if: 'event.branch.matches(commit.author + \"[\")'}}}");
    world.push("main");
    assert_eq!(world.runs(1), ["a errored"]);
    assert!(
        world
            .why(1, "a")
            .starts_with("`if: event.branch.matches(commit.author + \"[\")` has no value: at column "),
        "{}",
        world.why(1, "a")
    );
    assert_eq!(world.builds(), ["ci errored"]);
}

#[test]
fn inputs_are_checked_given_their_defaults_and_handed_on() {
    let text = "
on: {manual: true, push: {}}
inputs:
  target: {type: choice, options: [staging, production], default: staging}
  version: {type: string, pattern: '^v\\d+', required: true}
  dry_run: {type: boolean, default: true}
  count: {type: number}
  token: {type: password}
jobs: {a: {$, if: 'inputs.dry_run && inputs.target != \"production\"'}}
";
    let mut world = pipeline(text);
    world.start("ci");
    assert_eq!(
        world.reasons(),
        ["ci: not built, the input `version` must be given: as --input version=…, or in the form"]
    );
    world.start_with("ci", &[("version", "x"), ("verson", "v1"), ("dry_run", "maybe")]);
    let said = world.reasons().remove(0);
    assert!(said.contains("the input `version`: `x` does not match `^v\\d+`"), "{said}");
    assert!(said.contains("there is no input `verson`: did you mean `version`?"), "{said}");
    assert!(said.contains("the input `dry_run`: `maybe` is neither `true` nor `false`"), "{said}");
    world.start_with("ci", &[("version", "v2"), ("count", "3"), ("token", "hush")]);
    let env = world.definition(1, "a").env;
    let input = |name: &str| env.get(name).map(String::as_str);
    assert_eq!(input("INPUT_VERSION"), Some("v2"));
    assert_eq!(input("INPUT_TARGET"), Some("staging"));
    assert_eq!(input("INPUT_DRY_RUN"), Some("true"));
    assert_eq!(input("INPUT_COUNT"), Some("3"));
    world.push("main");
    assert_eq!(world.definition(2, "a").env.get("INPUT_VERSION"), None, "a push gives no inputs");
}

#[test]
fn what_is_said_nearer_wins() {
    let text = "
on: push
env: {A: pipeline, B: pipeline, C: pipeline}
jobs:
  a: {process: true, env: {A: job, B: job}, steps: [{run: 'true', env: {A: step}}]}
";
    let mut world = world(text);
    let control = [("C", "control"), ("D", "control")];
    world.setting.env = control.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    world.push("main");
    let definition = world.definition(1, "a");
    let of = |name: &str| definition.env[name].as_str();
    assert_eq!((of("A"), of("B"), of("C"), of("D")), ("job", "job", "pipeline", "control"));
    assert_eq!(definition.steps[0].env["A"], "step");
}

#[test]
fn a_job_that_nothing_can_carry_out_ends_at_once_and_says_what_to_do() {
    let text = "
on: push
jobs:
  a: {container: rust, steps: ['true']}
  b: {$, worker: {pool: gpu}}
  c: {$, approval: {}}
";
    let mut world = pipeline(text);
    world.push("main");
    assert_eq!(world.runs(1), ["a errored", "b errored", "c errored"]);
    assert_eq!(
        world.why(1, "a"),
        "nothing here can carry it out: the pool `default` cannot run containers: name a pool that can, or say `process: true`"
    );
    assert_eq!(
        world.why(1, "b"),
        "nothing here can carry it out: there is no pool `gpu`; there is `default`"
    );
    assert!(world.why(1, "c").contains("`jobs.approval`"), "{}", world.why(1, "c"));
    assert_eq!(world.builds(), ["ci errored"]);
}

#[test]
fn a_job_for_hosts_has_a_run_on_each() {
    let text = "{on: push, jobs: {ship: {ssh: {pool: web, hosts: all, max_parallel: 1}, matrix: {n: [1, 2]}, steps: ['true']}}}";
    let mut world = pipeline(text);
    let host = |name: &str| Host {
        name: name.to_owned(),
        vars: BTreeMap::from([("role".to_owned(), "front".to_owned())]),
        ..Host::default()
    };
    let web = Pool { hosts: Some(vec![host("web-1"), host("web-2")]), ..Pool::default() };
    world.setting = Setting::default();
    world.setting.pools.0.insert(PoolName::new("web"), web);
    world.push("main");
    let labels: Vec<String> =
        world.runs(1).iter().map(|run| run.split(' ').next().unwrap().to_owned()).collect();
    assert_eq!(labels, ["ship/1-web-1", "ship/1-web-2", "ship/2-web-1", "ship/2-web-2"]);
    let env = world.definition(1, "ship/2-web-1").env;
    assert_eq!(
        (env["HOST_NAME"].as_str(), env["HOST_ROLE"].as_str(), env["MATRIX_N"].as_str()),
        ("web-1", "front", "2")
    );
}

#[test]
fn a_run_is_told_what_the_conditions_of_its_steps_and_artifacts_name_and_nothing_else() {
    let mut world = world(
        "{on: {push: {}}, jobs: {a: {process: true, matrix: {os: [linux]}, artifacts: [{name: '${{ matrix.os }}-app', path: x, if: \
         matrix.os == 'linux'}], steps: ['true', {run: 'true', if: event.kind == 'push' && env.X != 'y'}]}, b: {process: true, \
         steps: [{run: 'true', if: env.X == 'y'}]}}}",
    );
    world.push("main");
    let definition = world.definition(1, "a/linux");
    assert_eq!(definition.artifacts[0].name, "linux-app");
    assert_eq!(definition.steps[1].condition.as_deref(), Some("event.kind == 'push' && env.X != 'y'"));
    let known = definition.known.clone().unwrap();
    assert_eq!(known.cell.matrix.to_string(), "{\"os\": \"linux\"}");
    assert!(!known.context.event.is_null() && known.context.commit.is_null());
    assert_eq!(world.definition(1, "b").known, None);
}

#[test]
fn what_a_step_asks_of_the_files_is_found_out_when_the_build_is_planned() {
    let mut world = pipeline(
        "{on: {push: {}}, jobs: {a: {process: true, steps: [{run: make docs, if: 'changed(\"docs/**\")'}]}}}",
    );
    world.facts = changed(&["docs/index.md"]);
    world.push("main");
    let known = world.definition(1, "a").known.unwrap();
    let docs = ["docs/**".to_owned()];
    assert!(branchline_expression::Files::changed(&known.context.answers, &docs).unwrap().holds);
}

#[test]
fn more_outputs_than_can_be_handed_on_are_an_error_of_the_job_that_asks_for_them() {
    let mut world = pipeline(
        "{on: {push: {}}, jobs: {a: {$, matrix: {x: [1, 2, 3, 4, 5]}}, b: {$, needs: a, env: {X: '${{ needs.a.cells[\"1\"].outputs.y }}'}}}}",
    );
    world.push("main");
    let large = "x".repeat(60_000);
    for cell in 1..=5 {
        let label = format!("a/{cell}");
        world.say(1, &label, "y", &large);
        world.end(&label, Outcome::Passed);
    }
    let why = world.why(1, "b");
    assert!(why.contains("bytes of outputs, and at most 262144 can be handed on"), "{why}");
}

#[test]
fn the_value_of_a_password_is_shown_nowhere() {
    let mut world = world(
        "{on: {manual: true}, inputs: {p: {type: password}, q: {}}, env: {A: 'x${{ inputs.p }}', B: '${{ inputs.q }}'}, jobs: {a: \
         {process: true, steps: [{run: 'true', env: {C: '${{ inputs.p }}'}, if: inputs.p != 'x'}]}}}",
    );
    world.start_with("ci", &[("p", "hunter2"), ("q", "plain")]);
    let definition = world.definition(1, "a");
    assert_eq!(definition.env["INPUT_P"], "hunter2");
    let shown = definition.shown();
    let of = |name: &str| shown.env[name].as_str();
    assert_eq!([of("INPUT_P"), of("A"), of("B"), of("INPUT_Q")], ["***", "***", "plain", "plain"]);
    assert_eq!(shown.steps[0].env["C"], "***");
    assert!(!format!("{shown:?}").contains("hunter2"), "{shown:?}");
}
