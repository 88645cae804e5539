//! The directories of the queues: kept true by every commit that queues, and walked by every claim. Invariant: a walk
//! reads a bounded page at a time, and begins elsewhere at each turn, so that what is long is neither read whole nor
//! always from its head.

use std::collections::BTreeSet;

use branchline_core::queue::{self, Found};
use branchline_model::{Demand, LaneId, Plan, PoolName, Row, Standing, Versioned, Wants, keys};
use branchline_ports::{Page, StoreError};

use crate::Controller;

/// So many rows of a directory are read at once. One that is shorter is read whole.
const ROWS_AT_ONCE: usize = 16;

impl Controller {
    /// Adds to a plan what makes the lanes be found that it puts entries into; answers their pools. Every commit does
    /// it, so that no decision can forget it.
    pub(crate) async fn open_lanes(&self, plan: &mut Plan) -> Result<BTreeSet<PoolName>, StoreError> {
        let lanes: Vec<_> = queue::lanes(plan).into_iter().collect();
        if lanes.is_empty() {
            return Ok(BTreeSet::new());
        }
        let demand = |lane: &LaneId| keys::demand(&lane.pool, &lane.wants);
        let wanted: Vec<_> = lanes.iter().map(keys::lane).chain(lanes.iter().map(demand)).collect();
        let mut rows = self.store.read(&wanted).await?;
        let demands = rows.split_off(lanes.len());
        let found: Vec<_> = lanes
            .into_iter()
            .zip(rows.into_iter().zip(demands))
            .map(|(lane, (row, demand))| Found {
                lane,
                row: row.map(|row| row.map(standing)),
                demand: demand.map(|row| row.map(standing)),
            })
            .collect();
        queue::open(plan, &found, self.clock.now());
        Ok(found.into_iter().map(|found| found.lane.pool).collect())
    }
}

/// How a row of a directory stands. What is none, or cannot be read, is written over by who queues: so it heals.
fn standing(row: Row) -> Standing {
    match row {
        Row::Lane(lane) => lane.standing,
        Row::Demand(demand) => demand.standing,
        _ => Standing::Closing,
    }
}

/// A walk through all rows whose sort keys begin with a prefix, from where its turn says and round to there.
pub(crate) struct Walk {
    page: Page,
    turn: u64,
    stage: Stage,
}

enum Stage {
    /// Nothing was read: if all of it is short, all of it is read.
    First,
    /// From the position on.
    Onwards,
    /// From the start up to the position.
    Around,
    Done,
}

impl Walk {
    /// Through the lanes in which this is wanted.
    pub(crate) fn lanes(pool: &PoolName, wants: &Wants, turn: u64) -> Self {
        let page = Page::of(keys::lanes(pool, wants), ROWS_AT_ONCE);
        Self { page, turn, stage: Stage::First }
    }

    fn position(&self) -> String {
        format!("{}{}", self.page.prefix, queue::position(self.turn))
    }

    fn onwards(mut self) -> Self {
        self.page.after = Some(self.position());
        self.stage = Stage::Onwards;
        self
    }

    /// The next rows; none once it is through.
    pub(crate) async fn next<T: TryFrom<Row, Error = Row> + Into<Row> + Clone>(
        &mut self,
        controller: &Controller,
    ) -> Result<Vec<Versioned<T>>, StoreError> {
        loop {
            if matches!(self.stage, Stage::Done) {
                return Ok(Vec::new());
            }
            let mut rows = controller.page::<T>(&self.page).await?;
            let full = rows.len() == ROWS_AT_ONCE;
            match self.stage {
                Stage::First if full => {
                    self.page.after = Some(self.position());
                    self.stage = Stage::Onwards;
                    continue;
                }
                Stage::First | Stage::Done => self.stage = Stage::Done,
                Stage::Onwards | Stage::Around if full => {
                    self.page.after = rows.last().map(|row| row.value.clone().into().key().sort);
                }
                Stage::Onwards => {
                    self.page = Page { after: None, until: Some(self.position()), ..self.page.clone() };
                    self.stage = Stage::Around;
                }
                Stage::Around => self.stage = Stage::Done,
            }
            if !rows.is_empty() {
                queue::in_turn(&mut rows, self.turn, |_, _| true);
                return Ok(rows);
            }
        }
    }
}

/// A walk through what is wanted of a pool, the most urgent first, and what is equally urgent from where its turn says.
pub(crate) struct DemandWalk {
    /// What was not read yet.
    rest: Option<Page>,
    /// The many that are equally urgent, while they are walked through.
    equals: Option<Walk>,
    turn: u64,
}

impl DemandWalk {
    pub(crate) fn new(pool: &PoolName, turn: u64) -> Self {
        Self { rest: Some(Page::of(keys::demands(pool), ROWS_AT_ONCE)), equals: None, turn }
    }

    /// The next demands; none once it is through.
    pub(crate) async fn next(
        &mut self,
        controller: &Controller,
    ) -> Result<Vec<Versioned<Demand>>, StoreError> {
        loop {
            if let Some(walk) = &mut self.equals {
                let rows = walk.next(controller).await?;
                if !rows.is_empty() {
                    return Ok(rows);
                }
                self.equals = None;
            }
            let Some(page) = &mut self.rest else { return Ok(Vec::new()) };
            let mut rows = controller.page::<Demand>(page).await?;
            let priority = |row: &Versioned<Demand>| row.value.wants.priority;
            let (Some(first), Some(last)) = (rows.first().map(priority), rows.last().map(priority)) else {
                self.rest = None;
                continue;
            };
            if rows.len() < ROWS_AT_ONCE {
                self.rest = None;
            } else if first == last {
                let prefix = format!("{}/", first.sortable());
                // What follows all that begin so: no key's digits reach as far.
                page.after = Some(format!("{prefix}~"));
                let equals = Page { prefix, after: None, ..page.clone() };
                self.equals = Some(Walk { page: equals, turn: self.turn, stage: Stage::First }.onwards());
                continue;
            } else {
                // The last ones may have more like them behind.
                rows.retain(|row| priority(row) != last);
                page.after = rows.last().map(|row| keys::demand(&row.value.pool, &row.value.wants).sort);
            }
            queue::in_turn(&mut rows, self.turn, |one, other| priority(one) == priority(other));
            return Ok(rows);
        }
    }
}
