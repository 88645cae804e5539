//! The world in which controllers run: its time, its chance, its history, and what everyone in it shares. Invariant:
//! one lock, taken briefly, never across a wait; so that one thread and one seed make one history.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use branchline_model::{Change, Timestamp};
use branchline_ports::{Clock, Ring};
use branchline_testkit::SteppedClock;

use crate::chance::Chance;
use crate::coverage::Coverage;
use crate::fault::{Fault, Rates};
use crate::git::Forge;
use crate::ledger::Ledger;
use crate::logs::Logs;
use crate::objects;
use crate::turn::{Call, Wait};
use crate::worker::Machine;

/// The wall clock's time when a history begins.
pub(crate) const BEGIN: i64 = 1_800_000_000_000;

/// Something to be carried out by the scheduler.
pub(crate) type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Whether faults happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weather {
    /// They do.
    Chaos,
    /// They do not any more, and no bell is heard: ticks alone must bring all to rest.
    Calm,
}

/// Who is at it, and where they stand.
pub(crate) struct Running {
    pub(crate) actor: String,
    pub(crate) operation: &'static str,
    pub(crate) wait: Option<Wait>,
}

/// What everyone shares.
pub(crate) struct State {
    pub(crate) chance: Chance,
    pub(crate) rates: Rates,
    pub(crate) weather: Weather,
    /// Milliseconds since the beginning, by a clock that nothing sets.
    pub(crate) time: u64,
    /// How much time a step takes at the most, in milliseconds: in some histories hours pass, in some seconds.
    pub(crate) pace: u64,
    /// How far the wall clock is from that.
    pub(crate) offset: i64,
    /// The scheduler's step.
    pub(crate) step: u64,
    pub(crate) running: Running,
    pub(crate) spawned: Vec<(String, Work)>,
    pub(crate) coverage: Coverage,
    pub(crate) history: Option<Vec<String>>,
    pub(crate) violation: Option<String>,
    pub(crate) rings: Vec<Ring>,
    /// No controller runs before this time.
    pub(crate) away_until: u64,
    /// No word of a worker arrives before this time.
    pub(crate) cut_off_until: u64,
    /// Every controller is to be killed now.
    pub(crate) kill_controllers: bool,
    /// The table is looked at from outside the world: nothing goes wrong, and nobody acts.
    pub(crate) observing: bool,
    pub(crate) forge: Forge,
    pub(crate) deliveries: Vec<usize>,
    pub(crate) machines: BTreeMap<String, Machine>,
    pub(crate) logs: Logs,
    pub(crate) objects: objects::All,
    pub(crate) ledger: Ledger,
}

/// A world.
pub(crate) struct World {
    pub(crate) seed: u64,
    state: Mutex<State>,
    pub(crate) clock: Arc<SteppedClock>,
}

impl World {
    /// The world of a seed, with nothing in it yet. `record` keeps the history as text.
    pub(crate) fn new(seed: u64, record: bool) -> Self {
        let mut chance = Chance::of(seed);
        let rates = Rates::of(&mut chance);
        let pace = chance.pick(&[20, 20, 200, 1_500]).copied().unwrap_or(20);
        let state = State {
            chance,
            rates,
            weather: Weather::Chaos,
            time: 0,
            pace,
            offset: 0,
            step: 0,
            running: Running { actor: "world".to_owned(), operation: "begin", wait: None },
            spawned: Vec::new(),
            coverage: Coverage::default(),
            history: record.then(Vec::new),
            violation: None,
            rings: Vec::new(),
            away_until: 0,
            cut_off_until: 0,
            kill_controllers: false,
            observing: false,
            forge: Forge::default(),
            deliveries: Vec::new(),
            machines: BTreeMap::new(),
            logs: Logs::default(),
            objects: objects::All::new(),
            ledger: Ledger::default(),
        };
        Self { seed, state: Mutex::new(state), clock: Arc::new(SteppedClock::at(Timestamp(BEGIN))) }
    }

    /// What everyone shares. Not to be held across a wait.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The wall clock's time.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Lets time pass.
    pub(crate) fn pass(&self, milliseconds: u64) {
        let mut state = self.state();
        state.time += milliseconds;
        self.set_clock(&state);
    }

    /// Sets the wall clock off by so much more.
    pub(crate) fn shift_clock(&self, milliseconds: i64) {
        let mut state = self.state();
        state.offset += milliseconds;
        self.set_clock(&state);
    }

    fn set_clock(&self, state: &State) {
        let since = i64::try_from(state.time).unwrap_or(i64::MAX);
        self.clock.set(Timestamp(BEGIN.saturating_add(since).saturating_add(state.offset)));
    }

    /// Says what whoever runs does from now on.
    pub(crate) fn operation(&self, operation: &'static str) {
        self.state().running.operation = operation;
    }

    /// Whether faults still happen.
    pub(crate) fn is_calm(&self) -> bool {
        self.state().weather == Weather::Calm
    }

    /// Writes a line of the history.
    pub(crate) fn note(&self, what: impl FnOnce() -> String) {
        self.state().note(what);
    }

    /// Draws whether this fault happens now; counts it and writes it down where it does.
    pub(crate) fn strikes(&self, fault: Fault, call: Option<&Call>) -> bool {
        self.state().strikes(fault, call)
    }

    /// Words for the history; none where it is not written down.
    pub(crate) fn words(&self, words: impl FnOnce() -> String) -> String {
        if self.state().history.is_some() { words() } else { String::new() }
    }

    /// Has something carried out beside everything else.
    pub(crate) fn spawn(&self, name: impl Into<String>, work: Work) {
        self.state().spawned.push((name.into(), work));
    }

    /// Enters a commit that was made in the books.
    pub(crate) fn enter(&self, changes: Vec<Change>) {
        let mut state = self.state();
        match state.ledger.enter(changes) {
            Ok(transitions) => transitions.into_iter().for_each(|made| state.coverage.count_made(made)),
            Err(wrong) => state.violated(wrong),
        }
    }

    /// Something that must never be so is so. The first one counts.
    pub(crate) fn violated(&self, what: impl Into<String>) {
        self.state().violated(what);
    }
}

impl State {
    pub(crate) fn note(&mut self, what: impl FnOnce() -> String) {
        if self.history.is_none() {
            return;
        }
        let line = format!(
            "{:>6} {:>10.3} s {:<12} {:<10} {}",
            self.step,
            self.time as f64 / 1_000.0,
            self.running.actor,
            self.running.operation,
            what()
        );
        if let Some(history) = &mut self.history {
            history.push(line);
        }
    }

    pub(crate) fn strikes(&mut self, fault: Fault, call: Option<&Call>) -> bool {
        if self.weather == Weather::Calm {
            return false;
        }
        let rate = self.rates.get(fault);
        if rate == 0 || !self.chance.in_a_million(rate) {
            return false;
        }
        self.count(fault, call);
        true
    }

    /// Counts a fault that happens now, and writes it down.
    pub(crate) fn count(&mut self, fault: Fault, call: Option<&Call>) {
        self.coverage.count(fault, self.running.operation, call.map_or(&[], |call| &call.transitions));
        let dies = matches!(fault, Fault::CrashBefore | Fault::CrashAfter | Fault::WorkerRestarted);
        if dies && call.is_some_and(|call| call.journal) {
            self.coverage.count(Fault::JournalCut, self.running.operation, &[]);
        }
        self.note(|| match call {
            Some(call) => format!("!! {}: {}", fault.words(), call.what),
            None => format!("!! {}", fault.words()),
        });
    }

    pub(crate) fn violated(&mut self, what: impl Into<String>) {
        let what = what.into();
        self.note(|| format!("VIOLATION: {what}"));
        self.violation.get_or_insert(what);
    }
}
