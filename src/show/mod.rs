//! What the terminal shows: lines, tables, logs. All words of it live in `words`.

mod follow;
mod narrate;
mod paint;
mod table;
pub mod words;

pub use follow::{LogFollower, Printed};
pub use narrate::Narrator;
pub use paint::Paint;
pub use table::Table;

/// Prints to standard output; a reader that has closed it has seen enough.
pub fn print(text: &str) -> anyhow::Result<std::process::ExitCode> {
    use std::io::Write;

    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(std::process::ExitCode::SUCCESS),
    }
}
