//! Rows in one DynamoDB table. `table` says what DynamoDB can do, as a trait of few calls; `memory_table` does it in
//! memory, with limits, prices and faults; `sdk_table` does it in an AWS account, with items laid out by `layout`; `store` is the port upon it: `commit` for what one call can
//! write, `journal` for what it cannot, `read` for rows as they count.

mod backoff;
mod body;
mod commit;
mod item;
mod journal;
mod large;
mod layout;
mod memory_table;
mod read;
mod sdk_table;
mod store;
mod table;
mod tidy;
mod units;
mod version;

pub use backoff::{Pause, Sleep};
pub use item::{Body, Content, Item, LARGEST_VERSION, Mark, NO_VERSION, Next, Stored};
pub use journal::PATIENCE;
pub use large::{BodiesUnavailable, LargeBodies, MemoryBodies, ObjectBodies};
pub use memory_table::{Call, Faults, MemoryTable};
pub use sdk_table::SdkTable;
pub use store::DynamoStore;
pub use table::{
    Cause, Condition, Got, LARGEST_ITEM, MOST_BYTES, MOST_KEYS, MOST_REMOVED, MOST_WRITES, QUERY_BYTES,
    Queried, Query, Table, TableError, Write,
};
pub use units::{Usage, read_units, write_units};
