//! The worst store there may be, around a real one that does not fail by itself. Invariant: it breaks no promise of the port: what is refused was not
//! written, what is answered was; only an answer may be missing, and what was not answered may still come.

use std::sync::Arc;

use async_trait::async_trait;
use branchline_model::{Change, Key, Row, Versioned};
use branchline_ports::{CommitError, Page, Store, StoreError};

use crate::fault::Fault;
use crate::turn::{self, Call};
use crate::world::World;

/// A real store, with faults.
pub(crate) struct WorstStore {
    inner: Arc<dyn Store>,
    world: Arc<World>,
}

impl WorstStore {
    pub(crate) fn around(inner: Arc<dyn Store>, world: Arc<World>) -> Self {
        Self { inner, world }
    }

    fn strikes(&self, fault: Fault, call: &Call) -> bool {
        (0..call.draws()).any(|_| self.world.strikes(fault, Some(call)))
    }

    /// Whether a read fails now.
    async fn reading(&self, call: &Call) -> Result<(), StoreError> {
        turn::before(&self.world, call).await;
        if self.world.strikes(Fault::StoreUnavailable, Some(call)) {
            return Err(unavailable());
        }
        Ok(())
    }
}

fn unavailable() -> StoreError {
    StoreError::Unavailable { why: "the request was throttled".to_owned() }
}

/// Commits, and enters it in the books where it was made.
async fn carry_out(inner: &dyn Store, world: &World, changes: Vec<Change>) -> Result<(), CommitError> {
    let answer = inner.commit_if_unchanged(changes.clone()).await;
    match &answer {
        Ok(()) => world.enter(changes),
        Err(CommitError::Store(StoreError::Refused { key, why })) => {
            world.violated(format!("a commit was refused: {key}: {why}"));
        }
        Err(_) => {}
    }
    answer
}

fn summary(changes: &[Change]) -> String {
    let names: Vec<String> = changes
        .iter()
        .take(6)
        .map(|change| match change {
            Change::Put { row, .. } => format!("put {}", of_row(row)),
            Change::Delete { key, .. } => format!("delete {key}"),
            Change::Check { key, .. } => format!("check {key}"),
        })
        .collect();
    let more = changes.len().saturating_sub(6);
    let more = if more > 0 { format!(", {more} more") } else { String::new() };
    format!("commit {}{more}", names.join(", "))
}

fn of_row(row: &Row) -> String {
    match row {
        Row::Run(run) => format!("run {} {}", run.id, run.state.status().word()),
        Row::Build(build) => format!("build {} {}", build.id, build.state.status().word()),
        row => row.key().to_string(),
    }
}

#[async_trait]
impl Store for WorstStore {
    async fn read(&self, keys: &[Key]) -> Result<Vec<Option<Versioned<Row>>>, StoreError> {
        let call = Call { what: "read".to_owned(), ..Call::default() };
        self.reading(&call).await?;
        let rows = self.inner.read(keys).await;
        turn::after(&self.world, &call).await;
        rows
    }

    async fn page(&self, page: &Page) -> Result<Vec<Versioned<Row>>, StoreError> {
        let call = Call { what: self.world.words(|| format!("page {}", page.partition)), ..Call::default() };
        self.reading(&call).await?;
        let rows = self.inner.page(page).await;
        turn::after(&self.world, &call).await;
        rows
    }

    async fn commit_if_unchanged(&self, changes: Vec<Change>) -> Result<(), CommitError> {
        let transitions = self.world.state().ledger.transitions(&changes);
        let call = Call { what: self.world.words(|| summary(&changes)), transitions, journal: false };
        turn::before(&self.world, &call).await;
        if self.strikes(Fault::StoreUnavailable, &call) {
            return Err(unavailable().into());
        }
        if self.strikes(Fault::StoreLate, &call) {
            let (inner, world) = (Arc::clone(&self.inner), Arc::clone(&self.world));
            let wait = world.state().chance.between(1, 5_000);
            self.world.spawn(
                "late commit",
                Box::pin(async move {
                    turn::sleep(&world, wait).await;
                    let answer = carry_out(inner.as_ref(), &world, changes).await;
                    world.note(|| format!("{}: {}", call.what, outcome(&answer)));
                }),
            );
            return Err(unavailable().into());
        }
        let answer = carry_out(self.inner.as_ref(), &self.world, changes).await;
        self.world.note(|| format!("{}: {}", call.what, outcome(&answer)));
        turn::after(&self.world, &call).await;
        if answer.is_ok() && self.strikes(Fault::StoreAnswerLost, &call) {
            return Err(unavailable().into());
        }
        answer
    }

    async fn tidy(&self, limit: usize) -> Result<usize, StoreError> {
        self.inner.tidy(limit).await
    }
}

fn outcome(answer: &Result<(), CommitError>) -> String {
    match answer {
        Ok(()) => "done".to_owned(),
        Err(error) => error.to_string(),
    }
}
