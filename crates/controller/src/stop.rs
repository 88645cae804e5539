//! Cancel a build or a run, and end a build whose time has run out.

use branchline_core::stop;
use branchline_model::{
    Actor, Build, BuildDefinition, BuildId, BuildProgress, Run, RunId, Stop, Versioned, keys,
};
use branchline_ports::{Page, Ring, StoreError};

use crate::commit::{MOST_TRIES, Outcome};
use crate::controller::missing;
use crate::{Controller, ControllerError};

/// No build has more runs than are read at once.
const MOST_RUNS: usize = 100_000;

/// What a cancel came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cancelled {
    /// It has ended.
    Ended,
    /// Whoever carries it out was told; it ends when they have stopped.
    Stopping,
}

/// Why nothing was cancelled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CancelError {
    /// It is not there.
    #[error("there is no {what}")]
    NotFound {
        /// What was to be cancelled.
        what: String,
    },
    /// It has ended before.
    #[error("{what} has ended already: it is {status}")]
    AlreadyEnded {
        /// What was to be cancelled.
        what: String,
        /// How it ended.
        status: &'static str,
    },
    /// It could not be written.
    #[error(transparent)]
    Controller(#[from] ControllerError),
}

impl From<StoreError> for CancelError {
    fn from(error: StoreError) -> Self {
        Self::Controller(error.into())
    }
}

impl Controller {
    /// Cancels a build and every run of it that has not ended.
    pub async fn cancel_build(&self, id: &BuildId, by: &Actor) -> Result<Cancelled, CancelError> {
        self.stop_build(id, &Stop::Cancelled { by: by.clone() }).await
    }

    pub(crate) async fn stop_build(&self, id: &BuildId, why: &Stop) -> Result<Cancelled, CancelError> {
        let what = || format!("build {id}");
        for _ in 0..MOST_TRIES {
            let (build, progress, definition) = (
                self.row::<Build>(keys::build(id)).await?,
                self.row::<BuildProgress>(keys::build_progress(id)).await?,
                self.row::<BuildDefinition>(keys::build_definition(id)).await?,
            );
            let Some(build) = build else { return Err(CancelError::NotFound { what: what() }) };
            if build.value.state.has_ended() {
                let status = build.value.state.status().word();
                return Err(CancelError::AlreadyEnded { what: what(), status });
            }
            if build.value.state.stop().is_some() {
                return Ok(Cancelled::Stopping);
            }
            let progress = progress.ok_or_else(|| missing(keys::build_progress(id)))?;
            let definition = definition.ok_or_else(|| missing(keys::build_definition(id)))?;
            let runs = self.runs_of(id).await?;
            let snapshot = stop::Snapshot {
                build: &build,
                progress: &progress,
                definition: &definition.value,
                runs: &runs,
            };
            let plan = stop::build(&snapshot, why, self.clock.now()).map_err(ControllerError::from)?;
            let waits_for_worker = runs.iter().any(|run| run.value.state.attempt().is_some());
            if let Outcome::Done = self.commit(plan).await? {
                self.bell.ring(Ring::BuildChanged(id.clone()));
                self.bell.ring(Ring::EndedRuns);
                return Ok(if waits_for_worker { Cancelled::Stopping } else { Cancelled::Ended });
            }
        }
        Err(ControllerError::Contended { what: what() }.into())
    }

    /// Cancels one run; what needs it is skipped.
    pub async fn cancel_run(&self, id: &RunId, by: &Actor) -> Result<Cancelled, CancelError> {
        let what = || format!("run {id}");
        let why = Stop::Cancelled { by: by.clone() };
        for _ in 0..MOST_TRIES {
            let Some(run) = self.row::<Run>(keys::run(id)).await? else {
                return Err(CancelError::NotFound { what: what() });
            };
            if run.value.state.has_ended() {
                let status = run.value.state.status().word();
                return Err(CancelError::AlreadyEnded { what: what(), status });
            }
            if run.value.state.stop().is_some() {
                return Ok(Cancelled::Stopping);
            }
            let plan = stop::run(&run, &why, self.clock.now()).map_err(ControllerError::from)?;
            let waits_for_worker = run.value.state.attempt().is_some();
            if let Outcome::Done = self.commit(plan).await? {
                self.bell.ring(Ring::BuildChanged(id.build.clone()));
                self.bell.ring(Ring::EndedRuns);
                return Ok(if waits_for_worker { Cancelled::Stopping } else { Cancelled::Ended });
            }
        }
        Err(ControllerError::Contended { what: what() }.into())
    }

    /// Every run of a build that can be read, by index.
    pub(crate) async fn runs_of(&self, id: &BuildId) -> Result<Vec<Versioned<Run>>, StoreError> {
        self.page::<Run>(&Self::all_runs_of(id)).await
    }

    /// The part of the store that holds every run of a build.
    pub(crate) fn all_runs_of(id: &BuildId) -> Page {
        Page { prefix: keys::RUN_PREFIX.to_owned(), ..Page::of(keys::build_parts(id), MOST_RUNS) }
    }
}
