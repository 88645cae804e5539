//! The queue under any interleaving: several who queue, claim and take out, each reading at one moment and committing at
//! another, on what they read.

use std::collections::{BTreeMap, BTreeSet};

use branchline_core::lease::Policy;
use branchline_core::{claim, queue};
use branchline_model::{
    BuildId, Change, Demand, Expectation, JobName, Key, Lane, LaneId, Plan, PoolName, Priority, QueueEntry,
    RepositoryId, RepositoryName, Row, Run, RunId, RunState, Timestamp, Version, Versioned, Wants, WorkerId,
    keys,
};
use proptest::prelude::*;

/// Rows with versions, and commits that may conflict.
#[derive(Default)]
struct Table {
    rows: BTreeMap<Key, Versioned<Row>>,
    version: u64,
}

impl Table {
    fn read<T: TryFrom<Row>>(&self, key: &Key) -> Option<Versioned<T>> {
        let Versioned { value, version } = self.rows.get(key)?.clone();
        Some(Versioned { value: T::try_from(value).ok()?, version })
    }

    fn partition<T: TryFrom<Row>>(&self, partition: &str) -> Vec<Versioned<T>> {
        let keys = self.rows.keys().filter(|key| key.partition == partition);
        keys.filter_map(|key| self.read(key)).collect()
    }

    /// Whether it was written.
    fn commit(&mut self, plan: Plan) -> bool {
        let holds = |change: &Change| {
            let (key, expected) = match change {
                Change::Put { row, expected } => (row.key(), expected),
                Change::Delete { key, expected } | Change::Check { key, expected } => (key.clone(), expected),
            };
            let stored = self.rows.get(&key).map(|row| row.version);
            match expected {
                Expectation::Any => true,
                Expectation::Absent => stored.is_none(),
                Expectation::Unchanged(version) => stored == Some(*version),
            }
        };
        if !plan.changes.iter().all(holds) {
            return false;
        }
        self.version += 1;
        for change in plan.changes {
            match change {
                Change::Put { row, .. } => {
                    let version = Version(self.version);
                    self.rows.insert(row.key(), Versioned { value: row, version });
                }
                Change::Delete { key, .. } => {
                    self.rows.remove(&key);
                }
                Change::Check { .. } => {}
            }
        }
        true
    }

    /// The entries that no claim would find, and the lanes.
    fn out_of_sight(&self) -> Vec<Key> {
        self.rows
            .values()
            .filter(|row| match &row.value {
                Row::QueueEntry(entry) => !self.rows.contains_key(&keys::lane(&entry.lane())),
                Row::Lane(Lane { id, .. }) => !self.rows.contains_key(&keys::demand(&id.pool, &id.wants)),
                _ => false,
            })
            .map(|row| row.value.key())
            .collect()
    }

    fn waiting(&self) -> usize {
        self.rows.values().filter(|row| matches!(row.value, Row::QueueEntry(_))).count()
    }
}

const REPOSITORIES: [&str; 2] = ["one", "two"];

fn pool() -> PoolName {
    PoolName::new("default")
}

fn wants(of: usize) -> Wants {
    Wants { priority: Priority(i16::try_from(of % 2).unwrap()), ..Wants::default() }
}

fn lane(of: usize) -> LaneId {
    let repository = RepositoryId::of(&RepositoryName::new(REPOSITORIES[of / 2 % 2]));
    LaneId { pool: pool(), wants: wants(of), repository }
}

/// What one of those at work has read, and will commit.
enum Begun {
    Nothing,
    /// Queue a new run, on what was found of its lane.
    Queue(Run, queue::Found),
    /// The lane's row was read; next come its entries.
    LaneRead(Versioned<Lane>),
    /// The entries were read, too.
    EntriesRead(Versioned<Lane>, Vec<Versioned<QueueEntry>>),
    /// A demand's row was read; next come its lanes.
    DemandRead(Versioned<Demand>),
    /// The lanes were read, too.
    LanesRead(Versioned<Demand>, bool),
    /// Take a run out again.
    Cancel(Versioned<Run>),
}

struct Work {
    table: Table,
    now: Timestamp,
    runs: u64,
    queued: usize,
    left: usize,
}

impl Work {
    fn begin(&mut self, what: u8, of: usize) -> Begun {
        let lane = lane(of);
        match what {
            0..=2 => {
                self.runs += 1;
                let build = BuildId { repository: lane.repository.clone(), number: self.runs };
                let run = Run {
                    id: RunId { build, index: 1 },
                    job: JobName::new("job"),
                    cell: None,
                    because: None,
                    pool: lane.pool.clone(),
                    wants: lane.wants.clone(),
                    attempts: 0,
                    state: RunState::Blocked,
                };
                let found = queue::Found {
                    row: self.table.read::<Lane>(&keys::lane(&lane)).map(|row| row.map(|row| row.standing)),
                    demand: self
                        .table
                        .read::<Demand>(&keys::demand(&lane.pool, &lane.wants))
                        .map(|row| row.map(|row| row.standing)),
                    lane,
                };
                Begun::Queue(run, found)
            }
            3..=6 => self.table.read(&keys::lane(&lane)).map_or(Begun::Nothing, Begun::LaneRead),
            7..=8 => self
                .table
                .read(&keys::demand(&lane.pool, &lane.wants))
                .map_or(Begun::Nothing, Begun::DemandRead),
            _ => {
                let entries = self.table.partition::<QueueEntry>(&keys::queue(&lane));
                let run = entries.last().and_then(|entry| self.table.read(&keys::run(&entry.value.run)));
                run.map_or(Begun::Nothing, Begun::Cancel)
            }
        }
    }

    /// All steps of something, one after another.
    fn whole(&mut self, what: u8, of: usize) {
        let mut begun = self.begin(what, of);
        while !matches!(begun, Begun::Nothing) {
            begun = self.go_on(begun);
        }
    }

    /// The next step of what was begun.
    fn go_on(&mut self, begun: Begun) -> Begun {
        let mut plan = Plan::default();
        match begun {
            Begun::Nothing => {}
            Begun::Queue(run, found) => {
                let state = queue::enqueue(&mut plan, &run, self.now);
                plan.put(Run { state, ..run }, Expectation::Absent);
                assert_eq!(queue::lanes(&plan), BTreeSet::from([found.lane.clone()]));
                queue::open(&mut plan, &[found], self.now);
                self.queued += usize::from(self.table.commit(plan));
            }
            Begun::LaneRead(lane) => {
                let entries = self.table.partition(&keys::queue(&lane.value.id));
                return Begun::EntriesRead(lane, entries);
            }
            Begun::EntriesRead(lane, entries) if entries.is_empty() => {
                queue::retire_lane(&mut plan, &lane, self.now);
                self.table.commit(plan);
            }
            Begun::EntriesRead(_, entries) => {
                let run = self.table.read(&keys::run(&entries[0].value.run));
                let waiting = [(entries[0].clone(), run)];
                let (plan, _) =
                    claim::claim(&waiting, &WorkerId::new("worker"), self.now, &Policy::default()).unwrap();
                self.left += usize::from(self.table.commit(plan));
            }
            Begun::DemandRead(demand) => {
                let lanes = keys::lanes(&demand.value.pool, &demand.value.wants);
                let empty = self.table.partition::<Lane>(&lanes).is_empty();
                return Begun::LanesRead(demand, empty);
            }
            Begun::LanesRead(_, false) => {}
            Begun::LanesRead(demand, true) => {
                queue::retire_demand(&mut plan, &demand, self.now);
                self.table.commit(plan);
            }
            Begun::Cancel(run) => {
                queue::dequeue(&mut plan, &run.value);
                plan.put(Run { state: RunState::Blocked, ..run.value }, Expectation::Unchanged(run.version));
                self.left += usize::from(self.table.commit(plan));
            }
        }
        Begun::Nothing
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn no_run_that_is_queued_is_ever_out_of_sight(
        steps in proptest::collection::vec((0usize..5, 0u8..11, 0usize..4, 0u64..90), 1..120),
    ) {
        let mut work =
            Work { table: Table::default(), now: Timestamp(1_000_000), runs: 0, queued: 0, left: 0 };
        let mut at_work: Vec<Begun> = (0..5).map(|_| Begun::Nothing).collect();
        for (who, what, of, seconds) in steps {
            work.now = work.now.after(std::time::Duration::from_secs(seconds));
            let begun = std::mem::replace(&mut at_work[who], Begun::Nothing);
            at_work[who] = match begun {
                Begun::Nothing => work.begin(what, of),
                begun => work.go_on(begun),
            };
            let lost = work.table.out_of_sight();
            prop_assert!(lost.is_empty(), "{lost:?}");
            prop_assert_eq!(work.queued, work.table.waiting() + work.left);
        }
    }
}

#[test]
fn a_lane_in_use_is_never_written() {
    let mut work = Work { table: Table::default(), now: Timestamp(0), runs: 0, queued: 0, left: 0 };
    for _ in 0..3 {
        work.whole(0, 0);
    }
    assert_eq!(work.queued, 3);
    let version = |key: Key| work.table.rows[&key].version;
    let first = version(keys::demand(&pool(), &wants(0)));
    assert_eq!(version(keys::lane(&lane(0))), first);
}

#[test]
fn a_lane_that_stays_empty_goes_and_its_demand_after_it() {
    let mut work = Work { table: Table::default(), now: Timestamp(0), runs: 0, queued: 0, left: 0 };
    work.whole(0, 0);
    work.whole(3, 0);
    assert_eq!(work.table.waiting(), 0);
    work.whole(3, 0);
    work.whole(3, 0);
    assert!(work.table.rows.contains_key(&keys::lane(&lane(0))), "not before it has rested");
    work.now = work.now.after(queue::REST);
    for what in [3, 3, 7, 7] {
        work.whole(what, 0);
    }
    let left: Vec<&Key> = work.table.rows.keys().filter(|key| key.partition.starts_with("pool/")).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_lane_is_not_made_under_a_demand_that_went_meanwhile() {
    let mut work = Work { table: Table::default(), now: Timestamp(0), runs: 0, queued: 0, left: 0 };
    work.whole(0, 0);
    work.now = work.now.after(queue::REST);
    for what in [3, 3, 3] {
        work.whole(what, 0);
    }
    assert_eq!(work.table.waiting(), 0);
    // The demand is there and open, without a lane; another repository's run relies on it.
    let begun = work.begin(0, 2);
    for what in [7, 7] {
        work.whole(what, 0);
    }
    work.go_on(begun);
    assert_eq!((work.queued, work.table.waiting()), (1, 0), "that was decided on what had changed");
    work.whole(0, 2);
    assert_eq!((work.queued, work.table.out_of_sight()), (2, Vec::new()));
}
