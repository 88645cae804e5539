//! Every example of docs/expressions.md is what it says it is.

#![expect(clippy::panic, clippy::expect_used, reason = "a test fails by panicking")]

use branchline_expression::{
    Changed, Expression, Files, MAX_DEPTH, MAX_LENGTH, MAX_PARTS, MAX_SIZE, MAX_STEPS, Phase, Scope,
    Standing, Template, Type, Value, Values, check, check_condition, check_template, evaluate,
};

const PAGE: &str = include_str!("../../../docs/expressions.md");

/// The lines of all code blocks of a language.
fn blocks(language: &str) -> impl Iterator<Item = &'static str> {
    let mut within = false;
    let fence = format!("```{language}");
    PAGE.lines().filter(move |line| {
        let edge = line.starts_with("```");
        within = if edge { *line == fence } else { within };
        within && !edge
    })
}

/// The examples of a language: what is written, and what it is said to be.
fn examples(language: &str) -> Vec<(&'static str, &'static str)> {
    let split = |line: &'static str| line.rsplit_once("// ").unwrap_or_else(|| panic!("{line}: no answer"));
    blocks(language).map(split).map(|(text, answer)| (text.trim_end(), answer)).collect()
}

struct Page;

impl Files for Page {
    fn changed(&self, _: &[String]) -> Result<Changed, String> {
        Ok(Changed { holds: true, because: "src/main.rs changed".to_owned() })
    }

    fn hash(&self, _: &[String]) -> Result<String, String> {
        Ok("9a0364b9".to_owned())
    }
}

fn facts() -> serde_json::Map<String, serde_json::Value> {
    let json: String = blocks("json").collect();
    serde_json::from_str(&json).expect("the facts are JSON")
}

fn values() -> Values<'static> {
    let values = Values::new().standing(Standing::Failed).files(&Page);
    facts().into_iter().fold(values, |values, (name, value)| {
        values.with(&name, serde_json::from_value::<Value>(value).expect("a value"))
    })
}

/// A place where all names are known.
fn scope() -> Scope {
    let facts = facts();
    let keys = |name: &str| facts[name].as_object().expect("a map").clone();
    let scope = Scope::of_job(Phase::Worker).on_hosts();
    let scope = keys("inputs").into_iter().fold(scope, |scope, (key, _)| scope.input(key, Type::Any, false));
    let scope =
        keys("matrix").into_iter().fold(scope, |scope, (key, _)| scope.matrix_key(key, Type::Any, false));
    keys("needs").into_iter().fold(scope, |scope, (key, need)| {
        scope.need(key, need["cells"].as_object().map(|cells| cells.keys().cloned().collect()))
    })
}

#[test]
fn every_expression_of_the_page_is_what_it_says() {
    let examples = examples("cel");
    assert!(examples.len() > 50, "only {} examples were found", examples.len());
    for (text, wanted) in examples {
        let expression = Expression::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        let is = match evaluate(&expression, &values()) {
            Ok(evaluation) => evaluation.value.to_string(),
            Err(error) => format!("error: {}", error.message),
        };
        assert_eq!(is, wanted, "{text}");
        assert_eq!(check(&expression, &scope()), [], "{text}");
    }
}

#[test]
fn every_template_of_the_page_is_what_it_says() {
    let examples = examples("template");
    assert!(examples.len() > 4, "only {} examples were found", examples.len());
    for (text, wanted) in examples {
        let template = Template::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        let is = match template.render(&values()) {
            Ok(rendering) => rendering.text,
            Err(error) => format!("error: {}", error.message),
        };
        assert_eq!(is, wanted, "{text}");
        assert_eq!(check_template(&template, &scope()).is_empty(), !text.contains("labels"), "{text}");
    }
}

#[test]
fn the_condition_at_the_head_of_the_page_is_right() {
    let line = blocks("yaml").find_map(|line| line.trim().strip_prefix("if: ")).expect("a condition");
    let expression = Expression::parse(line).unwrap();
    assert_eq!(check_condition(&expression, &scope()), []);
}

#[test]
fn the_reason_on_the_page_is_the_one_that_is_given() {
    let condition = Expression::parse("event.kind == \"push\" && event.branch == \"main\"").unwrap();
    let seen = evaluate(&condition, &values()).unwrap().seen_text();
    assert!(PAGE.contains(&format!("*{seen}*")), "{seen}");
}

#[test]
fn the_bounds_on_the_page_are_the_ones_that_hold() {
    let thousands = |number: usize| match number / 1000 {
        0 => number.to_string(),
        thousands => format!("{thousands},{:03}", number % 1000),
    };
    for bound in [
        format!("at most {} bytes", thousands(MAX_LENGTH)),
        format!("at most {MAX_DEPTH} levels"),
        format!("after {} steps", thousands(MAX_STEPS)),
        format!("at most {} KiB", MAX_SIZE / 1024),
        format!("at most {MAX_PARTS} parts"),
    ] {
        assert!(PAGE.contains(&bound), "{bound}");
    }
}
