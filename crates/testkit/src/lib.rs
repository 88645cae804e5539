//! What tests share. Only ever a dev-dependency.
//!
//! [`conformance`] says what every back end of a port must do, one situation a function; `store_conformance!` and
//! `artifacts_conformance!` make each situation a named test of a back end. [`SteppedClock`] stands until a test
//! steps it. [`PoisonedStore`] makes rows unreadable. [`emulator`] starts a DynamoDB.
//! Fakes do not live here: a test uses the real thing.

mod clock;
pub mod conformance;
pub mod emulator;
mod poisoned;

pub use clock::SteppedClock;
pub use poisoned::PoisonedStore;
