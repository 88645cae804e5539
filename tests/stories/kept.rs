//! What is kept, and what is still to be done.

use serde_json::json;

use crate::support::{Controller, Repository, until};

const TWO_KEPT: &str = "{on: push, retention: {builds: 2}, jobs: {a: {process: true, steps: [echo hello]}}}";

#[test]
fn only_so_many_builds_are_kept_with_their_logs() {
    let repository = Repository::with(&[("ci", TWO_KEPT)]);
    let controller = Controller::of(&[repository.path()]).start();
    controller.ended(1);
    for number in 2..=4 {
        repository.commit(&format!("Push {number}"));
        controller.ended(number);
    }
    until("two builds are kept", || {
        let builds = controller.json(&["builds"]);
        let numbers: Vec<_> =
            builds["builds"].as_array().unwrap().iter().map(|build| &build["number"]).collect();
        (numbers == [&json!(4), &json!(3)]).then_some(())
    });
    let gone = controller.command(&["build", "1"]);
    assert_eq!(gone.code, Some(1));
    assert!(gone.stderr.contains("there is no build"), "{}", gone.stderr);
    let log = controller.command(&["logs", "4/a"]).stdout;
    assert!(log.ends_with("\nhello\n"), "{log}");
    let logs = std::fs::read_dir(controller.data().join("artifacts/logs")).unwrap();
    let repository = logs.map(|entry| entry.unwrap().path()).next().unwrap();
    until("the logs of the others are gone", || {
        let builds = std::fs::read_dir(&repository).unwrap();
        let mut builds: Vec<_> = builds.map(|entry| entry.unwrap().file_name()).collect();
        builds.sort();
        (builds == ["3", "4"]).then_some(())
    });
}

#[test]
fn where_nothing_is_left_to_be_done_the_list_of_effects_says_so() {
    let repository = Repository::with(&[("ci", TWO_KEPT)]);
    let controller = Controller::of(&[repository.path()]).start();
    controller.ended(1);
    let effects = controller.command(&["effects"]);
    assert_eq!((effects.code, effects.stdout.as_str()), (Some(0), ""));
    assert!(effects.stderr.contains("Nothing is left to be done outside"), "{}", effects.stderr);
    assert_eq!(controller.json(&["effects"]), json!({"pending": [], "dead": []}));
    for action in ["resend", "drop"] {
        let said = controller.command(&["effects", action, "stop/app-1/1/1/1"]);
        assert_eq!(said.code, Some(1));
        assert!(said.stderr.contains("there is no effect `stop/app-1/1/1/1`"), "{}", said.stderr);
        let without_key = controller.command(&["effects", action]);
        assert_eq!(without_key.code, Some(2), "{}", without_key.stderr);
    }
}
