//! What an expression mentions: the names it reads and the functions it calls, without evaluating it.

use crate::Value;
use crate::ast::{Kind, Node};

/// A name that an expression reads, as far as it is written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Use {
    /// `needs.test.outputs["x"]` is `needs`, `test`, `outputs`, `x`. Never empty.
    pub path: Vec<String>,
    /// Whether it goes on with a key that is worked out, as `needs[matrix.job]` does after `needs`.
    pub open: bool,
    /// Where it stands in the text, in bytes.
    pub at: usize,
    /// How long it is in the text, in bytes.
    pub len: usize,
}

/// A function that an expression calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The name, without what stands before the dot.
    pub name: String,
    /// Whether it is called as `receiver.name(…)`.
    pub method: bool,
    /// What it is called with, where each argument is a literal text.
    pub literals: Option<Vec<String>>,
    /// Where it stands in the text, in bytes.
    pub at: usize,
    /// How long it is in the text, with its arguments, in bytes.
    pub len: usize,
}

#[derive(Debug, Default)]
pub(crate) struct Mentions {
    pub(crate) uses: Vec<Use>,
    pub(crate) calls: Vec<Call>,
}

pub(crate) fn of(root: &Node) -> Mentions {
    let mut mentions = Mentions::default();
    mentions.walk(root, &mut Vec::new());
    mentions
}

impl Mentions {
    fn walk<'a>(&mut self, node: &'a Node, bound: &mut Vec<&'a str>) {
        match &node.kind {
            Kind::Name(_) | Kind::Select(..) | Kind::Index(..) => self.path(node, bound),
            Kind::Call(call) => {
                self.calls.push(Call {
                    name: call.function.clone(),
                    method: call.receiver.is_some(),
                    literals: literals(&call.arguments),
                    at: node.span.at,
                    len: node.span.len(),
                });
                call.receiver.iter().chain(&call.arguments).for_each(|node| self.walk(node, bound));
            }
            Kind::Macro(part) => {
                self.walk(&part.range, bound);
                bound.push(&part.variable);
                part.condition.iter().chain(&part.transform).for_each(|node| self.walk(node, bound));
                bound.pop();
            }
            other => other.children().into_iter().for_each(|node| self.walk(node, bound)),
        }
    }

    /// A chain of fields and keys: one use where it begins with a name that is not bound, and whatever its keys use.
    fn path<'a>(&mut self, node: &'a Node, bound: &mut Vec<&'a str>) {
        let mut path = Vec::new();
        let (mut here, mut open) = (node, false);
        let mut keys = Vec::new();
        loop {
            match &here.kind {
                Kind::Select(object, field) => {
                    path.push(field.name.to_string());
                    here = object;
                }
                Kind::Index(object, key) => {
                    match &key.kind {
                        Kind::Literal(Value::String(text)) => path.push(text.to_string()),
                        _ => {
                            // What follows a key that is not known is not known either.
                            path.clear();
                            open = true;
                            keys.push(key);
                        }
                    }
                    here = object;
                }
                Kind::Name(name) if bound.contains(&name.as_str()) => break,
                Kind::Name(name) => {
                    path.push(name.clone());
                    path.reverse();
                    self.uses.push(Use { path, open, at: node.span.at, len: node.span.len() });
                    break;
                }
                _ => {
                    self.walk(here, bound);
                    break;
                }
            }
        }
        keys.into_iter().rev().for_each(|key| self.walk(key, bound));
    }
}

/// The texts, where each node is a literal one.
pub(crate) fn literals(nodes: &[Node]) -> Option<Vec<String>> {
    nodes
        .iter()
        .map(|node| match &node.kind {
            Kind::Literal(Value::String(text)) => Some(text.to_string()),
            _ => None,
        })
        .collect()
}
