//! *Advance build*: the runs that have ended are folded into their builds, as many at a time as there are.

use std::collections::BTreeSet;

use branchline_core::advance::{self, Snapshot};
use branchline_model::{
    Build, BuildDefinition, BuildId, BuildProgress, EndedRun, Expectation, Plan, Run, keys,
};
use branchline_ports::{Page, Ring, StoreError};

use crate::commit::{MOST_TRIES, Outcome};
use crate::tick::{Failure, Part};
use crate::until::Until;
use crate::{Controller, ControllerError};

/// So many ends are folded in with one commit: with the build's own rows and a few jobs that go on, they fit into
/// one transaction of a hundred rows, where a store has such a bound.
const ENDS_AT_ONCE: usize = 80;

impl Controller {
    /// The builds that have runs to fold in: all of them, so that one that cannot be advanced hides no other.
    pub async fn builds_to_advance(&self) -> Result<BTreeSet<BuildId>, StoreError> {
        let mut builds = BTreeSet::new();
        let mut after = None;
        loop {
            let rows =
                self.page::<EndedRun>(&Page { after, ..Page::of(keys::ENDED_RUNS, ENDS_AT_ONCE) }).await?;
            let more = rows.len() == ENDS_AT_ONCE;
            after = rows.last().map(|row| keys::ended_run(&row.value.run).sort);
            builds.extend(rows.into_iter().map(|row| row.value.run.build));
            if !more {
                return Ok(builds);
            }
        }
    }

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
        let mut advanced = 0;
        for build in self.builds_to_advance().await? {
            if until.is_over(self) {
                break;
            }
            // What is wrong with one build is contained to it.
            match self.advance_build(&build).await {
                Ok(()) => advanced += 1,
                // It was said, and it stands still until somebody acts.
                Err(why) if why.is_unreadable() => {}
                Err(why) => {
                    tracing::warn!(%build, error = %why, "a build could not be advanced");
                    failures.push(Failure { part: Part::Builds, what: build.to_string(), why });
                }
            }
        }
        Ok(advanced)
    }

    /// Folds what has ended of a build into it, until nothing is left to fold.
    pub async fn advance_build(&self, id: &BuildId) -> Result<(), ControllerError> {
        let mut tries = 0;
        loop {
            let page = Page { prefix: keys::ended_prefix(id), ..Page::of(keys::ENDED_RUNS, ENDS_AT_ONCE) };
            let ended = self.page::<EndedRun>(&page).await?;
            if ended.is_empty() {
                return Ok(());
            }
            let (build, progress, definition) = (
                self.row::<Build>(keys::build(id)).await?,
                self.row::<BuildProgress>(keys::build_progress(id)).await?,
                self.row::<BuildDefinition>(keys::build_definition(id)).await?,
            );
            let (Some(build), Some(progress), Some(definition)) = (build, progress, definition) else {
                // The build is gone: nothing is left to advance.
                let mut plan = Plan::default();
                for row in &ended {
                    plan.delete(keys::ended_run(&row.value.run), Expectation::Any);
                }
                self.commit(plan).await?;
                continue;
            };
            let snapshot =
                Snapshot { build: &build, progress: &progress, definition: &definition.value, ended: &ended };
            let folded = advance::fold(&snapshot);
            let wanted: Vec<_> = folded.runs().iter().map(keys::run).collect();
            let runs: Vec<_> = self.rows::<Run>(&wanted).await?.into_iter().flatten().collect();
            let plan = advance::plan(&snapshot, folded, &runs, self.clock.now())?;
            match self.commit(plan).await? {
                Outcome::Done => {
                    tries = 0;
                    self.bell.ring(Ring::BuildChanged(id.clone()));
                    if ended.len() < ENDS_AT_ONCE {
                        return Ok(());
                    }
                }
                Outcome::Again if tries == MOST_TRIES => {
                    return Err(ControllerError::Contended { what: format!("the build {id}") });
                }
                Outcome::Again => tries += 1,
            }
        }
    }
}
