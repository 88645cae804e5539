//! A worker: claims runs, has each carried out by a supervisor of its own in an attempt directory, follows the log and the
//! state by byte offset, and reports. It is what `branchline up` and `branchline run` share.
//!
//! Invariant: whatever a worker knows of an attempt is in its directory or with the controller; so a worker that is killed
//! at any moment is replaced by the next one, which asks what it holds and goes on.
//!
//! It does not plan, does not read git itself (that is [`Workspaces`]), and does not run steps itself (that is the supervisor).

mod attempt;
mod backoff;
mod bell;
mod config;
mod deliver;
mod follow;
mod gather;
mod handle;
mod heartbeat;
mod machine;
mod needs;
mod open;
mod prepare;
mod slots;
mod worker;
mod workspaces;

pub use config::{Drain, WorkerConfig, WorkerError, Workspace};
pub use handle::WorkerHandle;
pub use heartbeat::HEARTBEAT;
pub use worker::Worker;
pub use workspaces::Workspaces;
