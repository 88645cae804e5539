use std::fs;
use std::path::Path;

use super::*;
use crate::findings::Findings;

fn tree(text: &str) -> Node {
    let mut findings = Findings::new("x.yaml", text);
    let root = read(&mut findings);
    assert!(findings.is_empty(), "{}", findings.into_diagnostics());
    root.expect("a document")
}

fn mistakes(text: &str) -> Vec<String> {
    let mut findings = Findings::new("x.yaml", text);
    let _ = read(&mut findings);
    let crate::Diagnostics(found) = findings.into_diagnostics();
    found.iter().map(|found| format!("{}:{} {}", found.line, found.column, found.message)).collect()
}

/// The tree says what the other reader's document says.
fn agrees(node: &Node, other: &serde_yaml::Value) -> bool {
    match (&node.kind, other) {
        (Kind::Mapping(entries), serde_yaml::Value::Mapping(mapping)) => {
            // In any order: that reader loses it where it merges.
            entries.len() == mapping.len()
                && entries.iter().all(|entry| {
                    mapping.get(entry.key.as_str()).is_some_and(|value| agrees(&entry.value, value))
                })
        }
        (Kind::List(items), serde_yaml::Value::Sequence(others)) => {
            items.len() == others.len() && items.iter().zip(others).all(|(item, other)| agrees(item, other))
        }
        (Kind::Scalar { .. }, serde_yaml::Value::Null) => node.is_nothing(),
        (Kind::Scalar { .. }, serde_yaml::Value::Bool(other)) => node.boolean() == Some(*other),
        (Kind::Scalar { text, plain: true, .. }, serde_yaml::Value::Number(number)) => {
            let hexadecimal = text.strip_prefix("0x").and_then(|digits| u64::from_str_radix(digits, 16).ok());
            hexadecimal.map_or_else(|| text.parse::<f64>().ok(), |whole| Some(whole as f64))
                == number.as_f64()
        }
        (Kind::Scalar { text, .. }, serde_yaml::Value::String(other)) => {
            text == other && !node.is_nothing() && node.boolean().is_none()
        }
        _ => false,
    }
}

#[test]
fn on_every_valid_file_another_reader_of_yaml_sees_the_same_document() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("valid");
    let mut compared = 0;
    for file in fs::read_dir(folder).unwrap() {
        let file = file.unwrap().path();
        if file.extension().is_none_or(|ending| ending != "yaml") {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap();
        let text = text.trim_start_matches('\u{feff}');
        let mut other: serde_yaml::Value = serde_yaml::from_str(text).unwrap();
        // That reader leaves merge keys as they are until it is asked.
        other.apply_merge().unwrap();
        assert!(agrees(&tree(text), &other), "{}", file.display());
        compared += 1;
    }
    assert!(compared >= 12, "only {compared} files");
}

#[test]
fn a_scalar_keeps_its_text_and_its_place() {
    let root = tree("a: 1.10\nb: \"yes\"\nc: |\n  two\n  lines\n");
    let Kind::Mapping(entries) = &root.kind else { panic!("{root:?}") };
    let seen: Vec<_> = entries.iter().map(|entry| (&entry.value.kind, entry.value.span.start)).collect();
    assert_eq!(*seen[0].0, Kind::Scalar { text: "1.10".into(), plain: true, block: false });
    assert_eq!(*seen[1].0, Kind::Scalar { text: "yes".into(), plain: false, block: false });
    assert_eq!(*seen[2].0, Kind::Scalar { text: "two\nlines\n".into(), plain: false, block: true });
    // A block of text stands where its first line does.
    assert_eq!([seen[0].1, seen[1].1, seen[2].1], [3, 11, 24]);
}

#[test]
fn what_is_written_comes_before_what_is_merged_and_the_earlier_before_the_later() {
    let root = tree("a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\nc:\n  <<: [*a, *b]\n  x: 3\n");
    let Kind::Mapping(entries) = &root.kind else { panic!("{root:?}") };
    let Kind::Mapping(merged) = &entries[2].value.kind else { panic!("{root:?}") };
    let seen: Vec<_> = merged
        .iter()
        .map(|entry| match &entry.value.kind {
            Kind::Scalar { text, .. } => format!("{}={text}", entry.key),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(seen, ["x=3", "y=1", "z=2"]);
}

#[test]
fn mistakes_that_leave_the_rest_readable_are_reported_together() {
    assert_eq!(
        mistakes("a: *x\na: 2\n? [k]\n: 1\nb: !secret s\nc: &c [*c]\n<<: 3\n"),
        [
            "1:4 unknown alias `*x`",
            "2:1 duplicate key `a`",
            "3:3 a key must be a text",
            "5:4 the tag `!secret` is not supported",
            "6:8 the alias `*c` stands within the very value it names",
            "7:5 `<<` merges a mapping, or a list of mappings, into the one around it",
        ]
    );
}

#[test]
fn an_alias_bomb_ends_at_the_budget_of_values() {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let uses = vec![format!("*a{}", level - 1); 10].join(", ");
        bomb.push_str(&format!("a{level}: &a{level} [{uses}]\n"));
    }
    let found = mistakes(&bomb);
    assert_eq!(found.len(), 1);
    assert!(found[0].contains("the file holds more than 100,000 values"), "{found:?}");
}

#[test]
fn an_alias_bomb_of_long_texts_ends_at_the_budget_of_bytes() {
    let bomb = format!("a: &a {}\nb: [{}]\n", "x".repeat(100_000), vec!["*a"; 1_000].join(", "));
    let found = mistakes(&bomb);
    assert_eq!(found.len(), 1);
    assert!(found[0].contains("the file holds more than 4,194,304 bytes of text"), "{found:?}");
}

#[test]
fn depth_is_bounded_however_it_is_made() {
    for deep in [
        "[".repeat(500_000),
        "{a: ".repeat(200_000),
        "- ".repeat(500_000),
        (0..1_000).map(|level| format!("{}a:\n", " ".repeat(level))).collect(),
        (1..1_000)
            .map(|n| format!("a{n}: &a{n} [{}]\n", if n > 1 { format!("*a{}", n - 1) } else { "x".into() }))
            .collect(),
    ] {
        let found = mistakes(&deep);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains("nested"), "{found:?}");
    }
}

#[test]
fn many_values_end_at_the_budget() {
    let found = mistakes(&"- \n".repeat(340_000));
    assert_eq!(found.len(), 1);
    assert!(found[0].starts_with("100000:"), "{found:?}");
}
