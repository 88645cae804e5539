//! Expressions of the job language: what stands in `if:` and in `${{ … }}`.
//!
//! They are CEL, the Common Expression Language, as far as a pipeline file has use for it, with one rule added:
//! *a declared name that has no value here is null, and a question about null is answered with no*. A user's
//! view of it, with every function and an example of each, is `docs/expressions.md`.
//!
//! Everything here is synchronous and total: whatever the text and the values, there is an answer or an error
//! with its place, within a bounded number of steps ([`MAX_STEPS`]), a bounded depth ([`MAX_DEPTH`]) and a bounded
//! size of what is made ([`MAX_SIZE`]). There is no I/O: what `changed`, `hash` and the status functions say is
//! given by the caller.
//!
//! The way of an expression: [`Expression::parse`] (or [`Template::parse`]) reads it; [`check`] says what is wrong
//! with it in its place, before there are any values; [`evaluate`] says what it is, and which values it saw.
//!
//! ```
//! use branchline_expression::{Expression, Value, Values, evaluate};
//!
//! let condition = Expression::parse("event.kind == \"push\" && event.branch == \"main\"")?;
//! let event = Value::map([("kind", Value::from("push")), ("branch", Value::from("dev"))]);
//! let evaluation = evaluate(&condition, &Values::new().with("event", event))?;
//! assert_eq!(evaluation.value, Value::Bool(false));
//! assert_eq!(evaluation.seen_text(), "event.kind is \"push\", event.branch is \"dev\"");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod ast;
mod check;
mod evaluate;
mod expression;
mod fault;
mod function;
mod literal;
mod mention;
mod names;
mod number;
mod parse;
mod render;
mod scope;
mod template;
mod token;
mod value;
mod values;
mod words;

pub use check::{check, check_condition, check_template, check_whole_template};
pub use evaluate::{Evaluation, Seen, decide, evaluate};
pub use expression::{Expression, Needs};
pub use fault::{EvaluationError, Finding, SyntaxError};
pub use mention::{Call, Use};
pub use names::Phase;
pub use render::Rendering;
pub use scope::{Scope, Type};
pub use template::Template;
pub use value::Value;
pub use values::{Answers, Changed, Files, Standing, Values};

/// How many bytes one expression may have.
pub const MAX_LENGTH: usize = 8 * 1024;

/// How deep an expression may be nested.
pub const MAX_DEPTH: usize = 32;

/// How many parts, texts and expressions, a template may have.
pub const MAX_PARTS: usize = 200;

/// How much work one evaluation may be. A step is a node evaluated once, or about 64 bytes looked at.
pub const MAX_STEPS: usize = 100_000;

/// How many bytes a text may have that an expression makes, and how many items a list.
pub const MAX_SIZE: usize = 128 * 1024;
