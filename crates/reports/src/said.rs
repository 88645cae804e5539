//! What steps say of themselves in files: outputs and a summary. Invariants: what is kept is bounded; what is not kept is told of.

use std::collections::BTreeMap;
use std::io::{self, Read};

use branchline_model::Summary;

use crate::text::shortened;

/// How much is kept: of a summary, of all outputs together, how many there may be, and how long a name is.
const LONGEST_SUMMARY: usize = 64 << 10;
const MOST_OUTPUT_TEXT: usize = 64 << 10;
const MOST_OUTPUTS: usize = 200;
const LONGEST_NAME: usize = 100;

/// So much of the file of outputs is read.
const LARGEST_FILE: u64 = 1 << 20;

/// So many mistakes are told one by one.
const MOST_NOTES: usize = 10;

/// Outputs, and what is wrong with those that are not among them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outputs {
    /// The values by name.
    pub values: BTreeMap<String, String>,
    /// Sentences about what was left out.
    pub notes: Vec<String>,
}

impl Outputs {
    /// Reads lines of the form `name=value`, and values of several lines, which stand between `name<<END` and a line that is `END` (any
    /// word). A name that comes again replaces what was said before.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn read(input: &mut dyn Read) -> io::Result<Self> {
        let mut bytes = Vec::new();
        input.take(LARGEST_FILE + 1).read_to_end(&mut bytes)?;
        let mut outputs = Self::default();
        if bytes.len() as u64 > LARGEST_FILE {
            bytes.truncate(usize::try_from(LARGEST_FILE).unwrap_or(usize::MAX));
            outputs
                .notes
                .push(format!("outputs: only the first {} MiB of the file are read", LARGEST_FILE >> 20));
        }
        let text = String::from_utf8_lossy(&bytes);
        let mut lines = text.lines().zip(1..);
        let mut wrong = 0;
        while let Some((line, number)) = lines.next() {
            if line.trim().is_empty() {
                continue;
            }
            if let Err(why) = outputs.one(line, &mut lines) {
                wrong += 1;
                if wrong <= MOST_NOTES {
                    outputs.notes.push(format!("outputs, line {number}: {why}: left out"));
                }
            }
        }
        if wrong > MOST_NOTES {
            outputs.notes.push(format!("outputs: {} more lines were left out", wrong - MOST_NOTES));
        }
        Ok(outputs)
    }

    fn one<'a>(
        &mut self,
        line: &str,
        lines: &mut impl Iterator<Item = (&'a str, u32)>,
    ) -> Result<(), String> {
        let (name, value) = match (line.find("<<"), line.find('=')) {
            (Some(mark), equals) if equals.is_none_or(|equals| mark < equals) => {
                let (name, end) = (&line[..mark], line[mark + 2..].trim());
                if end.is_empty() {
                    return Err("`<<` wants a word behind it, which ends the value".to_owned());
                }
                (name.to_owned(), until(end, lines)?)
            }
            (_, Some(equals)) => (line[..equals].to_owned(), line[equals + 1..].to_owned()),
            (_, None) => {
                return Err(format!("`{}` is not of the form name=value", shortened(line, 60)));
            }
        };
        let name = name.trim();
        if !is_name(name) {
            return Err(format!(
                "`{}` is no name: it begins with a letter or `_`, and holds letters, digits, `_` and `-`, at most {LONGEST_NAME}",
                shortened(name, 60)
            ));
        }
        let others = self.values.iter().filter(|(known, _)| *known != name);
        let others: usize = others.map(|(name, value)| name.len() + value.len()).sum();
        if others + name.len() + value.len() > MOST_OUTPUT_TEXT {
            return Err(format!("with `{name}` there are more than {} KiB", MOST_OUTPUT_TEXT >> 10));
        }
        if self.values.len() >= MOST_OUTPUTS && !self.values.contains_key(name) {
            return Err(format!("`{name}` is more than {MOST_OUTPUTS} outputs"));
        }
        self.values.insert(name.to_owned(), value);
        Ok(())
    }
}

/// The lines before the one that is this word.
fn until<'a>(end: &str, lines: &mut impl Iterator<Item = (&'a str, u32)>) -> Result<String, String> {
    let mut value = Vec::new();
    for (line, _) in lines {
        if line.trim_end() == end {
            return Ok(value.join("\n"));
        }
        value.push(line);
    }
    Err(format!("the line `{}` that ends the value is missing", shortened(end, 60)))
}

fn is_name(name: &str) -> bool {
    name.len() <= LONGEST_NAME
        && name.bytes().next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

/// Reads a summary; `None` where nothing is said. `length`: how many bytes the file has.
///
/// # Errors
/// The file cannot be read.
pub fn read_summary(input: &mut dyn Read, length: u64) -> io::Result<Option<Summary>> {
    let mut bytes = Vec::new();
    input.take(LONGEST_SUMMARY as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > LONGEST_SUMMARY {
        bytes.truncate(LONGEST_SUMMARY);
        // At the end of a line, where there is one: half a line of a table says nothing.
        let end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(bytes.len(), |newline| newline + 1);
        bytes.truncate(end);
    }
    let left_out = length.saturating_sub(bytes.len() as u64);
    let text = String::from_utf8_lossy(&bytes).into_owned();
    // A byte that is no text is shown as three.
    let text = match text.len() > LONGEST_SUMMARY {
        true => text[..text.floor_char_boundary(LONGEST_SUMMARY)].to_owned(),
        false => text,
    };
    Ok((!text.trim().is_empty()).then_some(Summary { text, left_out }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Outputs {
        Outputs::read(&mut text.as_bytes()).unwrap()
    }

    fn values(text: &str) -> Vec<(String, String)> {
        let outputs = read(text);
        assert_eq!(outputs.notes, Vec::<String>::new());
        outputs.values.into_iter().collect()
    }

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn a_line_is_an_output_and_so_are_lines_up_to_a_word() {
        let text = "version=1.2\n\nurl=https://x/?a=b<<c\nnotes<<EOF\n# One\nEOF is not here\n\nEOF\nversion=1.3\nempty=\r\n";
        let expected = [
            pair("empty", ""),
            pair("notes", "# One\nEOF is not here\n"),
            pair("url", "https://x/?a=b<<c"),
            pair("version", "1.3"),
        ];
        assert_eq!(values(text), expected);
        assert_eq!(values(""), []);
    }

    #[test]
    fn what_is_no_output_is_told_and_the_others_are_kept() {
        let outputs = read("good=1\nno equals sign\n1st=x\na b=x\n=x\ny<<\nz<<END\nnever ends\n");
        assert_eq!(outputs.values.len(), 1);
        let rule = "is no name: it begins with a letter or `_`, and holds letters, digits, `_` and `-`, at most 100: left out";
        let expected = [
            "outputs, line 2: `no equals sign` is not of the form name=value: left out".to_owned(),
            format!("outputs, line 3: `1st` {rule}"),
            format!("outputs, line 4: `a b` {rule}"),
            format!("outputs, line 5: `` {rule}"),
            "outputs, line 6: `<<` wants a word behind it, which ends the value: left out".to_owned(),
            "outputs, line 7: the line `END` that ends the value is missing: left out".to_owned(),
        ];
        assert_eq!(outputs.notes, expected);
    }

    #[test]
    fn what_is_too_much_is_left_out_and_told() {
        let large = format!("a={}\nb={}\nc=1\n", "x".repeat(60 << 10), "y".repeat(10 << 10));
        let outputs = read(&large);
        assert_eq!(outputs.values.keys().collect::<Vec<_>>(), ["a", "c"]);
        assert_eq!(outputs.notes, ["outputs, line 2: with `b` there are more than 64 KiB: left out"]);
        let many: String = (0..500).map(|number| format!("o{number}=1\n")).collect();
        let outputs = read(&many);
        assert_eq!((outputs.values.len(), outputs.notes.len()), (MOST_OUTPUTS, MOST_NOTES + 1));
        assert_eq!(outputs.notes[MOST_NOTES], "outputs: 290 more lines were left out");
        let endless = format!("a=1\n{}", "b=2\n".repeat(1 << 20));
        assert_eq!(read(&endless).notes, ["outputs: only the first 1 MiB of the file are read"]);
    }

    #[test]
    fn a_summary_is_cut_at_the_end_of_a_line_and_says_how_much_is_missing() {
        let summary = |text: &[u8]| read_summary(&mut &*text, text.len() as u64).unwrap();
        assert_eq!(summary(b" \n"), None);
        assert_eq!(summary(b"# Hi\n"), Some(Summary { text: "# Hi\n".to_owned(), left_out: 0 }));
        let long = "0123456789\n".repeat(10_000);
        let cut = summary(long.as_bytes()).unwrap();
        assert!(cut.text.len() <= LONGEST_SUMMARY && cut.text.ends_with("9\n"));
        assert_eq!(cut.text.len() as u64 + cut.left_out, long.len() as u64);
        assert!(summary(&[0xff; 100_000]).unwrap().text.len() <= LONGEST_SUMMARY);
    }

    proptest! {
        #[test]
        fn whatever_is_in_the_file_is_read_within_bounds(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            let outputs = Outputs::read(&mut bytes.as_slice()).unwrap();
            prop_assert!(outputs.values.len() <= MOST_OUTPUTS && outputs.notes.len() <= MOST_NOTES + 2);
            read_summary(&mut bytes.as_slice(), bytes.len() as u64).unwrap();
        }
    }
}
