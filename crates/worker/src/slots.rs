//! How many runs are carried out at once. Invariant: a slot is free again as soon as the processes of its attempt have ended;
//! what remains to be reported does not hold it.

use std::sync::Arc;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

/// The slots of a worker.
#[derive(Clone, Debug)]
pub(crate) struct Slots {
    free: Arc<Semaphore>,
    freed: Arc<Notify>,
}

/// One taken slot; free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    /// Attempts that were found at the start go on although there are more of them than slots: they have none.
    permit: Option<OwnedSemaphorePermit>,
    freed: Arc<Notify>,
}

impl Slots {
    pub(crate) fn new(count: usize) -> Self {
        Self { free: Arc::new(Semaphore::new(count.max(1))), freed: Arc::new(Notify::new()) }
    }

    /// How many are free.
    pub(crate) fn free(&self) -> usize {
        self.free.available_permits()
    }

    /// Takes one, if there is one.
    pub(crate) fn take(&self) -> Slot {
        Slot { permit: Arc::clone(&self.free).try_acquire_owned().ok(), freed: Arc::clone(&self.freed) }
    }

    /// Waits until one was freed since the last time.
    pub(crate) async fn freed(&self) {
        self.freed.notified().await;
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        drop(self.permit.take());
        self.freed.notify_one();
    }
}
