//! Ending a journal that somebody else may have begun. Invariant: everything here may be done by many at once and
//! stopped anywhere; what was done stays done, and the next goes on.

use std::ops::Bound;

use branchline_model::{Key, Timestamp};
use branchline_ports::{Order, StoreError};

use super::super::backoff::Backoff;
use super::super::commit::token;
use super::super::item::{Item, NO_VERSION, Next, Stored};
use super::super::store::DynamoStore;
use super::super::table::{Cause, Condition, Query, Table, TableError, Write};
use super::{Header, PATIENCE, Slice, State, header_key, read, slices};

/// Whether a journal still stands in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Passing {
    /// Not any more: look again.
    Passed,
    /// It is open, and whoever writes it is alive.
    Busy,
}

impl<T: Table> DynamoStore<T> {
    /// Ends the journal that holds the item under `key`, unless it is alive.
    pub(in super::super) async fn pass(&self, id: &str, key: &Key) -> Result<Passing, StoreError> {
        let header = self.get_one(&header_key(id)).await?;
        match header.as_ref().map(Header::of).transpose()? {
            None => {
                self.remove_lone_mark(id, key).await?;
                Ok(Passing::Passed)
            }
            Some(Header { state: State::Open, touched }) if !is_over(touched, self.clock.now()) => {
                Ok(Passing::Busy)
            }
            Some(header) => {
                if header.state == State::Open {
                    self.abort(id).await?;
                }
                self.finish(id).await?;
                Ok(Passing::Passed)
            }
        }
    }

    /// Aborts a journal that is open; answers what it is worth then, and nothing where it is gone.
    pub(in super::super) async fn abort(&self, id: &str) -> Result<Option<State>, StoreError> {
        let mut waits = Backoff::of(id);
        loop {
            let Some(found) = self.get_one(&header_key(id)).await? else { return Ok(None) };
            let state = Header::of(&found)?.state;
            if state != State::Open {
                return Ok(Some(state));
            }
            let version = found.version().unwrap_or(NO_VERSION);
            let aborted =
                Header { state: State::Aborted, touched: self.clock.now() }.item(id, version + 1)?;
            match self.table.write(&Write::Put(aborted, Condition::unchanged(version))).await {
                Ok(()) => return Ok(Some(State::Aborted)),
                Err(error) => self.wait_out(&mut waits, &error).await?,
            }
        }
    }

    /// Applies or undoes what is left of a journal that is not open, and removes it.
    pub(in super::super) async fn finish(&self, id: &str) -> Result<(), StoreError> {
        let mut waits = Backoff::of(&format!("{id}{}", self.clock.fresh_id()));
        let mut fewest = usize::MAX;
        loop {
            let Some(header) = self.get_one(&header_key(id)).await? else { return Ok(()) };
            let state = Header::of(&header)?.state;
            if state == State::Open {
                return Ok(());
            }
            let all = Query {
                partition: slices(id),
                from: Bound::Unbounded,
                to: Bound::Unbounded,
                order: Order::Ascending,
                limit: usize::MAX,
            };
            let left = self.query(&all).await?.items;
            let outcome = if left.is_empty() {
                let condition = Condition::unchanged(header.version().unwrap_or(NO_VERSION));
                self.table.write(&Write::Delete(header_key(id), condition)).await
            } else {
                self.end_slices(id, state, &left).await?
            };
            let outcome = match outcome {
                // Others are at the same slices, and one of all gets on.
                Ok(()) if left.len() >= fewest => {
                    Err(TableError::Unknown { why: "a journal stands still".to_owned() })
                }
                outcome => outcome,
            };
            fewest = left.len();
            if let Err(error) = outcome {
                self.wait_out(&mut waits, &error).await?;
            }
        }
    }

    /// Ends these slices until something stands in the way.
    async fn end_slices(
        &self,
        id: &str,
        state: State,
        slices: &[Item],
    ) -> Result<Result<(), TableError>, StoreError> {
        for slice in slices {
            let keys = read::<Slice>(slice)?.keys();
            let rows = self.get(&keys).await?;
            let mut writes = vec![Write::Delete(
                slice.key.clone(),
                Condition::unchanged(slice.version().unwrap_or(NO_VERSION)),
            )];
            // A row that is not marked any more was ended by somebody else, with the slice, and nothing is written here; or
            // it was discarded, and nothing is to be done for it.
            writes.extend(rows.into_iter().filter_map(|row| ended(row, id, state)));
            let outcome = self.table.transact(&token(&self.clock.fresh_id(), 0), &writes).await;
            match outcome {
                Ok(()) => {}
                Err(TableError::Cancelled { causes })
                    if causes.iter().any(|cause| matches!(cause, Some(Cause::Condition { .. }))) => {}
                Err(error) => return Ok(Err(error)),
            }
        }
        Ok(Ok(()))
    }

    /// Takes a mark away that stands without a header and without a slice, as no rule of ours leaves one.
    async fn remove_lone_mark(&self, id: &str, key: &Key) -> Result<(), StoreError> {
        let mut waits = Backoff::of(id);
        loop {
            let Some(row) = self.get_one(key).await? else { return Ok(()) };
            let Some(write) = ended(row, id, State::Aborted) else { return Ok(()) };
            match self.table.write(&write).await {
                Ok(()) => return Ok(()),
                Err(error) => self.wait_out(&mut waits, &error).await?,
            }
        }
    }
}

fn is_over(touched: Timestamp, now: Timestamp) -> bool {
    touched.after(PATIENCE).0 < now.0
}

/// What a marked row becomes; `None` where this journal does not hold it any more.
fn ended(row: Item, id: &str, state: State) -> Option<Write> {
    let Item { key, now, mark } = row;
    let mark = mark.filter(|mark| mark.journal == id)?;
    let stays = match (state, mark.next) {
        (State::Committed, Next::Put { version, body }) => {
            Some(Stored { version, commit: mark.journal, body })
        }
        (State::Committed, Next::Delete) => None,
        (State::Committed, Next::Keep) | (State::Open | State::Aborted, _) => now,
    };
    let condition = Condition::Marked(id.to_owned());
    Some(match stays {
        Some(stored) => Write::Put(Item::unmarked(key, stored), condition),
        None => Write::Delete(key, condition),
    })
}
