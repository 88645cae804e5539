//! The controller on real git repositories, a memory store, real log files and a stepped clock. No bell rings anywhere
//! here: whatever is told was brought about by calls and ticks alone.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod accepted;
mod artifacts;
mod carried_out;
mod effects;
mod hand_over;
mod house;
mod leases;
mod logs;
mod poisoned;
mod queueing;
mod retention;
mod shortage;
mod store;
mod ticks;
