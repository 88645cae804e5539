//! Whose worker is silent. Invariant: that is worked out from when each was last heard, whenever somebody looks; it is
//! stored nowhere, and reading it changes nothing.

use std::collections::BTreeMap;

use branchline_core::lease;
use branchline_model::{AttemptId, HeldAttempt, Listening, Run, RunId, RunState, Timestamp, keys};
use branchline_ports::StoreError;

use crate::Controller;

impl Controller {
    /// Of these runs, those of whose worker nothing was heard for a while, each with since when.
    pub(crate) async fn silent(&self, runs: &[Run]) -> Result<BTreeMap<RunId, Timestamp>, StoreError> {
        let held: Vec<_> = runs
            .iter()
            .filter_map(|run| match &run.state {
                RunState::Starting { attempt, worker, .. } | RunState::Running { attempt, worker, .. } => {
                    let attempt = AttemptId { run: run.id.clone(), number: *attempt };
                    Some(keys::held_attempt(worker, &attempt))
                }
                _ => None,
            })
            .collect();
        if held.is_empty() {
            return Ok(BTreeMap::new());
        }
        let listening = self.rows::<Listening>(&[keys::listening()]).await?.pop().flatten();
        let listening = listening.as_ref().map(|row| &row.value);
        let now = self.clock.now();
        let silent = |held: HeldAttempt| {
            let since = lease::silent_since(&held, listening, now, &self.leases)?;
            Some((held.attempt.run, since))
        };
        let held = self.rows::<HeldAttempt>(&held).await?.into_iter().flatten();
        Ok(held.filter_map(|row| silent(row.value)).collect())
    }
}
