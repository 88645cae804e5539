//! The decisions as conversations: a push arrives, workers take runs and say how they ended, builds advance.

use crate::world::World;
use branchline_model::{
    BuildProgress, BuildStatus, EndReason, EndedRun, Outcome, RunStatus, Stop, TimeoutOf,
};

const GRAPH: &str = "
on: {push: {branches: [main]}, manual: true}
jobs:
  lint: {process: true, steps: ['true']}
  test: {process: true, needs: [lint], steps: ['true']}
  docs: {process: true, steps: ['true']}
  ship: {process: true, needs: [test, docs], steps: ['true']}
";

#[test]
fn a_push_makes_one_build_and_queues_what_needs_nothing() {
    let mut world = World::new(&[("ci", GRAPH)]);
    world.push("main");
    assert_eq!(world.builds(), ["ci running"]);
    assert_eq!(world.runs(1), ["lint queued", "test blocked", "docs queued", "ship blocked"]);
}

#[test]
fn a_push_to_a_branch_that_no_pipeline_wants_makes_no_build_and_says_why() {
    let mut world = World::new(&[("ci", GRAPH)]);
    world.push("main");
    world.push("dev");
    assert_eq!(world.builds().len(), 1);
    assert_eq!(world.reasons(), ["ci: not built, nothing in `on.push.branches` matches `dev`"]);
}

#[test]
fn at_first_sight_only_the_default_branch_is_built() {
    let mut world = World::new(&[("ci", "{on: push, jobs: {a: {process: true, steps: ['true']}}}")]);
    world.refs(&[("refs/heads/main", 1), ("refs/heads/other", 2), ("refs/tags/v1", 3)]);
    world.look();
    assert_eq!(world.builds().len(), 1);
    world.refs(&[("refs/heads/main", 1), ("refs/heads/other", 4), ("refs/tags/v1", 3)]);
    world.look();
    assert_eq!(world.builds().len(), 2);
}

#[test]
fn a_ref_that_goes_there_and_back_has_moved_twice() {
    let mut world = World::new(&[("ci", "{on: push, jobs: {a: {process: true, steps: ['true']}}}")]);
    for commit in [1, 2, 1] {
        world.refs(&[("refs/heads/main", commit)]);
        world.look();
        world.look();
    }
    assert_eq!(world.builds().len(), 3);
}

#[test]
fn a_ref_that_is_deleted_and_made_again_is_a_move() {
    let mut world = World::new(&[("ci", "{on: push, jobs: {a: {process: true, steps: ['true']}}}")]);
    world.refs(&[("refs/heads/main", 1)]);
    world.look();
    world.refs(&[("refs/heads/main", 1), ("refs/heads/side", 1)]);
    world.look();
    world.refs(&[("refs/heads/main", 1)]);
    world.look();
    world.refs(&[("refs/heads/main", 1), ("refs/heads/side", 1)]);
    world.look();
    assert_eq!(world.builds().len(), 3);
}

#[test]
fn a_tag_is_built_only_where_the_pipeline_says_so() {
    let release = "{on: {tag: ['v*']}, jobs: {a: {process: true, steps: ['true']}}}";
    let mut world = World::new(&[("ci", GRAPH), ("release", release)]);
    world.push("main");
    world.refs(&[("refs/heads/main", 1001), ("refs/tags/v1.0", 1), ("refs/tags/nightly", 1)]);
    world.look();
    assert_eq!(world.builds(), ["ci running", "release running"]);
}

#[test]
fn runs_follow_their_needs_until_the_build_passes() {
    let mut world = World::new(&[("ci", GRAPH)]);
    world.push("main");
    world.end("lint", Outcome::Passed);
    assert_eq!(world.runs(1), ["lint passed", "test queued", "docs queued", "ship blocked"]);
    world.end("docs", Outcome::Passed);
    assert_eq!(world.run(1, "ship"), RunStatus::Blocked);
    world.end("test", Outcome::Passed);
    world.end("ship", Outcome::Passed);
    assert_eq!(world.builds(), ["ci passed"]);
    assert!(world.leftovers().is_empty(), "{:?}", world.leftovers());
}

#[test]
fn a_job_that_was_cancelled_while_it_was_to_be_skipped_is_folded_in_as_cancelled() {
    let mut world = World::new(&[("ci", GRAPH)]);
    world.push("main");
    world.stop_run_only(1, "lint");
    let read_before = world.all::<EndedRun>();
    world.stop_run_only(1, "test");
    world.advance_with(&read_before);
    let progress = world.all::<BuildProgress>().remove(0).value;
    let outcomes: Vec<_> = progress.ended.into_iter().collect();
    let (lint, test) = (1, 2);
    assert_eq!(outcomes, [(lint, Outcome::Cancelled), (test, Outcome::Cancelled)], "ship waits for docs");
    world.advance();
    world.end("docs", Outcome::Passed);
    assert_eq!(world.runs(1), ["lint cancelled", "test cancelled", "docs passed", "ship skipped"]);
    assert!(world.leftovers().is_empty(), "{:?}", world.leftovers());
}

#[test]
fn what_needs_a_failed_job_is_skipped_with_all_that_needs_it_in_turn() {
    let mut world = World::new(&[("ci", GRAPH)]);
    world.push("main");
    world.end("lint", Outcome::Failed);
    world.end("docs", Outcome::Passed);
    assert_eq!(world.runs(1), ["lint failed", "test skipped", "docs passed", "ship skipped"]);
    assert_eq!(
        world.reason(1, "ship").unwrap(),
        EndReason::NeedsFailed { job: branchline_model::JobName::new("test") }
    );
    assert_eq!(world.builds(), ["ci failed"]);
    assert_eq!(world.build_reason(1).unwrap().to_string(), "`lint` did not pass");
}

#[test]
fn a_failure_that_is_allowed_stops_nothing() {
    let pipeline = "
on: push
jobs:
  flaky: {process: true, allow_failure: true, steps: ['false']}
  next: {process: true, needs: flaky, steps: ['true']}
";
    let mut world = World::new(&[("ci", pipeline)]);
    world.push("main");
    world.end("flaky", Outcome::Failed);
    assert_eq!(world.run(1, "next"), RunStatus::Queued);
    world.end("next", Outcome::Passed);
    assert_eq!(world.builds(), ["ci passed"]);
}

#[test]
fn a_cancelled_build_ends_what_waits_and_tells_what_runs() {
    let mut world = World::new(&[("ci", GRAPH)]);
    world.push("main");
    world.claim("lint");
    world.stop_build(1, &Stop::Cancelled { by: branchline_model::Actor::new("ann") });
    assert_eq!(world.runs(1), ["lint starting", "test cancelled", "docs cancelled", "ship cancelled"]);
    assert_eq!(world.stops(), 1);
    assert_eq!(world.builds(), ["ci running"]);
    // Its work was done before it heard of the stop: a cancelled run does not pass all the same.
    world.end("lint", Outcome::Passed);
    assert_eq!(world.run(1, "lint"), RunStatus::Ended(Outcome::Cancelled));
    assert_eq!(world.builds(), ["ci cancelled"]);
    assert_eq!(world.build_reason(1).unwrap().to_string(), "cancelled by ann");
    assert!(world.claim_next().is_empty());
}

#[test]
fn a_cancelled_run_skips_what_needs_it_and_the_rest_goes_on() {
    let mut world = World::new(&[("ci", GRAPH)]);
    world.push("main");
    world.stop_run(1, "lint");
    assert_eq!(world.runs(1), ["lint cancelled", "test skipped", "docs queued", "ship blocked"]);
    world.end("docs", Outcome::Passed);
    assert_eq!(world.builds(), ["ci cancelled"]);
}

#[test]
fn a_build_whose_time_runs_out_is_timed_out_and_so_are_its_runs() {
    let mut world = World::new(&[("ci", GRAPH)]);
    world.push("main");
    world.claim("docs");
    world.stop_build(1, &Stop::BuildTimedOut);
    world.end("docs", Outcome::Cancelled);
    assert_eq!(world.builds(), ["ci timed_out"]);
    assert_eq!(world.reason(1, "docs").unwrap(), EndReason::Timeout { of: TimeoutOf::Build });
    assert_eq!(world.run(1, "lint"), RunStatus::Ended(Outcome::TimedOut));
}

#[test]
fn a_file_that_is_wrong_makes_an_invalid_build_and_leaves_the_others_alone() {
    let mut world = World::new(&[("ci", GRAPH), ("broken", "on: push\njobs: {a: {steps: [x]}}\n")]);
    world.push("main");
    assert_eq!(world.builds(), ["broken invalid", "ci running"]);
    assert!(matches!(world.build_reason(1).unwrap(), EndReason::DefinitionInvalid { errors: 1 }));
}

#[test]
fn a_manual_start_builds_only_what_was_asked_for() {
    let other = "{on: push, jobs: {a: {process: true, steps: ['true']}}}";
    let mut world = World::new(&[("ci", GRAPH), ("other", other)]);
    world.start("ci");
    assert_eq!(world.builds(), ["ci running"]);
    world.start("other");
    assert_eq!(world.reasons(), ["other: not built, it has no `on.manual`"]);
    world.start("nope");
    assert_eq!(world.reasons(), ["nope: no such pipeline at this commit; there are ci, other"]);
}

#[test]
fn an_older_attempt_has_no_say() {
    let mut world = World::new(&[("ci", GRAPH)]);
    world.push("main");
    world.claim("lint");
    let refused = world.end_as("lint", 2, "worker", Outcome::Passed).unwrap_err();
    assert_eq!(refused, "attempt 1 holds the run");
    let refused = world.end_as("lint", 1, "stranger", Outcome::Passed).unwrap_err();
    assert_eq!(refused, "it is held by another worker");
    assert_eq!(world.run(1, "lint"), RunStatus::Starting);
}

#[test]
fn the_last_word_said_twice_is_said_once() {
    let mut world = World::new(&[("ci", GRAPH)]);
    world.push("main");
    world.end("lint", Outcome::Passed);
    world.end_as("lint", 1, "worker", Outcome::Passed).unwrap();
    assert_eq!(world.runs(1), ["lint passed", "test queued", "docs queued", "ship blocked"]);
}

#[test]
fn a_build_that_was_superseded_or_invalid_is_not_stopped_again() {
    let mut world = World::new(&[("broken", "on: push\njobs: {}\n")]);
    world.push("main");
    world.stop_build(1, &Stop::BuildTimedOut);
    assert_eq!(world.status(1), BuildStatus::Invalid);
}
