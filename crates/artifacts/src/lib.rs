//! Where logs are kept: the adapters of [`branchline_ports::Artifacts`].
//!
//! [`FolderArtifacts`] keeps each attempt's log as a plain file that any tool can read; [`S3Artifacts`] keeps it in a bucket.

mod folder;
mod handles;
mod lines;
mod log;
mod names;
mod objects;
mod s3;
mod times;

pub use folder::{FolderArtifacts, OpenError};
pub use s3::S3Artifacts;
