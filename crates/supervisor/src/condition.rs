//! Whether a condition holds on the worker: that of a step, before it would begin, or of an artifact. Invariant: it knows what its
//! build knew when it was planned, the environment that its pipeline gave it, and how its run goes; nothing of the machine.

use std::collections::BTreeMap;

use branchline_expression::{Expression, Standing, Value, Values, decide};
use branchline_model::{Known, RunDefinition};

/// Whether a condition holds; `env` is what a step has beyond its run.
///
/// # Errors
/// Why it has no answer, in words.
pub fn holds(
    definition: &RunDefinition,
    env: &BTreeMap<String, String>,
    condition: &str,
    standing: Standing,
) -> Result<bool, String> {
    let failed = |why: String| format!("its condition `{condition}` has no answer: {why}");
    let condition = Expression::parse(condition).map_err(|error| failed(error.to_string()))?;
    if standing != Standing::Succeeding && !condition.may_hold_after_failure() {
        return Ok(false);
    }
    let env = definition.env.iter().chain(env);
    let env = Value::map(env.map(|(name, value)| (name.as_str(), Value::from(value.as_str()))));
    let values = match definition.known.as_deref() {
        Some(Known { context, cell, needs }) => context.values(cell).with("needs", needs.clone()),
        None => Values::new(),
    };
    let values = values.with("env", env).standing(standing);
    let decided = decide(&condition, &values).map_err(|error| failed(error.to_string()))?;
    Ok(decided.value == Value::Bool(true))
}
