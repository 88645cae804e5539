//! Files into an archive and out again: what is kept, and what must not be.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use branchline_archive::{ArchiveError, Choice, Packed, pack, read_chosen, unpack};
use branchline_model::{Content, Digest};
use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use tar::{Builder, EntryType, Header};
use tempfile::TempDir;

struct Place {
    folder: TempDir,
}

impl Place {
    fn new(files: &[(&str, &str)]) -> Self {
        let place = Self { folder: tempfile::tempdir().unwrap() };
        fs::create_dir(place.workspace()).unwrap();
        for (path, content) in files {
            place.write(path, content);
        }
        place
    }

    fn workspace(&self) -> std::path::PathBuf {
        self.folder.path().join("workspace")
    }

    fn archive(&self) -> std::path::PathBuf {
        self.folder.path().join("archive")
    }

    fn out(&self) -> std::path::PathBuf {
        self.folder.path().join("out/a/b")
    }

    fn write(&self, path: &str, content: &str) {
        let path = self.workspace().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn link(&self, path: &str, target: &str) {
        symlink(target, self.workspace().join(path)).unwrap();
    }

    fn pack(&self, patterns: &[&str]) -> Result<Packed, ArchiveError> {
        pack(&self.workspace(), &Choice::new(patterns)?, &self.archive())
    }

    fn refusal(&self, patterns: &[&str]) -> String {
        self.pack(patterns).unwrap_err().to_string()
    }

    /// What is there after it was packed and unpacked.
    fn kept(&self, patterns: &[&str]) -> Vec<String> {
        self.pack(patterns).unwrap();
        let _ = fs::remove_dir_all(self.out());
        unpack(&mut fs::File::open(self.archive()).unwrap(), &self.out()).unwrap();
        listed(&self.out())
    }
}

fn listed(folder: &Path) -> Vec<String> {
    let (mut found, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(one) = folders.pop() {
        for entry in fs::read_dir(&one).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(folder).unwrap().display().to_string();
            if path.is_symlink() {
                found.push(format!("{name} -> {}", fs::read_link(&path).unwrap().display()));
            } else if path.is_dir() {
                folders.push(path);
            } else {
                found.push(format!("{name}: {}", fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

#[test]
fn one_file_is_kept_by_its_name_and_a_folder_with_all_that_is_in_it() {
    let place =
        Place::new(&[("target/release/app", "x"), ("dist/a", "1"), ("dist/b/c", "2"), ("other", "3")]);
    assert_eq!(place.kept(&["target/release/app"]), ["app: x"]);
    assert_eq!(place.kept(&["dist"]), ["a: 1", "b/c: 2"]);
    assert_eq!(place.kept(&["dist/"]), ["a: 1", "b/c: 2"]);
    assert_eq!(place.kept(&["dist/**", "other"]), ["dist/a: 1", "dist/b/c: 2", "other: 3"]);
    assert_eq!(place.kept(&["**/c"]), ["dist/b/c: 2"]);
}

#[test]
fn what_an_exclamation_mark_takes_out_is_not_kept() {
    let place = Place::new(&[
        ("dist/a", "1"),
        ("dist/tmp/b", "2"),
        ("dist/tmp/keep", "3"),
        (".git/config", "secret"),
    ]);
    assert_eq!(place.kept(&["dist", "!dist/tmp"]), ["a: 1"]);
    assert_eq!(place.kept(&["dist", "!dist/tmp", "dist/tmp/keep"]), ["a: 1", "tmp/keep: 3"]);
    assert_eq!(place.kept(&["**", "!dist/tmp/**"]), ["dist/a: 1"], "git's own folder is not meant by **");
    assert_eq!(place.kept(&[".git/config"]), ["config: secret"], "unless it is named");
}

#[test]
fn modes_and_times_are_kept_and_owners_are_not() {
    let place = Place::new(&[("run.sh", "#!"), ("secret", "s")]);
    for (name, mode) in [("run.sh", 0o4755), ("secret", 0o400)] {
        fs::set_permissions(place.workspace().join(name), PermissionsExt::from_mode(mode)).unwrap();
    }
    let then = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
    fs::File::open(place.workspace().join("run.sh")).unwrap().set_modified(then).unwrap();
    place.kept(&["**"]);
    let found = |name: &str| fs::metadata(place.out().join(name)).unwrap();
    let mode = |name: &str| found(name).permissions().mode() & 0o7777;
    assert_eq!((mode("run.sh"), mode("secret")), (0o755, 0o400), "a set-user-id bit is not handed on");
    assert_eq!(found("run.sh").modified().unwrap(), then);
}

#[test]
fn a_link_within_is_kept_as_a_link() {
    let place = Place::new(&[("lib/libx.so.1", "x"), ("lib/sub/y", "y")]);
    place.link("lib/libx.so", "libx.so.1");
    place.link("lib/sub/up", "../libx.so.1");
    place.link("lib/folder", "sub");
    let kept = place.kept(&["lib"]);
    let expected =
        ["folder -> sub", "libx.so -> libx.so.1", "libx.so.1: x", "sub/up -> ../libx.so.1", "sub/y: y"];
    assert_eq!(kept, expected, "a link to a folder is not gone into");
}

#[test]
fn a_link_that_leads_out_is_refused() {
    let place = Place::new(&[("dist/a", "1"), ("b", "2")]);
    place.link("dist/passwd", "/etc/passwd");
    assert_eq!(
        place.refusal(&["dist"]),
        "`dist/passwd` is a link to `/etc/passwd`, which is not within what is kept: copy what it leads to, or leave it out \
         with `!dist/passwd`"
    );
    assert_eq!(place.kept(&["dist", "!dist/passwd"]), ["a: 1"]);
    fs::remove_file(place.workspace().join("dist/passwd")).unwrap();
    place.link("dist/up", "../b");
    assert!(place.refusal(&["dist"]).contains("`dist/up` is a link to `../b`"));
    assert_eq!(place.kept(&["dist", "b"]), ["b: 2", "dist/a: 1", "dist/up -> ../b"]);
}

#[test]
fn a_folder_that_is_a_link_is_not_gone_into() {
    let place = Place::new(&[]);
    place.link("etc", "/etc");
    assert_eq!(
        place.refusal(&["etc/passwd"]),
        "`etc` is a link, and links are not followed: name the folder itself"
    );
    assert!(place.refusal(&["**/passwd"]).starts_with("nothing in the workspace matches"));
}

#[test]
fn what_is_no_file_is_refused_and_nothing_waits_for_it() {
    let place = Place::new(&[("dist/a", "1")]);
    nix::unistd::mkfifo(&place.workspace().join("dist/pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert_eq!(
        place.refusal(&["dist"]),
        "`dist/pipe` is a pipe or a device, which cannot be kept: leave it out with `!dist/pipe`"
    );
    fs::remove_file(place.workspace().join("dist/pipe")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(place.workspace().join("dist/socket")).unwrap();
    assert!(place.refusal(&["dist"]).contains("`dist/socket` is a socket or a device"));
    assert_eq!(place.kept(&["dist", "!**/socket"]), ["a: 1"]);
}

#[test]
fn where_nothing_matches_it_is_said() {
    let place = Place::new(&[("a", "1")]);
    assert_eq!(place.refusal(&["b", "dist/**"]), "nothing in the workspace matches `b`, `dist/**`");
    fs::create_dir(place.workspace().join("dist")).unwrap();
    assert!(place.refusal(&["dist"]).contains("nothing"), "a folder without a file is nothing");
}

#[test]
fn an_archive_is_what_it_is_said_to_be() {
    let place = Place::new(&[("a", &"some text\n".repeat(100_000))]);
    let packed = place.pack(&["a"]).unwrap();
    let bytes = fs::read(place.archive()).unwrap();
    assert_eq!((packed.files, packed.bytes, packed.sha256), (1, bytes.len() as u64, Digest::of(&bytes)));
    assert_eq!(Content::in_parts(packed.bytes, packed.sha256, &packed.parts), Content::of(&bytes));
    assert_eq!(place.pack(&["a"]).unwrap(), packed, "the same files make the same archive");
}

#[test]
fn chosen_files_are_read_without_following_links() {
    let place = Place::new(&[("r/a.xml", "1"), ("r/b.txt", "2"), ("r/s/c.xml", "3")]);
    place.link("r/d.xml", "/etc/passwd");
    let mut seen = Vec::new();
    let count = read_chosen(&place.workspace(), &Choice::new(["r/**/*.xml"]).unwrap(), |path, file| {
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        seen.push(format!("{path}: {text}"));
    });
    assert_eq!((count.unwrap(), seen), (2, vec!["r/a.xml: 1".to_owned(), "r/s/c.xml: 3".to_owned()]));
}

/// An archive as nobody here makes one.
fn foreign(entries: &[(EntryType, &str, &str)]) -> Vec<u8> {
    let mut builder = Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (kind, path, content) in entries {
        let mut header = Header::new_gnu();
        header.set_entry_type(*kind);
        header.set_mode(0o644);
        let content = match kind {
            EntryType::Symlink | EntryType::Link => {
                header.set_link_name_literal(content).unwrap();
                ""
            }
            _ => content,
        };
        header.set_size(content.len() as u64);
        // Written as it is, also where no honest program would.
        header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_cksum();
        builder.append(&header, content.as_bytes()).unwrap();
    }
    builder.into_inner().unwrap().finish().unwrap()
}

#[test]
fn an_archive_that_leads_out_of_itself_is_refused() {
    use EntryType::{Block, Link, Regular, Symlink};
    let wrong: &[&[(EntryType, &str, &str)]] = &[
        &[(Regular, "../x", "1")],
        &[(Regular, "/tmp/x", "1")],
        &[(Regular, "a/../../x", "1")],
        &[(Symlink, "a", "/etc")],
        &[(Symlink, "a", "..")],
        &[(Symlink, "a", "b/../../c")],
        &[(Link, "a", "/etc/passwd")],
        &[(Block, "a", "")],
        &[(Regular, "a", "1"), (Regular, "a", "2")],
        &[(Regular, "a", "1"), (Symlink, "a", "b")],
        &[(Regular, "a", "1"), (Regular, "a/b", "2")],
    ];
    for entries in wrong {
        let place = Place::new(&[]);
        let result = unpack(&mut foreign(entries).as_slice(), &place.out());
        assert!(result.is_err(), "{entries:?}");
        assert_eq!(
            listed(place.folder.path()).iter().filter(|name| !name.starts_with("out/a/b/")).count(),
            0
        );
    }
}

#[test]
fn nothing_is_written_through_a_link_of_the_archive() {
    let place = Place::new(&[]);
    let entries = [(EntryType::Symlink, "a", "b"), (EntryType::Regular, "a/x", "1")];
    // The folder is made first, so there is no place for the link.
    assert!(unpack(&mut foreign(&entries).as_slice(), &place.out()).is_err());
    assert_eq!(listed(&place.out()), ["a/x: 1"]);
}

#[test]
fn an_archive_that_is_damaged_is_refused() {
    let place = Place::new(&[("a", "some text"), ("b", "more")]);
    place.pack(&["**"]).unwrap();
    let whole = fs::read(place.archive()).unwrap();
    for end in 0..whole.len() - 1 {
        let into = place.folder.path().join(format!("cut-{end}"));
        let result = unpack(&mut &whole[..end], &into);
        assert!(result.is_err() || listed(&into).len() == 2, "cut at {end}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_an_archive_says_nothing_is_made_outside_of_its_folder(
        entries in prop::collection::vec(
            (prop_oneof![Just(EntryType::Regular), Just(EntryType::Symlink)], "(\\.\\./|a/|b/|/){0,3}[abc]", "(\\.\\./|a/|b/|c/){0,3}[abc.]{1,2}"),
            0..8,
        ),
    ) {
        let place = Place::new(&[]);
        let entries: Vec<(EntryType, &str, &str)> =
            entries.iter().map(|(kind, path, content)| (*kind, path.as_str(), content.as_str())).collect();
        let _ = unpack(&mut foreign(&entries).as_slice(), &place.out());
        let top = place.folder.path().canonicalize().unwrap();
        let out = place.out().canonicalize().unwrap();
        for name in listed(&out) {
            let path = out.join(name.split([':', ' ']).next().unwrap());
            if let Ok(real) = path.canonicalize() {
                prop_assert!(real.starts_with(&out), "{} leads to {}", path.display(), real.display());
            }
        }
        let others: Vec<_> = fs::read_dir(top).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        prop_assert_eq!(others.len(), 2, "{:?}", others);
    }
}
