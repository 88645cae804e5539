//! What others tell a worker: stop an attempt, look for work, end. Invariant: an order to stop is never lost: it is kept with
//! the attempt, in its directory, and, where the attempt is on its way here just now, until it has come.

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use branchline_model::{AttemptId, Stop, WorkerId};
use branchline_ports::{LaunchError, Launcher};
use branchline_supervisor::{AttemptDirectory, DirectoryError, StopOrder};
use tokio::sync::{Notify, watch};

use crate::config::{Drain, WorkerConfig};

/// How many orders about attempts that are not here are kept: those that a claim may bring in the next moment.
const MOST_EARLY: usize = 1024;

/// Tells a worker what to do; cheap to clone.
#[derive(Clone, Debug)]
pub struct WorkerHandle {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    id: WorkerId,
    root: PathBuf,
    wake: Notify,
    drain: watch::Sender<Option<Drain>>,
    attempts: Mutex<Attempts>,
}

#[derive(Debug, Default)]
struct Attempts {
    here: HashMap<AttemptId, watch::Sender<Option<StopOrder>>>,
    early: VecDeque<(AttemptId, StopOrder)>,
}

/// That an attempt is here; it is gone when this is dropped.
#[derive(Debug)]
pub(crate) struct Presence {
    shared: Arc<Shared>,
    attempt: AttemptId,
    orders: watch::Receiver<Option<StopOrder>>,
}

impl WorkerHandle {
    /// A handle for the worker that will be made of the same configuration.
    #[must_use]
    pub fn new(config: &WorkerConfig) -> Self {
        let shared = Shared {
            id: config.id.clone(),
            root: config.root.clone(),
            wake: Notify::new(),
            drain: watch::Sender::new(None),
            attempts: Mutex::default(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Has it look for work now rather than within a second.
    pub fn wake(&self) {
        self.shared.wake.notify_one();
    }

    /// Has it end. What is said later counts.
    pub fn drain(&self, drain: Drain) {
        self.shared.drain.send_replace(Some(drain));
    }

    /// Has an attempt's processes killed without being asked first; nothing where it is not here.
    ///
    /// # Errors
    /// The order cannot be written.
    pub async fn kill(&self, attempt: &AttemptId) -> Result<(), LaunchError> {
        self.order(attempt, StopOrder { stop: None, at_once: true }).await
    }

    async fn order(&self, attempt: &AttemptId, order: StopOrder) -> Result<(), LaunchError> {
        self.shared.remember(attempt, &order);
        let (root, id) = (self.shared.root.clone(), attempt.clone());
        let written = blocking(move || AttemptDirectory::at(&root, &id)?.order_stop(&order)).await;
        written.map_err(|error| LaunchError::Unavailable {
            worker: self.shared.id.clone(),
            why: error.to_string(),
        })
    }

    /// Has all attempts killed.
    pub(crate) async fn kill_all(&self) {
        let attempts: Vec<_> = self.shared.attempts().here.keys().cloned().collect();
        for attempt in attempts {
            if let Err(error) = self.kill(&attempt).await {
                tracing::error!(%attempt, %error, "cannot be killed");
            }
        }
    }

    /// The attempts that are here.
    pub(crate) fn here(&self) -> Vec<AttemptId> {
        self.shared.attempts().here.keys().cloned().collect()
    }

    /// Whether an attempt is here.
    pub(crate) fn is_here(&self, attempt: &AttemptId) -> bool {
        self.shared.attempts().here.contains_key(attempt)
    }

    /// Whether an attempt was told to stop, or has gone.
    pub(crate) fn is_ordered(&self, attempt: &AttemptId) -> bool {
        self.shared.attempts().here.get(attempt).is_none_or(|orders| orders.borrow().is_some())
    }

    pub(crate) async fn woken(&self) {
        self.shared.wake.notified().await;
    }

    pub(crate) fn drains(&self) -> watch::Receiver<Option<Drain>> {
        self.shared.drain.subscribe()
    }

    /// An attempt has come.
    pub(crate) fn enter(&self, attempt: &AttemptId, stop: Option<Stop>) -> Presence {
        let mut attempts = self.shared.attempts();
        let early = attempts.early.iter().position(|(id, _)| id == attempt);
        let early = early.and_then(|index| attempts.early.remove(index)).map(|(_, order)| order);
        let order = early.or(stop.map(|stop| StopOrder { stop: Some(stop), at_once: false }));
        let (sender, orders) = watch::channel(order);
        attempts.here.insert(attempt.clone(), sender);
        Presence { shared: Arc::clone(&self.shared), attempt: attempt.clone(), orders }
    }
}

#[async_trait]
impl Launcher for WorkerHandle {
    /// Writes the order into the attempt's directory and has its supervisor look. The same order may be given again; about an
    /// attempt that has ended, or is not here (yet), it does no harm.
    async fn stop(&self, _worker: &WorkerId, attempt: &AttemptId, stop: &Stop) -> Result<(), LaunchError> {
        self.order(attempt, StopOrder { stop: Some(stop.clone()), at_once: false }).await
    }

    /// An order here is known to have been given or not; giving it again costs no more than looking.
    async fn is_told_to_stop(&self, _: &WorkerId, _: &AttemptId) -> Result<bool, LaunchError> {
        Ok(false)
    }
}

impl Shared {
    fn attempts(&self) -> MutexGuard<'_, Attempts> {
        // What is in it is whole after every single change.
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remember(&self, attempt: &AttemptId, order: &StopOrder) {
        let mut attempts = self.attempts();
        if let Some(here) = attempts.here.get(attempt) {
            here.send_if_modified(|known| {
                let weaker = known.as_ref().is_some_and(|known| known.at_once && !order.at_once);
                let news = !weaker && known.as_ref() != Some(order);
                if news {
                    *known = Some(order.clone());
                }
                news
            });
            return;
        }
        attempts.early.retain(|(id, known)| id != attempt || known.at_once);
        attempts.early.push_back((attempt.clone(), order.clone()));
        if attempts.early.len() > MOST_EARLY {
            attempts.early.pop_front();
        }
    }
}

impl Presence {
    /// The order to stop, if there is one.
    pub(crate) fn ordered(&self) -> Option<StopOrder> {
        self.orders.borrow().clone()
    }

    /// Has what is under way for the attempt here stop at once, as a kill does; nobody else is told.
    pub(crate) fn give_up(&self) {
        self.shared.remember(&self.attempt, &StopOrder { stop: None, at_once: true });
    }

    /// Waits for the order to stop; it may have been given already.
    pub(crate) async fn stopped(&self) {
        self.until(Option::is_some).await;
    }

    /// Waits for the controller's order to stop: not that of this machine, which ends.
    pub(crate) async fn told_to_stop(&self) {
        self.until(|order| order.as_ref().is_some_and(|order| order.stop.is_some())).await;
    }

    async fn until(&self, is_so: impl FnMut(&Option<StopOrder>) -> bool) {
        let mut orders = self.orders.clone();
        if orders.wait_for(is_so).await.is_err() {
            // Nobody can order any more.
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.shared.attempts().here.remove(&self.attempt);
    }
}

/// Does something with the file system where it keeps nobody else waiting.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, DirectoryError> + Send + 'static,
) -> Result<T, DirectoryError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        // The whole process is ending. That is not this attempt's end, and must not be told as one.
        Err(error) if error.is_cancelled() => std::future::pending().await,
        Err(error) => Err(DirectoryError::Failed {
            what: "finish the work on",
            path: PathBuf::from("an attempt directory"),
            source: error.into(),
        }),
    }
}
