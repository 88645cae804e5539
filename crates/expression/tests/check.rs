//! What is found in an expression before there are any values.

#![expect(clippy::panic, reason = "a test fails by panicking")]

mod shown;

use branchline_expression::{
    Expression, Finding, Phase, Scope, Template, Type, check, check_condition, check_template,
    check_whole_template,
};
use shown::{assert_said, excerpt, sections};

fn options(options: &[&str]) -> Type {
    Type::OneOf(options.iter().map(|option| (*option).to_owned()).collect())
}

/// A job with a matrix and needs, in a pipeline with inputs.
fn job(phase: Phase) -> Scope {
    Scope::of_job(phase)
        .input("target", options(&["staging", "production"]), true)
        .input("version", Type::Text, false)
        .input("dry_run", Type::Boolean, true)
        .input("count", Type::Number, true)
        .input("sites", Type::List, false)
        .matrix_key("rust", Type::Text, true)
        .matrix_key("os", Type::Any, true)
        .matrix_key("experimental", Type::Boolean, false)
        .need("test", Some(vec!["1.94-alpine".to_owned(), "1.95-alpine".to_owned()]))
        .need("lint", None)
        .other_job("deploy")
}

fn found(scope: &Scope, texts: &[&str]) -> String {
    sections(texts, |text| {
        let expression = Expression::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        shown(text, &check_condition(&expression, scope))
    })
}

fn shown(text: &str, findings: &[Finding]) -> String {
    if findings.is_empty() {
        return format!("{text}\n  nothing is wrong");
    }
    let shown: Vec<String> = findings
        .iter()
        .map(|found| excerpt(text, found.offset, found.len, &found.message, found.hint.as_deref()))
        .collect();
    shown.join("\n")
}

#[track_caller]
fn fine(scope: &Scope, texts: &[&str]) {
    for text in texts {
        let expression = Expression::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        let findings = check_condition(&expression, scope);
        assert!(findings.is_empty(), "{}", shown(text, &findings));
    }
}

#[test]
fn what_is_right_is_left_alone() {
    fine(
        &job(Phase::Unblock),
        &[
            "true",
            "null",
            "event.kind != \"schedule\" && changed(\"src/**\", \"Cargo.*\")",
            "event.kind in [\"push\", \"tag\"]",
            "event.pull_request.labels.exists(l, l.startsWith(\"run-\") && l != event.branch)",
            "\"ok\" in event.pull_request.labels",
            "event.pull_request.labels[0] == \"ok\"",
            "event.pull_request.fork == true || event[\"branch\"].matches(\"^release/\")",
            "commit.message.contains(\"[deploy]\") && commit.author == \"alice\" && commit.sha.size() == 40",
            "repository == \"github.com/acme/app\"",
            "inputs.target == \"staging\" && !inputs.dry_run && inputs.count > 1.5",
            "inputs.sites.size() > 0 && \"main\" in inputs.sites",
            "inputs.version == null || has(inputs.version)",
            "matrix.experimental",
            "matrix.os == 1 || matrix.os == \"a\" || matrix.os",
            "string(inputs.count) == \"1\" && int(inputs.version) + 1 == 2",
            "hash(\"Cargo.lock\") != \"\"",
            "needs.lint.status == \"passed\" && needs.lint.outputs.anything == \"x\"",
            "needs.test.cells[\"1.94-alpine\"].outputs.x == \"1\" || needs.test.status == \"failed\"",
            "needs.all(job, needs[job].status == \"passed\")",
            "needs.test.cells.exists(cell, needs.test.cells[cell].status == \"failed\")",
            "success() || failure() || always() || cancelled()",
            "(inputs.dry_run ? inputs.target : event.branch) == \"x\"",
            "{\"a\": [1]}.a[0] + 1 == 2",
            "size(\"abc\" + event.branch) == 3 && matches(event.tag, \"^v\")",
            "[1, 2].map(x, x * 2).filter(x, x > 2) == [4]",
        ],
    );
    fine(&job(Phase::Worker), &["env.CI == \"true\" && failure() && needs.lint.status == \"passed\""]);
    let hosts = Scope::of_job(Phase::Plan).on_hosts();
    fine(&hosts, &["host.name == \"web-1\" && \"front\" in host.tags && host.vars.role == \"front\""]);
}

#[test]
fn names_that_do_not_exist() {
    assert_said!(found(
        &job(Phase::Unblock),
        &[
            "evnt.branch == \"x\"",
            "main",
            "github.ref == \"x\"",
            "secrets.TOKEN == \"\"",
            "branch == \"main\"",
            "failure && true",
            "event.brnach == \"x\"",
            "event[\"brnach\"] == \"x\"",
            "event.pull_request.author == \"x\"",
            "event.branch.name == \"x\"",
            "commit.id == \"x\" || comit.sha == \"y\"",
            "inputs.taget == \"staging\"",
            "matrix.node == 1",
            "matrix[\"rsut\"] == \"1\"",
            "needs.tset.status == \"passed\"",
            "needs.deploy.status == \"passed\"",
            "needs.lint.result == \"passed\"",
            "needs.test.cells[\"1.94-alpin\"].status == \"passed\"",
            "needs.lint.cells[\"x\"].status == \"passed\"",
            "needs.test.outputs.x == \"1\"",
            "host.name == \"web-1\"",
            "[1].exists(x, x == y)",
            "event.branch.length == 1",
            "event.pull_request.labels.any(l, l == \"x\")",
        ]
    ));
}

#[test]
fn names_that_are_not_known_yet_or_not_there() {
    let mut shown = String::new();
    for (place, scope) in [
        ("a group of the pipeline", Scope::of_pipeline(Phase::Plan)),
        ("a job's pool", job(Phase::Plan)),
        ("a job's if", job(Phase::Unblock)),
        ("the if of a job alone", Scope::of_job(Phase::Unblock)),
    ] {
        shown.push_str(&format!("--- {place}\n"));
        shown.push_str(&found(
            &scope,
            &[
                "matrix.rust == \"1\"",
                "needs.lint.status == \"passed\"",
                "env.CI == \"x\"",
                "inputs.version == \"x\"",
                "failure()",
            ],
        ));
    }
    assert_said!(shown);
}

#[test]
fn a_job_that_is_not_needed_is_told_to_be_one_even_if_none_is() {
    let scope = Scope::of_job(Phase::Unblock).other_job("deploy");
    let findings = check_condition(&Expression::parse("needs.deploy.status == \"passed\"").unwrap(), &scope);
    assert_eq!(findings[0].hint.as_deref(), Some("add `deploy` to its `needs`"));
    let findings = check_condition(&Expression::parse("needs.nobody.status == \"passed\"").unwrap(), &scope);
    assert_eq!(findings[0].message, "there is no job `nobody` among this job's needs");
}

#[test]
fn functions_that_do_not_exist_or_are_used_otherwise() {
    assert_said!(found(
        &job(Phase::Unblock),
        &[
            "hashFiles(\"a\") == \"\"",
            "startswith(event.branch, \"a\")",
            "event.branch.startswith(\"a\")",
            "startsWith(event.branch, \"a\")",
            "event.branch.startsWith()",
            "contains(event.branch, \"a\")",
            "event.pull_request.labels.contains(\"a\")",
            "event.pull_request.labels.startsWith(\"a\")",
            "inputs.count.matches(\"1\")",
            "event.branch.matches(\"(\")",
            "event.branch.matches(\"(?<=a)b\")",
            "size(1) > 0",
            "size() > 0",
            "changed()",
            "changed(event.branch)",
            "changed(\"a\", \"b\" + \"c\")",
            "event.branch.changed(\"a\")",
            "failure(\"test\")",
            "frobnicate(evnt)",
        ]
    ));
}

#[test]
fn conditions_and_comparisons_that_make_no_sense() {
    assert_said!(found(
        &job(Phase::Unblock),
        &[
            "\"main\"",
            "event.branch",
            "1",
            "event",
            "inputs.count && true",
            "!inputs.target",
            "inputs.sites ? true : false",
            "inputs.dry_run == \"true\"",
            "inputs.count == \"1\"",
            "matrix.rust != 1.94",
            "event.kind == \"pull-request\"",
            "\"psuh\" != event.kind",
            "event.kind in [\"push\", \"merge\"]",
            "inputs.target == \"prod\"",
            "needs.lint.status == \"success\"",
            "inputs.count > \"1\"",
            "event.branch + 1 == \"x\"",
            "inputs.dry_run + 1 == 2",
            "-event.branch == 1",
            "\"a\" in event.branch",
            "event.branch.exists(x, true)",
            "{1: 2} == {}",
            "event.pull_request.labels[\"a\"] == \"b\"",
            "matrix[1] == \"b\"",
            "[1] < [2]",
        ]
    ));
}

#[test]
fn everything_that_is_wrong_is_found_at_once_in_the_order_of_the_text() {
    let text = "inputs.x == 1 && evnt.y && nosuch(needs.nobody.status) || \"x\"";
    let findings = check_condition(&Expression::parse(text).unwrap(), &job(Phase::Unblock));
    let places: Vec<&str> =
        findings.iter().map(|found| &text[found.offset..found.offset + found.len]).collect();
    assert_eq!(places, ["x", "evnt", "nosuch", "nobody", "\"x\""]);
}

#[test]
fn any_value_is_welcome_where_no_condition_stands() {
    let expression = Expression::parse("event.branch").unwrap();
    assert_eq!(check(&expression, &Scope::of_pipeline(Phase::Plan)), []);
}

#[test]
fn templates_are_checked_at_their_own_places() {
    let texts = [
        "rust:${{ matrix.rust }}-${{ matrix.experimental }}",
        "é${{ inputs.version }}-${{ matrix[\"experimental\"] }}",
        "${{ inputs.version == null ? \"x\" : inputs.version }}",
        "${{ inputs.sites }} ${{ event }} ${{ evnt }}",
    ];
    let check = |text: &str, check: fn(&Template, &Scope) -> Vec<Finding>| {
        shown(text, &check(&Template::parse(text).unwrap(), &job(Phase::Plan)))
    };
    let may = sections(&texts, |text| check(text, check_template));
    let must = sections(&texts, |text| check(text, check_whole_template));
    assert_said!(format!("--- parts may be missing\n{may}--- none may be missing\n{must}"));
}
