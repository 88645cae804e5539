//! The keys of the language, level by level: the one table that the reader, the JSON Schema and the book are made from.
//! Invariant: every key of the language is here, with what it takes, what it is for and an example.

mod input;
mod job;
mod pipeline;
mod place;
mod step;
mod trigger;

use crate::findings::quoted;
use crate::shape::{Mapping, Shape};

pub(crate) use job::{ENDS, JOB, RETRY};
pub(crate) use pipeline::PIPELINE;
pub(crate) use trigger::{NONE, ON};

/// The keys that may stand in one kind of mapping.
#[derive(Debug)]
pub(crate) struct Level {
    /// The kind of mapping, for people: "a job".
    pub(crate) place: &'static str,
    /// What it is for.
    pub(crate) about: &'static str,
    pub(crate) keys: &'static [Key],
    /// What users of other systems write instead.
    pub(crate) foreign: &'static [Foreign],
}

/// One key of the language.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) shape: &'static Shape,
    /// What it is for, in sentences.
    pub(crate) about: &'static str,
    /// A value of it, as YAML in one line.
    pub(crate) example: &'static str,
    /// What it is where nobody says, as YAML, or in words.
    pub(crate) default: Option<&'static str>,
    /// It must be there; how to write it.
    pub(crate) required: Option<&'static str>,
}

/// A word of another system.
#[derive(Debug)]
pub(crate) struct Foreign {
    word: &'static str,
    /// The key that says it here; empty where there is none.
    key: &'static str,
    hint: &'static str,
}

const fn key(name: &'static str, shape: &'static Shape, about: &'static str) -> Key {
    Key { name, shape, about, example: "", default: None, required: None }
}

const fn foreign(word: &'static str, key: &'static str, hint: &'static str) -> Foreign {
    Foreign { word, key, hint }
}

impl Key {
    const fn example(self, example: &'static str) -> Self {
        Self { example, ..self }
    }

    const fn default(self, default: &'static str) -> Self {
        Self { default: Some(default), ..self }
    }

    const fn required(self, hint: &'static str) -> Self {
        Self { required: Some(hint), ..self }
    }
}

/// What somebody who wrote an unknown key may have meant.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Suggestion {
    /// The key of this level, where there is one.
    pub(crate) key: Option<&'static str>,
    /// What to do.
    pub(crate) hint: Option<String>,
}

impl Level {
    /// A key of this level.
    pub(crate) fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }

    /// What to write instead of a word of another system.
    pub(crate) fn foreign(&self, word: &str) -> Option<&'static str> {
        self.foreign.iter().find(|foreign| foreign.word == word).map(|foreign| foreign.hint)
    }

    /// What may have been meant by a key that is none of this level's.
    pub(crate) fn suggest(&self, unknown: &str) -> Suggestion {
        if let Some(foreign) = self.foreign.iter().find(|foreign| foreign.word == unknown) {
            return Suggestion {
                key: Some(foreign.key).filter(|key| !key.is_empty()),
                hint: Some(foreign.hint.to_owned()),
            };
        }
        if let Some(key) = nearest(unknown, self.keys.iter().map(|key| key.name)) {
            return Suggestion { key: Some(key), hint: Some(format!("did you mean `{key}`?")) };
        }
        let mut elsewhere: Vec<_> = levels()
            .into_iter()
            .filter(|level| level.key(unknown).is_some())
            .map(|level| level.place)
            .collect();
        elsewhere.truncate(4);
        let hint = match elsewhere.split_last() {
            None => {
                let keys: Vec<_> = self.keys.iter().map(|key| key.name).collect();
                format!("the keys of {} are {}", self.place, list(&keys))
            }
            Some((last, [])) => format!("{} is a key of {last}", quoted(unknown)),
            Some((last, others)) => {
                format!("{} is a key of {} and of {last}", quoted(unknown), others.join(", of "))
            }
        };
        Suggestion { key: None, hint: Some(hint) }
    }
}

/// Every level of a pipeline, each once, from the outside in.
pub(crate) fn levels() -> Vec<&'static Level> {
    let mut levels = vec![&PIPELINE];
    let mut at = 0;
    while let Some(level) = levels.get(at).copied() {
        for key in level.keys {
            within(key.shape, &mut levels);
        }
        at += 1;
    }
    levels
}

fn within(shape: &'static Shape, levels: &mut Vec<&'static Level>) {
    if let Some(list) = &shape.list {
        within(list.shape, levels);
    }
    match &shape.mapping {
        Some(Mapping::Level(level)) => add(level, levels),
        Some(Mapping::Names(names)) => within(names.shape, levels),
        Some(Mapping::Both(level, names)) => {
            add(level, levels);
            within(names.shape, levels);
        }
        None => {}
    }
}

fn add(level: &'static Level, levels: &mut Vec<&'static Level>) {
    if !levels.iter().any(|known| known.place == level.place) {
        levels.push(level);
    }
}

/// The longest text for which likenesses are looked for.
const LONGEST: usize = 64;

/// The candidate most like a text, where one is so like it that it may well have been meant.
pub(crate) fn nearest<'c>(text: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    if text.is_empty() || text.len() > LONGEST {
        return None;
    }
    let plain = |text: &str| text.to_lowercase().replace('-', "_");
    let wanted = plain(text);
    let most = (wanted.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .filter(|candidate| candidate.len().abs_diff(text.len()) <= most + 4)
        .map(|candidate| (strsim::osa_distance(&wanted, &plain(candidate)), candidate))
        .filter(|(distance, candidate)| *distance <= most && *distance < candidate.chars().count())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Words in a row, each between backticks, with "and" before the last.
pub(crate) fn list(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [one] => format!("`{one}`"),
        [others @ .., last] => {
            let others: Vec<_> = others.iter().map(|word| format!("`{word}`")).collect();
            format!("{} and `{last}`", others.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn level(place: &str) -> &'static Level {
        levels().into_iter().find(|level| level.place == place).unwrap()
    }

    #[test]
    fn the_key_most_like_what_was_written_is_suggested() {
        let suggested = |place: &str, key: &str| level(place).suggest(key).key;
        assert_eq!(suggested("a job", "need"), Some("needs"));
        assert_eq!(suggested("a job", "Steps"), Some("steps"));
        assert_eq!(suggested("a step", "working-directory"), Some("working_directory"));
        assert_eq!(suggested("a step", "working_dir"), None);
        assert_eq!(suggested("a job", "matirx"), Some("matrix"));
        assert_eq!(suggested("a pipeline", "no"), Some("on"));
        assert_eq!(suggested("a pipeline", "zebra"), None);
        assert_eq!(suggested("a pipeline", &"j".repeat(100_000)), None);
    }

    #[test]
    fn a_key_of_another_level_is_said_to_be_one() {
        assert_eq!(level("a step").suggest("needs").hint.unwrap(), "`needs` is a key of a job");
        assert_eq!(
            level("a step").suggest("every_commit").hint.unwrap(),
            "`every_commit` is a key of `push`"
        );
        assert_eq!(
            level("`push`").suggest("env").hint.unwrap(),
            "`env` is a key of a pipeline, of a job, of a service and of a step"
        );
    }

    #[test]
    fn no_key_is_there_twice_and_no_foreign_word_is_a_key() {
        for level in levels() {
            let names: BTreeSet<_> = level.keys.iter().map(|key| key.name).collect();
            assert_eq!(names.len(), level.keys.len(), "{}", level.place);
            for foreign in level.foreign {
                assert!(level.key(foreign.word).is_none(), "{} {}", level.place, foreign.word);
                assert!(
                    foreign.key.is_empty() || level.key(foreign.key).is_some(),
                    "{} {}",
                    level.place,
                    foreign.key
                );
            }
        }
    }

    #[test]
    fn every_key_says_what_it_is_for_and_shows_how_it_is_written() {
        for level in levels() {
            assert!(level.about.ends_with('.'), "{}", level.place);
            for key in level.keys {
                assert!(key.about.ends_with('.'), "{} of {}", key.name, level.place);
                assert!(!key.example.is_empty(), "{} of {}", key.name, level.place);
            }
        }
    }
}
