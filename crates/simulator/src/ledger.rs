//! What was really committed, and what really was done: kept beside the store, to be compared with it. Invariant: a
//! commit is judged when it is made, on the rows as they then were.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use branchline_core::{attempt, lease, transition};
use branchline_model::{
    Attempt, AttemptId, Build, BuildId, BuildStatus, Change, Deadline, DeadlineKind, Effect, Event, EventKey,
    EventStatus, Expectation, HeldAttempt, Key, LaneId, LeaseEnd, PendingEffect, Row, RunId, RunState, keys,
};

use branchline_ports::Lease;

use crate::coverage::Transition;

/// For so long a worker may be silent.
const LEASE: Duration = Duration::from_secs(180);

/// One execution of an attempt's steps on a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Execution {
    pub(crate) attempt: AttemptId,
    pub(crate) machine: String,
    pub(crate) at: u64,
}

/// What a row belongs to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Whose {
    /// A build.
    Build(BuildId),
    /// An event.
    Event(EventKey),
    /// More than one of them.
    All,
}

/// What a row belongs to: what may stand still where it cannot be read.
pub(crate) fn whose(row: &Row) -> Whose {
    match row {
        Row::Build(row) => Whose::Build(row.id.clone()),
        Row::BuildDefinition(row) => Whose::Build(row.build.clone()),
        Row::BuildProgress(row) => Whose::Build(row.build.clone()),
        Row::Run(row) => Whose::Build(row.id.build.clone()),
        Row::RunDefinition(row) => Whose::Build(row.0.run.build.clone()),
        Row::Attempt(row) => Whose::Build(row.id.run.build.clone()),
        Row::AttemptResults(row) => Whose::Build(row.attempt.run.build.clone()),
        Row::AttemptProgress(row) => Whose::Build(row.attempt.run.build.clone()),
        Row::HeldAttempt(row) => Whose::Build(row.attempt.run.build.clone()),
        Row::EndedRun(row) => Whose::Build(row.run.build.clone()),
        Row::QueueEntry(row) => Whose::Build(row.run.build.clone()),
        Row::LeaseEnd(row) => Whose::Build(row.attempt.run.build.clone()),
        Row::Deadline(Deadline { of: DeadlineKind::BuildTimeout { build }, .. }) => {
            Whose::Build(build.clone())
        }
        Row::Deadline(Deadline {
            of: DeadlineKind::Upload { attempt, .. } | DeadlineKind::Artifact { attempt, .. },
            ..
        }) => Whose::Build(attempt.run.build.clone()),
        Row::LogWatch(row) => Whose::Build(row.attempt.run.build.clone()),
        Row::Upload(row) => Whose::Build(row.attempt.run.build.clone()),
        Row::Artifact(row) => Whose::Build(row.attempt.run.build.clone()),
        Row::Deadline(Deadline { of: DeadlineKind::Retry { run }, .. }) => Whose::Build(run.build.clone()),
        Row::Deadline(Deadline {
            of: DeadlineKind::BuildEnded { build, .. } | DeadlineKind::RetireBuild { build },
            ..
        })
        | Row::KeptBuild(build) => Whose::Build(build.build.clone()),
        Row::Deadline(Deadline { of: DeadlineKind::ForgetEvent { event }, .. }) => {
            Whose::Event(event.clone())
        }
        Row::PendingEffect(PendingEffect {
            effect: Effect::Stop { attempt, .. } | Effect::CloseLog { attempt },
            ..
        }) => Whose::Build(attempt.run.build.clone()),
        // `stop/` or `close-log/`, then the attempt.
        Row::DueEffect(row) => match row.effect.0.split_once('/').map(|(_, attempt)| attempt.parse()) {
            Some(Ok(AttemptId { run, .. })) => Whose::Build(run.build),
            _ => Whose::All,
        },
        Row::DeadEffect(row) => Whose::Build(row.effect.run().build.clone()),
        Row::Event(row) => Whose::Event(row.key.clone()),
        Row::PendingEvent(row) => Whose::Event(row.event.clone()),
        Row::Repository(_)
        | Row::Trouble(_)
        | Row::Ref(_)
        | Row::Lane(_)
        | Row::Demand(_)
        | Row::Listening(_)
        | Row::Unreadable(_) => Whose::All,
    }
}

/// The books.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// Every row as it was last written.
    pub(crate) rows: BTreeMap<Key, Row>,
    /// Every key that was ever written.
    pub(crate) written: BTreeSet<Key>,
    /// How many commits were made.
    pub(crate) commits: u64,
    /// Every start of an attempt's steps.
    pub(crate) executions: Vec<Execution>,
    /// How many bytes of each attempt's log a worker was told are stored.
    pub(crate) acknowledged: BTreeMap<AttemptId, u64>,
    /// The attempts whose last word was acknowledged to a worker.
    pub(crate) finished: BTreeSet<AttemptId>,
    /// Every build that was retired, as it last was.
    pub(crate) retired: BTreeMap<BuildId, Build>,
    /// Every event there ever was, as it last was; also those that were forgotten with their builds.
    pub(crate) events: BTreeMap<EventKey, Event>,
    /// The attempts whose artifact was acknowledged to a worker.
    pub(crate) named: BTreeSet<AttemptId>,
    /// The events that whoever asked was told of.
    pub(crate) told: BTreeSet<EventKey>,
    /// What has a row that cannot be read any more: it may stand still, and nothing else may.
    pub(crate) poisoned: BTreeSet<Whose>,
    /// How many effects were performed.
    pub(crate) performed: u64,
    /// How many ticks there were.
    pub(crate) ticks: u64,
}

impl Ledger {
    /// The changes of state that these changes would make now.
    pub(crate) fn transitions(&self, changes: &[Change]) -> Vec<Transition> {
        let puts = changes.iter().filter_map(|change| match change {
            Change::Put { row, .. } => Some(row),
            Change::Delete { .. } | Change::Check { .. } => None,
        });
        puts.filter_map(|row| match (row, self.rows.get(&row.key())) {
            (Row::Run(run), None) => Some(Transition::Run(None, run.state.status())),
            (Row::Run(run), Some(Row::Run(before))) if before.state != run.state => {
                Some(Transition::Run(Some(before.state.status()), run.state.status()))
            }
            (Row::Build(build), None) => Some(Transition::Build(None, build.state.status())),
            (Row::Build(build), Some(Row::Build(before))) if before.state != build.state => {
                Some(Transition::Build(Some(before.state.status()), build.state.status()))
            }
            _ => None,
        })
        .collect()
    }

    /// Enters a commit that was made; answers its changes of state, or what is wrong with it.
    pub(crate) fn enter(&mut self, changes: Vec<Change>) -> Result<Vec<Transition>, String> {
        let transitions = self.transitions(&changes);
        let mut wrong = None;
        for change in &changes {
            let why = match change {
                Change::Put { row: Row::Attempt(attempt), .. } => self.writes_out_of_turn(attempt),
                Change::Put { row: Row::Artifact(artifact), .. } => self.names_out_of_turn(&artifact.attempt),
                _ => None,
            };
            if let Some(why) = why {
                wrong.get_or_insert(why);
            }
        }
        for transition in &transitions {
            if let Some(why) = forbidden(*transition) {
                wrong.get_or_insert(why);
            }
        }
        self.commits += 1;
        let touched = changes.iter().any(touches_queue);
        let reminders: BTreeSet<Key> = changes.iter().filter_map(|change| self.reminded(change)).collect();
        for change in changes {
            match change {
                Change::Put { row, expected } => {
                    let key = row.key();
                    let before = self.rows.get(&key);
                    if let Some(why) = judge(before, &row, expected) {
                        wrong.get_or_insert(why);
                    }
                    if let Row::Event(event) = &row {
                        self.events.insert(event.key.clone(), event.clone());
                    }
                    self.written.insert(key.clone());
                    self.rows.insert(key, row);
                }
                Change::Delete { key, .. } => {
                    let gone = self.rows.remove(&key);
                    if let Some(why) = gone.and_then(|row| self.removed(row)) {
                        wrong.get_or_insert(why);
                    }
                }
                Change::Check { .. } => {}
            }
        }
        if touched && wrong.is_none() {
            wrong = self.out_of_sight();
        }
        if wrong.is_none() {
            wrong = reminders.iter().find_map(|key| self.forgotten(key));
        }
        wrong.map_or(Ok(transitions), Err)
    }

    /// Notes that a row was removed; answers why it must not be.
    fn removed(&mut self, row: Row) -> Option<String> {
        match row {
            Row::Build(build) => {
                let has_followed = |row: &Row| {
                    matches!(row, Row::Build(other) if other.id.repository == build.id.repository
                        && other.pipeline == build.pipeline
                        && other.id.number > build.id.number
                        && other.state.has_ended())
                };
                let why = if !build.state.has_ended() {
                    Some(format!("build {} was removed before it had ended", build.id))
                } else if !self.rows.values().any(has_followed) {
                    Some(format!("build {} was removed, and is the last of its pipeline", build.id))
                } else {
                    None
                };
                self.retired.insert(build.id.clone(), build);
                why
            }
            Row::Event(event) => match &event.status {
                EventStatus::Decided { builds, .. } => builds
                    .iter()
                    .find(|build| self.rows.contains_key(&keys::build(build)))
                    .map(|build| format!("the event {} was removed before its build {build}", event.key)),
                _ => Some(format!("the event {} was removed before it was decided", event.key)),
            },
            _ => None,
        }
    }

    /// Why an attempt may not have its last word now: another one holds its run, or none does.
    fn writes_out_of_turn(&self, attempt: &Attempt) -> Option<String> {
        let before = match self.rows.get(&keys::attempt(&attempt.id)) {
            Some(Row::Attempt(before)) => before.report.is_some(),
            _ => false,
        };
        if attempt.report.is_none() || before {
            return None;
        }
        let holder = match self.rows.get(&keys::run(&attempt.id.run)) {
            Some(Row::Run(run)) => run.state.attempt(),
            _ => None,
        };
        (holder != Some(attempt.id.number))
            .then(|| format!("{} has its last word while {holder:?} holds the run", attempt.id))
    }

    /// Why an attempt may not have an artifact now.
    fn names_out_of_turn(&self, attempt: &AttemptId) -> Option<String> {
        let holder = match self.rows.get(&keys::run(&attempt.run)) {
            Some(Row::Run(run)) => run.state.attempt(),
            _ => None,
        };
        (holder != Some(attempt.number))
            .then(|| format!("{attempt} is given an artifact while {holder:?} holds the run"))
    }

    /// Why a run that waits would not be found: an entry whose lane, or a lane whose demand, is not in its directory.
    fn out_of_sight(&self) -> Option<String> {
        self.rows.values().filter(|row| !self.is_excused(row)).find_map(|row| {
            let (what, needed) = match row {
                Row::QueueEntry(entry) => (entry.run.to_string(), keys::lane(&entry.lane())),
                Row::Lane(lane) => (row.key().to_string(), keys::demand(&lane.id.pool, &lane.id.wants)),
                _ => return None,
            };
            (!self.rows.contains_key(&needed)).then(|| format!("{what} waits, and `{needed}` is not there"))
        })
    }

    /// The run or event that this change is of, or of whose reminders it is one.
    fn reminded(&self, change: &Change) -> Option<Key> {
        let row = match change {
            Change::Put { row, .. } => row,
            Change::Delete { key, .. } => self.rows.get(key)?,
            Change::Check { .. } => return None,
        };
        match row {
            Row::Run(run) => Some(keys::run(&run.id)),
            Row::QueueEntry(entry) => Some(keys::run(&entry.run)),
            Row::HeldAttempt(held) => Some(keys::run(&held.attempt.run)),
            Row::LeaseEnd(end) => Some(keys::run(&end.attempt.run)),
            Row::Deadline(Deadline { of: DeadlineKind::Retry { run }, .. }) => Some(keys::run(run)),
            Row::Event(event) => Some(keys::event(&event.key)),
            Row::PendingEvent(pending) => Some(keys::event(&pending.event)),
            _ => None,
        }
    }

    /// Why nobody would ever look at this run or event again: no row reminds a tick or a worker of it.
    fn forgotten(&self, key: &Key) -> Option<String> {
        let row = self.rows.get(key).filter(|row| !self.is_excused(row))?;
        let is_reminded = match row {
            Row::Run(run) => match &run.state {
                RunState::Queued { place, after, .. } => {
                    let (pool, wants) = (run.pool.clone(), run.wants.clone());
                    let lane = LaneId { pool, wants, repository: run.id.build.repository.clone() };
                    // A deadline that could not be acted on is put off.
                    let is_retry = |row: &Row| matches!(row, Row::Deadline(Deadline { of: DeadlineKind::Retry { run: of }, .. }) if *of == run.id);
                    self.rows.contains_key(&keys::queue_entry(&lane, place))
                        || (after.is_some() && self.rows.values().any(is_retry))
                }
                RunState::Starting { attempt, worker, .. } | RunState::Running { attempt, worker, .. } => {
                    let id = AttemptId { run: run.id.clone(), number: *attempt };
                    match self.rows.get(&keys::held_attempt(worker, &id)) {
                        Some(Row::HeldAttempt(HeldAttempt { worker, attempt, ends_at: at, .. })) => {
                            let end = LeaseEnd { at: *at, worker: worker.clone(), attempt: attempt.clone() };
                            self.rows.contains_key(&keys::lease_end(&end))
                        }
                        _ => false,
                    }
                }
                _ => true,
            },
            Row::Event(Event { status: EventStatus::Pending { next_try, .. }, key, .. }) => {
                // One about which nothing could be written is put off, and its own row does not say so.
                let is_place = |row: &Row| matches!(row, Row::PendingEvent(pending) if pending.event == *key);
                self.rows.contains_key(&keys::pending_event(*next_try, key))
                    || self.rows.values().any(is_place)
            }
            _ => true,
        };
        (!is_reminded).then(|| format!("nothing reminds anybody of `{key}`"))
    }

    /// The rows whose loss only one build or event may suffer from.
    pub(crate) fn may_be_poisoned(&self) -> Vec<(Key, Whose)> {
        let rows = self.rows.iter().map(|(key, row)| (key.clone(), whose(row)));
        rows.filter(|(_, whose)| *whose != Whose::All).collect()
    }

    /// Whether what this row belongs to may stand still.
    pub(crate) fn is_excused(&self, row: &Row) -> bool {
        self.poisoned.contains(&whose(row))
            || matches!(row, Row::Build(build) if self.poisoned.contains(&Whose::Event(build.cause.clone())))
    }

    /// The number of a run's newest attempt.
    pub(crate) fn newest_attempt(&self, run: &RunId) -> Option<(u32, &RunState)> {
        match self.rows.get(&keys::run(run)) {
            Some(Row::Run(row)) => Some((row.attempts, &row.state)),
            _ => None,
        }
    }

    /// Whether an attempt is over for good: it neither holds its run nor may come back.
    pub(crate) fn is_over(&self, of: &Lease) -> bool {
        let (worker, number) = (&of.worker, of.attempt.number);
        match self.rows.get(&keys::run(&of.attempt.run)) {
            Some(Row::Run(run)) => {
                !attempt::holds(run, worker, number) && !lease::may_come_back(run, worker, number)
            }
            _ => true,
        }
    }

    /// Enters that an attempt's steps were begun on a machine; answers what is wrong with that.
    pub(crate) fn execute(&mut self, attempt: &AttemptId, machine: &str, at: u64) -> Option<String> {
        let wrong = self
            .executions
            .iter()
            .find(|execution| execution.attempt == *attempt)
            .map(|before| format!("{attempt} was begun twice: on {} and on {machine}", before.machine));
        let (attempt, machine) = (attempt.clone(), machine.to_owned());
        self.executions.push(Execution { attempt, machine, at });
        wrong
    }
}

fn touches_queue(change: &Change) -> bool {
    match change {
        Change::Put { row, .. } => matches!(row, Row::QueueEntry(_) | Row::Lane(_) | Row::Demand(_)),
        Change::Delete { key, .. } => key.partition.starts_with("pool/"),
        Change::Check { .. } => false,
    }
}

/// Why this change of state must not be.
fn forbidden(transition: Transition) -> Option<String> {
    let allowed = match transition {
        Transition::Run(Some(from), to) => transition::may_follow(from, to),
        Transition::Run(None, to) => {
            use branchline_model::RunStatus::{Blocked, Held, Queued, Waiting};
            matches!(to, Blocked | Held | Queued | Waiting)
        }
        Transition::Build(Some(from), to) => build_may_follow(from, to),
        Transition::Build(None, to) => {
            matches!(to, BuildStatus::Running | BuildStatus::Waiting | BuildStatus::Invalid)
        }
    };
    (!allowed).then(|| format!("the change `{}` is not in the table", transition.words()))
}

/// The builds' own table: it only goes on, and an end is final.
fn build_may_follow(from: BuildStatus, to: BuildStatus) -> bool {
    use BuildStatus::{Running, Waiting};
    match (from, to) {
        (Waiting, Running) | (Running, Running) => true,
        (Waiting | Running, Waiting) => false,
        (Waiting | Running, _) => true,
        _ => false,
    }
}

/// What is wrong with writing this row over the one before.
fn judge(before: Option<&Row>, row: &Row, expected: Expectation) -> Option<String> {
    match (before, row) {
        (Some(Row::Run(before)), Row::Run(run)) => {
            if before.state.has_ended() && before.state != run.state {
                return Some(format!("run {} was written after it had ended", run.id));
            }
            if run.attempts < before.attempts {
                return Some(format!("run {}: its fence went back", run.id));
            }
            if expected == Expectation::Any {
                return Some(format!("run {} was written without a condition", run.id));
            }
            let told = before.state.stop().is_some();
            if told && passed(&run.state) {
                return Some(format!("run {} passed though it had been told to stop", run.id));
            }
            None
        }
        (Some(Row::Build(before)), Row::Build(build)) => {
            if before.state.has_ended() && before.state != build.state {
                return Some(format!("build {} was written after it had ended", build.id));
            }
            if before.state.stop().is_some() && build.state.status() == BuildStatus::Passed {
                return Some(format!("build {} passed though it had been told to stop", build.id));
            }
            None
        }
        (Some(Row::Attempt(before)), Row::Attempt(attempt))
            if before.report.is_some() && before.report != attempt.report =>
        {
            Some(format!("{} has two last words", attempt.id))
        }
        (_, Row::Attempt(attempt)) if attempt.report.is_some() && attempt.lost.is_some() => {
            Some(format!("{} is lost, and has a last word", attempt.id))
        }
        (_, Row::Attempt(Attempt { id, lost: Some(lost), .. })) if lost.at.since(lost.heard_at) < LEASE => {
            let after = lost.at.since(lost.heard_at).as_secs();
            Some(format!("{id} is lost {after} s after its worker was heard"))
        }
        (Some(Row::Repository(before)), Row::Repository(repository)) if repository.builds < before.builds => {
            Some(format!("the builds of {} are counted backwards", repository.id))
        }
        (Some(Row::Ref(before)), Row::Ref(reference)) if reference.generation <= before.generation => {
            Some(format!("the generation of {} did not grow", reference.name))
        }
        _ => None,
    }
}

fn passed(state: &RunState) -> bool {
    matches!(state, RunState::Ended { outcome: branchline_model::Outcome::Passed, .. })
}
