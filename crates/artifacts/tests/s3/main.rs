//! The bucket: what the port says, what S3 must do for it, and what happens when anything fails in between.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot be set up has failed")]

mod bodies;
mod crashes;
mod damage;
mod emulator;
mod memory;
mod promises;
mod requests;
mod signed;
mod writers;

mod conformance {
    use crate::emulator::opened;

    branchline_testkit::artifacts_conformance!(opened());
}
