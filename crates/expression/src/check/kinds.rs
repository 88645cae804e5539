//! What is known of values before they are there.

use crate::function::Returns;
use crate::names::Within;
use crate::{Type, Value};

pub(super) fn of_value(value: &Value) -> Type {
    match value {
        Value::Null => Type::Any,
        Value::Bool(_) => Type::Boolean,
        Value::Int(_) | Value::Double(_) => Type::Number,
        Value::String(_) => Type::Text,
        Value::List(_) => Type::List,
        Value::Map(_) => Type::Map,
    }
}

pub(super) fn within(within: Within) -> Type {
    match within {
        Within::Text => Type::Text,
        Within::Number => Type::Number,
        Within::Boolean => Type::Boolean,
        Within::List => Type::List,
        Within::OneOf(options) => Type::OneOf(options.iter().map(|option| (*option).to_owned()).collect()),
        Within::Fields(_) | Within::Declared(_) | Within::Open(_) => Type::Map,
        Within::Any => Type::Any,
    }
}

pub(super) fn returned(returns: Returns) -> Type {
    match returns {
        Returns::Text => Type::Text,
        Returns::Number => Type::Number,
        Returns::Boolean => Type::Boolean,
    }
}

/// Whether both may be of one kind.
pub(super) fn fits(left: &Type, right: &Type) -> bool {
    let plain = |kind: &Type| match kind {
        Type::OneOf(_) => Type::Text,
        other => other.clone(),
    };
    *left == Type::Any || *right == Type::Any || plain(left) == plain(right)
}

/// What is known of a value that is one or the other.
pub(super) fn common(left: &Type, right: &Type) -> Type {
    match (left, right) {
        (Type::Any, _) | (_, Type::Any) => Type::Any,
        (left, right) if left == right => left.clone(),
        (Type::OneOf(_) | Type::Text, Type::OneOf(_) | Type::Text) => Type::Text,
        _ => Type::Any,
    }
}

/// What is known of a sum.
pub(super) fn sum(left: Type, right: Type) -> Type {
    match (left, right) {
        (Type::OneOf(_), _) | (_, Type::OneOf(_)) => Type::Text,
        (Type::Any, other) | (other, _) => other,
    }
}
