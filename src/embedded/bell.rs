//! The bell in one process: each loop sleeps on its own notice, and whoever looks at a page gets every ring.

use std::sync::Arc;

use branchline_ports::{Bell, Ring};
use tokio::sync::{Notify, broadcast};

/// So many rings may wait for a slow listener before it loses some and looks again by itself.
const RINGS_KEPT: usize = 4_096;

/// One notice for each loop, and a broadcast for listeners.
#[derive(Clone, Debug)]
pub struct EmbeddedBell {
    /// An event was accepted.
    pub events: Arc<Notify>,
    /// There is something to advance.
    pub work: Arc<Notify>,
    /// There is something to perform.
    pub effects: Arc<Notify>,
    /// A queue has more runs.
    pub queue: Arc<Notify>,
    rings: broadcast::Sender<Ring>,
}

impl Default for EmbeddedBell {
    fn default() -> Self {
        Self::new()
    }
}

impl EmbeddedBell {
    /// A bell nobody listens to yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            events: Arc::default(),
            work: Arc::default(),
            effects: Arc::default(),
            queue: Arc::default(),
            rings: broadcast::channel(RINGS_KEPT).0,
        }
    }

    /// Where listeners subscribe.
    #[must_use]
    pub fn rings(&self) -> broadcast::Sender<Ring> {
        self.rings.clone()
    }
}

impl Bell for EmbeddedBell {
    fn ring(&self, ring: Ring) {
        match &ring {
            Ring::Events => self.events.notify_one(),
            Ring::EndedRuns => self.work.notify_one(),
            Ring::Effects => self.effects.notify_one(),
            Ring::Queue(_) => self.queue.notify_one(),
            Ring::RepositoryChanged(_) | Ring::BuildChanged(_) | Ring::LogGrew(_) => {}
        }
        // Nobody listening is no failure.
        drop(self.rings.send(ring));
    }
}
