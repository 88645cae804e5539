//! Reading, deciding and committing until nothing changed in between. Invariant: a decision is committed on the very
//! versions it was made from.

use branchline_core::effect;
use branchline_core::transition::Forbidden;
use branchline_model::Plan;
use branchline_ports::{ArtifactError, CommitError, ObjectError, Ring, StoreError};

use crate::{Controller, Place};

/// So often is a decision made anew because something changed meanwhile.
pub(crate) const MOST_TRIES: usize = 32;

/// Why a decision was not made or not written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ControllerError {
    /// The store gave no answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Others changed the same rows again and again.
    #[error("too many others changed {what} at the same time: try again")]
    Contended {
        /// What was to be changed.
        what: String,
    },
    /// The place of objects gave no answer.
    #[error(transparent)]
    Object(ObjectError),
    /// A decision went against the transition table: a defect. Nothing was written.
    #[error("a defect in a decision: {0}")]
    Defect(#[from] Forbidden),
    /// Logs could not be removed.
    #[error(transparent)]
    Artifacts(#[from] ArtifactError),
}

impl ControllerError {
    /// Whether a row that was needed cannot be understood: that was said when it was met, and trying again changes nothing
    /// until someone acts.
    #[must_use]
    pub fn is_unreadable(&self) -> bool {
        matches!(self, Self::Store(StoreError::Unreadable { .. }))
    }
}

/// What came of committing one decision.
pub(crate) enum Outcome {
    /// It is written.
    Done,
    /// Something changed: read and decide again.
    Again,
}

impl Controller {
    /// Writes a plan, whole or not at all, and rings for its effects and for the queues that get longer.
    pub(crate) async fn commit(&self, mut plan: Plan) -> Result<Outcome, StoreError> {
        if plan.is_empty() {
            return Ok(Outcome::Done);
        }
        let pools = self.open_lanes(&mut plan).await?;
        let has_effects = !plan.effects.is_empty();
        match self.store.commit_if_unchanged(effect::changes(plan, self.clock.now())).await {
            Ok(()) => {
                self.shortages.is_over(Place::Store);
                if has_effects {
                    self.bell.ring(Ring::Effects);
                }
                for pool in pools {
                    self.bell.ring(Ring::Queue(pool));
                }
                Ok(Outcome::Done)
            }
            Err(CommitError::Conflict { key }) => {
                tracing::debug!(%key, "changed meanwhile: deciding again");
                Ok(Outcome::Again)
            }
            Err(CommitError::Store(error)) => {
                if let StoreError::Unavailable { why } = &error {
                    self.shortages.note(Place::Store, why, self.clock.now());
                }
                Err(error)
            }
        }
    }
}
