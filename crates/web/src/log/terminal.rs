//! One line of a log as a terminal would leave it: colours are kept, a carriage return and a backspace write over what was
//! there, other control sequences are dropped (ECMA-48; a string sequence ends with BEL or ST, as xterm reads it). Screens
//! are not kept: what moves the cursor to other lines has no effect.
//!
//! No crate does this as pages need it: those that were looked at write style attributes, which the pages' security policy
//! refuses, know no carriage return, and lose their state at the end of a text.

use super::style::Style;

#[derive(Clone, Copy)]
struct Cell {
    letter: char,
    style: Style,
}

/// Writes a line's HTML, beginning with `style`; answers the style at its end. What is not UTF-8 becomes U+FFFD.
pub(crate) fn write_line(bytes: &[u8], mut style: Style, html: &mut String) -> Style {
    let text = String::from_utf8_lossy(bytes);
    if !text.bytes().any(|byte| byte.is_ascii_control() && byte != b'\t' || byte == 0xC2) {
        style.write(&text, html);
        return style;
    }
    let mut cells: Vec<Cell> = Vec::new();
    let mut column = 0usize;
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\r' => column = 0,
            '\u{8}' => column = column.saturating_sub(1),
            '\u{1b}' => match letters.next() {
                Some('[') => control(&mut letters, &mut style, &mut cells, &mut column),
                Some(']' | 'P' | 'X' | '^' | '_') => string(&mut letters),
                // A designation of a character set, and the like: intermediates, then one more.
                Some(' '..='/') => {
                    let _ = letters.by_ref().find(|letter| !(' '..='/').contains(letter));
                }
                Some(_) | None => {}
            },
            '\u{9b}' => control(&mut letters, &mut style, &mut cells, &mut column),
            '\u{90}' | '\u{98}' | '\u{9d}'..='\u{9f}' => string(&mut letters),
            '\t' => put(&mut cells, &mut column, Cell { letter, style }),
            letter if letter.is_control() => {}
            letter => put(&mut cells, &mut column, Cell { letter, style }),
        }
    }
    let mut run = String::new();
    for same in cells.chunk_by(|one, next| one.style == next.style) {
        run.clear();
        run.extend(same.iter().map(|cell| cell.letter));
        if let Some(first) = same.first() {
            first.style.write(&run, html);
        }
    }
    style
}

fn put(cells: &mut Vec<Cell>, column: &mut usize, cell: Cell) {
    match cells.get_mut(*column) {
        Some(there) => *there = cell,
        None => cells.push(cell),
    }
    *column += 1;
}

/// A control sequence: parameters, intermediates, a final letter. Of all there are, colours and erasing in the line count.
fn control(letters: &mut std::str::Chars<'_>, style: &mut Style, cells: &mut Vec<Cell>, column: &mut usize) {
    let mut parameters = String::new();
    for letter in letters.by_ref() {
        match letter {
            ' '..='?' => parameters.push(letter),
            'm' if parameters.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b';' | b':')) => {
                return style.follow(&parameters);
            }
            'K' => return erase(&parameters, cells, column),
            _ => return,
        }
    }
}

/// Erase in line: to its end, to its beginning, or all of it.
fn erase(parameters: &str, cells: &mut Vec<Cell>, column: &mut usize) {
    match parameters {
        "" | "0" => cells.truncate(*column),
        "1" => {
            for cell in cells.iter_mut().take(*column + 1) {
                *cell = Cell { letter: ' ', style: Style::default() };
            }
        }
        "2" => {
            cells.clear();
            *column = 0;
        }
        _ => {}
    }
}

/// A string (a window's title, a link): dropped to its end, at the latest to the line's.
fn string(letters: &mut std::str::Chars<'_>) {
    while let Some(letter) = letters.next() {
        match letter {
            '\u{7}' | '\u{9c}' => return,
            '\u{1b}' => {
                letters.next();
                return;
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn html(bytes: &[u8]) -> String {
        let mut html = String::new();
        write_line(bytes, Style::default(), &mut html);
        html
    }

    #[test]
    fn what_looks_like_html_is_text() {
        insta::assert_snapshot!(html(b"<script>alert('1')</script> & \"quoted\""), @"&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt; &amp; &quot;quoted&quot;");
        insta::assert_snapshot!(html(b"\x1b[31m<b>\x1b[0m</span>"), @r#"<span class="f1">&lt;b&gt;</span>&lt;/span&gt;"#);
    }

    #[test]
    fn colours_become_classes_and_go_on_into_the_next_line() {
        let mut html = String::new();
        let style = write_line(b"\x1b[1;32mgreen", Style::default(), &mut html);
        html.push('|');
        let style = write_line(b"still \x1b[38;2;255;0;0mred\x1b[m", style, &mut html);
        assert_eq!(style, Style::default());
        insta::assert_snapshot!(html, @r#"<span class="tb f2">green</span>|<span class="tb f2">still </span><span class="tb f196">red</span>"#);
    }

    #[test]
    fn a_carriage_return_writes_over_what_was_there() {
        assert_eq!(html(b"10 %\r100 %"), "100 %");
        assert_eq!(html(b"a long line\rshort"), "shortg line");
        assert_eq!(html(b"a long line\r\x1b[Kshort"), "short");
        assert_eq!(html(b"from windows\r"), "from windows");
        assert_eq!(html(b"abd\x08c"), "abc");
        assert_eq!(html(b"gone\x1b[2Kall"), "all");
    }

    #[test]
    fn every_other_sequence_is_dropped() {
        assert_eq!(
            html(b"\x1b]0;a title\x07a\x1b]8;;http://x\x1b\\b\x1b[2Jc\x1b[?25ld\x1b(Be\x1b=f"),
            "abcdef"
        );
        assert_eq!(html(b"cut off \x1b[3"), "cut off ");
        assert_eq!(html(b"\x00a\x07\x7fb"), "ab");
        assert_eq!(html("\u{9b}31mred".as_bytes()), "<span class=\"f1\">red</span>");
    }

    #[test]
    fn what_is_not_utf_8_is_shown_as_such() {
        assert_eq!(html(b"caf\xe9 \xff\t."), "caf\u{fffd} \u{fffd}\t.");
    }
}
