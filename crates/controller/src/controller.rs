//! The controller: the ports it was given, and typed reads of the store. Invariants: it keeps nothing of its own between two
//! calls but hints and what it has complained of, so any number of controllers may serve one store; and a row that cannot be
//! understood fails only who needs that very row.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use branchline_core::lease;
use branchline_core::pools::Setting;
use branchline_model::{Key, Row, UnreadableRow, Versioned};
use branchline_ports::{Artifacts, Bell, Checkout, Clock, Launcher, Page, Store, StoreError};

use crate::hints::ClaimHints;
use crate::shortage::Shortages;

/// The ports, joined. Cheap to clone.
#[derive(Clone)]
pub struct Controller {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) artifacts: Arc<dyn Artifacts>,
    pub(crate) checkout: Arc<dyn Checkout>,
    pub(crate) launcher: Arc<dyn Launcher>,
    pub(crate) bell: Arc<dyn Bell>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) page_address: Option<Arc<str>>,
    /// The rows that were said to be unreadable, so that each is said once.
    pub(crate) complained: Arc<Mutex<BTreeSet<Key>>>,
    pub(crate) shortages: Arc<Shortages>,
    pub(crate) hints: Arc<ClaimHints>,
    pub(crate) leases: lease::Policy,
    pub(crate) setting: Arc<Setting>,
}

/// So many complaints are remembered; beyond that, they are made again.
const MOST_COMPLAINTS: usize = 10_000;

/// What a controller is made of.
pub struct Ports {
    /// Rows.
    pub store: Arc<dyn Store>,
    /// Logs.
    pub artifacts: Arc<dyn Artifacts>,
    /// Git.
    pub checkout: Arc<dyn Checkout>,
    /// Orders to workers.
    pub launcher: Arc<dyn Launcher>,
    /// Hints that there is something to do.
    pub bell: Arc<dyn Bell>,
    /// Time and ids.
    pub clock: Arc<dyn Clock>,
    /// The address of the page, for links; `None` where no page is served.
    pub page_address: Option<String>,
}

impl Controller {
    /// Joins the ports.
    #[must_use]
    pub fn new(ports: Ports) -> Self {
        let Ports { store, artifacts, checkout, launcher, bell, clock, page_address } = ports;
        let (page_address, complained) = (page_address.map(Into::into), Arc::default());
        let shortages = Arc::default();
        let hints = Arc::new(ClaimHints::new(clock.now()));
        let leases = lease::Policy::default();
        Self {
            store,
            artifacts,
            checkout,
            launcher,
            bell,
            clock,
            page_address,
            complained,
            shortages,
            hints,
            leases,
            setting: Arc::default(),
        }
    }

    /// With other pools than the one that is there where nothing is said.
    #[must_use]
    pub fn with_setting(self, setting: Setting) -> Self {
        Self { setting: Arc::new(setting), ..self }
    }

    /// With other times for its leases.
    #[must_use]
    pub fn with_leases(self, leases: lease::Policy) -> Self {
        Self { leases, ..self }
    }

    /// One row of a known kind; an error where it is there and cannot be understood.
    pub(crate) async fn row<T: TryFrom<Row, Error = Row>>(
        &self,
        key: Key,
    ) -> Result<Option<Versioned<T>>, StoreError> {
        let keys = [key];
        let row = self.store.read(&keys).await?.pop().flatten();
        let [key] = keys;
        self.needed(&key, row)
    }

    /// Reads rows of several kinds at once, to be taken in the order of their keys.
    pub(crate) async fn together<const N: usize>(&self, keys: [Key; N]) -> Result<Together<'_>, StoreError> {
        let rows = self.store.read(&keys).await?;
        let rows: Vec<_> = keys.into_iter().zip(rows).collect();
        Ok(Together { controller: self, rows: rows.into_iter() })
    }

    /// The row as the kind that its key promises, for who cannot do without it; an error where it cannot be understood.
    pub(crate) fn needed<T: TryFrom<Row, Error = Row>>(
        &self,
        key: &Key,
        row: Option<Versioned<Row>>,
    ) -> Result<Option<Versioned<T>>, StoreError> {
        row.map(|row| typed(key, row)).transpose().map_err(|unreadable| {
            self.complain(&unreadable);
            StoreError::Unreadable { key: unreadable.key, why: unreadable.why }
        })
    }

    /// Rows of a known kind, in the order of their keys. One that cannot be understood is `None`, as if it were not there:
    /// for rows of several builds, of which none may fail the others.
    pub(crate) async fn rows<T: TryFrom<Row, Error = Row>>(
        &self,
        keys: &[Key],
    ) -> Result<Vec<Option<Versioned<T>>>, StoreError> {
        let rows = self.store.read(keys).await?;
        Ok(keys.iter().zip(rows).map(|(key, row)| self.understood(key, row)).collect())
    }

    /// The row as the kind that its key promises; `None`, once it was said, where it cannot be understood.
    pub(crate) fn understood<T: TryFrom<Row, Error = Row>>(
        &self,
        key: &Key,
        row: Option<Versioned<Row>>,
    ) -> Option<Versioned<T>> {
        self.readable(typed(key, row?))
    }

    /// A part of a partition that holds one kind of row only. What cannot be understood is left out, and the part filled
    /// with what comes after it.
    pub(crate) async fn page<T: TryFrom<Row, Error = Row>>(
        &self,
        page: &Page,
    ) -> Result<Vec<Versioned<T>>, StoreError> {
        Ok(self.listed(page).await?.rows)
    }

    /// A part of a partition that holds one kind of row only, with what of it cannot be understood.
    pub(crate) async fn listed<T: TryFrom<Row, Error = Row>>(
        &self,
        page: &Page,
    ) -> Result<Listed<T>, StoreError> {
        let mut listed = Listed { rows: Vec::new(), unreadable: Vec::new() };
        let (most, mut page) = (page.limit, page.clone());
        loop {
            let found = self.store.page(&page).await?;
            let more = found.len() == page.limit;
            page.after = found.last().map(|row| row.value.key().sort);
            for row in found {
                let key = row.value.key();
                match typed(&key, row) {
                    Ok(row) => listed.rows.push(row),
                    Err(unreadable) => {
                        self.complain(&unreadable);
                        listed.unreadable.push(unreadable);
                    }
                }
            }
            // Only what was left out leaves room.
            page.limit = most - listed.rows.len();
            if !more || page.limit == 0 {
                return Ok(listed);
            }
        }
    }

    /// What is known of a row that another one leads to.
    pub(crate) async fn led_to<T: TryFrom<Row, Error = Row>>(
        &self,
        key: Key,
    ) -> Result<Known<T>, StoreError> {
        let row = self.store.read(std::slice::from_ref(&key)).await?.pop().flatten();
        Ok(self.known(&key, row))
    }

    /// What is known of this row, which was read.
    pub(crate) fn known<T: TryFrom<Row, Error = Row>>(
        &self,
        key: &Key,
        row: Option<Versioned<Row>>,
    ) -> Known<T> {
        match row.map(|row| typed(key, row)) {
            None => Known::Gone,
            Some(Ok(row)) => Known::There(row),
            Some(Err(unreadable)) => {
                self.complain(&unreadable);
                Known::Unreadable
            }
        }
    }

    /// The row; `None`, once it was said, where it cannot be understood.
    pub(crate) fn readable<T>(&self, row: Result<T, UnreadableRow>) -> Option<T> {
        row.map_err(|unreadable| self.complain(&unreadable)).ok()
    }

    /// Says that a row cannot be understood: once, whoever meets it.
    pub(crate) fn complain(&self, UnreadableRow { key, why }: &UnreadableRow) {
        let mut complained = self.complained.lock().unwrap_or_else(PoisonError::into_inner);
        if complained.len() >= MOST_COMPLAINTS {
            complained.clear();
        }
        if complained.insert(key.clone()) {
            tracing::error!(%key, why, "a row cannot be read: what needs it stands still, `branchline doctor` says what to do");
        }
    }
}

/// Rows of several kinds that were read at once.
pub(crate) struct Together<'c> {
    controller: &'c Controller,
    rows: std::vec::IntoIter<(Key, Option<Versioned<Row>>)>,
}

impl Together<'_> {
    /// The row of the next key; an error where it is there and cannot be understood.
    pub(crate) fn next<T: TryFrom<Row, Error = Row>>(&mut self) -> Result<Option<Versioned<T>>, StoreError> {
        self.rows.next().map_or(Ok(None), |(key, row)| self.controller.needed(&key, row))
    }
}

/// What is known of a row.
pub(crate) enum Known<T> {
    /// This.
    There(Versioned<T>),
    /// It is not there: what it belonged to was retired.
    Gone,
    /// It is there, and cannot be understood.
    Unreadable,
}

/// A part of a partition.
pub(crate) struct Listed<T> {
    /// What could be understood, in order.
    pub(crate) rows: Vec<Versioned<T>>,
    /// What could not.
    pub(crate) unreadable: Vec<UnreadableRow>,
}

/// A row that another one promises is not there: whoever needs it cannot go on, as if it could not be understood.
pub(crate) fn missing(key: Key) -> StoreError {
    StoreError::Unreadable { key, why: "it is missing".to_owned() }
}

/// The row as the kind that its key promises.
pub(crate) fn typed<T: TryFrom<Row, Error = Row>>(
    key: &Key,
    row: Versioned<Row>,
) -> Result<Versioned<T>, UnreadableRow> {
    match T::try_from(row.value) {
        Ok(value) => Ok(Versioned { value, version: row.version }),
        Err(Row::Unreadable(unreadable)) => Err(unreadable),
        Err(_) => Err(UnreadableRow { key: key.clone(), why: "it holds a row of another kind".to_owned() }),
    }
}
