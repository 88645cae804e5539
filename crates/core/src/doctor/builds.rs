//! Builds that have not ended, and all that belongs to them.

use branchline_model::{
    Attempt, AttemptId, Build, BuildDefinition, BuildId, BuildProgress, BuildState, BuildStatus, EndReason,
    EndedRun, Expectation, JobDefinition, Key, Outcome, PipelineName, Plan, QueueEntry, Run, RunId, RunState,
    Timestamp, Wants, keys,
};

use super::examination::{Examination, Parts};
use super::{Ailment, Cure};
use crate::lease::{self, Policy};
use crate::unblock::run_id;
use crate::{advance, queue};

/// Whatever is there: nobody else writes.
const ANY: Expectation = Expectation::Any;

impl Examination {
    pub(super) fn conclude_builds(&mut self, now: Timestamp) {
        for (id, parts) in std::mem::take(&mut self.live) {
            self.conclude_build(&id, &parts, now);
            self.live.insert(id, parts);
        }
    }

    fn conclude_build(&mut self, id: &BuildId, parts: &Parts, now: Timestamp) {
        let Some(build) = &parts.build else {
            let cure = rebuilt(id, parts, now).unwrap_or_else(|| Cure::SetAside(keys_of(id, parts)));
            return self.find(keys::build(id), Ailment::BuildLost(id.clone()), cure);
        };
        let Some(definition) = &parts.definition else {
            let cure = Cure::Write(self.ended_without_definition(build, parts, now));
            return self.find(keys::build_definition(id), Ailment::DefinitionLost(id.clone()), cure);
        };
        if let Some(deadline) = build.deadline.as_ref().filter(|deadline| !self.is_set(deadline)) {
            let mut plan = Plan::default();
            plan.put(deadline.clone(), ANY);
            self.find(keys::deadline(deadline), Ailment::DeadlineLost(id.clone()), Cure::Write(plan));
        }
        for (job, index) in definition.jobs.iter().flat_map(|job| job.runs().map(move |index| (job, index))) {
            let run = run_id(id, index);
            if !parts.runs.contains_key(&run) {
                let cure = Cure::Write(self.ended_run(job, run.clone(), now));
                self.find(keys::run(&run), Ailment::RunLost(run), cure);
            }
        }
        let Some(progress) = &parts.progress else {
            let mut plan = Plan::default();
            plan.put(BuildProgress::none_of(id.clone()), ANY);
            for run in parts.runs.values() {
                note_end(&mut plan, run);
            }
            return self.find(keys::build_progress(id), Ailment::ProgressLost(id.clone()), Cure::Write(plan));
        };
        for run in parts.runs.values() {
            self.conclude_run(run, progress, now);
        }
    }

    fn conclude_run(&mut self, run: &Run, progress: &BuildProgress, now: Timestamp) {
        let mut plan = Plan::default();
        match &run.state {
            RunState::Ended { .. } => {
                if !progress.ended.contains_key(&run.id.index) && !self.ended_runs.contains(&run.id) {
                    note_end(&mut plan, run);
                    self.find(
                        keys::ended_run(&run.id),
                        Ailment::EndNotFolded(run.id.clone()),
                        Cure::Write(plan),
                    );
                }
            }
            _ if !self.run_definitions.contains(&run.id) => {
                let key = keys::run_definition(&run.id);
                self.end(&mut plan, run, format!("what it is to do (`{key}`) is lost"), now);
                self.find(key, Ailment::RunDefinitionLost(run.id.clone()), Cure::Write(plan));
            }
            RunState::Blocked | RunState::Held | RunState::Waiting => {}
            RunState::Queued { place, after, .. } => {
                // One that is tried again takes its place later.
                let waits = after.as_ref().is_some_and(|last| self.is_set(&lease::retry_deadline(run, last)));
                if !waits && !self.entries.contains_key(&(run.id.clone(), place.clone())) {
                    let (pool, wants) = (run.pool.clone(), run.wants.clone());
                    let entry = QueueEntry { pool, wants, place: place.clone(), run: run.id.clone() };
                    let key = keys::queue_entry(&entry.lane(), place);
                    plan.put(entry, ANY);
                    self.find(key, Ailment::NotQueued(run.id.clone()), Cure::Write(plan));
                }
            }
            RunState::Starting { attempt, worker, since, .. }
            | RunState::Running { attempt, worker, since, .. } => {
                let id = AttemptId { run: run.id.clone(), number: *attempt };
                if !self.attempts.contains_key(&id) {
                    let mut plan = Plan::default();
                    let row = Attempt {
                        id: id.clone(),
                        worker: worker.clone(),
                        claimed_at: *since,
                        report: None,
                        lost: None,
                    };
                    plan.put(row, ANY);
                    self.find(keys::attempt(&id), Ailment::AttemptLost(id.clone()), Cure::Write(plan));
                }
                let held = self.held.get(&(id.clone(), worker.clone()));
                let ailment = match held {
                    None => Ailment::NotHeld(id.clone()),
                    Some(held) if !self.lease_ends.contains(&keys::lease_end(&lease::end_of(held))) => {
                        Ailment::LeaseEndless(id.clone())
                    }
                    Some(_) => return,
                };
                lease::grant(&mut plan, worker, &id, ANY, now, &Policy::default());
                self.find(keys::held_attempt(worker, &id), ailment, Cure::Write(plan));
            }
        }
    }

    /// A run in the place of one that is lost, ended with that reason.
    fn ended_run(&self, job: &JobDefinition, id: RunId, now: Timestamp) -> Plan {
        let first = AttemptId { run: id.clone(), number: 0 };
        let last = AttemptId { run: id.clone(), number: u32::MAX };
        let attempts = self.attempts.range(first..=last).next_back().map_or(0, |(id, _)| id.number);
        let what = format!("its row (`{}`) is lost", keys::run(&id));
        let run = Run {
            job: job.name.clone(),
            cell: job.cell(id.index).and_then(|cell| cell.name.clone()),
            id,
            pool: job.pool.clone(),
            wants: Wants::default(),
            attempts,
            because: None,
            state: ended_state(what, None, now),
        };
        let mut plan = Plan::default();
        note_end(&mut plan, &run);
        plan.put(run, ANY);
        plan
    }

    /// Ends a run that cannot go on, wherever it stands; a worker that has it will find that it counts no more.
    fn end(&self, plan: &mut Plan, run: &Run, what: String, now: Timestamp) {
        queue::dequeue(plan, run);
        let mut began_at = lease::forget(plan, run);
        if let RunState::Running { since, .. } = &run.state {
            began_at = Some(*since);
        }
        if let RunState::Starting { attempt, worker, .. } | RunState::Running { attempt, worker, .. } =
            &run.state
        {
            let attempt = AttemptId { run: run.id.clone(), number: *attempt };
            if let Some(held) = self.held.get(&(attempt, worker.clone())) {
                lease::take(plan, held);
            }
        }
        let ended = Run { state: ended_state(what, began_at, now), ..run.clone() };
        note_end(plan, &ended);
        plan.put(ended, ANY);
    }

    /// Ends a build of which nobody knows what it does: its jobs, and which need which.
    fn ended_without_definition(&self, build: &Build, parts: &Parts, now: Timestamp) -> Plan {
        let key = keys::build_definition(&build.id);
        let what = format!("what the build does (`{key}`) is lost");
        let mut plan = Plan::default();
        for run in parts.runs.values().filter(|run| !run.state.has_ended()) {
            self.end(&mut plan, run, what.clone(), now);
        }
        if let Some(deadline) = &build.deadline {
            plan.delete(keys::deadline(deadline), ANY);
        }
        let reason = Some(EndReason::Unreadable { what });
        let state = BuildState::Ended { outcome: BuildStatus::Errored, reason, at: now };
        let ended = u32::try_from(parts.runs.len()).unwrap_or(u32::MAX);
        plan.put(Build { state, ended, deadline: None, ..build.clone() }, ANY);
        plan
    }
}

fn ended_state(what: String, began_at: Option<Timestamp>, now: Timestamp) -> RunState {
    let reason = Some(EndReason::Unreadable { what });
    RunState::Ended { outcome: Outcome::Errored, reason, began_at, at: now }
}

/// Has a run's end folded into its build.
fn note_end(plan: &mut Plan, run: &Run) {
    if let RunState::Ended { outcome, .. } = &run.state {
        plan.put(EndedRun { run: run.id.clone(), job: run.job.clone(), outcome: *outcome }, ANY);
    }
}

/// The build, made anew of its event and its parts; `None` where they do not say enough.
fn rebuilt(id: &BuildId, parts: &Parts, now: Timestamp) -> Option<Cure> {
    let (event, definition) = (parts.cause.as_ref()?, parts.definition.as_ref()?);
    let nothing = BuildProgress::none_of(id.clone());
    let progress = parts.progress.as_ref().unwrap_or(&nothing);
    let mut build = Build {
        id: id.clone(),
        pipeline: pipeline_of(definition),
        cause: event.key.clone(),
        event: event.kind.word().to_owned(),
        ref_name: event.kind.ref_name().clone(),
        commit: event.kind.commit().clone(),
        subject: String::new(),
        author: String::new(),
        actor: event.kind.actor().cloned(),
        created_at: event.accepted_at,
        state: match definition.problems.len() {
            0 => BuildState::Running { stop: None },
            errors => {
                let reason = Some(EndReason::DefinitionInvalid { errors });
                BuildState::Ended { outcome: BuildStatus::Invalid, reason, at: now }
            }
        },
        runs: definition.jobs.iter().map(|job| job.runs().end - job.runs().start).sum(),
        ended: 0,
        deadline: None,
    };
    if definition.problems.is_empty() {
        advance::end_if_over(&mut build, definition, progress, now);
    }
    let mut plan = Plan::default();
    plan.put(build, ANY);
    Some(Cure::Write(plan))
}

/// The name that a pipeline's file gives it.
fn pipeline_of(definition: &BuildDefinition) -> PipelineName {
    let name = definition.file.rsplit('/').next().unwrap_or(&definition.file);
    PipelineName::new(name.strip_suffix(".yaml").or_else(|| name.strip_suffix(".yml")).unwrap_or(name))
}

fn keys_of(id: &BuildId, parts: &Parts) -> Vec<Key> {
    let definition = parts.definition.iter().map(|_| keys::build_definition(id));
    let progress = parts.progress.iter().map(|_| keys::build_progress(id));
    definition.chain(progress).chain(parts.runs.keys().map(keys::run)).collect()
}
