//! The controller in one process: the adapters joined, and the loops that drive it.

mod bell;
mod checkup;
mod clock;
mod data;
mod drive;
mod limits;
mod loops;
mod signals;
mod watch;
mod working_tree;
mod workspaces;

pub use bell::EmbeddedBell;
pub use checkup::{Checkup, Complaint, check_up};
pub use clock::SystemClock;
pub use data::{Data, DataError};
pub use drive::{Embedded, EmbeddedConfig, Listening};
pub use limits::raise_open_files;
pub use loops::Loops;
pub use signals::Signals;
pub use watch::{Watched, watch};
pub use working_tree::{Head, WorkingTree, files_in, read_file};
pub use workspaces::GitWorkspaces;
