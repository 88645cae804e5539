//! The doctor: what a broken disk did to the data folder is said, contained, and repaired.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::{Controller, Repository, Said, branchline, said, until};

const GOOD: &str = "{on: push, jobs: {a: {process: true, steps: ['true']}}}";

fn doctor(controller: &Controller, arguments: &[&str]) -> Said {
    let output =
        branchline().arg("doctor").args(arguments).arg("--data").arg(controller.data()).output().unwrap();
    said(&output)
}

fn findings(said: &Said) -> Vec<String> {
    let checkup: Value = serde_json::from_str(&said.stdout).unwrap();
    let findings = checkup["findings"].as_array().unwrap();
    findings
        .iter()
        .map(|finding| format!("{} {}", finding["kind"], finding["key"]).replace('"', ""))
        .collect()
}

fn database(controller: &Controller) -> std::path::PathBuf {
    controller.data().join("branchline.db")
}

/// Changes bytes in the file, as nobody but a broken disk does: everywhere that `text` stands after `before`.
fn damage(file: &Path, before: &str, text: &str) {
    let mut bytes = fs::read(file).unwrap();
    let whole = format!("{before}{text}");
    let found: Vec<usize> = bytes
        .windows(whole.len())
        .enumerate()
        .filter(|(_, window)| *window == whole.as_bytes())
        .map(|(at, _)| at + before.len())
        .collect();
    assert!(!found.is_empty(), "there is no {whole}");
    for at in found {
        bytes[at..at + text.len()].fill(b'?');
    }
    fs::write(file, bytes).unwrap();
}

/// What is pushed now is built, and passes.
fn goes_on(repository: &Repository, controller: &Controller) {
    let commit = repository.commit("Go on");
    until("the newest commit has passed", || {
        let builds = controller.json(&["builds"]);
        let newest = builds["builds"].as_array()?.iter().find(|build| build["commit"] == commit)?.clone();
        (newest["status"] == "passed").then_some(())
    });
}

#[test]
fn where_all_is_well_the_doctor_says_so_whether_the_controller_runs_or_not() {
    let repository = Repository::with(&[("good", GOOD)]);
    let mut controller = Controller::of(&[repository.path()]).start();
    controller.ended(1);
    let running = doctor(&controller, &[]);
    assert_eq!(running.code, Some(0), "{}{}", running.stdout, running.stderr);
    assert!(running.stdout.ends_with("rows and 1 logs were looked at: all is well\n"), "{}", running.stdout);
    let refused = doctor(&controller, &["--repair"]);
    assert_eq!(refused.code, Some(2), "{}", refused.stdout);
    assert!(refused.stderr.contains("in use by process"), "{}", refused.stderr);
    controller.terminate();
    let stopped = doctor(&controller, &["--repair"]);
    assert_eq!(stopped.code, Some(0), "{}{}", stopped.stdout, stopped.stderr);
}

#[test]
fn where_there_is_no_store_the_doctor_could_not_check() {
    let folder = tempfile::tempdir().unwrap();
    let output = branchline().args(["doctor", "--data"]).arg(folder.path()).output().unwrap();
    let said = said(&output);
    assert_eq!(said.code, Some(2));
    assert!(said.stderr.contains("holds no store"), "{}", said.stderr);
}

#[test]
fn a_damaged_row_is_shown_with_its_build_while_others_go_on_and_is_moved_aside_by_a_repair() {
    let repository = Repository::with(&[("good", GOOD)]);
    let mut controller = Controller::of(&[repository.path()]).start();
    controller.ended(1);
    controller.terminate();
    damage(&database(&controller), "{\"row\":\"", "build_definition");
    controller.restart();
    goes_on(&repository, &controller);
    let shown = controller.command(&["build", "1"]);
    assert_eq!(shown.code, Some(0), "{}", shown.stderr);
    assert!(shown.stderr.contains("definition` cannot be read"), "{}", shown.stderr);
    assert!(shown.stderr.contains("branchline doctor"), "{}", shown.stderr);
    controller.terminate();

    let found = doctor(&controller, &["--json"]);
    assert_eq!(found.code, Some(1), "{}{}", found.stdout, found.stderr);
    let found = findings(&found);
    assert!(found.len() == 1 && found[0].ends_with("/1 · definition"), "{found:?}");
    let again = doctor(&controller, &[]);
    assert!(again.stdout.contains("repair: moves the row to the quarantine"), "{}", again.stdout);
    assert!(again.stdout.contains("branchline doctor --repair"), "{}", again.stdout);
    let repaired = doctor(&controller, &["--repair"]);
    assert_eq!(repaired.code, Some(0), "{}{}", repaired.stdout, repaired.stderr);
    assert!(repaired.stdout.contains("1 findings, all repaired"), "{}", repaired.stdout);
    assert_eq!(doctor(&controller, &[]).code, Some(0));
    controller.restart();
    goes_on(&repository, &controller);
}

#[test]
fn a_build_whose_run_cannot_be_read_is_ended_by_a_repair_and_others_go_on() {
    let slow = "{on: push, jobs: {a: {process: true, checkout: false, steps: ['sleep 1000']}}}";
    let repository = Repository::with(&[("slow", slow)]);
    let mut controller =
        Controller::of(&[repository.path()]).with(&["--slots", "1", "--drain", "0s"]).start();
    until("the first build runs", || (controller.build(1)["runs"][0]["status"] == "running").then_some(()));
    controller.kill();
    // Opened and closed once, so that all of it is in the one file.
    assert_eq!(doctor(&controller, &["--repair"]).code, Some(0));
    damage(&database(&controller), "{\"row\":\"", "run\"");
    let repaired = doctor(&controller, &["--repair"]);
    assert_eq!(repaired.code, Some(0), "{}{}", repaired.stdout, repaired.stderr);
    repository.write(".branchline/slow.yaml", GOOD);
    controller.restart();
    let build = controller.ended(1);
    assert_eq!(build["status"], "errored", "{build}");
    assert_eq!(build["runs"][0]["reason"]["code"], "unreadable", "{build}");
    goes_on(&repository, &controller);
}

#[test]
fn of_a_database_that_lost_its_end_what_is_left_is_saved_and_up_goes_on() {
    let repository = Repository::with(&[("good", GOOD)]);
    let mut controller = Controller::of(&[repository.path()]).start();
    controller.ended(1);
    for _ in 0..3 {
        goes_on(&repository, &controller);
    }
    controller.terminate();
    let file = database(&controller);
    let length = fs::metadata(&file).unwrap().len();
    fs::File::options().write(true).open(&file).unwrap().set_len(length * 2 / 3).unwrap();

    let refused = branchline()
        .args(["up", "--listen", "127.0.0.1:0", "--data"])
        .arg(controller.data())
        .arg(repository.path())
        .output()
        .unwrap();
    let refused = said(&refused);
    assert_eq!(refused.code, Some(1), "{}", refused.stderr);
    assert!(refused.stderr.contains("branchline.db is damaged"), "{}", refused.stderr);
    assert!(refused.stderr.contains("branchline doctor --data"), "{}", refused.stderr);

    let found = doctor(&controller, &["--json"]);
    assert_eq!(found.code, Some(1), "{}{}", found.stdout, found.stderr);
    assert!(findings(&found)[0].starts_with("database "), "{}", found.stdout);
    let repaired = doctor(&controller, &["--repair"]);
    assert_eq!(repaired.code, Some(0), "{}{}", repaired.stdout, repaired.stderr);
    assert!(repaired.stdout.contains("the damaged one is kept as"), "{}", repaired.stdout);
    assert!(controller.data().join("branchline.db.damaged-1").exists());
    controller.restart();
    goes_on(&repository, &controller);
}

#[test]
fn a_log_that_lost_its_end_is_named_and_nothing_else_is_touched() {
    let repository = Repository::with(&[("good", GOOD)]);
    let mut controller = Controller::of(&[repository.path()]).start();
    let build = controller.ended(1);
    controller.terminate();
    let repository_id = build["repository"].as_str().unwrap();
    let log = controller.data().join(format!("artifacts/logs/{repository_id}/1/1.1.log"));
    let length = fs::metadata(&log).unwrap().len();
    fs::File::options().write(true).open(&log).unwrap().set_len(length - 5).unwrap();
    let found = doctor(&controller, &[]);
    assert_eq!(found.code, Some(1), "{}{}", found.stdout, found.stderr);
    assert!(found.stdout.contains("its end is lost"), "{}", found.stdout);
    fs::remove_file(&log).unwrap();
    let found = doctor(&controller, &[]);
    assert!(found.stdout.contains(&format!("0 of {length} bytes")), "{}", found.stdout);
}
