//! The decisions, pure: event → intent → plan.
//!
//! Every function here is total and synchronous. It is given what was read (with versions), what happened, the
//! time and fresh ids, and answers with a [`Plan`](branchline_model::Plan). It does no I/O, reads no clock, draws no
//! random number and logs nothing; so the same facts always give the same plan.

pub mod advance;
pub mod attempt;
pub mod build;
mod cells;
pub mod claim;
mod context;
mod create;
pub mod doctor;
pub mod effect;
pub mod facts;
pub mod inputs;
pub mod intent;
mod kept;
pub mod late;
pub mod lease;
pub mod missing;
pub mod needs;
pub mod not_yet;
pub mod outcome;
pub mod pace;
pub mod pools;
pub mod queue;
pub mod refs;
pub mod remake;
pub mod results;
pub mod retention;
pub mod retry;
pub mod rundef;
pub mod start;
pub mod stop;
pub mod transition;
pub mod unblock;
pub mod upload;
