//! Stories through the real binary: repositories made with `git`, a controller that is started, asked, killed.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod bad_input;
mod commands;
mod crash;
mod doctor;
mod examples;
mod from;
#[path = "../../crates/checkout/tests/git/fixture.rs"]
#[expect(dead_code, reason = "the checkout's own tests use the rest")]
mod git_server;
mod kept;
mod lint;
mod push;
mod remote;
mod results;
mod retry;
mod run;
mod stop;
mod support;
