//! The cells of a job. Invariant: every key has a value and every cell is there once; what [`Matrix::cells`] gives is
//! never empty and never more than [`MOST_CELLS`], because the reader refuses other matrices.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Identifier;

/// How many runs a build may have, and so how many cells a job.
pub const MOST_CELLS: usize = 1_024;

/// The values of a job's runs, as written.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Matrix {
    /// Each with every other is a cell: the first varies slowest.
    pub keys: Vec<MatrixKey>,
    /// Cells that have all of a row's values are left out.
    pub exclude: Vec<Row>,
    /// A row extends every cell that has all of its values of the keys, and is a cell of its own where there is none.
    pub include: Vec<Row>,
}

/// One key with its values, in the order of the file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MatrixKey {
    /// Its name.
    pub name: Identifier,
    /// At least one, each once.
    pub values: Vec<MatrixValue>,
}

/// Some values, in the order of the file.
pub type Row = Vec<(Identifier, MatrixValue)>;

/// One value of a cell.
///
/// A number stays what was written: a whole number is one for expressions (`matrix.node == 18`), anything else is a
/// text (`3.10` stays `3.10`, and is not 3.1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum MatrixValue {
    /// `true` or `false`.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// Anything else.
    Text(String),
}

impl fmt::Display for MatrixValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean(boolean) => boolean.fmt(f),
            Self::Integer(number) => number.fmt(f),
            Self::Text(text) => f.write_str(text),
        }
    }
}

/// The values of one run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cell {
    /// In the order of the matrix's keys; those of `include` after them.
    pub values: Row,
}

impl Cell {
    /// What people call it: its values joined by `-`.
    #[must_use]
    pub fn name(&self) -> String {
        self.values.iter().map(|(_, value)| value.to_string()).collect::<Vec<_>>().join("-")
    }

    /// The value of a key; `None` where this cell has none.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&MatrixValue> {
        self.values.iter().find(|(name, _)| name.as_str() == key).map(|(_, value)| value)
    }
}

/// There are more cells than a build may have runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooManyCells;

impl Matrix {
    /// Its cells, in order.
    ///
    /// What `include` says follows GitHub's rule: a row changes no value that a key gave, but extends every cell that has
    /// all the values it names of the keys, over what rows before it added; where there is no such cell, or it names no
    /// value of a key that could be had, it is a cell of its own at the end. A row whose values all belong to no key
    /// extends every cell.
    ///
    /// # Errors
    /// [`TooManyCells`] where there are more than [`MOST_CELLS`], at the keys alone or after all.
    pub fn cells(&self) -> Result<Vec<Cell>, TooManyCells> {
        let product = self.keys.iter().try_fold(1usize, |product, key| {
            product.checked_mul(key.values.len()).filter(|product| *product <= MOST_CELLS * MOST_CELLS)
        });
        // So many that excluding could still leave few are written out; more would take too long to.
        if product.is_none_or(|product| product > 64 * MOST_CELLS) {
            return Err(TooManyCells);
        }
        let mut cells = if self.keys.is_empty() { Vec::new() } else { vec![Row::new()] };
        for key in &self.keys {
            cells = cells
                .iter()
                .flat_map(|cell| {
                    key.values.iter().map(|value| {
                        let mut longer = cell.clone();
                        longer.push((key.name.clone(), value.clone()));
                        longer
                    })
                })
                .collect();
        }
        cells.retain(|cell| !self.exclude.iter().any(|row| has_all(cell, row)));
        let made = cells.len();
        for row in &self.include {
            let named: Row = row
                .iter()
                .filter(|(name, _)| self.keys.iter().any(|key| key.name == *name))
                .cloned()
                .collect();
            let mut extended = false;
            for cell in cells.iter_mut().take(made).filter(|cell| has_all(cell, &named)) {
                extended = true;
                for (name, value) in row {
                    match cell.iter_mut().find(|(other, _)| other == name) {
                        Some((_, old)) => *old = value.clone(),
                        None => cell.push((name.clone(), value.clone())),
                    }
                }
            }
            if !extended {
                let mut own = row.clone();
                own.sort_by_key(|(name, _)| {
                    self.keys.iter().position(|key| key.name == *name).unwrap_or(usize::MAX)
                });
                cells.push(own);
            }
        }
        if cells.len() > MOST_CELLS {
            return Err(TooManyCells);
        }
        Ok(cells.into_iter().map(|values| Cell { values }).collect())
    }

    /// Every key that a cell may have, with whether all cells have it.
    #[must_use]
    pub fn declared(&self) -> BTreeMap<Identifier, bool> {
        let cells = self.cells().unwrap_or_default();
        let rows = self.include.iter().flatten().map(|(name, _)| name);
        self.keys
            .iter()
            .map(|key| &key.name)
            .chain(rows)
            .map(|name| (name.clone(), cells.iter().all(|cell| cell.get(name.as_str()).is_some())))
            .collect()
    }
}

fn has_all(cell: &Row, row: &Row) -> bool {
    row.iter().all(|wanted| cell.contains(wanted))
}
