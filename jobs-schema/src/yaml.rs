//! YAML, and the only place that knows how it is read. A text becomes a small tree of [`Node`]s, each with the
//! bytes it came from; aliases and merge keys (`<<`) are resolved.
//!
//! Invariant: scalars keep the text that was written (`1.10` stays `1.10`, `yes` stays `yes`); what a text means
//! is decided by whoever reads the node, who knows what belongs there. The tree is bounded whatever the file is:
//! in nodes, in bytes and in depth, where what an alias stands for counts each time it is used.
//!
//! It is built from the events of serde-saphyr's own parser and not by its deserializer, because that one ends at
//! the first mistake and turns scalars into numbers before anybody can ask how they were written.

mod explain;
mod tree;

use crate::findings::Span;

pub(crate) use tree::read;

/// One value of the document.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    pub(crate) kind: Kind,
    /// Where it stands; of what an alias stands for, where the alias stands.
    pub(crate) span: Span,
}

/// What a value is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Kind {
    /// A text as written. `plain`: without quotes or block, so that it may mean nothing, a boolean or a number.
    Scalar { text: String, plain: bool },
    /// `- a` or `[a]`.
    List(Vec<Node>),
    /// `a: b` or `{a: b}`; no key twice.
    Mapping(Vec<Entry>),
    /// It was reported already and is to be passed over in silence.
    Broken,
}

/// A key with its value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_span: Span,
    pub(crate) value: Node,
}

impl Node {
    /// Nothing, or what YAML 1.2 says for it (`null`, `~`).
    pub(crate) fn is_nothing(&self) -> bool {
        matches!(&self.kind, Kind::Scalar { text, plain: true }
            if matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"))
    }

    /// A boolean of YAML 1.2: `yes`, `on` and their like are texts.
    pub(crate) fn boolean(&self) -> Option<bool> {
        match &self.kind {
            Kind::Scalar { text, plain: true } => match text.as_str() {
                "true" | "True" | "TRUE" => Some(true),
                "false" | "False" | "FALSE" => Some(false),
                _ => None,
            },
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
