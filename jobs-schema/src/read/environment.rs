//! Environment variables. Invariant: names are what every shell takes for one, none is the controller's own, and
//! values are the texts that were written, to the letter.

use std::collections::BTreeMap;

use branchline_expression::{Phase, Template};

use super::scope::Known;
use crate::findings::{Findings, Span, quoted};
use crate::yaml::Node;

/// Names that begin so are set by the controller (spec.md, "What every step sees").
const RESERVED: &str = "BRANCHLINE";

/// Reads an `env`.
pub(crate) fn environment(
    findings: &mut Findings<'_>,
    node: Option<&Node>,
    known: &Known<'_>,
    phase: Phase,
) -> BTreeMap<String, Template> {
    let mut environment = BTreeMap::new();
    for entry in node.map(Node::entries).unwrap_or_default() {
        let name = entry.key.as_str();
        check_name(findings, name, entry.key_span);
        if let Some(value) = known.template(findings, &entry.value, phase) {
            environment.insert(name.to_owned(), value);
        }
    }
    environment
}

/// Says what is wrong with a variable's name.
pub(crate) fn check_name(findings: &mut Findings<'_>, name: &str, span: Span) {
    if name.contains("${{") {
        let hint = "an environment variable's name is always a fixed text";
        findings.report_hint(span, "an expression cannot stand in a name", hint);
    } else if !is_name(name) {
        let message = format!("{} cannot be an environment variable's name", quoted(name));
        findings.report_hint(span, message, "use letters, digits and `_`, not beginning with a digit");
    } else if name == RESERVED || name.strip_prefix(RESERVED).is_some_and(|rest| rest.starts_with('_')) {
        let message =
            format!("{} is reserved: names that begin with `BRANCHLINE` are set for each run", quoted(name));
        findings.report_hint(span, message, "choose another name");
    }
}

fn is_name(name: &str) -> bool {
    let mut characters = name.chars();
    characters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && characters.all(|c| c.is_ascii_alphanumeric() || c == '_')
}
