//! Large bodies that no row names any more: their commit was refused, or their row was written over or removed since.
//! Invariant: a body that a row names, or will name when a journal is committed, is never removed. Which bodies there are,
//! and how old, is known to whoever keeps them.

use branchline_ports::StoreError;

use super::item::{Body, Content, Item, Next};
use super::large;
use super::store::DynamoStore;
use super::table::Table;

impl<T: Table> DynamoStore<T> {
    /// Removes a large body, unless its row names it; answers whether it did. To be asked for bodies that were put an hour
    /// ago or more: a commit puts its bodies first, and a reader reads them last.
    pub async fn remove_unnamed_body(&self, name: &str) -> Result<bool, StoreError> {
        let Some((key, _)) = large::named(name) else { return Ok(false) };
        if self.get_one(&key).await?.is_some_and(|item| names(&item, name)) {
            return Ok(false);
        }
        let removed = self.bodies.delete(name).await;
        removed.map_err(|error| StoreError::Unavailable { why: format!("a large row's body: {error}") })?;
        Ok(true)
    }
}

fn names(item: &Item, name: &str) -> bool {
    let is_it = |body: &Body| matches!(&body.content, Content::Elsewhere(elsewhere) if elsewhere == name);
    let next =
        item.mark.as_ref().is_some_and(|mark| matches!(&mark.next, Next::Put { body, .. } if is_it(body)));
    next || item.now.as_ref().is_some_and(|stored| is_it(&stored.body))
}
