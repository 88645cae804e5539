//! What an expression is made of, once read. Invariant: no node stands deeper than
//! [`MAX_DEPTH`](crate::MAX_DEPTH), so whatever walks a tree may recurse.

use std::sync::Arc;

use crate::Value;
use crate::token::Span;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    pub(crate) span: Span,
    /// How many nodes lie on the longest way down from here, this one included.
    pub(crate) height: usize,
    pub(crate) kind: Kind,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Kind {
    Literal(Value),
    Name(String),
    /// `object.field`.
    Select(Box<Node>, Field),
    /// `object[key]`.
    Index(Box<Node>, Box<Node>),
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
    /// `function(…)` or `receiver.function(…)`.
    Call(Box<Call>),
    /// All the parts of `a && b && c`, so that a long chain is not a deep tree.
    All(Vec<Node>),
    /// All the parts of `a || b || c`.
    Any(Vec<Node>),
    Not(Box<Node>),
    Negative(Box<Node>),
    Binary(Operator, Span, Box<Node>, Box<Node>),
    Choice(Box<Node>, Box<Node>, Box<Node>),
    /// `has(object.field)`: the selection.
    Has(Box<Node>),
    Macro(Box<Macro>),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Field {
    pub(crate) name: Arc<str>,
    pub(crate) span: Span,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Call {
    pub(crate) function: String,
    /// Of the function's name alone.
    pub(crate) name_span: Span,
    pub(crate) receiver: Option<Node>,
    pub(crate) arguments: Vec<Node>,
}

/// `list.exists(x, condition)` and its relatives.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Macro {
    pub(crate) kind: MacroKind,
    pub(crate) range: Node,
    pub(crate) variable: String,
    /// Which items count: all where there is none.
    pub(crate) condition: Option<Node>,
    /// What is made of each item; of `map` only.
    pub(crate) transform: Option<Node>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MacroKind {
    All,
    Exists,
    ExistsOne,
    Filter,
    Map,
}

impl MacroKind {
    pub(crate) const NAMES: &[(&str, MacroKind)] = &[
        ("all", MacroKind::All),
        ("exists", MacroKind::Exists),
        ("exists_one", MacroKind::ExistsOne),
        ("filter", MacroKind::Filter),
        ("map", MacroKind::Map),
    ];
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

impl Operator {
    pub(crate) fn sign(self) -> &'static str {
        match self {
            Operator::Equal => "==",
            Operator::NotEqual => "!=",
            Operator::Less => "<",
            Operator::LessOrEqual => "<=",
            Operator::Greater => ">",
            Operator::GreaterOrEqual => ">=",
            Operator::In => "in",
            Operator::Add => "+",
            Operator::Subtract => "-",
            Operator::Multiply => "*",
            Operator::Divide => "/",
            Operator::Remainder => "%",
        }
    }

    /// The operators of one rank, the weakest first; CEL's "Relation", "Addition", "Multiplication".
    pub(crate) const RANKS: &[&[Operator]] = &[
        &[
            Operator::Equal,
            Operator::NotEqual,
            Operator::Less,
            Operator::LessOrEqual,
            Operator::Greater,
            Operator::GreaterOrEqual,
            Operator::In,
        ],
        &[Operator::Add, Operator::Subtract],
        &[Operator::Multiply, Operator::Divide, Operator::Remainder],
    ];
}

impl Kind {
    /// The nodes directly below.
    pub(crate) fn children(&self) -> Vec<&Node> {
        match self {
            Kind::Literal(_) | Kind::Name(_) => Vec::new(),
            Kind::Select(node, _) | Kind::Not(node) | Kind::Negative(node) | Kind::Has(node) => vec![node],
            Kind::Index(left, right) | Kind::Binary(_, _, left, right) => vec![left, right],
            Kind::List(nodes) | Kind::All(nodes) | Kind::Any(nodes) => nodes.iter().collect(),
            Kind::Map(entries) => entries.iter().flat_map(|(key, value)| [key, value]).collect(),
            Kind::Call(call) => call.receiver.iter().chain(&call.arguments).collect(),
            Kind::Choice(condition, yes, no) => vec![condition, yes, no],
            Kind::Macro(part) => {
                std::iter::once(&part.range).chain(&part.condition).chain(&part.transform).collect()
            }
        }
    }
}
