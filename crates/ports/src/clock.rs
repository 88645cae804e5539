//! Time and chance, injected, so that tests and the simulator can step them.

use branchline_model::Timestamp;

/// Reads the time and makes ids.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Timestamp;

    /// A text that was never given out before: letters and digits; those of a later millisecond sort later.
    fn fresh_id(&self) -> String;
}
