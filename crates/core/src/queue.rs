//! A pool's queue: who stands in it, and how it is found. Invariant: whenever an entry stands in a lane, the lane has its
//! row in its demand's directory, and the demand its row in the pool's; so no run that is queued is ever out of sight.
//!
//! A queue is read through its two directories, so they must never lose a row that is needed; and they should not keep
//! those of lanes that are empty, or a claim would look through all that ever was. Nobody counts the entries of a lane:
//! such a counter would be written by everyone who queues or claims. Instead:
//!
//! - Who queues reads the lane's row. While it is *open*, the commit only checks that its version is still the same.
//!   Where it is *closing*, the commit opens it again; where it is absent, the commit makes it, and checks, opens or makes
//!   the demand's row in the same way. A lane that stays in use is thus never written.
//! - Who looks for runs and finds an open lane empty marks it *closing*. Who finds a closing one empty, and has read its
//!   row first, removes it, both on the version that was read. Demands without lanes go in the same way.
//!
//! Why two steps: someone may have read the row, and not yet committed the entry, when the lane is found empty. The mark
//! changes the version, so that commit fails if it comes after the mark, and is seen by the second look if it came before.
//! Whoever queues after the mark changes the version too, and the removal fails. So at its removal a lane is empty, and
//! nobody is about to put something there without making its row anew.
//!
//! Two checks of one row at the same moment may be taken for a conflict by a store whose transactions claim each item they
//! name (DynamoDB); one of the two is then decided again. That is rare by design: a lane belongs to one repository, whose
//! builds meet on the row that numbers them anyway, and a demand is named only by commits that make a lane.
//!
//! Which lane is looked at first is the caller's business: after the one that was served last, or at the [`position`] of
//! a number that grows. A mistake there can make a queue unfair, never lose a run.

use std::collections::BTreeSet;
use std::time::Duration;

use branchline_jobs_schema::Globs;
use branchline_model::{
    Change, Demand, Expectation, Lane, LaneId, LastAttempt, Plan, QueueEntry, Row, Run, RunId, RunState,
    Standing, Tag, Timestamp, Versioned, Wants, keys,
};

/// An empty lane is kept so long after it was opened: what comes and goes by the minute need not come and go in the
/// directory.
pub const REST: Duration = Duration::from_secs(60);

/// Puts a run at the end of its lane, and answers its state there. Every run that is queued is queued by this.
///
/// The lane's row is not part of it: once a plan is whole, [`lanes`] says which lanes it needs and [`open`] adds them.
pub fn enqueue(plan: &mut Plan, run: &Run, now: Timestamp) -> RunState {
    let place = place(now, &run.id);
    plan.put(entry(run, &place), Expectation::Absent);
    RunState::Queued { since: now, place, after: None }
}

/// Has a run that is tried again queue, but take its place in its lane only in a while: by [`take_place`].
pub(crate) fn enqueue_later(run: &Run, after: LastAttempt) -> RunState {
    let since = after.not_before;
    RunState::Queued { since, place: place(since, &run.id), after: Some(Box::new(after)) }
}

/// Puts a run that was to wait for it in its place, if it still stands in the queue so.
pub(crate) fn take_place(plan: &mut Plan, run: &Versioned<Run>) {
    if let RunState::Queued { place, .. } = &run.value.state {
        plan.check(keys::run(&run.value.id), Expectation::Unchanged(run.version));
        plan.put(entry(&run.value, place), Expectation::Any);
    }
}

fn entry(run: &Run, place: &str) -> QueueEntry {
    QueueEntry {
        pool: run.pool.clone(),
        wants: run.wants.clone(),
        place: place.to_owned(),
        run: run.id.clone(),
    }
}

/// Takes a run out of its lane, if it stands in one. A claim takes out what it takes by itself.
pub fn dequeue(plan: &mut Plan, run: &Run) {
    if let RunState::Queued { place, .. } = &run.state {
        plan.delete(keys::queue_entry(&lane_of(run), place), Expectation::Any);
    }
}

fn lane_of(run: &Run) -> LaneId {
    LaneId { pool: run.pool.clone(), wants: run.wants.clone(), repository: run.id.build.repository.clone() }
}

/// The earlier a run was queued the earlier it is taken, and of those that were queued together the one of the earlier
/// build and job.
fn place(since: Timestamp, run: &RunId) -> String {
    format!("{}/{}/{:010}/{:06}", since.sortable(), run.build.repository, run.build.number, run.index)
}

/// The lanes that a plan puts entries into, each once.
#[must_use]
pub fn lanes(plan: &Plan) -> BTreeSet<LaneId> {
    plan.changes
        .iter()
        .filter_map(|change| match change {
            Change::Put { row: Row::QueueEntry(entry), .. } => Some(entry.lane()),
            _ => None,
        })
        .collect()
}

/// A lane that is to be used, as it was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// Which lane.
    pub lane: LaneId,
    /// How its row stands.
    pub row: Option<Versioned<Standing>>,
    /// How its demand's row stands; only asked for where the lane has no row.
    pub demand: Option<Versioned<Standing>>,
}

/// Makes sure that these lanes will be found once the plan is committed. They are those that [`lanes`] names.
pub fn open(plan: &mut Plan, found: &[Found], now: Timestamp) {
    let mut demands = BTreeSet::new();
    for Found { lane, row, demand } in found {
        let opened = Lane { id: lane.clone(), standing: Standing::Open, since: now };
        match row {
            Some(row) if row.value == Standing::Open => {
                plan.check(keys::lane(lane), Expectation::Unchanged(row.version));
            }
            Some(row) => plan.put(opened, Expectation::Unchanged(row.version)),
            None => plan.put(opened, Expectation::Absent),
        }
        // A lane that is there keeps its demand there: whoever would remove it looks for lanes after it was closed, and a lane
        // is made only by a commit that opens its demand, or finds it open.
        if row.is_none() && demands.insert((&lane.pool, &lane.wants)) {
            open_demand(plan, lane, demand.as_ref(), now);
        }
    }
}

fn open_demand(plan: &mut Plan, lane: &LaneId, found: Option<&Versioned<Standing>>, now: Timestamp) {
    let (pool, wants) = (lane.pool.clone(), lane.wants.clone());
    let opened = Demand { pool, wants, standing: Standing::Open, since: now };
    match found {
        Some(row) if row.value == Standing::Open => {
            plan.check(keys::demand(&lane.pool, &lane.wants), Expectation::Unchanged(row.version));
        }
        Some(row) => plan.put(opened, Expectation::Unchanged(row.version)),
        None => plan.put(opened, Expectation::Absent),
    }
}

/// A lane was found without an entry, and its row had been read before that: it is closed, or goes.
pub fn retire_lane(plan: &mut Plan, lane: &Versioned<Lane>, now: Timestamp) {
    let expected = Expectation::Unchanged(lane.version);
    match lane.value.standing {
        Standing::Open if rests(lane.value.since, now) => {
            plan.put(Lane { standing: Standing::Closing, ..lane.value.clone() }, expected);
        }
        Standing::Open => {}
        Standing::Closing => plan.delete(keys::lane(&lane.value.id), expected),
    }
}

/// A demand was found without a lane, and its row had been read before that: it is closed, or goes.
pub fn retire_demand(plan: &mut Plan, demand: &Versioned<Demand>, now: Timestamp) {
    let expected = Expectation::Unchanged(demand.version);
    match demand.value.standing {
        Standing::Open if rests(demand.value.since, now) => {
            plan.put(Demand { standing: Standing::Closing, ..demand.value.clone() }, expected);
        }
        Standing::Open => {}
        Standing::Closing => plan.delete(keys::demand(&demand.value.pool, &demand.value.wants), expected),
    }
}

/// Whether a row is old enough to be closed; one from the future is, lest a clock that was wrong once keeps it for ever.
fn rests(since: Timestamp, now: Timestamp) -> bool {
    now >= since.after(REST) || now < since
}

/// Whether a worker with these tags may take what is wanted: each wanted tag, which may be a glob, is one of them.
#[must_use]
pub fn serves(wants: &Wants, tags: &BTreeSet<Tag>) -> bool {
    wants.tags.iter().all(|wanted| {
        if tags.contains(wanted) {
            return true;
        }
        // Globs are costly to compile, and most wanted tags are none.
        wanted.as_str().contains(['*', '?', '[', '{', '\\', '!'])
            && Globs::new([wanted.as_str()])
                .is_ok_and(|glob| tags.iter().any(|tag| glob.matches(tag.as_str())))
    })
}

/// Where to begin in a directory when nothing is known of whose turn it is, as the digits that its keys begin with. Over
/// many turns every part of it comes first equally often, and soon (the golden ratio is the least periodic of all steps).
#[must_use]
pub fn position(turn: u64) -> String {
    let step = u32::try_from(turn & u64::from(u32::MAX)).unwrap_or_default().wrapping_mul(0x9E37_79B9);
    format!("{step:08x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(tags: &[&str]) -> BTreeSet<Tag> {
        tags.iter().map(|tag| Tag::new(*tag)).collect()
    }

    #[test]
    fn a_worker_serves_what_its_tags_match() {
        for (wanted, has, serves_it) in [
            (&[][..], &[][..], true),
            (&[], &["arm64"], true),
            (&["arm64"], &["arm64", "gpu1"], true),
            (&["arm64"], &["x64"], false),
            (&["arm64", "gpu*"], &["arm64", "gpu1"], true),
            (&["arm64", "gpu*"], &["arm64"], false),
            (&["gpu["], &["gpu1"], false),
        ] {
            let wants = Wants { tags: tags(wanted), ..Wants::default() };
            assert_eq!(serves(&wants, &tags(has)), serves_it, "{wanted:?} {has:?}");
        }
    }

    #[test]
    fn no_part_of_a_long_directory_waits_long_to_be_first() {
        let mut positions: Vec<u64> =
            (0..1_000).map(|turn| u64::from_str_radix(&position(turn), 16).unwrap()).collect();
        positions.sort_unstable();
        let widest = positions.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
        assert!(widest < 3 * (1 << 32) / 1_000, "{widest}");
    }
}
