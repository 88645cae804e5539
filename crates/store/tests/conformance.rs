//! Every store does what the port says: each situation of the suite, for each back end.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod support {
    pub mod dynamo;
    pub mod upon;
    pub mod wall_clock;
}

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

    use branchline_store::dynamo::{DynamoStore, MemoryTable};

    use crate::support::upon::Upon;

    fn opened() -> (DynamoStore<Arc<MemoryTable>>, ()) {
        (Upon::new(MemoryTable::new()).store(), ())
    }

    branchline_testkit::store_conformance!(opened());
}

mod dynamo {
    use std::sync::Arc;

    use branchline_store::dynamo::{DynamoStore, MemoryBodies, SdkTable, Sleep};

    use crate::support::dynamo::Tables;
    use crate::support::wall_clock::WallClock;

    fn opened() -> (DynamoStore<SdkTable>, Tables) {
        let tables = Tables::reached();
        let table = tables.new_table();
        let bodies = Arc::new(MemoryBodies::default());
        (DynamoStore::new(table, bodies, Arc::new(WallClock::default()), Arc::new(Sleep)), tables)
    }

    branchline_testkit::store_conformance!(opened(), ignored "needs a DynamoDB");
}
