//! What programs read and write, under `/api/v1/`. Invariant: an answer is JSON (a log is bytes); unknown queries and
//! fields are refused, never passed over.

pub(crate) mod artifacts;
pub(crate) mod builds;
mod convert;
pub(crate) mod effects;
pub(crate) mod events;
pub(crate) mod health;
pub mod json;
pub(crate) mod log;
pub(crate) mod repositories;
pub(crate) mod runs;
pub(crate) mod start;
pub(crate) mod stream;

pub(crate) use convert::steps as steps_of;
