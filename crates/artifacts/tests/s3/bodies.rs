//! Rows that are too large for the table, kept in the bucket: the store's own situations of large rows, and what is left when requests
//! fail.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use branchline_model::{Change, Expectation, RepositoryId, RepositoryName, Row, Timestamp, Trouble};
use branchline_ports::{Objects, Store};
use branchline_store::dynamo::{DynamoStore, MemoryTable, ObjectBodies, Pause};
use branchline_testkit::SteppedClock;

use crate::emulator::{Emulator, Fails};

/// Waits by stepping the clock.
struct Stepping(Arc<SteppedClock>);

#[async_trait]
impl Pause for Stepping {
    async fn pause(&self, duration: Duration) {
        self.0.step(duration);
    }
}

struct Upon {
    emulator: Emulator,
    table: Arc<MemoryTable>,
    clock: Arc<SteppedClock>,
}

impl Upon {
    fn new() -> Self {
        let clock = Arc::new(SteppedClock::at(Timestamp(1_790_000_000_000)));
        Self { emulator: Emulator::start(), table: Arc::new(MemoryTable::new()), clock }
    }

    fn store(&self) -> DynamoStore<Arc<MemoryTable>> {
        let bodies = Arc::new(ObjectBodies::new(Arc::new(self.emulator.artifacts())));
        let pause = Arc::new(Stepping(Arc::clone(&self.clock)));
        DynamoStore::new(Arc::clone(&self.table), bodies, self.clock.clone(), pause)
    }

    async fn objects(&self) -> Vec<String> {
        let listed = self.emulator.artifacts().list_objects("", None, 100).await.unwrap();
        listed.into_iter().map(|object| object.key.to_string()).collect()
    }

    /// Lets so much time pass, and tidies until nothing is left to do.
    async fn tidied_after(&self, time: Duration) {
        self.clock.step(time);
        while self.store().tidy(10).await.unwrap() > 0 {}
    }
}

fn opened() -> (DynamoStore<Arc<MemoryTable>>, Upon) {
    let upon = Upon::new();
    (upon.store(), upon)
}

branchline_testkit::conform! { store, opened();
    a_row_of_a_mebibyte_comes_back_whole
    a_page_of_more_than_a_mebibyte_comes_whole
    tidying_changes_nothing_that_is_read
}

fn large(text: &str) -> Row {
    let repository = RepositoryId::of(&RepositoryName::new("example.org/app"));
    let why = text.repeat(300 << 10);
    Trouble { repository, since: Timestamp(0), why, failures: 1, next_try: Timestamp(1) }.into()
}

fn put(text: &str) -> Vec<Change> {
    vec![Change::Put { row: large(text), expected: Expectation::Any }]
}

#[test]
fn a_large_row_is_one_object_which_goes_when_its_row_has_gone() {
    let upon = Upon::new();
    upon.emulator.carry_out(async {
        let store = upon.store();
        store.commit_if_unchanged(put("a")).await.unwrap();
        let requests = upon.emulator.requests();
        assert_eq!(requests.len(), 1, "{requests:?}");
        store.read(&[large("a").key()]).await.unwrap();
        let requests = upon.emulator.requests();
        assert_eq!(requests.len(), 1, "{requests:?}");
        assert_eq!(upon.objects().await.len(), 1);
        store.discard(&[large("a").key()]).await.unwrap();
        upon.tidied_after(Duration::from_hours(2)).await;
        assert_eq!(upon.objects().await, Vec::<String>::new());
    });
}

#[test]
fn where_the_bucket_fails_the_row_is_as_before_and_nothing_stays_in_the_bucket() {
    for how in [Fails::Before, Fails::After] {
        let upon = Upon::new();
        upon.emulator.carry_out(async {
            let store = upon.store();
            store.commit_if_unchanged(put("a")).await.unwrap();
            upon.emulator.fail_from(0, how);
            let outcome = store.commit_if_unchanged(put("b")).await;
            assert!(outcome.is_err(), "{outcome:?}");
            assert!(store.read(&[large("a").key()]).await.is_err(), "it cannot be read now");
            upon.emulator.heal();
            let read = store.read(&[large("a").key()]).await.unwrap().remove(0);
            assert!(read.is_some_and(|row| row.value == large("a")));
            upon.tidied_after(Duration::from_hours(2)).await;
            assert_eq!(upon.objects().await.len(), 1);
        });
    }
}
