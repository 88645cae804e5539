//! Where words go: results to stdout, complaints to stderr.
//!
//! A closed pipe must not end a test run half way, so a failed write is deliberately let go.

use std::io::{IsTerminal, Write, stderr, stdout};

/// Writes one line to stdout.
pub fn say(line: &str) {
    let mut out = stdout().lock();
    let _ = writeln!(out, "{line}");
    let _ = out.flush();
}

/// Writes one error to stderr.
pub fn complain(line: &str) {
    let _ = writeln!(stderr().lock(), "error: {line}");
}

/// Announces a step, set apart from the output above it.
pub fn heading(title: &str) {
    say(&format!("\n==> {title}"));
}

/// Whether the output of tools that are listened to may carry colours.
pub fn colours() -> bool {
    stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
