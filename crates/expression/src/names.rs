//! The names of the language: what is known when, and what is in it. Invariant: this is the one list of them; the
//! check, the evaluation and the documentation's test all read it.

/// When an expression is evaluated. Whatever is known in one phase is known in the later ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// The event is known.
    Plan,
    /// The needs have ended.
    Unblock,
    /// The run is under way, on its worker.
    Worker,
}

/// A name that an expression may begin with.
pub(crate) struct Name {
    pub(crate) name: &'static str,
    /// From when on it is known.
    pub(crate) phase: Phase,
    pub(crate) within: Within,
}

/// What a value is made of.
#[derive(Clone, Copy)]
pub(crate) enum Within {
    Text,
    Number,
    Boolean,
    List,
    OneOf(&'static [&'static str]),
    /// These fields and no others.
    Fields(&'static [(&'static str, Within)]),
    /// Fields that the pipeline declares, each of which is made of this.
    Declared(&'static Within),
    /// Any fields; one that is not there is null.
    Open(&'static Within),
    /// Nothing is known of it.
    Any,
}

/// The kinds of events.
pub(crate) const EVENT_KINDS: &[&str] =
    &["push", "tag", "pull_request", "schedule", "pipeline", "event", "manual"];

/// How a run ends.
const ENDS: &[&str] = &["passed", "failed", "errored", "timed_out", "cancelled", "skipped"];

const PULL_REQUEST: &[(&str, Within)] = &[
    ("number", Within::Number),
    ("title", Within::Text),
    ("labels", Within::List),
    ("fork", Within::Boolean),
];

const EVENT: &[(&str, Within)] = &[
    ("kind", Within::OneOf(EVENT_KINDS)),
    ("name", Within::Text),
    ("action", Within::Text),
    ("actor", Within::Text),
    ("branch", Within::Text),
    ("tag", Within::Text),
    ("base", Within::Text),
    ("pull_request", Within::Fields(PULL_REQUEST)),
];

const COMMIT: &[(&str, Within)] =
    &[("sha", Within::Text), ("message", Within::Text), ("author", Within::Text)];

const HOST: &[(&str, Within)] = &[
    ("name", Within::Text),
    ("address", Within::Text),
    ("tags", Within::List),
    ("vars", Within::Open(&Within::Any)),
];

const CELL: &[(&str, Within)] = &[("status", Within::OneOf(ENDS)), ("outputs", Within::Open(&Within::Text))];

const NEED: &[(&str, Within)] = &[
    ("status", Within::OneOf(ENDS)),
    ("outputs", Within::Open(&Within::Text)),
    ("cells", Within::Declared(&Within::Fields(CELL))),
];

/// Every name, in the order in which people are told of them.
pub(crate) const NAMES: &[Name] = &[
    Name { name: "event", phase: Phase::Plan, within: Within::Fields(EVENT) },
    Name { name: "commit", phase: Phase::Plan, within: Within::Fields(COMMIT) },
    Name { name: "repository", phase: Phase::Plan, within: Within::Text },
    Name { name: "inputs", phase: Phase::Plan, within: Within::Declared(&Within::Any) },
    Name { name: "matrix", phase: Phase::Plan, within: Within::Declared(&Within::Any) },
    Name { name: "host", phase: Phase::Plan, within: Within::Fields(HOST) },
    Name { name: "needs", phase: Phase::Unblock, within: Within::Declared(&Within::Fields(NEED)) },
    Name { name: "env", phase: Phase::Worker, within: Within::Open(&Within::Text) },
];

/// The name, if there is one so called.
pub(crate) fn name(name: &str) -> Option<&'static Name> {
    NAMES.iter().find(|known| known.name == name)
}

impl Within {
    /// What lies below, by this field.
    pub(crate) fn field(self, field: &str) -> Below {
        match self {
            Within::Fields(fields) => match fields.iter().find(|(name, _)| *name == field) {
                Some((_, within)) => Below::Known(*within),
                None => Below::Unknown,
            },
            Within::Declared(within) => Below::IfDeclared(*within),
            Within::Open(within) => Below::Known(*within),
            Within::Any => Below::Known(Within::Any),
            Within::Text | Within::Number | Within::Boolean | Within::List | Within::OneOf(_) => {
                Below::Nothing
            }
        }
    }

    /// The names of the fields, where they are always the same.
    pub(crate) fn fields(self) -> impl Iterator<Item = &'static str> + Clone {
        let fields = match self {
            Within::Fields(fields) => fields,
            _ => &[],
        };
        fields.iter().map(|(name, _)| *name)
    }
}

/// What lies below a value, by a field.
pub(crate) enum Below {
    /// A value, or null.
    Known(Within),
    /// A value or null if the pipeline declares the field; otherwise there is no such name.
    IfDeclared(Within),
    /// There is no such name.
    Unknown,
    /// It has no fields.
    Nothing,
}
