//! Text that is kept. Invariant: it is never longer than it may be, and shows where it was cut.

/// The text, cut to so many bytes.
pub(crate) fn shortened(text: &str, most: usize) -> String {
    let text = text.trim();
    if text.len() <= most {
        return text.to_owned();
    }
    let mut short = text[..text.floor_char_boundary(most)].trim_end().to_owned();
    short.push('…');
    short
}

/// The first line that says anything.
pub(crate) fn first_line(text: &str) -> &str {
    text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default()
}
