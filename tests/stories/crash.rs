//! What `kill -9` may not do.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::{Duration, Instant};

use crate::support::{Controller, Repository, until};

const RUNS: usize = 200;
const KILLS: usize = 30;

/// A small generator of its own: which moments are tried does not depend on the machine.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

#[test]
fn two_hundred_runs_lose_nothing_and_do_nothing_twice_through_thirty_kills() {
    let effects = tempfile::tempdir().unwrap();
    let mut pipeline = String::from("{on: push, jobs: {");
    for job in 0..RUNS {
        let file = effects.path().join(format!("$BRANCHLINE_BUILD-{job}"));
        write!(
            pipeline,
            "j{job}: {{process: true, checkout: false, steps: ['echo once >> {}; sleep 0.02', 'echo twice >> {}']}}, ",
            file.display(),
            file.display()
        )
        .unwrap();
    }
    pipeline.push_str("}}");
    let repository = Repository::with(&[("ci", &pipeline)]);
    let mut controller = Controller::of(&[repository.path()]).with(&["--slots", "4"]);
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut builds = 1;
    for _ in 0..KILLS {
        controller.restart();
        // A moment of its own each time: this wait is the fault that is injected, not a condition.
        let until_killed = Duration::from_millis(random.below(300));
        let began = Instant::now();
        while began.elapsed() < until_killed {
            std::thread::yield_now();
        }
        let all_ended = controller.build_now(builds).is_some_and(|build| build["ended_at"].is_string());
        controller.kill();
        if all_ended {
            repository.commit("Next");
            builds += 1;
        }
    }
    controller.restart();
    for number in 1..=builds {
        let build = controller.ended(number);
        let runs = build["runs"].as_array().unwrap();
        assert_eq!(runs.len(), RUNS);
        for run in runs {
            assert_eq!(run["status"], "passed", "{run}\n{}", controller.log());
        }
        assert_eq!(build["status"], "passed");
    }
    let mut seen: BTreeMap<String, String> = BTreeMap::new();
    for file in std::fs::read_dir(effects.path()).unwrap() {
        let file = file.unwrap();
        let text = std::fs::read_to_string(file.path()).unwrap();
        seen.insert(file.file_name().into_string().unwrap(), text);
    }
    assert_eq!(seen.len(), RUNS * usize::try_from(builds).unwrap());
    for (file, text) in &seen {
        assert_eq!(text, "once\ntwice\n", "{file}");
    }
    // Nothing waits, and nothing is kept of what has ended.
    until("the attempt directories are removed", || {
        std::fs::read_dir(controller.data().join("attempts"))
            .unwrap()
            .filter_map(Result::ok)
            // An attempt's directory bears the attempt's id: `repository.build.run.attempt`.
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .all(|name| name.starts_with('.') || name.matches('.').count() < 3)
            .then_some(())
    });
}

#[test]
fn a_log_is_whole_though_the_controller_was_killed_while_it_grew() {
    let pipeline = "{on: push, jobs: {a: {process: true, checkout: false, steps: ['seq 1 20000; sleep 0.3; seq 20001 40000']}}}";
    let repository = Repository::with(&[("ci", pipeline)]);
    let mut controller = Controller::of(&[repository.path()]).start();
    until("the log grows", || controller.command(&["logs", "1/a"]).stdout.contains("\n100\n").then_some(()));
    controller.kill();
    controller.restart();
    let build = controller.ended(1);
    assert_eq!(build["status"], "passed", "{build}");
    let log = controller.command(&["logs", "1/a"]).stdout;
    let numbers: Vec<&str> =
        log.lines().filter(|line| line.bytes().all(|byte| byte.is_ascii_digit())).collect();
    let expected: Vec<String> = (1..=40_000).map(|number| number.to_string()).collect();
    assert_eq!(numbers, expected);
}

#[test]
fn a_commit_made_while_the_controller_was_away_is_built_when_it_is_back() {
    let repository = Repository::with(&[("ci", "{on: push, jobs: {a: {process: true, steps: ['true']}}}")]);
    let mut controller = Controller::of(&[repository.path()]).start();
    controller.ended(1);
    controller.kill();
    let commit = repository.commit("While you were away");
    controller.restart();
    assert_eq!(controller.ended(2)["commit"], commit);
}
