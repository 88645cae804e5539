//! The core, told as conversations and as properties.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod absence;
mod decisions;
mod doctor;
mod leases;
#[cfg(test)]
mod planning;
mod queueing;
mod whatever_happens;
mod world;
