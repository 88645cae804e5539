//! Any text says times or is a mistake whose bytes are its own.
#![no_main]

use branchline_jobs_schema::Cron;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Err(error) = text.parse::<Cron>() {
        assert!(text.get(error.at..error.at + error.length).is_some(), "{error}");
    }
});
