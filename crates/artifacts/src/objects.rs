//! Objects in a folder: plain files under `objects/`, by their keys. Invariant: a file under its key is whole and synced, because it is
//! written under another name and gets its own by a link that fails where there is one.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use branchline_model::{Content, Digest, ObjectKey};
use branchline_ports::{ListedObject, ObjectError, ObjectPart, Objects, Pieces};
use sha2::{Digest as _, Sha256};

use crate::FolderArtifacts;

/// The folder of objects on their way.
const ON_THEIR_WAY: &str = "objects.new";

/// Removes what an earlier process left of objects on their way; one process works with a folder.
pub(crate) fn clear_away(folder: &Path) {
    // Where that fails, some room is taken in vain.
    drop(std::fs::remove_dir_all(folder.join(ON_THEIR_WAY)));
}

/// Tells objects on their way apart.
static BEGUN: AtomicU64 = AtomicU64::new(0);

fn unavailable(key: &impl ToString, doing: &str, path: &Path, error: &io::Error) -> ObjectError {
    ObjectError::Unavailable {
        key: key.to_string(),
        why: format!("cannot {doing} {}: {error}", path.display()),
    }
}

/// An object on its way; what is left of it goes when this is dropped.
struct Coming {
    file: File,
    path: PathBuf,
    hasher: Sha256,
    bytes: u64,
}

impl Drop for Coming {
    fn drop(&mut self) {
        // Where it cannot be removed, the next opening of the folder does it.
        drop(std::fs::remove_file(&self.path));
    }
}

impl Coming {
    fn begin(folder: &Path) -> io::Result<Self> {
        let number = BEGUN.fetch_add(1, Ordering::Relaxed);
        let path = folder.join(ON_THEIR_WAY).join(format!("{}-{number}", std::process::id()));
        make_folder(path.parent())?;
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path)?;
        Ok(Self { file, path, hasher: Sha256::new(), bytes: 0 })
    }

    fn write(&mut self, piece: &[u8]) -> io::Result<()> {
        self.file.write_all(piece)?;
        self.hasher.update(piece);
        self.bytes += piece.len() as u64;
        Ok(())
    }

    /// Gives it its name, where there is none of that name.
    fn name(self, path: &Path) -> io::Result<()> {
        self.file.sync_all()?;
        make_folder(path.parent())?;
        std::fs::hard_link(&self.path, path)?;
        path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
    }
}

/// Makes a folder so that it is found again after a crash of the machine.
fn make_folder(folder: Option<&Path>) -> io::Result<()> {
    let Some(folder) = folder.filter(|folder| !folder.is_dir()) else { return Ok(()) };
    make_folder(folder.parent())?;
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    folder.parent().map_or(Ok(()), |parent| File::open(parent)?.sync_all())
}

fn differs(key: &ObjectKey, content: &Content, bytes: u64, digest: Digest) -> Result<(), ObjectError> {
    if (bytes, digest) == (content.bytes, content.sha256) {
        return Ok(());
    }
    let why =
        format!("{bytes} bytes with SHA-256 {digest} instead of {} with {}", content.bytes, content.sha256);
    Err(ObjectError::Different { key: key.to_string(), why })
}

fn digest_of(mut file: File) -> io::Result<(u64, Digest)> {
    let (mut hasher, mut bytes, mut buffer) = (Sha256::new(), 0, vec![0; 256 << 10]);
    loop {
        let read = file.read(&mut buffer)?;
        let Some(piece) = buffer.get(..read).filter(|piece| !piece.is_empty()) else {
            return Ok((bytes, Digest(hasher.finalize().into())));
        };
        hasher.update(piece);
        bytes += read as u64;
    }
}

/// All files under a folder whose keys begin so.
fn listed(folder: &Path, key: &str, prefix: &str, found: &mut Vec<ListedObject>) -> io::Result<()> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        let key = if key.is_empty() { name } else { format!("{key}/{name}") };
        // What leads to the prefix, and what it leads to.
        if !(key.starts_with(prefix) || prefix.starts_with(&format!("{key}/"))) {
            continue;
        }
        if entry.file_type()?.is_dir() {
            listed(&entry.path(), &key, prefix, found)?;
        } else if let Ok(key) = key.parse() {
            found.push(ListedObject { key, bytes: entry.metadata()?.len() });
        }
    }
    Ok(())
}

impl FolderArtifacts {
    fn object(&self, key: &ObjectKey) -> PathBuf {
        self.folder().join("objects").join(key.as_str())
    }

    /// Does file work on an object in a thread that may block.
    async fn object_work<T: Send + 'static>(
        &self,
        key: &ObjectKey,
        work: impl FnOnce(&ObjectKey, &Path) -> Result<T, ObjectError> + Send + 'static,
    ) -> Result<T, ObjectError> {
        let (of, path) = (key.clone(), self.object(key));
        let done = tokio::task::spawn_blocking(move || work(&of, &path)).await;
        done.map_err(|error| ObjectError::Unavailable { key: key.to_string(), why: error.to_string() })?
    }
}

fn open(key: &ObjectKey, path: &Path) -> Result<File, ObjectError> {
    File::open(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => ObjectError::NotFound { key: key.to_string() },
        _ => unavailable(key, "open", path, &error),
    })
}

#[async_trait]
impl Objects for FolderArtifacts {
    async fn put_object(
        &self,
        key: &ObjectKey,
        content: &Content,
        pieces: &mut dyn Pieces,
    ) -> Result<(), ObjectError> {
        let folder = self.folder().to_owned();
        let begin = move |key: &ObjectKey, path: &Path| {
            if path.exists() {
                return Err(ObjectError::AlreadyThere { key: key.to_string() });
            }
            Coming::begin(&folder).map_err(|error| unavailable(key, "begin", path, &error))
        };
        let mut coming = self.object_work(key, begin).await?;
        loop {
            let next = pieces.next().await.map_err(|error| ObjectError::Unavailable {
                key: key.to_string(),
                why: format!("its bytes do not come: {error}"),
            })?;
            let Some(piece) = next else { break };
            let write = move |key: &ObjectKey, path: &Path| match coming.write(&piece) {
                Ok(()) => Ok(coming),
                Err(error) => Err(unavailable(key, "write", path, &error)),
            };
            coming = self.object_work(key, write).await?;
        }
        let content = content.clone();
        let name = move |key: &ObjectKey, path: &Path| {
            differs(key, &content, coming.bytes, Digest(coming.hasher.clone().finalize().into()))?;
            coming.name(path).map_err(|error| match error.kind() {
                io::ErrorKind::AlreadyExists => ObjectError::AlreadyThere { key: key.to_string() },
                _ => unavailable(key, "write", path, &error),
            })
        };
        self.object_work(key, name).await
    }

    async fn check_object(&self, key: &ObjectKey, content: &Content) -> Result<(), ObjectError> {
        let content = content.clone();
        let check = move |key: &ObjectKey, path: &Path| {
            let file = open(key, path)?;
            let (bytes, digest) = digest_of(file).map_err(|error| unavailable(key, "read", path, &error))?;
            differs(key, &content, bytes, digest)
        };
        self.object_work(key, check).await
    }

    async fn get_object(&self, key: &ObjectKey, offset: u64, most: usize) -> Result<ObjectPart, ObjectError> {
        let get = move |key: &ObjectKey, path: &Path| {
            let read = |file: File| {
                let length = file.metadata()?.len();
                let left = usize::try_from(length.saturating_sub(offset)).unwrap_or(usize::MAX);
                let mut bytes = vec![0; left.min(most)];
                file.read_exact_at(&mut bytes, offset)?;
                Ok(ObjectPart { bytes, length })
            };
            read(open(key, path)?).map_err(|error: io::Error| unavailable(key, "read", path, &error))
        };
        self.object_work(key, get).await
    }

    async fn delete_object(&self, key: &ObjectKey) -> Result<(), ObjectError> {
        let delete = |key: &ObjectKey, path: &Path| match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(unavailable(key, "remove", path, &error))
            }
            _ => Ok(()),
        };
        self.object_work(key, delete).await
    }

    async fn list_objects(
        &self,
        prefix: &str,
        after: Option<&ObjectKey>,
        most: usize,
    ) -> Result<Vec<ListedObject>, ObjectError> {
        let (folder, prefix, after) = (self.folder().join("objects"), prefix.to_owned(), after.cloned());
        let of = prefix.clone();
        let list = move || {
            let mut found = Vec::new();
            listed(&folder, "", &prefix, &mut found)
                .map_err(|error| unavailable(&prefix, "list", &folder, &error))?;
            found.sort_unstable_by(|one, other| one.key.cmp(&other.key));
            found.retain(|object| after.as_ref().is_none_or(|after| object.key > *after));
            found.truncate(most);
            Ok(found)
        };
        let done = tokio::task::spawn_blocking(list).await;
        done.map_err(|error| ObjectError::Unavailable { key: of, why: error.to_string() })?
    }
}
