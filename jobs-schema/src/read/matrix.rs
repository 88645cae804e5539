//! The cells of a job: every combination that the file asks for, and that each can be told from the others.

use std::collections::HashMap;

use super::identifier_of;
use crate::findings::{Findings, Span, counted, quoted};
use crate::keys::{list, nearest};
use crate::yaml::{Kind, Node};
use crate::{MOST_CELLS, Matrix, MatrixKey, MatrixValue, Row};

/// A matrix with its cells' names; `None` where it has none that can be run.
pub(crate) struct Read {
    pub(crate) matrix: Matrix,
    pub(crate) cells: Option<Vec<String>>,
}

/// Reads a `matrix`. `key` is where it is named.
pub(crate) fn matrix(findings: &mut Findings<'_>, node: &Node, key: Span) -> Read {
    let mut matrix = Matrix::default();
    for entry in node.entries() {
        if matches!(entry.key.as_str(), "include" | "exclude") {
            continue;
        }
        let Some(name) = identifier_of(findings, &entry.key, entry.key_span, "a key of the matrix") else {
            continue;
        };
        if let Some(other) =
            matrix.keys.iter().find(|other| other.name.as_str().eq_ignore_ascii_case(name.as_str()))
        {
            let message = format!(
                "the keys {} and {} differ only in case",
                quoted(other.name.as_str()),
                quoted(name.as_str())
            );
            let hint = "each is an environment variable too, `MATRIX_` and its name in capitals: rename one";
            findings.report_hint(entry.key_span, message, hint);
        }
        let mut values: Vec<MatrixValue> = Vec::new();
        for item in list_items(&entry.value) {
            let Some(value) = value(findings, item) else { continue };
            if values.iter().any(|known| known.to_string() == value.to_string()) {
                let message = format!("{} is named twice", quoted(&value.to_string()));
                findings.report_hint(item.span, message, "keep one of them");
            } else {
                values.push(value);
            }
        }
        if !values.is_empty() {
            matrix.keys.push(MatrixKey { name, values });
        }
    }
    matrix.exclude = rows(findings, node.get("exclude"));
    matrix.include = rows(findings, node.get("include"));
    excluded(findings, node, &matrix);
    let well_formed = findings_are_of_others(node);
    let cells = if well_formed { cells(findings, &matrix, node, key) } else { None };
    Read { matrix, cells }
}

/// Nothing of the matrix was passed over, so that its cells are those that were meant.
fn findings_are_of_others(node: &Node) -> bool {
    node.entries().iter().all(|entry| matches!(&entry.value.kind, Kind::List(_)))
}

fn list_items(node: &Node) -> &[Node] {
    match &node.kind {
        Kind::List(items) => items,
        _ => &[],
    }
}

fn rows(findings: &mut Findings<'_>, node: Option<&Node>) -> Vec<Row> {
    let items = node.map(list_items).unwrap_or_default();
    items
        .iter()
        .filter(|item| item.is_mapping())
        .map(|item| {
            item.entries()
                .iter()
                .filter_map(|entry| {
                    let name = identifier_of(findings, &entry.key, entry.key_span, "a key of the matrix")?;
                    Some((name, value(findings, &entry.value)?))
                })
                .collect()
        })
        .collect()
}

/// A value as written: whole numbers are numbers, `true` and `false` booleans, all else texts.
fn value(findings: &mut Findings<'_>, node: &Node) -> Option<MatrixValue> {
    let text = node.literal(findings, "a value of the matrix")?;
    if text.trim().is_empty() || text.chars().any(char::is_control) {
        let message = format!("{} cannot be a value of the matrix", quoted(text));
        findings.report_hint(
            node.span,
            message,
            "runs are named by their values: write one line that is not blank",
        );
        return None;
    }
    if let Some(boolean) = node.boolean() {
        return Some(MatrixValue::Boolean(boolean));
    }
    let plain = matches!(node.kind, Kind::Scalar { plain: true, .. });
    match text.parse::<i64>() {
        // `007` and `+1` would not be what was written.
        Ok(number) if plain && number.to_string() == text => Some(MatrixValue::Integer(number)),
        _ => Some(MatrixValue::Text(text.to_owned())),
    }
}

/// Rows that exclude nothing are mistakes: a key that is not there, a value that no cell has.
fn excluded(findings: &mut Findings<'_>, node: &Node, matrix: &Matrix) {
    let names: Vec<&str> = matrix.keys.iter().map(|key| key.name.as_str()).collect();
    for item in node.get("exclude").map(list_items).unwrap_or_default() {
        for entry in item.entries() {
            let Some(key) = matrix.keys.iter().find(|key| key.name.as_str() == entry.key) else {
                if node.get(&entry.key).is_some() {
                    continue;
                }
                let hint = match nearest(&entry.key, names.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("the keys of this matrix are {}", list(&names)),
                };
                let message = format!("the matrix has no key {}", quoted(&entry.key));
                findings.report_hint(entry.key_span, message, hint);
                continue;
            };
            let Some(text) = entry.value.text() else { continue };
            if !key.values.iter().any(|value| value.to_string() == text) {
                let values: Vec<String> = key.values.iter().take(10).map(ToString::to_string).collect();
                let values: Vec<&str> = values.iter().map(String::as_str).collect();
                findings.report_hint(
                    entry.value.span,
                    format!(
                        "no combination has {} {}, so nothing is excluded",
                        quoted(&entry.key),
                        quoted(text)
                    ),
                    format!("its values are {}", list(&values)),
                );
            }
        }
    }
}

/// The cells' names; each is a run's, so that no two may be alike.
fn cells(findings: &mut Findings<'_>, matrix: &Matrix, node: &Node, key: Span) -> Option<Vec<String>> {
    if matrix.keys.is_empty() && matrix.include.is_empty() {
        let is_rows = |key: &str| matches!(key, "include" | "exclude");
        // What is wrong with a key that is there is told of that.
        if node.entries().iter().all(|entry| is_rows(&entry.key)) {
            let hint = "write `matrix: {os: [bookworm, alpine]}`";
            findings.report_hint(key, "the matrix is empty: it has no values", hint);
        }
        return None;
    }
    let Ok(cells) = matrix.cells() else {
        let product = matrix.keys.iter().fold(1usize, |all, key| all.saturating_mul(key.values.len()));
        findings.report_hint(
            key,
            format!(
                "the matrix has {} combinations and {} rows to include; a build has at most {} runs",
                counted(product),
                counted(matrix.include.len()),
                counted(MOST_CELLS)
            ),
            "take values away, or part the job in several pipelines",
        );
        return None;
    };
    if cells.is_empty() {
        let hint = "a job without runs would never end: exclude fewer, or take the job away";
        findings.report_hint(key, "the matrix is empty: every combination is excluded", hint);
        return None;
    }
    let mut seen: HashMap<String, usize> = HashMap::with_capacity(cells.len());
    let mut names = Vec::with_capacity(cells.len());
    for cell in &cells {
        let name = cell.name();
        if seen.insert(name.clone(), names.len()).is_some() {
            findings.report_hint(
                key,
                format!("two combinations of the matrix are called {}", quoted(&name)),
                "a run is called by its values, joined by `-`: change a value, or take one away",
            );
            return None;
        }
        names.push(name);
    }
    Some(names)
}
