//! What expressions are with the values of a pipeline: null where nothing is, errors for names that do not exist, and what
//! an answer rests on.

#![expect(clippy::panic, reason = "a test fails by panicking")]

use branchline_expression::{
    Answers, Changed, Evaluation, EvaluationError, Expression, Files, Standing, Template, Value, Values,
    decide, evaluate,
};

fn expression(text: &str) -> Expression {
    Expression::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn text(value: &str) -> Value {
    Value::from(value)
}

/// A push to `dev`, of the cell (1.94, bookworm), which has no `experimental`.
fn push() -> Values<'static> {
    let inputs =
        Value::map([("target", text("staging")), ("version", Value::Null), ("count", Value::Int(3))]);
    let need = Value::map([
        ("status", text("failed")),
        ("outputs", Value::map([("version", text("1.2.3")), ("a b", text("x"))])),
    ]);
    let cell = Value::map([("status", text("passed")), ("outputs", Value::map([("size", text("7"))]))]);
    let cells = Value::map([("cells", Value::map([("1.94-bookworm", cell)])), ("status", text("passed"))]);
    Values::new()
        .with("event", Value::map([("kind", text("push")), ("branch", text("dev")), ("tag", Value::Null)]))
        .with(
            "commit",
            Value::map([("sha", text("cafe")), ("message", text("Fix it")), ("author", text("alice"))]),
        )
        .with("repository", text("github.com/acme/app"))
        .with("inputs", inputs)
        .with("matrix", Value::map([("rust", text("1.94")), ("experimental", Value::Null)]))
        .with("needs", Value::map([("test", need), ("build", cells)]))
        .with("env", Value::map([("CI", text("true"))]))
}

fn pull_request() -> Values<'static> {
    let labels = Value::from(vec!["ok-to-test", "docs"]);
    let request = Value::map([("number", Value::Int(7)), ("labels", labels), ("fork", Value::Bool(true))]);
    push().with(
        "event",
        Value::map([("kind", text("pull_request")), ("base", text("main")), ("pull_request", request)]),
    )
}

fn is(condition: &str, values: &Values<'_>) -> Result<Evaluation, EvaluationError> {
    evaluate(&expression(condition), values)
}

#[track_caller]
fn table(values: &Values<'_>, rows: &[(&str, &str)]) {
    for (condition, wanted) in rows {
        match is(condition, values) {
            Ok(evaluation) => assert_eq!(evaluation.value.to_string(), *wanted, "{condition}"),
            Err(error) => panic!("{condition}: {error}"),
        }
    }
}

#[test]
fn what_has_no_value_here_is_null_and_so_is_what_lies_below() {
    table(
        &push(),
        &[
            ("event.tag", "null"),
            ("event.actor", "null"),
            ("event.pull_request", "null"),
            ("event.pull_request.number", "null"),
            ("event.pull_request.labels[0]", "null"),
            ("event[\"pull_request\"][\"fork\"]", "null"),
            ("inputs.version", "null"),
            ("matrix.experimental", "null"),
            ("needs.test.cells", "null"),
            ("needs.test.outputs.nothing", "null"),
            ("needs.build.cells[\"1.94-bookworm\"].outputs.nothing", "null"),
            ("env.NOTHING", "null"),
        ],
    );
}

#[test]
fn a_question_about_null_is_answered_with_no() {
    table(
        &push(),
        &[
            ("event.tag == \"v1\"", "false"),
            ("event.tag != \"v1\"", "true"),
            ("event.tag == null", "true"),
            ("has(event.tag)", "false"),
            ("has(event.branch)", "true"),
            ("has(event.pull_request.fork)", "false"),
            ("has(needs.test.outputs.version)", "true"),
            ("has(needs.test.outputs.nothing)", "false"),
            ("event.tag.startsWith(\"v\")", "false"),
            ("event.tag.endsWith(\"\")", "false"),
            ("event.tag.contains(\"\")", "false"),
            ("event.tag.matches(\".*\")", "false"),
            ("\"v1\".startsWith(event.tag)", "false"),
            ("event.pull_request.number > 5", "false"),
            ("event.pull_request.number <= 5", "false"),
            ("5 < event.pull_request.number", "false"),
            ("\"docs\" in event.pull_request.labels", "false"),
            ("event.pull_request.labels.exists(l, l == \"docs\")", "false"),
            ("event.pull_request.labels.all(l, l == \"docs\")", "true"),
            ("event.pull_request.labels.map(l, l)", "[]"),
            ("size(event.pull_request.labels)", "0"),
            ("event.tag.size()", "0"),
            ("!matrix.experimental", "true"),
            ("matrix.experimental || event.kind == \"push\"", "true"),
            ("matrix.experimental && true", "false"),
            ("matrix.experimental ? 1 : 2", "2"),
        ],
    );
}

#[test]
fn nothing_is_computed_with_null() {
    for condition in [
        "event.tag + \"x\"",
        "1 + inputs.version",
        "-inputs.version",
        "string(event.tag)",
        "int(inputs.version)",
    ] {
        let error = is(condition, &push()).unwrap_err();
        assert!(error.message.contains("null"), "{condition}: {error}");
    }
}

#[test]
fn a_name_that_does_not_exist_is_an_error_that_names_the_nearest() {
    for (condition, message, hint) in [
        ("evnt.branch", "`evnt` is not known here", "docs/expressions.md says which names are known where"),
        ("event.brnach", "there is no `brnach`", "did you mean `branch`?"),
        ("event.pull_request.numbr", "there is no `numbr`", "did you mean `number`?"),
        ("inputs.targt", "there is no `targt`", "did you mean `target`?"),
        ("matrix.os", "there is no `os`", "there is `experimental` and `rust`"),
        ("needs.tests.status", "there is no `tests`", "did you mean `test`?"),
        ("needs.test.output", "there is no `output`", "did you mean `outputs`?"),
        ("needs.build.cells[\"1.95\"]", "there is no `1.95`", "there is `1.94-bookworm`"),
        ("event.branch.name", "a text has no fields", "take the field away; how long it is says `size(…)`"),
        ("has(event.brnach)", "there is no `brnach`", "did you mean `branch`?"),
    ] {
        let error = is(condition, &push()).unwrap_err();
        assert_eq!((error.message.as_str(), error.hint.as_deref()), (message, Some(hint)), "{condition}");
    }
}

#[test]
fn a_condition_is_a_boolean_or_null_and_nothing_else() {
    for (condition, wanted) in
        [("event.kind == \"push\"", true), ("matrix.experimental", false), ("true", true)]
    {
        let decided = decide(&expression(condition), &push()).unwrap();
        assert_eq!(decided.value, Value::Bool(wanted), "{condition}");
    }
    for condition in ["event.branch", "1", "\"false\"", "[]", "event", "inputs.count"] {
        let error = decide(&expression(condition), &push()).unwrap_err();
        assert!(error.message.starts_with("true or false is wanted here"), "{condition}: {error}");
    }
}

#[test]
fn only_what_was_evaluated_is_seen_each_once_in_its_order() {
    for (condition, seen) in [
        (
            "event.kind == \"push\" && event.branch == \"main\"",
            "event.kind is \"push\", event.branch is \"dev\"",
        ),
        ("event.kind == \"tag\" && event.branch == \"main\"", "event.kind is \"push\""),
        ("event.kind == \"push\" || event.branch == \"main\"", "event.kind is \"push\""),
        (
            "event.kind == \"push\" ? inputs.target : commit.sha",
            "event.kind is \"push\", inputs.target is \"staging\"",
        ),
        ("event.branch == event.branch", "event.branch is \"dev\""),
        ("needs[\"test\"].outputs[\"a b\"] == \"\"", "needs.test.outputs[\"a b\"] is \"x\""),
        (
            "needs[event.branch == \"dev\" ? \"test\" : \"build\"].status == \"\"",
            "event.branch is \"dev\", needs.test.status is \"failed\"",
        ),
        ("has(event.tag)", "event.tag is null"),
        ("[1, 2].exists(x, x == inputs.count)", "inputs.count is 3"),
        ("{\"a\": 1}.a == 1", ""),
        ("true", ""),
        ("commit.message.contains(\"[deploy]\")", "commit.message is \"Fix it\""),
    ] {
        assert_eq!(is(condition, &push()).unwrap().seen_text(), seen, "{condition}");
    }
    let labels = is(
        "event.pull_request.labels.exists(l, l == \"x\") || event.pull_request.labels[1] == \"x\"",
        &pull_request(),
    );
    assert_eq!(
        labels.unwrap().seen_text(),
        "event.pull_request.labels is [\"ok-to-test\", \"docs\"], event.pull_request.labels[1] is \"docs\""
    );
}

#[test]
fn an_error_says_what_it_had_seen() {
    let error = is("event.branch == \"dev\" && inputs.count > inputs.target", &push()).unwrap_err();
    insta::assert_snapshot!(error, @r#"`>` does not go between a whole number and a text; event.branch is "dev", inputs.count is 3, inputs.target is "staging" (hint: write `int(…)` or `double(…)` around the text)"#);
    assert_eq!((error.offset, error.len), (38, 1));
}

#[test]
fn a_long_value_is_cut_where_it_is_shown() {
    let values = push().with("commit", Value::map([("message", text(&"ä\n".repeat(5000)))]));
    let seen = is("commit.message == \"x\"", &values).unwrap().seen_text();
    assert!(seen.len() < 300 && seen.ends_with('…'), "{seen}");
    assert!(seen.starts_with("commit.message is \"ä\\nä\\n"), "{seen}");
}

#[test]
fn what_is_hidden_is_shown_nowhere() {
    let values = push()
        .with(
            "inputs",
            Value::map([("token", text("hunter2")), ("empty", Value::Null), ("n", Value::Int(1))]),
        )
        .with("env", Value::map([("TOKEN", text("--hunter2--")), ("hunter2", text("x"))]))
        .hiding(["inputs", "token"])
        .hiding(["inputs", "empty"]);
    for (condition, seen) in [
        ("inputs.token == \"x\"", "inputs.token is \"***\""),
        ("inputs == {}", "inputs is \"***\""),
        ("inputs.n == 2", "inputs.n is 1"),
        ("inputs.empty == null", "inputs.empty is null"),
        ("env[inputs.token] == \"x\"", "inputs.token is \"***\", env.*** is \"x\""),
        ("env.TOKEN == \"x\"", "env.TOKEN is \"***\""),
    ] {
        assert_eq!(is(condition, &values).unwrap().seen_text(), seen, "{condition}");
    }
    for condition in [
        "matrix[inputs.token]",
        "int(inputs.token)",
        "\"x\".matches(inputs.token + \"(\")",
        "inputs.token + 1",
        "inputs.token.hunter",
        "[1][inputs.token]",
        "{\"hunter3\": 1}[inputs.token]",
        "bool(inputs.token)",
    ] {
        let error = is(condition, &values).unwrap_err().to_string();
        assert!(!error.contains("hunter2"), "{condition}: {error}");
    }
}

struct Git;

impl Files for Git {
    fn changed(&self, globs: &[String]) -> Result<Changed, String> {
        match globs {
            [glob] if glob == "broken" => Err("the commit before is not there".to_owned()),
            [first, ..] => {
                Ok(Changed { holds: first == "src/**", because: "src/main.rs changed".to_owned() })
            }
            [] => Err("nothing was asked".to_owned()),
        }
    }

    fn hash(&self, files: &[String]) -> Result<String, String> {
        Ok(format!("hash-of-{}", files.join("+")))
    }
}

#[test]
fn changed_and_hash_are_answered_by_the_caller_with_the_reason() {
    let values = push().files(&Git);
    let changed = is("changed(\"src/**\", 'Cargo.*')", &values).unwrap();
    assert_eq!(changed.value, Value::Bool(true));
    assert_eq!(changed.seen_text(), "changed(\"src/**\", \"Cargo.*\") is true (src/main.rs changed)");
    let hash = is("hash(\"a\", \"b\")", &values).unwrap();
    assert_eq!(hash.value, text("hash-of-a+b"));
    let error = is("event.branch == \"dev\" && changed(\"broken\")", &values).unwrap_err();
    assert_eq!(error.message, "`changed` cannot be answered: the commit before is not there");
    assert_eq!((error.offset, error.len), (25, 17));
    assert_eq!(is("changed(\"a\")", &push()).unwrap_err().message, "`changed` is not known here");
}

#[test]
fn answers_may_be_collected_beforehand_and_kept() {
    let condition = expression("changed(\"a\") && hash(\"b\") == \"1\"");
    let mut answers = Answers::default();
    for call in condition.calls() {
        let names = call.literals.as_deref().unwrap();
        match call.name.as_str() {
            "changed" => answers.keep_changed(names, Changed { holds: true, because: String::new() }),
            _ => answers.keep_hash(names, "1".to_owned()),
        }
    }
    let answers: Answers = serde_json::from_str(&serde_json::to_string(&answers).unwrap()).unwrap();
    let evaluation = evaluate(&condition, &Values::new().files(&answers)).unwrap();
    assert_eq!(evaluation.value, Value::Bool(true));
    assert_eq!(evaluation.seen_text(), "changed(\"a\") is true, hash(\"b\") is \"1\"");
    let unasked = evaluate(&expression("changed(\"b\")"), &Values::new().files(&answers)).unwrap_err();
    assert!(unasked.message.contains("nothing was found out"), "{unasked}");
}

#[test]
fn the_status_functions_say_how_it_stands() {
    let answers = |standing| {
        ["success()", "failure()", "always()", "cancelled()"]
            .map(|text| is(text, &push().standing(standing)).unwrap().value == Value::Bool(true))
    };
    assert_eq!(answers(Standing::Succeeding), [true, false, true, false]);
    assert_eq!(answers(Standing::Failed), [false, true, true, false]);
    assert_eq!(answers(Standing::Cancelled), [false, false, true, true]);
    assert_eq!(is("failure()", &push()).unwrap_err().message, "`failure` is not known here");
    assert_eq!(
        is("failure() && inputs.count > 5", &push().standing(Standing::Failed)).unwrap().seen_text(),
        "failure() is true, inputs.count is 3"
    );
}

#[test]
fn a_template_is_filled_in() {
    for (template, wanted) in [
        ("deploy-${{ inputs.target }}", "deploy-staging"),
        ("${{ inputs.count + 1 }}/${{ 1.5 }}/${{ true }}", "4/1.5/true"),
        ("[${{ event.tag }}]", "[]"),
        ("$${{ ${{ event.branch }} }}", "${{ dev }}"),
        ("${{ \"$\" + string(inputs.count) }}", "$3"),
        ("${{ hash('Cargo.lock') }}", "hash-of-Cargo.lock"),
        ("", ""),
    ] {
        let values = push().files(&Git);
        assert_eq!(Template::parse(template).unwrap().render(&values).unwrap().text, wanted, "{template}");
    }
    let seen = Template::parse("${{ event.branch }}-${{ event.branch }}-${{ inputs.count }}").unwrap();
    let seen: Vec<String> = seen.render(&push()).unwrap().seen.into_iter().map(|seen| seen.path).collect();
    assert_eq!(seen, ["event.branch", "inputs.count"]);
}

#[test]
fn what_cannot_be_written_into_a_text_is_an_error_at_its_place_in_the_template() {
    for (template, at, message) in [
        ("é ${{ [1] }}", 7, "a list cannot be written into a text"),
        ("${{ 1 }}${{ event }}", 12, "a map cannot be written into a text"),
        ("${{ 1 }}${{ inputs.nope }}", 19, "there is no `nope`"),
    ] {
        let error = Template::parse(template).unwrap().render(&push()).unwrap_err();
        assert_eq!((error.offset, error.message.as_str()), (at, message), "{template}");
    }
}

#[test]
fn where_a_part_must_not_be_missing_null_and_nothing_are_errors() {
    let image = Template::parse("rust:${{ matrix.rust }}${{ matrix.experimental }}").unwrap();
    assert_eq!(image.render(&push()).unwrap().text, "rust:1.94");
    let error = image.render_whole(&push()).unwrap_err();
    assert_eq!(
        (error.offset, error.len, error.message.as_str()),
        (27, 19, "this is null, and a value is wanted here")
    );
    assert_eq!(error.seen.len(), 1);
    assert!(Template::parse("a${{ \"\" }}").unwrap().render_whole(&push()).is_err());
    assert_eq!(Template::parse("a${{ 1 }}").unwrap().render_whole(&push()).unwrap().text, "a1");
}

#[test]
fn values_are_written_as_json_and_read_back() {
    let value = Value::map([
        ("list", Value::List([Value::Null, Value::Bool(true), Value::Int(-1), Value::Double(1.5)].into())),
        ("whole", Value::Double(2.0)),
        ("text", text("é")),
    ]);
    let json = serde_json::to_string(&value).unwrap();
    assert_eq!(json, r#"{"list":[null,true,-1,1.5],"text":"é","whole":2.0}"#);
    assert_eq!(serde_json::from_str::<Value>(&json).unwrap(), value);
}
