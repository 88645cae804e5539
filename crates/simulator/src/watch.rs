//! What of a table's writes is a commit, and when it counts. Invariant: whatever changes for readers of the table changes by
//! one whole commit that somebody asked for; half of one, or one that nobody asked for, is a violation at once.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use async_trait::async_trait;
use branchline_model::{Change, Expectation, Key, Row, Versioned};
use branchline_ports::{Clock, CommitError, Page, Store, StoreError};
use branchline_store::dynamo::{DynamoStore, MemoryBodies, MemoryTable, Write};

use crate::coverage::Transition;
use crate::table::WorldPause;
use crate::world::World;

/// So many rows and more make a journal.
const JOURNAL: usize = 100;

type Upon = DynamoStore<Arc<MemoryTable>>;

/// The stores upon one table, as different processes have them, and what they were asked.
pub(crate) struct Watch {
    world: Arc<World>,
    table: Arc<MemoryTable>,
    bodies: Arc<MemoryBodies>,
    asked: Mutex<Asked>,
    processes: Mutex<Vec<Arc<Upon>>>,
}

#[derive(Default)]
struct Asked {
    count: u64,
    commits: Vec<Asking>,
}

/// A commit that was asked for and may be made any time.
struct Asking {
    id: u64,
    changes: Vec<Change>,
    /// Every row that it names.
    keys: BTreeSet<Key>,
    /// Those of them that it writes.
    written: BTreeSet<Key>,
    /// It was entered in the books.
    made: bool,
    /// What it comes to was there once, by itself or by another.
    seen: bool,
    /// A call of it is on its way that nobody waits for.
    late: bool,
}

impl Asked {
    /// Notes which commits' outcome is there.
    fn see(&mut self, found: &BTreeMap<&Key, Option<&Row>>) {
        let whole = |commit: &Asking| commit.written.iter().all(|key| found.contains_key(key));
        for commit in self.commits.iter_mut().filter(|commit| whole(commit)) {
            commit.seen = commit.seen || comes_to(commit, found);
        }
    }
}

impl Asking {
    /// Whether what it asks for may hold once more after it was made: a row that it makes may have gone since, while no version
    /// ever comes back. Then a call of it that comes late makes it again, behind what others did.
    fn may_hold_again(&self) -> bool {
        self.changes.iter().all(|change| match change {
            Change::Put { expected, .. } | Change::Delete { expected, .. } => {
                matches!(expected, Expectation::Any | Expectation::Absent)
            }
            Change::Check { .. } => true,
        })
    }

    fn is_journal(&self) -> bool {
        self.changes.len() > JOURNAL
    }
}

fn key(change: &Change) -> Key {
    match change {
        Change::Put { row, .. } => row.key(),
        Change::Delete { key, .. } | Change::Check { key, .. } => key.clone(),
    }
}

impl Watch {
    pub(crate) fn new(world: &Arc<World>, table: &Arc<MemoryTable>) -> Self {
        Self {
            world: Arc::clone(world),
            table: Arc::clone(table),
            bodies: Arc::default(),
            asked: Mutex::default(),
            processes: Mutex::default(),
        }
    }

    fn asked(&self) -> MutexGuard<'_, Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A store upon the table that has just been made.
    fn fresh(&self) -> Upon {
        let clock = Arc::clone(&self.world.clock) as Arc<dyn Clock>;
        let pause = Arc::new(WorldPause(Arc::clone(&self.world)));
        DynamoStore::new(Arc::clone(&self.table), Arc::clone(&self.bodies) as Arc<_>, clock, pause)
    }

    /// One of three processes' store; now and then one of them has just been started.
    fn process(&self) -> Arc<Upon> {
        let mut processes = self.processes.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, replaced) = {
            let mut state = self.world.state();
            (state.chance.index(3), state.chance.one_in(40))
        };
        while processes.len() <= at {
            processes.push(Arc::new(self.fresh()));
        }
        match processes.get_mut(at) {
            Some(process) => {
                if replaced {
                    *process = Arc::new(self.fresh());
                }
                Arc::clone(process)
            }
            None => Arc::new(self.fresh()),
        }
    }

    /// What the commit that these writes belong to changes of states, and whether it is a journal.
    pub(crate) fn about(&self, writes: &[Write]) -> (Vec<Transition>, bool) {
        let asked = self.asked();
        let Some(commit) = asked.commits.iter().find(|commit| is_of(commit, writes)) else {
            return (Vec::new(), false);
        };
        (self.world.state().ledger.transitions(&commit.changes), commit.is_journal())
    }

    /// A call with these writes may come any time from now on.
    pub(crate) fn comes_late(&self, writes: &[Write]) {
        for commit in self.asked().commits.iter_mut().filter(|commit| is_of(commit, writes)) {
            commit.late = true;
        }
    }

    /// Something was written: what changes by it for readers is entered in the books.
    pub(crate) fn written(&self, writes: &[Write]) {
        let mut asked = self.asked();
        let touched = |commit: &Asking| {
            writes.iter().any(|write| is_journals(write.key()) || commit.written.contains(write.key()))
        };
        let keys: Vec<Key> = asked
            .commits
            .iter()
            .filter(|commit| touched(commit))
            .flat_map(|commit| commit.written.iter().cloned())
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect();
        let rows = match self.look(&keys) {
            Ok(rows) => rows,
            Err(error) => return self.world.violated(format!("the table cannot be read: {error}")),
        };
        let found: BTreeMap<&Key, Option<&Row>> = keys.iter().zip(rows.iter().map(Option::as_ref)).collect();
        let changed: Vec<&Key> = {
            let state = self.world.state();
            found
                .iter()
                .filter(|(key, row)| state.ledger.rows.get(**key) != **row)
                .map(|(key, _)| *key)
                .collect()
        };
        if changed.is_empty() {
            // One that changes nothing is made as well.
            asked.see(&found);
            return;
        }
        let explains = |commit: &Asking| {
            (!commit.seen || commit.may_hold_again())
                && changed.iter().all(|key| commit.written.contains(*key))
                && comes_to(commit, &found)
        };
        let Some(at) = asked.commits.iter().position(explains) else {
            let keys: Vec<String> = changed.iter().map(ToString::to_string).collect();
            return self
                .world
                .violated(format!("no whole commit explains the change of {}", keys.join(", ")));
        };
        let Some(commit) = asked.commits.get_mut(at) else { return };
        commit.made = true;
        let changes = commit.changes.clone();
        asked.see(&found);
        self.world.enter(changes);
    }

    /// The rows under these keys as readers see them, without anything going wrong or anybody acting meanwhile.
    fn look(&self, keys: &[Key]) -> Result<Vec<Option<Row>>, StoreError> {
        let store = self.fresh();
        let rows = self.undisturbed(store.read(keys))?;
        Ok(rows.into_iter().map(|row| row.map(|row| row.value)).collect())
    }

    /// Carries out what waits for nobody.
    fn undisturbed<T>(&self, work: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        self.world.state().observing = true;
        let mut work = pin!(work);
        let polled = work.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        self.world.state().observing = false;
        match polled {
            Poll::Ready(answer) => answer,
            Poll::Pending => Err(StoreError::Unavailable { why: "a reader waits for something".to_owned() }),
        }
    }

    /// What of journals is left in the table.
    pub(crate) fn leftover(&self) -> Option<String> {
        let is_left = |item: &branchline_store::dynamo::Item| {
            item.mark.is_some() || item.now.is_none() || is_journals(&item.key)
        };
        let item = self.table.items().into_iter().find(is_left)?;
        Some(format!("`{}` of a journal is left behind", item.key))
    }
}

fn is_journals(key: &Key) -> bool {
    key.partition.starts_with("journal")
}

/// Whether these writes belong to a commit, or to its journal.
fn is_of(commit: &Asking, writes: &[Write]) -> bool {
    let mut rows = writes.iter().map(Write::key).filter(|key| !is_journals(key)).peekable();
    rows.peek().is_some() && rows.all(|key| commit.keys.contains(key))
}

/// Whether what is there is what a commit comes to.
fn comes_to(commit: &Asking, found: &BTreeMap<&Key, Option<&Row>>) -> bool {
    commit.changes.iter().all(|change| match change {
        Change::Put { row, .. } => found.get(&row.key()).copied().flatten() == Some(row),
        Change::Delete { key, .. } => found.get(key).copied().flatten().is_none(),
        Change::Check { .. } => true,
    })
}

/// Forgets a commit that can be made no more; also where whoever asked for it is gone.
struct Answer<'w> {
    watch: &'w Watch,
    id: u64,
}

impl Drop for Answer<'_> {
    fn drop(&mut self) {
        let id = self.id;
        // What is on its way may count at any time, once more where it asks for nothing; so may a journal that others finish.
        let is_over =
            |commit: &Asking| commit.id == id && !commit.late && (commit.made || !commit.is_journal());
        self.watch.asked().commits.retain(|commit| !is_over(commit));
    }
}

/// The stores upon the table, as controllers have them.
pub(crate) struct Processes(pub(crate) Arc<Watch>);

#[async_trait]
impl Store for Processes {
    async fn read(&self, keys: &[Key]) -> Result<Vec<Option<Versioned<Row>>>, StoreError> {
        self.0.process().read(keys).await
    }

    async fn page(&self, page: &Page) -> Result<Vec<Versioned<Row>>, StoreError> {
        self.0.process().page(page).await
    }

    async fn commit_if_unchanged(&self, changes: Vec<Change>) -> Result<(), CommitError> {
        let watch = &self.0;
        let id = {
            let mut asked = watch.asked();
            asked.count += 1;
            let (id, keys) = (asked.count, changes.iter().map(key).collect());
            let is_written = |change: &&Change| !matches!(change, Change::Check { .. });
            let written: BTreeSet<Key> = changes.iter().filter(is_written).map(key).collect();
            let changes = changes.clone();
            let seen = written.is_empty();
            asked.commits.push(Asking { id, changes, keys, written, made: false, seen, late: false });
            id
        };
        let answer = Answer { watch, id };
        let outcome = watch.process().commit_if_unchanged(changes).await;
        match &outcome {
            Ok(()) => {
                let seen = watch
                    .asked()
                    .commits
                    .iter()
                    .find(|commit| commit.id == id)
                    .is_some_and(|commit| commit.seen);
                if !seen {
                    watch.world.violated("a commit was answered as made, and was never there");
                }
            }
            Err(CommitError::Store(StoreError::Refused { key, why })) => {
                watch.world.violated(format!("a commit was refused: {key}: {why}"));
            }
            Err(error) => watch.world.note(|| format!("the commit: {error}")),
        }
        drop(answer);
        outcome
    }

    async fn tidy(&self, limit: usize) -> Result<usize, StoreError> {
        self.0.process().tidy(limit).await
    }
}

/// The table as it is, without faults.
pub(crate) struct Truth(pub(crate) Arc<Watch>);

#[async_trait]
impl Store for Truth {
    async fn read(&self, keys: &[Key]) -> Result<Vec<Option<Versioned<Row>>>, StoreError> {
        let store = self.0.fresh();
        self.0.undisturbed(store.read(keys))
    }

    async fn page(&self, page: &Page) -> Result<Vec<Versioned<Row>>, StoreError> {
        let store = self.0.fresh();
        self.0.undisturbed(store.page(page))
    }

    async fn commit_if_unchanged(&self, _: Vec<Change>) -> Result<(), CommitError> {
        Err(StoreError::Unavailable { why: "it is only looked at".to_owned() }.into())
    }
}
