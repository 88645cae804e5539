//! Which files a commit changed, and the ids of files: from a local repository and over http.

use std::collections::BTreeSet;

use branchline_checkout::{Cache, CheckoutError, LONGEST_MESSAGE, Source};
use branchline_model::{Against, Changed, CommitId};

use crate::fixture::{Manners, Repository, Server, cache, git};

fn paths(changed: Changed) -> Vec<String> {
    match changed {
        Changed::Paths { paths } => paths.into_iter().collect(),
        Changed::Everything { why } => panic!("everything: {why}"),
    }
}

fn why(changed: Changed) -> String {
    match changed {
        Changed::Paths { paths } => panic!("{paths:?}"),
        Changed::Everything { why } => why,
    }
}

/// The repository itself, and the same behind a server.
fn both(repository: &Repository, server: &Server) -> [Source; 2] {
    [repository.source(), server.source("app/.git")]
}

#[test]
fn files_made_removed_changed_and_made_executable_are_found_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let repository = Repository::sample(&folder.path().join("app"));
    for path in ["same/deep/file", "gone/a", "gone/b/c", "run.sh", "turns", "back/inner"] {
        repository.write(path, path);
    }
    let before = repository.commit("Before");
    std::fs::remove_dir_all(repository.path.join("gone")).unwrap();
    std::fs::remove_file(repository.path.join("turns")).unwrap();
    std::fs::remove_dir_all(repository.path.join("back")).unwrap();
    repository.write("turns/into/a/folder", "x");
    repository.write("back", "a file");
    repository.write("src/main.rs", "fn main() { }\n");
    repository.write("src/new.rs", "");
    git(&repository.path, &["update-index", "--chmod=+x", "run.sh"]);
    git(&repository.path, &["add", "-A"]);
    git(&repository.path, &["update-index", "--chmod=+x", "run.sh"]);
    git(&repository.path, &["commit", "-q", "-m", "After"]);
    let server = Server::start(folder.path(), Manners::default());
    for source in both(&repository, &server) {
        let cache = cache(folder.path());
        let against = Against::Commit(before.clone());
        let changed = cache.changed_at(&source, &repository.head(), &against, None).unwrap();
        assert_eq!(
            paths(changed),
            [
                "back",
                "back/inner",
                "gone/a",
                "gone/b/c",
                "run.sh",
                "src/main.rs",
                "src/new.rs",
                "turns",
                "turns/into/a/folder"
            ]
        );
        let same = Against::Commit(repository.head());
        let changed = cache.changed_at(&source, &repository.head(), &same, None).unwrap();
        assert_eq!(changed, Changed::Paths { paths: BTreeSet::new() });
    }
}

#[test]
fn a_merge_is_compared_with_what_it_was_merged_into() {
    let folder = tempfile::tempdir().unwrap();
    let repository = Repository::sample(&folder.path().join("app"));
    git(&repository.path, &["checkout", "-q", "-b", "topic"]);
    repository.write("topic.txt", "x");
    repository.commit("Topic");
    git(&repository.path, &["checkout", "-q", "main"]);
    repository.write("main.txt", "x");
    repository.commit("Main");
    git(&repository.path, &["merge", "-q", "--no-ff", "-m", "Merge", "topic"]);
    let server = Server::start(folder.path(), Manners::default());
    for source in both(&repository, &server) {
        let cache = cache(folder.path());
        let changed = cache.changed_at(&source, &repository.head(), &Against::FirstParent, None).unwrap();
        assert_eq!(paths(changed), ["topic.txt"]);
    }
}

#[test]
fn where_there_is_nothing_to_compare_with_everything_counts_as_changed() {
    let folder = tempfile::tempdir().unwrap();
    let repository = Repository::sample(&folder.path().join("app"));
    let server = Server::start(folder.path(), Manners::default());
    let gone: CommitId = "0123456789012345678901234567890123456789".parse().unwrap();
    for source in both(&repository, &server) {
        let cache = cache(folder.path());
        let changed = |against| cache.changed_at(&source, &repository.head(), &against, None).unwrap();
        assert!(why(changed(Against::FirstParent)).ends_with("is a first commit"));
        assert_eq!(
            why(changed(Against::Commit(gone.clone()))),
            "0123456789, which it would be compared with, is not there any more"
        );
        let error = cache.changed_at(&source, &gone, &Against::FirstParent, None).unwrap_err();
        assert!(matches!(error, CheckoutError::NoSuchCommit { .. }), "{error:?}");
    }
}

#[test]
fn comparing_fetches_no_file_and_what_was_fetched_once_is_not_asked_for_again() {
    let folder = tempfile::tempdir().unwrap();
    let repository = Repository::sample(&folder.path().join("app"));
    git(&repository.path, &["config", "uploadpack.allowFilter", "true"]);
    let before = repository.head();
    let mut noise: u32 = 1;
    let large: Vec<u8> = std::iter::repeat_with(|| {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (noise >> 24) as u8
    })
    .take(400_000)
    .collect();
    repository.write("large.bin", large);
    let after = repository.commit("Large");
    let server = Server::start(folder.path(), Manners::default());
    let source = server.source("app/.git");
    let cache = cache(folder.path());
    let look = |cache: &Cache| {
        paths(cache.changed_at(&source, &after, &Against::Commit(before.clone()), None).unwrap())
    };
    assert_eq!(look(&cache), ["large.bin"]);
    assert!(server.sent() < 60_000, "{} bytes were sent", server.sent());
    let requests = server.requests();
    assert_eq!(look(&cache), ["large.bin"]);
    assert_eq!(server.requests(), requests);
}

#[test]
fn the_ids_of_files_and_folders_are_those_of_git() {
    let folder = tempfile::tempdir().unwrap();
    let repository = Repository::sample(&folder.path().join("app"));
    let server = Server::start(folder.path(), Manners::default());
    let asked = ["src/main.rs", "src", "nothing", "src/main.rs/below"].map(str::to_owned);
    for source in both(&repository, &server) {
        let ids = cache(folder.path()).objects_at(&source, &repository.head(), &asked, None).unwrap();
        let of = |what: &str| Some(git(&repository.path, &["rev-parse", &format!("HEAD:{what}")]));
        assert_eq!(ids["src/main.rs"], of("src/main.rs"));
        assert_eq!(ids["src"], of("src"));
        assert_eq!(ids["nothing"], None);
        assert_eq!(ids["src/main.rs/below"], None);
    }
}

#[test]
fn a_message_is_had_whole_and_a_very_long_one_is_cut_between_letters() {
    let folder = tempfile::tempdir().unwrap();
    let repository = Repository::sample(&folder.path().join("app"));
    let cache = cache(folder.path());
    let message = |id: &CommitId| cache.commit_info(&repository.source(), id, None).unwrap().message;
    let two = repository.commit("Say\n\nwhy [skip ci]\n");
    assert_eq!(message(&two), "Say\n\nwhy [skip ci]");
    let long = repository.commit(&format!("x{}", "ü".repeat(LONGEST_MESSAGE)));
    assert_eq!(message(&long).len(), LONGEST_MESSAGE - 1);
}
