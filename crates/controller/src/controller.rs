//! The controller: the ports it was given, and typed reads of the store. Invariant: it keeps nothing of its own between
//! two calls, so any number of controllers may serve one store.

use std::sync::Arc;

use branchline_model::{Key, Row, Versioned};
use branchline_ports::{Artifacts, Bell, Checkout, Clock, Launcher, Page, Store, StoreError};

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
}

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
        Self { store, artifacts, checkout, launcher, bell, clock, page_address: page_address.map(Into::into) }
    }

    /// One row of a known kind.
    pub(crate) async fn row<T: TryFrom<Row, Error = Row>>(
        &self,
        key: Key,
    ) -> Result<Option<Versioned<T>>, StoreError> {
        let keys = [key];
        let row = self.store.read(&keys).await?.pop().flatten();
        let [key] = keys;
        row.map(|row| typed(&key, row)).transpose()
    }

    /// Rows of a known kind, in the order of their keys.
    pub(crate) async fn rows<T: TryFrom<Row, Error = Row>>(
        &self,
        keys: &[Key],
    ) -> Result<Vec<Option<Versioned<T>>>, StoreError> {
        let rows = self.store.read(keys).await?;
        keys.iter().zip(rows).map(|(key, row)| row.map(|row| typed(key, row)).transpose()).collect()
    }

    /// A part of a partition that holds one kind of row only.
    pub(crate) async fn page<T: TryFrom<Row, Error = Row>>(
        &self,
        page: &Page,
    ) -> Result<Vec<Versioned<T>>, StoreError> {
        let rows = self.store.page(page).await?;
        rows.into_iter()
            .map(|row| {
                let key = row.value.key();
                typed(&key, row)
            })
            .collect()
    }
}

/// The row as the kind that its key promises.
pub(crate) fn typed<T: TryFrom<Row, Error = Row>>(
    key: &Key,
    row: Versioned<Row>,
) -> Result<Versioned<T>, StoreError> {
    match T::try_from(row.value) {
        Ok(value) => Ok(Versioned { value, version: row.version }),
        Err(_) => {
            Err(StoreError::Unreadable { key: key.clone(), why: "it holds a row of another kind".to_owned() })
        }
    }
}
