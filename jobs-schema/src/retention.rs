//! How much of a pipeline is kept.

use std::num::NonZeroU32;

use crate::Retention;
use crate::findings::Findings;
use crate::keys::RETENTION;
use crate::read;
use crate::yaml::{Kind, Node};

/// No more builds of a pipeline, and days, can be asked for.
const MOST: u32 = 10_000;

/// Reads a `retention`; what is not said is the default.
pub(crate) fn retention(findings: &mut Findings<'_>, node: Option<&Node>) -> Retention {
    let default = Retention::default();
    let Some(fields) = node.and_then(|node| read::fields(findings, node, &RETENTION)) else { return default };
    let mut read = |key: &str, what: &str, default: NonZeroU32| {
        fields.get(key).and_then(|node| count(findings, node, what)).unwrap_or(default)
    };
    Retention {
        builds: read("builds", "`builds`", default.builds),
        days: read("days", "`days`", default.days),
    }
}

fn count(findings: &mut Findings<'_>, node: &Node, what: &str) -> Option<NonZeroU32> {
    let written = match &node.kind {
        Kind::Scalar { text, .. } if text.bytes().all(|byte| byte.is_ascii_digit()) => {
            text.parse::<u32>().ok().filter(|number| *number <= MOST)
        }
        _ => None,
    };
    let count = written.and_then(NonZeroU32::new);
    if count.is_none() {
        let hint = "the newest build of a pipeline is always kept, and what still runs";
        read::wrong_kind(findings, node, what, "a number from 1 to 10000", Some(hint));
    }
    count
}
