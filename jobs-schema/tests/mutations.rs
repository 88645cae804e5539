//! Two thousand valid files with mistakes in them, always the same ones: none makes the reader panic, and every message
//! stands at a place that is in its file.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;

use branchline_jobs_schema::parse_pipeline;

const FILES: usize = 2_000;

/// A generator of its own (xorshift), so that each run sees the same files.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(bound.max(1)).unwrap()).unwrap()
    }
}

const PIECES: [&str; 30] = [
    "\n",
    "\n  ",
    ": ",
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
    "\t",
    "~",
    "true",
    "1.10",
    "${{ ",
    " }}",
    "needs.",
    "matrix.os",
    "==",
    "(",
    "\u{6f22}",
    "\0",
];

/// One mistake as people and programs make them.
fn mutate(text: &mut String, random: &mut Random) {
    let place = |text: &str, random: &mut Random| text.floor_char_boundary(random.below(text.len() + 1));
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    match random.below(6) {
        0 => {
            let at = place(text, random);
            text.insert_str(at, PIECES[random.below(PIECES.len())]);
        }
        1 => {
            let (one, other) = (place(text, random), place(text, random));
            let (start, end) = (one.min(other), one.max(other).min(one.min(other) + 20));
            text.replace_range(start..text.floor_char_boundary(end), "");
        }
        2 => {
            let mut all = lines(text);
            let (one, other) = (random.below(all.len()), random.below(all.len()));
            if !all.is_empty() {
                all.swap(one, other);
            }
            *text = all.join("\n");
        }
        3 => {
            let mut all = lines(text);
            if !all.is_empty() {
                let line = all[random.below(all.len())].clone();
                let at = random.below(all.len());
                all.insert(at, line);
            }
            *text = all.join("\n");
        }
        4 => {
            let mut all = lines(text);
            let at = random.below(all.len());
            if let Some(line) = all.get_mut(at) {
                *line = if random.below(2) == 0 { format!("  {line}") } else { line.trim_start().to_owned() };
            }
            *text = all.join("\n");
        }
        _ => {
            let at = place(text, random);
            let word = text[at..].find(|c: char| c.is_ascii_alphabetic()).map(|found| at + found);
            if let Some(at) = word {
                text.replace_range(at..=at, "z");
            }
        }
    }
}

#[test]
fn every_message_about_two_thousand_mutated_files_has_a_place_in_its_file() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("valid");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|ending| ending == "yaml"));
    files.sort();
    let texts: Vec<String> = files
        .iter()
        .map(|path| fs::read_to_string(path).unwrap().trim_start_matches('\u{feff}').to_owned())
        .collect();
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let (mut refused, mut messages) = (0, 0);
    for number in 0..FILES {
        let mut text = texts[number % texts.len()].clone();
        for _ in 0..=random.below(3) {
            mutate(&mut text, &mut random);
        }
        let Err(diagnostics) = parse_pipeline("x.yaml", text.as_bytes()) else { continue };
        refused += 1;
        let lines: Vec<usize> = text.split('\n').map(|line| line.chars().count()).collect();
        for found in &diagnostics.0 {
            messages += 1;
            let length = lines.get(found.line.wrapping_sub(1));
            assert!(length.is_some_and(|length| (1..=length + 1).contains(&found.column)), "{found}\n{text}");
            assert!(!found.message.is_empty() && found.file == "x.yaml", "{found:?}");
        }
    }
    // Otherwise the files were not changed, or all alike.
    assert!(
        refused > FILES / 2 && refused < FILES && messages > refused,
        "{refused} refused, {messages} messages"
    );
}
