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
mod place;
mod tree;

use crate::findings::Span;

pub(crate) use place::within;
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
    /// A text as written. `plain`: without quotes or block, so that it may mean nothing, a boolean or a number. `block`:
    /// below a `|` or `>`.
    Scalar { text: String, plain: bool, block: bool },
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
        matches!(&self.kind, Kind::Scalar { text, plain: true, .. }
            if matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"))
    }

    /// The text of a scalar that is not nothing.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar { text, .. } if !self.is_nothing() => Some(text),
            _ => None,
        }
    }

    /// The items of a list; a single text stands for a list of it.
    pub(crate) fn items(&self) -> &[Node] {
        match &self.kind {
            Kind::List(items) => items,
            Kind::Scalar { .. } if !self.is_nothing() => std::slice::from_ref(self),
            _ => &[],
        }
    }

    /// The entries of a mapping.
    pub(crate) fn entries(&self) -> &[Entry] {
        match &self.kind {
            Kind::Mapping(entries) => entries,
            _ => &[],
        }
    }

    /// It is a mapping.
    pub(crate) fn is_mapping(&self) -> bool {
        matches!(self.kind, Kind::Mapping(_))
    }

    /// The entry of a mapping with this key.
    pub(crate) fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().find(|entry| entry.key == key)
    }

    /// The value of a mapping's key.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// A boolean of YAML 1.2: `yes`, `on` and their like are texts.
    pub(crate) fn boolean(&self) -> Option<bool> {
        match &self.kind {
            Kind::Scalar { text, plain: true, .. } => match text.as_str() {
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
