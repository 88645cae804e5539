//! Functions, by CEL's "Standard Definitions", and those of the language.

use std::sync::Arc;

use regex::{Regex, RegexBuilder};

use super::{Evaluator, Outcome, weight};
use crate::ast::{Call, Node};
use crate::function;
use crate::token::Span;
use crate::{MAX_STEPS, Standing, Value, mention, number, words};

impl Evaluator<'_> {
    pub(super) fn call(&mut self, call: &Call, span: Span) -> Outcome<Value> {
        let Some(function) = function::function(&call.function) else {
            return Err(words::no_function(&call.function, call.name_span));
        };
        if !function.takes(call.receiver.is_some(), call.arguments.len()) {
            return Err(words::used_otherwise(function, span));
        }
        let arguments: Vec<&Node> = call.receiver.iter().chain(&call.arguments).collect();
        match function.name {
            "changed" | "hash" => self.about_files(call, span),
            "success" | "failure" | "always" | "cancelled" => self.about_standing(function.name, span),
            name => {
                let subject = self.node(arguments[0])?;
                match arguments.get(1) {
                    Some(argument) => {
                        let value = self.node(argument)?;
                        self.about_text(name, (arguments[0].span, &subject), (argument.span, &value))
                    }
                    None if name == "size" => self.size(&subject, arguments[0].span),
                    None => self.conversion(name, &subject, arguments[0].span),
                }
            }
        }
    }

    fn about_files(&mut self, call: &Call, span: Span) -> Outcome<Value> {
        let Some(names) = mention::literals(&call.arguments) else {
            return Err(words::arguments_not_literal(&call.function, span));
        };
        let Some(files) = self.values.files else {
            return Err(words::function_without_answer(&call.function, span));
        };
        let shown: Vec<String> = names.iter().map(|name| Value::from(name.as_str()).to_string()).collect();
        let path = format!("{}({})", call.function, shown.join(", "));
        let failed = |why: String| words::files_do_not_say(&call.function, span, &why);
        let (value, because) = if call.function == "changed" {
            let changed = files.changed(&names).map_err(failed)?;
            (Value::Bool(changed.holds), Some(changed.because))
        } else {
            (Value::from(files.hash(&names).map_err(failed)?), None)
        };
        self.see(path, value.clone(), because.filter(|text| !text.is_empty()));
        Ok(value)
    }

    fn about_standing(&mut self, name: &str, span: Span) -> Outcome<Value> {
        if name == "always" {
            return Ok(Value::Bool(true));
        }
        let Some(standing) = self.values.standing else {
            return Err(words::function_without_answer(name, span));
        };
        let asked = match name {
            "success" => Standing::Succeeding,
            "failure" => Standing::Failed,
            _ => Standing::Cancelled,
        };
        let value = Value::Bool(standing == asked);
        self.see(format!("{name}()"), value.clone(), None);
        Ok(value)
    }

    fn about_text(
        &mut self,
        name: &str,
        subject: (Span, &Value),
        argument: (Span, &Value),
    ) -> Outcome<Value> {
        let (text, part) = match (subject.1, argument.1) {
            (Value::String(text), Value::String(part)) => (text, part),
            // What is not there contains nothing, and is contained in nothing.
            (Value::Null | Value::String(_), Value::Null | Value::String(_)) => {
                return Ok(Value::Bool(false));
            }
            (Value::Null | Value::String(_), other) => return Err(words::no_text(argument.0, name, other)),
            (other, _) => return Err(words::no_text(subject.0, name, other)),
        };
        self.spend((text.len() + part.len()) / 64, subject.0)?;
        Ok(Value::Bool(match name {
            "contains" => text.contains(&**part),
            "startsWith" => text.starts_with(&**part),
            "endsWith" => text.ends_with(&**part),
            _ => self.matches(text, part, argument.0)?,
        }))
    }

    /// In time linear in the text, for each pattern. A search is counted as the product of both, an upper bound.
    fn matches(&mut self, text: &str, pattern: &Arc<str>, span: Span) -> Outcome<bool> {
        self.spend((1 + text.len() / 16).saturating_mul(1 + pattern.len() / 8), span)?;
        if let Some((_, made)) = self.patterns.iter().rev().find(|(known, _)| known == pattern) {
            return Ok(made.is_match(text));
        }
        // Making one takes far longer than most searches.
        self.spend(2000 + 8 * pattern.len(), span)?;
        let made = pattern_of(pattern).map_err(|why| words::no_pattern(span, &why))?;
        let answer = made.is_match(text);
        self.patterns.push((pattern.clone(), made));
        Ok(answer)
    }

    /// Of a text in characters (Unicode code points), of a list or map in items.
    fn size(&mut self, value: &Value, span: Span) -> Outcome<Value> {
        self.spend(weight(value, MAX_STEPS), span)?;
        let size = match value {
            Value::Null => 0,
            Value::String(text) => text.chars().count(),
            Value::List(items) => items.len(),
            Value::Map(entries) => entries.len(),
            other => return Err(words::no_size(span, other)),
        };
        Ok(Value::Int(i64::try_from(size).unwrap_or(i64::MAX)))
    }

    fn conversion(&mut self, name: &str, value: &Value, span: Span) -> Outcome<Value> {
        self.spend_on(value, span)?;
        let converted = match (name, value) {
            ("string", Value::String(_))
            | ("int", Value::Int(_))
            | ("double", Value::Double(_))
            | ("bool", Value::Bool(_)) => Some(value.clone()),
            ("string", Value::Bool(truth)) => Some(Value::from(truth.to_string())),
            ("string", Value::Int(number)) => Some(Value::from(number.to_string())),
            ("string", Value::Double(number)) => Some(Value::from(number::shown(*number))),
            ("int", Value::Double(number)) => number::whole(number.trunc()).map(Value::Int),
            ("int", Value::String(text)) => text.parse().ok().map(Value::Int),
            ("double", Value::Int(number)) => Some(Value::Double(number::double(*number))),
            ("double", Value::String(text)) => text.parse().ok().map(Value::Double),
            ("bool", Value::String(text)) => match &**text {
                "1" | "t" | "true" | "T" | "TRUE" | "True" => Some(Value::Bool(true)),
                "0" | "f" | "false" | "F" | "FALSE" | "False" => Some(Value::Bool(false)),
                _ => None,
            },
            _ => None,
        };
        converted.ok_or_else(|| words::no_conversion(span, name, value))
    }
}

/// How many bytes a pattern may have, and about how many it may take once it is made.
const MAX_PATTERN: usize = 1024;
const MAX_MADE_PATTERN: usize = 256 * 1024;

/// A pattern of `matches`, or why it is none, in words that do not repeat it.
pub(crate) fn pattern_of(pattern: &str) -> Result<Regex, String> {
    if pattern.len() > MAX_PATTERN {
        return Err(format!("it has more than {MAX_PATTERN} bytes"));
    }
    RegexBuilder::new(pattern)
        .size_limit(MAX_MADE_PATTERN)
        .dfa_size_limit(MAX_MADE_PATTERN)
        .nest_limit(32)
        .build()
        .map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => "what it repeats is too much".to_owned(),
            other => {
                let text = other.to_string();
                let last = text.lines().last().unwrap_or_default();
                last.trim_start_matches("error: ").to_owned()
            }
        })
}
