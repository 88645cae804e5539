//! Logs as people read them: bytes become numbered lines of HTML, a bounded window at a time.

pub(crate) mod style;
pub(crate) mod terminal;
pub(crate) mod window;
