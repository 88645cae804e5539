//! The DynamoDB store where things go wrong: calls fail, and items are damaged.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot be set up has failed")]

mod calls;
mod damaged;
#[path = "../support/rows.rs"]
mod rows;
mod tidy;
#[path = "../support/upon.rs"]
mod upon;
