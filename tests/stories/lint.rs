//! Before anything is pushed: a first pipeline is written, and files are checked.

use serde_json::Value;

use crate::support::{Repository, branchline};

const GOOD: &str = "{on: {push: {}}, jobs: {a: {process: true, steps: ['true']}}}";
const WRONG: &str = "on: {push: {}}\njobs:\n  a: {process: true, stepz: ['true']}\n";

fn run(repository: &Repository, arguments: &[&str]) -> (i32, String, String) {
    let output = branchline().args(arguments).current_dir(repository.path()).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn a_first_pipeline_is_written_is_well_written_and_runs() {
    let repository = Repository::empty();
    std::fs::write(repository.path().join("Makefile"), "test:\n\t@echo made it\n").unwrap();
    let (code, _, said) = run(&repository, &["lint"]);
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("`branchline init` writes a first one"), "{said}");
    let (code, _, said) = run(&repository, &["init"]);
    assert_eq!((code, said.contains("ci.yaml: run it now with `branchline run ci`")), (0, true), "{said}");
    let (code, told, said) = run(&repository, &["lint"]);
    assert_eq!((code, told.as_str(), said.as_str()), (0, "", "1 file: all is well\n"));
    let (code, told, said) = run(&repository, &["run", "ci"]);
    assert_eq!(code, 0, "{told}{said}");
    assert!(told.contains("made it"), "{told}{said}");
    let (code, _, said) = run(&repository, &["init"]);
    assert_eq!((code, said.contains("there is `.branchline/ci.yaml` already")), (1, true), "{said}");
    let (code, told, _) = run(&repository, &["init", "--print"]);
    assert_eq!((code, told.contains("make test")), (0, true), "{told}");
}

#[test]
fn every_mistake_is_told_with_its_place_and_the_exit_code_says_whether_there_is_one() {
    let repository = Repository::with(&[("good", GOOD), ("wrong", WRONG)]);
    let (code, told, said) = run(&repository, &["lint"]);
    assert_eq!((code, said.as_str()), (1, "2 files: 1 error\n"), "{told}");
    assert!(told.contains("--> .branchline/wrong.yaml:3:"), "{told}");
    let (code, told, _) = run(&repository, &["lint", "--json"]);
    let json: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(
        (code, &json["errors"], &json["files"][0]["errors"]),
        (1, &Value::from(1), &Value::Array(vec![]))
    );
    assert_eq!(json["files"][1]["pipeline"], "wrong");
    assert_eq!(json["files"][1]["errors"][0]["line"], 3);
    let (code, ..) = run(&repository, &["lint", ".branchline/good.yaml"]);
    assert_eq!(code, 0);
}

#[test]
fn files_and_folders_can_be_named_and_one_that_is_not_there_is_another_exit_code() {
    let repository = Repository::with(&[("good", GOOD)]);
    let folder = repository.path().join("elsewhere");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("one.yml"), GOOD).unwrap();
    for paths in [&["."][..], &[".branchline"], &["elsewhere", "elsewhere/one.yml"]] {
        let (code, told, said) = run(&repository, &[&["lint"][..], paths].concat());
        assert_eq!((code, told.as_str(), said.as_str()), (0, "", "1 file: all is well\n"), "{paths:?}");
    }
    for (path, why) in
        [("nowhere", "cannot be read"), ("empty", "there is no `.yaml` or `.yml` file in `empty`")]
    {
        std::fs::create_dir_all(repository.path().join("empty")).unwrap();
        let (code, _, said) = run(&repository, &["lint", path]);
        assert_eq!((code, said.contains(why)), (2, true), "{said}");
    }
    let (code, told, said) = run(&repository, &["lint", "--json", "nowhere", ".branchline/good.yaml"]);
    let json: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(
        (code, json["files"].as_array().unwrap().len(), said.contains("nowhere")),
        (2, 1, true),
        "{said}"
    );
    assert!(json["missing"][0].as_str().unwrap().contains("nowhere"), "{told}");
    let (code, _, said) = run(&repository, &["lint", "--no-such-option"]);
    assert_eq!(code, 2, "{said}");
}

#[test]
fn what_is_well_written_and_not_carried_out_yet_is_told() {
    let repository = Repository::with(&[(
        "slow",
        "{on: {push: {}}, jobs: {a: {process: true, silence: 5m, steps: ['true']}}}",
    )]);
    let (code, told, _) = run(&repository, &["lint"]);
    assert_eq!(code, 0);
    assert!(told.starts_with("note: .branchline/slow.yaml: the job `a`: "), "{told}");
}
