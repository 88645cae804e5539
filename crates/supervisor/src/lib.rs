//! The attempt directory, and the detached supervisor that carries out its steps.
//!
//! An attempt is a directory that is made once, by `mkdir` (or, at less cost, from a spare one: [`Spares`]). A supervisor, one process that outlives whoever started
//! it, runs the steps of the run definition in it and writes down what happens: the log as raw bytes, the time of
//! each line, and one line of JSON for each change of state. Everyone else follows by byte offset, so a follower may
//! die at any time, and the next one goes on without losing or repeating a byte.
//!
//! | name | holds |
//! | --- | --- |
//! | `definition.json` | the run definition |
//! | `workspace` | where the steps work; a link, where they work in a tree that exists |
//! | `steps/000.sh` … | the scripts |
//! | `log` | what the steps print, and lines in front that say what this is; only ever appended to |
//! | `times` | 16 bytes for each chunk in which a line begins: offset and milliseconds, little-endian |
//! | `state` | lines of JSON: began, step began, step ended, ended; only ever appended to |
//! | `lock` | locked by the supervisor that lives, or by who prepares the attempt or ends it in a dead one's place |
//! | `stop` | the order to stop |
//! | `orders` | a FIFO: a byte makes the supervisor look for `stop` |
//! | `bell` | a FIFO: a byte tells the follower that something changed; its end, that the supervisor is gone |
//! | `output`, `summary` | what the steps say through `BRANCHLINE_OUTPUT` and `BRANCHLINE_SUMMARY` |
//! | `artifacts` | what the jobs that this one needs have made, where they made any |
//! | `archives` | what was packed to be kept, once the steps have ended |
//! | `errors` | the supervisor's own stderr: empty, if all is well |
//!
//! # What survives what
//! `kill -9` of any process loses nothing: what was written is in the kernel's page cache. Nothing is synced to the
//! disk here, and nothing needs to be: a crash of the whole machine ends every process too, so whoever holds
//! attempts from before it (the kernel's boot id tells) must not believe that a directory which says nothing was begun
//! is right; it says that their supervisors are lost. A step is therefore never run twice, at no cost per run.
//!
//! This crate knows nothing of builds, queues or leases, and does nothing asynchronously: a supervisor is one thread.

mod attend;
mod clock;
mod condition;
mod directory;
mod entry;
mod environment;
mod error;
mod follow;
mod held;
mod lock;
mod log;
mod orders;
mod place;
mod processes;
mod remove;
mod script;
mod signals;
mod spare;
mod spawner;
mod state;
mod steps;
mod supervise;

pub use clock::boot_id;
pub use condition::holds;
pub use directory::{AttemptDirectory, Claimed};
pub use entry::{SPAWNER_WORD, SUPERVISOR_WORD, main_if_asked};
pub use environment::MARKER;
pub use error::DirectoryError;
pub use follow::{Follower, LogPiece};
pub use held::Held;
pub use log::LogWriter;
pub use orders::StopOrder;
pub use place::{NOTE_MARK, Place};
pub use processes::{kill_leftovers, leftovers};
pub use remove::remove;
pub use spare::{Cleared, Spares};
pub use spawner::{SpawnError, Spawner};
pub use state::{Ended, Observed};
pub use supervise::{Supervised, supervise};
