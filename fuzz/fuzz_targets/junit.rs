//! Any bytes are a report or an error, within bounds of memory.
#![no_main]

use branchline_reports::{Limits, read_junit};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut input = bytes;
    let _ = read_junit(&mut input, Limits::default(), |_| {});
});
