//! Unpacking. Invariant: nothing is made outside of the folder, whatever an archive says: every path is plain names, nothing is written where
//! something is, and links are made last, so that nothing is ever written through one.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use flate2::read::MultiGzDecoder;
use tar::{Archive, Entry, EntryType};

use crate::error::ArchiveError;
use crate::link::stays_within;
use crate::walk::copy_exactly;

/// No archive holds more.
const MOST_ENTRIES: usize = 1_000_000;

/// What was unpacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unpacked {
    /// How many files and links.
    pub files: usize,
    /// How many bytes the files have.
    pub bytes: u64,
}

/// Unpacks an archive into a folder, which is made where it is missing, and holds nothing of what the archive holds.
///
/// # Errors
/// The archive is none, or says what none of ours does; or the file system refused. What was unpacked before stays.
pub fn unpack(archive: &mut dyn Read, into: &Path) -> Result<Unpacked, ArchiveError> {
    make_folders(into)?;
    let foreign = |why: String| ArchiveError::Foreign { why };
    let broken = |error: io::Error| foreign(format!("it is damaged: {error}"));
    let mut archive = Archive::new(MultiGzDecoder::new(archive));
    let mut links: Vec<(PathBuf, PathBuf)> = Vec::new();
    let mut unpacked = Unpacked { files: 0, bytes: 0 };
    for entry in archive.entries().map_err(broken)? {
        let mut entry = entry.map_err(broken)?;
        let inner = entry.path().map_err(broken)?.into_owned();
        let plain = inner.components().all(|part| matches!(part, Component::Normal(_)));
        if !plain || inner.as_os_str().is_empty() {
            return Err(foreign(format!("it holds `{}`, which leads out of it", inner.display())));
        }
        unpacked.files += 1;
        if unpacked.files > MOST_ENTRIES {
            return Err(ArchiveError::TooMany { most: MOST_ENTRIES, what: "files" });
        }
        let path = into.join(&inner);
        if let Some(parent) = path.parent() {
            make_folders(parent)?;
        }
        match entry.header().entry_type() {
            EntryType::Regular => unpacked.bytes += write_file(&mut entry, &path)?,
            EntryType::Symlink => {
                let target = entry.link_name().map_err(broken)?.unwrap_or_default().into_owned();
                if !stays_within(&inner.to_string_lossy(), &target.to_string_lossy()) {
                    let (inner, target) = (inner.display(), target.display());
                    return Err(foreign(format!("`{inner}` is a link to `{target}`, which leads out of it")));
                }
                links.push((path, target));
            }
            other => {
                return Err(foreign(format!(
                    "`{}` is neither a file nor a link ({other:?})",
                    inner.display()
                )));
            }
        }
    }
    for (path, target) in links {
        symlink(&target, &path).map_err(ArchiveError::failed("make the link", path.display().to_string()))?;
    }
    Ok(unpacked)
}

fn make_folders(path: &Path) -> Result<(), ArchiveError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o755)
        .create(path)
        .map_err(ArchiveError::failed("make the folder", path.display().to_string()))
}

fn write_file<R: Read>(entry: &mut Entry<'_, R>, path: &Path) -> Result<u64, ArchiveError> {
    let failed = || ArchiveError::failed("write", path.display().to_string());
    let (length, mode) = (entry.size(), entry.header().mode().unwrap_or(0o644) & 0o777);
    let modified = entry.header().mtime().unwrap_or(0);
    let mut file: File =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(failed())?;
    if !copy_exactly(entry, &mut file, length).map_err(failed())? {
        return Err(ArchiveError::Foreign { why: format!("it ends within `{}`", path.display()) });
    }
    if let Some(at) = UNIX_EPOCH.checked_add(Duration::from_secs(modified)) {
        // What cannot be said of a file on this file system is not needed.
        let _ = file.set_modified(at);
    }
    fs::set_permissions(path, Permissions::from_mode(mode)).map_err(failed())?;
    Ok(length)
}
