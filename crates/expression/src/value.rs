//! The values that expressions are about, and are. Invariant: a value is plain data that can be written as JSON
//! and read back.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A value. Clones share texts, lists and maps.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// What a declared name is that has no value here.
    #[default]
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number with a fraction.
    Double(f64),
    /// A text.
    String(Arc<str>),
    /// Values in their order.
    List(Arc<[Value]>),
    /// Values by their keys.
    Map(Arc<BTreeMap<Arc<str>, Value>>),
}

impl Value {
    /// A map of these entries; of two under one key the last counts.
    pub fn map<K: Into<Arc<str>>>(entries: impl IntoIterator<Item = (K, Value)>) -> Value {
        Value::Map(Arc::new(entries.into_iter().map(|(key, value)| (key.into(), value)).collect()))
    }

    /// Whether this is null.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// What kind of value this is, for people: "a text".
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Int(_) | Value::Double(_) => "a number",
            Value::String(_) => "a text",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
        }
    }

    /// Whether both are the same by CEL's rule: numbers by what they count, everything else by kind and content.
    #[must_use]
    pub fn equals(&self, other: &Value) -> bool {
        match (self, other) {
            (Value::Int(_) | Value::Double(_), Value::Int(_) | Value::Double(_)) => {
                crate::number::compare(self, other).is_some_and(std::cmp::Ordering::is_eq)
            }
            (Value::List(left), Value::List(right)) => {
                left.len() == right.len() && left.iter().zip(right.iter()).all(|(a, b)| a.equals(b))
            }
            (Value::Map(left), Value::Map(right)) => {
                left.len() == right.len()
                    && left.iter().all(|(key, a)| right.get(key).is_some_and(|b| a.equals(b)))
            }
            _ => self == other,
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::String(text.into())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Value {
        Value::String(text.into())
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Value {
        Value::Bool(truth)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Value {
        Value::Int(number)
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Value {
        Value::Double(number)
    }
}

impl<V: Into<Value>> From<Option<V>> for Value {
    fn from(value: Option<V>) -> Value {
        value.map_or(Value::Null, Into::into)
    }
}

impl<V: Into<Value>> From<Vec<V>> for Value {
    fn from(values: Vec<V>) -> Value {
        Value::List(values.into_iter().map(Into::into).collect())
    }
}

/// As it would be written in an expression, and cut where it is long: for reasons and errors.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        write_value(self, &mut text);
        match text.char_indices().nth(SHOWN) {
            None => f.write_str(&text),
            Some((cut, _)) => write!(f, "{}…", &text[..cut]),
        }
    }
}

/// How many characters of a value are shown.
const SHOWN: usize = 120;

fn write_value(value: &Value, text: &mut String) {
    if text.len() > SHOWN * 4 {
        return;
    }
    match value {
        Value::Null => text.push_str("null"),
        Value::Bool(truth) => text.push_str(&truth.to_string()),
        Value::Int(number) => text.push_str(&number.to_string()),
        Value::Double(number) => text.push_str(&crate::number::shown(*number)),
        Value::String(string) => write_text(string, text),
        Value::List(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                text.push_str(if index > 0 { ", " } else { "" });
                write_value(item, text);
                if text.len() > SHOWN * 4 {
                    return;
                }
            }
            text.push(']');
        }
        Value::Map(entries) => {
            text.push('{');
            for (index, (key, item)) in entries.iter().enumerate() {
                text.push_str(if index > 0 { ", " } else { "" });
                write_text(key, text);
                text.push_str(": ");
                write_value(item, text);
                if text.len() > SHOWN * 4 {
                    return;
                }
            }
            text.push('}');
        }
    }
}

fn write_text(string: &str, text: &mut String) {
    text.push('"');
    for character in string.chars().take(SHOWN + 1) {
        match character {
            '"' => text.push_str("\\\""),
            '\'' => text.push('\''),
            other => text.extend(other.escape_debug()),
        }
    }
    text.push('"');
}
