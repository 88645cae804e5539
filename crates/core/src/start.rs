//! A manual start becomes an event. Invariant: the same idempotency key in the same repository is the same event.

use std::collections::BTreeMap;

use branchline_model::{
    Actor, CommitId, EventKey, EventKind, PipelineName, Plan, RefName, Repository, RepositoryId, Timestamp,
};

use crate::refs::accept;

/// What someone asked to start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// What makes it the same start when it is asked for again.
    pub idempotency_key: String,
    /// Which pipeline.
    pub pipeline: PipelineName,
    /// On which branch or tag.
    pub ref_name: RefName,
    /// The commit that is there.
    pub commit: CommitId,
    /// Who asks.
    pub actor: Actor,
    /// The inputs that were given, by name, as text.
    pub inputs: BTreeMap<String, String>,
}

/// The key of the event that a start with this idempotency key is.
#[must_use]
pub fn event_key(repository: &RepositoryId, idempotency_key: &str) -> EventKey {
    EventKey::new(format!("{repository}/manual/{idempotency_key}"))
}

/// Writes the event. Whoever does not wait for it here decides it from `due` on.
#[must_use]
pub fn start(repository: &Repository, start: Start, now: Timestamp, due: Timestamp) -> Plan {
    let Start { idempotency_key, pipeline, ref_name, commit, actor, inputs } = start;
    let key = event_key(&repository.id, &idempotency_key);
    let mut plan = Plan::default();
    accept(
        &mut plan,
        repository,
        key,
        EventKind::ManualStart { pipeline, name: ref_name, commit, actor, inputs },
        now,
        due,
    );
    plan
}
