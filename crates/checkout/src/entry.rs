//! One repository's folder in the cache: `<slug>-<hash>/`, with a lock file and *generations*, `git-<n>/`, each a
//! bare repository without refs. Invariants: a pack appears in a generation whole or not at all (it is received
//! into `incoming-…/` beside it and renamed in); a generation is only removed under the exclusive lock, while
//! nobody reads; a damaged one is not repaired but followed by an empty one, so nobody ever waits for a repair.
//! All of it may be deleted at any time: what is lost is time.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest, Sha256};

use crate::error::CheckoutError;
use crate::repository;
use crate::source::Source;

/// More packs than this in one generation make lookups slow: a new one is begun.
const MOST_PACKS: usize = 400;

/// A repository's cache, held in use: it is not removed while this lives.
pub(crate) struct Entry {
    folder: PathBuf,
    generation: u64,
    _in_use: File,
}

/// A commit that was received with all of its files: where, and where its history was cut off.
pub(crate) struct Whole {
    /// The pack's path without its ending.
    pub(crate) pack: PathBuf,
    pub(crate) shallow: Vec<gix::ObjectId>,
}

impl Entry {
    /// Opens a repository's cache, makes it where there is none, and sweeps what dead processes left in it.
    pub(crate) fn open(cache: &Path, source: &Source, largest: u64) -> Result<Self, CheckoutError> {
        let folder = cache.join(folder_name(source));
        fs::create_dir_all(&folder).map_err(|error| CheckoutError::disk(&folder, &error))?;
        let lock_path = folder.join("lock");
        let lock = open_lock(&lock_path)?;
        match lock.try_lock() {
            Ok(()) => {
                let swept = sweep(&folder, largest);
                lock.unlock().map_err(|error| CheckoutError::disk(&lock_path, &error))?;
                swept.map_err(|error| CheckoutError::disk(&folder, &error))?;
            }
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(CheckoutError::disk(&lock_path, &error)),
        }
        // Waits for a sweep at most.
        lock.lock_shared().map_err(|error| CheckoutError::disk(&lock_path, &error))?;
        let mut entry = Self { generation: newest(&folder).unwrap_or(1), folder, _in_use: lock };
        entry.make()?;
        Ok(entry)
    }

    /// Turns away from a damaged generation to a new, empty one.
    pub(crate) fn renew(&mut self) -> Result<(), CheckoutError> {
        let newest = newest(&self.folder).unwrap_or(1);
        // Another may have turned away from the same one already.
        self.generation = if newest > self.generation { newest } else { self.generation + 1 };
        self.make()
    }

    /// The bare repository.
    pub(crate) fn git_dir(&self) -> PathBuf {
        self.folder.join(format!("git-{}", self.generation))
    }

    pub(crate) fn repository(&self) -> gix::Result<gix::Repository> {
        repository::open(&self.git_dir())
    }

    /// The right to fetch into this generation; waits for whoever has it.
    pub(crate) fn lock_for_fetch(&self) -> Result<File, CheckoutError> {
        let path = self.git_dir().join("fetch.lock");
        let lock = open_lock(&path)?;
        lock.lock().map_err(|error| CheckoutError::disk(&path, &error))?;
        Ok(lock)
    }

    /// An empty folder for what is being received.
    pub(crate) fn incoming(&self) -> Result<Incoming, CheckoutError> {
        let path = self.git_dir().join(format!("incoming-{}", unique()));
        fs::create_dir(&path).map_err(|error| CheckoutError::disk(&path, &error))?;
        Ok(Incoming { path })
    }

    /// Takes a received pack in; gives its path without ending.
    pub(crate) fn install(&self, pack: &Path) -> Result<PathBuf, CheckoutError> {
        let name = pack.file_name().unwrap_or_default();
        let target = self.git_dir().join("objects/pack").join(name);
        // The index last: git takes a pack for there once its index is.
        for ending in ["pack", "idx"] {
            fs::rename(pack.with_extension(ending), target.with_extension(ending))
                .map_err(|error| CheckoutError::disk(&target, &error))?;
        }
        Ok(target.with_extension(""))
    }

    /// The record that a commit is here whole at this depth.
    pub(crate) fn whole(&self, record: &str) -> Option<Whole> {
        let text = fs::read_to_string(self.git_dir().join("whole").join(record)).ok()?;
        let mut lines = text.lines();
        let pack = self.git_dir().join("objects/pack").join(lines.next()?);
        let shallow =
            lines.map(|line| gix::ObjectId::from_hex(line.as_bytes()).ok()).collect::<Option<_>>()?;
        let there = ["pack", "idx"].iter().all(|ending| pack.with_extension(ending).is_file());
        there.then_some(Whole { pack, shallow })
    }

    pub(crate) fn record_whole(&self, record: &str, whole: &Whole) -> Result<(), CheckoutError> {
        let folder = self.git_dir().join("whole");
        let write = || -> io::Result<()> {
            fs::create_dir_all(&folder)?;
            let mut text = whole.pack.file_name().unwrap_or_default().to_string_lossy().into_owned();
            for id in &whole.shallow {
                text.push_str(&format!("\n{id}"));
            }
            let draft = folder.join(format!("draft-{}", unique()));
            fs::write(&draft, text)?;
            fs::rename(draft, folder.join(record))
        };
        write().map_err(|error| CheckoutError::disk(&folder, &error))
    }

    /// Makes the generation where there is none; one that is torn is left for the next.
    fn make(&mut self) -> Result<(), CheckoutError> {
        let is_whole = |git: &Path| git.join("HEAD").is_file() && git.join("objects/pack").is_dir();
        while self.git_dir().exists() {
            if is_whole(&self.git_dir()) {
                return Ok(());
            }
            self.generation += 1;
        }
        let target = self.git_dir();
        let draft = self.folder.join(format!("draft-{}", unique()));
        let config = b"[core]\n\trepositoryformatversion = 0\n\tbare = true\n";
        let made =
            write_skeleton(&draft, config, "ref: refs/heads/none").and_then(|()| fs::rename(&draft, &target));
        drop(fs::remove_dir_all(&draft));
        match made {
            // Where it failed because another process was quicker, its generation is as good.
            Err(error) if !is_whole(&target) => Err(CheckoutError::disk(&target, &error)),
            _ => Ok(()),
        }
    }
}

/// Where a pack is received; removed with all that is left in it.
pub(crate) struct Incoming {
    pub(crate) path: PathBuf,
}

impl Drop for Incoming {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.path));
    }
}

/// An empty repository's files: no hooks, no templates, nothing of the machine's configuration.
pub(crate) fn write_skeleton(git_dir: &Path, config: &[u8], head: &str) -> io::Result<()> {
    for folder in ["objects/info", "objects/pack", "refs/heads", "refs/tags"] {
        fs::create_dir_all(git_dir.join(folder))?;
    }
    fs::write(git_dir.join("config"), config)?;
    fs::write(git_dir.join("HEAD"), format!("{head}\n"))
}

/// A name part that no other writer on this machine uses now.
pub(crate) fn unique() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let since = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_nanos();
    format!("{}-{}-{since:x}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// `<last part of the name>-<20 hexadecimal digits of the whole URL's hash>`.
fn folder_name(source: &Source) -> String {
    let name = source.name();
    let last = name.rsplit('/').find(|part| !part.is_empty()).unwrap_or("repository");
    let slug: String =
        last.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).take(40).collect();
    let mut hash = Sha256::new();
    hash.update(source.to_string());
    // What one token may see is not shown to another: they share no cache.
    if let Some(credentials) = &source.credentials {
        hash.update([0]);
        hash.update(&credentials.user);
        hash.update([0]);
        hash.update(&credentials.password);
    }
    let digits: String = hash.finalize().iter().take(10).map(|byte| format!("{byte:02x}")).collect();
    format!("{slug}-{digits}")
}

fn open_lock(path: &Path) -> Result<File, CheckoutError> {
    File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .map_err(|error| CheckoutError::disk(path, &error))
}

fn newest(folder: &Path) -> Option<u64> {
    let names = fs::read_dir(folder).ok()?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    names.filter_map(|name| name.strip_prefix("git-")?.parse().ok()).max()
}

/// Removes older generations, what was never finished, and a generation that has grown too large. Only called
/// while nobody else uses the folder.
fn sweep(folder: &Path, largest: u64) -> io::Result<()> {
    let newest = newest(folder).map(|newest| format!("git-{newest}"));
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let is_newest = newest.as_deref().is_some_and(|newest| name == newest);
        if name == "lock" {
            continue;
        }
        if !is_newest || is_too_large(&entry.path(), largest) {
            remove(&entry.path())?;
            continue;
        }
        for inner in fs::read_dir(entry.path())? {
            let inner = inner?;
            if inner.file_name().as_encoded_bytes().starts_with(b"incoming-") {
                remove(&inner.path())?;
            }
        }
    }
    Ok(())
}

/// Removes whatever it is.
fn remove(path: &Path) -> io::Result<()> {
    if path.symlink_metadata()?.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }
}

fn is_too_large(generation: &Path, largest: u64) -> bool {
    let Ok(packs) = fs::read_dir(generation.join("objects/pack")) else { return false };
    let sizes: Vec<u64> = packs.filter_map(|pack| Some(pack.ok()?.metadata().ok()?.len())).collect();
    sizes.len() / 2 > MOST_PACKS || sizes.iter().sum::<u64>() > largest
}
