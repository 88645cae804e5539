//! What time it is. Invariant: what is recorded is the wall clock's time (CLOCK_REALTIME); what ends something is
//! measured with [`std::time::Instant`] (CLOCK_MONOTONIC) and is not read here.

use std::fs;
use std::io;
use std::time::{SystemTime, UNIX_EPOCH};

use branchline_model::Timestamp;

/// Now, to the millisecond; zero before 1970.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// The kernel's name for the time since the machine was started: another one means that every process from before is
/// gone (random(4), `boot_id`).
///
/// # Errors
/// `/proc` is not there.
pub fn boot_id() -> io::Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned())
}
