//! Where logs are kept: the adapters of [`branchline_ports::Artifacts`].
//!
//! [`FolderArtifacts`] keeps each attempt's log as a plain file that any tool can read.

mod folder;
mod handles;
mod lines;
mod log;
mod names;
mod times;

pub use folder::{FolderArtifacts, OpenError};
