//! Properties of every text there is: it is read or refused, never more, and what is refused is refused at a place
//! that is in it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;

use branchline_jobs_schema::{Diagnostics, Pipeline, parse_pipeline, render};
use proptest::prelude::*;

/// Every diagnostic is about a place in the text, and can be shown; what was read can be stored and read again.
fn check(bytes: &[u8]) -> Result<(), TestCaseError> {
    let diagnostics = match parse_pipeline("x.yaml", bytes) {
        Ok(pipeline) => {
            let stored = serde_json::to_string(&pipeline).unwrap();
            prop_assert_eq!(serde_json::from_str::<Pipeline>(&stored).unwrap(), pipeline);
            return Ok(());
        }
        Err(diagnostics) => diagnostics,
    };
    let text = String::from_utf8_lossy(bytes);
    let lines: Vec<usize> =
        text.strip_prefix('\u{feff}').unwrap_or(&text).split('\n').map(|line| line.chars().count()).collect();
    let Diagnostics(found) = &diagnostics;
    prop_assert!((1..=101).contains(&found.len()));
    let mut before = (0, 0);
    for one in found {
        let place = (one.line, one.column);
        prop_assert!(one.line >= 1 && one.line <= lines.len(), "{} of {} lines", one, lines.len());
        let length = lines[one.line - 1];
        prop_assert!(one.column >= 1 && one.column <= length + 1, "{} in a line of {}", one, length);
        prop_assert!(one.column + one.length.unwrap_or(0) <= length + 1, "{one:?} in a line of {length}");
        prop_assert!(before <= place, "{} comes after {:?}", one, before);
        prop_assert!(!one.message.chars().any(char::is_control), "{:?}", one.message);
        before = place;
    }
    for colour in [false, true] {
        let shown = render(&diagnostics, &text, colour);
        prop_assert_eq!(shown.matches(" x.yaml:").count(), found.len());
    }
    Ok(())
}

fn corpus() -> Vec<Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files: Vec<_> = ["valid", "invalid"]
        .iter()
        .flat_map(|folder| fs::read_dir(root.join(folder)).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "yaml"))
        .collect();
    files.sort();
    // The few big ones would take most of the time and show nothing new.
    files.into_iter().map(|path| fs::read(path).unwrap()).filter(|bytes| bytes.len() < 4_000).collect()
}

/// Pieces that mean something to YAML or to the language.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        proptest::sample::select(vec![
            "\n",
            "\n  ",
            "\n    - ",
            ": ",
            ":",
            "- ",
            "[",
            "]",
            "{",
            "}",
            ",",
            "\"",
            "'",
            "|",
            ">",
            "&a ",
            "*a",
            "!t ",
            "<<: *a\n",
            "#",
            "%",
            "---\n",
            "...\n",
            "\t",
            "\r",
            "\r\n",
            "\u{feff}",
            "~",
            "null",
            "true",
            "1.10",
            "on",
            "push",
            "jobs",
            "steps",
            "needs",
            "run",
            "env",
            "process: true",
            "timeout: 5m",
            "${{ x }}",
            "matrix: 1\n",
            "漢",
            "\0",
            "\\0",
            "? ",
        ])
        .prop_map(|piece| piece.as_bytes().to_vec()),
        proptest::collection::vec(any::<u8>(), 1..4),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_are_refused_at_a_place_that_is_in_them(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        check(&bytes)?;
    }

    #[test]
    fn random_text_is_refused_at_a_place_that_is_in_it(text in "\\PC{0,200}") {
        check(text.as_bytes())?;
    }

    #[test]
    fn pieces_of_the_language_in_any_order_are_read_or_refused(pieces in proptest::collection::vec(piece(), 0..60)) {
        check(&pieces.concat())?;
    }

    #[test]
    fn a_file_that_was_changed_anywhere_is_read_or_refused(
        file in proptest::sample::select(corpus()),
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), 0usize..8, piece()), 1..5),
    ) {
        let mut bytes = file;
        for (at, taken, put) in changes {
            let start = at.index(bytes.len() + 1);
            let end = (start + taken).min(bytes.len());
            bytes.splice(start..end, put);
        }
        check(&bytes)?;
    }
}

#[test]
fn every_file_of_the_corpus_keeps_the_same_properties() {
    for file in corpus() {
        check(&file).unwrap();
    }
}
