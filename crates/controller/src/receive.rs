//! Receive: what was seen of a repository's refs is folded into their rows, and each move becomes an event, in one
//! commit. Nobody is told of a move before it is stored.

use std::collections::{BTreeMap, BTreeSet};

use branchline_core::refs;
use branchline_model::{
    Expectation, Plan, Ref, RefName, Repository, RepositoryId, RepositoryName, Timestamp, Trouble, Versioned,
    keys,
};
use branchline_ports::{CheckoutError, Heads, Page, Ring};

use crate::commit::{MOST_TRIES, Outcome};
use crate::{Controller, ControllerError};

/// So many refs are read at a time.
const REFS_A_PAGE: usize = 2_000;

/// What a look at a repository's refs came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Observed {
    /// What was seen: to be given to the next look, which is free where nothing moved.
    pub heads: Heads,
    /// How many moves became events.
    pub events: usize,
}

/// Why a look at a repository's refs failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ObserveError {
    /// Git gave no answer.
    #[error(transparent)]
    Checkout(#[from] CheckoutError),
    /// What was seen could not be stored.
    #[error(transparent)]
    Controller(#[from] ControllerError),
    /// The repository was never added.
    #[error("the repository {0} is not served")]
    Unknown(RepositoryId),
}

impl From<branchline_ports::StoreError> for ObserveError {
    fn from(error: branchline_ports::StoreError) -> Self {
        Self::Controller(error.into())
    }
}

impl Controller {
    /// Serves a repository from now on, or goes on serving it. `url` has no secret in it.
    pub async fn add_repository(
        &self,
        name: &RepositoryName,
        url: &str,
    ) -> Result<RepositoryId, ControllerError> {
        let id = RepositoryId::of(name);
        for _ in 0..MOST_TRIES {
            let known = self.row::<Repository>(keys::repository(&id)).await?;
            let mut plan = Plan::default();
            match known {
                Some(row) if row.value.url == url && row.value.name == *name => return Ok(id),
                Some(row) => {
                    let moved = Repository { name: name.clone(), url: url.to_owned(), ..row.value };
                    plan.put(moved, Expectation::Unchanged(row.version));
                }
                None => {
                    let new = Repository {
                        id: id.clone(),
                        name: name.clone(),
                        url: url.to_owned(),
                        default_branch: None,
                        first_seen: None,
                        builds: 0,
                    };
                    plan.put(new, Expectation::Absent);
                }
            }
            if let Outcome::Done = self.commit(plan).await? {
                self.bell.ring(Ring::RepositoryChanged(id.clone()));
                return Ok(id);
            }
        }
        Err(ControllerError::Contended { what: format!("the repository {id}") })
    }

    /// Looks where a repository's refs point, and makes an event of each that moved. `last` is what the last look
    /// saw; where nothing moved since, nothing is read or written.
    pub async fn observe(&self, id: &RepositoryId, last: Option<&Heads>) -> Result<Observed, ObserveError> {
        let unknown = || ObserveError::Unknown(id.clone());
        let read = || self.row::<Repository>(keys::repository(id));
        let mut repository = read().await?.ok_or_else(unknown)?;
        if let Some(last) = last {
            let heads = self.checkout.heads(&repository.value.url).await?;
            if *last == heads {
                return Ok(Observed { heads, events: 0 });
            }
        }
        for _ in 0..MOST_TRIES {
            let (known, unreadable) = self.known_refs(id).await?;
            // Asked after the rows were read: an answer that took so long that somebody with a newer one committed before
            // meets a conflict, and never moves a ref back to where it was.
            let heads = self.checkout.heads(&repository.value.url).await?;
            // Where such a ref was last seen, and how often it moved, is not known: it waits for its repair.
            let mut seen = heads.refs.clone();
            seen.retain(|(name, _)| !unreadable.contains(&name.to_string()));
            let snapshot = refs::Snapshot {
                repository: &repository,
                known: &known,
                seen: &seen,
                default_branch: heads.default_branch.as_deref(),
            };
            let (plan, events) = refs::observe(&snapshot, self.clock.now());
            let is_news = !plan.is_empty();
            if let Outcome::Done = self.commit(plan).await? {
                if events > 0 {
                    self.bell.ring(Ring::Events);
                }
                if is_news {
                    self.bell.ring(Ring::RepositoryChanged(id.clone()));
                }
                return Ok(Observed { heads, events });
            }
            repository = read().await?.ok_or_else(unknown)?;
        }
        Err(ControllerError::Contended { what: format!("the refs of {id}") }.into())
    }

    /// The refs as they were last seen, and the names of those whose rows cannot be read.
    async fn known_refs(
        &self,
        id: &RepositoryId,
    ) -> Result<(BTreeMap<RefName, Versioned<Ref>>, BTreeSet<String>), branchline_ports::StoreError> {
        let (mut known, mut unreadable) = (BTreeMap::new(), BTreeSet::new());
        let mut after = None;
        loop {
            let page = Page { after, ..Page::of(keys::references(id), REFS_A_PAGE) };
            let listed = self.listed::<Ref>(&page).await?;
            unreadable.extend(listed.unreadable.into_iter().map(|row| row.key.sort));
            let rows = listed.rows;
            let more = rows.len() == REFS_A_PAGE;
            after = rows.last().map(|row| row.value.name.to_string());
            known.extend(rows.into_iter().map(|row| (row.value.name.clone(), row)));
            if !more {
                return Ok((known, unreadable));
            }
        }
    }

    /// Records that a repository cannot be reached, so that people see it.
    pub async fn record_trouble(
        &self,
        id: &RepositoryId,
        why: &str,
        next_try: Timestamp,
    ) -> Result<(), ControllerError> {
        let known = self.row::<Trouble>(keys::trouble(id)).await?;
        self.count_trouble(id, known.as_ref(), why, next_try).await
    }

    /// Records that a repository could not be reached by someone who knew this of it before. Of those who find so at once, one is
    /// counted.
    pub(crate) async fn count_trouble(
        &self,
        id: &RepositoryId,
        known: Option<&Versioned<Trouble>>,
        why: &str,
        next_try: Timestamp,
    ) -> Result<(), ControllerError> {
        let expected = known.map_or(Expectation::Absent, |row| Expectation::Unchanged(row.version));
        let (since, failures) =
            known.map_or((self.clock.now(), 0), |row| (row.value.since, row.value.failures));
        let mut plan = Plan::default();
        let trouble = Trouble {
            repository: id.clone(),
            since,
            why: why.to_owned(),
            failures: failures.saturating_add(1),
            next_try,
        };
        plan.put(trouble, expected);
        let (Outcome::Done | Outcome::Again) = self.commit(plan).await?;
        self.bell.ring(Ring::RepositoryChanged(id.clone()));
        Ok(())
    }

    /// Records that a repository can be reached again.
    pub async fn clear_trouble(&self, id: &RepositoryId) -> Result<(), ControllerError> {
        let mut plan = Plan::default();
        plan.delete(keys::trouble(id), Expectation::Any);
        self.commit(plan).await?;
        self.bell.ring(Ring::RepositoryChanged(id.clone()));
        Ok(())
    }
}
