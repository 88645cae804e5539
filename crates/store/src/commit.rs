//! What every back end does alike with a commit before it writes: name each key once, and compare what is expected
//! with what is found. Nothing is read or written here.

use std::collections::HashSet;

use branchline_model::{Change, Expectation, Key, Row, Version};
use branchline_ports::{CommitError, StoreError};

/// What becomes of a row; `T` is the row as the back end keeps it.
#[derive(Debug)]
pub(crate) enum Write<T> {
    Put(T),
    Delete,
    /// Only the condition matters.
    Nothing,
}

/// One change, with its key at hand.
#[derive(Debug)]
pub(crate) struct Step<T> {
    pub(crate) key: Key,
    pub(crate) expected: Expectation,
    pub(crate) write: Write<T>,
}

/// Takes a commit apart; refused where a key is named twice.
pub(crate) fn steps(changes: Vec<Change>) -> Result<Vec<Step<Row>>, StoreError> {
    let steps: Vec<Step<Row>> = changes.into_iter().map(step).collect();
    let mut named = HashSet::with_capacity(steps.len());
    for Step { key, .. } in &steps {
        if !named.insert(key) {
            let why = "its commit names it twice, which is a defect in the decision".to_owned();
            return Err(StoreError::Refused { key: key.clone(), why });
        }
    }
    Ok(steps)
}

fn step(change: Change) -> Step<Row> {
    match change {
        Change::Put { row, expected } => Step { key: row.key(), expected, write: Write::Put(row) },
        Change::Delete { key, expected } => Step { key, expected, write: Write::Delete },
        Change::Check { key, expected } => Step { key, expected, write: Write::Nothing },
    }
}

/// Whether a condition holds; `found` is the version of what is stored, where something is.
pub(crate) fn check(key: &Key, expected: Expectation, found: Option<Version>) -> Result<(), CommitError> {
    let holds = match expected {
        Expectation::Any => true,
        Expectation::Absent => found.is_none(),
        Expectation::Unchanged(version) => found == Some(version),
    };
    if holds { Ok(()) } else { Err(CommitError::Conflict { key: key.clone() }) }
}
