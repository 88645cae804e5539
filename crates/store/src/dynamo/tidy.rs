//! What commits leave behind: journals that were cut off and that nobody met since, and large bodies that no row names,
//! because their commit was refused, or their row was written over or removed later. Invariant: a body that a row
//! names, or will name when a commit that is under way is made, is never removed; and none is forgotten.
//!
//! - A commit writes a *note* of its large bodies before it puts the first of them, and asks for the note with the rows that
//!   name them. The note stays as long as one of its bodies does.
//! - When it is due, it is first moved to a later time: whoever still wants to commit its bodies is refused from
//!   then on. Then the bodies that no row names are removed, and the note with the last of them.
//! - It is due an hour after its commit (no call that puts a body takes as long), and then each time it is twice as old, within a
//!   week: what is kept for long is looked at seldom.
//!
//! Headers and notes are in one partition, the notes last and by when they are due: so one query finds all there is to do.

use std::collections::HashSet;
use std::ops::Bound;
use std::time::Duration;

use branchline_model::{Expectation, Key, Timestamp, Version};
use branchline_ports::{Order, StoreError};
use serde::{Deserialize, Serialize};

use super::backoff::Backoff;
use super::body::Encoded;
use super::commit::{Commit, token};
use super::item::{Body, Content, Item, NO_VERSION, Next};
use super::journal::{self, HEADERS, Passing};
use super::large::BodiesUnavailable;
use super::store::{DynamoStore, refusal};
use super::table::{Condition, Query, Table, TableError, Write};
use crate::commit::{Step, Write as What};

/// What the sort keys of notes begin with. No id of a commit begins so, and none is larger.
const NOTES: &str = "~bodies/";
/// A note is looked at so long after its commit, first.
const FIRST_LOOK: Duration = Duration::from_hours(1);
/// Two looks are never further apart.
const LONGEST_WAIT: Duration = Duration::from_hours(7 * 24);
/// So many items are read by one query.
const LOOKED_AT: usize = 100;

/// The large bodies of a commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Note {
    /// When they were put.
    since: Timestamp,
    /// Those that are not gone.
    bodies: Vec<Noted>,
}

/// A large body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Noted {
    name: String,
    /// The partition and sort key of its row.
    row: (String, String),
}

impl Noted {
    /// The body of a step that has one, and its bytes.
    fn of(step: &Step<Encoded>) -> Option<(Self, Vec<u8>)> {
        let What::Put(Encoded { body, large: Some(bytes) }) = &step.write else { return None };
        let Content::Elsewhere(name) = &body.content else { return None };
        let row = (step.key.partition.clone(), step.key.sort.clone());
        Some((Self { name: name.clone(), row }, bytes.clone()))
    }

    fn row(&self) -> Key {
        Key::new(self.row.0.as_str(), self.row.1.as_str())
    }
}

impl Note {
    fn item(&self, key: Key, commit: &str, version: u64) -> Result<Item, StoreError> {
        journal::item(key, commit, version, self)
    }

    /// When it is looked at after a look at this time.
    fn next_look(&self, now: Timestamp) -> Timestamp {
        let age = u64::try_from(now.0.saturating_sub(self.since.0)).unwrap_or(0);
        now.after(Duration::from_millis(age).clamp(FIRST_LOOK, LONGEST_WAIT))
    }
}

fn note_key(due: Timestamp, commit: &str) -> Key {
    Key::new(HEADERS, format!("{}/{commit}", due_at(due)))
}

fn due_at(due: Timestamp) -> String {
    format!("{NOTES}{:016}", due.0.max(0))
}

impl<T: Table> DynamoStore<T> {
    /// Puts what is kept elsewhere, before anything names it; the commit then asks for the note of it.
    pub(super) async fn put_large(&self, commit: &mut Commit) -> Result<(), StoreError> {
        let (noted, bytes): (Vec<_>, Vec<_>) = commit.steps.iter().filter_map(Noted::of).unzip();
        if noted.is_empty() {
            return Ok(());
        }
        let since = self.clock.now();
        let key = note_key(since.after(FIRST_LOOK), &commit.id);
        let note = Note { since, bodies: noted };
        self.make(note.item(key.clone(), &commit.id, 1)?, &mut Backoff::of(&commit.id)).await?;
        for (body, bytes) in note.bodies.iter().zip(&bytes) {
            self.bodies.put(&body.name, bytes).await.map_err(|error| unavailable(&error))?;
        }
        let expected = Expectation::Unchanged(Version(1));
        commit.steps.push(Step { key, expected, write: What::Nothing });
        Ok(())
    }

    /// Ends up to so many journals that are not alive and notes that are due; answers how many. One that is damaged
    /// keeps no other from being ended, and is told of at the end.
    pub(super) async fn end_leftovers(&self, limit: usize) -> Result<usize, StoreError> {
        let mut query = Query {
            partition: HEADERS.to_owned(),
            from: Bound::Unbounded,
            to: Bound::Excluded(due_at(self.clock.now().after(Duration::from_millis(1)))),
            order: Order::Ascending,
            limit: LOOKED_AT,
        };
        let (mut ended, mut damaged) = (0, None);
        while ended < limit {
            let queried = self.query(&query).await?;
            for item in queried.items {
                if ended == limit {
                    break;
                }
                match self.end_leftover(&item).await {
                    Ok(is_over) => ended += usize::from(is_over),
                    Err(error @ StoreError::Unreadable { .. }) => damaged = damaged.or(Some(error)),
                    Err(error) => return Err(error),
                }
            }
            let Some(last) = queried.more_after else { break };
            query.from = Bound::Excluded(last);
        }
        damaged.map_or(Ok(ended), Err)
    }

    async fn end_leftover(&self, item: &Item) -> Result<bool, StoreError> {
        if item.key.sort.starts_with(NOTES) {
            self.look_at_note(item).await
        } else {
            Ok(self.pass(&item.key.sort, &item.key).await? == Passing::Passed)
        }
    }

    /// Removes the bodies of a note that no row names; answers whether there were any.
    async fn look_at_note(&self, item: &Item) -> Result<bool, StoreError> {
        let note: Note = journal::read(item)?;
        let commit = item.now.as_ref().map_or("", |stored| stored.commit.as_str());
        let later = note_key(note.next_look(self.clock.now()), commit);
        let moved = [
            Write::Delete(item.key.clone(), Condition::unchanged(item.version().unwrap_or(NO_VERSION))),
            Write::Put(note.item(later.clone(), commit, 1)?, Condition::Absent),
        ];
        match self.table.transact(&token(&self.clock.fresh_id(), 0), &moved).await {
            Ok(()) => {}
            // Another looks at it, or its commit is under way, as a journal.
            Err(TableError::Cancelled { .. }) => return Ok(false),
            Err(error) => return Err(refusal(&error)),
        }
        let rows: HashSet<Key> = note.bodies.iter().map(Noted::row).collect();
        let rows = self.get(&rows.into_iter().collect::<Vec<_>>()).await?;
        let is_named =
            |body: &Noted| rows.iter().any(|row| row.key == body.row() && names_it(row, &body.name));
        let (kept, unnamed): (Vec<_>, Vec<_>) = note.bodies.into_iter().partition(is_named);
        for body in &unnamed {
            self.bodies.delete(&body.name).await.map_err(|error| unavailable(&error))?;
        }
        let done = match (kept.is_empty(), unnamed.is_empty()) {
            (true, _) => Write::Delete(later, Condition::unchanged(1)),
            (false, false) => {
                let rest = Note { since: note.since, bodies: kept };
                Write::Put(rest.item(later, commit, 2)?, Condition::unchanged(1))
            }
            (false, true) => return Ok(false),
        };
        // Where this is not known to be done, the next look finds that nothing is left to do.
        self.table.write(&done).await.map_err(|error| refusal(&error))?;
        Ok(true)
    }
}

pub(super) fn unavailable(error: &BodiesUnavailable) -> StoreError {
    StoreError::Unavailable { why: format!("a large row's body: {error}") }
}

/// Whether an item names a large body.
pub(super) fn names_it(item: &Item, name: &str) -> bool {
    let is_it = |body: &Body| matches!(&body.content, Content::Elsewhere(elsewhere) if elsewhere == name);
    let next =
        item.mark.as_ref().is_some_and(|mark| matches!(&mark.next, Next::Put { body, .. } if is_it(body)));
    next || item.now.as_ref().is_some_and(|stored| is_it(&stored.body))
}
