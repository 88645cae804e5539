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
