//! `cargo xtask <command>`: what a developer runs on a checkout.
//!
//! One file per command; this one only chooses. Nothing here depends on a crate of the house or of the registry, so
//! that the command stands within seconds on a fresh clone.
//!
//! Exit codes: 0 all is well; 1 something that was checked is wrong; 2 it could not be checked (misuse, something
//! missing on this machine).

mod arguments;
mod bench;
mod cargo;
mod cli_reference;
mod emulator;
mod generate;
mod ignored;
mod needs;
mod schema;
mod simulate;
mod step;
mod summary;
mod tally;
mod terminal;
mod test;

use std::process::ExitCode;

use arguments::Command;

fn main() -> ExitCode {
    let command = match arguments::parse(std::env::args_os().skip(1)) {
        Ok(command) => command,
        Err(misuse) => return could_not(&misuse),
    };
    if command == Command::Help {
        terminal::say(&arguments::help());
        return ExitCode::SUCCESS;
    }
    let root = match cargo::workspace_root() {
        Ok(root) => root,
        Err(error) => return could_not(&error),
    };
    match command {
        Command::Help => ExitCode::SUCCESS,
        Command::Test => test::run(&root),
        Command::Simulate { arguments } => simulate::run(&root, &arguments),
        Command::Bench { name } => bench::run(&root, name),
        Command::Schema => schema::run(&root),
        Command::Generate { check } => generate::run(&root, check),
    }
}

fn could_not(error: &dyn std::error::Error) -> ExitCode {
    terminal::complain(&error.to_string());
    ExitCode::from(2)
}
