//! What a person is shown of an expression that is wrong: the message, the place with a caret, and the hint.

#![expect(clippy::panic, reason = "a test fails by panicking")]

mod shown;

use branchline_expression::{Expression, Template, Values, evaluate};
use shown::{assert_said, excerpt, sections};

fn syntax(texts: &[&str]) -> String {
    sections(texts, |text| match Expression::parse(text) {
        Ok(_) => "it was read".to_owned(),
        Err(error) => excerpt(text, error.offset, error.len, &error.message, error.hint.as_deref()),
    })
}

fn evaluation(texts: &[&str]) -> String {
    sections(texts, |text| {
        let expression = Expression::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        match evaluate(&expression, &Values::new()) {
            Ok(evaluation) => format!("it is {}", evaluation.value),
            Err(error) => excerpt(text, error.offset, error.len, &error.message, error.hint.as_deref()),
        }
    })
}

#[test]
fn something_is_missing() {
    assert_said!(syntax(&[
        "  ",
        "event.branch ==",
        "&& true",
        "a + * b",
        "(event.kind",
        "[1, 2",
        "changed(\"a\" \"b\")",
        "f(1,)",
        "a ? b",
        "a.",
        "list.*",
        "labels.0",
        "{\"a\" 1}",
        "\"dev",
    ]));
}

#[test]
fn something_is_too_much() {
    assert_said!(syntax(&["a)", "a b", "event.kind == push or tag", "\"a\" \"b\"", "1 2", "a]"]));
}

#[test]
fn something_is_written_as_in_another_language() {
    assert_said!(syntax(&[
        "a = 1",
        "a === 1",
        "a & b",
        "a | b",
        "a and b",
        "a OR b",
        "not a",
        "a not in b",
        "event.branch contains \"x\"",
        "if a",
        "`a`",
        "$CI_BRANCH == \"x\"",
        "event.kind == ${{ inputs.x }}",
        "${{ a }} && b",
        "a # why",
        "a ?? b",
        "1.94.1",
        "5m",
        "3u",
        "b\"x\"",
        "a.?b",
        "Point{x: 1}",
        "\"\\d+\"",
        "99999999999999999999",
    ]));
}

#[test]
fn a_macro_is_used_otherwise() {
    assert_said!(syntax(&[
        "labels.exists(\"x\")",
        "labels.exists(x)",
        "labels.all(x.y, true)",
        "labels.map()",
        "labels.filter(x, true, 1)",
        "has(event)",
        "has(event[\"tag\"])",
    ]));
}

#[test]
fn something_is_too_big_to_be_read() {
    let deep = format!("{}1{}", "(".repeat(33), ")".repeat(33));
    let error = Expression::parse(&deep).unwrap_err();
    assert_eq!(error.message, "the expression is nested more than 32 levels deep");
    assert_eq!(error.offset, 32);
    let long = format!("true{}", " || true".repeat(1100));
    let error = Expression::parse(&long).unwrap_err();
    assert_eq!(error.message, "the expression has 8804 bytes; at most 8192 are read");
    let parts = "${{ 1 }}-".repeat(101);
    let error = Template::parse(&parts).unwrap_err();
    assert_eq!(error.message, "the text has more than 200 parts");
}

#[test]
fn a_template_is_not_closed_or_wrong_within() {
    let texts = [
        "v${{ inputs.version",
        "v${{ inputs.version }",
        "${{ }}",
        "é-${{ a b }}",
        "${{ \"a }}",
        "${{ {\"a\": 1} }",
    ];
    assert_said!(sections(&texts, |text| match Template::parse(text) {
        Ok(_) => "it was read".to_owned(),
        Err(error) => excerpt(text, error.offset, error.len, &error.message, error.hint.as_deref()),
    }));
}

#[test]
fn values_do_not_fit() {
    assert_said!(evaluation(&[
        "1 + \"a\"",
        "\"v\" + 1",
        "1 < \"2\"",
        "1 + 1.5",
        "true + 1",
        "null + 1",
        "-\"a\"",
        "!\"a\"",
        "\"a\" && true",
        "[] ? 1 : 2",
        "1 / 0",
        "9223372036854775807 + 1",
        "\"a\" in \"abc\"",
        "1 in 2",
        "[1][1]",
        "[1][\"a\"]",
        "{\"a\": 1}.b",
        "{\"a\": 1}[1]",
        "{1: 2}",
        "{\"a\": 1, \"a\": 2}",
        "\"a\".length",
        "\"a\".all(x, true)",
        "[1].contains(1)",
        "1.0.startsWith(\"1\")",
        "\"a\".matches(\"(\")",
        "\"a\".matches(\"(?!b)\")",
        "int(\"a\")",
        "string([])",
        "string(null)",
        "size(1)",
        "starts_with(\"a\", \"b\")",
        "startsWith(\"a\", \"b\")",
        "changed()",
        "changed(\"a\" + \"b\")",
        "nosuch(1)",
        "event.branch",
    ]));
}
