//! What an expression and a template say about themselves before anything is evaluated.

#![expect(clippy::panic, reason = "a test fails by panicking")]

use branchline_expression::{Call, Expression, Needs, Template, Use};

fn expression(text: &str) -> Expression {
    Expression::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn paths(text: &str) -> Vec<String> {
    expression(text)
        .uses()
        .iter()
        .map(|used| format!("{}{}", used.path.join("/"), if used.open { "/*" } else { "" }))
        .collect()
}

#[test]
fn every_name_is_told_once_for_each_place_with_its_whole_path() {
    assert_eq!(paths("event.branch == \"main\" || inputs.x > 1"), ["event/branch", "inputs/x"]);
    assert_eq!(paths("needs.test.outputs[\"a b\"]"), ["needs/test/outputs/a b"]);
    assert_eq!(paths("has(event.pull_request.fork)"), ["event/pull_request/fork"]);
    assert_eq!(paths("[a, {b.c: d}]"), ["a", "b/c", "d"]);
    assert_eq!(paths("a.b.startsWith(c)"), ["a/b", "c"]);
}

#[test]
fn a_key_that_is_worked_out_leaves_a_path_open_and_is_told_itself() {
    assert_eq!(paths("needs[matrix.job].status"), ["needs/*", "matrix/job"]);
    assert_eq!(paths("event.pull_request.labels[0]"), ["event/pull_request/labels/*"]);
    assert_eq!(paths("a[b[c]]"), ["a/*", "b/*", "c"]);
}

#[test]
fn what_a_macro_binds_is_no_name_of_the_pipeline_within_it() {
    assert_eq!(paths("event.labels.exists(x, x == inputs.x) && x"), ["event/labels", "inputs/x", "x"]);
    assert_eq!(paths("a.map(x, x.all(y, x[y] == y))"), ["a"]);
    assert_eq!(paths("x.filter(x, x.y)"), ["x"]);
}

#[test]
fn a_use_and_a_call_know_their_place() {
    let expression = expression("!  event.branch.matches(\"é\") && changed(\"src/**\", 'x')");
    assert_eq!(
        expression.uses(),
        [Use { path: vec!["event".into(), "branch".into()], open: false, at: 3, len: 12 }]
    );
    let call = |name: &str, method, literals: &[&str], at, len| Call {
        name: name.to_owned(),
        method,
        literals: Some(literals.iter().map(|text| (*text).to_owned()).collect()),
        at,
        len,
    };
    assert_eq!(
        expression.calls(),
        [call("matches", true, &["é"], 3, 26), call("changed", false, &["src/**", "x"], 33, 22)]
    );
}

#[test]
fn arguments_that_are_worked_out_are_no_literals() {
    assert_eq!(expression("changed(\"a\" + \"b\")").calls()[0].literals, None);
    assert_eq!(expression("success()").calls()[0].literals, Some(Vec::new()));
}

#[test]
fn the_needs_that_are_named_are_told_in_their_order() {
    assert_eq!(expression("event.kind == \"push\"").needs(), Needs::None);
    assert_eq!(
        expression("needs.b.status == \"passed\" && needs[\"a\"].outputs.x == needs.b.outputs.x").needs(),
        Needs::Some(vec!["b".to_owned(), "a".to_owned()])
    );
    assert_eq!(expression("needs.a.status == needs[matrix.of].status").needs(), Needs::All);
    assert_eq!(expression("needs.all(job, needs[job].status == \"passed\")").needs(), Needs::All);
}

#[test]
fn an_expression_knows_whether_it_speaks_about_failure() {
    for (text, says, after_failure) in [
        ("failure()", true, true),
        ("always() && event.kind == \"push\"", true, true),
        ("!cancelled()", true, true),
        ("success() && inputs.x", true, false),
        ("inputs.x", false, false),
        ("\"failure()\" == inputs.x", false, false),
        ("inputs.x.failure()", false, false),
    ] {
        let expression = expression(text);
        assert_eq!(expression.mentions_status_function(), says, "{text}");
        assert_eq!(expression.may_hold_after_failure(), after_failure, "{text}");
        assert_eq!(expression.waits_for_needs(), says, "{text}");
    }
    assert!(expression("needs.a.status == \"failed\"").waits_for_needs());
}

#[test]
fn a_condition_may_stand_in_braces_and_keeps_its_places() {
    let wrapped = expression("  ${{ event.branch }} ");
    assert_eq!(wrapped.text(), "  ${{ event.branch }} ");
    assert_eq!(wrapped.condition(), "event.branch");
    assert_eq!(wrapped.uses()[0].at, 6);
    let error = Expression::parse("${{ a }} && b").unwrap_err();
    assert_eq!((error.offset, error.len), (9, 4), "{error}");
}

#[test]
fn a_template_is_text_and_expressions_in_turn() {
    let template = Template::parse("deploy-${{ inputs.target }}-${{{\"a\": {\"}}\": 1}}.a}}!").unwrap();
    assert_eq!(template.literal(), None);
    let expressions: Vec<_> = template.expressions().map(|(at, part)| (at, part.text().to_owned())).collect();
    assert_eq!(
        expressions,
        [(7, "${{ inputs.target }}".to_owned()), (28, "${{{\"a\": {\"}}\": 1}}.a}}".to_owned())]
    );
    for (at, expression) in template.expressions() {
        assert_eq!(template.text()[at..at + expression.text().len()], *expression.text());
    }
}

#[test]
fn a_template_without_expressions_is_a_literal() {
    for (text, literal) in [
        ("", ""),
        ("plain }} $ {{ text", "plain }} $ {{ text"),
        ("$${{ x }}", "${{ x }}"),
        ("a$${{b$${{", "a${{b${{"),
        ("$$${{", "$${{"),
    ] {
        let template = Template::parse(text).unwrap();
        assert_eq!(template.literal(), Some(literal), "{text}");
        assert_eq!(template.expressions().count(), 0, "{text}");
    }
}

#[test]
fn any_text_can_be_meant_verbatim() {
    for text in ["", "${{", "a ${{ b }} c", "$${{", "$$${{ ${{", "}}"] {
        let template = Template::verbatim(text);
        assert_eq!(template.literal(), Some(text));
        assert_eq!(Template::parse(template.text()).unwrap().literal(), Some(text));
    }
}

#[test]
fn both_are_written_and_read_as_their_text() {
    let condition = expression("event.branch == \"main\"");
    let written = serde_json::to_string(&condition).unwrap();
    assert_eq!(written, r#""event.branch == \"main\"""#);
    assert_eq!(serde_json::from_str::<Expression>(&written).unwrap(), condition);
    let template = Template::parse("v${{ inputs.version }}").unwrap();
    let written = serde_json::to_string(&template).unwrap();
    assert_eq!(serde_json::from_str::<Template>(&written).unwrap(), template);
    let error = serde_json::from_str::<Expression>("\"a ==\"").unwrap_err().to_string();
    assert!(error.starts_with("after `==` a value is missing"), "{error}");
}
