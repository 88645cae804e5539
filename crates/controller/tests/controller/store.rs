//! A store that counts what is asked of it, and refuses commits when told to, or has something else happen before them.

use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use branchline_model::{Change, Key, Row, Versioned};
use branchline_ports::{CommitError, Page, Store, StoreError};

type Refuses = Box<dyn Fn(&Change) -> bool + Send>;
type Act = Pin<Box<dyn Future<Output = ()> + Send>>;

pub struct Watched {
    inner: Arc<dyn Store>,
    /// So many more commits are made; then none.
    left: AtomicUsize,
    /// So many commits are told that somebody else was faster.
    conflicts: AtomicUsize,
    refuses: Mutex<Option<Refuses>>,
    before_next: Mutex<Option<Act>>,
    reading: AtomicUsize,
    /// How many have read at once.
    pub most_reading: AtomicUsize,
    pub reads: AtomicUsize,
    pub commits: AtomicUsize,
}

impl Watched {
    pub fn new(inner: Arc<dyn Store>) -> Self {
        Self {
            inner,
            left: usize::MAX.into(),
            conflicts: 0.into(),
            refuses: Mutex::default(),
            before_next: Mutex::default(),
            reading: 0.into(),
            most_reading: 0.into(),
            reads: 0.into(),
            commits: 0.into(),
        }
    }

    /// From now on nothing, or everything again, can be written.
    pub fn refuse(&self, refuses: bool) {
        self.refuse_after(if refuses { 0 } else { usize::MAX });
    }

    /// So many more commits are made; then none.
    pub fn refuse_after(&self, commits: usize) {
        self.left.store(commits, Ordering::SeqCst);
    }

    /// The next so many commits are told that somebody else was faster, and write nothing.
    pub fn conflict(&self, commits: usize) {
        self.conflicts.store(commits, Ordering::SeqCst);
    }

    /// From now on what changes such a row is refused for good.
    pub fn refuse_where(&self, refuses: impl Fn(&Change) -> bool + Send + 'static) {
        *self.refuses.lock().unwrap() = Some(Box::new(refuses));
    }

    /// Does this when the next commit comes, before it.
    pub fn before_next_commit(&self, act: impl Future<Output = ()> + Send + 'static) {
        *self.before_next.lock().unwrap() = Some(Box::pin(act));
    }
}

/// Takes one away where there is any.
fn take_one(count: &AtomicUsize) -> bool {
    count.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
}

#[async_trait]
impl Store for Watched {
    async fn read(&self, keys: &[Key]) -> Result<Vec<Option<Versioned<Row>>>, StoreError> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        let reading = self.reading.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_reading.fetch_max(reading, Ordering::SeqCst);
        // Whoever reads waits, and others may begin meanwhile.
        tokio::task::yield_now().await;
        self.reading.fetch_sub(1, Ordering::SeqCst);
        self.inner.read(keys).await
    }

    async fn page(&self, page: &Page) -> Result<Vec<Versioned<Row>>, StoreError> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        self.inner.page(page).await
    }

    async fn commit_if_unchanged(&self, changes: Vec<Change>) -> Result<(), CommitError> {
        self.commits.fetch_add(1, Ordering::SeqCst);
        let act = self.before_next.lock().unwrap().take();
        if let Some(act) = act {
            act.await;
        }
        if let Some(refuses) = &*self.refuses.lock().unwrap()
            && let Some(refused) = changes.iter().find(|change| refuses(change))
        {
            let key = key_of(refused);
            return Err(StoreError::Refused { key, why: "it was told to refuse it".to_owned() }.into());
        }
        if take_one(&self.conflicts) {
            return Err(CommitError::Conflict { key: key_of(&changes[0]) });
        }
        if !take_one(&self.left) {
            return Err(StoreError::Unavailable { why: "it was told to refuse".to_owned() }.into());
        }
        self.inner.commit_if_unchanged(changes).await
    }
}

fn key_of(change: &Change) -> Key {
    match change {
        Change::Put { row, .. } => row.key(),
        Change::Delete { key, .. } | Change::Check { key, .. } => key.clone(),
    }
}
