//! Directories that are used again are as new ones.

mod support;

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::sync::mpsc::{self, TryRecvError};

use branchline_model::{AttemptEnd, AttemptId, WorkerId};
use branchline_supervisor::{AttemptDirectory, Claimed, Cleared, Place, Spares, Spawner, StopOrder};
use support::{PROGRAM, TestAttempt, attempt_id, definition, step, until_true};

fn next() -> AttemptId {
    AttemptId { number: 2, ..attempt_id() }
}

fn ended(run: &str) -> TestAttempt {
    let attempt = TestAttempt::started(&definition(vec![step(run)]));
    assert_eq!(attempt.end(), AttemptEnd::Passed);
    until_true("its supervisor has let go of it", || !attempt.directory.is_held().is_ok_and(|held| held));
    attempt
}

#[test]
fn a_directory_that_is_used_again_knows_nothing_of_before() {
    let attempt = ended("echo before; echo x=y >> $BRANCHLINE_OUTPUT; echo said > $BRANCHLINE_SUMMARY");
    let spares = Spares::new(attempt.root.path(), 4).unwrap();
    let inode = fs::metadata(attempt.directory.path()).unwrap().ino();
    assert_eq!(spares.clear_away(&attempt.directory).unwrap(), Cleared::Spare);
    assert!(!attempt.directory.exists());

    let Claimed::Made(directory) = spares.claim(attempt.root.path(), &next()).unwrap() else { panic!() };
    assert_eq!(fs::metadata(directory.path()).unwrap().ino(), inode);
    assert!(!directory.is_filled() && directory.observed().unwrap().began_at.is_none());
    assert!(directory.ordered_stop().unwrap().is_none());
    for name in ["log", "times", "state", "output", "summary", "steps/000.sh"] {
        assert_eq!(fs::metadata(directory.path().join(name)).unwrap().len(), 0, "{name}");
    }
    let wanted = definition(vec![step("echo after; cat $BRANCHLINE_OUTPUT $BRANCHLINE_SUMMARY")]);
    let place = Place { worker: WorkerId::new("here"), in_place: None };
    directory.hold().unwrap().unwrap().fill(&wanted, &place).unwrap();
    let again = TestAttempt {
        root: tempfile::tempdir().unwrap(),
        directory,
        spawner: Spawner::of(PROGRAM.into()),
        supervisors: Default::default(),
    };
    again.start();
    assert_eq!(again.end(), AttemptEnd::Passed);
    assert_eq!(again.text(), "after\n");
    assert!(again.whole_log().starts_with(b"[branchline] run app-1f3c9a2e04/12/3, attempt 2"));
}

#[test]
fn of_claims_with_spares_one_succeeds() {
    let attempt = ended("true");
    let spares = Spares::new(attempt.root.path(), 4).unwrap();
    assert_eq!(spares.clear_away(&attempt.directory).unwrap(), Cleared::Spare);
    let (root, id) = (attempt.root.path(), next());
    let made = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| spares.claim(root, &id).unwrap())).collect();
        let claims = threads.into_iter().map(|thread| thread.join().unwrap());
        claims.filter(|claimed| matches!(claimed, Claimed::Made(_))).count()
    });
    assert_eq!(made, 1);
}

#[test]
fn what_holds_anything_unusual_is_not_used_again() {
    for run in [
        "echo > left",
        "cd ..; ln output \"$OLDPWD/../../elsewhere\"",
        "cd ..; rm summary; ln -s /etc/passwd summary",
        "cd ..; chmod 644 output",
        "cd ..; rm bell; echo > bell",
        "cd ..; mkdir more",
        "cd ..; echo > steps/more",
        "cd ..; rmdir workspace; ln -s / workspace",
    ] {
        let attempt = ended(run);
        let spares = Spares::new(attempt.root.path(), 4).unwrap();
        assert_eq!(spares.clear_away(&attempt.directory).unwrap(), Cleared::Removed, "{run}");
        assert!(!attempt.directory.exists(), "{run}");
        let mut folders = fs::read_dir(attempt.root.path()).unwrap().map(|entry| entry.unwrap().path());
        let folder = folders.find(|path| path.to_string_lossy().contains("/.spare.")).unwrap();
        assert_eq!(fs::read_dir(folder).unwrap().count(), 1, "its lock, and nothing of {run}");
    }
}

#[test]
fn what_someone_holds_is_not_used_again() {
    let attempt = TestAttempt::started(&definition(vec![step("until [ -e go ]; do sleep 0.01; done")]));
    let spares = Spares::new(attempt.root.path(), 4).unwrap();
    until_true("it is held", || attempt.directory.is_held().is_ok_and(|held| held));
    assert_eq!(spares.clear_away(&attempt.directory).unwrap(), Cleared::InUse);
    assert!(attempt.directory.exists());
    fs::write(attempt.file("go"), "").unwrap();
    assert_eq!(attempt.end(), AttemptEnd::Passed);
}

#[test]
fn an_order_to_stop_that_comes_too_late_reaches_nobody_and_is_in_nobodys_way() {
    let root = tempfile::tempdir().unwrap();
    let spares = Spares::new(root.path(), 4).unwrap();
    let (wanted, place) =
        (definition(vec![step("true")]), Place { worker: WorkerId::new("here"), in_place: None });
    let (cleared_now, clearing) = mpsc::channel();
    let order = StopOrder { stop: None, at_once: false };
    let mut used_again = 0;
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let mut directory: AttemptDirectory = clearing.recv().unwrap();
            loop {
                directory.order_stop(&order).unwrap();
                match clearing.try_recv() {
                    Ok(next) => directory = next,
                    Err(TryRecvError::Empty) => {}
                    Err(TryRecvError::Disconnected) => break,
                }
            }
        });
        let cleared_now = cleared_now;
        for number in 1..=300 {
            // Claimed like this it is nobody's whom an order is meant for.
            let id = AttemptId { number, ..attempt_id() };
            let (Claimed::Made(directory) | Claimed::AlreadyThere(directory)) =
                spares.claim(root.path(), &id).unwrap();
            assert_eq!(directory.ordered_stop().unwrap(), None, "attempt {number}");
            let held = directory.hold().unwrap().unwrap();
            held.fill(&wanted, &place).unwrap();
            held.end(AttemptEnd::Passed).unwrap();
            drop(held);
            cleared_now.send(directory.clone()).unwrap();
            let cleared = spares.clear_away(&directory).unwrap();
            assert!(!directory.exists(), "attempt {number}: {cleared:?}");
            used_again += u32::from(cleared == Cleared::Spare);
        }
    });
    assert!(used_again > 0);
}

#[test]
fn spares_of_the_dead_are_removed_and_those_of_the_living_are_not() {
    let root = tempfile::tempdir().unwrap();
    let dead = root.path().join(".spare.1.0");
    fs::create_dir_all(dead.join("0")).unwrap();
    symlink("/", dead.join("0/link")).unwrap();
    let living = Spares::new(root.path(), 4).unwrap();
    assert!(!dead.exists());
    let other = Spares::new(root.path(), 4).unwrap();
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 2);
    drop((living, other));
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
    assert!(AttemptDirectory::all(root.path()).unwrap().is_empty());
}
