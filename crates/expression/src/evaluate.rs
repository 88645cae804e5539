//! What an expression is, given the values. Invariant: an evaluation ends, within [`MAX_STEPS`] steps, and evaluates
//! of `&&`, `||` and `? :` only what decides them; so the values it saw are the ones that mattered.
//!
//! Semantics are those of the CEL specification, "Evaluation" (errors beside an operand that decides are forgotten, too).
//! Null is added: where a truth is wanted it is false; a field of it is null; comparisons other than `==` and `!=`,
//! questions about a text, membership in it and what `exists` asks of it are answered with no; its size is 0. To
//! compute with it is an error.

mod call;
mod operator;
mod path;

pub(crate) use call::pattern_of;

use std::sync::Arc;

use crate::ast::{Kind, Macro, MacroKind, Node};
use crate::token::Span;
use crate::{EvaluationError, Expression, MAX_STEPS, Value, Values, words};

/// What an expression is, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// Its value.
    pub value: Value,
    /// The values that it read on the way, each once, in the order in which it read them.
    pub seen: Vec<Seen>,
}

/// Something that an evaluation read.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// `event.branch`, `needs.test.outputs["a b"]`, `changed("src/**")`.
    pub path: String,
    /// What it is; the text `***` where it must not be shown.
    pub value: Value,
    /// Why it is so, where that is known: of `changed`.
    pub because: Option<String>,
}

impl Evaluation {
    /// What was seen, in words: `event.kind is "push", changed("src/**") is false (README.md changed)`. Empty
    /// where nothing was.
    #[must_use]
    pub fn seen_text(&self) -> String {
        seen_text(&self.seen)
    }
}

pub(crate) fn seen_text(seen: &[Seen]) -> String {
    let shown: Vec<String> = seen.iter().map(words::seen).collect();
    shown.join(", ")
}

/// Works out what an expression is.
///
/// # Errors
/// Why it is nothing, with the place and what was seen until then.
pub fn evaluate(expression: &Expression, values: &Values<'_>) -> Result<Evaluation, EvaluationError> {
    run(values, |evaluator| evaluator.node(expression.root()))
}

/// Works out whether a condition holds: its value is a boolean, or null, which counts as false.
///
/// Other values are errors, and not "truthy" as in GitHub's expressions: there `"false"` is true, so that a
/// misplaced quote or a forgotten comparison runs what should not run. Null is not an error, because a key that
/// only some cells of a matrix have is a good way to say which of them are meant.
///
/// # Errors
/// Why it cannot be said, with the place and what was seen until then.
pub fn decide(condition: &Expression, values: &Values<'_>) -> Result<Evaluation, EvaluationError> {
    run(values, |evaluator| evaluator.truth(condition.root()).map(Value::Bool))
}

fn run<'e>(
    values: &'e Values<'e>,
    work: impl FnOnce(&mut Evaluator<'e>) -> Outcome<Value>,
) -> Result<Evaluation, EvaluationError> {
    let mut evaluator =
        Evaluator { values, seen: Vec::new(), steps: 0, locals: Vec::new(), patterns: Vec::new() };
    let outcome = work(&mut evaluator);
    let mut seen = evaluator.seen;
    let hidden = hidden_texts(values);
    if !hidden.is_empty() {
        seen.iter_mut().for_each(|seen| hide(seen, &hidden));
    }
    match outcome {
        Ok(value) => Ok(Evaluation { value, seen }),
        Err(stop) => {
            let Stop { span, message, hint, .. } = *stop;
            let message = hidden.iter().fold(message, |message, text| message.replace(&**text, HIDDEN));
            let hint = hint.filter(|hint| !hidden.iter().any(|text| hint.contains(&**text)));
            Err(EvaluationError { offset: span.at, len: span.len().max(1), message, hint, seen })
        }
    }
}

/// What is shown instead of what must not be.
const HIDDEN: &str = "***";

/// The texts that must not be shown, wherever they turn up: as the key of something else, for one.
fn hidden_texts(values: &Values<'_>) -> Vec<Arc<str>> {
    let mut texts = Vec::new();
    for path in &values.hidden {
        let Some((name, keys)) = path.split_first() else { continue };
        let mut found = values.names.iter().find(|(known, _)| **known == **name).map(|(_, value)| value);
        for key in keys {
            found = match found {
                Some(Value::Map(entries)) => entries.get(key.as_str()),
                _ => None,
            };
        }
        match found {
            Some(Value::String(text)) if !text.is_empty() => texts.push(text.clone()),
            _ => {}
        }
    }
    texts
}

fn hide(seen: &mut Seen, hidden: &[Arc<str>]) {
    for text in hidden {
        seen.path = seen.path.replace(&**text, HIDDEN);
        if matches!(&seen.value, Value::String(value) if value.contains(&**text)) {
            seen.value = Value::from(HIDDEN);
        }
        seen.because = seen.because.take().map(|because| because.replace(&**text, HIDDEN));
    }
}

/// Why an evaluation does not go on.
#[derive(Debug)]
pub(crate) struct Stop {
    pub(crate) span: Span,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
    /// Nothing may go on beside it: a bound was reached.
    pub(crate) bound: bool,
}

type Outcome<T> = Result<T, Box<Stop>>;

struct Evaluator<'e> {
    values: &'e Values<'e>,
    seen: Vec<Seen>,
    steps: usize,
    /// What macros bind, the innermost last.
    locals: Vec<(String, Value)>,
    /// Patterns that were made, the newest last.
    patterns: Vec<(Arc<str>, regex::Regex)>,
}

impl<'e> Evaluator<'e> {
    /// Counts work.
    fn spend(&mut self, steps: usize, span: Span) -> Outcome<()> {
        self.steps = self.steps.saturating_add(steps);
        if self.steps > MAX_STEPS { Err(words::too_much_work(span)) } else { Ok(()) }
    }

    /// Counts the work of looking at all of a value.
    fn spend_on(&mut self, value: &Value, span: Span) -> Outcome<()> {
        let weight = weight(value, MAX_STEPS);
        self.spend(weight, span)
    }

    fn node(&mut self, node: &Node) -> Outcome<Value> {
        self.spend(1, node.span)?;
        match &node.kind {
            Kind::Literal(value) => Ok(value.clone()),
            Kind::Name(_) | Kind::Select(..) | Kind::Index(..) => self.path(node),
            Kind::Has(selection) => self.has(selection).map(Value::Bool),
            Kind::List(items) => {
                let items: Vec<Value> = items.iter().map(|item| self.node(item)).collect::<Outcome<_>>()?;
                self.list(items, node.span)
            }
            Kind::Map(entries) => self.map(entries, node.span),
            Kind::All(parts) => self.chain(parts, false).map(Value::Bool),
            Kind::Any(parts) => self.chain(parts, true).map(Value::Bool),
            Kind::Not(operand) => self.truth(operand).map(|truth| Value::Bool(!truth)),
            Kind::Negative(operand) => {
                let value = self.node(operand)?;
                operator::negative(&value, node.span)
            }
            Kind::Binary(operator, sign, left, right) => {
                let (left, right) = (self.node(left)?, self.node(right)?);
                self.binary(*operator, *sign, node.span, &left, &right)
            }
            Kind::Choice(condition, yes, no) => {
                let chosen = if self.truth(condition)? { yes } else { no };
                self.node(chosen)
            }
            Kind::Call(call) => self.call(call, node.span),
            Kind::Macro(part) => self.comprehension(part, node.span),
        }
    }

    /// Where a truth is wanted: null is false.
    fn truth(&mut self, node: &Node) -> Outcome<bool> {
        match self.node(node)? {
            Value::Bool(truth) => Ok(truth),
            Value::Null => Ok(false),
            other => Err(words::no_truth(node.span, &other)),
        }
    }

    /// `&&` (decided by a false one) or `||` (decided by a true one). An error counts only where nothing decides.
    fn chain(&mut self, parts: &[Node], decisive: bool) -> Outcome<bool> {
        let mut first_error = None;
        for part in parts {
            match self.truth(part) {
                Ok(truth) if truth == decisive => return Ok(decisive),
                Ok(_) => {}
                Err(stop) if stop.bound => return Err(stop),
                Err(stop) => first_error = first_error.or(Some(stop)),
            }
        }
        first_error.map_or(Ok(!decisive), Err)
    }

    /// A list that was made. What it weighs is counted, shared parts as often as they are in it: otherwise a list of
    /// lists of lists could be small here, and endless for whoever looks at it.
    fn list(&mut self, items: Vec<Value>, span: Span) -> Outcome<Value> {
        let list = Value::List(items.into());
        self.spend_on(&list, span)?;
        Ok(list)
    }

    fn map(&mut self, entries: &[(Node, Node)], span: Span) -> Outcome<Value> {
        let mut map = std::collections::BTreeMap::new();
        for (key, value) in entries {
            let name = match self.node(key)? {
                Value::String(name) => name,
                other => return Err(words::key_is_no_text(key.span, &other)),
            };
            let value = self.node(value)?;
            if map.insert(name, value).is_some() {
                return Err(words::key_twice(key.span));
            }
        }
        let map = Value::Map(Arc::new(map));
        self.spend_on(&map, span)?;
        Ok(map)
    }

    fn comprehension(&mut self, part: &Macro, span: Span) -> Outcome<Value> {
        let items = match self.node(&part.range)? {
            Value::List(items) => items,
            Value::Map(entries) => entries.keys().cloned().map(Value::String).collect(),
            Value::Null => Arc::from([]),
            other => return Err(words::no_items(part.range.span, &other)),
        };
        let (mut made, mut count, mut first_error) = (Vec::new(), 0_usize, None);
        for item in items.iter() {
            self.spend(1, span)?;
            self.locals.push((part.variable.clone(), item.clone()));
            let outcome = self.item(part, item);
            self.locals.pop();
            match (part.kind, outcome) {
                (_, Err(stop)) if stop.bound => return Err(stop),
                (MacroKind::All | MacroKind::Exists, Err(stop)) => first_error = first_error.or(Some(stop)),
                (_, Err(stop)) => return Err(stop),
                (MacroKind::All, Ok(None)) => return Ok(Value::Bool(false)),
                (MacroKind::Exists, Ok(Some(_))) => return Ok(Value::Bool(true)),
                (_, Ok(None)) => {}
                (_, Ok(Some(value))) => {
                    count += 1;
                    made.push(value);
                }
            }
        }
        match (part.kind, first_error) {
            (_, Some(stop)) => Err(stop),
            (MacroKind::All, None) => Ok(Value::Bool(true)),
            (MacroKind::Exists, None) => Ok(Value::Bool(false)),
            (MacroKind::ExistsOne, None) => Ok(Value::Bool(count == 1)),
            (MacroKind::Filter | MacroKind::Map, None) => self.list(made, span),
        }
    }

    /// What a macro makes of an item; nothing where its condition does not hold.
    fn item(&mut self, part: &Macro, item: &Value) -> Outcome<Option<Value>> {
        if let Some(condition) = &part.condition
            && !self.truth(condition)?
        {
            return Ok(None);
        }
        match &part.transform {
            Some(transform) => self.node(transform).map(Some),
            None => Ok(Some(item.clone())),
        }
    }

    /// Keeps what was read, unless it was read before.
    fn see(&mut self, path: String, value: Value, because: Option<String>) {
        if self.seen.len() < MAX_SEEN && !self.seen.iter().any(|seen| seen.path == path) {
            self.seen.push(Seen { path, value, because });
        }
    }
}

/// How many values are kept as seen.
const MAX_SEEN: usize = 64;

/// How much there is to look at in a value: one for each part, and one for each 64 bytes. Counting ends at `limit`.
fn weight(value: &Value, limit: usize) -> usize {
    let parts = |values: &mut dyn Iterator<Item = &Value>| {
        let mut sum = 1_usize;
        for value in values {
            if sum > limit {
                break;
            }
            sum += weight(value, limit - sum.min(limit));
        }
        sum
    };
    match value {
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Double(_) => 1,
        Value::String(text) => 1 + text.len() / 64,
        Value::List(items) => parts(&mut items.iter()),
        Value::Map(entries) => parts(&mut entries.values()) + entries.len(),
    }
}
