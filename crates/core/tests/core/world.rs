//! A small world for the core: rows in a map with versions, and verbs that do what the controller does.

use std::collections::BTreeMap;

use branchline_core::facts::Facts;
use branchline_core::intent::SpecFile;
use branchline_core::late::Outputs;
use branchline_core::pools::Setting;
use branchline_core::{advance, attempt, build, claim, effect, lease, queue, refs, start, stop};
use branchline_jobs_schema as schema;
use branchline_model::{
    Actor, Attempt, AttemptEnd, AttemptId, AttemptReport, Build, BuildDefinition, BuildId, BuildProgress,
    BuildState, BuildStatus, Change, CommitId, Demand, EndReason, EndedRun, Event, EventKey, EventKind,
    EventStatus, Expectation, HeldAttempt, Key, Lane, Outcome, PendingEffect, PipelineName, Plan, PoolName,
    Problem, QueueEntry, Ref, RefName, Repository, RepositoryId, RepositoryName, Row, Run, RunDefinition,
    RunDefinitionRow, RunId, RunState, RunStatus, Stop, TimeoutOf, Timestamp, Version, Versioned, WorkerId,
    keys,
};

pub struct World {
    rows: BTreeMap<Key, Versioned<Row>>,
    version: u64,
    pub now: i64,
    files: Vec<SpecFile>,
    repository: RepositoryId,
    seen: Vec<(RefName, CommitId)>,
    commits: u32,
    said: BTreeMap<RunId, BTreeMap<String, String>>,
    pub message: String,
    pub facts: Facts,
    pub setting: Setting,
}

pub fn commit(number: u32) -> CommitId {
    format!("{number:040x}").parse().unwrap()
}

fn worker() -> WorkerId {
    WorkerId::new("worker")
}

impl World {
    pub fn new(pipelines: &[(&str, &str)]) -> Self {
        let mut files: Vec<SpecFile> = pipelines
            .iter()
            .map(|(name, text)| {
                let file = format!(".branchline/{name}.yaml");
                let spec = schema::parse_pipeline(&file, text.as_bytes()).map_err(|diagnostics| {
                    diagnostics
                        .0
                        .iter()
                        .map(|found| Problem {
                            file: file.clone(),
                            line: 1,
                            column: 1,
                            message: found.message.clone(),
                            hint: None,
                            rendered: String::new(),
                        })
                        .collect()
                });
                SpecFile { file, name: PipelineName::new(*name), spec }
            })
            .collect();
        files.sort_by(|one, other| one.file.cmp(&other.file));
        let name = RepositoryName::new("/srv/app");
        let id = RepositoryId::of(&name);
        let mut world = Self {
            rows: BTreeMap::new(),
            version: 0,
            now: 1_800_000_000_000,
            files,
            repository: id.clone(),
            seen: Vec::new(),
            commits: 0,
            said: BTreeMap::new(),
            message: "A change".to_owned(),
            facts: Facts::default(),
            setting: Setting::default(),
        };
        let mut plan = Plan::default();
        plan.put(
            Repository {
                id,
                name,
                url: "/srv/app".to_owned(),
                default_branch: None,
                first_seen: None,
                builds: 0,
            },
            Expectation::Absent,
        );
        world.apply(plan);
        world
    }

    /// Applies a plan as a store does: all expectations first, each key once.
    pub fn apply(&mut self, mut plan: Plan) {
        let found: Vec<queue::Found> = queue::lanes(&plan)
            .into_iter()
            .map(|lane| queue::Found {
                row: self.row::<Lane>(&keys::lane(&lane)).map(|row| row.map(|lane| lane.standing)),
                demand: self
                    .row::<Demand>(&keys::demand(&lane.pool, &lane.wants))
                    .map(|row| row.map(|demand| demand.standing)),
                lane,
            })
            .collect();
        queue::open(&mut plan, &found, Timestamp(self.now));
        let changes = effect::changes(plan, Timestamp(self.now));
        let mut named = std::collections::BTreeSet::new();
        for change in &changes {
            let (key, expected) = match change {
                Change::Put { row, expected } => (row.key(), expected),
                Change::Delete { key, expected } | Change::Check { key, expected } => (key.clone(), expected),
            };
            assert!(named.insert(key.clone()), "{key} is named twice");
            let stored = self.rows.get(&key).map(|row| row.version);
            match expected {
                Expectation::Any => {}
                Expectation::Absent => assert_eq!(stored, None, "{key}"),
                Expectation::Unchanged(version) => assert_eq!(stored, Some(*version), "{key}"),
            }
        }
        for change in changes {
            self.version += 1;
            match change {
                Change::Put { row, .. } => {
                    self.rows.insert(row.key(), Versioned { value: row, version: Version(self.version) });
                }
                Change::Delete { key, .. } => {
                    self.rows.remove(&key);
                }
                Change::Check { .. } => {}
            }
        }
    }

    pub fn tick(&mut self) -> Timestamp {
        self.now += 10;
        Timestamp(self.now)
    }

    pub fn row<T: TryFrom<Row>>(&self, key: &Key) -> Option<Versioned<T>> {
        let row = self.rows.get(key)?.clone();
        T::try_from(row.value).ok().map(|value| Versioned { value, version: row.version })
    }

    pub fn all<T: TryFrom<Row>>(&self) -> Vec<Versioned<T>> {
        self.rows
            .values()
            .filter_map(|row| {
                T::try_from(row.value.clone()).ok().map(|value| Versioned { value, version: row.version })
            })
            .collect()
    }

    pub fn build_id(&self, number: u64) -> BuildId {
        BuildId { repository: self.repository.clone(), number }
    }

    pub fn refs(&mut self, refs: &[(&str, u32)]) {
        self.seen = refs.iter().map(|(name, number)| (name.parse().unwrap(), commit(*number))).collect();
    }

    /// A new commit on a branch, and a look at the refs.
    pub fn push(&mut self, branch: &str) {
        self.commits += 1;
        let name = RefName::Branch(branch.to_owned());
        self.seen.retain(|(known, _)| *known != name);
        self.seen.push((name, commit(1000 + self.commits)));
        self.look();
    }

    pub fn look(&mut self) {
        let now = self.tick();
        let repository = self.row::<Repository>(&keys::repository(&self.repository)).unwrap();
        let known = self.all::<Ref>().into_iter().map(|row| (row.value.name.clone(), row)).collect();
        let snapshot = refs::Snapshot {
            repository: &repository,
            known: &known,
            seen: &self.seen,
            default_branch: Some("main"),
        };
        let (plan, _) = refs::observe(&snapshot, now);
        self.apply(plan);
        self.resolve();
    }

    /// Something happens outside; answers why each pipeline is built or not.
    pub fn event(&mut self, kind: EventKind) -> Vec<String> {
        let now = self.tick();
        let key = EventKey::new(format!("event-{}", self.now));
        let mut plan = Plan::default();
        plan.put(
            Event {
                key,
                repository: self.repository.clone(),
                accepted_at: now,
                kind,
                status: EventStatus::Pending { failures: 0, next_try: now, why: None, missing: None },
            },
            Expectation::Absent,
        );
        self.apply(plan);
        self.resolve();
        self.reasons()
    }

    pub fn start(&mut self, pipeline: &str) {
        self.start_with(pipeline, &[]);
    }

    pub fn start_with(&mut self, pipeline: &str, inputs: &[(&str, &str)]) {
        let now = self.tick();
        let repository = self.row::<Repository>(&keys::repository(&self.repository)).unwrap();
        let what = start::Start {
            idempotency_key: format!("key-{}", self.now),
            pipeline: PipelineName::new(pipeline),
            ref_name: RefName::Branch("main".to_owned()),
            commit: commit(1),
            actor: Actor::new("ann"),
            inputs: inputs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        };
        self.apply(start::start(&repository.value, what, now, now));
        self.resolve();
    }

    fn resolve(&mut self) {
        for event in self.all::<Event>() {
            if !matches!(event.value.status, EventStatus::Pending { .. }) {
                continue;
            }
            let repository = self.row::<Repository>(&keys::repository(&self.repository)).unwrap();
            let now = self.tick();
            let files = self.files.clone();
            let snapshot = build::Snapshot {
                repository: &repository,
                event: &event,
                subject: "A change",
                message: &self.message,
                author: "Ann",
                files: &files,
                facts: &self.facts,
                setting: &self.setting,
                read_at: Timestamp(self.now),
                page: None,
            };
            let plan = build::decide(&snapshot, now).unwrap().plan;
            self.apply(plan);
        }
    }

    pub fn builds(&self) -> Vec<String> {
        self.all::<Build>()
            .into_iter()
            .map(|row| format!("{} {}", row.value.pipeline, row.value.state.status().word()))
            .collect()
    }

    pub fn status(&self, number: u64) -> BuildStatus {
        self.row::<Build>(&keys::build(&self.build_id(number))).unwrap().value.state.status()
    }

    pub fn build_reason(&self, number: u64) -> Option<EndReason> {
        match self.row::<Build>(&keys::build(&self.build_id(number)))?.value.state {
            BuildState::Ended { reason, .. } => reason,
            _ => None,
        }
    }

    /// Why each pipeline was built or not, for the last event.
    pub fn reasons(&self) -> Vec<String> {
        let mut events = self.all::<Event>();
        events.sort_by_key(|row| row.value.accepted_at);
        match events.pop().unwrap().value.status {
            EventStatus::Decided { reasons, .. } => reasons.iter().map(ToString::to_string).collect(),
            other => panic!("{other:?}"),
        }
    }

    pub fn run_row(&self, number: u64, job: &str) -> Versioned<Run> {
        self.all::<Run>()
            .into_iter()
            .find(|row| row.value.id.build.number == number && row.value.label() == job)
            .unwrap()
    }

    pub fn runs(&self, number: u64) -> Vec<String> {
        self.all::<Run>()
            .into_iter()
            .filter(|row| row.value.id.build.number == number)
            .map(|row| format!("{} {}", row.value.label(), row.value.state.status().word()))
            .collect()
    }

    /// A run has an output.
    pub fn say(&mut self, number: u64, job: &str, name: &str, value: &str) {
        let run = self.run_row(number, job).value.id;
        self.said.entry(run).or_default().insert(name.to_owned(), value.to_owned());
    }

    /// What a run is to do.
    pub fn definition(&self, number: u64, job: &str) -> RunDefinition {
        let run = self.run_row(number, job).value.id;
        self.row::<RunDefinitionRow>(&keys::run_definition(&run)).unwrap().value.0
    }

    /// Why a run ended as it did, in words.
    pub fn why(&self, number: u64, job: &str) -> String {
        self.reason(number, job).map(|reason| reason.to_string()).unwrap_or_default()
    }

    pub fn run(&self, number: u64, job: &str) -> RunStatus {
        self.run_row(number, job).value.state.status()
    }

    pub fn reason(&self, number: u64, job: &str) -> Option<EndReason> {
        match self.run_row(number, job).value.state {
            RunState::Ended { reason, .. } => reason,
            _ => None,
        }
    }

    /// Takes the first run of the queue.
    pub fn claim_next(&mut self) -> Vec<AttemptId> {
        let pool = PoolName::new("default");
        let entry = self.all::<QueueEntry>().into_iter().find(|row| row.value.pool == pool);
        entry.map_or_else(Vec::new, |entry| self.claim_entry(entry))
    }

    pub fn claim(&mut self, job: &str) -> AttemptId {
        let entry = self
            .all::<QueueEntry>()
            .into_iter()
            .find(|row| self.row::<Run>(&keys::run(&row.value.run)).unwrap().value.label() == job)
            .unwrap_or_else(|| panic!("{job} is not queued"));
        self.claim_entry(entry).remove(0)
    }

    fn claim_entry(&mut self, entry: Versioned<QueueEntry>) -> Vec<AttemptId> {
        self.claim_entry_as(entry, "worker")
    }

    pub fn claim_entry_as(&mut self, entry: Versioned<QueueEntry>, who: &str) -> Vec<AttemptId> {
        let now = self.tick();
        let run = self.row::<Run>(&keys::run(&entry.value.run));
        let (plan, taken) =
            claim::claim(&[(entry, run)], &WorkerId::new(who), now, &lease::Policy::default()).unwrap();
        self.apply(plan);
        taken
    }

    /// A worker takes the job, unless it has it, and says how it ended; builds advance.
    pub fn end(&mut self, job: &str, outcome: Outcome) {
        let row = self
            .all::<Run>()
            .into_iter()
            .find(|row| row.value.label() == job && !row.value.state.has_ended())
            .unwrap();
        let number = match row.value.state.attempt() {
            Some(number) => number,
            None => self.claim(job).number,
        };
        self.end_as(job, number, "worker", outcome).unwrap();
    }

    pub fn end_as(&mut self, job: &str, number: u32, who: &str, outcome: Outcome) -> Result<(), String> {
        let run = self.all::<Run>().into_iter().rfind(|row| row.value.label() == job).unwrap();
        self.end_run(&run, number, who, outcome)
    }

    fn end_run(
        &mut self,
        run: &Versioned<Run>,
        number: u32,
        who: &str,
        outcome: Outcome,
    ) -> Result<(), String> {
        let id = AttemptId { run: run.value.id.clone(), number };
        let said = Attempt {
            id: id.clone(),
            worker: WorkerId::new(who),
            claimed_at: Timestamp(0),
            report: None,
            lost: None,
        };
        let row = self
            .row::<Attempt>(&keys::attempt(&id))
            .unwrap_or(Versioned { value: said, version: Version(0) });
        let held = self.row::<HeldAttempt>(&keys::held_attempt(&WorkerId::new(who), &id));
        let end = match outcome {
            Outcome::Passed => AttemptEnd::Passed,
            Outcome::Failed => AttemptEnd::StepFailed { step: "x".to_owned(), exit: 1 },
            Outcome::Errored => AttemptEnd::StartFailed { why: "x".to_owned() },
            Outcome::TimedOut => AttemptEnd::TimedOut { of: TimeoutOf::Job },
            Outcome::Cancelled | Outcome::Skipped => AttemptEnd::Stopped,
        };
        let now = self.tick();
        let report =
            AttemptReport { end, began_at: Some(now), ended_at: now, steps: Vec::new(), log_length: 0 };
        let worker = WorkerId::new(who);
        let definition = self.row::<RunDefinitionRow>(&keys::run_definition(&run.value.id)).unwrap().value.0;
        let finishing = attempt::Finishing {
            run,
            attempt: &row,
            held: held.as_ref(),
            definition: Some(&definition),
            worker: &worker,
        };
        let plan = attempt::finish(&finishing, report, now).map_err(|error| error.to_string())?;
        self.apply(plan);
        self.advance();
        Ok(())
    }

    /// Folds all ended runs into their builds.
    pub fn advance(&mut self) {
        let ended = self.all::<EndedRun>();
        self.advance_with(&ended);
    }

    /// Folds these ended runs, which were read before, into their builds.
    pub fn advance_with(&mut self, all: &[Versioned<EndedRun>]) {
        let builds: std::collections::BTreeSet<BuildId> =
            all.iter().map(|row| row.value.run.build.clone()).collect();
        for id in builds {
            let ended: Vec<_> = all.iter().filter(|row| row.value.run.build == id).cloned().collect();
            let build = self.row::<Build>(&keys::build(&id)).unwrap();
            let progress = self.row::<BuildProgress>(&keys::build_progress(&id)).unwrap();
            let Some(definition) = self.row::<BuildDefinition>(&keys::build_definition(&id)) else {
                // Nothing is left to advance.
                ended.iter().for_each(|row| self.lose(&keys::ended_run(&row.value.run)));
                continue;
            };
            let definition = definition.value;
            let mut known = advance::Known::default();
            let now = self.tick();
            let plan = loop {
                let snapshot = advance::Snapshot {
                    build: &build,
                    progress: &progress,
                    definition: &definition,
                    ended: &ended,
                    known: &known,
                };
                match advance::advance(&snapshot, now).unwrap() {
                    advance::Advanced::Planned(plan) => break plan,
                    advance::Advanced::Lacking(lacking) => {
                        let run = |index: u32| RunId { build: id.clone(), index };
                        for index in lacking.runs {
                            known.runs.insert(index, self.row(&keys::run(&run(index))));
                        }
                        for index in lacking.definitions {
                            known.definitions.insert(index, self.row(&keys::run_definition(&run(index))));
                        }
                        for index in lacking.outputs {
                            known.outputs.insert(
                                index,
                                Some(Outputs(self.said.get(&run(index)).cloned().unwrap_or_default())),
                            );
                        }
                    }
                }
            };
            self.apply(plan);
        }
    }

    pub fn stop_build(&mut self, number: u64, why: &Stop) {
        let id = self.build_id(number);
        let build = self.row::<Build>(&keys::build(&id)).unwrap();
        let Some(progress) = self.row::<BuildProgress>(&keys::build_progress(&id)) else {
            assert!(build.value.state.has_ended());
            return;
        };
        let definition = self.row::<BuildDefinition>(&keys::build_definition(&id)).unwrap().value;
        let runs: Vec<_> = self.all::<Run>().into_iter().filter(|row| row.value.id.build == id).collect();
        let snapshot =
            stop::Snapshot { build: &build, progress: &progress, definition: &definition, runs: &runs };
        let now = self.tick();
        let plan = stop::build(&snapshot, why, now).unwrap();
        self.apply(plan);
        self.advance();
    }

    pub fn stop_run(&mut self, number: u64, job: &str) {
        self.stop_run_only(number, job);
        self.advance();
    }

    /// Stops a run; nothing is folded into its build yet.
    pub fn stop_run_only(&mut self, number: u64, job: &str) {
        let run = self.run_row(number, job);
        let now = self.tick();
        let plan = stop::run(&run, &Stop::Cancelled { by: Actor::new("ann") }, now).unwrap();
        self.apply(plan);
    }

    /// How many workers are to be told to stop something.
    pub fn stops(&self) -> usize {
        self.all::<PendingEffect>().len()
    }

    /// Every row there is.
    pub fn every(&self) -> Vec<Row> {
        self.rows.values().map(|row| row.value.clone()).collect()
    }

    /// A row is gone, as no plan has it.
    pub fn lose(&mut self, key: &Key) {
        self.rows.remove(key);
    }

    /// Decides every event that waits.
    pub fn decide_all(&mut self) {
        self.resolve();
    }

    pub fn status_if_there(&self, number: u64) -> Option<BuildStatus> {
        Some(self.row::<Build>(&keys::build(&self.build_id(number)))?.value.state.status())
    }

    /// Whatever a worker has or can be given passes.
    pub fn finish_everything(&mut self) {
        for _ in 0..100 {
            while !self.claim_next().is_empty() {}
            let held = self.all::<Run>().into_iter().find(|row| row.value.state.attempt().is_some());
            let Some(run) = held else { return };
            let number = run.value.state.attempt().unwrap();
            self.end_run(&run, number, "worker", Outcome::Passed).unwrap();
        }
        panic!("it never ends");
    }

    /// Rows that must be gone once all builds have ended.
    pub fn leftovers(&self) -> Vec<Key> {
        let partitions = [
            keys::ENDED_RUNS,
            keys::DEADLINES,
            keys::RETENTION,
            keys::LEASE_ENDS,
            keys::PENDING_EFFECTS,
            keys::PENDING_EVENTS,
        ]
        .map(str::to_owned);
        let held = keys::held_attempts(&worker());
        self.rows
            .values()
            .filter(|row| {
                let key = row.value.key();
                (partitions.contains(&key.partition) && !key.sort.contains("/build-ended/"))
                    || matches!(row.value, Row::QueueEntry(_))
                    || key.partition == held
            })
            .map(|row| row.value.key())
            .collect()
    }
}
