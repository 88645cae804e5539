//! What is said to a store in another process, and what it answers: a line of JSON each.

use std::io;

use branchline_model::{Change, Expectation, Key, Row, Version, Versioned};
use branchline_ports::{Order, Page};
use serde::{Deserialize, Serialize};

/// What is asked.
pub(crate) enum Request {
    Read { keys: Vec<Key> },
    Page { page: Page },
    Commit { changes: Vec<Change> },
}

/// What is answered.
pub(crate) enum Answer {
    Rows(Vec<Option<Versioned<Row>>>),
    Done,
    Conflict { key: Key },
    Failed { why: String },
}

type Place = (String, String);

#[derive(Serialize, Deserialize)]
enum Asked {
    Read(Vec<Place>),
    Page {
        partition: String,
        prefix: String,
        after: Option<String>,
        until: Option<String>,
        limit: usize,
        descending: bool,
    },
    Commit(Vec<Changed>),
}

#[derive(Serialize, Deserialize)]
enum Changed {
    Put(Row, Expected),
    Delete(Place, Expected),
    Check(Place, Expected),
}

#[derive(Serialize, Deserialize)]
enum Expected {
    Absent,
    Version(u64),
    Any,
}

#[derive(Serialize, Deserialize)]
enum Said {
    Rows(Vec<Option<(u64, Row)>>),
    Done,
    Conflict(Place),
    Failed(String),
}

fn place(key: &Key) -> Place {
    (key.partition.clone(), key.sort.clone())
}

fn key((partition, sort): Place) -> Key {
    Key { partition, sort }
}

impl From<Expectation> for Expected {
    fn from(expected: Expectation) -> Self {
        match expected {
            Expectation::Absent => Self::Absent,
            Expectation::Unchanged(Version(version)) => Self::Version(version),
            Expectation::Any => Self::Any,
        }
    }
}

impl From<Expected> for Expectation {
    fn from(expected: Expected) -> Self {
        match expected {
            Expected::Absent => Self::Absent,
            Expected::Version(version) => Self::Unchanged(Version(version)),
            Expected::Any => Self::Any,
        }
    }
}

impl Request {
    /// As a line, without its end.
    pub(crate) fn text(&self) -> io::Result<String> {
        let asked = match self {
            Self::Read { keys } => Asked::Read(keys.iter().map(place).collect()),
            Self::Page { page } => Asked::Page {
                partition: page.partition.clone(),
                prefix: page.prefix.clone(),
                after: page.after.clone(),
                until: page.until.clone(),
                limit: page.limit,
                descending: page.order == Order::Descending,
            },
            Self::Commit { changes } => Asked::Commit(
                changes
                    .iter()
                    .map(|change| match change {
                        Change::Put { row, expected } => Changed::Put(row.clone(), (*expected).into()),
                        Change::Delete { key, expected } => Changed::Delete(place(key), (*expected).into()),
                        Change::Check { key, expected } => Changed::Check(place(key), (*expected).into()),
                    })
                    .collect(),
            ),
        };
        Ok(serde_json::to_string(&asked)?)
    }

    pub(crate) fn parse(line: &str) -> io::Result<Self> {
        Ok(match serde_json::from_str(line)? {
            Asked::Read(keys) => Self::Read { keys: keys.into_iter().map(key).collect() },
            Asked::Page { partition, prefix, after, until, limit, descending } => {
                let order = if descending { Order::Descending } else { Order::Ascending };
                Self::Page { page: Page { partition, prefix, after, until, limit, order } }
            }
            Asked::Commit(changes) => Self::Commit {
                changes: changes
                    .into_iter()
                    .map(|change| match change {
                        Changed::Put(row, expected) => Change::Put { row, expected: expected.into() },
                        Changed::Delete(at, expected) => {
                            Change::Delete { key: key(at), expected: expected.into() }
                        }
                        Changed::Check(at, expected) => {
                            Change::Check { key: key(at), expected: expected.into() }
                        }
                    })
                    .collect(),
            },
        })
    }
}

impl Answer {
    /// As a line, without its end.
    pub(crate) fn text(self) -> io::Result<String> {
        let said = match self {
            Self::Rows(rows) => {
                Said::Rows(rows.into_iter().map(|row| row.map(|row| (row.version.0, row.value))).collect())
            }
            Self::Done => Said::Done,
            Self::Conflict { key } => Said::Conflict(place(&key)),
            Self::Failed { why } => Said::Failed(why),
        };
        Ok(serde_json::to_string(&said)?)
    }

    pub(crate) fn parse(line: &str) -> io::Result<Self> {
        Ok(match serde_json::from_str(line)? {
            Said::Rows(rows) => {
                let row = |(version, value)| Versioned { value, version: Version(version) };
                Self::Rows(rows.into_iter().map(|found| found.map(row)).collect())
            }
            Said::Done => Self::Done,
            Said::Conflict(at) => Self::Conflict { key: key(at) },
            Said::Failed(why) => Self::Failed { why },
        })
    }
}
