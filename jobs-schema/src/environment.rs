//! Environment variables. Invariant: names are what every shell takes for one, none is the controller's own, and
//! values are the texts that were written, to the letter.

use std::collections::BTreeMap;

use crate::findings::{Findings, quoted};
use crate::read;
use crate::yaml::{Kind, Node};

/// Names that begin so are set by the controller (spec.md, "What every step sees").
const RESERVED: &str = "BRANCHLINE";

/// Reads an `env`.
pub(crate) fn environment(findings: &mut Findings<'_>, node: Option<&Node>) -> BTreeMap<String, String> {
    let mut environment = BTreeMap::new();
    let Some(node) = node else { return environment };
    let Kind::Mapping(entries) = &node.kind else {
        read::wrong_kind(
            findings,
            node,
            "`env`",
            "a mapping of names to values",
            Some("write `env: {NAME: value}`"),
        );
        return environment;
    };
    for entry in entries {
        let name = entry.key.as_str();
        if name.contains("${{") {
            findings.report_hint(
                entry.key_span,
                "expressions are not supported yet",
                "an environment variable's name is always a fixed text",
            );
        } else if !is_name(name) {
            findings.report_hint(
                entry.key_span,
                format!("{} cannot be an environment variable's name", quoted(name)),
                "use letters, digits and `_`, not beginning with a digit",
            );
        } else if name == RESERVED || name.strip_prefix(RESERVED).is_some_and(|rest| rest.starts_with('_')) {
            findings.report_hint(
                entry.key_span,
                format!(
                    "{} is reserved: names that begin with `BRANCHLINE` are set for each run",
                    quoted(name)
                ),
                "choose another name",
            );
        }
        if let Some(value) = value(findings, &entry.value, name) {
            environment.insert(name.to_owned(), value.to_owned());
        }
    }
    environment
}

fn value<'n>(findings: &mut Findings<'_>, node: &'n Node, name: &str) -> Option<&'n str> {
    let what = format!("the variable {}", quoted(name));
    if node.is_nothing() {
        let hint = "for an empty value, or the word itself, use quotes: `\"\"`";
        read::wrong_kind(findings, node, &what, "a text, a number or a boolean", Some(hint));
        return None;
    }
    match &node.kind {
        Kind::Scalar { .. } => read::text(findings, node, &what),
        _ => {
            let hint =
                "an environment variable is one text: put structured values into it as JSON, between quotes";
            read::wrong_kind(findings, node, &what, "a text, a number or a boolean", Some(hint));
            None
        }
    }
}

fn is_name(name: &str) -> bool {
    let mut characters = name.chars();
    characters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && characters.all(|c| c.is_ascii_alphanumeric() || c == '_')
}
