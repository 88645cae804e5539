//! Why files cannot be kept, or laid out.

use std::io;

/// Why files cannot be kept, or laid out.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// What is to be kept is not said as it must be.
    #[error("`{pattern}` cannot be used as a path: {why}")]
    Pattern {
        /// As written.
        pattern: String,
        /// What is wrong.
        why: String,
    },
    /// There is no such file.
    #[error("nothing in the workspace matches {patterns}")]
    Nothing {
        /// What was looked for.
        patterns: String,
    },
    /// A link leads out of what is kept.
    #[error(
        "`{path}` is a link to `{target}`, which is not within what is kept: copy what it leads to, or leave it out with `!{path}`"
    )]
    Link {
        /// Where it is.
        path: String,
        /// What it says.
        target: String,
    },
    /// A folder on the way is a link.
    #[error("`{path}` is a link, and links are not followed: name the folder itself")]
    LinkOnTheWay {
        /// Where it is.
        path: String,
    },
    /// It is neither a file nor a folder nor a link.
    #[error("`{path}` is {kind}, which cannot be kept: leave it out with `!{path}`")]
    Special {
        /// Where it is.
        path: String,
        /// What it is.
        kind: &'static str,
    },
    /// It was changed while it was read.
    #[error("`{path}` was changed while it was read")]
    Changed {
        /// Which.
        path: String,
    },
    /// There are too many files, or folders within one another.
    #[error("there are more than {most} {what}: pack them into one file first")]
    TooMany {
        /// How many.
        most: usize,
        /// Of what.
        what: &'static str,
    },
    /// The archive is not one that was made here.
    #[error("the archive cannot be unpacked: {why}")]
    Foreign {
        /// What is wrong.
        why: String,
    },
    /// The file system refused.
    #[error("cannot {doing} `{path}`: {source}")]
    Failed {
        /// What was tried.
        doing: &'static str,
        /// With what.
        path: String,
        /// Why.
        source: io::Error,
    },
}

impl ArchiveError {
    pub(crate) fn failed<E: Into<io::Error>>(
        doing: &'static str,
        path: impl Into<String>,
    ) -> impl FnOnce(E) -> Self {
        let path = path.into();
        move |error| Self::Failed { doing, path, source: error.into() }
    }
}
