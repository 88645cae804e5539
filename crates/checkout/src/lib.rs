//! Git, through gix: where a repository's refs point, which pipeline files a commit holds, what it changed, a work
//! tree at a commit, and a watch on a local repository's refs.
//!
//! Everything here blocks: callers on an async runtime use `spawn_blocking`. No `git` process is started; an
//! `ssh://` source runs `ssh`, as git does. A local repository is opened where it is; a remote one is fetched
//! into a [`Cache`] that may be lost at any time.
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use branchline_checkout::{Cache, Network, Source, heads};
//!
//! branchline_checkout::install_tls();
//! let source = Source::parse("https://github.com/acme/app")?;
//! let network = Network::default();
//! let cache = Cache::open("cache", network.clone())?;
//! for (name, commit) in heads(&source, &network)?.refs {
//!     let found = cache.files_at(&source, &commit, Some(&name), ".branchline", &[".yaml", ".yml"])?;
//!     println!("{name}: {} pipelines", found.files.len());
//! }
//! # Ok(())
//! # }
//! ```

mod attended;
mod cache;
mod changes;
mod entry;
mod error;
mod fetch;
mod files;
mod heads;
mod network;
mod port;
mod repository;
mod source;
mod sources;
mod submodules;
mod url;
mod watch;
mod worktree;

pub use cache::Cache;
pub use changes::{MOST_CHANGES, file_id};
pub use error::CheckoutError;
pub use files::{CommitInfo, FileProblem, FolderFiles, FoundFile, LARGEST_FILE, LONGEST_MESSAGE, MOST_FILES};
pub use heads::{Heads, heads};
pub use network::{Network, install_tls};
pub use port::GitCheckout;
pub use source::{Credentials, Source, SourceError};
pub use sources::Sources;
pub use watch::{RefWatch, WatchError};
pub use worktree::{WorktreeRequest, Written};
