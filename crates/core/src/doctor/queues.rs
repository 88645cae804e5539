//! What is shared between builds: repositories, refs, events, queues and what workers hold.

use branchline_model::{
    Demand, DueEffect, EventKind, Expectation, Lane, PendingEvent, Plan, Ref, Repository, RepositoryName,
    RunState, Standing, Timestamp, keys,
};

use super::examination::Examination;
use super::{Ailment, Cure};
use crate::lease;

/// Whatever is there: nobody else writes.
const ANY: Expectation = Expectation::Any;

impl Examination {
    pub(super) fn conclude_repositories(&mut self, now: Timestamp) {
        for (id, number) in std::mem::take(&mut self.numbers) {
            let mut plan = Plan::default();
            let key = keys::repository(&id);
            if let Some(repository) = self.repositories.get(&id) {
                if repository.builds < number {
                    plan.put(Repository { builds: number, ..repository.clone() }, ANY);
                    let what = Ailment::RepositoryBehind { repository: id, builds: number };
                    self.find(key, what, Cure::Write(plan));
                }
            } else {
                // Where nobody knows its name, who serves it again says it: the id, made of the name, stays.
                let name = self.names.get(&id).cloned();
                let name = name.unwrap_or_else(|| RepositoryName::new(id.as_str()));
                let (url, default_branch, first_seen) = (name.to_string(), None, Some(now));
                let row =
                    Repository { id: id.clone(), name, url, default_branch, first_seen, builds: number };
                plan.put(row, ANY);
                self.find(key, Ailment::RepositoryLost(id), Cure::Write(plan));
            }
        }
        for ((repository, name), event) in std::mem::take(&mut self.moves) {
            let EventKind::RefMoved { after, generation, .. } = event.kind else { continue };
            if self.refs.get(&(repository.clone(), name.clone())).is_some_and(|known| *known >= generation) {
                continue;
            }
            let mut plan = Plan::default();
            let row =
                Ref { repository: repository.clone(), name: name.clone(), head: Some(after), generation };
            plan.put(row, ANY);
            let key = keys::reference(&repository, &name);
            self.find(key, Ailment::RefBehind { repository, name }, Cure::Write(plan));
        }
        for (effect, at) in std::mem::take(&mut self.effects) {
            let last = (effect.clone(), Timestamp(i64::MAX));
            if self.due_effects.range((effect.clone(), at)..=last).next().is_none() {
                let mut plan = Plan::default();
                plan.put(DueEffect { at, effect: effect.clone() }, ANY);
                self.find(keys::pending_effect(&effect), Ailment::EffectNotDue(effect), Cure::Write(plan));
            }
        }
        for event in std::mem::take(&mut self.undecided) {
            if self.pending_events.contains(&event.key) {
                continue;
            }
            let mut plan = Plan::default();
            let (repository, next_try) = (event.repository, now);
            plan.put(PendingEvent { event: event.key.clone(), repository, next_try }, ANY);
            self.find(keys::event(&event.key), Ailment::EventNotPending(event.key), Cure::Write(plan));
        }
    }

    pub(super) fn conclude_queues(&mut self, now: Timestamp) {
        let entries = std::mem::take(&mut self.entries);
        for entry in entries.values() {
            let run = self.live.get(&entry.run.build).and_then(|parts| parts.runs.get(&entry.run));
            let waits = run.is_some_and(
                |run| matches!(&run.state, RunState::Queued { place, .. } if *place == entry.place),
            );
            let lane = entry.lane();
            if !waits {
                let mut plan = Plan::default();
                let key = keys::queue_entry(&lane, &entry.place);
                plan.delete(key.clone(), ANY);
                self.find(key, Ailment::QueuedInVain(entry.run.clone()), Cure::Write(plan));
                continue;
            }
            let demand = (lane.pool.clone(), lane.wants.clone());
            // Both are written at once, and not looked for again.
            if self.lanes.insert(lane.clone()) | self.demands.insert(demand.clone()) {
                let (pool, wants) = demand;
                let mut plan = Plan::default();
                plan.put(Lane { id: lane.clone(), standing: Standing::Open, since: now }, ANY);
                plan.put(Demand { pool, wants, standing: Standing::Open, since: now }, ANY);
                self.find(keys::lane(&lane), Ailment::LaneLost(lane), Cure::Write(plan));
            }
        }
        for (attempt, worker) in std::mem::take(&mut self.held).into_keys() {
            let run = self.live.get(&attempt.run.build).and_then(|parts| parts.runs.get(&attempt.run));
            let counts = run.is_some_and(|run| {
                run.state.attempt() == Some(attempt.number)
                    || lease::may_come_back(run, &worker, attempt.number)
            });
            if !counts {
                let mut plan = Plan::default();
                let key = keys::held_attempt(&worker, &attempt);
                plan.delete(key.clone(), ANY);
                self.find(key, Ailment::HeldInVain(attempt), Cure::Write(plan));
            }
        }
    }
}
