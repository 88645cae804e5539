//! A local repository's refs, watched.

use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use crate::fixture::{Repository, git, network};
use branchline_checkout::{Heads, RefWatch, Source, WatchError, heads};

fn watch(source: &Source) -> (RefWatch, Receiver<Instant>) {
    let (say, heard) = mpsc::channel();
    let watch = RefWatch::start(source, move || say.send(Instant::now()).unwrap_or_default()).unwrap();
    (watch, heard)
}

/// Waits for a word after which the refs are as expected.
fn comes_to(heard: &Receiver<Instant>, source: &Source, what: &str, holds: impl Fn(&Heads) -> bool) {
    let begun = Instant::now();
    loop {
        let left = Duration::from_secs(20).saturating_sub(begun.elapsed());
        heard.recv_timeout(left).unwrap_or_else(|_| panic!("no word came after: {what}"));
        if heads(source, &network()).is_ok_and(|heads| holds(&heads)) {
            return;
        }
    }
}

#[test]
fn every_way_to_move_a_ref_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let repository = Repository::sample(&folder.path().join("app"));
    let source = repository.source();
    let (_watch, heard) = watch(&source);
    let head = repository.commit("Next");
    comes_to(&heard, &source, "a commit", |heads| heads.refs[0].1 == head);
    git(&repository.path, &["branch", "feature/new/deep"]);
    comes_to(&heard, &source, "a branch in new folders", |heads| heads.refs.len() == 2);
    git(&repository.path, &["tag", "v1"]);
    comes_to(&heard, &source, "a tag", |heads| heads.refs.len() == 3);
    git(&repository.path, &["checkout", "-q", "feature/new/deep"]);
    comes_to(&heard, &source, "another branch", |heads| {
        heads.default_branch.as_deref() == Some("feature/new/deep")
    });
    let head = repository.commit("On the branch");
    comes_to(&heard, &source, "a commit in it", |heads| heads.refs[0].1 == head);
    git(&repository.path, &["pack-refs", "--all", "--prune"]);
    git(&repository.path, &["branch", "-D", "main"]);
    comes_to(&heard, &source, "a packed branch deleted", |heads| heads.refs.len() == 2);
}

#[test]
fn a_linked_work_trees_own_head_is_watched_too() {
    let folder = tempfile::tempdir().unwrap();
    let repository = Repository::sample(&folder.path().join("app"));
    let linked = folder.path().join("linked");
    git(&repository.path, &["worktree", "add", "-q", "-b", "side", linked.to_str().unwrap()]);
    let source = Source::local(&linked).unwrap();
    let (_watch, heard) = watch(&source);
    git(&linked, &["commit", "-q", "--allow-empty", "-m", "Side"]);
    let head = git(&linked, &["rev-parse", "HEAD"]);
    comes_to(&heard, &source, "a commit in it", |heads| {
        heads.refs.iter().any(|(_, commit)| commit.as_str() == head)
    });
    git(&linked, &["checkout", "-q", "-b", "third"]);
    comes_to(&heard, &source, "its HEAD", |heads| heads.default_branch.as_deref() == Some("third"));
}

#[test]
fn a_repository_that_vanishes_is_watched_again_when_it_is_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app");
    let repository = Repository::sample(&path);
    let source = repository.source();
    let (_watch, heard) = watch(&source);
    std::fs::remove_dir_all(&path).unwrap();
    heard.recv_timeout(Duration::from_secs(20)).expect("it is told that the folder went");
    let again = Repository::sample(&path);
    comes_to(&heard, &source, "its return", |heads| heads.refs.len() == 1);
    // Whatever is still to be said about the return is said before the next check is over.
    while heard.recv_timeout(Duration::from_millis(1500)).is_ok() {}
    let head = again.commit("After");
    comes_to(&heard, &source, "a commit after its return", |heads| heads.refs[0].1 == head);
}

#[test]
fn a_burst_is_answered_by_few_looks_and_the_last_state_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let repository = Repository::sample(&folder.path().join("app"));
    let source = repository.source();
    let (_watch, heard) = watch(&source);
    let head = repository.head();
    let updates: String = (0..500).map(|n| format!("create refs/heads/b{n} {head}\n")).collect();
    crate::fixture::git_with_input(&repository.path, &["update-ref", "--stdin"], updates.as_bytes());
    comes_to(&heard, &source, "500 branches", |heads| heads.refs.len() == 501);
}

#[test]
fn what_moves_no_ref_is_not_told() {
    let folder = tempfile::tempdir().unwrap();
    let repository = Repository::sample(&folder.path().join("app"));
    let source = repository.source();
    let (say, heard) = mpsc::channel();
    let seen = source.clone();
    let _watch = RefWatch::start(&source, move || {
        say.send(heads(&seen, &network()).unwrap().refs.len()).unwrap_or_default();
    })
    .unwrap();
    repository.write("new.txt", "new");
    git(&repository.path, &["add", "-A"]);
    git(&repository.path, &["status"]);
    git(&repository.path, &["hash-object", "-w", "new.txt"]);
    git(&repository.path, &["tag", "end"]);
    // A word about the index or the objects would have come before the tag was there to be seen.
    assert_eq!(heard.recv_timeout(Duration::from_secs(20)), Ok(2));
}

#[test]
fn a_moved_ref_is_noticed_within_milliseconds() {
    let folder = tempfile::tempdir().unwrap();
    let repository = Repository::sample(&folder.path().join("app"));
    let (_watch, heard) = watch(&repository.source());
    let (a, b) = (repository.head(), repository.commit("Next"));
    while heard.recv_timeout(Duration::from_millis(200)).is_ok() {}
    let mut delays: Vec<Duration> = (0..100)
        .map(|n| {
            let draft = repository.path.join(".git/refs/heads/moved.lock");
            std::fs::write(&draft, format!("{}\n", if n % 2 == 0 { &a } else { &b })).unwrap();
            while heard.try_recv().is_ok() {}
            let begun = Instant::now();
            std::fs::rename(draft, repository.path.join(".git/refs/heads/moved")).unwrap();
            heard.recv_timeout(Duration::from_secs(20)).unwrap().saturating_duration_since(begun)
        })
        .collect();
    delays.sort();
    println!("median {:?}, p99 {:?}", delays[50], delays[98]);
    assert!(delays[50] < Duration::from_millis(10), "median {:?}", delays[50]);
}

#[test]
fn a_remote_cannot_be_watched() {
    let source = Source::parse("https://example.org/app").unwrap();
    assert!(matches!(RefWatch::start(&source, || {}), Err(WatchError::NotLocal { .. })));
}
