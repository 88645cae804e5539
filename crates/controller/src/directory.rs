//! The directories of the queues: kept true by every commit that queues, and walked by every claim. Invariant: a walk
//! reads a bounded page at a time, and begins behind what was served last, so that what is long is neither read whole
//! nor always from its head.

use std::collections::{BTreeSet, VecDeque};

use branchline_core::queue::{self, Found};
use branchline_model::{Demand, Plan, PoolName, Priority, Row, Standing, Tag, Versioned, Wants, keys};
use branchline_ports::{Page, StoreError};

use crate::Controller;

/// So many rows of a directory are read at once. One that is shorter is read whole.
const ROWS_AT_ONCE: usize = 8;
/// So many demands where the most urgent ones were in vain: there is much that this worker cannot take.
const DEMANDS_AT_ONCE: usize = 64;

impl Controller {
    /// Adds to a plan what makes the lanes be found that it puts entries into; answers their pools. Every commit does
    /// it, so that no decision can forget it.
    pub(crate) async fn open_lanes(&self, plan: &mut Plan) -> Result<BTreeSet<PoolName>, StoreError> {
        let lanes: Vec<_> = queue::lanes(plan).into_iter().collect();
        if lanes.is_empty() {
            return Ok(BTreeSet::new());
        }
        let lane_keys: Vec<_> = lanes.iter().map(keys::lane).collect();
        let rows = self.store.read(&lane_keys).await?;
        let mut found: Vec<_> = lanes
            .into_iter()
            .zip(rows)
            .map(|(lane, row)| Found { lane, row: row.map(|row| row.map(standing)), demand: None })
            .collect();
        // A lane that is there keeps its demand there.
        let new: Vec<_> = found.iter_mut().filter(|found| found.row.is_none()).collect();
        if !new.is_empty() {
            let demand = |found: &&mut Found| keys::demand(&found.lane.pool, &found.lane.wants);
            let demands = self.store.read(&new.iter().map(demand).collect::<Vec<_>>()).await?;
            for (found, demand) in new.into_iter().zip(demands) {
                found.demand = demand.map(|row| row.map(standing));
            }
        }
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

/// A walk through all rows whose sort keys begin with a prefix, from behind the one that was served last and round to it.
pub(crate) struct Walk {
    page: Page,
    start: String,
    stage: Stage,
}

enum Stage {
    /// Nothing was read: if all of it is short, all of it is read.
    First,
    /// Behind the start.
    Onwards,
    /// Up to the start.
    Around,
    Done,
}

impl Walk {
    /// Through the lanes in which this is wanted, so many at first.
    pub(crate) fn lanes(
        controller: &Controller,
        pool: &PoolName,
        wants: &Wants,
        turn: u64,
        most: usize,
    ) -> Self {
        let directory = keys::lanes(pool, wants);
        let start = controller.hints.start(&directory, turn);
        if controller.hints.is_long(&directory) {
            let page = Page::of(directory, most.clamp(1, ROWS_AT_ONCE));
            Self { page: Page { after: Some(start.clone()), ..page }, start, stage: Stage::Onwards }
        } else {
            Self { page: Page::of(directory, ROWS_AT_ONCE), start, stage: Stage::First }
        }
    }

    /// Through all that is wanted of a pool, whatever its priority, from behind this sort key and round to it.
    fn demands(pool: &PoolName, start: String) -> Self {
        let page = Page { after: Some(start.clone()), ..Page::of(keys::demands(pool), DEMANDS_AT_ONCE) };
        Self { page, start, stage: Stage::Onwards }
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
            let mut rows = controller.leads::<T>(&self.page).await?;
            let full = rows.len() == self.page.limit;
            if self.page.limit < ROWS_AT_ONCE {
                self.page.limit = ROWS_AT_ONCE;
            }
            match self.stage {
                Stage::First if full => {
                    controller.hints.found(&self.page.partition, true);
                    self.page.after = Some(self.start.clone());
                    self.stage = Stage::Onwards;
                    continue;
                }
                Stage::First | Stage::Done => {
                    begin_behind(&mut rows, &self.start);
                    self.stage = Stage::Done;
                }
                Stage::Onwards | Stage::Around if full => self.page.after = rows.last().map(sort_of),
                Stage::Onwards => {
                    self.page = Page { after: None, until: Some(self.start.clone()), ..self.page.clone() };
                    self.stage = Stage::Around;
                }
                Stage::Around => {
                    // Round to where it began: it is seen anew how long it is.
                    controller.hints.found(&self.page.partition, false);
                    self.stage = Stage::Done;
                }
            }
            if !rows.is_empty() {
                return Ok(rows);
            }
        }
    }
}

/// Turns rows that are in order, so that the first one behind this sort key is the first.
fn begin_behind<T: Into<Row> + Clone>(rows: &mut [Versioned<T>], start: &str) {
    let before = rows.partition_point(|row| sort_of(row).as_str() <= start);
    rows.rotate_left(before);
}

fn sort_of<T: Into<Row> + Clone>(row: &Versioned<T>) -> String {
    row.value.clone().into().key().sort
}

/// A walk through what is wanted of a pool, the most urgent first, and what is equally urgent in its turn.
struct UrgentFirst {
    /// What was not read yet.
    rest: Option<Page>,
    /// The many that are equally urgent, while they are walked through.
    equals: Option<Walk>,
    turn: u64,
}

impl UrgentFirst {
    fn new(pool: &PoolName, turn: u64) -> Self {
        Self { rest: Some(Page::of(keys::demands(pool), ROWS_AT_ONCE)), equals: None, turn }
    }

    /// The next demands; none once it is through.
    async fn next(&mut self, controller: &Controller) -> Result<Vec<Versioned<Demand>>, StoreError> {
        loop {
            if let Some(walk) = &mut self.equals {
                let rows = walk.next(controller).await?;
                if !rows.is_empty() {
                    return Ok(rows);
                }
                self.equals = None;
            }
            let Some(page) = &mut self.rest else { return Ok(Vec::new()) };
            let partition = page.partition.clone();
            // Of many, the first one says how urgent the others are.
            let is_long = page.after.is_none() && controller.hints.is_long(&partition);
            page.limit = if is_long { 1 } else { ROWS_AT_ONCE };
            let mut rows = controller.leads::<Demand>(page).await?;
            let priority = |row: &Versioned<Demand>| row.value.wants.priority;
            let (Some(first), Some(last)) = (rows.first().map(priority), rows.last().map(priority)) else {
                self.rest = None;
                continue;
            };
            if rows.len() < page.limit {
                self.rest = None;
            } else if first == last {
                if !is_long {
                    controller.hints.found(&partition, true);
                }
                let prefix = format!("{}/", first.sortable());
                // What follows all that begin so: no key's digits reach as far.
                page.after = Some(format!("{prefix}~"));
                let start = Self::start(controller, &partition, first, self.turn);
                let limit = if is_long { 2 } else { ROWS_AT_ONCE };
                let equals = Page { prefix, after: Some(start.clone()), limit, ..page.clone() };
                self.equals = Some(Walk { page: equals, start, stage: Stage::Onwards });
                continue;
            } else {
                // The last ones may have more like them behind.
                rows.retain(|row| priority(row) != last);
                page.after = rows.last().map(sort_of);
            }
            for equals in rows.chunk_by_mut(|one, other| priority(one) == priority(other)) {
                if let [one, ..] = equals {
                    let start = Self::start(controller, &partition, priority(one), self.turn);
                    begin_behind(equals, &start);
                }
            }
            return Ok(rows);
        }
    }

    /// Those of one priority have their turns among themselves.
    fn start(controller: &Controller, partition: &str, priority: Priority, turn: u64) -> String {
        let prefix = priority.sortable();
        let start = controller.hints.start(&format!("{partition}/{prefix}"), turn);
        format!("{prefix}/{start}")
    }
}

/// What one claim looks through: the most urgent demands first. Where those that it had the time for were all in vain, it goes on
/// where a claim like it ended the last time, through everything; so whatever waits comes into sight within a few claims,
/// however much there is that this worker cannot take.
pub(crate) struct DemandWalk {
    pool: PoolName,
    /// Whose turns these are: those of workers with the same tags.
    whose: String,
    part: Part,
    /// What was read and not looked at yet.
    read: VecDeque<Versioned<Demand>>,
    last: Option<String>,
}

enum Part {
    Urgent(UrgentFirst),
    Rest(Walk),
    Done,
}

impl DemandWalk {
    pub(crate) fn new(pool: &PoolName, tags: &BTreeSet<Tag>, turn: u64) -> Self {
        let tags: Vec<&str> = tags.iter().map(Tag::as_str).collect();
        let whose = format!("{} in vain for {}", keys::demands(pool), tags.join("\n"));
        let part = Part::Urgent(UrgentFirst::new(pool, turn));
        Self { pool: pool.clone(), whose, part, read: VecDeque::new(), last: None }
    }

    /// The next demand; none once it is through.
    pub(crate) async fn next(
        &mut self,
        controller: &Controller,
    ) -> Result<Option<Versioned<Demand>>, StoreError> {
        if self.read.is_empty() {
            let rows = match &mut self.part {
                Part::Urgent(walk) => walk.next(controller).await?,
                Part::Rest(walk) => walk.next(controller).await?,
                Part::Done => Vec::new(),
            };
            self.read = rows.into();
        }
        let next = self.read.pop_front();
        match &next {
            Some(demand) => self.last = Some(sort_of(demand)),
            None => self.part = Part::Done,
        }
        Ok(next)
    }

    /// This look ends in vain, and not because it was through: the next one goes on elsewhere.
    pub(crate) fn cut(&mut self, controller: &Controller, turn: u64) {
        match &self.part {
            Part::Urgent(_) => {
                // Where nobody knows where the last one ended: anywhere among what is as urgent as what was seen last.
                let anywhere = || {
                    let last = self.last.as_deref().unwrap_or_default();
                    let priority = last.split_once('/').map_or(last, |(priority, _)| priority);
                    format!("{priority}/{}", queue::position(turn))
                };
                let start = controller.hints.known(&self.whose).unwrap_or_else(anywhere);
                self.read.clear();
                self.part = Part::Rest(Walk::demands(&self.pool, start));
            }
            Part::Rest(_) => self.note(controller),
            Part::Done => {}
        }
    }

    /// Whether there is nothing more to look at.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.part, Part::Done)
    }

    /// Some lane of this demand was served.
    pub(crate) fn served(&self, controller: &Controller, demand: &Demand) {
        let key = keys::demand(&demand.pool, &demand.wants);
        if let Some((prefix, rest)) = key.sort.split_once('/') {
            controller.hints.served(&format!("{}/{prefix}", key.partition), rest);
        }
        if matches!(self.part, Part::Rest(_)) {
            self.note(controller);
        }
    }

    fn note(&self, controller: &Controller) {
        if let Some(last) = &self.last {
            controller.hints.served(&self.whose, last);
        }
    }
}
