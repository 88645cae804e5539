//! *Advance build*: folds the runs that have ended into their build. Invariant: it is level-triggered; folding the same
//! ends again changes nothing, and ends that come together are folded together.
//!
//! It has two halves, because which runs must be read depends on what was folded: [`fold`] says it, [`plan`] decides.

use std::collections::BTreeMap;

use branchline_model::{
    Build, BuildDefinition, BuildProgress, BuildState, EndReason, EndedRun, Expectation, JobDefinition,
    JobName, JobProgress, Outcome, Plan, Run, RunId, RunState, Timestamp, Versioned, keys,
};

use crate::outcome;
use crate::queue;
use crate::retention;
use crate::transition::{self, Forbidden};

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
}

/// What the ends come to.
#[derive(Clone, Debug, PartialEq)]
pub struct Folded<'a> {
    /// How far the build is with them, and with the jobs that are skipped because of them.
    pub progress: BuildProgress,
    /// Jobs whose needs have all ended well.
    pub ready: Vec<&'a JobDefinition>,
    /// Jobs that are skipped, each with the job that did not pass.
    pub skipped: Vec<(&'a JobDefinition, JobName)>,
}

impl Folded<'_> {
    /// The runs that [`plan`] must be given.
    #[must_use]
    pub fn runs(&self) -> Vec<RunId> {
        let skipped = self.skipped.iter().map(|(job, _)| job.run.clone());
        self.ready.iter().map(|job| job.run.clone()).chain(skipped).collect()
    }
}

/// Folds the ends in and finds what they let go on, and what they make pointless.
#[must_use]
pub fn fold<'a>(snapshot: &Snapshot<'a>) -> Folded<'a> {
    let mut progress = snapshot.progress.value.clone();
    for end in snapshot.ended {
        progress.ended.entry(end.value.job.clone()).or_insert(JobProgress { outcome: end.value.outcome });
    }
    let known = &snapshot.progress.value.ended;
    let allowed: BTreeMap<&JobName, bool> =
        snapshot.definition.jobs.iter().map(|job| (&job.name, job.allow_failure)).collect();
    let mut ready = Vec::new();
    let mut skipped = Vec::new();
    // A job may stand before those it needs; each pass decides at least one job, or is the last.
    loop {
        let before = skipped.len();
        ready.clear();
        for job in &snapshot.definition.jobs {
            if job.needs.is_empty() || progress.ended.contains_key(&job.name) {
                continue;
            }
            let goes_on = |need: &JobName, ended: &BTreeMap<JobName, JobProgress>| {
                ended
                    .get(need)
                    .map(|end| outcome::lets_go_on(end.outcome, allowed.get(need).copied().unwrap_or(false)))
            };
            let all_have_ended = job.needs.iter().all(|need| progress.ended.contains_key(need));
            let stopper = job.needs.iter().find(|need| goes_on(need, &progress.ended) == Some(false));
            if let (true, Some(stopper)) = (all_have_ended, stopper) {
                progress.ended.insert(job.name.clone(), JobProgress { outcome: Outcome::Skipped });
                skipped.push((job, stopper.clone()));
            } else if all_have_ended && !job.needs.iter().all(|need| known.contains_key(need)) {
                ready.push(job);
            }
        }
        if skipped.len() == before {
            break;
        }
    }
    Folded { progress, ready, skipped }
}

/// What follows from the fold. `runs` are those that [`Folded::runs`] names, in any order. A job that could go on and whose run is not
/// among them, because its row cannot be read, is one that nobody can ever be given: it ends as errored, with the next fold.
pub fn plan(
    snapshot: &Snapshot<'_>,
    mut folded: Folded<'_>,
    runs: &[Versioned<Run>],
    now: Timestamp,
) -> Result<Plan, Forbidden> {
    let mut plan = Plan::default();
    let by_id: BTreeMap<&RunId, &Versioned<Run>> = runs.iter().map(|run| (&run.value.id, run)).collect();
    let run_of = |job: &JobDefinition| by_id.get(&job.run).copied();
    for (job, stopper) in &folded.skipped {
        let Some(run) = run_of(job) else { continue };
        if let RunState::Ended { outcome, .. } = run.value.state {
            // Somebody ended it before it could be skipped: how it ended is what counts.
            folded.progress.ended.insert(job.name.clone(), JobProgress { outcome });
            continue;
        }
        let reason = EndReason::NeedsFailed { job: stopper.clone() };
        let state =
            RunState::Ended { outcome: Outcome::Skipped, reason: Some(reason), began_at: None, at: now };
        plan.put(transition::change(&run.value, state)?, Expectation::Unchanged(run.version));
    }
    for job in &folded.ready {
        let Some(run) = run_of(job) else {
            let (run, job) = (job.run.clone(), job.name.clone());
            plan.put(EndedRun { run, job, outcome: Outcome::Errored }, Expectation::Any);
            continue;
        };
        if run.value.state != RunState::Blocked {
            continue;
        }
        let state = queue::enqueue(&mut plan, &run.value, now);
        plan.put(transition::change(&run.value, state)?, Expectation::Unchanged(run.version));
    }
    for end in snapshot.ended {
        plan.delete(keys::ended_run(&end.value.run), Expectation::Unchanged(end.version));
    }
    write(&mut plan, snapshot.build, snapshot.progress, snapshot.definition, folded.progress, now);
    Ok(plan)
}

/// Writes a build and how far it is; ends it where all its jobs have ended.
pub(crate) fn write(
    plan: &mut Plan,
    build: &Versioned<Build>,
    progress: &Versioned<BuildProgress>,
    definition: &BuildDefinition,
    next: BuildProgress,
    now: Timestamp,
) {
    let mut row = build.value.clone();
    if row.state.has_ended() {
        return;
    }
    row.ended = u32::try_from(next.ended.len()).unwrap_or(u32::MAX);
    if definition.jobs.iter().all(|job| next.ended.contains_key(&job.name)) {
        row.state = outcome::of_build(definition, &next, row.state.stop(), now);
        if let Some(deadline) = row.deadline.take() {
            plan.delete(keys::deadline(&deadline), Expectation::Any);
        }
        retention::ended(plan, &row, definition.retention, now);
    }
    debug_assert!(!matches!(build.value.state, BuildState::Ended { .. }));
    plan.put(row, Expectation::Unchanged(build.version));
    plan.put(next, Expectation::Unchanged(progress.version));
}
