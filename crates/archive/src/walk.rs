//! The chosen files of a workspace, one after the other in the order of their names. Invariant: a folder is opened in its parent, a file in
//! its folder, both without following a link; so whatever somebody does to the tree meanwhile, nothing outside of it is read.

use std::ffi::{CString, OsStr, OsString};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{OFlag, openat, readlinkat};
use nix::sys::stat::Mode;

use crate::choice::{Choice, Chosen};
use crate::error::ArchiveError;

/// No more files than this are kept under one name, and no more folders are looked into within one another.
const MOST_FILES: usize = 200_000;
const DEEPEST: usize = 200;

/// Something that is chosen.
pub(crate) enum Item {
    /// A regular file, opened; its length and mode are of this very file.
    File { file: File, length: u64, mode: u32, modified: u64 },
    /// A link, which was not followed.
    Link { target: OsString },
}

/// The workspace, opened.
pub(crate) fn open_root(root: &Path) -> Result<OwnedFd, ArchiveError> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    nix::fcntl::open(root, flags, Mode::empty())
        .map_err(ArchiveError::failed("open", root.display().to_string()))
}

/// Whether a path in the workspace is a folder, no part of it a link.
pub(crate) fn is_folder(root: &OwnedFd, path: &str) -> bool {
    let mut folder = None;
    for part in path.split('/').filter(|part| !part.is_empty()) {
        let around = folder.as_ref().unwrap_or(root);
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        match openat(around.as_fd(), part, flags, Mode::empty()) {
            Ok(found) => folder = Some(found),
            Err(_) => return false,
        }
    }
    true
}

/// Calls for every chosen file with its path from the workspace on; answers how many there were.
pub(crate) fn walk(
    root: &OwnedFd,
    choice: &Choice,
    each: &mut dyn FnMut(&str, Item) -> Result<(), ArchiveError>,
) -> Result<usize, ArchiveError> {
    let mut walk = Walk { choice, each, count: 0 };
    let top = root.try_clone().map_err(ArchiveError::failed("open", "."))?;
    walk.folder(top, "", choice.at_the_top(), 0)?;
    Ok(walk.count)
}

struct Walk<'a> {
    choice: &'a Choice,
    each: &'a mut dyn FnMut(&str, Item) -> Result<(), ArchiveError>,
    count: usize,
}

impl Walk<'_> {
    fn folder(
        &mut self,
        folder: OwnedFd,
        at: &str,
        around: Chosen,
        depth: usize,
    ) -> Result<(), ArchiveError> {
        if depth > DEEPEST {
            return Err(ArchiveError::TooMany { most: DEEPEST, what: "folders within one another" });
        }
        let mut listing = Dir::from_fd(folder).map_err(ArchiveError::failed("read the folder", at))?;
        let mut names = Vec::new();
        for entry in listing.iter() {
            let entry = entry.map_err(ArchiveError::failed("read the folder", at))?;
            if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
                names.push(entry.file_name().to_owned());
            }
        }
        names.sort();
        for name in names {
            let shown = String::from_utf8_lossy(name.to_bytes());
            let path = if at.is_empty() { shown.into_owned() } else { format!("{at}/{shown}") };
            if path == ".git" && !self.choice.names_git() {
                continue;
            }
            let chosen = self.choice.of(&path, around);
            if chosen.0 && name.to_str().is_err() {
                return Err(ArchiveError::Special { path, kind: "named with bytes that are not UTF-8" });
            }
            if chosen.0 || self.choice.may_be_in(&path) {
                self.entry(&listing, &name, &path, chosen, depth)?;
            }
        }
        Ok(())
    }

    fn entry(
        &mut self,
        folder: &Dir,
        name: &CString,
        path: &str,
        chosen: Chosen,
        depth: usize,
    ) -> Result<(), ArchiveError> {
        // Without waiting for the other end of a pipe; what it is says the opened file, not its name.
        let flags =
            OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
        let opened = match openat(folder.as_fd(), name.as_c_str(), flags, Mode::empty()) {
            Ok(opened) => opened,
            Err(Errno::ELOOP) => return self.link(folder, name, path, chosen),
            Err(Errno::ENXIO) if chosen.0 => {
                return Err(ArchiveError::Special { path: path.to_owned(), kind: "a socket or a device" });
            }
            // It was there when the folder was read.
            Err(Errno::ENOENT) if chosen.0 => return Err(ArchiveError::Changed { path: path.to_owned() }),
            Err(error) if chosen.0 => return Err(ArchiveError::failed("open", path)(error)),
            // Somewhere on the way to what was chosen, perhaps: what is chosen is missed all the same.
            Err(_) => return Ok(()),
        };
        let file = File::from(opened);
        let found = file.metadata().map_err(ArchiveError::failed("look at", path))?;
        if found.is_dir() {
            return self.folder(file.into(), path, chosen, depth + 1);
        }
        if !chosen.0 {
            return Ok(());
        }
        if !found.is_file() {
            return Err(ArchiveError::Special { path: path.to_owned(), kind: "a pipe or a device" });
        }
        self.one_more()?;
        let modified = u64::try_from(found.mtime()).unwrap_or(0);
        (self.each)(path, Item::File { file, length: found.len(), mode: found.mode() & 0o777, modified })
    }

    fn link(&mut self, folder: &Dir, name: &CString, path: &str, chosen: Chosen) -> Result<(), ArchiveError> {
        if self.choice.leads_through(path) {
            return Err(ArchiveError::LinkOnTheWay { path: path.to_owned() });
        }
        if !chosen.0 {
            return Ok(());
        }
        let target = readlinkat(folder.as_fd(), OsStr::from_bytes(name.to_bytes()))
            .map_err(|_| ArchiveError::Changed { path: path.to_owned() })?;
        self.one_more()?;
        (self.each)(path, Item::Link { target })
    }

    fn one_more(&mut self) -> Result<(), ArchiveError> {
        self.count += 1;
        if self.count > MOST_FILES {
            return Err(ArchiveError::TooMany { most: MOST_FILES, what: "files" });
        }
        Ok(())
    }
}

/// Reads the chosen regular files of a workspace one after the other; links are passed over. Answers how many there were.
///
/// # Errors
/// A folder or a file cannot be read, or is none.
pub fn read_chosen(
    root: &Path,
    choice: &Choice,
    mut each: impl FnMut(&str, &mut dyn Read),
) -> Result<usize, ArchiveError> {
    let root = open_root(root)?;
    let mut count = 0;
    walk(&root, choice, &mut |path, item| {
        if let Item::File { mut file, .. } = item {
            count += 1;
            each(path, &mut file);
        }
        Ok(())
    })?;
    Ok(count)
}

/// Copies exactly so many bytes.
pub(crate) fn copy_exactly(from: &mut dyn Read, to: &mut dyn io::Write, length: u64) -> io::Result<bool> {
    Ok(io::copy(&mut from.take(length), to)? == length)
}
