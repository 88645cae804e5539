//! Rows as they count. Invariant: while a journal is open, and while it is applied, a read shows all of its rows as they
//! were or all as they became, wherever its writer stands or died; and a read writes nothing.
//!
//! What is not promised, as for no read of several rows in DynamoDB: that they are all of one moment. A commit that is made
//! from beginning to end while a read goes on may be seen by the rows that are read later. Whoever decides names the versions that were read,
//! and is refused.
//!
//! A row without a mark counts as it is. For a marked one the journal's header is read, *after* the row:
//! open or aborted, what was before counts, for all rows that were read until then, because the commit point comes
//! later still. Committed, what is next counts; but rows that were read before, without a mark, may be older than the
//! mark, so everything is read once more. No header: the journal has ended meanwhile, so everything is read once
//! more; a mark that is there even then, is there by no rule of ours (a table restored to a moment, say), and what was
//! before counts.

use std::collections::{BTreeSet, HashMap};
use std::ops::Bound;

use branchline_model::{Key, Row, Version, Versioned};
use branchline_ports::{Order, Page, StoreError};

use super::body::{decode, decode_compressed};
use super::item::{Body, Content, Item, NO_VERSION, Next};
use super::journal::{self, State};
use super::store::{DynamoStore, TRIES};
use super::table::{Query, Table};
use super::tidy::{names_it, unavailable};
use crate::decode::unreadable;
use crate::range;

/// What is known of the journals that were met in one read.
#[derive(Default)]
struct Journals {
    known: HashMap<String, Known>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Known {
    /// What is next counts, whenever it was read.
    Committed,
    /// What was before counts in what was read until now.
    Open,
    /// What was before counts, whenever it was read.
    Over,
    /// There was no header, once.
    Missing,
}

/// Whether a read can go on, or must begin again with what is known now.
#[derive(PartialEq, Eq)]
enum Goes {
    On,
    Again,
}

impl<T: Table> DynamoStore<T> {
    pub(super) async fn read_rows(&self, keys: &[Key]) -> Result<Vec<Option<Versioned<Row>>>, StoreError> {
        let distinct: Vec<Key> = keys.iter().collect::<BTreeSet<_>>().into_iter().cloned().collect();
        let mut journals = Journals::default();
        for _ in 0..=TRIES {
            journals.forget_open();
            let items = self.get(&distinct).await?;
            if self.learn(&mut journals, &items).await? == Goes::Again {
                continue;
            }
            let mut rows = HashMap::with_capacity(items.len());
            for item in &items {
                if let Some(row) = self.row(item, &journals).await? {
                    rows.insert(&item.key, row);
                }
            }
            return Ok(keys.iter().map(|key| rows.get(key).cloned()).collect());
        }
        Err(restless(keys.first()))
    }

    pub(super) async fn read_page(&self, page: &Page) -> Result<Vec<Versioned<Row>>, StoreError> {
        let Some((from, to)) = range::of(page).filter(|_| page.limit > 0) else { return Ok(Vec::new()) };
        let query =
            Query { partition: page.partition.clone(), from, to, order: page.order, limit: page.limit };
        let mut journals = Journals::default();
        for _ in 0..=TRIES {
            if let Some(rows) = self.read_range(query.clone(), page.limit, &mut journals).await? {
                return Ok(rows);
            }
        }
        Err(restless(Some(&Key::new(page.partition.clone(), page.prefix.clone()))))
    }

    /// Reads a range; `None` where it must be read again.
    async fn read_range(
        &self,
        mut query: Query,
        limit: usize,
        journals: &mut Journals,
    ) -> Result<Option<Vec<Versioned<Row>>>, StoreError> {
        let mut rows = Vec::new();
        journals.forget_open();
        let mut queries = 0;
        loop {
            queries += 1;
            query.limit = limit - rows.len();
            let queried = self.query(&query).await?;
            if self.learn(journals, &queried.items).await? == Goes::Again {
                return Ok(None);
            }
            for item in &queried.items {
                rows.extend(self.row(item, journals).await?);
            }
            let Some(last) = queried.more_after.filter(|_| rows.len() < limit) else {
                let whole = queries == 1 || self.are_open_still(journals).await?;
                return Ok(whole.then_some(rows));
            };
            match query.order {
                Order::Ascending => query.from = Bound::Excluded(last),
                Order::Descending => query.to = Bound::Excluded(last),
            }
        }
    }
}

impl Journals {
    /// What was open may not be any more when a new pass begins.
    fn forget_open(&mut self) {
        self.known.retain(|_, known| *known != Known::Open);
    }
}

impl<T: Table> DynamoStore<T> {
    /// Reads the headers of journals that these items name and that are not known yet.
    async fn learn(&self, journals: &mut Journals, items: &[Item]) -> Result<Goes, StoreError> {
        let mut unknown = BTreeSet::new();
        for id in items.iter().filter_map(Item::journal) {
            match journals.known.get_mut(id) {
                Some(known @ Known::Missing) => *known = Known::Over,
                Some(_) => {}
                None => {
                    unknown.insert(id);
                }
            }
        }
        let mut goes = Goes::On;
        for (id, state) in self.states(unknown).await? {
            let known = match state {
                Some(State::Open) => Known::Open,
                Some(State::Aborted) => Known::Over,
                Some(State::Committed) => Known::Committed,
                None => Known::Missing,
            };
            if matches!(known, Known::Committed | Known::Missing) {
                goes = Goes::Again;
            }
            journals.known.insert(id, known);
        }
        Ok(goes)
    }

    /// Whether no journal that was open has been committed since: a later query saw what was then.
    async fn are_open_still(&self, journals: &Journals) -> Result<bool, StoreError> {
        let open = journals.known.iter().filter(|(_, known)| **known == Known::Open);
        let states = self.states(open.map(|(id, _)| id.as_str()).collect()).await?;
        Ok(states.iter().all(|(_, state)| matches!(state, Some(State::Open | State::Aborted))))
    }

    async fn states(&self, ids: BTreeSet<&str>) -> Result<Vec<(String, Option<State>)>, StoreError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let keys: Vec<Key> = ids.iter().map(|id| journal::header_key(id)).collect();
        let headers = self.get(&keys).await?;
        let mut states = HashMap::with_capacity(headers.len());
        for header in &headers {
            states.insert(header.key.sort.as_str(), journal::Header::of(header)?.state);
        }
        Ok(ids.into_iter().map(|id| (id.to_owned(), states.get(id).copied())).collect())
    }

    /// The row of an item as it counts.
    async fn row(&self, item: &Item, journals: &Journals) -> Result<Option<Versioned<Row>>, StoreError> {
        let next =
            item.mark.as_ref().filter(|mark| journals.known.get(&mark.journal) == Some(&Known::Committed));
        let (version, body) = match (next.map(|mark| &mark.next), &item.now) {
            (Some(Next::Delete), _) | (None | Some(Next::Keep), None) => return Ok(None),
            (Some(Next::Put { version, body }), _) => (*version, body),
            (None | Some(Next::Keep), Some(stored)) => (stored.version, &stored.body),
        };
        let value = match version {
            Some(_) => self.decoded(item.key.clone(), body).await?,
            None => unreadable(item.key.clone(), "it has no version"),
        };
        Ok(Some(Versioned { value, version: Version(version.unwrap_or(NO_VERSION)) }))
    }

    async fn decoded(&self, key: Key, body: &Body) -> Result<Row, StoreError> {
        Ok(match &body.content {
            Content::Plain(json) => decode(key, body.format, json.as_bytes()),
            Content::Compressed(bytes) => decode_compressed(key, body.format, bytes),
            Content::Elsewhere(name) => {
                match self.bodies.get(name).await.map_err(|error| unavailable(&error))? {
                    Some(bytes) => decode_compressed(key, body.format, &bytes),
                    None => self.without_its_body(key, name).await?,
                }
            }
            Content::Strange(why) => unreadable(key, why.as_str()),
        })
    }
}

impl<T: Table> DynamoStore<T> {
    /// What stands in the place of a row whose large body was not there: it may have been written over since it was read.
    async fn without_its_body(&self, key: Key, name: &str) -> Result<Row, StoreError> {
        if self.get_one(&key).await?.is_some_and(|item| names_it(&item, name)) {
            return Ok(unreadable(key, format!("its body `{name}` is not there")));
        }
        let why = format!("the row `{key}` was written over while it was read: try again");
        Err(StoreError::Unavailable { why })
    }
}

fn restless(key: Option<&Key>) -> StoreError {
    let at = key.map_or_else(String::new, |key| format!(" at `{key}`"));
    StoreError::Unavailable { why: format!("large commits were made{at} all the while: try again") }
}
