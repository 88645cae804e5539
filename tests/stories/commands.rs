//! The commands' own words: help, mistakes, exit codes.

use crate::support::{Controller, Repository, branchline, said};

#[test]
fn every_command_has_a_help_that_names_its_arguments() {
    let help = said(&branchline().arg("--help").output().unwrap());
    assert_eq!(help.code, Some(0));
    for command in ["up", "run", "demo", "builds", "build", "logs", "start", "cancel", "effects"] {
        assert!(help.stdout.contains(&format!("\n  {command} ")), "{command}: {}", help.stdout);
        let own = said(&branchline().args([command, "--help"]).output().unwrap());
        assert_eq!(own.code, Some(0));
        assert!(own.stdout.contains("Usage: branchline"), "{}", own.stdout);
    }
}

#[test]
fn where_no_controller_is_the_commands_say_how_to_start_one() {
    let folder = tempfile::tempdir().unwrap();
    let builds = said(&branchline().args(["builds", "--data"]).arg(folder.path()).output().unwrap());
    assert_eq!(builds.code, Some(1));
    assert!(builds.stderr.contains("start one with `branchline up`"), "{}", builds.stderr);
}

#[test]
fn a_wrong_token_is_refused_and_nothing_is_said() {
    let repository = Repository::with(&[("ci", "{on: push, jobs: {a: {process: true, steps: ['true']}}}")]);
    let controller = Controller::of(&[repository.path()]).start();
    controller.ended(1);
    let said = said(
        &branchline()
            .args(["builds", "--data"])
            .arg(controller.data())
            .env("BRANCHLINE_TOKEN", "0".repeat(64))
            .output()
            .unwrap(),
    );
    assert_eq!(said.code, Some(1));
    assert_eq!(said.stdout, "");
    assert!(said.stderr.contains("token"), "{}", said.stderr);
}

#[test]
fn the_token_is_printed_once() {
    let repository = Repository::with(&[("ci", "{on: push, jobs: {a: {process: true, steps: ['true']}}}")]);
    let mut controller = Controller::of(&[repository.path()]).start();
    let token = std::fs::read_to_string(controller.data().join("token")).unwrap();
    controller.ended(1);
    controller.terminate();
    controller.restart();
    controller.ended(1);
    assert_eq!(controller.log().matches(token.trim()).count(), 1, "{}", controller.log());
    assert_eq!(controller.log().matches("Serving http://").count(), 2);
}

#[test]
fn two_controllers_do_not_share_a_data_folder() {
    let repository = Repository::with(&[("ci", "{on: push, jobs: {a: {process: true, steps: ['true']}}}")]);
    let controller = Controller::of(&[repository.path()]).start();
    let second = said(
        &branchline()
            .args(["up", "--listen", "127.0.0.1:0", "--data"])
            .arg(controller.data())
            .arg(repository.path())
            .output()
            .unwrap(),
    );
    assert_eq!(second.code, Some(1));
    assert!(second.stderr.contains("in use") || second.stderr.contains("another"), "{}", second.stderr);
}

#[test]
fn a_data_folder_inside_the_watched_repository_is_refused() {
    let repository = Repository::with(&[("ci", "{on: push, jobs: {a: {process: true, steps: ['true']}}}")]);
    let data = repository.path().join("state");
    let up = said(&branchline().arg("up").arg(repository.path()).arg("--data").arg(&data).output().unwrap());
    assert_eq!(up.code, Some(1));
    assert!(up.stderr.contains("inside the watched repository"), "{}", up.stderr);
    assert!(!data.exists());
}

#[test]
fn what_is_no_repository_is_refused_before_anything_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    for (place, says) in [
        (folder.path().join("nowhere").to_str().unwrap().to_owned(), "nowhere"),
        (folder.path().to_str().unwrap().to_owned(), "not a git repository"),
        ("gopher://example.org/x".to_owned(), "gopher"),
    ] {
        let up = said(&branchline().args(["up", &place, "--data"]).arg(&data).output().unwrap());
        assert_eq!(up.code, Some(1), "{place}");
        assert!(up.stderr.contains(says), "{place}: {}", up.stderr);
        assert!(!data.exists());
    }
}

#[test]
fn builds_and_runs_that_are_not_there_are_said_to_be_missing() {
    let repository = Repository::with(&[("ci", "{on: push, jobs: {a: {process: true, steps: ['true']}}}")]);
    let controller = Controller::of(&[repository.path()]).start();
    controller.ended(1);
    for (arguments, code) in [
        (&["build", "99"][..], 1),
        (&["logs", "1/nope"], 1),
        (&["logs", "nonsense"], 2),
        (&["cancel", "99"], 1),
        (&["build", "0"], 2),
    ] {
        let said = controller.command(arguments);
        assert_eq!(said.code, Some(code), "{arguments:?}: {}", said.stderr);
        assert!(said.stderr.starts_with("error: "), "{arguments:?}: {}", said.stderr);
    }
}
