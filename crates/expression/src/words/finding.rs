//! What a person is told of an expression that is wrong in its place.

use super::{listed, similar};
use crate::ast::{MacroKind, Operator};
use crate::function::{FUNCTIONS, Form, Function};
use crate::names::NAMES;
use crate::token::Span;
use crate::{Finding, Phase, Type};

fn finding(span: Span, message: impl Into<String>, hint: impl Into<String>) -> Finding {
    Finding { offset: span.at, len: span.len().max(1), message: message.into(), hint: Some(hint.into()) }
}

fn kind(kind: &Type) -> &'static str {
    match kind {
        Type::Any => "a value",
        Type::Boolean => "true or false",
        Type::Number => "a number",
        Type::Text | Type::OneOf(_) => "a text",
        Type::List => "a list",
        Type::Map => "a map",
    }
}

/// What users of other systems write, and what is written here.
const FOREIGN_NAMES: &[(&str, &str)] = &[
    ("github", "what happened is in `event`, the commit in `commit`, as `event.branch` and `commit.sha`"),
    ("gitlab", "what happened is in `event`, the commit in `commit`, as `event.branch` and `commit.sha`"),
    ("secrets", "a job lists its `secrets:`; they reach its steps as environment variables only"),
    ("vars", "there are none: write `inputs`, or `env` in the pipeline file"),
    ("variables", "there are none: write `inputs`, or `env` in the pipeline file"),
    (
        "steps",
        "earlier steps are asked for by `success()` and `failure()`; values go through the environment",
    ),
    ("jobs", "the jobs that this one needs are in `needs`, as `needs.test.status`"),
    ("strategy", "the values of this cell are in `matrix`"),
    ("runner", "the tags that a job wants are in `worker:`"),
    ("params", "write `inputs`"),
    ("branch", "write `event.branch`"),
    ("tag", "write `event.tag`"),
    ("sha", "write `commit.sha`"),
    ("ref", "write `event.branch` or `event.tag`"),
];

const FOREIGN_FUNCTIONS: &[(&str, &str)] = &[
    ("hashFiles", "write `hash(\"Cargo.lock\")`"),
    ("fromJSON", "there is none: lists and maps are written `[1, 2]` and `{\"key\": 1}`"),
    ("toJSON", "there is none: take the fields one by one"),
    ("format", "put texts together with `+`, or in a template: `v${{ inputs.version }}`"),
    ("join", "there is none: ask for an item with `in`"),
    ("paths", "write `changed(\"src/**\")`"),
    ("any", "write `list.exists(x, x == 1)`"),
    ("some", "write `list.exists(x, x == 1)`"),
    ("every", "write `list.all(x, x == 1)`"),
    ("length", "write `size(…)`"),
    ("len", "write `size(…)`"),
    ("count", "write `size(…)`"),
    ("lower", "there is none: `matches(\"(?i)…\")` asks for letters of either size"),
    ("toLowerCase", "there is none: `matches(\"(?i)…\")` asks for letters of either size"),
    ("split", "there is none: ask with `contains`, `startsWith` or `matches`"),
    ("replace", "there is none: let a step's script do it"),
];

pub(crate) fn unknown_name(name: &str, span: Span) -> Finding {
    let names = || NAMES.iter().map(|known| known.name);
    let hint = if let Some((_, hint)) = FOREIGN_NAMES.iter().find(|(foreign, _)| *foreign == name) {
        (*hint).to_owned()
    } else if let Some(function) = FUNCTIONS.iter().find(|function| function.name == name) {
        format!("it is a function: `{}`", function.usage)
    } else if let Some(meant) = similar(name, names()) {
        format!("did you mean `{meant}`?")
    } else {
        format!("a text stands in quotes: `\"{name}\"`; names are {}", listed(names()))
    };
    finding(span, format!("there is no name `{name}`"), hint)
}

pub(crate) fn not_known_yet(name: &str, span: Span, phase: Phase) -> Finding {
    let (when, place) = match phase {
        Phase::Plan => ("when the event is known", "wherever expressions stand"),
        Phase::Unblock => ("when the needs have ended", "in a job's `if`, env and images"),
        Phase::Worker => ("on the worker", "in a step's `if`"),
    };
    finding(span, format!("`{name}` is known only {when}"), format!("it may stand {place}"))
}

pub(crate) fn belongs_to_a_job(name: &str, span: Span) -> Finding {
    finding(
        span,
        format!("`{name}` belongs to a job, and this is of the whole pipeline"),
        "names here are `event`, `commit`, `inputs` and `repository`",
    )
}

pub(crate) fn no_matrix(span: Span) -> Finding {
    finding(span, "this job has no matrix", "give it one: `matrix: {rust: [\"1.94\", \"1.95\"]}`")
}

pub(crate) fn no_needs(span: Span) -> Finding {
    finding(span, "this job needs no other", "name it: `needs: [test]`")
}

pub(crate) fn no_inputs(span: Span) -> Finding {
    finding(span, "this pipeline has no inputs", "declare it: `inputs: {version: {type: string}}`")
}

pub(crate) fn no_host(span: Span) -> Finding {
    finding(span, "this job runs on no host of a pool", "`host` is known in a job with `ssh:`")
}

pub(crate) fn no_field<'a>(
    path: &str,
    key: &str,
    span: Span,
    fields: impl Iterator<Item = &'a str> + Clone,
) -> Finding {
    let hint = match similar(key, fields.clone()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("there is {}", listed(fields)),
    };
    finding(span, format!("`{path}` has no `{key}`"), hint)
}

pub(crate) fn no_declared<'a>(
    what: &str,
    key: &str,
    span: Span,
    declared: impl Iterator<Item = &'a String> + Clone,
) -> Finding {
    let message = match what {
        "matrix" => format!("the matrix has no key `{key}`"),
        _ => format!("there is no input `{key}`"),
    };
    let declared = declared.map(String::as_str);
    let hint = match similar(key, declared.clone()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("there is {}", listed(declared)),
    };
    finding(span, message, hint)
}

pub(crate) fn no_need<'a>(key: &str, span: Span, needs: impl Iterator<Item = &'a String> + Clone) -> Finding {
    let needs = needs.map(String::as_str);
    let hint = match similar(key, needs.clone()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("it needs {}", listed(needs)),
    };
    finding(span, format!("there is no job `{key}` among this job's needs"), hint)
}

pub(crate) fn job_not_needed(job: &str, span: Span) -> Finding {
    finding(
        span,
        format!("this job does not need `{job}`, so how that ends is not known here"),
        format!("add `{job}` to its `needs`"),
    )
}

pub(crate) fn no_cell(job: &str, key: &str, span: Span, cells: &[String]) -> Finding {
    let cells = cells.iter().map(String::as_str);
    let hint = match similar(key, cells.clone()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("its cells are {}", listed(cells)),
    };
    finding(span, format!("`{job}` has no cell `{key}`"), hint)
}

pub(crate) fn need_has_no_matrix(job: &str, span: Span) -> Finding {
    finding(
        span,
        format!("`{job}` has no matrix, so it has no cells"),
        format!("write `needs.{job}.outputs`"),
    )
}

pub(crate) fn outputs_of_cells(job: &str, span: Span, cells: &[String]) -> Finding {
    let cell = cells.first().map_or("…", String::as_str);
    finding(
        span,
        format!("`{job}` has a matrix, so outputs are those of its cells"),
        format!("write `needs.{job}.cells[\"{cell}\"].outputs`"),
    )
}

pub(crate) fn has_no_fields(path: &str, key: &str, span: Span, of: &Type) -> Finding {
    let hint = match of {
        _ if key == "length" => format!("write `{path}.size()`"),
        Type::List => format!("an item is `{path}[0]`, and `\"{key}\" in {path}` asks for one"),
        _ => "take the field away".to_owned(),
    };
    finding(span, format!("`{path}` is {} and has no fields", kind(of)), hint)
}

pub(crate) fn wrong_key(span: Span, object: &Type, key: &Type) -> Finding {
    let wanted = if *object == Type::List {
        "an item of a list is named by a number"
    } else {
        "the key of a map is a text"
    };
    finding(span, format!("{wanted}, and this is {}", kind(key)), "write `[0]` of a list, `[\"…\"]` of a map")
}

pub(crate) fn cells_without(span: Span, key: &str) -> Finding {
    finding(
        span,
        format!("some cells of the matrix have no `{key}`, and a value is wanted here"),
        format!("give it to every cell, or write `matrix.{key} == null ? \"default\" : matrix.{key}`"),
    )
}

pub(crate) fn maybe_no_input(span: Span, key: &str) -> Finding {
    finding(
        span,
        format!("the input `{key}` may have no value, and one is wanted here"),
        format!("give it a default, or write `inputs.{key} == null ? \"default\" : inputs.{key}`"),
    )
}

pub(crate) fn unknown_function(name: &str, span: Span) -> Finding {
    let names = || FUNCTIONS.iter().map(|function| function.name);
    let macros = MacroKind::NAMES.iter().map(|(name, _)| *name);
    let hint = match FOREIGN_FUNCTIONS.iter().find(|(foreign, _)| *foreign == name) {
        Some((_, hint)) => (*hint).to_owned(),
        None => match similar(name, names().chain(macros)) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("functions are {}", names().collect::<Vec<_>>().join(", ")),
        },
    };
    finding(span, format!("there is no function `{name}`"), hint)
}

/// `written` is what it is called with.
pub(crate) fn wrong_usage(function: &Function, span: Span, method: bool, written: &[&str]) -> Finding {
    let name = function.name;
    if let (Form::Method, false, [text, part]) = (function.form, method, written) {
        let message = format!("`{name}` stands behind the text that it is about");
        return finding(span, message, format!("write `{text}.{name}({part})`"));
    }
    let message = match (function.form, method) {
        (Form::Function, true) => format!("`{name}` does not stand behind a dot"),
        (Form::Method, false) => format!("`{name}` stands behind the text that it is about"),
        _ => format!("`{name}` takes {}", count(function)),
    };
    finding(span, message, format!("as in `{}`", function.usage))
}

fn count(function: &Function) -> String {
    match (*function.arguments.start(), *function.arguments.end()) {
        (0, 0) => "nothing in parentheses".to_owned(),
        (1, 1) => "one value in parentheses".to_owned(),
        (from, to) => format!("{from} to {to} values in parentheses"),
    }
}

pub(crate) fn function_not_known_yet(name: &str, span: Span) -> Finding {
    finding(
        span,
        format!("`{name}()` is known only when the needs have ended"),
        "it may stand in the `if` of a job, a step or an artifact",
    )
}

pub(crate) fn not_literal(name: &str, span: Span) -> Finding {
    finding(
        span,
        format!("`{name}` takes literal texts only, so that it is known beforehand which files are meant"),
        format!("as in `{name}(\"src/main.rs\")`"),
    )
}

pub(crate) fn argument(function: &Function, span: Span, of: &Type) -> Finding {
    let hint = match (function.name, of) {
        ("contains", Type::List) => "whether a list contains an item says `item in list`",
        (_, Type::List) => "ask each item: `list.exists(x, x.startsWith(\"v\"))`",
        ("size", _) => "take `size` away",
        _ => "write `string(…)` around it",
    };
    let wanted = if function.name == "size" { "a text, a list or a map" } else { "a text" };
    finding(span, format!("`{}` wants {wanted}, and this is {}", function.name, kind(of)), hint)
}

pub(crate) fn wrong_pattern(span: Span, why: &str) -> Finding {
    finding(
        span,
        format!("this is no regular expression: {why}"),
        "the syntax is RE2's: no look-around, no back references",
    )
}

pub(crate) fn map_key(span: Span, of: &Type) -> Finding {
    finding(span, format!("the key of a map is a text, and this is {}", kind(of)), "write it in quotes")
}

pub(crate) fn range(span: Span, of: &Type) -> Finding {
    finding(
        span,
        format!("a list or a map is wanted here, and this is {}", kind(of)),
        "put it into a list: `[…]`",
    )
}

pub(crate) fn never_a_truth(span: Span, of: &Type) -> Finding {
    let hint = match of {
        Type::Text | Type::OneOf(_) => "compare it: `… == \"yes\"`",
        Type::Number => "compare it: `… > 0`",
        _ => "whether there is anything in it says `size(…) > 0`",
    };
    finding(span, format!("this is {}, and true or false is wanted here", kind(of)), hint)
}

pub(crate) fn never_equal(span: Span, operator: Operator, sides: [(&str, &Type); 2]) -> Finding {
    let [(left, of_left), (right, of_right)] = sides;
    let answer = if operator == Operator::Equal { "never" } else { "always" };
    let hint = match (of_left, of_right) {
        (Type::Boolean, _) | (_, Type::Boolean) => {
            "compare with `true` or `false`, without quotes, or with nothing at all"
        }
        (Type::Number, _) | (_, Type::Number) => {
            "write both with quotes or both without, or `string(…)` around one"
        }
        _ => "compare values of one kind",
    };
    let message =
        format!("this is {answer} true: `{left}` is {}, and `{right}` is {}", kind(of_left), kind(of_right));
    finding(span, message, hint)
}

pub(crate) fn no_option(span: Span, compared: &str, text: &str, options: &[String]) -> Finding {
    let options = options.iter().map(String::as_str);
    let hint = match similar(text, options.clone()) {
        Some(meant) => format!("did you mean `\"{meant}\"`?"),
        None => format!("it is one of {}", listed(options)),
    };
    finding(span, format!("`{compared}` is never \"{text}\""), hint)
}

pub(crate) fn container(span: Span, of: &Type) -> Finding {
    let hint = match of {
        Type::Text | Type::OneOf(_) => "whether a text contains another says `a.contains(b)`",
        _ => "write a list: `x in [1, 2]`",
    };
    finding(span, format!("`in` wants a list or a map behind it, and this is {}", kind(of)), hint)
}

pub(crate) fn operand(span: Span, sign: &str, of: &Type) -> Finding {
    finding(
        span,
        format!("`{sign}` wants a number, and this is {}", kind(of)),
        "write `int(…)` or `double(…)` around it",
    )
}

pub(crate) fn operands(sign: Span, operator: Operator, left: &Type, right: &Type) -> Finding {
    let text = |of: &Type| matches!(of, Type::Text | Type::OneOf(_));
    let hint = match operator {
        Operator::Add if text(left) || text(right) => "write `string(…)` around what is no text",
        _ if text(left) || text(right) => "write `int(…)` or `double(…)` around the text",
        _ => "both sides must be of one kind",
    };
    finding(
        sign,
        format!("`{}` does not go between {} and {}", operator.sign(), kind(left), kind(right)),
        hint,
    )
}

pub(crate) fn no_text_to_fill_in(span: Span, of: &Type) -> Finding {
    let hint = if *of == Type::List { "take one item: `…[0]`" } else { "take one field: `….name`" };
    finding(span, format!("{} cannot be written into a text", kind(of)), hint)
}
