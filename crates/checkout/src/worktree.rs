//! A fresh work tree at a commit. Invariants: it is written beside its place and renamed there when it is whole, so
//! what bears its name is never half; nothing outside of it is touched, whatever paths the commit holds; no hook,
//! filter program or other command is run. Updating a work tree that exists is not done here.
//!
//! Its `.git` is complete: steps may run any git command in it. Objects of a local source are borrowed through
//! `objects/info/alternates`; the pack of a remote one is linked from the cache, so the cache may go.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::num::NonZeroU32;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use branchline_model::{CommitId, RefName};
use gix::bstr::{BStr, ByteSlice};
use gix::validate::path::component;

use crate::attended::attend;
use crate::cache::Cache;
use crate::entry::{unique, write_skeleton};
use crate::error::{self, CheckoutError};
use crate::fetch::{self, Fetch};
use crate::files;
use crate::repository;
use crate::source::{Place, Source};
use crate::submodules;

/// What work tree is wanted, and where.
#[derive(Clone, Copy, Debug)]
pub struct WorktreeRequest<'a> {
    /// The repository.
    pub source: &'a Source,
    /// The commit that `HEAD` is detached at.
    pub commit: &'a CommitId,
    /// A ref that reaches the commit, for servers that do not hand out a commit by its id.
    pub ref_name: Option<&'a RefName>,
    /// How many commits of history a remote source is asked for; `None`: all. Of a local source all history is
    /// there at no cost.
    pub depth: Option<NonZeroU32>,
    /// Whether submodules are written too, and theirs.
    pub submodules: bool,
    /// The folder to make; its parent is made too. It may exist if it is empty.
    pub into: &'a Path,
}

/// What was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Files and links, those of submodules included.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Submodules, theirs included.
    pub submodules: usize,
}

/// Words and cancel of one request, handed down to submodules.
pub(crate) struct Watch<'a> {
    pub(crate) cancel: &'a AtomicBool,
    pub(crate) progress: &'a mut dyn FnMut(String),
}

impl Cache {
    /// Writes a fresh work tree.
    ///
    /// `progress` is told, in sentences for a log, what is under way. Once `cancel` is set this returns within about
    /// a second. A process that is killed meanwhile leaves a folder `.<name>.partial-…` beside `into`, never `into`.
    ///
    /// # Errors
    /// The commit cannot be had, holds unsafe paths, the place is taken, the disk fails, or it was cancelled.
    pub fn write_worktree(
        &self,
        request: &WorktreeRequest<'_>,
        cancel: &AtomicBool,
        progress: &mut dyn FnMut(String),
    ) -> Result<Written, CheckoutError> {
        let into = request.into;
        let occupied = match fs::read_dir(into) {
            Ok(mut entries) => entries.next().is_some(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => true,
            Err(error) => return Err(CheckoutError::disk(into, &error)),
        };
        if occupied {
            return Err(CheckoutError::Occupied { path: into.to_owned() });
        }
        let partial = Partial::beside(into)?;
        let written =
            self.write_at(request, &partial.path, 0, &mut Watch { cancel, progress: &mut *progress })?;
        partial.finish(into)?;
        progress(format!("{} files written at {}", written.files, request.commit));
        Ok(written)
    }

    /// Writes into a folder that is there and empty.
    pub(crate) fn write_at(
        &self,
        request: &WorktreeRequest<'_>,
        folder: &Path,
        level: usize,
        watch: &mut Watch<'_>,
    ) -> Result<Written, CheckoutError> {
        let source = request.source;
        let id = repository::object_id(source, request.commit)?;
        let git_dir = folder.join(".git");
        write_skeleton(&git_dir, &config(source), &id.to_string())
            .map_err(|error| CheckoutError::disk(&git_dir, &error))?;
        let shallow = match &source.place {
            Place::Local { git_dir: from, common_dir, .. } => {
                let opened = repository::open_local(source, from)?;
                borrow_objects(common_dir, &git_dir)?;
                fetch::shallow_of(&opened)?
            }
            Place::Remote(_) => self.take_pack(request, &git_dir, watch)?,
        };
        write_shallow(&git_dir, &shallow)?;
        let repository = repository::open(&git_dir).map_err(|error| error::of_local(source, &error))?;
        let mut index = index_of(&repository, source, request.commit, id)?;
        let mut written = write_files(&repository, source, &mut index, folder, watch)?;
        if request.submodules {
            let inner = submodules::write(self, request, &repository, &index, folder, level, watch)?;
            written.files += inner.files;
            written.bytes += inner.bytes;
            written.submodules += inner.submodules;
        }
        Ok(written)
    }

    /// Fetches a remote's commit and puts its pack into the work tree; gives the commits where history ends.
    fn take_pack(
        &self,
        request: &WorktreeRequest<'_>,
        git_dir: &Path,
        watch: &mut Watch<'_>,
    ) -> Result<Vec<gix::ObjectId>, CheckoutError> {
        let Place::Remote(remote) = &request.source.place else { return Ok(Vec::new()) };
        let id = repository::object_id(request.source, request.commit)?;
        let record = fetch::record_name(request.commit, request.depth);
        let entry = self.entry(request.source)?;
        let (entry, whole) = match entry.whole(&record) {
            Some(whole) => (entry, whole),
            None => {
                (watch.progress)(format!("fetching {} from {}", request.commit, request.source));
                let (source, remote, network) =
                    (request.source.clone(), remote.clone(), self.network.clone());
                let (commit, depth) = (request.commit.clone(), request.depth);
                let ref_name = request.ref_name.map(ToString::to_string);
                attend(watch.cancel, watch.progress, move |attendant| {
                    let fetch = Fetch {
                        source: &source,
                        remote: &remote,
                        network: &network,
                        entry: &entry,
                        commit: &commit,
                        ref_name: ref_name.as_deref(),
                        attendant,
                    };
                    let whole = fetch.whole(id, depth)?;
                    Ok((entry, whole))
                })?
            }
        };
        let name = whole.pack.file_name().unwrap_or_default();
        let target = git_dir.join("objects/pack").join(name);
        for ending in ["pack", "idx"] {
            let (from, to) = (whole.pack.with_extension(ending), target.with_extension(ending));
            // A link where cache and work tree are on one file system, a copy elsewhere.
            if fs::hard_link(&from, &to).is_err() {
                fs::copy(&from, &to).map_err(|error| CheckoutError::disk(&to, &error))?;
            }
        }
        // Until here the entry kept the pack from being swept.
        drop(entry);
        Ok(whole.shallow)
    }
}

/// The folder that a work tree grows in; removed unless it was finished.
struct Partial {
    path: PathBuf,
}

impl Partial {
    fn beside(into: &Path) -> Result<Self, CheckoutError> {
        let parent = match into.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let name = into.file_name().unwrap_or_default().to_string_lossy();
        let path = parent.join(format!(".{name}.partial-{}", unique()));
        fs::create_dir_all(&path).map_err(|error| CheckoutError::disk(&path, &error))?;
        Ok(Self { path })
    }

    fn finish(self, into: &Path) -> Result<(), CheckoutError> {
        // The partial folder is gone then, and dropping it finds nothing.
        fs::rename(&self.path, into).map_err(|error| match error.kind() {
            io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists => {
                CheckoutError::Occupied { path: into.to_owned() }
            }
            _ => CheckoutError::disk(into, &error),
        })
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.path));
    }
}

fn config(source: &Source) -> Vec<u8> {
    let mut config =
        b"[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = false\n[remote \"origin\"]\n\turl = "
            .to_vec();
    match &source.place {
        Place::Local { shown, .. } => config.extend(quoted(shown.as_os_str().as_bytes())),
        Place::Remote(remote) => config.extend(quoted(remote.to_string().as_bytes())),
    }
    config.extend_from_slice(b"\n\tfetch = +refs/heads/*:refs/remotes/origin/*\n");
    config
}

/// A value in double quotes, as git-config(1) and the alternates file read it.
pub(crate) fn quoted(value: &[u8]) -> Vec<u8> {
    let mut out = vec![b'"'];
    for byte in value {
        match byte {
            b'"' | b'\\' => out.extend([b'\\', *byte]),
            b'\n' => out.extend(b"\\n"),
            b'\t' => out.extend(b"\\t"),
            _ => out.push(*byte),
        }
    }
    out.push(b'"');
    out
}

fn borrow_objects(common_dir: &Path, git_dir: &Path) -> Result<(), CheckoutError> {
    let objects = common_dir.join("objects");
    let bytes = objects.as_os_str().as_bytes();
    // Quotes are only read as such where the line begins with one.
    let mut line =
        if bytes.contains(&b'\n') || bytes.starts_with(b"\"") { quoted(bytes) } else { bytes.to_vec() };
    line.push(b'\n');
    let path = git_dir.join("objects/info/alternates");
    fs::write(&path, line).map_err(|error| CheckoutError::disk(&path, &error))
}

fn write_shallow(git_dir: &Path, shallow: &[gix::ObjectId]) -> Result<(), CheckoutError> {
    if shallow.is_empty() {
        return Ok(());
    }
    let path = git_dir.join("shallow");
    let text: String = shallow.iter().map(|id| format!("{id}\n")).collect();
    fs::write(&path, text).map_err(|error| CheckoutError::disk(&path, &error))
}

/// The index of a commit's tree, every path in it found harmless.
fn index_of(
    repository: &gix::Repository,
    source: &Source,
    commit: &CommitId,
    id: gix::ObjectId,
) -> Result<gix::index::File, CheckoutError> {
    let unsafe_tree = |why: String| CheckoutError::UnsafeTree {
        repository: source.to_string(),
        commit: commit.clone(),
        why,
    };
    let tree = files::tree_of(repository, id).map_err(|lack| lack.into_error(source.to_string(), commit))?;
    let state = gix::index::State::from_tree(&tree, &repository.objects, strict()).map_err(|error| {
        let why = error::whole_story(&error);
        let refused = error.iter_errors().any(|part| part.downcast_ref::<component::Error>().is_some());
        if refused || error.is_validation() { unsafe_tree(why) } else { error::of_local(source, &error) }
    })?;
    refuse_conflicts(&state).map_err(unsafe_tree)?;
    Ok(gix::index::File::from_state(state, repository.index_path()))
}

/// The rules for path parts of all systems but those that only Windows has: no `..`, no `.git` in any spelling.
fn strict() -> component::Options {
    component::Options { protect_windows: cfg!(windows), protect_hfs: true, protect_ntfs: true }
}

/// A tree that git never makes may hold `a` as a link and `a/b` as a file: written in that order, `b` would land
/// wherever the link points. gix's index leaves this check to its caller.
fn refuse_conflicts(state: &gix::index::State) -> Result<(), String> {
    let mut paths: HashSet<&BStr> = HashSet::with_capacity(state.entries().len());
    for entry in state.entries() {
        let path = entry.path(state);
        if !paths.insert(path) {
            return Err(format!("it holds `{path}` twice"));
        }
    }
    for entry in state.entries() {
        let path = entry.path(state);
        for (at, _) in path.iter().enumerate().filter(|(_, byte)| **byte == b'/') {
            if paths.contains(&path[..at].as_bstr()) {
                return Err(format!("it holds `{}` both as a file and as a folder", path[..at].as_bstr()));
            }
        }
    }
    Ok(())
}

fn write_files(
    repository: &gix::Repository,
    source: &Source,
    index: &mut gix::index::File,
    folder: &Path,
    watch: &mut Watch<'_>,
) -> Result<Written, CheckoutError> {
    let failed = |error: &gix::Error| {
        let own = error.iter_errors().find_map(|part| part.downcast_ref::<io::Error>());
        match own {
            Some(own) if own.raw_os_error().is_some() => {
                CheckoutError::disk(folder, &error::whole_story(error))
            }
            _ => error::of_local(source, error),
        }
    };
    (watch.progress)(format!("writing {} files", index.entries().len()));
    let mut options = repository
        .checkout_options(gix::worktree::stack::state::attributes::Source::IdMapping)
        .map_err(|error| failed(&error))?;
    options.destination_is_initially_empty = true;
    options.validate = strict();
    let objects =
        repository.objects.clone().into_arc().map_err(|error| CheckoutError::disk(folder, &error))?;
    let outcome = gix::worktree::state::checkout(
        index,
        folder,
        objects,
        &gix::progress::Discard,
        &gix::progress::Discard,
        watch.cancel,
        options,
    )
    .map_err(|error| failed(&error))?;
    if watch.cancel.load(Ordering::Relaxed) {
        return Err(CheckoutError::Cancelled);
    }
    if let Some(record) = outcome.errors.first() {
        return Err(CheckoutError::disk(&folder.join(record.path.to_path_lossy()), &record.error));
    }
    if let Some(collision) = outcome.collisions.first() {
        let path = folder.join(collision.path.to_path_lossy());
        return Err(CheckoutError::disk(&path, &"another path of the commit has the same name on this disk"));
    }
    index.write(gix::index::write::Options::default()).map_err(|error| failed(&error))?;
    Ok(Written { files: outcome.files_updated, bytes: outcome.bytes_written, submodules: 0 })
}
