//! What was met by which fault. Invariant: a cell is counted where the fault was really injected, in the operation that
//! was really under way, on a commit that really would have made the transition.

use std::collections::BTreeMap;
use std::fmt::Write;

use branchline_model::{BuildStatus, RunStatus};

use crate::fault::Fault;

/// A change of state that a commit makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transition {
    /// A run's; `None` where it is created.
    Run(Option<RunStatus>, RunStatus),
    /// A build's; `None` where it is created.
    Build(Option<BuildStatus>, BuildStatus),
}

impl Transition {
    /// As `run queued → starting`.
    #[must_use]
    pub fn words(self) -> String {
        match self {
            Self::Run(from, to) => format!("run {} → {}", from.map_or("new", RunStatus::word), to.word()),
            Self::Build(from, to) => {
                format!("build {} → {}", from.map_or("new", BuildStatus::word), to.word())
            }
        }
    }
}

/// What was injected, and what it met.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    /// How often each kind was injected.
    pub faults: BTreeMap<Fault, u64>,
    /// How often each kind met each operation.
    pub operations: BTreeMap<(&'static str, Fault), u64>,
    /// How often each kind met each transition.
    pub transitions: BTreeMap<(String, Fault), u64>,
    /// How often each transition was made.
    pub made: BTreeMap<String, u64>,
}

impl Coverage {
    pub(crate) fn count(&mut self, fault: Fault, operation: &'static str, transitions: &[Transition]) {
        *self.faults.entry(fault).or_default() += 1;
        *self.operations.entry((operation, fault)).or_default() += 1;
        for transition in transitions {
            *self.transitions.entry((transition.words(), fault)).or_default() += 1;
        }
    }

    pub(crate) fn count_made(&mut self, transition: Transition) {
        *self.made.entry(transition.words()).or_default() += 1;
    }

    /// How many faults were injected.
    #[must_use]
    pub fn injected(&self) -> u64 {
        self.faults.values().sum()
    }

    /// Adds what another history met.
    pub fn add(&mut self, other: &Self) {
        fn merge<K: Ord + Clone>(into: &mut BTreeMap<K, u64>, from: &BTreeMap<K, u64>) {
            for (key, count) in from {
                *into.entry(key.clone()).or_default() += count;
            }
        }
        merge(&mut self.faults, &other.faults);
        merge(&mut self.operations, &other.operations);
        merge(&mut self.transitions, &other.transitions);
        merge(&mut self.made, &other.made);
    }

    /// The two tables, for people.
    #[must_use]
    pub fn table(&self) -> String {
        let mut text = String::from("faults injected\n");
        for fault in Fault::ALL {
            let count = self.faults.get(fault).copied().unwrap_or(0);
            text.push_str(&format!("  {:<26} {count:>9}\n", fault.words()));
        }
        text.push_str("\ntransition × fault (how often the fault met a commit that makes it)\n");
        let columns = crate::whole::COMMIT_FAULTS;
        header(&mut text, columns);
        for (transition, made) in &self.made {
            let cell =
                |fault: &Fault| self.transitions.get(&(transition.clone(), *fault)).copied().unwrap_or(0);
            line(&mut text, transition, *made, columns.iter().map(cell));
        }
        text.push_str("\noperation × fault\n");
        let columns: Vec<Fault> = Fault::ALL
            .iter()
            .copied()
            .filter(|fault| self.operations.keys().any(|(_, met)| met == fault))
            .filter(|fault| crate::whole::is_met_by_operations(*fault))
            .collect();
        header(&mut text, &columns);
        let mut operations: Vec<&'static str> = self.operations.keys().map(|(name, _)| *name).collect();
        operations.dedup();
        for operation in operations {
            let cells: Vec<u64> = columns
                .iter()
                .map(|fault| self.operations.get(&(operation, *fault)).copied().unwrap_or(0))
                .collect();
            let all = cells.iter().sum();
            line(&mut text, operation, all, cells.into_iter());
        }
        text
    }
}

fn header(text: &mut String, columns: &[Fault]) {
    for (number, fault) in columns.iter().enumerate() {
        // A text takes whatever is written into it.
        let _ = writeln!(text, "  {:>2} {}", number + 1, fault.words());
    }
    let _ = write!(text, "  {:<32} {:>9}", "", "all");
    for number in 1..=columns.len() {
        let _ = write!(text, " {number:>6}");
    }
    text.push('\n');
}

fn line(text: &mut String, name: &str, all: u64, cells: impl Iterator<Item = u64>) {
    let _ = write!(text, "  {name:<32} {all:>9}");
    for cell in cells {
        let _ = write!(text, " {cell:>6}");
    }
    text.push('\n');
}
