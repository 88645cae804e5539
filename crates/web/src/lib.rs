//! Branchline over HTTP: a JSON interface under `/api/v1/` and server-rendered pages, in one router.
//!
//! [`router`] answers requests and nothing else: it starts nothing in the background and keeps nothing between two
//! requests, so the same router serves one machine and a cloud function. Every route is closed unless [`routes`] says
//! that it is open. [`json`] holds what programs read and write, for clients in Rust too.
//!
//! What it deliberately does not do: listen, speak TLS, or decide anything about builds.

mod access;
mod api;
mod changes;
mod edge;
mod failure;
mod guard;
mod headers;
mod log;
mod page;
mod watching;
mod web;

pub use access::{Access, AccessError};
pub use api::json;
pub use web::{RouteEntry, Web, router, routes};
