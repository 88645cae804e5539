//! Names, fields and keys: `event.branch`, `needs.test.outputs["x"]`. What is read from a name of the pipeline is seen; what
//! macros bind and what an expression makes by itself is not.

use std::sync::Arc;

use super::{Evaluator, HIDDEN, Outcome};
use crate::ast::{Kind, Node};
use crate::names::{self, Below, Within};
use crate::token::Span;
use crate::{Value, number, words};

/// A value, and how it was come by if it is one of the pipeline's.
struct Found {
    value: Value,
    /// The keys from the name on, how that is written, and what is known of the value.
    trail: Option<Trail>,
}

struct Trail {
    keys: Vec<Arc<str>>,
    text: String,
    within: Within,
}

impl Evaluator<'_> {
    pub(super) fn path(&mut self, node: &Node) -> Outcome<Value> {
        let found = self.find(node)?;
        self.see_found(&found);
        Ok(found.value)
    }

    /// `has(object.field)`: whether it is there, and is not null if it is declared anyway.
    pub(super) fn has(&mut self, selection: &Node) -> Outcome<bool> {
        let Kind::Select(object, field) = &selection.kind else { return Ok(false) };
        let object = self.object(object)?;
        if object.trail.is_none() {
            return match &object.value {
                Value::Map(entries) => Ok(entries.contains_key(&field.name)),
                Value::Null => Ok(false),
                other => Err(words::no_fields(field.span, other)),
            };
        }
        let found = step(object, &field.name, field.span)?;
        self.see_found(&found);
        Ok(!found.value.is_null())
    }

    fn see_found(&mut self, found: &Found) {
        let Some(trail) = &found.trail else { return };
        // What lies above something hidden shows it too.
        let touches =
            |hidden: &Vec<String>| hidden.iter().zip(&trail.keys).all(|(hidden, key)| **hidden == **key);
        let hidden = !found.value.is_null() && self.values.hidden.iter().any(touches);
        let value = if hidden { Value::from(HIDDEN) } else { found.value.clone() };
        self.see(trail.text.clone(), value, None);
    }

    fn find(&mut self, node: &Node) -> Outcome<Found> {
        match &node.kind {
            Kind::Name(name) => self.named(name, node.span),
            Kind::Select(object, field) => {
                let object = self.object(object)?;
                step(object, &field.name, field.span)
            }
            Kind::Index(object, key) => {
                let object = self.object(object)?;
                match self.node(key)? {
                    Value::String(name) => step(object, &name, key.span),
                    Value::Int(index) => item(object, index, key.span),
                    // By CEL's rule, a number without a fraction is a whole one however it is written.
                    Value::Double(index) if index.fract() == 0.0 => match number::whole(index) {
                        Some(index) => item(object, index, key.span),
                        None => Err(words::no_key(key.span, &object.value, &Value::Double(index))),
                    },
                    other => Err(words::no_key(key.span, &object.value, &other)),
                }
            }
            _ => Ok(Found { value: self.node(node)?, trail: None }),
        }
    }

    /// What a field is taken of: one more part of the work.
    fn object(&mut self, node: &Node) -> Outcome<Found> {
        self.spend(1, node.span)?;
        self.find(node)
    }

    fn named(&self, name: &str, span: Span) -> Outcome<Found> {
        if let Some((_, value)) = self.locals.iter().rev().find(|(bound, _)| bound == name) {
            return Ok(Found { value: value.clone(), trail: None });
        }
        let known = self.values.names.iter().find(|(known, _)| &**known == name);
        let (name, value) = known.ok_or_else(|| words::name_without_value(name, span))?;
        let within = names::name(name).map_or(Within::Any, |known| known.within);
        let trail = Trail { keys: vec![name.clone()], text: name.to_string(), within };
        Ok(Found { value: value.clone(), trail: Some(trail) })
    }
}

/// The field of what was found.
fn step(object: Found, key: &Arc<str>, span: Span) -> Outcome<Found> {
    let Found { value, trail } = object;
    let below = trail.as_ref().map(|trail| trail.within.field(key));
    let fields = trail.iter().flat_map(|trail| trail.within.fields());
    let value = match (&value, &below) {
        (Value::Map(entries), _) if entries.contains_key(key) => {
            entries.get(key).cloned().unwrap_or_default()
        }
        (Value::Map(_) | Value::Null, Some(Below::Known(_))) => Value::Null,
        (Value::Null, None | Some(Below::IfDeclared(_))) => Value::Null,
        (Value::Map(entries), _) => {
            let keys =
                entries.keys().map(|key| &**key).chain(fields.map(|field| -> &str { field })).collect();
            return Err(words::no_such_key(key, span, keys));
        }
        (Value::Null, Some(Below::Unknown)) => return Err(words::no_such_key(key, span, fields.collect())),
        (other, _) => return Err(words::no_fields(span, other)),
    };
    let trail = trail.map(|mut trail| {
        trail.text.push_str(&written(key));
        trail.keys.push(key.clone());
        trail.within = match below {
            Some(Below::Known(within) | Below::IfDeclared(within)) => within,
            _ => Within::Any,
        };
        trail
    });
    Ok(Found { value, trail })
}

/// An item of a list.
fn item(object: Found, index: i64, span: Span) -> Outcome<Found> {
    let value = match &object.value {
        Value::Null => Value::Null,
        Value::List(items) => match usize::try_from(index).ok().and_then(|index| items.get(index)) {
            Some(item) => item.clone(),
            None => return Err(words::no_such_item(index, items.len(), span)),
        },
        other => return Err(words::no_key(span, other, &Value::Int(index))),
    };
    let trail = object.trail.map(|mut trail| {
        trail.text.push_str(&format!("[{index}]"));
        trail.keys.push(index.to_string().into());
        trail.within = Within::Any;
        trail
    });
    Ok(Found { value, trail })
}

/// A key, as it is written behind a path.
fn written(key: &str) -> String {
    let plain = key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if plain { format!(".{key}") } else { format!("[{}]", Value::from(key)) }
}
