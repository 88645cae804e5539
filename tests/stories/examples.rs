//! The sample repositories, and the demonstration.

use std::path::{Path, PathBuf};

use crate::support::{Controller, Repository, branchline, said};

pub fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name)
}

/// The example as a repository of its own.
pub fn as_repository(name: &str) -> Repository {
    let repository = Repository::empty();
    copy(&example(name), repository.path());
    repository.commit("First");
    repository
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn hello_says_hello_under_run_and_under_up() {
    let repository = as_repository("hello");
    let run = said(&branchline().args(["run", "hello"]).current_dir(repository.path()).output().unwrap());
    assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
    let controller = Controller::of(&[repository.path()]).start();
    assert_eq!(controller.ended(1)["status"], "passed");
}

#[test]
fn service_is_checked_tested_and_packaged_and_released_on_a_tag() {
    let repository = as_repository("service");
    let run = said(&branchline().args(["run", "ci"]).current_dir(repository.path()).output().unwrap());
    assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
    repository.git(&["clean", "-dfqx"]);
    let controller = Controller::of(&[repository.path()]).start();
    let build = controller.ended(1);
    assert_eq!(build["status"], "passed", "{build}");
    let version = std::fs::read_to_string(repository.path().join("VERSION")).unwrap();
    repository.git(&["tag", &format!("v{}", version.trim())]);
    let build = controller.ended(2);
    assert_eq!((&build["pipeline"], &build["status"]), (&"release".into(), &"passed".into()), "{build}");
}

#[test]
fn the_demonstration_shows_what_it_promises() {
    let demo = said(&branchline().arg("demo").output().unwrap());
    assert_eq!(demo.code, Some(0), "{}{}", demo.stdout, demo.stderr);
    assert!(demo.stderr.contains("http://127.0.0.1:"), "{}", demo.stderr);
    for words in
        ["passed", "failed", "invalid", "skipped", "step `Integration tests` failed with exit code 3"]
    {
        assert!(demo.stdout.contains(words), "{words}: {}", demo.stdout);
    }
    // Each change is told once.
    assert_eq!(demo.stderr.matches("failed test").count(), 1, "{}", demo.stderr);
}

#[test]
fn the_projects_own_pipeline_is_a_good_one() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read(root.join(".branchline/ci.yaml")).unwrap();
    let parsed = branchline_jobs_schema::parse_pipeline(".branchline/ci.yaml", &text);
    if let Err(diagnostics) = parsed {
        panic!("{diagnostics}");
    }
}
