//! Commits of more rows than one transaction holds. Invariant: such a commit happens in one moment, when its journal's
//! header becomes `committed`; before it no reader sees any of it, after it every reader sees all, wherever whoever
//! makes it dies.
//!
//! A transaction holds 100 items and 4 MB. Larger commits are made as Percolator's are (Peng and Dabek 2010), with one
//! row, the header, in the place of its primary lock:
//!
//! 1. The **header** is written, `open`, under the commit's id.
//! 2. The rows, in the order of their keys, are **marked** slice by slice, one transaction for each. It marks every
//!    row of the slice under the commit's condition on it (a mark keeps the row as it was beside what it is to become;
//!    where nothing was, a mark alone keeps the place), writes the *slice*, an item that names those rows, and moves
//!    the header on by one version, under the condition that nobody else has touched it.
//! 3. **The commit point**: one conditional write makes the header `committed`.
//! 4. The marks are **applied** slice by slice, one transaction for each: every row becomes what it is to be, and the
//!    slice is removed. When no slice is left, the header is removed.
//!
//! Why that holds:
//! - A row is marked as long as the slice that names it is there, because one transaction makes both and one removes
//!   both. A slice is made only while the header is open and unmoved, and the header is removed only when it is not
//!   open and no slice is left. So behind every mark there is a header that says what it is worth, and whoever meets
//!   one can do the rest.
//! - A marked row is written by nobody but its journal: every other write asks for a row without a mark. (What is
//!   discarded goes without being asked; by the port's words nobody looks at it any more.) So at the
//!   commit point every condition still holds, those of rows that are only checked too (they are marked as well).
//! - The header's versions fence: who was slow finds it moved, and neither marks nor commits any more.
//! - Once the header is not open it never becomes open or anything else again, so applying and undoing cannot mix;
//!   each slice's transaction is made once, because it removes the slice.
//!
//! A writer that meets a mark passes the journal (`finish`): it applies what is committed, undoes what is aborted, and
//! aborts what nobody has moved for [`PATIENCE`]; it waits a little for what is open and alive, and then is refused,
//! as for any other conflict. Rows are marked in the order of their keys, so that of two journals the later one meets
//! the earlier early, with few marks to undo. Readers never wait and write nothing (`read`). What nobody meets is
//! found by the tick (`tidy`).
//!
//! Deliberately not done: a row is not kept locked by a header that lives on; no clock decides what is seen: one that
//! is wrong only makes a journal be aborted too early or too late.

mod finish;
mod write;

use std::time::Duration;

use branchline_model::{Key, Timestamp};
use branchline_ports::StoreError;
use serde::{Deserialize, Serialize};

use super::item::{Body, Content, Item, Stored};

pub(super) use finish::Passing;

/// A journal that is open and was not moved for so long is taken for dead, and aborted by who meets it.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// The partition of the headers, and of the notes about large bodies (see `tidy`).
pub(super) const HEADERS: &str = "journals";
/// The format of headers and slices.
const FORMAT: u32 = 1;

/// What a journal is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    /// Nothing of it counts yet.
    Open,
    /// All of it counts.
    Committed,
    /// Nothing of it will ever count.
    Aborted,
}

/// The one item that decides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Header {
    pub(super) state: State,
    /// When whoever writes it last moved it on.
    touched: Timestamp,
}

/// Which rows are marked together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Slice {
    /// Their keys, as partition and sort key.
    rows: Vec<(String, String)>,
}

/// Where a journal's header is.
pub(super) fn header_key(id: &str) -> Key {
    Key::new(HEADERS, id)
}

/// The partition of a journal's slices.
fn slices(id: &str) -> String {
    format!("journal/{id}")
}

fn slice_key(id: &str, number: usize) -> Key {
    Key::new(slices(id), format!("slice/{number:06}"))
}

impl Header {
    pub(super) fn of(item: &Item) -> Result<Self, StoreError> {
        read(item)
    }

    fn item(&self, id: &str, version: u64) -> Result<Item, StoreError> {
        item(header_key(id), id, version, self)
    }
}

impl Slice {
    fn keys(&self) -> Vec<Key> {
        self.rows.iter().map(|(partition, sort)| Key::new(partition.as_str(), sort.as_str())).collect()
    }
}

/// An item of a journal's own.
pub(super) fn item(key: Key, id: &str, version: u64, value: &impl Serialize) -> Result<Item, StoreError> {
    let json = serde_json::to_string(value);
    let json =
        json.map_err(|error| StoreError::Refused { key: key.clone(), why: format!("its JSON: {error}") })?;
    let body = Body { format: FORMAT, content: Content::Plain(json) };
    Ok(Item::unmarked(key, Stored { version: Some(version), commit: id.to_owned(), body }))
}

pub(super) fn read<'i, V: Deserialize<'i>>(item: &'i Item) -> Result<V, StoreError> {
    let wrong = |why: &str| StoreError::Unreadable { key: item.key.clone(), why: why.to_owned() };
    let stored = item.now.as_ref().ok_or_else(|| wrong("a part of a journal is marked"))?;
    match &stored.body {
        Body { format: FORMAT, content: Content::Plain(json) } => {
            serde_json::from_str(json).map_err(|error| wrong(&format!("its JSON: {error}")))
        }
        Body { format, .. } => {
            Err(wrong(&format!("it is a part of a journal of the unknown format {format}")))
        }
    }
}
