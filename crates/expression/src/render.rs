//! Templates to text. A text stays as it is, numbers and booleans are written as `string(…)` writes them, and null
//! is nothing, as in GitHub's expressions; where nothing would be wrong (an image, a pool), it is refused. Lists and maps
//! are refused: there is no one way to write them.

use crate::template::Part;
use crate::token::Span;
use crate::{EvaluationError, MAX_SIZE, Seen, Template, Value, Values, evaluate, number, words};

/// A template with its values filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct Rendering {
    /// The text.
    pub text: String,
    /// The values that its expressions read, each once.
    pub seen: Vec<Seen>,
}

impl Template {
    /// Fills in the values; what is null is left out.
    ///
    /// # Errors
    /// Why one of the expressions is no text, with its place in the template.
    pub fn render(&self, values: &Values<'_>) -> Result<Rendering, EvaluationError> {
        self.fill(values, true)
    }

    /// Fills in the values, none of which may be null or empty: for images, pools and whatever else is wrong when a
    /// part of it is missing.
    ///
    /// # Errors
    /// Why one of the expressions is no text, with its place in the template.
    pub fn render_whole(&self, values: &Values<'_>) -> Result<Rendering, EvaluationError> {
        self.fill(values, false)
    }

    fn fill(&self, values: &Values<'_>, may_be_null: bool) -> Result<Rendering, EvaluationError> {
        let mut rendering = Rendering { text: String::new(), seen: Vec::new() };
        for part in &self.parts {
            let (at, expression) = match part {
                Part::Text(text) => {
                    rendering.text.push_str(text);
                    continue;
                }
                Part::Expression(at, expression) => (*at, expression),
            };
            let evaluation = evaluate(expression, values).map_err(|error| error.moved(at))?;
            let span = expression.root().span;
            let wrong = match &evaluation.value {
                Value::String(text) if text.is_empty() && !may_be_null => {
                    Some(words::nothing_to_fill_in(span, "an empty text"))
                }
                Value::Null if !may_be_null => Some(words::nothing_to_fill_in(span, "null")),
                Value::List(_) | Value::Map(_) => Some(words::cannot_be_text(span, &evaluation.value)),
                value if rendering.text.len() + size(value) > MAX_SIZE => Some(words::too_big(span)),
                _ => None,
            };
            if let Some(stop) = wrong {
                let Span { at: offset, .. } = stop.span;
                let (message, hint, len) = (stop.message, stop.hint, stop.span.len().max(1));
                let error = EvaluationError { offset, len, message, hint, seen: evaluation.seen };
                return Err(error.moved(at));
            }
            match evaluation.value {
                Value::Bool(truth) => rendering.text.push_str(&truth.to_string()),
                Value::Int(number) => rendering.text.push_str(&number.to_string()),
                Value::Double(double) => rendering.text.push_str(&number::shown(double)),
                Value::String(text) => rendering.text.push_str(&text),
                Value::Null | Value::List(_) | Value::Map(_) => {}
            }
            for seen in evaluation.seen {
                if !rendering.seen.iter().any(|known| known.path == seen.path) {
                    rendering.seen.push(seen);
                }
            }
        }
        Ok(rendering)
    }
}

fn size(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        _ => 32,
    }
}
