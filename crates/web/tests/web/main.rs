//! The router, asked as browsers and programs ask it. Rows are written by the controller itself, logs by its workers'
//! protocol; only git is a table in memory, because what is tested here lies before it.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "what tests share fails a test by panicking, as the tests themselves do"
)]

mod access;
mod browser;
mod damage;
mod effects;
mod pages;
mod programs;
mod results;
mod site;
mod streams;
