//! The commands, one file each.

pub mod artifacts;
pub mod build;
pub mod builds;
pub mod cancel;
pub mod demo;
pub mod doctor;
pub mod effects;
pub mod explain;
pub mod init;
pub mod lint;
pub mod logs;
pub mod plan;
pub mod run;
pub mod start;
pub mod up;

use crate::client::Named;

/// Reads the name of a build or run; where it is none, says so.
fn named(text: &str, run: bool) -> Option<Named> {
    match Named::parse(text) {
        Ok(named) if named.run.is_some() == run => Some(named),
        Ok(_) if run => {
            crate::say(&format!("error: `{text}` is a build: name a run of it, as {text}/test or {text}/1"));
            None
        }
        Ok(_) => {
            crate::say(&format!("error: `{text}` is a run: name its build alone"));
            None
        }
        Err(error) => {
            crate::say(&format!("error: {error}"));
            None
        }
    }
}
