//! *Advance build*: the runs that have ended are folded into their builds, as many at a time as there are.

use std::collections::BTreeSet;

use branchline_core::advance::{self, Snapshot};
use branchline_model::{
    Build, BuildDefinition, BuildId, BuildProgress, EndedRun, Expectation, Plan, Run, Versioned, keys,
};
use branchline_ports::{Page, Ring};

use crate::commit::{MOST_TRIES, Outcome};
use crate::controller::missing;
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
        let snapshot = Snapshot { build: &build, progress: &progress, definition: &definition.value, ended };
        let folded = advance::fold(&snapshot);
        let wanted: Vec<_> = folded.runs().iter().map(keys::run).collect();
        let runs: Vec<_> = self.rows::<Run>(&wanted).await?.into_iter().flatten().collect();
        let is_whole = runs.len() == wanted.len();
        match self.commit(advance::plan(&snapshot, folded, &runs, self.clock.now())?).await? {
            Outcome::Done => {
                self.bell.ring(Ring::BuildChanged(id.clone()));
                Ok(if is_whole { Folding::Done } else { Folding::MadeEnds })
            }
            Outcome::Again => Ok(Folding::Again),
        }
    }
}
