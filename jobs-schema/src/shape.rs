//! What may stand where: the form of every value of the language, as data. Invariant: one table, in [`keys`](crate::keys),
//! says it for the reader, for the JSON Schema and for the book; what a text must be beyond its form (a glob, an expression,
//! a name that is there) is the business of whoever reads it.

mod check;

use crate::keys::Level;

pub(crate) use check::{Of, check, decimal, whole};

/// The form of a value. What it may be is decided by what is written: a text, a list, a mapping or nothing.
#[derive(Debug)]
pub(crate) struct Shape {
    /// What belongs there, for people: "a list of commands".
    pub(crate) expected: &'static str,
    /// What to write instead of anything else.
    pub(crate) hint: Option<&'static str>,
    /// What to write where there is nothing.
    pub(crate) if_empty: Option<&'static str>,
    pub(crate) scalar: Option<Scalar>,
    pub(crate) list: Option<List>,
    pub(crate) mapping: Option<Mapping>,
    /// Nothing may stand after the key, or the item's `-`.
    pub(crate) nothing: bool,
}

/// A value without parts.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Scalar {
    /// A text, a number or a boolean, as written.
    Text,
    /// A text that is not blank.
    Script,
    /// A text that may hold `${{ … }}`.
    Template,
    /// A condition.
    Expression,
    /// `true` or `false`.
    Boolean,
    /// `true`, `false` or a condition.
    BooleanOrExpression,
    /// A whole number in this range.
    Number { least: i64, most: i64 },
    /// A number over 0.
    Decimal,
    /// A time of at most so many days.
    Time { days: u32 },
    /// A size.
    Size,
    /// One of these words.
    Word(&'static [Word]),
    /// One of these words, or a text of this form, which the reader judges.
    WordOr(&'static [Word], &'static str),
}

/// A word with what it means.
#[derive(Debug)]
pub(crate) struct Word {
    pub(crate) word: &'static str,
    pub(crate) about: &'static str,
}

/// Values one after another.
#[derive(Debug)]
pub(crate) struct List {
    /// What one of them is, for people: "a step".
    pub(crate) item: &'static str,
    pub(crate) shape: &'static Shape,
    pub(crate) least: usize,
    pub(crate) most: usize,
}

/// Keys with values.
#[derive(Debug)]
pub(crate) enum Mapping {
    /// The language's own keys.
    Level(&'static Level),
    /// Names that the author gives.
    Names(Names),
    /// Both: what is none of the language's own is a name.
    Both(&'static Level, Names),
}

/// Names that the author gives, with values.
#[derive(Debug)]
pub(crate) struct Names {
    /// What one of them is, for people: "the job", before its name.
    pub(crate) item: &'static str,
    /// What a name looks like, for the schema. The reader judges names.
    pub(crate) pattern: &'static str,
    pub(crate) shape: &'static Shape,
    pub(crate) least: usize,
    pub(crate) most: usize,
}

/// So many items that nobody needs more.
pub(crate) const MANY: usize = 256;

impl Shape {
    pub(crate) const fn scalar(expected: &'static str, scalar: Scalar) -> Self {
        Self {
            expected,
            hint: None,
            if_empty: None,
            scalar: Some(scalar),
            list: None,
            mapping: None,
            nothing: false,
        }
    }

    pub(crate) const fn list(expected: &'static str, list: List) -> Self {
        Self {
            expected,
            hint: None,
            if_empty: None,
            scalar: None,
            list: Some(list),
            mapping: None,
            nothing: false,
        }
    }

    pub(crate) const fn level(expected: &'static str, level: &'static Level) -> Self {
        Self {
            expected,
            hint: None,
            if_empty: None,
            scalar: None,
            list: None,
            mapping: Some(Mapping::Level(level)),
            nothing: false,
        }
    }

    pub(crate) const fn names(expected: &'static str, names: Names) -> Self {
        Self {
            expected,
            hint: None,
            if_empty: None,
            scalar: None,
            list: None,
            mapping: Some(Mapping::Names(names)),
            nothing: false,
        }
    }

    /// … or a text.
    pub(crate) const fn or_scalar(self, scalar: Scalar) -> Self {
        Self { scalar: Some(scalar), ..self }
    }

    /// What to write where there is nothing.
    pub(crate) const fn if_empty(self, hint: &'static str) -> Self {
        Self { if_empty: Some(hint), ..self }
    }

    /// … or nothing.
    pub(crate) const fn or_nothing(self) -> Self {
        Self { nothing: true, ..self }
    }

    pub(crate) const fn hint(self, hint: &'static str) -> Self {
        Self { hint: Some(hint), ..self }
    }
}

impl List {
    /// At least one.
    pub(crate) const fn of(item: &'static str, shape: &'static Shape) -> Self {
        Self { item, shape, least: 1, most: MANY }
    }

    /// None will do.
    pub(crate) const fn or_empty(self) -> Self {
        Self { least: 0, ..self }
    }

    pub(crate) const fn at_most(self, most: usize) -> Self {
        Self { most, ..self }
    }
}

/// What the values of common keys look like.
pub(crate) const TEXT: Shape = Shape::scalar("a text", Scalar::Text);
pub(crate) const TEMPLATE: Shape = Shape::scalar("a text", Scalar::Template);
pub(crate) const BOOLEAN: Shape = Shape::scalar("`true` or `false`", Scalar::Boolean);
pub(crate) const TIME: Shape = Shape::scalar("a time such as `20m`", Scalar::Time { days: 30 });
pub(crate) const LONG_TIME: Shape = Shape::scalar("a time such as `30d`", Scalar::Time { days: 3_650 });
pub(crate) const SIZE: Shape = Shape::scalar("a size such as `2GiB`", Scalar::Size);
pub(crate) const CONDITION: Shape =
    Shape::scalar("a condition such as `event.branch == \"main\"`", Scalar::Expression);
pub(crate) const COUNT: Shape =
    Shape::scalar("a number from 1 to 1024", Scalar::Number { least: 1, most: 1_024 });
pub(crate) const TEXTS: Shape =
    Shape::list("a text or a list of texts", List::of("a text", &TEXT)).or_scalar(Scalar::Text);
pub(crate) const GLOBS: Shape =
    Shape::list("a pattern or a list of patterns", List::of("a pattern", &TEXT)).or_scalar(Scalar::Text);
pub(crate) const ENV: Shape = Shape::names(
    "a mapping of names to values",
    Names {
        item: "the variable",
        pattern: "^[A-Za-z_][A-Za-z0-9_]*$",
        shape: &Shape::scalar("a text, a number or a boolean", Scalar::Template)
            .hint("a variable is one text: put structured values into it as JSON, between quotes")
            .if_empty("for an empty value, or the word itself, use quotes: `\"\"`"),
        least: 0,
        most: 1_000,
    },
)
.hint("write `env: {NAME: value}`");
