//! Every store does what the port says: each situation of the suite, for each back end.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod memory {
    branchline_testkit::store_conformance!((branchline_store::MemoryStore::new(), ()));
}

mod sqlite {
    use branchline_store::SqliteStore;

    fn opened() -> (SqliteStore, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        (SqliteStore::open(folder.path().join("store.sqlite")).unwrap(), folder)
    }

    branchline_testkit::store_conformance!(opened());
}

mod dynamo_in_memory {
    use std::sync::Arc;
    use std::time::Duration;

    use async_trait::async_trait;
    use branchline_model::Timestamp;
    use branchline_store::dynamo::{DynamoStore, MemoryBodies, MemoryTable, Pause};
    use branchline_testkit::SteppedClock;

    /// Waits by stepping the clock.
    struct Stepping(Arc<SteppedClock>);

    #[async_trait]
    impl Pause for Stepping {
        async fn pause(&self, duration: Duration) {
            self.0.step(duration);
            tokio::task::yield_now().await;
        }
    }

    fn opened() -> (DynamoStore<MemoryTable>, ()) {
        let clock = Arc::new(SteppedClock::at(Timestamp(1_790_000_000_000)));
        let pause = Arc::new(Stepping(Arc::clone(&clock)));
        (DynamoStore::new(MemoryTable::new(), Arc::new(MemoryBodies::default()), clock, pause), ())
    }

    branchline_testkit::store_conformance!(opened());
}
