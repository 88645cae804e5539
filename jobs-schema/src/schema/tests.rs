//! The schema against the reader: on every file of the corpus, and on what becomes of them when they are changed.

use std::fs;
use std::path::Path;

use jsonschema::Validator;
use proptest::prelude::*;
use serde_json::Value;

use super::{json_schema, to_json};
use crate::findings::Findings;
use crate::keys::levels;
use crate::parse_pipeline;
use crate::shape::{self, Of, Shape};
use crate::yaml;

fn validator() -> Validator {
    let schema: Value = serde_json::from_str(&json_schema()).unwrap();
    jsonschema::draft202012::new(&schema).unwrap()
}

/// What another program would see of a file, where the file can be read at all.
fn document(text: &str) -> Option<Value> {
    let mut findings = Findings::new("x.yaml", text);
    let root = yaml::read(&mut findings)?;
    findings.is_empty().then(|| to_json(&root))
}

fn corpus(folder: &str) -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
        .into_iter()
        .filter(|path| path.extension().is_some_and(|ending| ending == "yaml"))
        .filter_map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            String::from_utf8(fs::read(&path).unwrap()).ok().map(|text| (name, text))
        })
        .collect()
}

#[test]
fn what_the_reader_takes_the_schema_takes() {
    let validator = validator();
    for (file, text) in corpus("valid") {
        let document = document(text.trim_start_matches('\u{feff}')).unwrap();
        let errors: Vec<String> = validator
            .iter_errors(&document)
            .map(|error| format!("{file}: {error} at {}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{}", errors.join("\n"));
    }
}

#[test]
fn the_schema_refuses_much_of_what_the_reader_refuses() {
    let validator = validator();
    let refused = corpus("invalid")
        .into_iter()
        .filter_map(|(_, text)| document(&text))
        .filter(|document| !validator.is_valid(document))
        .count();
    assert!(refused >= 50, "only {refused}");
}

#[test]
fn every_example_and_default_of_the_table_has_the_form_that_the_table_says() {
    for level in levels() {
        for key in level.keys {
            let defaults = key.default.filter(|_| key.shape.scalar.is_none());
            for text in std::iter::once(key.example).chain(defaults) {
                assert_eq!(wrong_in_form(key.shape, key.name, text), None, "{} of {}", key.name, level.place);
            }
        }
    }
}

fn wrong_in_form(shape: &'static Shape, name: &'static str, text: &str) -> Option<String> {
    let mut findings = Findings::new("x.yaml", text);
    let node = yaml::read(&mut findings)?;
    shape::check(&mut findings, shape, &node, Of::Key(name), node.span);
    if findings.is_empty() { None } else { Some(findings.into_diagnostics().to_string()) }
}

/// Words, texts and structures that stand somewhere in the language.
const PIECES: [&str; 24] = [
    "null",
    "true",
    "false",
    "0",
    "1",
    "-1",
    "1.5",
    "\"5\"",
    "10m",
    "2GiB",
    "x",
    "\"\"",
    "[]",
    "{}",
    "[x]",
    "{a: b}",
    "push",
    "[push]",
    "{job: a}",
    "{run: make}",
    "${{ event.branch }}",
    "\"${{ true }}\"",
    "exit:7",
    "*a",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_the_schema_refuses_the_reader_refuses(
        file in proptest::sample::select(corpus("valid")),
        line in any::<proptest::sample::Index>(),
        piece in proptest::sample::select(PIECES.to_vec()),
        how in 0u8..4,
    ) {
        let (_, text) = file;
        let lines: Vec<&str> = text.lines().collect();
        let at = line.index(lines.len());
        let changed: Vec<String> = lines.iter().enumerate().flat_map(|(index, line)| {
            if index != at {
                return vec![(*line).to_owned()];
            }
            let (before, _) = line.split_once(": ").unwrap_or((line, ""));
            match how {
                0 => vec![],
                1 => vec![format!("{before}: {piece}")],
                2 => vec![(*line).to_owned(), (*line).replacen(": ", "x: ", 1)],
                _ => vec![line.replacen(|c: char| c.is_ascii_digit(), piece, 1)],
            }
        }).collect();
        let text = changed.join("\n");
        thread_local!(static VALIDATOR: Validator = validator());
        if let Some(document) = document(&text)
            && parse_pipeline("x.yaml", text.as_bytes()).is_ok()
        {
            prop_assert!(VALIDATOR.with(|validator| validator.is_valid(&document)), "{text}");
        }
    }
}
