//! Where an attempt is carried out, and the lines in front of its log that say so. Invariant: every such line begins with
//! [`NOTE_MARK`] and holds no control character, whatever the names in it are; so a page can fold them.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use branchline_model::{AttemptId, RunDefinition, WorkerId};

/// What every line begins with that Branchline itself writes into a log.
pub const NOTE_MARK: &str = "[branchline] ";

/// Where an attempt is carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// By whom.
    pub worker: WorkerId,
    /// The tree that the steps work in; `None` for a workspace of their own, which goes with the attempt.
    pub in_place: Option<PathBuf>,
}

/// This machine's name.
fn machine() -> String {
    fs::read_to_string("/proc/sys/kernel/hostname")
        .map_or_else(|_| "?".to_owned(), |name| name.trim().to_owned())
}

/// The text as one line that a terminal shows as it is.
pub(crate) fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// The text as one word of a POSIX shell.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-:@+=,%~".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

/// The lines that a log begins with: what this is, and how to do the same at home.
pub(crate) fn preface(attempt: &AttemptId, definition: &RunDefinition, place: &Place) -> String {
    let mut text = String::new();
    let mut line = |words: &str| {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{NOTE_MARK}{}", one_line(words));
    };
    let (pipeline, job, commit) = (&definition.pipeline, &definition.job, &definition.commit);
    line(&format!(
        "run {}, attempt {}, by worker {} on {}",
        attempt.run,
        attempt.number,
        place.worker,
        machine()
    ));
    line(&format!("{pipeline}/{job} of {} at {commit}", definition.repository));
    let command = format!("branchline run {}", quoted(&format!("{pipeline}/{job}")));
    match (&place.in_place, &definition.checkout) {
        (Some(tree), _) => {
            line(&format!("in {}; the same again: {command}", quoted(&tree.to_string_lossy())));
        }
        (None, Some(checkout)) => {
            line("the same at home:");
            let url = quoted(&checkout.url);
            line(&format!("  git clone {url} here && cd here && git checkout {commit} && {command}"));
        }
        (None, None) => line(&format!("the same at home, in a clone of the repository: {command}")),
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_for_the_shell_is_quoted_where_it_must_be() {
        assert_eq!(quoted("https://example.org/a.git"), "https://example.org/a.git");
        assert_eq!(quoted("it's here"), r"'it'\''s here'");
        assert_eq!(quoted(""), "''");
    }

    #[test]
    fn a_name_cannot_begin_a_line_of_its_own() {
        assert_eq!(one_line("a\nb\u{1b}[31m\u{9b}x"), "a\u{fffd}b\u{fffd}[31m\u{fffd}x");
    }
}
