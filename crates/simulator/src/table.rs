//! A table in memory that behaves like DynamoDB at its worst, below the real store upon it: so what is cut in the middle,
//! answered late or never is the store's own transactions and journals. Invariant: it only ever does what DynamoDB
//! may do: a call is done whole or not at all, and only its answer may lie about whether it was.

use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use async_trait::async_trait;
use branchline_store::dynamo::{
    Call as TableCall, Cause, Faults, MemoryTable, Pause, Table, TableError, Write,
};

use crate::fault::Fault;
use crate::turn::{self, Call};
use crate::watch::Watch;
use crate::world::World;

/// What goes wrong with the table's calls.
pub(crate) struct WorstTable {
    world: Arc<World>,
    table: OnceLock<Weak<MemoryTable>>,
    watch: OnceLock<Weak<Watch>>,
}

/// A table whose calls go wrong as the world will have it; `watch` is told of all that is written.
pub(crate) fn worst(world: &Arc<World>) -> (Arc<MemoryTable>, Arc<Watch>) {
    let faults =
        Arc::new(WorstTable { world: Arc::clone(world), table: OnceLock::new(), watch: OnceLock::new() });
    let table = Arc::new(MemoryTable::with_faults(Arc::clone(&faults) as Arc<dyn Faults>));
    let watch = Arc::new(Watch::new(world, &table));
    // Each is set once, here.
    let _ = faults.table.set(Arc::downgrade(&table));
    let _ = faults.watch.set(Arc::downgrade(&watch));
    (table, watch)
}

fn writes<'c>(call: &TableCall<'c>) -> &'c [Write] {
    match call {
        TableCall::Get(_) | TableCall::Query(_) | TableCall::Remove(_) => &[],
        TableCall::Write(write) => std::slice::from_ref(write),
        TableCall::Transact(writes) => writes,
    }
}

impl WorstTable {
    fn describe(&self, call: &TableCall<'_>) -> Call {
        let what = self.world.words(|| match call {
            TableCall::Get(keys) => format!("get {} items", keys.len()),
            TableCall::Query(query) => format!("query {}", query.partition),
            TableCall::Remove(keys) => format!("remove {} items", keys.len()),
            TableCall::Write(write) => format!("write {}", of_write(write)),
            TableCall::Transact(writes) => {
                let names: Vec<String> = writes.iter().take(4).map(of_write).collect();
                format!("transact {} items: {}", writes.len(), names.join(", "))
            }
        });
        let about = self.watch.get().and_then(Weak::upgrade).map(|watch| watch.about(writes(call)));
        let (transitions, journal) = about.unwrap_or_default();
        Call { what, transitions, journal }
    }

    /// Does these writes once more, or for the first time, when nobody waits for them any more.
    fn later(&self, writes: &[Write]) {
        let (world, writes) = (Arc::clone(&self.world), writes.to_vec());
        let Some(table) = self.table.get().and_then(Weak::upgrade) else { return };
        if let Some(watch) = self.watch.get().and_then(Weak::upgrade) {
            watch.comes_late(&writes);
        }
        let wait = world.state().chance.between(1, 20_000);
        let name = format!("late{}", world.state().step);
        self.world.spawn(
            "late call",
            Box::pin(async move {
                turn::sleep(&world, wait).await;
                let answer = match writes.as_slice() {
                    [write] => table.write(write).await,
                    writes => table.transact(&name, writes).await,
                };
                world.note(|| match answer {
                    Ok(()) => "a late call was done".to_owned(),
                    Err(error) => format!("a late call was not done: {error}"),
                });
            }),
        );
    }

    fn strikes(&self, fault: Fault, call: &Call) -> bool {
        (0..call.draws()).any(|_| self.world.strikes(fault, Some(call)))
    }

    /// One of the ways in which a call is not done.
    fn refusal(&self, writes: &[Write]) -> TableError {
        let mut state = self.world.state();
        let kind = state.chance.between(0, if writes.is_empty() { 2 } else { 4 });
        match kind {
            0 => TableError::Throttled,
            1 => TableError::Unavailable { why: "the connection was refused".to_owned() },
            2 => TableError::Unknown { why: "the connection was reset".to_owned() },
            _ => {
                let at = state.chance.index(writes.len());
                let cause = if state.chance.one_in(2) { Cause::Conflict } else { Cause::Throttled };
                let causes = (0..writes.len()).map(|one| (one == at).then(|| cause.clone()));
                TableError::Cancelled { causes: causes.collect() }
            }
        }
    }
}

fn of_write(write: &Write) -> String {
    let what = match write {
        Write::Put(..) => "put",
        Write::Delete(..) => "delete",
        Write::Check(..) => "check",
    };
    format!("{what} {}", write.key())
}

#[async_trait]
impl Faults for WorstTable {
    async fn before(&self, called: TableCall<'_>) -> Option<TableError> {
        if self.world.state().observing {
            return None;
        }
        let call = self.describe(&called);
        turn::before(&self.world, &call).await;
        let writes = writes(&called);
        if self.strikes(Fault::StoreUnavailable, &call) {
            return Some(self.refusal(writes));
        }
        if writes.is_empty() {
            return None;
        }
        if self.strikes(Fault::StoreLate, &call) {
            self.later(writes);
            return Some(TableError::Unknown { why: "no answer in time".to_owned() });
        }
        if self.strikes(Fault::StoreDoubled, &call) {
            self.later(writes);
        }
        None
    }

    async fn after(&self, called: TableCall<'_>, done: Result<(), &TableError>) -> Option<TableError> {
        if self.world.state().observing {
            return None;
        }
        let call = self.describe(&called);
        let writes = writes(&called);
        if done.is_ok() && !writes.is_empty() {
            if let Some(watch) = self.watch.get().and_then(Weak::upgrade) {
                watch.written(writes);
            }
            self.world.note(|| format!("{}: done", call.what));
        }
        turn::after(&self.world, &call).await;
        if done.is_ok() && self.strikes(Fault::StoreAnswerLost, &call) {
            return Some(TableError::Unknown { why: "the connection was reset".to_owned() });
        }
        None
    }

    async fn between_items(&self) {
        let others_act = {
            let mut state = self.world.state();
            !state.observing && state.chance.one_in(16)
        };
        if others_act {
            turn::breathe(&self.world).await;
        }
    }

    fn looked_at(&self, keys: usize) -> usize {
        let mut state = self.world.state();
        if state.observing || !state.strikes(Fault::ReadShort, None) {
            return keys;
        }
        let few = state.chance.index(keys);
        few.max(1)
    }
}

/// Waits by the world's time.
pub(crate) struct WorldPause(pub(crate) Arc<World>);

#[async_trait]
impl Pause for WorldPause {
    async fn pause(&self, duration: Duration) {
        turn::sleep(&self.0, u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)).await;
    }
}
