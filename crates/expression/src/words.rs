//! What a person is told: of text that cannot be read, of an expression that is wrong in its place, and of one that
//! has no value. Everything that this crate says is said below here.

mod evaluation;
mod finding;
mod syntax;

pub(crate) use evaluation::*;
pub(crate) use finding::*;
pub(crate) use syntax::*;

/// The candidate that `word` was most likely meant to be: one edit in three characters, or the same letters.
pub(crate) fn similar<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |text: &str| text.to_lowercase().replace(['_', '-'], "");
    let wanted = plain(word);
    candidates
        .into_iter()
        .filter(|candidate| *candidate != word)
        .map(|candidate| (strsim::osa_distance(&wanted, &plain(candidate)), candidate))
        .filter(|(distance, _)| *distance <= wanted.chars().count().div_ceil(3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// `a`, `b` and `c`; long lists are cut.
pub(crate) fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.into_iter().collect();
    let shown: Vec<String> = names.iter().take(8).map(|name| format!("`{name}`")).collect();
    match (names.len() > 8, shown.split_last()) {
        (_, None) => "nothing".to_owned(),
        (true, _) => format!("{}, …", shown.join(", ")),
        (false, Some((last, []))) => last.clone(),
        (false, Some((last, rest))) => format!("{} and {last}", rest.join(", ")),
    }
}
