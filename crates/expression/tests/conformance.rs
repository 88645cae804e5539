//! What CEL says of expressions without names, in the order of its specification; and where this one departs, why.
//! `error` stands for any error: the messages are in `errors.rs`.

use branchline_expression::{Expression, Values, evaluate};

/// What an expression without names is, as text; `error` if it is nothing.
fn value(text: &str) -> String {
    let expression = match Expression::parse(text) {
        Ok(expression) => expression,
        Err(error) => return format!("unreadable: {error}"),
    };
    evaluate(&expression, &Values::new()).map_or_else(|_| "error".to_owned(), |done| done.value.to_string())
}

#[track_caller]
fn table(rows: &[(&str, &str)]) {
    let wrong: Vec<String> = rows
        .iter()
        .map(|(text, wanted)| (text, wanted, value(text)))
        .filter(|(_, wanted, is)| *wanted != is)
        .map(|(text, wanted, is)| format!("{text}\n    is     {is}\n    wanted {wanted}"))
        .collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn literals_are_what_they_say() {
    table(&[
        ("0", "0"),
        ("42", "42"),
        ("0x55555555", "1431655765"),
        ("0XaF", "175"),
        ("-0x55555555", "-1431655765"),
        ("9223372036854775807", "9223372036854775807"),
        ("-9223372036854775808", "-9223372036854775808"),
        ("- 9223372036854775808", "-9223372036854775808"),
        ("0.0", "0"),
        ("12.5", "12.5"),
        ("-2.3e+1", "-23"),
        (".5", "0.5"),
        ("1e3", "1000"),
        ("1E-3", "0.001"),
        ("1e300", "1e300"),
        ("true", "true"),
        ("false", "false"),
        ("null", "null"),
        ("[]", "[]"),
        ("[1, \"a\", true,]", "[1, \"a\", true]"),
        ("{}", "{}"),
        ("{\"b\": 1, \"a\": [2],}", "{\"a\": [2], \"b\": 1}"),
    ]);
}

#[test]
fn texts_have_escapes_unless_they_are_raw() {
    table(&[
        ("\"\"", "\"\""),
        ("''", "\"\""),
        ("'\"'", "\"\\\"\""),
        ("\"'\"", "\"'\""),
        (r#""\"""#, "\"\\\"\""),
        (r#"'\'\?\`'"#, "\"'?`\""),
        (r#"r'\n'.size()"#, "2"),
        (r#"'\n'.size()"#, "1"),
        (r#"R"\d+" == "\\d+""#, "true"),
        (r#""\x41\u0042\U00000043\104" == "ABCD""#, "true"),
        (r#""\a\b\f\n\r\t\v".size()"#, "7"),
        (r#"'\303'"#, "\"Ã\""),
        ("'''a'b\n\"c'''", "\"a'b\\n\\\"c\""),
        ("\"\"\"a\\tb\"\"\".size()", "3"),
        ("r\"\"\"\\\"\"\".size()", "1"),
        ("'ÿ❤😁'.size()", "3"),
        ("'a' + \"b\" 	+\n'''c''' // and so on", "\"abc\""),
    ]);
}

#[test]
fn texts_and_numbers_that_are_none_are_refused_when_they_are_read() {
    for text in [
        "\"",
        "'a",
        "\"a\nb\"",
        "'''a''",
        r#"'\q'"#,
        r#"'\x4'"#,
        r#"'\u+123'"#,
        r#"'\ud800'"#,
        r#"'\U00110000'"#,
        r#"'\400'"#,
        "b'x'",
        "br'x'",
        "1u",
        "1_000",
        "0x",
        "1.94a",
        "12ab",
        "9223372036854775808",
        "1e999",
        "0x10000000000000000",
        "1.",
        "1e",
    ] {
        assert!(Expression::parse(text).is_err(), "{text} was read");
    }
}

#[test]
fn equality_is_by_kind_and_content_and_numbers_lie_on_one_line() {
    table(&[
        ("1 == 1", "true"),
        ("1 == -1", "false"),
        ("1 == 1.0", "true"),
        ("1.0 == 1", "true"),
        ("1 == 1.1", "false"),
        ("9223372036854775807 == 9223372036854775808.0", "false"),
        ("'' == ''", "true"),
        ("'abc' == 'ABC'", "false"),
        (r"'\u1fe7' == '\u03c5\u0308\u0342'", "false"),
        ("null == null", "true"),
        ("null == false", "false"),
        ("null == 0", "false"),
        ("null != ''", "true"),
        ("1 == '1'", "false"),
        ("true == 1", "false"),
        ("[1, 2] == [1, 2.0]", "true"),
        ("[1, 2] == [2, 1]", "false"),
        ("[] == {}", "false"),
        ("{'a': 1, 'b': 2} == {'b': 2.0, 'a': 1}", "true"),
        ("{'a': 1} == {'a': 1, 'b': 2}", "false"),
        ("{'a': {'b': [1]}} == {'a': {'b': [1]}}", "true"),
        ("0.0 / 0.0 == 0.0 / 0.0", "false"),
        ("0.0 / 0.0 != 0.0 / 0.0", "true"),
        ("0.0 == -0.0", "true"),
    ]);
}

#[test]
fn order_is_that_of_numbers_texts_and_booleans() {
    table(&[
        ("0 < 1", "true"),
        ("1 < 1", "false"),
        ("1 <= 1", "true"),
        ("2 > 1.5", "true"),
        ("-1.5 > -1", "false"),
        ("-1.5 < -1", "true"),
        ("9223372036854775807 < 9223372036854775808.0", "true"),
        ("-9223372036854775808 >= -9223372036854775808.0", "true"),
        ("9007199254740993 > 9007199254740992.0", "true"),
        ("1 < 1e300", "true"),
        ("1 > -1e300", "true"),
        ("'a' < 'b'", "true"),
        ("'a' < 'aa'", "true"),
        ("'Z' < 'a'", "true"),
        ("'é' > 'z'", "true"),
        ("false < true", "true"),
        ("true >= true", "true"),
        ("0.0 / 0.0 < 1", "false"),
        ("0.0 / 0.0 >= 1", "false"),
        ("1 < 'a'", "error"),
        ("true < 1", "error"),
        ("[1] < [2]", "error"),
        ("{} < {}", "error"),
    ]);
}

#[test]
fn arithmetic_stays_within_its_kind_and_its_range() {
    table(&[
        ("40 + 2", "42"),
        ("42 - 2 - 1", "39"),
        ("2 * 3 + 4", "10"),
        ("2 + 3 * 4", "14"),
        ("(2 + 3) * 4", "20"),
        ("7 / 2", "3"),
        ("-7 / 2", "-3"),
        ("7 % 5", "2"),
        ("-43 % 5", "-3"),
        ("3.5 + 3.4", "6.9"),
        ("1.0 / 4.0", "0.25"),
        ("1.0 / 0.0", "+Inf"),
        ("-1.0 / 0.0", "-Inf"),
        ("-(-3)", "3"),
        ("--3", "3"),
        ("-(0.5)", "-0.5"),
        ("'he' + 'llo'", "\"hello\""),
        ("[1] + [2, 3] + []", "[1, 2, 3]"),
        ("1 / 0", "error"),
        ("1 % 0", "error"),
        ("9223372036854775807 + 1", "error"),
        ("-9223372036854775808 - 1", "error"),
        ("5000000000 * 5000000000", "error"),
        ("-9223372036854775808 / -1", "error"),
        ("-9223372036854775808 % -1", "error"),
        ("-(-9223372036854775808)", "error"),
        ("1 + 1.0", "error"),
        ("1.5 % 2.0", "error"),
        ("'a' + 1", "error"),
        ("'a' * 2", "error"),
        ("true + true", "error"),
        ("{} + {}", "error"),
        ("-'a'", "error"),
        ("-true", "error"),
    ]);
}

#[test]
fn and_and_or_forget_an_error_beside_what_decides() {
    table(&[
        ("true && true", "true"),
        ("true && false", "false"),
        ("false || true", "true"),
        ("false || false || false", "false"),
        ("false && 1 / 0 > 0", "false"),
        ("1 / 0 > 0 && false", "false"),
        ("true || 1 / 0 > 0", "true"),
        ("1 / 0 > 0 || true", "true"),
        ("1 / 0 > 0 && true", "error"),
        ("1 / 0 > 0 || false", "error"),
        ("'horses' && false", "false"),
        ("true || 1", "true"),
        ("'less filling' && true", "error"),
        ("true && 'tastes great'", "error"),
        ("false || 0", "error"),
        ("true || false && false", "true"),
        ("(true || false) && false", "false"),
        ("!true", "false"),
        ("!!true", "true"),
        ("!0", "error"),
        ("!''", "error"),
        ("!false && false", "false"),
    ]);
}

#[test]
fn a_choice_evaluates_only_what_is_chosen() {
    table(&[
        ("true ? 1 : 2", "1"),
        ("false ? 1 : 2", "2"),
        ("true ? 1 : 1 / 0", "1"),
        ("false ? 1 / 0 : 2", "2"),
        ("1 / 0 > 0 ? 1 : 2", "error"),
        ("'x' ? 1 : 2", "error"),
        ("false ? 1 : false ? 2 : 3", "3"),
        ("true ? (true ? 1 : 2) : 3", "1"),
        ("(false || true) ? 'a' : 2", "\"a\""),
    ]);
}

#[test]
fn lists_and_maps_are_asked_by_place_and_key() {
    table(&[
        ("[7, 8, 9][0]", "7"),
        ("[7, 8, 9][2]", "9"),
        ("[7, 8][1.0]", "8"),
        ("[7, 8][0.5]", "error"),
        ("[7][1e300]", "error"),
        ("[7][1]", "error"),
        ("[7][-1]", "error"),
        ("[7]['0']", "error"),
        ("{'a': 1}.a", "1"),
        ("{'a': 1}['a']", "1"),
        ("{'a': {'b': 2}}.a['b']", "2"),
        ("{'a': 1}.b", "error"),
        ("{'a': 1}['b']", "error"),
        ("{'a': 1, 'a': 2}", "error"),
        ("{1: 'one'}", "error"),
        ("'a'.b", "error"),
        ("'a'[0]", "error"),
        ("1 in [1, 2]", "true"),
        ("1.0 in [1, 2]", "true"),
        ("'1' in [1, 2]", "false"),
        ("[1] in [[1]]", "true"),
        ("1 in []", "false"),
        ("!(1 in [2])", "true"),
        ("'a' in {'a': null}", "true"),
        ("'b' in {'a': 1}", "false"),
        ("'a' in 'abc'", "error"),
        ("has({'a': 1}.a)", "true"),
        ("has({'a': 1}.b)", "false"),
        ("has({'a': null}.a)", "true"),
        ("has([1].a)", "error"),
    ]);
}

#[test]
fn macros_ask_each_item() {
    table(&[
        ("[1, 2, 3].all(x, x > 0)", "true"),
        ("[1, 2, 3].all(x, x > 1)", "false"),
        ("[].all(x, false)", "true"),
        ("[1, 'a'].all(x, x > 0)", "error"),
        ("['a', 0].all(x, x > 0)", "false"),
        ("[1, 2, 3].exists(x, x > 2)", "true"),
        ("[].exists(x, true)", "false"),
        ("['a', 3].exists(x, x > 2)", "true"),
        ("['a', 1].exists(x, x > 2)", "error"),
        ("[1, 2, 2].exists_one(x, x == 1)", "true"),
        ("[1, 2, 2].exists_one(x, x == 2)", "false"),
        ("['a', 3].exists_one(x, x > 2)", "error"),
        ("[1, 2, 3].filter(x, x % 2 == 1)", "[1, 3]"),
        ("[].filter(x, true)", "[]"),
        ("[1, 2].map(x, x * 2)", "[2, 4]"),
        ("[1, 2, 3].map(x, x > 1, x * 10)", "[20, 30]"),
        ("[1, 2].map(x, [3].map(y, x + y))", "[[4], [5]]"),
        ("[1, 2].map(x, [10].map(x, x))", "[[10], [10]]"),
        ("{'b': 1, 'a': 2}.map(k, k)", "[\"a\", \"b\"]"),
        ("{'a': 1}.exists(k, k == 'a')", "true"),
        ("['a', 'b'].map(s, s.size()) == [1, 1]", "true"),
        ("(1).all(x, true)", "error"),
        ("'abc'.exists(x, true)", "error"),
    ]);
}

#[test]
fn functions_do_as_cel_says() {
    table(&[
        ("size('')", "0"),
        ("'four'.size()", "4"),
        ("size([1, 2])", "2"),
        ("size({'a': 1})", "1"),
        ("size(1)", "error"),
        ("'foobar'.contains('oba')", "true"),
        ("'foobar'.contains('')", "true"),
        ("'foobar'.contains('x')", "false"),
        ("'foobar'.startsWith('foo')", "true"),
        ("'foobar'.startsWith('bar')", "false"),
        ("'foobar'.endsWith('bar')", "true"),
        ("''.endsWith('')", "true"),
        ("'foobar'.contains(1)", "error"),
        ("[1].contains(1)", "error"),
        ("'hubba'.matches('ubb')", "true"),
        ("matches('hubba', '^ubb')", "false"),
        ("'v1.2.3'.matches(r'^v\\d+(\\.\\d+)*$')", "true"),
        ("'abcd'.matches('bc')", "true"),
        ("'mañana'.matches('a+ñ+a+')", "true"),
        ("'x'.matches('(')", "error"),
        ("'x'.matches('(?=x)')", "error"),
        ("int(42)", "42"),
        ("int(1.9)", "1"),
        ("int(-7.9)", "-7"),
        ("int('987')", "987"),
        ("int('-9223372036854775808')", "-9223372036854775808"),
        ("int(1e99)", "error"),
        ("int('x')", "error"),
        ("int('1.5')", "error"),
        ("int([])", "error"),
        ("double(2)", "2"),
        ("double('1.25')", "1.25"),
        ("double('x')", "error"),
        ("string('a')", "\"a\""),
        ("string(123)", "\"123\""),
        ("string(-2.5)", "\"-2.5\""),
        ("string(1.0)", "\"1\""),
        ("string(false)", "\"false\""),
        ("string([])", "error"),
        ("bool('true')", "true"),
        ("bool('f')", "false"),
        ("bool('yes')", "error"),
        ("bool(true)", "true"),
        ("bool(1)", "error"),
        ("nosuch(1)", "error"),
        ("'a'.size(1)", "error"),
        ("size()", "error"),
        ("startsWith('a', 'a')", "error"),
    ]);
}

/// CEL's grammar, "Syntax".
#[test]
fn what_is_no_cel_is_not_read() {
    for text in [
        "",
        " ",
        "// nothing",
        "1 +",
        "* 1",
        "(1",
        "1)",
        "[1",
        "[1 2]",
        "{'a' 1}",
        "{'a': }",
        "{a}",
        "a.",
        "a.1",
        "a..b",
        "a b",
        "a ? b",
        "a ? : c",
        "f(1,)",
        "f(,)",
        "f(",
        "a[",
        "a[]",
        "a.b(c",
        "x.all(1, true)",
        "x.all(y)",
        "x.map(y)",
        "x.exists(y, 1, 2)",
        "x.map(a.b, 1)",
        "has(a)",
        "has(a[\"b\"])",
        "has()",
        "has(a.b, c.d)",
        "a = 1",
        "a === 1",
        "a & b",
        "a | b",
        "a and b",
        "not a",
        "if",
        "a in",
        "for",
        "while(1)",
        "a.?b",
        "a[?0]",
        "Message{a: 1}",
        "a.B{c: 1}",
        ".a",
        "a;b",
        "#",
        "$a",
        "`a`",
        "a ?? b",
        "a => b",
        "\\",
        "\u{0}",
        "é",
        "1 2",
        "true ? true ? 1 : 2 : 3",
    ] {
        assert!(Expression::parse(text).is_err(), "{text} was read");
    }
}

#[test]
fn names_and_fields_may_look_like_words_where_cel_lets_them() {
    for text in
        ["a.if", "a.for.in", "a.true", "inn", "trueish", "_a", "a1._b2", "a.has", "all", "map.map(map, map)"]
    {
        assert!(Expression::parse(text).is_ok(), "{text}: {:?}", Expression::parse(text));
    }
}
