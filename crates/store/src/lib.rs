//! Where rows are kept: the adapters of [`branchline_ports::Store`].
//!
//! [`SqliteStore`] is one file on a disk, for a controller on one machine: one writer with group commit, and readers
//! that never wait for it. [`dynamo::DynamoStore`] is one DynamoDB table, for a controller made of cloud functions.
//! [`MemoryStore`] holds rows until it is dropped: for tests and `branchline run`. All pass the same conformance suite.

mod commit;
mod decode;
pub mod dynamo;
mod memory;
mod range;
mod sqlite;

pub use memory::MemoryStore;
pub use sqlite::{OpenError, Salvaged, SqliteLook, SqliteStore};
