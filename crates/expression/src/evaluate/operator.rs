//! Operators between two values, by CEL's "Standard Definitions".

use std::cmp::Ordering;

use super::{Evaluator, Outcome};
use crate::ast::Operator;
use crate::token::Span;
use crate::{MAX_SIZE, Value, number, words};

impl Evaluator<'_> {
    pub(super) fn binary(
        &mut self,
        operator: Operator,
        sign: Span,
        span: Span,
        left: &Value,
        right: &Value,
    ) -> Outcome<Value> {
        use Operator::{
            Add, Divide, Equal, Greater, GreaterOrEqual, In, Less, LessOrEqual, Multiply, NotEqual,
            Remainder, Subtract,
        };
        match operator {
            Equal | NotEqual | In => {
                self.spend_on(left, span)?;
                self.spend_on(right, span)?;
            }
            _ => {}
        }
        match operator {
            Equal => Ok(Value::Bool(left.equals(right))),
            NotEqual => Ok(Value::Bool(!left.equals(right))),
            In => self.is_in(left, right, span),
            Less | LessOrEqual | Greater | GreaterOrEqual => {
                let order = order(operator, sign, left, right)?;
                Ok(Value::Bool(match operator {
                    Less => order == Some(Ordering::Less),
                    LessOrEqual => order.is_some_and(Ordering::is_le),
                    Greater => order == Some(Ordering::Greater),
                    _ => order.is_some_and(Ordering::is_ge),
                }))
            }
            Add => self.sum(sign, span, left, right),
            Subtract | Multiply | Divide | Remainder => arithmetic(operator, sign, span, left, right),
        }
    }

    fn is_in(&mut self, item: &Value, container: &Value, span: Span) -> Outcome<Value> {
        Ok(Value::Bool(match container {
            Value::List(items) => {
                // Each comparison looks at the item again.
                let each = super::weight(item, MAX_SIZE);
                self.spend(each.saturating_mul(items.len()), span)?;
                items.iter().any(|other| item.equals(other))
            }
            Value::Map(entries) => matches!(item, Value::String(key) if entries.contains_key(key)),
            Value::Null => false,
            other => return Err(words::no_container(span, other)),
        }))
    }

    fn sum(&mut self, sign: Span, span: Span, left: &Value, right: &Value) -> Outcome<Value> {
        match (left, right) {
            (Value::String(left), Value::String(right)) => {
                let size = left.len() + right.len();
                if size > MAX_SIZE {
                    return Err(words::too_big(span));
                }
                self.spend(size / 64, span)?;
                Ok(Value::String([&**left, &**right].concat().into()))
            }
            (Value::List(left), Value::List(right)) => {
                if left.len() + right.len() > MAX_SIZE {
                    return Err(words::too_big(span));
                }
                let items: Vec<Value> = left.iter().chain(right.iter()).cloned().collect();
                self.list(items, span)
            }
            _ => arithmetic(Operator::Add, sign, span, left, right),
        }
    }
}

/// Which is greater; `None` where one is null or not a number, so that no comparison holds.
fn order(operator: Operator, sign: Span, left: &Value, right: &Value) -> Outcome<Option<Ordering>> {
    match (left, right) {
        (Value::Null, _) | (_, Value::Null) => Ok(None),
        (Value::Int(_) | Value::Double(_), Value::Int(_) | Value::Double(_)) => {
            Ok(number::compare(left, right))
        }
        (Value::String(left), Value::String(right)) => Ok(Some(left.cmp(right))),
        (Value::Bool(left), Value::Bool(right)) => Ok(Some(left.cmp(right))),
        _ => Err(words::operands_do_not_fit(operator, sign, left, right)),
    }
}

fn arithmetic(operator: Operator, sign: Span, span: Span, left: &Value, right: &Value) -> Outcome<Value> {
    match (left, right) {
        (Value::Int(left), Value::Int(right)) => {
            if *right == 0 && matches!(operator, Operator::Divide | Operator::Remainder) {
                return Err(words::division_by_zero(span));
            }
            let result = match operator {
                Operator::Add => left.checked_add(*right),
                Operator::Subtract => left.checked_sub(*right),
                Operator::Multiply => left.checked_mul(*right),
                Operator::Divide => left.checked_div(*right),
                _ => left.checked_rem(*right),
            };
            result.map(Value::Int).ok_or_else(|| words::overflow(span))
        }
        (Value::Double(left), Value::Double(right)) if operator != Operator::Remainder => {
            Ok(Value::Double(match operator {
                Operator::Add => left + right,
                Operator::Subtract => left - right,
                Operator::Multiply => left * right,
                _ => left / right,
            }))
        }
        _ => Err(words::operands_do_not_fit(operator, sign, left, right)),
    }
}

pub(super) fn negative(value: &Value, span: Span) -> Outcome<Value> {
    match value {
        Value::Int(number) => number.checked_neg().map(Value::Int).ok_or_else(|| words::overflow(span)),
        Value::Double(number) => Ok(Value::Double(-number)),
        other => Err(words::no_number(span, other)),
    }
}
