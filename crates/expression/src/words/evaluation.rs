//! What a person is told of an expression that has no value. Messages speak of kinds of values, never of a value:
//! it could be a secret.

use super::{listed, similar};
use crate::ast::Operator;
use crate::evaluate::Stop;
use crate::function::Function;
use crate::token::Span;
use crate::{MAX_SIZE, MAX_STEPS, Seen, Value};

fn stop(span: Span, message: impl Into<String>, hint: impl Into<String>) -> Box<Stop> {
    Box::new(Stop { span, message: message.into(), hint: Some(hint.into()), bound: false })
}

pub(crate) fn seen(seen: &Seen) -> String {
    match &seen.because {
        Some(because) => format!("{} is {} ({because})", seen.path, seen.value),
        None => format!("{} is {}", seen.path, seen.value),
    }
}

pub(crate) fn too_much_work(span: Span) -> Box<Stop> {
    let message = format!("the expression takes more than {MAX_STEPS} steps");
    Box::new(Stop {
        bound: true,
        ..*stop(span, message, "look at fewer items, or let a step's script decide")
    })
}

pub(crate) fn too_big(span: Span) -> Box<Stop> {
    let message = format!("what is put together here is larger than {} KiB", MAX_SIZE / 1024);
    Box::new(Stop { bound: true, ..*stop(span, message, "put it together in a step's script") })
}

pub(crate) fn no_truth(span: Span, value: &Value) -> Box<Stop> {
    let hint = match value {
        Value::String(_) => "compare it: `… == \"yes\"`; whether there is one says `… != \"\"`",
        Value::Int(_) | Value::Double(_) => "compare it: `… > 0`",
        _ => "whether there is anything in it says `size(…) > 0`",
    };
    stop(span, format!("true or false is wanted here, and this is {}", value.kind()), hint)
}

pub(crate) fn name_without_value(name: &str, span: Span) -> Box<Stop> {
    stop(span, format!("`{name}` is not known here"), "docs/expressions.md says which names are known where")
}

pub(crate) fn no_such_key(key: &str, span: Span, mut keys: Vec<&str>) -> Box<Stop> {
    keys.sort_unstable();
    keys.dedup();
    let hint = match similar(key, keys.iter().copied()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("there is {}", listed(keys)),
    };
    stop(span, format!("there is no `{key}`"), hint)
}

pub(crate) fn no_such_item(index: i64, len: usize, span: Span) -> Box<Stop> {
    let message = format!("there is no item {index} in a list of {len}");
    stop(span, message, "items count from 0; `size(…)` says how many there are")
}

pub(crate) fn no_fields(span: Span, value: &Value) -> Box<Stop> {
    stop(
        span,
        format!("{} has no fields", value.kind()),
        "take the field away; how long it is says `size(…)`",
    )
}

pub(crate) fn no_key(span: Span, object: &Value, key: &Value) -> Box<Stop> {
    let (message, hint) = match object {
        Value::List(_) => {
            (format!("an item of a list is named by a whole number, not by {}", key.kind()), "write `[0]`")
        }
        Value::Map(_) | Value::Null => {
            (format!("the key of a map is a text, not {}", key.kind()), "write `[\"…\"]`, or `[string(…)]`")
        }
        other => (format!("{} has no items", other.kind()), "take the brackets away"),
    };
    stop(span, message, hint)
}

pub(crate) fn key_is_no_text(span: Span, key: &Value) -> Box<Stop> {
    stop(
        span,
        format!("the key of a map is a text, not {}", key.kind()),
        "write it in quotes, or `string(…)`",
    )
}

pub(crate) fn key_twice(span: Span) -> Box<Stop> {
    stop(span, "the map has this key twice", "take one of them away")
}

pub(crate) fn no_items(span: Span, value: &Value) -> Box<Stop> {
    let message = format!("a list or a map is wanted here, and this is {}", value.kind());
    stop(span, message, "put it into a list: `[…]`")
}

pub(crate) fn no_container(span: Span, value: &Value) -> Box<Stop> {
    let hint = match value {
        Value::String(_) => "whether a text contains another says `a.contains(b)`",
        _ => "compare with `==`, or write a list: `x in [1, 2]`",
    };
    stop(span, format!("`in` wants a list or a map behind it, and this is {}", value.kind()), hint)
}

pub(crate) fn operands_do_not_fit(operator: Operator, sign: Span, left: &Value, right: &Value) -> Box<Stop> {
    let message =
        format!("`{}` does not go between {} and {}", operator.sign(), fraction(left), fraction(right));
    let hint = match (left, right) {
        (Value::Null, _) | (_, Value::Null) => "say what counts instead: `x == null ? \"\" : x`",
        (Value::String(_), _) | (_, Value::String(_)) if operator == Operator::Add => {
            "write `string(…)` around what is no text"
        }
        (Value::String(_), _) | (_, Value::String(_)) => "write `int(…)` or `double(…)` around the text",
        (Value::Double(_), _) | (_, Value::Double(_)) => "write `int(…)` or `double(…)` around one of them",
        _ => "both sides must be of one kind",
    };
    stop(sign, message, hint)
}

fn fraction(value: &Value) -> &'static str {
    match value {
        Value::Int(_) => "a whole number",
        Value::Double(_) => "a number with a fraction",
        other => other.kind(),
    }
}

pub(crate) fn division_by_zero(span: Span) -> Box<Stop> {
    stop(span, "this divides by zero", "ask first: `n != 0 && m / n > 1`")
}

pub(crate) fn overflow(span: Span) -> Box<Stop> {
    stop(
        span,
        "the result is out of range",
        "whole numbers go from -9223372036854775808 to 9223372036854775807",
    )
}

pub(crate) fn no_number(span: Span, value: &Value) -> Box<Stop> {
    stop(
        span,
        format!("`-` wants a number, and this is {}", value.kind()),
        "write `int(…)` or `double(…)` around it",
    )
}

pub(crate) fn no_function(name: &str, span: Span) -> Box<Stop> {
    let known = crate::function::FUNCTIONS.iter().map(|function| function.name);
    let hint = match similar(name, known) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => "docs/expressions.md lists the functions".to_owned(),
    };
    stop(span, format!("there is no function `{name}`"), hint)
}

pub(crate) fn used_otherwise(function: &Function, span: Span) -> Box<Stop> {
    stop(
        span,
        format!("`{}` is not used like this", function.name),
        format!("write it as in `{}`", function.usage),
    )
}

pub(crate) fn arguments_not_literal(name: &str, span: Span) -> Box<Stop> {
    let message =
        format!("`{name}` takes literal texts only, so that it is known beforehand which files are meant");
    stop(span, message, format!("write `{name}(\"…\")`"))
}

pub(crate) fn function_without_answer(name: &str, span: Span) -> Box<Stop> {
    let message = format!("`{name}` is not known here");
    stop(span, message, "docs/expressions.md says which functions are known where")
}

pub(crate) fn files_do_not_say(name: &str, span: Span, why: &str) -> Box<Stop> {
    Box::new(Stop { span, message: format!("`{name}` cannot be answered: {why}"), hint: None, bound: false })
}

pub(crate) fn no_text(span: Span, name: &str, value: &Value) -> Box<Stop> {
    let hint = match value {
        Value::List(_) if name == "contains" => "whether a list contains an item says `item in list`",
        Value::List(_) => "ask each item: `list.exists(x, x.startsWith(\"v\"))`",
        _ => "write `string(…)` around it",
    };
    stop(span, format!("`{name}` wants a text, and this is {}", value.kind()), hint)
}

pub(crate) fn no_pattern(span: Span, why: &str) -> Box<Stop> {
    stop(
        span,
        format!("this is no regular expression: {why}"),
        "the syntax is RE2's: no look-around, no back references",
    )
}

pub(crate) fn no_size(span: Span, value: &Value) -> Box<Stop> {
    stop(
        span,
        format!("`size` wants a text, a list or a map, and this is {}", value.kind()),
        "take `size` away",
    )
}

pub(crate) fn no_conversion(span: Span, name: &str, value: &Value) -> Box<Stop> {
    let hint = match value {
        Value::Null => "say what counts instead: `x == null ? \"\" : x`",
        Value::String(_) => "ask first: `x.matches(\"^[0-9]+$\")`",
        _ => "texts, numbers and booleans can be converted",
    };
    stop(span, format!("`{name}` can make nothing of this, which is {}", value.kind()), hint)
}

pub(crate) fn nothing_to_fill_in(span: Span, what: &str) -> Box<Stop> {
    stop(
        span,
        format!("this is {what}, and a value is wanted here"),
        "say what counts instead: `x == null ? \"default\" : x`",
    )
}

pub(crate) fn cannot_be_text(span: Span, value: &Value) -> Box<Stop> {
    let hint = match value {
        Value::List(_) => "take one item, as `…[0]`, or ask for it in a condition",
        _ => "take one field: `….name`",
    };
    stop(span, format!("{} cannot be written into a text", value.kind()), hint)
}
