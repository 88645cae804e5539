//! Every file of the corpus, and exactly what is said about it. Beside each stands a `.txt`: of a valid file what
//! was read, as JSON; of an invalid one what a person is shown. `UPDATE_EXPECT=1` writes them anew.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use branchline_jobs_schema::{Diagnostics, parse_pipeline, render};

/// Each `.yaml` of a folder gives a text; all must be what stands in the `.txt` beside them, and no `.txt` may be
/// there without its file.
fn check(folder: &str, at_least: usize, describe: impl Fn(&str, &[u8]) -> String) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let update = std::env::var_os("UPDATE_EXPECT").is_some_and(|value| value == "1");
    let mut wrong = Vec::new();
    let files = |ending: &str| -> BTreeSet<PathBuf> {
        fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|other| other == ending))
            .map(|path| path.with_extension(""))
            .collect()
    };
    let sources = files("yaml");
    assert!(sources.len() >= at_least, "only {} files in {}", sources.len(), folder.display());
    for source in &sources {
        // The stem may hold dots.
        let with = |ending: &str| PathBuf::from(format!("{}.{ending}", source.display()));
        let file = with("yaml");
        let shown = file.file_name().unwrap().to_str().unwrap();
        let described = describe(shown, &fs::read(&file).unwrap());
        let expected = with("txt");
        if update {
            fs::write(&expected, &described).unwrap();
        } else {
            match fs::read_to_string(&expected) {
                Ok(text) if text == described => {}
                Ok(text) => wrong.push(format!("{shown}: expected\n{text}\nbut was\n{described}")),
                Err(error) => wrong.push(format!("{}: {error}", expected.display())),
            }
        }
    }
    for stale in files("txt").difference(&sources) {
        wrong.push(format!("{}.txt has no file", stale.display()));
    }
    assert!(wrong.is_empty(), "{}\nUPDATE_EXPECT=1 writes them anew", wrong.join("\n"));
}

fn shown(diagnostics: &Diagnostics, bytes: &[u8]) -> String {
    render(diagnostics, &String::from_utf8_lossy(bytes), false)
}

#[test]
fn every_valid_file_is_read_as_what_stands_beside_it() {
    check("valid", 30, |file, bytes| match parse_pipeline(file, bytes) {
        Ok(pipeline) => {
            let json = serde_json::to_string_pretty(&pipeline).unwrap();
            let again: branchline_jobs_schema::Pipeline = serde_json::from_str(&json).unwrap();
            assert_eq!(again, pipeline, "{file}");
            json + "\n"
        }
        Err(diagnostics) => panic!("{file}:\n{}", shown(&diagnostics, bytes)),
    });
}

#[test]
fn of_every_invalid_file_people_are_told_exactly_what_stands_beside_it() {
    check("invalid", 60, |file, bytes| match parse_pipeline(file, bytes) {
        Ok(pipeline) => panic!("{file} was read as {pipeline:?}"),
        Err(diagnostics) => {
            assert!(!diagnostics.0.is_empty(), "{file}");
            let json = serde_json::to_string(&diagnostics).unwrap();
            assert_eq!(serde_json::from_str::<Diagnostics>(&json).unwrap(), diagnostics, "{file}");
            shown(&diagnostics, bytes)
        }
    });
}
