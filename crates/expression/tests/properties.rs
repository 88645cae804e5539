//! Whatever the text and the values: an answer or an error with its place, within bounds.

use branchline_expression::{
    Changed, Expression, Files, Phase, Scope, Standing, Template, Type, Value, Values, check_condition,
    check_whole_template, decide, evaluate,
};
use proptest::collection::vec;
use proptest::prelude::*;

struct Yes;

impl Files for Yes {
    fn changed(&self, _: &[String]) -> Result<Changed, String> {
        Ok(Changed { holds: true, because: "a file changed".to_owned() })
    }

    fn hash(&self, _: &[String]) -> Result<String, String> {
        Ok("0123".to_owned())
    }
}

fn values() -> Values<'static> {
    let labels = Value::from(vec!["a", "ok-to-test", ""]);
    let request = Value::map([("number", Value::Int(7)), ("labels", labels), ("fork", Value::Bool(true))]);
    let event =
        Value::map([("kind", Value::from("push")), ("branch", "dév".into()), ("pull_request", request)]);
    let inputs =
        Value::map([("n", Value::Int(i64::MIN)), ("d", Value::Double(f64::NAN)), ("x", Value::Null)]);
    Values::new()
        .with("event", event)
        .with("inputs", inputs)
        .with("matrix", Value::map([("rust", Value::from("1.94"))]))
        .with("needs", Value::map([("test", Value::map([("status", Value::from("passed"))]))]))
        .standing(Standing::Failed)
        .files(&Yes)
}

fn scope() -> Scope {
    Scope::of_job(Phase::Unblock)
        .input("n", Type::Number, true)
        .input("d", Type::Number, true)
        .input("x", Type::Any, false)
        .matrix_key("rust", Type::Text, true)
        .need("test", None)
}

/// Does all there is to do with a text, and checks what is promised of every answer.
fn exercise(text: &str) {
    let within = |offset: usize, len: usize| {
        assert!(len > 0 && text.is_char_boundary(offset), "{text:?}: {offset}, {len}");
        assert!(offset <= text.len() && offset + len <= text.len() + 1, "{text:?}: {offset}, {len}");
    };
    match Expression::parse(text) {
        Err(error) => within(error.offset, error.len),
        Ok(expression) => {
            assert_eq!(Expression::parse(expression.text()).as_ref(), Ok(&expression));
            for found in check_condition(&expression, &scope()) {
                within(found.offset, found.len);
            }
            for used in expression.uses() {
                within(used.at, used.len);
                assert!(!used.path.is_empty());
            }
            for call in expression.calls() {
                within(call.at, call.len);
            }
            for outcome in [evaluate(&expression, &values()), decide(&expression, &values())] {
                match outcome {
                    Ok(evaluation) => drop(evaluation.seen_text()),
                    Err(error) => within(error.offset, error.len),
                }
            }
        }
    }
    match Template::parse(text) {
        Err(error) => within(error.offset, error.len),
        Ok(template) => {
            for found in check_whole_template(&template, &scope()) {
                within(found.offset, found.len);
            }
            match template.render(&values()) {
                Ok(rendering) => assert!(template.literal().is_none_or(|literal| literal == rendering.text)),
                Err(error) => within(error.offset, error.len),
            }
        }
    }
}

/// Pieces of which expressions are made, so that what is put together is often almost right.
const PIECES: &[&str] = &[
    "event",
    ".kind",
    ".branch",
    ".pull_request",
    ".labels",
    "[0]",
    "inputs",
    ".n",
    ".d",
    ".x",
    "matrix",
    ".rust",
    "[\"rust\"]",
    "needs",
    ".test",
    ".status",
    "success()",
    "failure()",
    "changed(\"a\")",
    "hash('b')",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ",",
    ":",
    "?",
    "&&",
    "||",
    "!",
    "-",
    "+",
    "*",
    "/",
    "%",
    "==",
    "!=",
    "<",
    ">=",
    "in",
    "1",
    "0",
    "9223372036854775808",
    "1.5",
    "0x1F",
    "\"a\"",
    "'b'",
    "r\"\\d\"",
    "\"",
    "'",
    "\"\"\"",
    "\\",
    "null",
    "true",
    "x",
    ".exists(x, ",
    ".map(x, ",
    ".all(x, ",
    ".filter(x, ",
    ".matches(",
    ".size()",
    "size(",
    "int(",
    "string(",
    "has(event.tag)",
    "has(",
    "${{",
    "}}",
    "$",
    " ",
    "\n",
    "// c\n",
    "é",
    "\u{0}",
    "=",
    "&",
    "b\"",
    "1u",
];

fn almost() -> impl Strategy<Value = String> {
    vec(proptest::sample::select(PIECES), 0..40).prop_map(|pieces| pieces.concat())
}

/// Expressions that can be read.
fn readable() -> impl Strategy<Value = String> {
    let leaf = proptest::sample::select(vec![
        "event.kind",
        "event.pull_request.labels",
        "event.pull_request.number",
        "event.tag",
        "inputs.n",
        "inputs.d",
        "inputs.x",
        "matrix.rust",
        "needs.test.status",
        "failure()",
        "changed(\"a\")",
        "1",
        "-1",
        "2.5",
        "\"a\"",
        "r'\\d+'",
        "true",
        "false",
        "null",
        "[]",
        "{}",
        "x",
    ])
    .prop_map(str::to_owned);
    leaf.prop_recursive(6, 64, 4, |inner| {
        let operator = proptest::sample::select(vec![
            "&&", "||", "==", "!=", "<", "<=", ">", ">=", "in", "+", "-", "*", "/", "%",
        ]);
        let function = proptest::sample::select(vec!["size", "int", "double", "string", "bool"]);
        let method = proptest::sample::select(vec!["contains", "startsWith", "endsWith", "matches"]);
        let macros = proptest::sample::select(vec!["exists", "all", "filter", "map", "exists_one"]);
        prop_oneof![
            (inner.clone(), operator, inner.clone()).prop_map(|(a, sign, b)| format!("({a} {sign} {b})")),
            (inner.clone(), inner.clone(), inner.clone()).prop_map(|(a, b, c)| format!("({a} ? {b} : {c})")),
            inner.clone().prop_map(|a| format!("!{a}")),
            (function, inner.clone()).prop_map(|(name, a)| format!("{name}({a})")),
            (inner.clone(), method, inner.clone()).prop_map(|(a, name, b)| format!("({a}).{name}({b})")),
            (inner.clone(), macros, inner.clone()).prop_map(|(a, name, b)| format!("({a}).{name}(x, {b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{a}[{b}]")),
            vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(", "))),
            (inner.clone(), inner).prop_map(|(a, b)| format!("{{\"k\": {a}, \"l\": {b}}}")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_gets_an_answer_or_an_error_with_its_place(text in any::<String>()) {
        exercise(&text);
    }

    #[test]
    fn almost_right_text_gets_an_answer_or_an_error_with_its_place(text in almost()) {
        exercise(&text);
    }

    #[test]
    fn what_can_be_read_gets_an_answer_or_an_error_with_its_place(text in readable()) {
        prop_assert!(Expression::parse(&text).is_ok(), "{text}");
        exercise(&text);
    }

    #[test]
    fn a_text_in_quotes_is_that_text(text in any::<String>()) {
        let escaped: String = text.chars().map(|c| format!("\\U{:08x}", u32::from(c))).collect();
        let value = evaluate(&Expression::parse(&format!("'{escaped}'")).unwrap(), &Values::new()).unwrap().value;
        prop_assert_eq!(value, Value::from(text));
    }

    #[test]
    fn a_text_that_is_meant_verbatim_stays_as_it_is(text in "[${} a]{0,20}") {
        let template = Template::verbatim(&text);
        prop_assert_eq!(template.literal(), Some(text.as_str()));
        let read = Template::parse(template.text()).unwrap();
        prop_assert_eq!(read.literal(), Some(text.as_str()));
    }

    #[test]
    fn numbers_of_both_kinds_are_ordered_as_they_count(left in any::<i64>(), right in any::<f64>()) {
        prop_assume!(right.is_finite());
        let values = Values::new().with("l", Value::Int(left)).with("r", Value::Double(right));
        let holds = |text: &str| evaluate(&Expression::parse(text).unwrap(), &values).unwrap().value == Value::Bool(true);
        let held = [holds("l < r"), holds("l == r"), holds("l > r")];
        prop_assert_eq!(held.iter().filter(|held| **held).count(), 1);
        prop_assert_eq!(held, [holds("r > l"), holds("r == l"), holds("r < l")]);
        // Exact: in 128 bits nothing is rounded.
        if right.abs() < 1e30 {
            let whole = right.trunc() as i128;
            let expected = i128::from(left).cmp(&whole).then(0.0.partial_cmp(&right.fract()).unwrap());
            prop_assert_eq!(held, [expected.is_lt(), expected.is_eq(), expected.is_gt()]);
        }
    }
}

/// What is nested as deep as is let through, of every kind, on a stack as small as threads have by default.
#[test]
fn the_deepest_nesting_that_is_read_needs_little_stack() {
    let depth = 30;
    let texts: Vec<String> = [
        ("(", "1", ")"),
        ("[", "1", "]"),
        ("{\"a\": ", "1", "}"),
        ("!", "true", ""),
        ("-", "1", ""),
        ("1 + (", "1", ")"),
        ("event[", "1", "]"),
        ("size([", "1", "])"),
        ("[1].map(x, ", "x", ")"),
        ("true ? true : ", "true", ""),
        ("true ? (", "true", ") : true"),
        ("true && (false || ", "true", ")"),
        ("has(", "event.tag", ".a)"),
        ("\"a\".startsWith(", "\"a\"", ")"),
        ("", "event", ".a"),
        ("", "event", "[0]"),
        ("1 + ", "1", ""),
        ("", "1", " + 1"),
    ]
    .iter()
    .flat_map(|(open, inner, close)| {
        [depth / 2, depth, depth + 10, 3000].map(|n| format!("{}{inner}{}", open.repeat(n), close.repeat(n)))
    })
    .collect();
    let small = std::thread::Builder::new().stack_size(1024 * 1024).spawn(move || {
        for text in texts {
            exercise(&text);
            exercise(&format!("${{{{ {text} }}}}"));
        }
    });
    small.unwrap().join().unwrap();
}

/// What is made to take long ends, with an answer or by the bound.
#[test]
fn work_is_bounded_whatever_an_expression_asks_for() {
    let items = |n: usize| format!("[{}]", vec!["1"; n].join(","));
    let text = |n: usize| format!("\"{}\"", "a".repeat(n));
    let doubling = |n: usize| format!("[\"aaaaaaaa\"]{}", ".map(x, x + x)".repeat(n));
    let pairs = |n: usize| format!("[1]{}", ".map(x, [x, x])".repeat(n));
    let four_times = |a: &str| format!("{a}.all(a, {a}.all(b, {a}.all(c, {a}.all(d, d == 1))))");
    let too_slow = [
        four_times(&items(900)),
        doubling(30),
        pairs(30),
        format!("{}.map(x, {} in {})", items(1000), text(1000), items(1000)),
        format!("{}.all(x, {}.matches(\"(a|aa)+$\"))", items(1000), text(4000)),
        format!("{}.all(x, !{}.matches(\"^(\\\\w{{20}}|a*)*b$\"))", items(500), text(4000)),
        format!(
            "{0}.all(x, {0}.all(y, !\"a\".matches(\"\\\\w{{50}}\" + string(x) + string(y))))",
            items(1000)
        ),
    ];
    for text in too_slow {
        let expression = Expression::parse(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
        let error = evaluate(&expression, &values()).unwrap_err();
        let bounds = [
            "the expression takes more than 100000 steps",
            "what is put together here is larger than 128 KiB",
        ];
        assert!(bounds.contains(&error.message.as_str()), "{text}: {error}");
    }
    let within_bounds = [
        format!("{0} == {0}", pairs(12)),
        "!".repeat(29) + &format!("({})", vec!["true"; 1000].join(" && ")),
    ];
    for text in within_bounds {
        assert!(evaluate(&Expression::parse(&text).unwrap(), &values()).is_ok(), "{text}");
    }
    let pattern = format!("\"a\".matches(\"{}\")", "(a{30}){30}".repeat(20));
    let error = evaluate(&Expression::parse(&pattern).unwrap(), &values()).unwrap_err();
    assert_eq!(error.message, "this is no regular expression: what it repeats is too much");
}

/// A bound is none of the errors that `||` forgets beside what decides: nothing may go on beside it.
#[test]
fn a_text_that_grows_too_large_is_an_error_whatever_stands_beside_it() {
    let doubled = |times: usize| format!("[\"aaaaaaaa\"]{}[0].size()", ".map(x, x + x)".repeat(times));
    let is = |text: &str| evaluate(&Expression::parse(text).unwrap(), &Values::new());
    assert_eq!(is(&doubled(14)).unwrap().value, Value::Int(128 * 1024));
    for text in [
        doubled(15),
        format!("{} > 0 || true", doubled(15)),
        format!("[1].exists(y, {} > 0) || true", doubled(15)),
    ] {
        assert_eq!(
            is(&text).unwrap_err().message,
            "what is put together here is larger than 128 KiB",
            "{text}"
        );
    }
}
