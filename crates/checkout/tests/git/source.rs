//! What names a repository, how it is shown, and what is refused.

use crate::fixture::{Repository, git};
use branchline_checkout::{Credentials, Source, SourceError};

fn name(text: &str) -> String {
    Source::parse(text).unwrap().name()
}

#[test]
fn a_remote_is_named_without_scheme_user_and_ending() {
    for text in [
        "https://github.com/acme/app",
        "https://github.com/acme/app.git",
        "https://GitHub.com/acme/app.git/",
        "https://user:secret@github.com/acme/app.git",
        "ssh://git@github.com/acme/app.git",
        "git@github.com:acme/app.git",
        "github.com:acme/app",
    ] {
        assert_eq!(name(text), "github.com/acme/app", "{text}");
    }
    assert_eq!(name("ssh://git@example.org:2222/tools.git"), "example.org:2222/tools");
}

#[test]
fn no_password_is_ever_shown() {
    let source = Source::parse("https://ada:s3cret@example.org/app.git").unwrap();
    let with = source.clone().with_credentials(Credentials::from_secret("other:t0ken")).unwrap();
    let shown = format!("{source} {source:?} {} {with} {with:?}", source.name());
    assert!(!shown.contains("s3cret") && !shown.contains("t0ken"), "{shown}");
    assert_eq!(source.to_string(), "https://example.org/app.git");
    assert_eq!(format!("{:?}", Credentials::from_secret("t0ken")), "Credentials(…)");
}

#[test]
fn credentials_are_refused_over_plain_http() {
    for text in ["http://ada:s3cret@example.org/app", "http://t0ken@example.org/app"] {
        let error = Source::parse(text).unwrap_err();
        assert!(matches!(error, SourceError::PlainCredentials { .. }), "{error:?}");
        assert!(!error.to_string().contains("s3cret") && !error.to_string().contains("t0ken"), "{error}");
    }
    let plain = Source::parse("http://example.org/app").unwrap();
    let error = plain.with_credentials(Credentials::from_secret("t0ken")).unwrap_err();
    assert!(matches!(error, SourceError::PlainCredentials { .. }));
}

#[test]
fn what_is_no_address_of_ours_is_refused_with_the_reason() {
    for (text, expected) in [
        ("ftp://example.org/app", "git over `ftp` is not supported"),
        ("git://example.org/app", "git over `git` is not supported"),
        ("ext::sh -c touch% /tmp/x", "git over `ext` is not supported"),
        ("https://", "not a repository's URL"),
        ("https://example.org", "names no repository"),
        ("https://example.org/", "names no repository"),
        ("https://example.org/app?x=1", "a query"),
        ("https://example.org/a b", "blanks"),
        ("ssh://-oProxyCommand=x/app", "begins with `-`"),
        ("-oProxyCommand=x:app", "begins with `-`"),
        ("ssh://git:secret@example.org/app", "takes no password"),
        ("file://app", "an absolute path is expected"),
        ("", "it is empty"),
        ("nowhere/at/all", "does not exist"),
        ("a\0b", ""),
    ] {
        let error = Source::parse(text).unwrap_err().to_string();
        assert!(error.contains(expected), "{text}: {error}");
        assert!(!error.contains("secret"), "{error}");
    }
}

#[test]
fn a_local_path_is_a_work_tree_a_bare_repository_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap();
    let repository = Repository::sample(&root.join("app"));
    git(&root, &["clone", "-q", "--bare", "app", "bare.git"]);
    let path = repository.path.to_str().unwrap();
    let source = Source::parse(path).unwrap();
    assert!(source.is_local());
    assert_eq!(source.name(), path);
    assert_eq!(source.git_dir(), Some(repository.path.join(".git").as_path()));
    assert_eq!(Source::parse(&format!("file://{path}")).unwrap(), source);
    assert_eq!(Source::parse(&format!("{path}/src/..")).unwrap(), source);
    let bare = Source::local(&root.join("bare.git")).unwrap();
    assert_eq!(
        (bare.name(), bare.git_dir()),
        (root.join("bare.git").display().to_string(), Some(root.join("bare.git").as_path()))
    );
    let inside = Source::local(&repository.path.join("src")).unwrap_err();
    assert!(inside.to_string().contains(&format!("did you mean `{path}`?")), "{inside}");
    std::fs::create_dir(root.join("empty")).unwrap();
    let empty = Source::local(&root.join("empty")).unwrap_err();
    assert!(matches!(empty, SourceError::NotARepository { .. }), "{empty}");
}
