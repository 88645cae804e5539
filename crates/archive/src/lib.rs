//! Files of a workspace, chosen by globs, into an archive and out again.
//!
//! A step may have left anything in its workspace, and may have left it there on purpose: links that lead elsewhere, devices, pipes. So
//! every folder is opened in its parent and every file in its folder, and no link is ever followed: what is packed was in the workspace, also
//! where somebody changes it meanwhile. An archive is a gzipped tar of files and links; one that is unpacked makes nothing outside of
//! the folder that it is unpacked into, whoever packed it. Memory is bounded by one buffer, however large a file is.

mod choice;
mod error;
mod hashing;
mod link;
mod pack;
mod unpack;
mod walk;

pub use choice::Choice;
pub use error::ArchiveError;
pub use pack::{Packed, pack};
pub use unpack::{Unpacked, unpack};
pub use walk::read_chosen;
