//! What is written into a job's workspace.

use std::num::NonZeroU32;

use branchline_expression::Phase;

use super::folder;
use super::scope::Known;
use super::trigger::{ref_name, repository};
use crate::Checkout;
use crate::findings::{Findings, quoted};
use crate::yaml::{Kind, Node};

/// Reads a `checkout`: `false` is none, and what is not said is the default.
pub(crate) fn checkouts(
    findings: &mut Findings<'_>,
    node: Option<&Node>,
    known: &Known<'_>,
) -> Vec<Checkout> {
    let Some(node) = node else { return vec![Checkout::default()] };
    match &node.kind {
        Kind::Mapping(_) => vec![checkout(findings, node, known)],
        Kind::List(items) => {
            let mut checkouts: Vec<Checkout> = Vec::with_capacity(items.len());
            for item in items.iter().filter(|item| item.is_mapping()) {
                let checkout = checkout(findings, item, known);
                if let Some(other) = checkouts.iter().find(|other| meet(other, &checkout)) {
                    let both = |path: &Option<String>| quoted(path.as_deref().unwrap_or("."));
                    let message = if both(&other.path) == both(&checkout.path) {
                        format!("two checkouts are written to {}", both(&checkout.path))
                    } else {
                        format!(
                            "the checkouts at {} and {} lie within each other",
                            both(&other.path),
                            both(&checkout.path)
                        )
                    };
                    let first = item.entries().first().map_or(item.span, |entry| entry.key_span);
                    findings.report_hint(first, message, "give each a `path` of its own, beside the others");
                }
                checkouts.push(checkout);
            }
            checkouts
        }
        _ => match node.boolean() {
            Some(false) => Vec::new(),
            _ => vec![Checkout::default()],
        },
    }
}

fn checkout(findings: &mut Findings<'_>, node: &Node, known: &Known<'_>) -> Checkout {
    let reference = node.get("ref").and_then(|node| {
        let template = known.whole_template(findings, node, Phase::Plan)?;
        if template.literal().is_some() {
            ref_name(findings, node, "`ref`")?;
        }
        Some(template)
    });
    let depth = match node.number_of("depth") {
        Some(commits) => u32::try_from(commits).ok().and_then(NonZeroU32::new),
        None => Some(NonZeroU32::MIN),
    };
    Checkout {
        repository: node.get("repository").and_then(|node| repository(findings, node)),
        reference,
        path: node.get("path").and_then(|node| folder(findings, node, "`path`")),
        depth,
        submodules: node.boolean_of("submodules"),
        lfs: node.boolean_of("lfs"),
    }
}

/// Both would write to one folder. The workspace itself may hold folders for others.
fn meet(one: &Checkout, other: &Checkout) -> bool {
    let parts = |checkout: &Checkout| -> Vec<String> {
        let path = checkout.path.as_deref().unwrap_or_default();
        path.split('/').filter(|part| !part.is_empty() && *part != ".").map(str::to_owned).collect()
    };
    let (one, other) = (parts(one), parts(other));
    one == other
        || (!one.is_empty() && !other.is_empty() && (one.starts_with(&other) || other.starts_with(&one)))
}
