//! The JSON Schema of a pipeline file, for editors. Invariant: it is made from the same table as the reader's check of form,
//! and says no more than that: what the reader takes, the schema takes.

use serde_json::{Map, Value, json};

use crate::findings::Findings;
use crate::keys::{self, Key, Level};
use crate::shape::{Mapping, Names, Scalar, Shape, Word};
use crate::yaml::{self, Kind, Node};

/// The JSON Schema (draft 2020-12) of a pipeline file, as the text of `pipeline.schema.json`.
#[must_use]
pub fn json_schema() -> String {
    let levels = keys::levels();
    let defs: Map<String, Value> =
        levels.iter().skip(1).map(|level| (name_of(level), of_level(level, None))).collect();
    let mut schema = of_level(&keys::PIPELINE, None);
    if let Some(object) = schema.as_object_mut() {
        object.insert("$schema".into(), json!("https://json-schema.org/draft/2020-12/schema"));
        object.insert("title".into(), json!("Branchline pipeline"));
        object.insert("$defs".into(), Value::Object(defs));
    }
    format!("{schema:#}\n")
}

/// A level's name among the definitions: its place in one word.
fn name_of(level: &Level) -> String {
    let words = level.place.trim_start_matches("a ").trim_start_matches("an ");
    words.replace('`', "").replace(' ', "_")
}

fn of_level(level: &'static Level, names: Option<&'static Names>) -> Value {
    let properties: Map<String, Value> =
        level.keys.iter().map(|key| (key.name.to_owned(), of_key(key))).collect();
    let required: Vec<&str> =
        level.keys.iter().filter(|key| key.required.is_some()).map(|key| key.name).collect();
    let mut schema = json!({
        "type": "object",
        "description": level.about,
        "properties": properties,
        "additionalProperties": names.map_or(json!(false), |names| of_shape(names.shape)),
    });
    if let (Some(object), false) = (schema.as_object_mut(), required.is_empty()) {
        object.insert("required".into(), json!(required));
    }
    schema
}

fn of_key(key: &'static Key) -> Value {
    let mut schema = of_shape(key.shape);
    if let Some(object) = schema.as_object_mut() {
        object.insert("description".into(), json!(key.about));
        object.extend(value(key.example).map(|example| ("examples".to_owned(), json!([example]))));
        object.extend(key.default.and_then(value).map(|default| ("default".to_owned(), default)));
    }
    schema
}

fn of_shape(shape: &'static Shape) -> Value {
    let mut forms = Vec::new();
    forms.extend(shape.scalar.map(of_scalar));
    forms.extend(shape.list.as_ref().map(|list| {
        json!({
            "type": "array",
            "items": of_shape(list.shape),
            "minItems": list.least,
            "maxItems": list.most,
        })
    }));
    forms.extend(shape.mapping.as_ref().map(of_mapping));
    if shape.nothing {
        forms.push(json!({"type": "null"}));
    }
    match forms.len() {
        1 => forms.pop().unwrap_or_default(),
        _ => json!({"anyOf": forms}),
    }
}

fn of_mapping(mapping: &'static Mapping) -> Value {
    match mapping {
        Mapping::Level(level) => json!({"$ref": format!("#/$defs/{}", name_of(level))}),
        Mapping::Both(level, names) => of_level(level, Some(names)),
        Mapping::Names(names) => {
            let mut schema = json!({
                "type": "object",
                "additionalProperties": of_shape(names.shape),
                "minProperties": names.least,
                "maxProperties": names.most,
            });
            if let (Some(object), false) = (schema.as_object_mut(), names.pattern.is_empty()) {
                object.insert("propertyNames".into(), json!({"pattern": names.pattern}));
            }
            schema
        }
    }
}

fn of_scalar(scalar: Scalar) -> Value {
    match scalar {
        Scalar::Text | Scalar::Template | Scalar::Expression => {
            json!({"type": ["string", "number", "boolean"]})
        }
        Scalar::Script => json!({"type": ["string", "number", "boolean"], "pattern": "\\S"}),
        Scalar::Boolean => json!({"type": "boolean"}),
        Scalar::BooleanOrExpression => json!({"type": ["boolean", "string"], "pattern": "\\$\\{\\{"}),
        // A number between quotes is one too.
        Scalar::Number { least, most } => {
            json!({"type": ["integer", "string"], "minimum": least, "maximum": most, "pattern": "^-?[0-9]+$"})
        }
        Scalar::Decimal => {
            json!({"type": ["number", "string"], "exclusiveMinimum": 0, "pattern": "^[0-9]+(\\.[0-9]{1,3})?$"})
        }
        Scalar::Time { .. } => json!({"type": "string", "pattern": "^[0-9]+[smhd]$"}),
        Scalar::Size => json!({"type": "string", "pattern": "^[0-9]+(B|KiB|MiB|GiB|TiB)$"}),
        Scalar::Word(words) => json!({"anyOf": of_words(words)}),
        Scalar::WordOr(words, pattern) => {
            let mut forms = of_words(words);
            forms.push(json!({"type": "string", "pattern": pattern}));
            json!({"anyOf": forms})
        }
    }
}

fn of_words(words: &'static [Word]) -> Vec<Value> {
    words.iter().map(|word| json!({"const": word.word, "description": word.about})).collect()
}

/// A value of the table, which is written as YAML.
fn value(text: &str) -> Option<Value> {
    let mut findings = Findings::new("the table", text);
    let node = yaml::read(&mut findings)?;
    findings.is_empty().then(|| to_json(&node))
}

/// A value as editors and validators see it: what is plain is read as YAML 1.2 says.
pub(crate) fn to_json(node: &Node) -> Value {
    match &node.kind {
        Kind::Broken => Value::Null,
        Kind::Scalar { .. } if node.is_nothing() => Value::Null,
        Kind::Scalar { text, plain, .. } => {
            if let Some(boolean) = node.boolean() {
                return json!(boolean);
            }
            let number = if *plain { number(text) } else { None };
            number.unwrap_or_else(|| json!(text))
        }
        Kind::List(items) => items.iter().map(to_json).collect(),
        Kind::Mapping(entries) => {
            Value::Object(entries.iter().map(|entry| (entry.key.clone(), to_json(&entry.value))).collect())
        }
    }
}

/// A plain scalar that YAML 1.2 reads as a number.
fn number(text: &str) -> Option<Value> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if !unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        || !unsigned.contains(|c: char| c.is_ascii_digit())
    {
        return None;
    }
    if let Ok(whole) = text.parse::<i64>() {
        return Some(json!(whole));
    }
    text.parse::<f64>().ok().filter(|number| number.is_finite()).map(|number| json!(number))
}

#[cfg(test)]
mod tests;
