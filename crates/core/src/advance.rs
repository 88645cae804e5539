//! *Advance build*: folds the runs that have ended into their build. Invariant: it is level-triggered; folding the same
//! ends again changes nothing, and ends that come together are folded together.

use std::collections::{BTreeMap, BTreeSet};

use branchline_model::{
    Build, BuildDefinition, BuildProgress, BuildState, EndedRun, Expectation, JobDefinition, Plan, Run,
    RunDefinitionRow, Timestamp, Versioned, keys,
};

use crate::late::Outputs;
use crate::outcome;
use crate::retention;
use crate::transition::Forbidden;
use crate::unblock::{Runs, Unblocking};

/// A build with what has ended of it.
#[derive(Clone, Debug)]
pub struct Snapshot<'a> {
    /// The build.
    pub build: &'a Versioned<Build>,
    /// How far it is.
    pub progress: &'a Versioned<BuildProgress>,
    /// What it does.
    pub definition: &'a BuildDefinition,
    /// Runs that have ended and are not folded in.
    pub ended: &'a [Versioned<EndedRun>],
    /// What else was read; at first nothing.
    pub known: &'a Known,
}

/// What was read because it was lacking. What is named here and not there is not asked for again.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Runs; `None` is one that is not there or cannot be read.
    pub runs: BTreeMap<u32, Option<Versioned<Run>>>,
    /// What runs do.
    pub definitions: BTreeMap<u32, Option<Versioned<RunDefinitionRow>>>,
    /// What runs that have ended have to say; `None` is what cannot be read.
    pub outputs: BTreeMap<u32, Option<Outputs>>,
}

/// What must be read before the build can be advanced.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lacking {
    /// Runs, by index.
    pub runs: BTreeSet<u32>,
    /// What these runs do.
    pub definitions: BTreeSet<u32>,
    /// What these runs have to say.
    pub outputs: BTreeSet<u32>,
}

/// What came of advancing a build.
#[derive(Clone, Debug, PartialEq)]
pub enum Advanced {
    /// More must be read.
    Lacking(Lacking),
    /// It is decided.
    Planned(Plan),
}

/// Folds the ends in, and finds what they let go on and what they make pointless.
///
/// # Errors
/// A run's state cannot become what it is to become: a defect.
pub fn advance(snapshot: &Snapshot<'_>, now: Timestamp) -> Result<Advanced, Forbidden> {
    let mut progress = snapshot.progress.value.clone();
    for end in snapshot.ended {
        progress.ended.entry(end.value.run.index).or_insert(end.value.outcome);
    }
    let known = snapshot.known;
    let mut runs = Runs::default();
    runs.runs.known = values(&known.runs, |run| run.value.clone());
    runs.definitions.known = values(&known.definitions, |row| row.value.0.clone());
    runs.outputs.known = values(&known.outputs, Clone::clone);
    let mut unblocking =
        Unblocking { definition: snapshot.definition, progress, runs, plan: Plan::default(), now };
    // What was told to stop lets nothing go on.
    if snapshot.build.value.state.stop().is_none() {
        unblocking.settle()?;
    }
    let Unblocking { progress, runs, mut plan, .. } = unblocking;
    if runs.is_lacking() {
        return Ok(Advanced::Lacking(Lacking {
            runs: runs.runs.lacking,
            definitions: runs.definitions.lacking,
            outputs: runs.outputs.lacking,
        }));
    }
    for (index, run) in runs.changed {
        if let Some(Some(read)) = known.runs.get(&index) {
            plan.put(run, Expectation::Unchanged(read.version));
        }
    }
    for (index, definition) in runs.redefined {
        if let Some(Some(read)) = known.definitions.get(&index) {
            plan.put(RunDefinitionRow(definition), Expectation::Unchanged(read.version));
        }
    }
    for end in snapshot.ended {
        plan.delete(keys::ended_run(&end.value.run), Expectation::Unchanged(end.version));
    }
    write(&mut plan, snapshot.build, snapshot.progress, snapshot.definition, progress, now);
    Ok(Advanced::Planned(plan))
}

fn values<T, U>(read: &BTreeMap<u32, Option<T>>, value: impl Fn(&T) -> U) -> BTreeMap<u32, Option<U>> {
    read.iter().map(|(index, known)| (*index, known.as_ref().map(&value))).collect()
}

/// Writes a build and how far it is; ends it where all its runs have ended.
pub(crate) fn write(
    plan: &mut Plan,
    build: &Versioned<Build>,
    progress: &Versioned<BuildProgress>,
    definition: &BuildDefinition,
    next: BuildProgress,
    now: Timestamp,
) {
    if build.value.state.has_ended() {
        return;
    }
    let mut row = build.value.clone();
    if let Some(deadline) = end_if_over(&mut row, definition, &next, now) {
        plan.delete(keys::deadline(&deadline), Expectation::Any);
    }
    if row.state.has_ended() {
        retention::ended(plan, &row, definition.retention, now);
    }
    plan.put(row, Expectation::Unchanged(build.version));
    plan.put(next, Expectation::Unchanged(progress.version));
}

/// Counts what has ended of a build, and ends it where that is all; answers the deadline that it then needs no more.
pub(crate) fn end_if_over(
    build: &mut Build,
    definition: &BuildDefinition,
    progress: &BuildProgress,
    now: Timestamp,
) -> Option<branchline_model::Deadline> {
    build.ended = u32::try_from(progress.ended.len()).unwrap_or(u32::MAX);
    let mut runs = definition.jobs.iter().flat_map(JobDefinition::runs);
    if !runs.all(|run| progress.ended.contains_key(&run)) {
        return None;
    }
    build.state = outcome::of_build(definition, progress, build.state.stop(), now);
    debug_assert!(matches!(build.state, BuildState::Ended { .. }));
    build.deadline.take()
}
