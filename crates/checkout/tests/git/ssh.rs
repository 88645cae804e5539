//! Repositories over ssh. The far end is real, `git upload-pack`; the way there is a script in ssh's place, which
//! takes ssh's arguments and runs the command here. Where no far end is needed, ssh itself is run.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use branchline_checkout::{Cache, CheckoutError, Network, Source, heads};

use crate::fixture::{Repository, network};

fn ssh(folder: &Path, body: &str) -> Network {
    let script = folder.join("ssh");
    let skip = "while :; do case \"$1\" in -o|-p) shift 2;; -*) shift;; *) break;; esac; done\nshift\n";
    std::fs::write(&script, format!("#!/bin/sh\n{skip}{body}\n")).unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    Network { ssh_command: Some(script.into()), ..network() }
}

#[test]
fn refs_and_specs_come_over_ssh_in_both_protocols() {
    let folder = tempfile::tempdir().unwrap();
    let repository = Repository::sample(&folder.path().join("app"));
    let path = repository.path.display();
    let expected = heads(&repository.source(), &network()).unwrap();
    // An sshd that does not accept GIT_PROTOCOL leaves the server with the old one.
    for (at, body) in ["exec sh -c \"$*\"", "unset GIT_PROTOCOL; exec sh -c \"$*\""].into_iter().enumerate() {
        let network = ssh(folder.path(), body);
        for url in [format!("ssh://git@example.org{path}"), format!("git@example.org:{path}")] {
            let source = Source::parse(&url).unwrap();
            assert_eq!(heads(&source, &network).unwrap(), expected, "{url}");
            let cache = Cache::open(folder.path().join(format!("cache-{at}")), network.clone()).unwrap();
            let found = cache.files_at(&source, &repository.head(), None, ".branchline", &[".yaml"]).unwrap();
            assert_eq!(found.files.len(), 1);
        }
    }
}

#[test]
fn a_far_end_without_the_repository_is_unreachable_and_the_error_says_where_to_look() {
    let folder = tempfile::tempdir().unwrap();
    let network = ssh(folder.path(), "exec sh -c \"$*\"");
    let source = Source::parse("ssh://git@example.org/nowhere/at/all").unwrap();
    let error = heads(&source, &network).unwrap_err();
    assert!(matches!(error, CheckoutError::Unreachable { .. }), "{error:?}");
    assert!(error.to_string().contains("is on this process's error output"), "{error}");
}

#[test]
fn a_refused_key_is_unauthenticated() {
    let folder = tempfile::tempdir().unwrap();
    let network = ssh(folder.path(), "echo 'git@example.org: Permission denied (publickey).' >&2; exit 255");
    let source = Source::parse("git@example.org:app").unwrap();
    let error = heads(&source, &network).unwrap_err();
    assert!(matches!(error, CheckoutError::Unauthenticated { .. }), "{error:?}");
}

#[test]
fn no_ssh_at_all_is_a_clear_error() {
    let network = Network { ssh_command: Some("/nowhere/ssh".into()), ..network() };
    let error = heads(&Source::parse("git@example.org:app").unwrap(), &network).unwrap_err();
    assert!(error.to_string().contains("/nowhere/ssh"), "{error}");
}

#[test]
fn nobody_at_the_ssh_port_is_unreachable() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let source = Source::parse(&format!("ssh://git@127.0.0.1:{port}/app")).unwrap();
    let error = heads(&source, &network()).unwrap_err();
    assert!(error.is_transient(), "{error:?}");
}
