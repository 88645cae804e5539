//! A watch on a local repository's refs. Invariant: it only ever says "look now"; a word too much or too little is
//! harmless, since whoever asked compares the refs in any case. A folder that vanishes is waited for, and watched
//! again when it is back.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher};

use crate::source::{Place, Source};

/// How often it is checked that the watched folders are still the same ones.
const CHECK: Duration = Duration::from_secs(1);

/// Why refs cannot be watched. Comparing them at intervals works all the same.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WatchError {
    /// A remote's refs cannot be watched.
    #[error("`{repository}` is not on this machine: its refs can only be compared at intervals")]
    NotLocal {
        /// Which repository.
        repository: String,
    },
    /// The system has no watch for us.
    #[error("`{folder}` cannot be watched ({why}): on Linux, see fs.inotify.max_user_watches and _instances")]
    Unavailable {
        /// Which folder.
        folder: String,
        /// What the system said.
        why: String,
    },
}

/// Watches as long as it lives.
#[derive(Debug)]
pub struct RefWatch {
    words: Sender<Word>,
    thread: Option<JoinHandle<()>>,
}

enum Word {
    Look,
    Stop,
}

/// A watched folder, and which one it was.
#[derive(Debug, PartialEq, Eq)]
struct Watched {
    path: PathBuf,
    is_deep: bool,
    identity: Option<(u64, u64)>,
}

impl RefWatch {
    /// Calls `look` whenever a ref of a local repository may have moved: at once for the first sign, then once more
    /// for all signs that came while it ran. It is called in a thread of its own.
    ///
    /// # Errors
    /// The source is remote, or the system refuses a watch.
    pub fn start(source: &Source, look: impl Fn() + Send + 'static) -> Result<Self, WatchError> {
        let Place::Local { git_dir, common_dir, .. } = &source.place else {
            return Err(WatchError::NotLocal { repository: source.to_string() });
        };
        let unavailable = |error: &dyn ToString| WatchError::Unavailable {
            folder: git_dir.display().to_string(),
            why: error.to_string(),
        };
        let (words, heard) = mpsc::channel();
        let folders = Folders { git_dir: git_dir.clone(), common_dir: common_dir.clone() };
        let mut watcher = {
            let (words, folders) = (words.clone(), folders.clone());
            notify::recommended_watcher(move |event: notify::Result<Event>| {
                // An error (a full queue) may have swallowed the sign of a move.
                if event.is_ok_and(|event| !folders.concerns(&event)) {
                    return;
                }
                drop(words.send(Word::Look));
            })
            .map_err(|error| unavailable(&error))?
        };
        let mut watched = folders.now();
        for folder in &watched {
            watch(&mut watcher, folder).map_err(|error| unavailable(&error))?;
        }
        let run = move || {
            loop {
                let is_sign = match heard.recv_timeout(CHECK) {
                    Ok(Word::Look) => true,
                    Ok(Word::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                    Err(RecvTimeoutError::Timeout) => false,
                };
                // All that came until now is answered by one look.
                while let Ok(word) = heard.try_recv() {
                    if matches!(word, Word::Stop) {
                        return;
                    }
                }
                let now = folders.now();
                let has_changed = now != watched;
                if has_changed {
                    for folder in &watched {
                        drop(watcher.unwatch(&folder.path));
                    }
                    // What cannot be watched now is tried again at the next check, since it is left out here.
                    watched = now.into_iter().filter(|folder| watch(&mut watcher, folder).is_ok()).collect();
                }
                if is_sign || has_changed {
                    look();
                }
            }
        };
        let thread = std::thread::Builder::new()
            .name("ref-watch".to_owned())
            .spawn(run)
            .map_err(|error| unavailable(&error))?;
        Ok(Self { words, thread: Some(thread) })
    }
}

impl Drop for RefWatch {
    fn drop(&mut self) {
        drop(self.words.send(Word::Stop));
        if let Some(thread) = self.thread.take() {
            // Dropped by its own callback it cannot wait for itself.
            if thread.thread().id() != std::thread::current().id() {
                drop(thread.join());
            }
        }
    }
}

fn watch(watcher: &mut RecommendedWatcher, folder: &Watched) -> notify::Result<()> {
    let mode = if folder.is_deep { RecursiveMode::Recursive } else { RecursiveMode::NonRecursive };
    watcher.watch(&folder.path, mode)
}

/// Where a repository's refs are: `HEAD` in the git folder (a linked work tree has its own), the rest in the common
/// one.
#[derive(Clone, Debug)]
struct Folders {
    git_dir: PathBuf,
    common_dir: PathBuf,
}

impl Folders {
    /// The folders to watch that exist now.
    fn now(&self) -> Vec<Watched> {
        let mut folders = vec![(self.common_dir.clone(), false)];
        if self.git_dir != self.common_dir {
            folders.push((self.git_dir.clone(), false));
        }
        folders.push((self.common_dir.join("refs"), true));
        folders.push((self.common_dir.join("reftable"), true));
        folders
            .into_iter()
            .filter_map(|(path, is_deep)| {
                let identity = identity(&path)?;
                Some(Watched { path, is_deep, identity: Some(identity) })
            })
            .collect()
    }

    /// Whether an event may mean that a ref moved. Lock files come and go around each move, and also around the
    /// index, objects and logs, which are none of our business.
    fn concerns(&self, event: &Event) -> bool {
        if event.kind.is_access() {
            return false;
        }
        event.need_rescan() || event.paths.is_empty() || event.paths.iter().any(|path| self.is_ref(path))
    }

    fn is_ref(&self, path: &Path) -> bool {
        if path.extension().is_some_and(|extension| extension == "lock") {
            return false;
        }
        let is_named = path.file_name().is_some_and(|name| name == "HEAD" || name == "packed-refs");
        let is_inside =
            ["refs", "reftable"].iter().any(|folder| path.starts_with(self.common_dir.join(folder)));
        is_named || is_inside || path == self.git_dir || path == self.common_dir
    }
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    let metadata = path.metadata().ok().filter(std::fs::Metadata::is_dir)?;
    Some((metadata.dev(), metadata.ino()))
}
