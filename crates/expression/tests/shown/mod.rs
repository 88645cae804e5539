//! Errors as a person sees them.

/// Each text, and what is said of it.
pub fn sections(texts: &[&str], say: impl Fn(&str) -> String) -> String {
    texts.iter().map(|text| format!("{}\n\n", say(text))).collect()
}

/// One line of text, with a caret under each character that is meant.
pub fn excerpt(text: &str, offset: usize, len: usize, message: &str, hint: Option<&str>) -> String {
    assert!(len > 0, "{text}: {message}: no length");
    assert!(text.is_char_boundary(offset), "{text}: {message}: {offset} is within a character");
    let column = text[..offset].chars().count();
    let end = (offset + len).min(text.len());
    let carets = text.get(offset..end).unwrap_or_default().chars().count().max(1);
    let hint = hint.map(|hint| format!("\n  hint: {hint}")).unwrap_or_default();
    format!("{text}\n{}{} {message}{hint}", " ".repeat(column), "^".repeat(carets))
}

/// Compares with what was said before.
macro_rules! assert_said {
    ($said:expr) => {
        insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
            insta::assert_snapshot!($said);
        })
    };
}
pub(crate) use assert_said;
