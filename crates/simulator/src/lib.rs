//! The simulator: core and controller on the worst store there may be, under stepped time and a seeded schedule of
//! faults. After each history every promise of the house is checked ([docs/reliability.md]).
//!
//! A tool for developers: nothing of the product links it.
//!
//! [docs/reliability.md]: ../../../docs/reliability.md

mod actors;
mod chance;
mod coverage;
mod fault;
mod git;
mod history;
mod house;
mod ledger;
mod logs;
mod mutate;
mod mutations;
mod objects;
mod oracle;
mod pipelines;
mod remote;
mod schedule;
mod serve;
mod speech;
mod store;
mod table;
mod turn;
mod watch;
mod whole;
mod wire;
mod worker;
mod world;

pub use coverage::{Coverage, Transition};
pub use fault::Fault;
pub use history::{Ground, LEAST_FAULTS, Verdict, simulate, simulate_kills};
pub use mutate::{Found, try_mutations};
pub use mutations::{MUTATIONS, Mutation};
pub use remote::SERVE;
pub use serve::serve_store;
pub use whole::{COMMIT_FAULTS, missing, operations, transitions};
