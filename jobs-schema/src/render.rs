//! Diagnostics with excerpts of the file, as a terminal shows them. Invariant: whatever is in the file, an excerpt
//! is a few short lines: long lines are cut around what is marked, and control characters are shown as pictures
//! of themselves, so that no file can move the cursor of who reads about it.

use unicode_width::UnicodeWidthChar;

use crate::{Diagnostic, Diagnostics};

/// How many characters of a line are shown before and after the place that is marked.
const AROUND: usize = 60;

/// Renders all of one file's diagnostics, a blank line between each two, each as
///
/// ```text
/// error: what is wrong
///  --> file:line:column
///   |
/// 3 |     the line
///   |         ^^^^
/// hint: what to do about it
/// ```
///
/// `text` is the file's; what is not UTF-8 in it may have been replaced. `colour`: with ANSI colours.
#[must_use]
pub fn render(diagnostics: &Diagnostics, text: &str, colour: bool) -> String {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let lines: Vec<&str> = text.split('\n').collect();
    let mut rendered = String::new();
    for (index, diagnostic) in diagnostics.0.iter().enumerate() {
        if index > 0 {
            rendered.push('\n');
        }
        let line =
            diagnostic.line.checked_sub(1).and_then(|line| lines.get(line)).copied().unwrap_or_default();
        rendered.push_str(&one(diagnostic, line.trim_end_matches('\r'), colour));
    }
    rendered
}

fn one(diagnostic: &Diagnostic, line: &str, colour: bool) -> String {
    let paint = |style: &str, text: &str| match colour {
        true => format!("\u{1b}[{style}m{text}\u{1b}[0m"),
        false => text.to_owned(),
    };
    let cut = Cut::around(line, diagnostic.column.saturating_sub(1), diagnostic.length.unwrap_or(1));
    let number = diagnostic.line.to_string();
    let margin = " ".repeat(number.len());
    let bar = paint(FRAME, "|");
    let caret = paint(ERROR, &"^".repeat(cut.marked.max(1)));
    let place = format!("{}:{}:{}", single_line(&diagnostic.file), diagnostic.line, diagnostic.column);
    let mut rendered = format!(
        "{}{} {}\n{margin}{} {place}\n{margin} {bar}\n{} {bar} {}\n{margin} {bar} {}{caret}\n",
        paint(ERROR, "error"),
        paint(STRONG, ":"),
        paint(STRONG, &single_line(&diagnostic.message)),
        paint(FRAME, "-->"),
        paint(FRAME, &number),
        cut.text,
        " ".repeat(cut.before),
    );
    if let Some(hint) = &diagnostic.hint {
        rendered.push_str(&format!("{} {}\n", paint(HINT, "hint:"), single_line(hint)));
    }
    rendered
}

/// ANSI styles (ECMA-48, "select graphic rendition"): bold red, bold, bold blue, bold cyan.
const ERROR: &str = "1;31";
const STRONG: &str = "1";
const FRAME: &str = "1;34";
const HINT: &str = "1;36";

fn single_line(text: &str) -> String {
    text.chars().map(visible).collect()
}

/// A line, or the part of a long one that is shown, and what of it is marked, in columns of a terminal.
struct Cut {
    text: String,
    before: usize,
    marked: usize,
}

impl Cut {
    fn around(line: &str, column: usize, length: usize) -> Self {
        let is_long = line.chars().nth(2 * AROUND).is_some();
        let from = if is_long { column.saturating_sub(AROUND) } else { 0 };
        let length = length.min(AROUND);
        let mut cut = Self { text: String::new(), before: 0, marked: 0 };
        if from > 0 {
            cut.text.push('…');
            cut.before += 1;
        }
        let mut characters = line.chars().enumerate().skip(from);
        for (index, character) in characters.by_ref().take(2 * AROUND + length) {
            let shown = visible(character);
            let width = shown.width().unwrap_or_default();
            if index < column {
                cut.before += width;
            } else if index < column + length {
                cut.marked += width;
            }
            cut.text.push(shown);
        }
        if characters.next().is_some() {
            cut.text.push('…');
        }
        cut
    }
}

/// A character that takes the place of one that would not stay in its own: a tab becomes a blank, so that the
/// caret stands below what it marks.
fn visible(character: char) -> char {
    match character {
        '\t' => ' ',
        '\u{0}'..='\u{1f}' => char::from_u32(u32::from(character) + 0x2400).unwrap_or('\u{fffd}'),
        '\u{7f}' => '\u{2421}',
        '\u{80}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
            '\u{fffd}'
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(line: usize, column: usize, length: Option<usize>, text: &str, colour: bool) -> String {
        let diagnostic = Diagnostic {
            file: ".branchline/ci.yaml".into(),
            line,
            column,
            length,
            message: "wrong".into(),
            hint: Some("do".into()),
        };
        render(&Diagnostics(vec![diagnostic]), text, colour)
    }

    #[test]
    fn an_excerpt_stands_between_the_message_and_the_hint() {
        let text = "\n".repeat(9) + "  needs: x\r\n";
        assert_eq!(
            shown(10, 3, Some(5), &text, false),
            "error: wrong\n  --> .branchline/ci.yaml:10:3\n   |\n10 |   needs: x\n   |   ^^^^^\nhint: do\n"
        );
    }

    #[test]
    fn the_caret_stands_below_what_it_marks_whatever_comes_before_it() {
        for before in ["\t", "漢", "🚀", "e\u{301}", "\u{1b}", "\u{202e}", "ü"] {
            let text = format!("{before}x");
            let shown = shown(1, text.chars().count(), Some(1), &text, false);
            let lines: Vec<&str> = shown.lines().collect();
            let to_mark = lines[3].strip_suffix('x').unwrap();
            let columns: usize = to_mark.chars().map(|c| c.width().unwrap()).sum();
            assert_eq!(lines[4].find('^'), Some(columns), "{shown}");
        }
    }

    #[test]
    fn a_long_line_is_cut_around_what_is_marked() {
        let text = "a".repeat(500_000) + "MARK" + &"b".repeat(500_000);
        let shown = shown(1, 500_001, Some(4), &text, false);
        assert!(shown.len() < 500, "{} bytes", shown.len());
        let lines: Vec<&str> = shown.lines().collect();
        assert_eq!(lines[3], format!("1 | …{}MARK{}…", "a".repeat(60), "b".repeat(60)));
        assert_eq!(lines[4], format!("  | {}^^^^", " ".repeat(61)));
    }

    #[test]
    fn a_place_outside_of_the_text_still_gives_an_excerpt() {
        assert!(shown(7, 9, None, "x", false).contains("7 | \n  | ^\n"));
        assert!(shown(0, 0, Some(0), "", false).contains("0 | \n"));
    }

    #[test]
    fn colours_change_nothing_but_colours() {
        let plain = shown(1, 1, Some(2), "on: x", false);
        let coloured = shown(1, 1, Some(2), "on: x", true);
        assert!(coloured.contains("\u{1b}[1;31merror\u{1b}[0m"));
        let mut stripped = String::new();
        let mut rest = coloured.as_str();
        while let Some((before, after)) = rest.split_once('\u{1b}') {
            stripped.push_str(before);
            rest = after.split_once('m').unwrap().1;
        }
        assert_eq!(stripped + rest, plain);
    }
}
