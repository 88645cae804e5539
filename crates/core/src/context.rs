//! What expressions know. Invariant: every name of the language has a value or null, in each phase in which it is known;
//! what must not be shown is hidden wherever it is seen.

use branchline_expression::{Answers, Evaluation, EvaluationError, Expression, Files, Value, Values};
use branchline_jobs_schema::Pipeline;
use branchline_model::{CommitId, Context, EndReason, EventKind, RefName, Repository, Seen};

use crate::facts::{self, Facts};
use crate::inputs::Inputs;

/// More of a value is not kept in a reason.
const LONGEST_SEEN: usize = 200;

/// What is known of the commit.
#[derive(Clone, Copy, Debug)]
pub struct Commit<'a> {
    /// Its id.
    pub id: &'a CommitId,
    /// Its message, whole.
    pub message: &'a str,
    /// Its author.
    pub author: &'a str,
}

/// What the expressions of a build know from its beginning on.
#[must_use]
pub fn of(
    repository: &Repository,
    event: &EventKind,
    commit: Commit<'_>,
    inputs: &Inputs,
    pipeline: &Pipeline,
    facts: &Facts,
) -> Context {
    let mut answers = Answers::default();
    for call in facts::calls(pipeline) {
        let Some(literals) = &call.literals else { continue };
        match call.name.as_str() {
            "changed" => {
                if let Ok(answer) = facts.changed(literals) {
                    answers.keep_changed(literals, answer);
                }
            }
            "hash" => {
                if let Ok(answer) = facts.hash(literals) {
                    answers.keep_hash(literals, answer);
                }
            }
            _ => {}
        }
    }
    Context {
        event: event_value(event),
        commit: Value::map([
            ("sha", Value::from(commit.id.as_str())),
            ("message", Value::from(commit.message)),
            ("author", Value::from(commit.author)),
        ]),
        repository: Value::from(repository.name.as_str()),
        inputs: inputs.value(),
        secrets: inputs.secrets.clone(),
        answers,
    }
}

fn event_value(event: &EventKind) -> Value {
    let (branch, tag) = match event.ref_name() {
        RefName::Branch(name) => (Some(name.as_str()), None),
        RefName::Tag(name) => (None, Some(name.as_str())),
    };
    let request = event.pull_request();
    let name = match event {
        EventKind::Named { event, .. } => Some(event.as_str()),
        _ => None,
    };
    Value::map([
        ("kind", Value::from(event.word())),
        ("name", name.into()),
        ("action", request.map(|request| request.action.as_str()).into()),
        ("actor", event.actor().map(branchline_model::Actor::as_str).into()),
        ("branch", branch.into()),
        ("tag", tag.into()),
        ("base", request.map(|request| request.base.as_str()).into()),
        (
            "pull_request",
            request.map_or(Value::Null, |request| {
                Value::map([
                    ("number", i64::try_from(request.number).map_or(Value::Null, Value::from)),
                    ("title", Value::from(request.title.as_str())),
                    ("labels", Value::from(request.labels.clone())),
                    ("fork", Value::from(request.fork)),
                ])
            }),
        ),
    ])
}

/// What an evaluation saw, for a reason.
pub(crate) fn seen(evaluation: &[branchline_expression::Seen]) -> Vec<Seen> {
    let seen = |seen: &branchline_expression::Seen| {
        let mut value = seen.value.to_string();
        if let Some(because) = &seen.because {
            value.push_str(&format!(", {because}"));
        }
        if value.len() > LONGEST_SEEN {
            value.truncate(value.floor_char_boundary(LONGEST_SEEN));
            value.push('…');
        }
        Seen { name: seen.path.clone(), value }
    };
    evaluation.iter().map(seen).collect()
}

/// Why a run cannot go on one of whose expressions has no value.
pub(crate) fn failed(key: &str, expression: &str, error: &EvaluationError) -> EndReason {
    let mut why = format!("at column {}, {}", column(expression, error.offset), error.message);
    if let Some(hint) = &error.hint {
        why.push_str(&format!(": {hint}"));
    }
    EndReason::ExpressionFailed {
        key: key.to_owned(),
        expression: expression.to_owned(),
        why,
        seen: seen(&error.seen),
    }
}

/// Columns are counted in characters, from 1.
fn column(text: &str, offset: usize) -> usize {
    text.get(..text.floor_char_boundary(offset)).unwrap_or_default().chars().count() + 1
}

/// Whether a condition holds, with what it saw; otherwise why the run ends.
pub(crate) fn decide(
    key: &str,
    condition: &Expression,
    values: &Values<'_>,
) -> Result<(bool, Evaluation), EndReason> {
    match branchline_expression::decide(condition, values) {
        Ok(evaluation) => Ok((evaluation.value == Value::Bool(true), evaluation)),
        Err(error) => Err(failed(key, condition.text(), &error)),
    }
}
