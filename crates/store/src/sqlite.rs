//! Rows in one SQLite file: opened in `open`, written by one thread in `writer`, read in `reader`; `store` joins them.

mod look;
mod open;
mod pages;
mod reader;
mod salvage;
mod store;
mod writer;

pub use look::SqliteLook;
pub use open::OpenError;
pub use salvage::Salvaged;
pub use store::SqliteStore;
