//! The attempt directory itself: its names, its modes, its end.

mod support;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use branchline_model::{AttemptEnd, WorkerId};
use branchline_supervisor::{AttemptDirectory, Claimed, DirectoryError, Place, remove};
use nix::unistd::{Uid, setfsuid};
use support::{TestAttempt, attempt_id, definition, step};

#[test]
fn nobody_else_can_look_into_an_attempt() {
    let attempt = TestAttempt::started(&definition(vec![step("true")]));
    assert_eq!(attempt.end(), AttemptEnd::Passed);
    let mode =
        |name: &str| fs::metadata(attempt.directory.path().join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("."), 0o700);
    for name in
        ["definition.json", "log", "times", "state", "lock", "bell", "orders", "output", "summary", "errors"]
    {
        assert_eq!(mode(name), 0o600, "{name}");
    }
    assert_eq!(mode("steps/000.sh"), 0o700);
}

#[test]
fn a_directorys_name_says_whose_it_is() {
    let root = tempfile::tempdir().unwrap();
    let directory = AttemptDirectory::named(&root.path().join("app-1f3c9a2e04.12.3.1")).unwrap();
    assert_eq!(directory.attempt(), &attempt_id());
    for name in ["other", "app-1f3c9a2e04.12.3", "..", "app-1f3c9a2e04.12.3.0"] {
        let error = AttemptDirectory::named(&root.path().join(name)).unwrap_err();
        assert!(matches!(error, DirectoryError::Foreign { .. }), "{name}: {error}");
    }
}

#[test]
fn what_is_no_attempt_is_not_listed() {
    let attempt = TestAttempt::filled(&definition(vec![]));
    fs::create_dir(attempt.root.path().join("other")).unwrap();
    fs::write(attempt.root.path().join("app-1f3c9a2e04.12.3.2"), "").unwrap();
    symlink("/", attempt.root.path().join("app-1f3c9a2e04.12.3.3")).unwrap();
    assert_eq!(AttemptDirectory::all(attempt.root.path()).unwrap(), std::slice::from_ref(&attempt.directory));
}

#[test]
fn names_that_are_long_or_odd_are_fine() {
    let root = tempfile::tempdir().unwrap();
    let deep = root.path().join("a b'c\"d$e\nf").join("x".repeat(250)).join("y".repeat(250));
    fs::create_dir_all(&deep).unwrap();
    let attempt =
        TestAttempt::filled_in(tempfile::tempdir_in(deep).unwrap(), &definition(vec![step("cat \"$0\"")]));
    attempt.start();
    assert_eq!(attempt.end(), AttemptEnd::Passed);
    assert_eq!(attempt.text(), "cat \"$0\"\n");
}

#[test]
fn a_definition_of_a_later_format_is_refused() {
    let mut wanted = definition(vec![step("true")]);
    wanted.format = 2;
    let attempt = TestAttempt::filled(&wanted);
    let error = attempt.directory.definition().unwrap_err().to_string();
    assert!(error.contains("format is 2"), "{error}");
}

#[test]
fn an_existing_tree_is_worked_in_and_left_alone() {
    let root = tempfile::tempdir().unwrap();
    let tree = tempfile::tempdir().unwrap();
    let Claimed::Made(directory) = AttemptDirectory::claim(root.path(), &attempt_id()).unwrap() else {
        panic!()
    };
    let wanted = definition(vec![step("echo made > here")]);
    let place = Place { worker: WorkerId::new("here"), in_place: Some(tree.path().to_owned()) };
    let held = directory.hold().unwrap().unwrap();
    held.fill(&wanted, &place).unwrap();
    fs::write(tree.path().join("kept"), "").unwrap();
    held.empty_workspace().unwrap();
    drop(held);
    let attempt = TestAttempt {
        root,
        directory,
        spawner: branchline_supervisor::Spawner::of(support::PROGRAM.into()),
        supervisors: Default::default(),
    };
    attempt.start();
    assert_eq!(attempt.end(), AttemptEnd::Passed);
    remove(attempt.directory.path()).unwrap();
    assert!(!attempt.directory.exists());
    assert_eq!(fs::read_to_string(tree.path().join("here")).unwrap(), "made\n");
    assert!(tree.path().join("kept").exists());
}

#[test]
fn what_steps_have_locked_up_is_removed_and_what_they_have_linked_to_is_not() {
    let root = tempfile::tempdir().unwrap();
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("kept"), "").unwrap();
    let top = root.path().join("top");
    fs::create_dir_all(top.join("a/b/c")).unwrap();
    fs::write(top.join("a/b/c/file"), "").unwrap();
    symlink(outside.path(), top.join("a/link")).unwrap();
    // Root may do everything: only as someone else is this a test.
    let nobody = Uid::from_raw(65534);
    if Uid::effective().is_root() {
        for path in ["", "a", "a/b", "a/b/c", "a/b/c/file"] {
            std::os::unix::fs::chown(top.join(path), Some(65534), None).unwrap();
        }
        fs::set_permissions(root.path(), fs::Permissions::from_mode(0o777)).unwrap();
        fs::set_permissions(outside.path(), fs::Permissions::from_mode(0o777)).unwrap();
    }
    for (path, mode) in [("a/b/c", 0o000), ("a/b", 0o500), ("a", 0o100)] {
        fs::set_permissions(top.join(path), fs::Permissions::from_mode(mode)).unwrap();
    }
    let removed = std::thread::spawn(move || {
        if Uid::effective().is_root() {
            setfsuid(nobody);
        }
        assert!(fs::remove_dir_all(&top).is_err(), "this would prove nothing");
        remove(&top).map(|()| top.exists())
    });
    assert!(!removed.join().unwrap().unwrap());
    assert!(outside.path().join("kept").exists());
    remove(&root.path().join("missing")).unwrap();
}
