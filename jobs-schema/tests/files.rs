//! Files as they come from a commit: which are pipelines, what their names are, and that no file, however it is
//! made, does more than get an answer.

#![expect(clippy::panic, reason = "a test fails by panicking")]

use branchline_jobs_schema::{
    Diagnostics, MAX_FILE_BYTES, Pipeline, is_pipeline_path, parse_pipeline, parse_pipelines, render,
};

const GOOD: &str = "on: push\njobs: {build: {process: true, steps: [make]}}\n";

fn found(text: &[u8]) -> Vec<String> {
    match parse_pipeline(".branchline/ci.yaml", text) {
        Ok(pipeline) => panic!("{pipeline:?}"),
        Err(Diagnostics(found)) => found.into_iter().map(|found| found.message).collect(),
    }
}

#[test]
fn only_yaml_files_right_in_the_folder_are_pipelines() {
    let name = |path: &str| is_pipeline_path(path).map(|name| name.map(|name| name.to_string()));
    assert_eq!(name(".branchline/ci.yaml"), Some(Ok("ci".to_owned())));
    assert_eq!(name(".branchline/release-1.2.yml"), Some(Ok("release-1.2".to_owned())));
    for other in [
        "branchline.yaml",
        "ci.yaml",
        ".branchline/scripts/ci.yaml",
        ".branchline/ci.json",
        ".branchline/README.md",
        ".branchline/",
        "sub/.branchline/ci.yaml",
        "./.branchline/ci.yaml",
        ".branchline/ci.YAML",
    ] {
        assert!(name(other).is_none(), "{other}");
    }
    for bad in [".branchline/.yaml", ".branchline/.ci.yaml", ".branchline/-ci.yaml", ".branchline/a b.yml"] {
        assert!(matches!(name(bad), Some(Err(_))), "{bad}");
    }
}

#[test]
fn the_second_file_with_a_name_is_wrong_and_its_other_mistakes_are_told_too() {
    let files = [
        (".branchline/ci.yaml".to_owned(), GOOD.into()),
        (".branchline/ci.yml".to_owned(), b"on: push".to_vec()),
        (".branchline/nightly.yml".to_owned(), GOOD.into()),
    ];
    let answers = parse_pipelines(&files);
    let shown: Vec<_> = answers
        .iter()
        .map(|(file, answer)| match answer {
            Ok(Pipeline { name, .. }) => format!("{file} is {name}"),
            Err(diagnostics) => diagnostics.to_string(),
        })
        .collect();
    assert_eq!(
        shown,
        [
            ".branchline/ci.yaml is ci",
            ".branchline/ci.yml:1:1: there is a pipeline `ci` already, in `.branchline/ci.yaml` (hint: rename one of \
             the two files)\n.branchline/ci.yml:1:1: the pipeline has no `jobs` (hint: give it at least one: \
             `jobs: {build: {process: true, steps: [make]}}`)",
            ".branchline/nightly.yml is nightly",
        ]
    );
}

#[test]
fn a_file_of_a_mebibyte_is_read_and_one_of_a_byte_more_is_not() {
    let mut text = GOOD.to_owned() + "#";
    text.push_str(&"x".repeat(MAX_FILE_BYTES - text.len()));
    assert!(parse_pipeline("ci.yaml", text.as_bytes()).is_ok());
    text.push('x');
    assert_eq!(found(text.as_bytes()), ["the file has 1,048,577 bytes; a pipeline file has at most 1 MiB"]);
}

#[test]
fn a_mebibyte_of_garbage_gets_few_words() {
    // A generator of its own (xorshift), so that each run sees the same bytes.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[0]
    };
    let bytes: Vec<u8> = (0..MAX_FILE_BYTES).map(|_| random()).collect();
    assert_eq!(found(&bytes).len(), 1);
    let printable: Vec<u8> = bytes.iter().map(|byte| b' ' + byte % 95).collect();
    assert_eq!(found(&printable).len(), 1);
    let lines: Vec<u8> = bytes
        .iter()
        .map(|byte| if byte % 8 == 0 { b'\n' } else { b"abc: -x"[usize::from(byte % 7)] })
        .collect();
    assert!(!found(&lines).is_empty());
}

#[test]
fn much_of_any_one_thing_ends_and_is_refused() {
    // Large enough that work which grows with the square of it would never end in a test.
    const SIZE: usize = 64 * 1024;
    for part in [
        "[",
        "]",
        "{",
        "}",
        "{a: ",
        "- ",
        "-\n",
        "? ",
        "?\n",
        ": ",
        ":",
        ":\n",
        "a: ",
        "a:\n",
        "& ",
        "&a ",
        "&a\n",
        "* ",
        "*a ",
        "*a\n",
        "! ",
        "!a ",
        "!!str ",
        "\"",
        "'",
        "\\",
        "|\n",
        ">\n",
        "%",
        "%a b\n",
        "---\n",
        "...\n",
        "#",
        " ",
        "\n",
        "\t",
        "\r",
        "`",
        "@",
        ",",
        "[,",
        "[[],",
        "{},",
        "x",
        "x\n",
        "x ",
        "ü",
        "漢",
        "\u{85}",
        "\u{2028}",
        "\u{feff}",
        "<<: ",
        "<<: *a\n",
        "a: b\n",
        "on: push\n",
        "- - - x\n",
        "a: &a\n",
        "\"\\x",
        "${{",
        "${{ }}\n",
        "!<",
        "!%",
    ] {
        let text = part.repeat(SIZE / part.len());
        for text in
            [text.clone(), format!("on: push\njobs:\n {text}"), format!("on: {text}"), format!("- [\"{text}")]
        {
            let text = &text.as_bytes()[..text.floor_char_boundary(SIZE)];
            let found = found(text);
            assert!((1..=101).contains(&found.len()), "{part:?}: {} diagnostics", found.len());
        }
    }
}

#[test]
fn a_mebibyte_of_what_takes_longest_ends_and_is_refused() {
    for part in ["?\n", "a:\n", "${{", "[", "\"", "a: &a\n"] {
        for before in ["", "on: ", "env: {A: '"] {
            let text = format!("{before}{}", part.repeat(MAX_FILE_BYTES / part.len()));
            let text = &text.as_bytes()[..MAX_FILE_BYTES.min(text.len())];
            assert!((1..=101).contains(&found(text).len()), "{before:?} {part:?}");
        }
    }
    let script = format!("- run: '{}'", "${{".repeat(MAX_FILE_BYTES / 4));
    let text = format!("on: push\njobs: {{build: {{process: true, steps: [{}]}}}}", &script[2..]);
    assert_eq!(found(text.as_bytes()).len(), 100);
}

#[test]
fn a_file_with_more_mistakes_than_are_kept_still_says_how_many() {
    let text: String = GOOD.to_owned() + &(0..20_000).map(|n| format!("zebra{n}: 1\n")).collect::<String>();
    let found = found(text.as_bytes());
    assert_eq!(found.len(), 101);
    assert_eq!(found[100], "and 19900 more");
}

#[test]
fn the_largest_pipeline_there_can_be_is_read_whole() {
    let jobs: String = (0..1_024)
        .map(|n| {
            let needs: Vec<String> = (n.max(64) - 64..n).map(|other| format!("j{other}")).collect();
            format!("  j{n}: {{process: true, needs: [{}], steps: [true]}}\n", needs.join(", "))
        })
        .collect();
    let pipeline = parse_pipeline("ci.yaml", format!("on: push\njobs:\n{jobs}").as_bytes()).unwrap();
    assert_eq!(pipeline.jobs.len(), 1_024);
    assert_eq!(pipeline.jobs[1_023].needs.len(), 64);
}

#[test]
fn a_number_too_big_for_any_machine_is_still_a_text() {
    let digits = "9".repeat(60);
    let text = format!("env: {{N: {digits}, F: 1e999, X: .inf}}\n{GOOD}");
    let pipeline = parse_pipeline("ci.yaml", text.as_bytes()).unwrap();
    assert_eq!(pipeline.env["N"].text(), digits);
    assert_eq!(pipeline.env["F"].text(), "1e999");
    assert_eq!(pipeline.env["X"].text(), ".inf");
}

#[test]
fn the_file_is_named_as_it_was_given() {
    let diagnostics = parse_pipeline("a\u{1b}[31m/b.yaml", b"").unwrap_err();
    assert_eq!(diagnostics.0[0].file, "a\u{1b}[31m/b.yaml");
    assert!(!render(&diagnostics, "", false).contains('\u{1b}'));
}
