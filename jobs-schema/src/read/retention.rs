//! How much of a pipeline is kept.

use crate::Retention;
use crate::yaml::Node;

/// Reads a `retention`; what is not said is the default.
pub(crate) fn retention(node: Option<&Node>) -> Retention {
    let default = Retention::default();
    let read = |key: &str| node.and_then(|node| node.count_of(key));
    Retention { builds: read("builds").unwrap_or(default.builds), days: read("days").unwrap_or(default.days) }
}
