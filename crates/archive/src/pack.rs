//! Packing: the chosen files into one gzipped tar. Invariant: the same files make the same archive, save for the times they were changed at;
//! owners are not in it, modes are.

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use branchline_model::Digest;
use flate2::Compression;
use flate2::write::GzEncoder;
use tar::{Builder, EntryType, Header};

use crate::choice::Choice;
use crate::error::ArchiveError;
use crate::hashing::{Hashed, Hashing};
use crate::link::stays_within;
use crate::walk::{Item, is_folder, open_root, walk};

/// A packed archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packed {
    /// How many files and links are in it.
    pub files: usize,
    /// How many bytes the archive has.
    pub bytes: u64,
    /// Their SHA-256.
    pub sha256: Digest,
    /// The SHA-256 of each of its parts of [`OBJECT_PART`](branchline_model::OBJECT_PART) bytes.
    pub parts: Vec<Digest>,
}

/// Packs the chosen files of a workspace into a file that is written anew. Paths in it begin with the deepest folder that all patterns
/// name.
///
/// # Errors
/// Nothing matches, something that matches cannot be kept, or the file system refused.
pub fn pack(root: &Path, choice: &Choice, into: &Path) -> Result<Packed, ArchiveError> {
    let top = open_root(root)?;
    let base = choice.base(|path| is_folder(&top, path));
    let failed = || ArchiveError::failed("write", into.display().to_string());
    let file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(into).map_err(failed())?;
    let mut builder = Builder::new(GzEncoder::new(Hashing::new(file), Compression::fast()));
    let files = walk(&top, choice, &mut |path, item| {
        let inner = path.strip_prefix(&base).unwrap_or(path).trim_start_matches('/');
        append(&mut builder, path, inner, item, into)
    })?;
    if files == 0 {
        return Err(ArchiveError::Nothing { patterns: choice.words() });
    }
    let hashing = builder.into_inner().and_then(GzEncoder::finish).map_err(failed())?;
    let Hashed { inner, bytes, sha256, parts } = hashing.finish();
    drop::<File>(inner);
    Ok(Packed { files, bytes, sha256, parts })
}

fn append(
    builder: &mut Builder<GzEncoder<Hashing<File>>>,
    path: &str,
    inner: &str,
    item: Item,
    into: &Path,
) -> Result<(), ArchiveError> {
    let failed = || ArchiveError::failed("write", into.display().to_string());
    let mut header = Header::new_gnu();
    match item {
        Item::File { file, length, mode, modified } => {
            header.set_entry_type(EntryType::Regular);
            header.set_size(length);
            header.set_mode(mode);
            header.set_mtime(modified);
            let mut content = Counted { inner: file.take(length), left: length };
            let appended = builder.append_data(&mut header, inner, &mut content);
            if content.left > 0 && appended.is_ok() {
                // It became shorter: what follows in the archive would be taken for its end.
                return Err(ArchiveError::Changed { path: path.to_owned() });
            }
            appended.map_err(failed())
        }
        Item::Link { target } => {
            let shown = String::from_utf8_lossy(target.as_bytes()).into_owned();
            if !stays_within(inner, &shown) {
                return Err(ArchiveError::Link { path: path.to_owned(), target: shown });
            }
            header.set_entry_type(EntryType::Symlink);
            header.set_size(0);
            header.set_mode(0o777);
            header.set_mtime(0);
            builder.append_link(&mut header, inner, &target).map_err(failed())
        }
    }
}

/// Says how much of what was promised did not come.
struct Counted<R> {
    inner: R,
    left: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.left = self.left.saturating_sub(read as u64);
        Ok(read)
    }
}
