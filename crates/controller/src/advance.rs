//! *Advance build*: the runs that have ended are folded into their builds, as many at a time as there are.

use std::collections::BTreeSet;

use branchline_core::advance::{self, Advanced, Known, Lacking, Snapshot};
use branchline_core::late::Outputs;
use branchline_model::{
    AttemptId, AttemptResults, Build, BuildDefinition, BuildId, BuildProgress, EndedRun, Expectation, Plan,
    Run, RunDefinitionRow, RunId, Versioned, keys,
};
use branchline_ports::{Page, Ring};

use crate::commit::{MOST_TRIES, Outcome};
use crate::controller::{Known as State, missing};
use crate::tick::{Failure, Part};
use crate::until::Until;
use crate::{Controller, ControllerError};

/// So many ends are folded in with one commit: with the build's own rows and a few jobs that go on, they fit into
/// one transaction of a hundred rows, where a store has such a bound.
const ENDS_AT_ONCE: usize = 80;

/// What became of some ends that were to be folded in.
enum Folding {
    /// They are.
    Done,
    /// They are; and what could not be read of the runs that follow makes ends of its own.
    MadeEnds,
    /// Somebody else was at the build meanwhile.
    Again,
}

impl Controller {
    /// Advances every build that has ended runs; answers how many builds.
    ///
    /// # Errors
    /// The ended runs cannot be read, or the first build that could not be advanced.
    pub async fn advance(&self) -> Result<usize, ControllerError> {
        let mut failures = Vec::new();
        let builds = self.advance_until(Until::done(), &mut failures).await?;
        failures.into_iter().next().map_or(Ok(builds), |failure| Err(failure.why))
    }

    pub(crate) async fn advance_until(
        &self,
        until: Until,
        failures: &mut Vec<Failure>,
    ) -> Result<usize, ControllerError> {
        let (mut advanced, mut failed) = (BTreeSet::new(), BTreeSet::new());
        let mut after = None;
        loop {
            let page = Page { after, ..Page::of(keys::ENDED_RUNS, ENDS_AT_ONCE) };
            let ended = self.leads::<EndedRun>(&page).await?;
            let more = ended.len() == ENDS_AT_ONCE;
            after = ended.last().map(|row| keys::ended_run(&row.value.run).sort);
            for ended in ended.chunk_by(|one, other| one.value.run.build == other.value.run.build) {
                let Some(build) = ended.first().map(|row| &row.value.run.build) else { continue };
                if until.is_over(self) {
                    return Ok(advanced.len());
                }
                if failed.contains(build) {
                    continue;
                }
                // What is wrong with one build is contained to it, and hides no other.
                match self.advance_with(build, ended).await {
                    Ok(()) => advanced.insert(build.clone()),
                    Err(why) => {
                        // What cannot be read was said, and stands still until somebody acts.
                        if !why.is_unreadable() {
                            tracing::warn!(%build, error = %why, "a build could not be advanced");
                            failures.push(Failure { part: Part::Builds, what: build.to_string(), why });
                        }
                        failed.insert(build.clone())
                    }
                };
            }
            if !more {
                return Ok(advanced.len());
            }
        }
    }

    /// Folds in the ends that were read; and all there are, where somebody else was at the build since.
    async fn advance_with(&self, id: &BuildId, ended: &[Versioned<EndedRun>]) -> Result<(), ControllerError> {
        match self.fold_in(id, ended).await? {
            Folding::Done => Ok(()),
            Folding::MadeEnds | Folding::Again => self.advance_build(id).await,
        }
    }

    /// Decides what follows, reading what that takes. Answers also whether every run could be read: one that cannot may be ended.
    async fn plan_advance(
        &self,
        build: &Versioned<Build>,
        progress: &Versioned<BuildProgress>,
        definition: &BuildDefinition,
        ended: &[Versioned<EndedRun>],
    ) -> Result<(Plan, bool), ControllerError> {
        let mut known = Known::default();
        loop {
            let snapshot = Snapshot { build, progress, definition, ended, known: &known };
            let lacking = match advance::advance(&snapshot, self.clock.now())? {
                Advanced::Planned(plan) => return Ok((plan, known.runs.values().all(Option::is_some))),
                Advanced::Lacking(lacking) => lacking,
            };
            self.read_lacking(&build.value.id, lacking, &mut known).await?;
        }
    }

    /// Reads what a decision lacks. What cannot be read is known to be lacking, and not asked for again.
    async fn read_lacking(
        &self,
        build: &BuildId,
        lacking: Lacking,
        known: &mut Known,
    ) -> Result<(), ControllerError> {
        let id = |index: &u32| RunId { build: build.clone(), index: *index };
        let Lacking { mut runs, definitions, outputs } = lacking;
        // What a run has to say is found by its last attempt.
        runs.extend(outputs.iter().filter(|index| !known.runs.contains_key(index)));
        let wanted: Vec<_> = runs.iter().map(|index| keys::run(&id(index))).collect();
        let rows = self.rows::<Run>(&wanted).await?;
        known.runs.extend(runs.into_iter().zip(rows));
        let wanted: Vec<_> = definitions.iter().map(|index| keys::run_definition(&id(index))).collect();
        let rows = self.rows::<RunDefinitionRow>(&wanted).await?;
        known.definitions.extend(definitions.into_iter().zip(rows));
        let number =
            |index: &u32| known.runs.get(index).and_then(Option::as_ref).map(|run| run.value.attempts);
        let attempts: Vec<(u32, AttemptId)> = outputs
            .iter()
            .filter_map(|index| Some((*index, AttemptId { run: id(index), number: number(index)? })))
            .collect();
        let wanted: Vec<_> = attempts.iter().map(|(_, attempt)| keys::attempt_results(attempt)).collect();
        let rows = self.store.read(&wanted).await?;
        // Where the run itself cannot be read, neither can what it said.
        known.outputs.extend(outputs.into_iter().map(|index| (index, None)));
        for (((index, _), key), row) in attempts.into_iter().zip(&wanted).zip(rows) {
            let said = match self.known::<AttemptResults>(key, row) {
                State::There(row) => Some(Outputs(row.value.results.outputs)),
                State::Gone => Some(Outputs::default()),
                State::Unreadable => None,
            };
            known.outputs.insert(index, said);
        }
        Ok(())
    }

    /// Folds what has ended of a build into it, until nothing is left to fold.
    pub async fn advance_build(&self, id: &BuildId) -> Result<(), ControllerError> {
        let mut tries = 0;
        loop {
            let page = Page { prefix: keys::ended_prefix(id), ..Page::of(keys::ENDED_RUNS, ENDS_AT_ONCE) };
            let ended = self.leads::<EndedRun>(&page).await?;
            if ended.is_empty() {
                return Ok(());
            }
            match self.fold_in(id, &ended).await? {
                Folding::Done if ended.len() < ENDS_AT_ONCE => return Ok(()),
                Folding::Done | Folding::MadeEnds => tries = 0,
                Folding::Again if tries == MOST_TRIES => {
                    return Err(ControllerError::Contended { what: format!("the build {id}") });
                }
                Folding::Again => tries += 1,
            }
        }
    }

    async fn fold_in(&self, id: &BuildId, ended: &[Versioned<EndedRun>]) -> Result<Folding, ControllerError> {
        let wanted = [keys::build(id), keys::build_progress(id), keys::build_definition(id)];
        let mut rows = self.together(wanted).await?;
        let (build, progress, definition) =
            (rows.next::<Build>()?, rows.next::<BuildProgress>()?, rows.next::<BuildDefinition>()?);
        let Some(build) = build else {
            // It is gone: nothing is left to advance.
            let mut plan = Plan::default();
            for row in ended {
                plan.delete(keys::ended_run(&row.value.run), Expectation::Any);
            }
            return Ok(match self.commit(plan).await? {
                Outcome::Done => Folding::Done,
                Outcome::Again => Folding::Again,
            });
        };
        let progress = progress.ok_or_else(|| missing(keys::build_progress(id)))?;
        let definition = definition.ok_or_else(|| missing(keys::build_definition(id)))?;
        let (plan, is_whole) = self.plan_advance(&build, &progress, &definition.value, ended).await?;
        match self.commit(plan).await? {
            Outcome::Done => {
                self.bell.ring(Ring::BuildChanged(id.clone()));
                Ok(if is_whole { Folding::Done } else { Folding::MadeEnds })
            }
            Outcome::Again => Ok(Folding::Again),
        }
    }
}
