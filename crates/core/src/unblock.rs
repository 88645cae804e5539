//! What may go on in a build, what is skipped, and what is cancelled because another cell of it failed. Invariant: it
//! follows from how the runs have ended and from what was let go before, and from nothing else; so whoever does it again
//! comes to the same, and ends that come together are folded together.
//!
//! Which runs must be read depends on what is found. So whoever calls is told what is lacking, reads it, and calls again;
//! each time more is known, and no build is deeper than it has jobs.

use std::collections::{BTreeMap, BTreeSet};

use branchline_expression::Values;
use branchline_model::{
    BuildDefinition, BuildId, BuildProgress, CellValues, Context, EndReason, EndedRun, Expectation,
    JobDefinition, JobName, Outcome, Plan, Run, RunDefinition, RunId, RunState, Stop, Timestamp,
};

use crate::late::{self, Outputs, Ready, Verdict};
use crate::needs::{self, JobEnd};
use crate::transition::{self, Forbidden};
use crate::{outcome, queue, stop};

/// So many bytes of outputs a job may know of all that it needs: each of its runs may be told all of them.
const MOST_OUTPUTS: usize = 256 << 10;

/// What was read, by the run's index, and what must be read.
#[derive(Clone, Debug)]
pub struct Read<T> {
    /// What was read; `None` is what is not there or cannot be read.
    pub known: BTreeMap<u32, Option<T>>,
    /// What must be read.
    pub lacking: BTreeSet<u32>,
}

impl<T> Default for Read<T> {
    fn default() -> Self {
        Self { known: BTreeMap::new(), lacking: BTreeSet::new() }
    }
}

impl<T> Read<T> {
    /// What was read of a run; `None` where it cannot be had, be it that it has to be read first.
    fn get(&mut self, run: u32) -> Option<&T> {
        match self.known.get(&run) {
            Some(known) => known.as_ref(),
            None => {
                self.lacking.insert(run);
                None
            }
        }
    }
}

/// What is known of a build's runs, and what becomes of them.
#[derive(Clone, Debug, Default)]
pub struct Runs {
    /// The runs.
    pub runs: Read<Run>,
    /// What they do.
    pub definitions: Read<RunDefinition>,
    /// What those have to say that have ended.
    pub outputs: Read<Outputs>,
    /// The runs that change.
    pub changed: BTreeMap<u32, Run>,
    /// What those do that are to do something else.
    pub redefined: BTreeMap<u32, RunDefinition>,
}

impl Runs {
    /// A run as it stands now; `None` where it cannot be had, be it that it has to be read first.
    fn get(&mut self, run: u32) -> Option<&Run> {
        if self.changed.contains_key(&run) { self.changed.get(&run) } else { self.runs.get(run) }
    }

    /// Whether a run was looked for and cannot be read, or is not there.
    fn is_lost(&self, run: u32) -> bool {
        !self.changed.contains_key(&run) && matches!(self.runs.known.get(&run), Some(None))
    }

    /// Whether something must be read.
    #[must_use]
    pub fn is_lacking(&self) -> bool {
        !(self.runs.lacking.is_empty()
            && self.definitions.lacking.is_empty()
            && self.outputs.lacking.is_empty())
    }
}

/// A build that goes on.
#[derive(Debug)]
pub struct Unblocking<'a> {
    /// What it does.
    pub definition: &'a BuildDefinition,
    /// How far it is; it is brought up to date.
    pub progress: BuildProgress,
    /// Its runs.
    pub runs: Runs,
    /// What follows besides the runs' own rows: places in queues, orders to stop.
    pub plan: Plan,
    /// When.
    pub now: Timestamp,
}

impl Unblocking<'_> {
    /// Finds all that follows. Where something is lacking afterwards, what was found is not whole, and is to be thrown
    /// away.
    ///
    /// # Errors
    /// A run's state cannot become what it is to become: a defect.
    pub fn settle(&mut self) -> Result<(), Forbidden> {
        let definition = self.definition;
        loop {
            let mut changed = false;
            for job in &definition.jobs {
                changed |= self.decide(job)?;
            }
            for job in &definition.jobs {
                changed |= self.fail_fast(job)?;
            }
            if !changed {
                break;
            }
        }
        for job in &definition.jobs {
            self.let_go(job)?;
        }
        Ok(())
    }

    /// Whether the job's runs may go on is decided as soon as all it needs has ended; answers whether it was now.
    fn decide(&mut self, job: &JobDefinition) -> Result<bool, Forbidden> {
        if self.progress.let_go.contains_key(&job.name) || self.has_ended(job) {
            return Ok(false);
        }
        let Some(ends) = self.ends_of_needs(job) else { return Ok(false) };
        let (definition, ended) = (self.definition, self.progress.ended.clone());
        let ready = Ready { definition, job, ends: &ends, ended: &ended };
        if let Some(need) = ready.unmet().filter(|_| !ready.may_go_on()) {
            for run in job.runs() {
                self.end(run, Outcome::Skipped, &needs::unmet(need))?;
            }
            return Ok(true);
        }
        self.progress.let_go.insert(job.name.clone(), 0);
        let failed = ready.failed_run();
        if job.late.is_none() && failed.is_none() {
            return Ok(true);
        }
        let wanted = ready.wanted_outputs();
        let outputs = self.outputs(&wanted);
        if let Some(reason) = self.cannot_know(&wanted, &outputs) {
            for run in job.runs() {
                self.end(run, Outcome::Errored, &reason)?;
            }
            return Ok(true);
        }
        let needs = ready.value(&outputs);
        let variables =
            failed.and_then(|run| self.runs.get(run)).map(|run| late::failure_variables(&run.state));
        let (nothing, nowhere) = (Context::default(), CellValues::default());
        let context = definition.context.as_deref().unwrap_or(&nothing);
        for (run, cell) in job.runs().zip(&job.cells) {
            if !self.progress.ended.contains_key(&run) {
                let cell = cell.values.as_deref().unwrap_or(&nowhere);
                let values = ready.values(context, cell, needs.clone());
                self.decide_run(&ready, run, &values, variables.as_deref().unwrap_or_default())?;
            }
        }
        Ok(true)
    }

    /// Decides about one run of a job that goes on; all it needs has ended.
    fn decide_run(
        &mut self,
        ready: &Ready<'_>,
        run: u32,
        values: &Values<'_>,
        variables: &[(String, String)],
    ) -> Result<(), Forbidden> {
        let because = match ready.verdict(values) {
            Verdict::Go(because) => because,
            Verdict::End(outcome, reason) => return self.end(run, outcome, &reason),
        };
        let late = ready.job.late.as_deref().filter(|late| late.fills());
        if (late.is_some() || !variables.is_empty())
            && let Some(definition) = self.runs.definitions.get(run)
        {
            let mut definition = definition.clone();
            definition.env.extend(variables.iter().cloned());
            if let Some(Err(reason)) = late.map(|late| late::fill(&mut definition, late, values)) {
                return self.end(run, Outcome::Errored, &reason);
            }
            self.runs.redefined.insert(run, definition);
        }
        if let Some(because) = because
            && let Some(known) = self.runs.get(run)
        {
            let changed = Run { because: Some(Box::new(because)), ..known.clone() };
            self.runs.changed.insert(run, changed);
        }
        Ok(())
    }

    fn outputs(&mut self, wanted: &[u32]) -> BTreeMap<u32, Outputs> {
        let outputs = &mut self.runs.outputs;
        wanted.iter().filter_map(|run| Some((*run, outputs.get(*run)?.clone()))).collect()
    }

    /// Why nothing can be decided from what was said: a part of it is lost, or it is too much for each run to know.
    fn cannot_know(&self, wanted: &[u32], outputs: &BTreeMap<u32, Outputs>) -> Option<EndReason> {
        if let Some(lost) = wanted.iter().find(|run| matches!(self.runs.outputs.known.get(run), Some(None))) {
            let run = run_id(&self.progress.build, *lost);
            return Some(EndReason::Unreadable {
                what: format!("the outputs of the run {run}, which it needs"),
            });
        }
        let texts = outputs.values().flat_map(|said| &said.0);
        let bytes: usize = texts.map(|(name, value)| name.len() + value.len()).sum();
        (bytes > MOST_OUTPUTS).then(|| EndReason::NoPlace {
            why: format!(
                "what it needs has {bytes} bytes of outputs, and at most {MOST_OUTPUTS} can be handed on: hand files on as \
                 artifacts"
            ),
        })
    }

    fn has_ended(&self, job: &JobDefinition) -> bool {
        job.runs().all(|run| self.progress.ended.contains_key(&run))
    }

    /// How the needed jobs ended, in the order of the needs; `None` while one has not.
    fn ends_of_needs(&self, job: &JobDefinition) -> Option<Vec<JobEnd>> {
        let end_of = |name: &JobName| {
            let needed = self.definition.jobs.iter().find(|job| job.name == *name)?;
            needs::end_of(needed, &self.progress.ended)
        };
        job.needs.iter().map(|need| end_of(&need.job)).collect()
    }

    /// Ends a run that was not begun, if it has not ended otherwise meanwhile: then how it did is what counts.
    fn end(&mut self, index: u32, outcome: Outcome, reason: &EndReason) -> Result<(), Forbidden> {
        if self.progress.ended.contains_key(&index) {
            return Ok(());
        }
        let mut counts = outcome;
        if let Some(run) = self.runs.get(index) {
            if let RunState::Ended { outcome, .. } = run.state {
                counts = outcome;
            } else {
                let reason = Some(reason.clone());
                let state = RunState::Ended { outcome, reason, began_at: None, at: self.now };
                let ended = transition::change(run, state)?;
                self.runs.changed.insert(index, ended);
            }
        }
        self.progress.ended.insert(index, counts);
        Ok(())
    }

    /// A cell that failed, and was not allowed to, cancels the others of its job; answers whether one did now.
    fn fail_fast(&mut self, job: &JobDefinition) -> Result<bool, Forbidden> {
        if !job.fail_fast || job.cells.len() < 2 || self.progress.failed_fast.contains(&job.name) {
            return Ok(false);
        }
        let failed = job.runs().zip(&job.cells).find(|(run, cell)| {
            let end = self.progress.ended.get(run);
            end.is_some_and(|end| needs::is_failure(*end) && !outcome::lets_go_on(*end, cell.allow_failure))
        });
        let Some((_, cell)) = failed else { return Ok(false) };
        let stop = Stop::FailedFast { cell: cell.name.clone().unwrap_or_default() };
        for index in job.runs() {
            if self.progress.ended.contains_key(&index) {
                continue;
            }
            let now = self.now;
            let Some(run) = self.runs.get(index).cloned() else { continue };
            if let Some((changed, ended)) = stop::told(&mut self.plan, &run, &stop, now)? {
                self.runs.changed.insert(index, changed);
                self.progress.ended.extend(ended.map(|outcome| (index, outcome)));
            }
        }
        self.progress.failed_fast.insert(job.name.clone());
        Ok(true)
    }

    /// Queues as many runs of a job as may be under way.
    fn let_go(&mut self, job: &JobDefinition) -> Result<(), Forbidden> {
        let Some(mut gone) = self.progress.let_go.get(&job.name).copied() else { return Ok(()) };
        let runs = job.runs();
        let at = |position: u32| runs.start.saturating_add(position);
        let all = u32::try_from(runs.len()).unwrap_or(u32::MAX);
        if gone == all {
            return Ok(());
        }
        let most = job.max_parallel.map_or(u32::MAX, std::num::NonZeroU32::get);
        let has_ended = |this: &Self, position| this.progress.ended.contains_key(&at(position));
        let under_way = (0..gone).filter(|position| !has_ended(self, *position)).count();
        let mut under_way = u32::try_from(under_way).unwrap_or(u32::MAX);
        while gone < all && under_way < most {
            if !has_ended(self, gone) {
                under_way += 1;
                let now = self.now;
                let (index, is_lost) = (at(gone), self.runs.is_lost(at(gone)));
                if let Some(run) = self.runs.get(index).filter(|run| run.state == RunState::Blocked).cloned()
                {
                    let state = queue::enqueue(&mut self.plan, &run, now);
                    self.runs.changed.insert(index, transition::change(&run, state)?);
                } else if is_lost {
                    // Nobody can ever be given it: it ends as errored, with the next fold.
                    let run = run_id(&self.progress.build, index);
                    let end = EndedRun { run, job: job.name.clone(), outcome: Outcome::Errored };
                    self.plan.put(end, Expectation::Any);
                }
            }
            gone += 1;
        }
        self.progress.let_go.insert(job.name.clone(), gone);
        Ok(())
    }
}

/// The id of one of a build's runs.
#[must_use]
pub fn run_id(build: &BuildId, index: u32) -> RunId {
    RunId { build: build.clone(), index }
}
