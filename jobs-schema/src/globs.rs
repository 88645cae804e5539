//! Lists of globs over the names of branches and tags. Invariant: a pattern matches the whole name; `*` and `?`
//! stop at `/`, `**` does not, wherever it stands; a pattern after `!` takes away; the last pattern that matches
//! decides. A list of nothing but `!` patterns starts from every name.

use std::fmt;

use globset::{GlobBuilder, GlobMatcher};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::findings::quoted;

/// The longest pattern, in bytes: no branch or tag has a longer name (git's refs are file names).
const LONGEST: usize = 255;

/// Why a text is not a glob.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum GlobError {
    /// There is no pattern, or nothing after its `!`.
    #[error("a pattern is empty")]
    Empty,
    /// It is longer than 255 bytes.
    #[error("a pattern is longer than {LONGEST} bytes")]
    TooLong,
    /// It cannot be read.
    #[error("{} is not a glob: {why}", quoted(pattern))]
    Malformed {
        /// As written.
        pattern: String,
        /// What is wrong with it.
        why: String,
    },
}

/// A list of globs, in the order written.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct Globs(Vec<Pattern>);

#[derive(Clone)]
struct Pattern {
    /// As written, with its `!`.
    text: String,
    takes_away: bool,
    matcher: GlobMatcher,
}

impl Globs {
    /// Compiles the patterns.
    ///
    /// # Errors
    /// [`GlobError`] of the first that is not one. No pattern at all is [`GlobError::Empty`]: such a list would
    /// match nothing.
    pub fn new<T: AsRef<str>>(patterns: impl IntoIterator<Item = T>) -> Result<Self, GlobError> {
        let patterns: Vec<_> =
            patterns.into_iter().map(|text| Pattern::new(text.as_ref())).collect::<Result<_, _>>()?;
        if patterns.is_empty() { Err(GlobError::Empty) } else { Ok(Self(patterns)) }
    }

    /// The name is wanted.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        match self.decider(name) {
            Some(pattern) => !pattern.takes_away,
            None => self.0.iter().all(|pattern| pattern.takes_away),
        }
    }

    /// The pattern that decided about the name, as written; `None` where none matched.
    #[must_use]
    pub fn deciding(&self, name: &str) -> Option<&str> {
        self.decider(name).map(|pattern| pattern.text.as_str())
    }

    /// The patterns as written.
    pub fn patterns(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|pattern| pattern.text.as_str())
    }

    fn decider(&self, name: &str) -> Option<&Pattern> {
        self.0.iter().rev().find(|pattern| pattern.matcher.is_match(name))
    }
}

impl Pattern {
    fn new(text: &str) -> Result<Self, GlobError> {
        let (takes_away, glob) = match text.strip_prefix('!') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        if glob.is_empty() {
            return Err(GlobError::Empty);
        }
        if text.len() > LONGEST {
            return Err(GlobError::TooLong);
        }
        let compiled = GlobBuilder::new(&everywhere(glob))
            .literal_separator(true)
            .backslash_escape(true)
            .empty_alternates(true)
            .build()
            .map_err(|error| GlobError::Malformed {
                pattern: text.to_owned(),
                why: error.kind().to_string(),
            })?;
        Ok(Self { text: text.to_owned(), takes_away, matcher: compiled.compile_matcher() })
    }
}

/// globset lets `**` pass a `/` only where it stands alone between two of them. Elsewhere (`release**`) it is
/// written out here as what it means: something without a `/`, or something with one.
fn everywhere(glob: &str) -> String {
    let mut written = String::with_capacity(glob.len() + 8);
    let mut rest = glob;
    while let Some(first) = rest.chars().next() {
        let stars = rest.len() - rest.trim_start_matches('*').len();
        let length = match first {
            '*' if stars > 1 => {
                let after = rest.get(stars..).unwrap_or_default();
                let alone = (written.is_empty() || written.ends_with('/'))
                    && (after.is_empty() || after.starts_with('/'));
                written.push_str(if alone { "**" } else { "{*,*/**/*}" });
                rest = after;
                continue;
            }
            '\\' => rest.chars().take(2).map(char::len_utf8).sum(),
            // Within a class a star is a star; a `]` right after the opening is part of the class.
            '[' => {
                let opening = if rest.starts_with("[!") || rest.starts_with("[^") { 3 } else { 2 };
                let from = rest.floor_char_boundary(opening.min(rest.len()));
                rest.get(from..)
                    .and_then(|inner| inner.find(']'))
                    .map_or(rest.len(), |close| from + close + 1)
            }
            other => other.len_utf8(),
        };
        let (taken, after) = rest.split_at(rest.floor_char_boundary(length));
        written.push_str(taken);
        rest = after;
    }
    written
}

impl PartialEq for Globs {
    fn eq(&self, other: &Self) -> bool {
        self.patterns().eq(other.patterns())
    }
}

impl Eq for Globs {}

impl fmt::Debug for Globs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.patterns()).finish()
    }
}

impl TryFrom<Vec<String>> for Globs {
    type Error = GlobError;

    fn try_from(patterns: Vec<String>) -> Result<Self, GlobError> {
        Self::new(patterns)
    }
}

impl From<Globs> for Vec<String> {
    fn from(globs: Globs) -> Self {
        globs.0.into_iter().map(|pattern| pattern.text).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn globs(patterns: &[&str]) -> Globs {
        Globs::new(patterns).unwrap()
    }

    #[test]
    fn one_star_stops_at_a_slash_and_two_do_not() {
        let cases = [
            ("main", "main", true),
            ("main", "maintenance", false),
            ("release/*", "release/1.0", true),
            ("release/*", "release/1.0/fix", false),
            ("release/**", "release/1.0/fix", true),
            ("release/**", "release", false),
            ("release**", "release/1.0/fix", true),
            ("release**", "release", true),
            ("release-**-rc", "release-1/2/3-rc", true),
            ("release-**-rc", "release-1-rc", true),
            ("**", "a/b/c", true),
            ("*", "a/b", false),
            ("**/fix", "fix", true),
            ("**/fix", "a/b/fix", true),
            ("a/**/b", "a/b", true),
            ("a/**/b", "a/x/y/b", true),
            ("v?", "v1", true),
            ("v?", "v/", false),
            ("v?", "v10", false),
            ("v[0-9]*", "v1.2", true),
            ("v[*]", "v*", true),
            ("v[*]", "vx", false),
            ("\\*\\*", "**", true),
            ("\\*\\*", "xx", false),
            ("{main,next}", "next", true),
        ];
        for (pattern, name, expected) in cases {
            assert_eq!(globs(&[pattern]).matches(name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn the_last_pattern_that_matches_decides() {
        let list = globs(&["release/**", "!release/old/**", "release/old/kept"]);
        assert!(list.matches("release/1"));
        assert!(!list.matches("release/old/1"));
        assert!(list.matches("release/old/kept"));
        assert_eq!(list.deciding("release/old/1"), Some("!release/old/**"));
        assert_eq!(list.deciding("main"), None);
        assert!(!list.matches("main"));
    }

    #[test]
    fn a_list_that_only_takes_away_starts_from_every_name() {
        let list = globs(&["!wip/**", "!tmp"]);
        assert!(list.matches("main"));
        assert!(!list.matches("wip/x"));
        assert_eq!(list.deciding("main"), None);
    }

    #[test]
    fn what_is_no_glob_is_refused() {
        assert_eq!(Globs::new(["main", ""]), Err(GlobError::Empty));
        assert_eq!(Globs::new(["!"]), Err(GlobError::Empty));
        assert_eq!(Globs::new([""; 0]), Err(GlobError::Empty));
        assert_eq!(Globs::new(["x".repeat(256)]), Err(GlobError::TooLong));
        for malformed in ["[a", "{a", "a}", "\\", "[", "[!", "[ü"] {
            assert!(matches!(Globs::new([malformed]), Err(GlobError::Malformed { .. })), "{malformed}");
        }
    }

    #[test]
    fn globs_are_stored_as_they_were_written() {
        let list = globs(&["release**", "!x"]);
        let stored = serde_json::to_string(&list).unwrap();
        assert_eq!(stored, r#"["release**","!x"]"#);
        assert_eq!(serde_json::from_str::<Globs>(&stored).unwrap(), list);
        assert!(serde_json::from_str::<Globs>(r#"["[a"]"#).is_err());
    }

    /// The rule itself, without a thought for speed. `**` alone between slashes may also stand for no folder.
    fn by_definition(pattern: &[char], name: &[char], at_start: bool) -> bool {
        match pattern {
            [] => name.is_empty(),
            ['*', '*', '*', rest @ ..] => by_definition(&[&['*', '*'][..], rest].concat(), name, at_start),
            ['*', '*', '/', rest @ ..] if at_start => {
                by_definition(rest, name, true)
                    || (0..name.len())
                        .any(|end| name[end] == '/' && by_definition(rest, &name[end + 1..], true))
            }
            ['*', '*', rest @ ..] => (0..=name.len()).any(|end| by_definition(rest, &name[end..], false)),
            ['*', rest @ ..] => (0..=name.len())
                .take_while(|end| !name[..*end].contains(&'/'))
                .any(|end| by_definition(rest, &name[end..], false)),
            ['?', rest @ ..] => !name.is_empty() && name[0] != '/' && by_definition(rest, &name[1..], false),
            [one, rest @ ..] => name.first() == Some(one) && by_definition(rest, &name[1..], *one == '/'),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn every_glob_matches_what_its_definition_says(
            pattern in "[ab*?/]{1,8}",
            name in "[ab]{1,3}(/[ab]{1,3}){0,3}",
        ) {
            // What git refuses in a name is of no interest: a slash at an end, two in a row.
            prop_assume!(!pattern.starts_with('/') && !pattern.ends_with('/') && !pattern.contains("//"));
            let characters: Vec<char> = pattern.chars().collect();
            let expected = by_definition(&characters, &name.chars().collect::<Vec<_>>(), true);
            prop_assert_eq!(Globs::new([&pattern]).unwrap().matches(&name), expected, "{} {}", pattern, name);
        }

        #[test]
        fn no_pattern_makes_globs_panic(pattern in "\\PC{0,40}", name in "\\PC{0,40}") {
            if let Ok(globs) = Globs::new([&pattern]) {
                let _ = globs.matches(&name);
            }
        }
    }
}
