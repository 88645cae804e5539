//! How a job's commit is brought to its worker.

use std::num::NonZeroU32;

use crate::Checkout;
use crate::findings::Findings;
use crate::keys::CHECKOUT;
use crate::read;
use crate::yaml::{Kind, Node};

/// Reads a `checkout`: `false` is none, and what is not said is the default.
pub(crate) fn checkout(findings: &mut Findings<'_>, node: Option<&Node>) -> Option<Checkout> {
    let Some(node) = node else { return Some(Checkout::default()) };
    match node.boolean() {
        Some(true) => return Some(Checkout::default()),
        Some(false) => return None,
        None => {}
    }
    match &node.kind {
        Kind::Mapping(_) => {}
        Kind::List(_) => {
            read::not_yet(
                findings,
                node.span,
                "checkout: […]",
                Some("until then one checkout, of this repository: `checkout: {depth: 1}`"),
            );
            return None;
        }
        _ => {
            read::wrong_kind(
                findings,
                node,
                "`checkout`",
                "`false`, or a mapping such as `{depth: 1}`",
                None,
            );
            return None;
        }
    }
    let fields = read::fields(findings, node, &CHECKOUT)?;
    let mut checkout = Checkout::default();
    if let Some(depth) = fields.get("depth") {
        checkout.depth = commits(findings, depth);
    }
    if let Some(submodules) = fields.get("submodules") {
        checkout.submodules = read::boolean(findings, submodules, "`submodules`").unwrap_or_default();
    }
    Some(checkout)
}

fn commits(findings: &mut Findings<'_>, node: &Node) -> Option<NonZeroU32> {
    let written = match &node.kind {
        Kind::Scalar { text, .. } if text.bytes().all(|byte| byte.is_ascii_digit()) => {
            text.parse::<u32>().ok()
        }
        _ => None,
    };
    if written.is_none() {
        let hint = "`1` is the commit alone, `0` the whole history";
        read::wrong_kind(findings, node, "`depth`", "a number of commits", Some(hint));
    }
    written.and_then(NonZeroU32::new)
}
