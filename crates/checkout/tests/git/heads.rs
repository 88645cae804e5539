//! Where refs point, of local repositories and of servers in all their moods.

use std::time::{Duration, Instant};

use crate::fixture::{Manners, Repository, Server, certificate, git, git_with_input, network};
use branchline_checkout::{CheckoutError, Credentials, Heads, Network, Source, heads};
use branchline_model::CommitId;

fn names(heads: &Heads) -> Vec<(String, String)> {
    heads.refs.iter().map(|(name, commit)| (name.to_string(), commit.to_string())).collect()
}

/// What git itself says, peeled, commits only.
fn by_git(repository: &Repository) -> Vec<(String, String)> {
    let format = "--format=%(refname) %(objecttype) %(objectname) %(*objecttype) %(*objectname)";
    git(&repository.path, &["for-each-ref", format, "refs/heads", "refs/tags"])
        .lines()
        .filter_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let id = match words[1] {
                "commit" => words[2],
                _ if words.get(3) == Some(&"commit") => words[4],
                _ => return None,
            };
            Some((words[0].to_owned(), id.to_owned()))
        })
        .collect()
}

fn both(repository: &Repository) -> (Heads, Heads, Server) {
    let server = Server::start(repository.path.parent().unwrap(), Manners::default());
    let name = repository.path.file_name().unwrap().to_str().unwrap();
    let local = heads(&repository.source(), &network()).unwrap();
    let remote = heads(&server.source(&format!("{name}/.git")), &network()).unwrap();
    (local, remote, server)
}

#[test]
fn branches_and_tags_are_listed_loose_and_packed_alike() {
    let folder = tempfile::tempdir().unwrap();
    let repository = Repository::sample(&folder.path().join("app"));
    git(&repository.path, &["branch", "release/1"]);
    git(&repository.path, &["tag", "light"]);
    git(&repository.path, &["tag", "-a", "-m", "annotated", "v1"]);
    git(&repository.path, &["tag", "-a", "-m", "of a tag", "v1-again", "v1"]);
    for is_packed in [false, true] {
        if is_packed {
            git(&repository.path, &["pack-refs", "--all"]);
            // One more on top, loose.
            repository.commit("Next");
            git(&repository.path, &["tag", "-a", "-m", "two", "v2"]);
        }
        let (local, remote, _server) = both(&repository);
        assert_eq!(names(&local), by_git(&repository));
        assert_eq!(local, remote);
        assert_eq!(local.default_branch.as_deref(), Some("main"));
    }
}

#[test]
fn a_tag_that_points_to_no_commit_is_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let repository = Repository::sample(&folder.path().join("app"));
    git(&repository.path, &["tag", "tree", "HEAD^{tree}"]);
    git(&repository.path, &["tag", "-a", "-m", "a key", "key", "HEAD:src/main.rs"]);
    let found = heads(&repository.source(), &network()).unwrap();
    assert_eq!(names(&found), [("refs/heads/main".to_owned(), repository.head().to_string())]);
    git(&repository.path, &["pack-refs", "--all"]);
    assert_eq!(heads(&repository.source(), &network()).unwrap(), found);
}

#[test]
fn an_empty_repository_has_no_heads_but_a_default_branch() {
    let folder = tempfile::tempdir().unwrap();
    let repository = Repository::empty(&folder.path().join("app"));
    let (local, remote, _server) = both(&repository);
    assert_eq!(local, Heads { refs: vec![], default_branch: Some("main".to_owned()), head: None });
    assert_eq!(remote, local);
}

#[test]
fn an_unborn_head_beside_other_branches_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let repository = Repository::sample(&folder.path().join("app"));
    git(&repository.path, &["checkout", "-q", "--orphan", "fresh"]);
    let (local, remote, _server) = both(&repository);
    assert_eq!(local.default_branch.as_deref(), Some("fresh"));
    assert_eq!(local.refs.len(), 1);
    assert_eq!(remote, local);
}

#[test]
fn a_detached_head_is_no_default_branch() {
    let folder = tempfile::tempdir().unwrap();
    let repository = Repository::sample(&folder.path().join("app"));
    git(&repository.path, &["checkout", "-q", "--detach"]);
    let (local, remote, _server) = both(&repository);
    assert_eq!(local.default_branch, None);
    assert_eq!(remote, local);
}

#[test]
fn five_thousand_refs_are_listed_and_a_broken_one_hides_none() {
    let folder = tempfile::tempdir().unwrap();
    let repository = Repository::sample(&folder.path().join("app"));
    let head = repository.head();
    let updates: String = (0..5000).map(|n| format!("create refs/heads/b/{n} {head}\n")).collect();
    git_with_input(&repository.path, &["update-ref", "--stdin"], updates.as_bytes());
    git(&repository.path, &["pack-refs", "--all"]);
    let (local, remote, _server) = both(&repository);
    assert_eq!(local.refs.len(), 5001);
    assert_eq!(local, remote);
    assert!(local.refs.is_sorted());
    std::fs::write(repository.path.join(".git/refs/heads/torn"), "0123").unwrap();
    assert_eq!(heads(&repository.source(), &network()).unwrap(), local);
}

#[test]
fn a_linked_work_tree_has_its_own_head_and_all_branches() {
    let folder = tempfile::tempdir().unwrap();
    let repository = Repository::sample(&folder.path().join("app"));
    let linked = folder.path().join("linked");
    git(&repository.path, &["worktree", "add", "-q", "-b", "side", linked.to_str().unwrap()]);
    let found = heads(&Source::local(&linked).unwrap(), &network()).unwrap();
    assert_eq!(found.default_branch.as_deref(), Some("side"));
    assert_eq!(names(&found), by_git(&repository));
}

#[test]
fn a_server_that_speaks_an_old_protocol_is_understood() {
    let folder = tempfile::tempdir().unwrap();
    let repository = Repository::sample(&folder.path().join("app"));
    git(&repository.path, &["tag", "-a", "-m", "one", "v1"]);
    let server = Server::start(folder.path(), Manners { is_old: true, ..Manners::default() });
    let found = heads(&server.source("app/.git"), &network()).unwrap();
    assert_eq!(found, heads(&repository.source(), &network()).unwrap());
}

#[test]
fn a_repository_that_is_not_there_is_not_found() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), Manners::default());
    let error = heads(&server.source("nothing.git"), &network()).unwrap_err();
    assert!(matches!(error, CheckoutError::NotFound { .. }), "{error}");
    assert!(!error.is_transient());
}

#[test]
fn a_server_in_trouble_is_unreachable_for_now() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), Manners { status: Some("503 Busy"), ..Manners::default() });
    let error = heads(&server.source("app.git"), &network()).unwrap_err();
    assert!(error.is_transient(), "{error:?}");
    server.behave(Manners { status: Some("403 Forbidden"), ..Manners::default() });
    let error = heads(&server.source("app.git"), &network()).unwrap_err();
    assert!(matches!(error, CheckoutError::Unauthenticated { .. }), "{error:?}");
    server.behave(Manners { status: Some("200 OK"), ..Manners::default() });
    let error = heads(&server.source("app.git"), &network()).unwrap_err();
    assert!(matches!(error, CheckoutError::NotARepository { .. }), "{error:?}");
}

#[test]
fn nobody_at_the_port_is_unreachable_for_now() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let source = Source::parse(&format!("http://127.0.0.1:{port}/app")).unwrap();
    let error = heads(&source, &network()).unwrap_err();
    assert!(error.is_transient(), "{error:?}");
}

#[test]
fn a_server_that_never_answers_is_given_up_in_time() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), Manners { is_silent: true, ..Manners::default() });
    let network = Network { idle_timeout: Duration::from_millis(300), ..network() };
    let begun = Instant::now();
    let error = heads(&server.source("app.git"), &network).unwrap_err();
    assert!(error.is_transient(), "{error:?}");
    assert!(begun.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_private_repository_opens_to_the_right_token_over_tls_only() {
    let folder = tempfile::tempdir().unwrap();
    let repository = Repository::sample(&folder.path().join("app"));
    let (authority, tls) = certificate(folder.path());
    let login = Some(("x-access-token".to_owned(), "s3cret".to_owned()));
    let server =
        Server::start(folder.path(), Manners { tls: Some(tls), login: login.clone(), ..Manners::default() });
    let source = server.source("app/.git");
    let error = heads(&source, &network()).unwrap_err();
    assert!(matches!(error, CheckoutError::Unreachable { transient: false, .. }), "{error:?}");

    let network = Network { certificate_authority: Some(authority), ..network() };
    let error = heads(&source, &network).unwrap_err();
    assert!(matches!(error, CheckoutError::Unauthenticated { .. }), "{error:?}");
    assert!(error.to_string().contains("there are none"), "{error}");

    let wrong = source.clone().with_credentials(Credentials::from_secret("wr0ng")).unwrap();
    let error = heads(&wrong, &network).unwrap_err();
    assert!(matches!(error, CheckoutError::Unauthenticated { .. }), "{error:?}");
    assert!(!format!("{error} {error:?} {wrong} {wrong:?}").contains("wr0ng"));

    let right = source.clone().with_credentials(Credentials::from_secret("s3cret")).unwrap();
    assert_eq!(heads(&right, &network).unwrap().refs.len(), 1);
    let in_url = server.url("app/.git").replace("://", "://x-access-token:s3cret@");
    assert_eq!(heads(&Source::parse(&in_url).unwrap(), &network).unwrap().refs.len(), 1);

    let plain = Server::start(folder.path(), Manners { login, ..Manners::default() });
    let error = heads(&plain.source("app/.git"), &network).unwrap_err();
    assert!(matches!(error, CheckoutError::Unauthenticated { .. }), "{error:?}");
    drop(repository);
}

#[test]
fn a_local_repository_that_vanishes_is_not_found() {
    let folder = tempfile::tempdir().unwrap();
    let repository = Repository::sample(&folder.path().join("app"));
    let source = repository.source();
    std::fs::remove_dir_all(&repository.path).unwrap();
    let error = heads(&source, &network()).unwrap_err();
    assert!(matches!(error, CheckoutError::NotFound { .. }), "{error:?}");
    let again = Repository::sample(&folder.path().join("app"));
    let head: CommitId = again.head();
    assert_eq!(heads(&source, &network()).unwrap().refs[0].1, head);
}
