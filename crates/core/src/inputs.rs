//! What was said at a start against what the pipeline asks for. Invariant: every declared input has a value or null
//! afterwards, of its type; a password is never part of a message.

use std::collections::BTreeMap;

use branchline_expression::Value;
use branchline_jobs_schema::{Input, InputValue, Pipeline};
use branchline_model::EventKind;

/// The inputs of a build.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Inputs {
    /// What each is, null where it is nothing, in the order of the file.
    pub values: Vec<(String, Option<InputValue>)>,
    /// Those whose values are never shown.
    pub secrets: Vec<String>,
}

/// The inputs of a build for this event; otherwise everything that is wrong with them, each with what to do.
pub fn of(pipeline: &Pipeline, event: &EventKind) -> Result<Inputs, Vec<String>> {
    let mut problems = Vec::new();
    let mut inputs = Inputs::default();
    let given = given(pipeline, event, &mut problems);
    let must_be_given = matches!(event, EventKind::ManualStart { .. } | EventKind::Schedule { .. });
    for input in &pipeline.inputs {
        let name = input.name.as_str();
        let value = given.get(name).cloned().or_else(|| input.default_value());
        if value.is_none() && input.required && must_be_given && !is_named(event, name) {
            problems.push(format!(
                "the input `{name}` must be given{}: {}",
                described(input),
                how(event, name)
            ));
        }
        if input.is_secret() {
            inputs.secrets.push(name.to_owned());
        }
        inputs.values.push((name.to_owned(), value));
    }
    if problems.is_empty() { Ok(inputs) } else { Err(problems) }
}

/// Whether something was given for the input, be it wrong: that is said already.
fn is_named(event: &EventKind, name: &str) -> bool {
    matches!(event, EventKind::ManualStart { inputs, .. } if inputs.contains_key(name))
}

fn given(pipeline: &Pipeline, event: &EventKind, problems: &mut Vec<String>) -> BTreeMap<String, InputValue> {
    let mut values = BTreeMap::new();
    match event {
        EventKind::ManualStart { inputs, .. } => {
            for (name, text) in inputs {
                let Some(input) = pipeline.inputs.iter().find(|input| input.name.as_str() == name) else {
                    problems.push(unknown(pipeline, name));
                    continue;
                };
                match input.parse(text) {
                    Ok(value) => drop(values.insert(name.clone(), value)),
                    Err(error) => {
                        problems.push(format!("the input `{name}`: {}: {}", error.message, error.hint));
                    }
                }
            }
        }
        EventKind::Schedule { entry, .. } => {
            let entry = usize::try_from(*entry).ok().and_then(|entry| pipeline.on.schedule.get(entry));
            let said = entry.into_iter().flat_map(|entry| &entry.inputs);
            values.extend(said.map(|(name, value)| (name.as_str().to_owned(), value.clone())));
        }
        _ => {}
    }
    values
}

fn unknown(pipeline: &Pipeline, name: &str) -> String {
    let known: Vec<&str> = pipeline.inputs.iter().map(|input| input.name.as_str()).collect();
    if known.is_empty() {
        return format!("there is no input `{name}`: the pipeline has none");
    }
    let same = |one: &&&str| one.eq_ignore_ascii_case(name);
    let near = known.iter().find(same).or_else(|| known.iter().find(|one| is_near(one, name)));
    match near {
        Some(near) => format!("there is no input `{name}`: did you mean `{near}`?"),
        None => format!("there is no input `{name}`: there are {}", known.join(", ")),
    }
}

/// Whether one is the other with a letter wrong, missing, too many, or two exchanged.
fn is_near(one: &str, other: &str) -> bool {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let start = one.iter().zip(&other).take_while(|(a, b)| a == b).count();
    let rest = (one.len() - start).min(other.len() - start);
    let end = one.iter().rev().zip(other.iter().rev()).take(rest).take_while(|(a, b)| a == b).count();
    let (left, right) = (one.get(start..one.len() - end), other.get(start..other.len() - end));
    match (left, right) {
        (Some([a, b]), Some([c, d])) => a == d && b == c,
        (Some(left), Some(right)) => left.len() <= 1 && right.len() <= 1,
        _ => false,
    }
}

fn described(input: &Input) -> String {
    input.description.as_ref().map(|text| format!(" ({text})")).unwrap_or_default()
}

fn how(event: &EventKind, name: &str) -> String {
    match event {
        EventKind::Schedule { .. } => {
            format!("name it under `inputs` of the schedule's entry: {{{name}: …}}")
        }
        _ => format!("as --input {name}=…, or in the form"),
    }
}

impl Inputs {
    /// What expressions know as `inputs`.
    #[must_use]
    pub fn value(&self) -> Value {
        Value::map(
            self.values.iter().map(|(name, value)| (name.as_str(), value.as_ref().map(of_input).into())),
        )
    }

    /// The `INPUT_*` variables; of what is nothing there is none.
    pub fn variables(&self) -> impl Iterator<Item = (String, String)> {
        self.values.iter().filter_map(|(name, value)| Some((variable("INPUT", name), text(value.as_ref()?))))
    }
}

fn of_input(value: &InputValue) -> Value {
    match value {
        InputValue::Boolean(value) => Value::from(*value),
        InputValue::Number(number) => whole(*number).map_or(Value::from(*number), Value::from),
        InputValue::Text(text) => Value::from(text.as_str()),
        InputValue::Many(texts) => Value::from(texts.clone()),
    }
}

fn text(value: &InputValue) -> String {
    match value {
        InputValue::Boolean(value) => value.to_string(),
        InputValue::Number(number) => whole(*number).map_or_else(|| number.to_string(), |n| n.to_string()),
        InputValue::Text(text) => text.clone(),
        InputValue::Many(texts) => texts.join(","),
    }
}

/// The whole number that it is, where it is one that a double holds exactly.
#[expect(clippy::cast_possible_truncation, reason = "it is a whole number of at most 2^53")]
fn whole(number: f64) -> Option<i64> {
    (number.fract() == 0.0 && number.abs() <= 9_007_199_254_740_992.0).then_some(number as i64)
}

/// The environment variable for a name of the pipeline's own: in capitals, `_` for what cannot stand in a variable.
#[must_use]
pub fn variable(prefix: &str, name: &str) -> String {
    let name: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect();
    format!("{prefix}_{name}")
}
