//! The controller: receive, resolve, decide, perform, tick.
//!
//! It joins the ports with the pure core and knows no adapter: what runs in a cloud function and what runs in one
//! process is this same code. Each call reads, decides, and commits on what it read; where something changed meanwhile
//! it reads and decides again, a bounded number of times.

mod advance;
mod claim;
mod commit;
mod controller;
mod deadlines;
mod directory;
mod explain;
mod facts;
mod hand_over;
mod hints;
mod lease;
mod logs;
mod looks;
mod lost;
mod perform;
mod read;
mod receive;
mod remake;
mod resolve;
mod retention;
mod shortage;
mod silence;
mod start;
mod stop;
mod tick;
mod until;
mod upload;
mod work;

pub use commit::ControllerError;
pub use controller::{Controller, Ports};
pub use facts::answer as ask_git;
pub use perform::{Effects, Letter};
pub use read::{AttemptView, BuildList, BuildView, RepositoryView, RunView};
pub use receive::{ObserveError, Observed};
pub use resolve::{Resolved, check};
pub use shortage::{Place, Shortage};
pub use start::{LocalStart, StartError, StartRequest, Started};
pub use stop::{CancelError, Cancelled};
pub use tick::{Failure, Part, Ticked};
pub use upload::UploadError;
