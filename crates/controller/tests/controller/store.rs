//! A store that counts what is asked of it, and refuses commits when told to.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use branchline_model::{Change, Key, Row, Versioned};
use branchline_ports::{CommitError, Page, Store, StoreError};

pub struct Watched {
    inner: Arc<dyn Store>,
    /// So many more commits are made; then none.
    left: AtomicUsize,
    pub reads: AtomicUsize,
    pub commits: AtomicUsize,
}

impl Watched {
    pub fn new(inner: Arc<dyn Store>) -> Self {
        Self { inner, left: usize::MAX.into(), reads: 0.into(), commits: 0.into() }
    }

    /// From now on nothing, or everything again, can be written.
    pub fn refuse(&self, refuses: bool) {
        self.refuse_after(if refuses { 0 } else { usize::MAX });
    }

    /// So many more commits are made; then none.
    pub fn refuse_after(&self, commits: usize) {
        self.left.store(commits, Ordering::SeqCst);
    }
}

#[async_trait]
impl Store for Watched {
    async fn read(&self, keys: &[Key]) -> Result<Vec<Option<Versioned<Row>>>, StoreError> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        self.inner.read(keys).await
    }

    async fn page(&self, page: &Page) -> Result<Vec<Versioned<Row>>, StoreError> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        self.inner.page(page).await
    }

    async fn commit_if_unchanged(&self, changes: Vec<Change>) -> Result<(), CommitError> {
        self.commits.fetch_add(1, Ordering::SeqCst);
        let left = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if left.is_err() {
            return Err(StoreError::Unavailable { why: "it was told to refuse".to_owned() }.into());
        }
        self.inner.commit_if_unchanged(changes).await
    }
}
