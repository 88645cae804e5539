//! Which files are meant. Invariant: a pattern stays within the workspace; one that names a folder means all that is in it; the last
//! pattern that matches a path, or a folder around it, decides.

use branchline_jobs_schema::Globs;

use crate::ArchiveError;

/// Files that are meant, as globs from the workspace on.
#[derive(Clone, Debug)]
pub struct Choice {
    globs: Globs,
    /// The folders in which the patterns look, in parts: what stands before the first sign that is not literal.
    literal: Vec<Vec<String>>,
}

/// Whether a path is chosen, or would be if the folder around it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Chosen(pub(crate) bool);

impl Choice {
    /// Reads patterns; one after `!` takes out again.
    ///
    /// # Errors
    /// [`ArchiveError::Pattern`].
    pub fn new<T: AsRef<str>>(patterns: impl IntoIterator<Item = T>) -> Result<Self, ArchiveError> {
        let patterns: Vec<String> =
            patterns.into_iter().map(|text| cleaned(text.as_ref())).collect::<Result<_, _>>()?;
        let globs = Globs::new(&patterns).map_err(|error| ArchiveError::Pattern {
            pattern: patterns.join(", "),
            why: error.to_string(),
        })?;
        let positive = patterns.iter().filter(|pattern| !pattern.starts_with('!'));
        Ok(Self { literal: positive.map(|pattern| literal(pattern)).collect(), globs })
    }

    /// The patterns, for people.
    #[must_use]
    pub fn words(&self) -> String {
        let quoted: Vec<String> = self.globs.patterns().map(|pattern| format!("`{pattern}`")).collect();
        quoted.join(", ")
    }

    /// What holds of the workspace itself.
    pub(crate) fn at_the_top(&self) -> Chosen {
        Chosen(self.literal.is_empty())
    }

    /// What holds of a path in a folder of which this holds.
    pub(crate) fn of(&self, path: &str, around: Chosen) -> Chosen {
        match self.globs.deciding(path) {
            Some(pattern) => Chosen(!pattern.starts_with('!')),
            // Nobody means git's own files by `**`.
            None if path == ".git" => Chosen(false),
            None => around,
        }
    }

    /// Whether git's own folder is named, rather than only met.
    pub(crate) fn names_git(&self) -> bool {
        self.literal.iter().any(|parts| parts.first().is_some_and(|first| first == ".git"))
    }

    /// Whether anything in this folder can be chosen, although it is not itself.
    pub(crate) fn may_be_in(&self, folder: &str) -> bool {
        let parts: Vec<&str> = folder.split('/').collect();
        self.literal.iter().any(|literal| literal.iter().zip(&parts).all(|(one, other)| one == other))
    }

    /// Whether a pattern leads through this path to what it names.
    pub(crate) fn leads_through(&self, path: &str) -> bool {
        let parts: Vec<&str> = path.split('/').collect();
        self.literal.iter().any(|literal| {
            literal.len() > parts.len() && literal.iter().zip(&parts).all(|(one, other)| one == other)
        })
    }

    /// The folder from which on paths are kept: the deepest one that all patterns name. `is_folder` says whether a path that a
    /// pattern names is one.
    pub(crate) fn base(&self, is_folder: impl Fn(&str) -> bool) -> String {
        let mut base: Option<Vec<String>> = None;
        for (literal, pattern) in self.literal.iter().zip(self.positive()) {
            let mut folder = literal.clone();
            if folder.join("/") == pattern && !is_folder(pattern) {
                folder.pop();
            }
            base = Some(match base {
                None => folder,
                Some(base) => base
                    .into_iter()
                    .zip(folder)
                    .take_while(|(one, other)| one == other)
                    .map(|(one, _)| one)
                    .collect(),
            });
        }
        base.unwrap_or_default().join("/")
    }

    fn positive(&self) -> impl Iterator<Item = &str> {
        self.globs.patterns().filter(|pattern| !pattern.starts_with('!'))
    }
}

/// The pattern without what makes no difference.
fn cleaned(text: &str) -> Result<String, ArchiveError> {
    let (mark, mut path) = match text.strip_prefix('!') {
        Some(path) => ("!", path),
        None => ("", text),
    };
    let refused = |why: &str| ArchiveError::Pattern { pattern: text.to_owned(), why: why.to_owned() };
    if path.starts_with('/') {
        return Err(refused("it is to begin in the workspace, without `/` in front"));
    }
    if path.split('/').any(|part| part == "..") {
        return Err(refused("`..` leads out of the workspace"));
    }
    while let Some(rest) = path.strip_prefix("./") {
        path = rest;
    }
    let path = match path.trim_end_matches('/') {
        "." => "**",
        path => path,
    };
    if path.is_empty() { Err(refused("it is empty")) } else { Ok(format!("{mark}{path}")) }
}

/// The parts of a pattern before the first one that is not literal.
fn literal(pattern: &str) -> Vec<String> {
    let is_literal = |part: &&str| !part.contains(['*', '?', '[', '{', '\\']);
    pattern.split('/').take_while(is_literal).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(patterns: &[&str], folders: &[&str]) -> String {
        Choice::new(patterns).unwrap().base(|path| folders.contains(&path))
    }

    #[test]
    fn paths_are_kept_from_the_deepest_folder_on_that_all_patterns_name() {
        assert_eq!(base(&["target/release/app"], &[]), "target/release");
        assert_eq!(base(&["dist"], &["dist"]), "dist");
        assert_eq!(base(&["./dist/"], &["dist"]), "dist");
        assert_eq!(base(&["target/**/*.xml", "!target/old/**"], &[]), "target");
        assert_eq!(base(&["a/b/c.txt", "a/d/**"], &[]), "a");
        assert_eq!(base(&["a/x", "b/x"], &[]), "");
        assert_eq!(base(&["."], &[]), "");
    }

    #[test]
    fn a_pattern_that_leads_out_of_the_workspace_is_refused() {
        for pattern in ["/etc/passwd", "../x", "a/../../x", "", "!", "./"] {
            assert!(matches!(Choice::new([pattern]), Err(ArchiveError::Pattern { .. })), "{pattern}");
        }
        assert!(Choice::new(["a..b/...", "..."]).is_ok());
    }
}
