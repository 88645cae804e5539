//! What an expression is evaluated with: the names that have values, and what the functions answer.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::Value;

/// The values that are known when an expression is evaluated.
///
/// Every declared name belongs in it, null where it has no value here: of `inputs`, `matrix`, `needs` and the cells
/// of a need, whichever key is missing is taken for a name that does not exist. What is the same in every pipeline,
/// such as the fields of `event`, is null where it is left out.
#[derive(Clone, Default)]
pub struct Values<'a> {
    pub(crate) names: Vec<(Arc<str>, Value)>,
    pub(crate) hidden: Vec<Vec<String>>,
    pub(crate) standing: Option<Standing>,
    pub(crate) files: Option<&'a dyn Files>,
}

impl<'a> Values<'a> {
    /// No name is known.
    #[must_use]
    pub fn new() -> Values<'a> {
        Values::default()
    }

    /// Makes a name known, or gives it another value.
    #[must_use]
    pub fn with(mut self, name: &str, value: Value) -> Values<'a> {
        match self.names.iter_mut().find(|(known, _)| &**known == name) {
            Some((_, old)) => *old = value,
            None => self.names.push((name.into(), value)),
        }
        self
    }

    /// What a name is; `None` where it is not known.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.names.iter().find(|(known, _)| &**known == name).map(|(_, value)| value)
    }

    /// Never shows the value of this path (`["inputs", "token"]`), nor of what lies below: it is seen as `***`.
    #[must_use]
    pub fn hiding(mut self, path: impl IntoIterator<Item = impl Into<String>>) -> Values<'a> {
        self.hidden.push(path.into_iter().map(Into::into).collect());
        self
    }

    /// Makes `success()`, `failure()`, `always()` and `cancelled()` known.
    #[must_use]
    pub fn standing(mut self, standing: Standing) -> Values<'a> {
        self.standing = Some(standing);
        self
    }

    /// Makes `changed(…)` and `hash(…)` known.
    #[must_use]
    pub fn files(mut self, files: &'a dyn Files) -> Values<'a> {
        self.files = Some(files);
        self
    }
}

/// How it went so far: with a job's needs, or with a run's earlier steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Nothing failed, and nothing was cancelled: `success()`.
    Succeeding,
    /// Something failed: `failure()`.
    Failed,
    /// Somebody cancelled it: `cancelled()`.
    Cancelled,
    /// Nothing failed and nothing was cancelled, but something that is needed was skipped: none of the three.
    Skipped,
}

/// What can be said of files at the commit.
pub trait Files {
    /// Whether a changed file matches one of these globs.
    ///
    /// # Errors
    /// Why that cannot be said, in words.
    fn changed(&self, globs: &[String]) -> Result<Changed, String>;

    /// A hash over the contents of these files.
    ///
    /// # Errors
    /// Why there is none, in words.
    fn hash(&self, files: &[String]) -> Result<String, String>;
}

/// What `changed(…)` says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// The answer.
    pub holds: bool,
    /// Why, in words: "src/main.rs changed".
    pub because: String,
}

/// Answers that were collected before, for each call that [`Expression::calls`](crate::Expression::calls) names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answers {
    changed: Vec<(Vec<String>, Changed)>,
    hash: Vec<(Vec<String>, String)>,
}

impl Answers {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changed.is_empty() && self.hash.is_empty()
    }

    /// Keeps what `changed` says to these globs.
    pub fn keep_changed(&mut self, globs: &[String], answer: Changed) {
        keep(&mut self.changed, globs, answer);
    }

    /// Keeps what `hash` says to these files.
    pub fn keep_hash(&mut self, files: &[String], answer: String) {
        keep(&mut self.hash, files, answer);
    }
}

fn keep<T>(answers: &mut Vec<(Vec<String>, T)>, question: &[String], answer: T) {
    match answers.iter_mut().find(|(known, _)| known == question) {
        Some((_, old)) => *old = answer,
        None => answers.push((question.to_vec(), answer)),
    }
}

fn kept<T: Clone>(answers: &[(Vec<String>, T)], question: &[String]) -> Result<T, String> {
    let answer = answers.iter().find(|(known, _)| known == question).map(|(_, answer)| answer.clone());
    answer.ok_or_else(|| "nothing was found out about these files beforehand".to_owned())
}

impl Files for Answers {
    fn changed(&self, globs: &[String]) -> Result<Changed, String> {
        kept(&self.changed, globs)
    }

    fn hash(&self, files: &[String]) -> Result<String, String> {
        kept(&self.hash, files).map_err(|_| {
            format!(
                "`{}` is no file of this commit: name files as they are, not by patterns",
                files.join("`, `")
            )
        })
    }
}
