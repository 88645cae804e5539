//! Why a pipeline was built or not, typed, and the one place where these reasons become words.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::PipelineName;

/// Why a pipeline was built, or was not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum Reason {
    /// The event matches the pipeline's `on`.
    Matched {
        /// The pipeline.
        pipeline: PipelineName,
        /// The key that matched, as `on.push`.
        trigger: String,
        /// The pattern that decided, where there was one.
        pattern: Option<String>,
        /// What was taken for granted, as that everything changed, and why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<String>,
    },
    /// The pipeline has no such trigger.
    NoTrigger {
        /// The pipeline.
        pipeline: PipelineName,
        /// The key that is missing, as `on.push`.
        trigger: String,
    },
    /// The trigger is there, but its filter does not match.
    FilteredOut {
        /// The pipeline.
        pipeline: PipelineName,
        /// The key that filtered, as `on.push.branches`.
        filter: String,
        /// What was compared with it.
        value: String,
        /// The pattern that took it away; `None` where none matched.
        pattern: Option<String>,
    },
    /// The trigger is there, but none of the files that changed matches its filter.
    NothingChanged {
        /// The pipeline.
        pipeline: PipelineName,
        /// The key that filtered, as `on.push.paths`.
        filter: String,
        /// How many files changed.
        files: usize,
    },
    /// The pull request has none of the labels that are wanted.
    NoLabel {
        /// The pipeline.
        pipeline: PipelineName,
        /// Those that are wanted.
        wanted: Vec<String>,
    },
    /// The trigger matches, and the head commit's message asks for no build.
    SkipAsked {
        /// The pipeline.
        pipeline: PipelineName,
        /// The words, as `[skip ci]`.
        marker: String,
    },
    /// The pipeline says `disabled: true`.
    Disabled {
        /// The pipeline.
        pipeline: PipelineName,
    },
    /// The inputs do not fit those that the pipeline declares.
    BadInputs {
        /// The pipeline.
        pipeline: PipelineName,
        /// What is wrong, each with what to do.
        problems: Vec<String>,
    },
    /// The file is wrong.
    Invalid {
        /// The file.
        file: String,
        /// How many errors it has.
        errors: usize,
    },
    /// The commit holds no pipeline at all.
    NoPipelines,
    /// The pipeline that was asked for is not there.
    NoSuchPipeline {
        /// What was asked for.
        pipeline: PipelineName,
        /// What there is.
        known: Vec<PipelineName>,
    },
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Matched { pipeline, trigger, pattern, note } => {
                match pattern {
                    Some(pattern) => write!(f, "{pipeline}: built, `{trigger}` matches with `{pattern}`")?,
                    None => write!(f, "{pipeline}: built, it has `{trigger}`")?,
                }
                note.as_ref().map_or(Ok(()), |note| write!(f, " ({note})"))
            }
            Self::NoTrigger { pipeline, trigger } => {
                write!(f, "{pipeline}: not built, it has no `{trigger}`")
            }
            Self::FilteredOut { pipeline, filter, value, pattern: Some(pattern) } => {
                write!(f, "{pipeline}: not built, `{filter}` takes `{value}` away with `{pattern}`")
            }
            Self::FilteredOut { pipeline, filter, value, pattern: None } => {
                write!(f, "{pipeline}: not built, nothing in `{filter}` matches `{value}`")
            }
            Self::NothingChanged { pipeline, filter, files: 0 } => {
                write!(f, "{pipeline}: not built, no file changed, and `{filter}` asks for one")
            }
            Self::NothingChanged { pipeline, filter, files: 1 } => {
                write!(f, "{pipeline}: not built, nothing in `{filter}` matches the one file that changed")
            }
            Self::NothingChanged { pipeline, filter, files } => {
                write!(
                    f,
                    "{pipeline}: not built, nothing in `{filter}` matches any of the {files} changed files"
                )
            }
            Self::NoLabel { pipeline, wanted } => {
                write!(
                    f,
                    "{pipeline}: not built, the pull request has none of the labels {}",
                    wanted.join(", ")
                )
            }
            Self::SkipAsked { pipeline, marker } => {
                write!(f, "{pipeline}: not built, the commit's message says `{marker}`")
            }
            Self::Disabled { pipeline } => {
                write!(f, "{pipeline}: not built, its file says `disabled: true`")
            }
            Self::BadInputs { pipeline, problems } => {
                write!(f, "{pipeline}: not built, {}", problems.join("; "))
            }
            Self::Invalid { file, errors: 1 } => write!(f, "{file}: 1 error"),
            Self::Invalid { file, errors } => write!(f, "{file}: {errors} errors"),
            Self::NoPipelines => f.write_str("the commit has no pipeline in `.branchline/`"),
            Self::NoSuchPipeline { pipeline, known } if known.is_empty() => {
                write!(f, "{pipeline}: no such pipeline at this commit, which has none")
            }
            Self::NoSuchPipeline { pipeline, known } => {
                let known: Vec<&str> = known.iter().map(PipelineName::as_str).collect();
                write!(f, "{pipeline}: no such pipeline at this commit; there are {}", known.join(", "))
            }
        }
    }
}
