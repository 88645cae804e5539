//! Work trees, compared with what `git checkout` writes, and what must never be written.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::sync::atomic::AtomicBool;

use crate::fixture::{Manners, Repository, Server, cache, git};
use branchline_checkout::{Cache, CheckoutError, Source, WorktreeRequest, Written};
use branchline_model::CommitId;

fn write(
    cache: &Cache,
    source: &Source,
    commit: &CommitId,
    depth: u32,
    submodules: bool,
    into: &Path,
) -> Result<Written, CheckoutError> {
    let request =
        WorktreeRequest { source, commit, ref_name: None, depth: NonZeroU32::new(depth), submodules, into };
    cache.write_worktree(&request, &AtomicBool::new(false), &mut |_| {})
}

/// Every path below a folder but git's own, with what it is.
fn everything(root: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.file_name().unwrap() == ".git" {
                continue;
            }
            let metadata = path.symlink_metadata().unwrap();
            let what = if metadata.is_symlink() {
                format!("link to {:?}", std::fs::read_link(&path).unwrap())
            } else if metadata.is_dir() {
                folders.push(path.clone());
                "folder".to_owned()
            } else {
                let is_executable = metadata.permissions().mode() & 0o100 != 0;
                format!("executable {is_executable}: {}", std::fs::read(&path).unwrap().escape_ascii())
            };
            found.insert(
                path.strip_prefix(root).unwrap().as_os_str().as_bytes().escape_ascii().to_string(),
                what,
            );
        }
    }
    found
}

/// A repository with all that makes a checkout hard.
fn odd(root: &Path) -> Repository {
    let library = Repository::sample(&root.join("library"));
    let repository = Repository::empty(&root.join("app"));
    repository.write("with space.txt", "a b");
    repository.write("grüße/ñandú ☃.txt", "utf-8");
    repository.write("new\nline.txt", "odd");
    repository.write("\"quoted\"\\back.txt", "odd");
    repository.write(std::str::from_utf8(b"tab\there").unwrap(), "odd");
    repository.write("run.sh", "#!/bin/sh\n");
    let script = repository.path.join("run.sh");
    std::fs::set_permissions(script, std::fs::Permissions::from_mode(0o755)).unwrap();
    repository.write("deep/er/and/deeper/file", [0_u8, 159, 146, 150, 10]);
    repository.write("empty", "");
    repository.write(".gitattributes", "*.crlf text eol=crlf\n*.bin filter=lfs -text\n");
    repository.write("lines.crlf", "one\ntwo\n");
    repository.write("pointer.bin", "version https://git-lfs.github.com/spec/v1\n");
    symlink("with space.txt", repository.path.join("link")).unwrap();
    symlink("../outside/nowhere", repository.path.join("deep/dangling")).unwrap();
    symlink("deep", repository.path.join("link-to-folder")).unwrap();
    git(&repository.path, &["submodule", "--quiet", "add", "../library", "vendor/library"]);
    repository.commit("Odd");
    drop(library);
    repository
}

#[test]
fn a_work_tree_is_what_git_checkout_writes_and_clean() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap();
    let repository = odd(&root);
    let head = repository.head();
    git(&root, &["clone", "-q", "--recurse-submodules", "app", "by-git"]);
    git(&root, &["clone", "-q", "app", "by-git-flat"]);
    let server = Server::start(&root, Manners::default());
    let cache = cache(&root);
    for (at, source) in [repository.source(), server.source("app/.git")].into_iter().enumerate() {
        let flat = root.join(format!("flat-{at}"));
        let written = write(&cache, &source, &head, 1, false, &flat).unwrap();
        assert_eq!(written.submodules, 0);
        assert_eq!(everything(&flat), everything(&root.join("by-git-flat")), "{source}");
        assert_eq!(git(&flat, &["status", "--porcelain"]), "", "{source}");
        assert_eq!(git(&flat, &["rev-parse", "HEAD"]), head.to_string());
        assert_eq!(git(&flat, &["rev-parse", "--abbrev-ref", "HEAD"]), "HEAD");
        assert_eq!(git(&flat, &["config", "remote.origin.url"]), source.to_string());
        assert_eq!(git(&flat, &["log", "-1", "--format=%s"]), "Odd");
        git(&flat, &["fsck", "--connectivity-only"]);
    }
}

#[test]
fn submodules_are_written_from_relative_addresses_local_and_remote() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap();
    let repository = odd(&root);
    git(&root, &["clone", "-q", "--recurse-submodules", "app", "by-git"]);
    git(&root, &["clone", "-q", "--bare", "app", "served/app"]);
    git(&root, &["clone", "-q", "--bare", "library", "served/library"]);
    let server = Server::start(&root.join("served"), Manners::default());
    let cache = cache(&root);
    let bare = Source::local(&root.join("served/app")).unwrap();
    for (at, source) in [repository.source(), bare, server.source("app")].into_iter().enumerate() {
        let into = root.join(format!("deep-{at}"));
        let written = write(&cache, &source, &repository.head(), 1, true, &into).unwrap();
        assert_eq!(written.submodules, 1);
        assert_eq!(everything(&into), everything(&root.join("by-git")), "{source}");
        assert_eq!(git(&into, &["status", "--porcelain"]), "");
        // A blank in front: there, and at the commit that is recorded; `-` or `+` otherwise.
        let status = git(&into, &["submodule", "status"]);
        assert!(status.starts_with(' ') && status.contains("vendor/library"), "{status}");
    }
}

#[test]
fn a_remote_repository_never_reaches_into_this_machine_through_a_submodule() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap();
    let secret = Repository::sample(&root.join("secret"));
    let server = Server::start(&root, Manners::default());
    let path = secret.path.display().to_string();
    for (at, url) in [path.clone(), format!("file://{path}"), format!("FILE://{path}")].iter().enumerate() {
        let repository = Repository::empty(&root.join(format!("app-{at}")));
        repository.write(".gitmodules", format!("[submodule \"s\"]\n\tpath = s\n\turl = {url}\n"));
        let module = format!("160000,{},s", secret.head());
        git(&repository.path, &["add", "-A"]);
        git(&repository.path, &["update-index", "--add", "--cacheinfo", &module]);
        git(&repository.path, &["commit", "-q", "-m", "Reach"]);
        let into = root.join("work");
        let source = server.source(&format!("app-{at}/.git"));
        let error = write(&cache(&root), &source, &repository.head(), 1, true, &into).unwrap_err();
        assert!(error.to_string().contains("is a local address"), "{url}: {error}");
        assert!(!into.exists());
    }
}

#[test]
fn history_is_as_deep_as_asked() {
    let folder = tempfile::tempdir().unwrap();
    let repository = Repository::sample(&folder.path().join("app"));
    for n in 0..5 {
        repository.commit(&format!("{n}"));
    }
    let server = Server::start(folder.path(), Manners::default());
    let source = server.source("app/.git");
    let cache = cache(folder.path());
    for (depth, expected) in [(1, "1"), (3, "3"), (0, "6"), (100, "6")] {
        let into = folder.path().join(format!("depth-{depth}"));
        write(&cache, &source, &repository.head(), depth, false, &into).unwrap();
        assert_eq!(git(&into, &["rev-list", "--count", "HEAD"]), expected);
        assert_eq!(git(&into, &["status", "--porcelain"]), "");
    }
    let before = server.requests();
    write(&cache, &source, &repository.head(), 3, false, &folder.path().join("again")).unwrap();
    assert_eq!(server.requests(), before, "the cache answers the second time");
    std::fs::remove_dir_all(folder.path().join("cache")).unwrap();
    git(&folder.path().join("again"), &["fsck"]);
}

#[test]
fn a_local_source_is_borrowed_from_not_copied() {
    let folder = tempfile::tempdir().unwrap();
    // A name that the alternates file has to quote.
    let repository = Repository::sample(&folder.path().join("a \"b\"\nc"));
    let into = folder.path().join("work");
    write(&cache(folder.path()), &repository.source(), &repository.head(), 1, false, &into).unwrap();
    assert_eq!(std::fs::read_dir(into.join(".git/objects/pack")).unwrap().count(), 0);
    assert_eq!(git(&into, &["rev-list", "--count", "HEAD"]), "1");
    assert_eq!(git(&into, &["status", "--porcelain"]), "");
}

#[test]
fn a_shallow_local_source_stays_shallow() {
    let folder = tempfile::tempdir().unwrap();
    let repository = Repository::sample(&folder.path().join("app"));
    repository.commit("Second");
    let url = format!("file://{}", repository.path.display());
    git(folder.path(), &["clone", "-q", "--depth", "1", &url, "shallow"]);
    let source = Source::local(&folder.path().join("shallow")).unwrap();
    let into = folder.path().join("work");
    write(&cache(folder.path()), &source, &repository.head(), 0, false, &into).unwrap();
    assert_eq!(git(&into, &["rev-list", "--count", "HEAD"]), "1");
}

#[test]
fn paths_that_would_escape_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let repository = Repository::sample(&folder.path().join("app"));
    let blob = repository.blob(b"evil");
    let link = repository.blob(b"../outside");
    let inner = git(
        &repository.path,
        &["rev-parse", &format!("{}^{{tree}}", repository.commit_of_tree(&[("100644", "x", &blob)]))],
    );
    let cases: &[&[(&str, &str, &str)]] = &[
        &[("100644", "..", &blob)],
        &[("40000", "..", &inner)],
        &[("100644", ".", &blob)],
        &[("100644", ".git", &blob)],
        &[("40000", ".git", &inner)],
        &[("40000", ".GIT", &inner)],
        &[("40000", ".Git", &inner)],
        &[("40000", "git~1", &inner)],
        &[("40000", ".g\u{200c}it", &inner)],
        &[("40000", ".git ", &inner)],
        &[("40000", ".git.", &inner)],
        &[("100644", "a/../../x", &blob)],
        &[("120000", ".gitmodules", &link)],
        &[("120000", "a", &link), ("40000", "a", &inner)],
        &[("120000", "a", &link), ("100644", "a.", &blob), ("40000", "a", &inner)],
        &[("100644", "same", &blob), ("100644", "same", &blob)],
    ];
    let outside = folder.path().join("outside");
    std::fs::create_dir(&outside).unwrap();
    let cache = cache(folder.path());
    let into = folder.path().join("work");
    for case in cases {
        let commit = repository.commit_of_tree(case);
        let error = write(&cache, &repository.source(), &commit, 1, false, &into).unwrap_err();
        assert!(matches!(error, CheckoutError::UnsafeTree { .. }), "{case:?}: {error:?}");
        assert!(!into.exists());
        assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 0, "{case:?}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 3, "{case:?} leaves something behind");
    }
}

#[test]
fn an_expanded_id_leaves_the_work_tree_clean() {
    let folder = tempfile::tempdir().unwrap();
    let repository = Repository::sample(&folder.path().join("app"));
    repository.write(".gitattributes", "*.id ident\n");
    repository.write("rev.id", "$Id$\n");
    let commit = repository.commit("Ident");
    let into = folder.path().join("work");
    write(&cache(folder.path()), &repository.source(), &commit, 1, false, &into).unwrap();
    // git writes a blank before the last `$`; gix does not, and git takes both for the same.
    let expected = format!("$Id: {}$\n", git(&repository.path, &["rev-parse", "HEAD:rev.id"]));
    assert_eq!(std::fs::read_to_string(into.join("rev.id")).unwrap(), expected);
    assert_eq!(git(&into, &["status", "--porcelain"]), "");
}

#[test]
fn hooks_and_filters_never_run() {
    let folder = tempfile::tempdir().unwrap();
    let repository = Repository::sample(&folder.path().join("app"));
    let witness = folder.path().join("witness");
    let hook = repository.path.join(".git/hooks/post-checkout");
    std::fs::create_dir_all(hook.parent().unwrap()).unwrap();
    std::fs::write(&hook, format!("#!/bin/sh\ntouch '{}'\n", witness.display())).unwrap();
    std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o755)).unwrap();
    repository.write(".gitattributes", "*.rs filter=evil\n");
    repository.commit("Filter");
    let smudge = format!("touch '{}'; cat", witness.display());
    git(&repository.path, &["config", "filter.evil.smudge", &smudge]);
    git(&repository.path, &["config", "core.fsmonitor", &smudge]);
    let into = folder.path().join("work");
    write(&cache(folder.path()), &repository.source(), &repository.head(), 1, false, &into).unwrap();
    assert!(into.join("src/main.rs").is_file());
    assert!(!witness.exists());
}

#[test]
fn a_taken_place_is_left_alone_and_an_empty_one_used() {
    let folder = tempfile::tempdir().unwrap();
    let repository = Repository::sample(&folder.path().join("app"));
    let into = folder.path().join("deep/work");
    std::fs::create_dir_all(&into).unwrap();
    let cache = cache(folder.path());
    write(&cache, &repository.source(), &repository.head(), 1, false, &into).unwrap();
    let inode = into.metadata().unwrap().ino();
    let error = write(&cache, &repository.source(), &repository.head(), 1, false, &into).unwrap_err();
    assert!(matches!(error, CheckoutError::Occupied { .. }), "{error:?}");
    assert_eq!(into.metadata().unwrap().ino(), inode);
    assert_eq!(std::fs::read_dir(folder.path().join("deep")).unwrap().count(), 1);
}

#[test]
fn a_cancelled_work_tree_is_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let repository = Repository::sample(&folder.path().join("app"));
    let into = folder.path().join("deep/work");
    let (source, commit) = (repository.source(), repository.head());
    let request = WorktreeRequest {
        source: &source,
        commit: &commit,
        ref_name: None,
        depth: None,
        submodules: false,
        into: &into,
    };
    let error =
        cache(folder.path()).write_worktree(&request, &AtomicBool::new(true), &mut |_| {}).unwrap_err();
    assert_eq!(error, CheckoutError::Cancelled);
    assert_eq!(std::fs::read_dir(folder.path().join("deep")).unwrap().count(), 0);
}

#[test]
fn an_unwritable_place_is_a_clear_error() {
    let folder = tempfile::tempdir().unwrap();
    let repository = Repository::sample(&folder.path().join("app"));
    std::fs::write(folder.path().join("file"), "").unwrap();
    let into = folder.path().join("file/work");
    let error =
        write(&cache(folder.path()), &repository.source(), &repository.head(), 1, false, &into).unwrap_err();
    assert!(error.to_string().contains("file/"), "{error}");
}
