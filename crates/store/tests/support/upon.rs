//! Stores upon one table in memory, whose waits step a clock.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use branchline_model::Timestamp;
use branchline_store::dynamo::{DynamoStore, LargeBodies, MemoryBodies, MemoryTable, Pause};
use branchline_testkit::SteppedClock;

/// A table in memory, and what stores upon it share.
#[derive(Clone)]
pub struct Upon {
    pub table: Arc<MemoryTable>,
    pub bodies: Arc<MemoryBodies>,
    pub clock: Arc<SteppedClock>,
}

impl Upon {
    pub fn new(table: MemoryTable) -> Self {
        let clock = Arc::new(SteppedClock::at(Timestamp(1_790_000_000_000)));
        Self { table: Arc::new(table), bodies: Arc::default(), clock }
    }

    /// One more store upon it, as in another process.
    pub fn store(&self) -> DynamoStore<Arc<MemoryTable>> {
        self.store_with(self.bodies.clone())
    }

    /// One whose large bodies are kept so.
    pub fn store_with(&self, bodies: Arc<dyn LargeBodies>) -> DynamoStore<Arc<MemoryTable>> {
        let pause = Arc::new(Stepping(Arc::clone(&self.clock)));
        DynamoStore::new(Arc::clone(&self.table), bodies, self.clock.clone(), pause)
    }
}

/// Waits by stepping the clock.
struct Stepping(Arc<SteppedClock>);

#[async_trait]
impl Pause for Stepping {
    async fn pause(&self, duration: Duration) {
        self.0.step(duration);
        tokio::task::yield_now().await;
    }
}
