//! What people read: pages made on the server, whole without any script. Invariant: templates escape what they are given;
//! the only text that is put in as HTML is what
//! [`crate::log`], [`sentence`] and [`markdown`] made. Scripts only look again and append.

pub(crate) mod actions;
pub(crate) mod assets;
pub(crate) mod build;
pub(crate) mod effects;
mod frame;
mod graph;
pub(crate) mod live;
mod log;
pub(crate) mod login;
mod markdown;
pub(crate) mod repositories;
pub(crate) mod repository;
mod results;
pub(crate) mod run;
mod sentence;
mod status;
pub(crate) mod trouble;
pub(crate) mod words;
