//! Folds what was seen of a repository's refs into the one row of each ref. Invariant: a move is one event, whoever
//! saw it and however often; A→B→A is two.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use branchline_model::{
    CommitId, Event, EventKey, EventKind, EventStatus, Expectation, PendingEvent, Plan, Ref, RefName,
    Repository, RepositoryId, Timestamp, Versioned,
};

/// What was read, and what was seen.
#[derive(Clone, Debug)]
pub struct Snapshot<'a> {
    /// The repository.
    pub repository: &'a Versioned<Repository>,
    /// The refs as they were last seen.
    pub known: &'a BTreeMap<RefName, Versioned<Ref>>,
    /// The refs as they are now.
    pub seen: &'a [(RefName, CommitId)],
    /// The branch that HEAD names now.
    pub default_branch: Option<&'a str>,
}

/// Folds all refs of a repository in; answers the plan and how many events it makes. At first sight only the default
/// branch's head is an event; later every branch or tag that is new or moved. One that was deleted is none.
#[must_use]
pub fn observe(snapshot: &Snapshot<'_>, now: Timestamp) -> (Plan, usize) {
    let mut plan = Plan::default();
    let mut events = 0;
    let repository = &snapshot.repository.value;
    let first_sight = repository.first_seen.is_none();
    let mut there = BTreeSet::new();
    for (name, head) in snapshot.seen {
        if !there.insert(name) {
            continue;
        }
        let known = snapshot.known.get(name);
        let before = known.and_then(|row| row.value.head.clone());
        if before.as_ref() == Some(head) {
            continue;
        }
        let generation = known.map_or(0, |row| row.value.generation) + 1;
        let is_default =
            matches!(name, RefName::Branch(branch) if Some(branch.as_str()) == snapshot.default_branch);
        if !first_sight || is_default {
            let kind = EventKind::RefMoved { name: name.clone(), before, after: head.clone(), generation };
            let key = event_key(&repository.id, name, generation);
            accept(&mut plan, repository, key, kind, now, now);
            events += 1;
        }
        let row = Ref {
            repository: repository.id.clone(),
            name: name.clone(),
            head: Some(head.clone()),
            generation,
        };
        plan.put(row, expected(known));
    }
    for (name, known) in snapshot.known {
        if !there.contains(name) && known.value.head.is_some() {
            let row = Ref { head: None, generation: known.value.generation + 1, ..known.value.clone() };
            plan.put(row, Expectation::Unchanged(known.version));
        }
    }
    let default_branch = snapshot.default_branch.map(str::to_owned);
    if first_sight || repository.default_branch != default_branch {
        let row = Repository {
            first_seen: repository.first_seen.or(Some(now)),
            default_branch,
            ..repository.clone()
        };
        plan.put(row, Expectation::Unchanged(snapshot.repository.version));
    }
    (plan, events)
}

/// The key of the event that a move of a ref is.
#[must_use]
pub fn event_key(repository: &RepositoryId, name: &RefName, generation: u64) -> EventKey {
    EventKey::new(format!("{repository}/{name}/{generation}"))
}

/// How long a repository is left alone that could not be reached so often in a row: 1, 2, 4 … 60 minutes.
#[must_use]
pub fn backoff(failures: u32) -> Duration {
    let minutes = 1 << failures.saturating_sub(1).min(6);
    Duration::from_secs(60 * 60.min(minutes))
}

fn expected<T>(known: Option<&Versioned<T>>) -> Expectation {
    known.map_or(Expectation::Absent, |row| Expectation::Unchanged(row.version))
}

/// Writes an event for the first time, and its place among those that wait for their decision.
pub(crate) fn accept(
    plan: &mut Plan,
    repository: &Repository,
    key: EventKey,
    kind: EventKind,
    now: Timestamp,
    due: Timestamp,
) {
    plan.put(
        PendingEvent { event: key.clone(), repository: repository.id.clone(), next_try: due },
        Expectation::Any,
    );
    plan.put(
        Event {
            key,
            repository: repository.id.clone(),
            accepted_at: now,
            kind,
            status: EventStatus::Pending { failures: 0, next_try: due, why: None, missing: None },
        },
        Expectation::Absent,
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_that_cannot_be_reached_is_tried_less_and_less_often() {
        let minutes: Vec<u64> = (1..=9).map(|failures| backoff(failures).as_secs() / 60).collect();
        assert_eq!(minutes, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
    }
}
