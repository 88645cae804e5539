//! From an event and the pipelines of its commit to what is to be done, and why. Invariant: each pipeline gets
//! exactly one reason, whether it is built or not.

use branchline_jobs_schema::{Globs, Pipeline};
use branchline_model::{EventKind, PipelineName, Problem, Reason, RefName};

/// A pipeline file of the commit, read and checked.
#[derive(Clone, Debug, PartialEq)]
pub struct SpecFile {
    /// The file's path.
    pub file: String,
    /// The pipeline's name.
    pub name: PipelineName,
    /// The pipeline, or what is wrong with the file.
    pub spec: Result<Pipeline, Vec<Problem>>,
}

/// One thing to do about an event.
#[derive(Clone, Debug, PartialEq)]
pub enum Intent<'a> {
    /// Create a build of this pipeline.
    Build {
        /// The file it was read from.
        file: &'a SpecFile,
        /// The pipeline.
        pipeline: &'a Pipeline,
    },
    /// Record that this file is wrong.
    Invalid {
        /// The file.
        file: &'a SpecFile,
        /// What is wrong with it.
        problems: &'a [Problem],
    },
}

/// What to do about an event, and why each pipeline is built or not.
#[must_use]
pub fn intents<'a>(event: &EventKind, files: &'a [SpecFile]) -> (Vec<Intent<'a>>, Vec<Reason>) {
    let mut intents = Vec::new();
    let mut reasons = Vec::new();
    if let EventKind::ManualStart { pipeline, .. } = event
        && !files.iter().any(|file| file.name == *pipeline)
    {
        let known = files.iter().map(|file| file.name.clone()).collect();
        return (intents, vec![Reason::NoSuchPipeline { pipeline: pipeline.clone(), known }]);
    }
    if files.is_empty() {
        reasons.push(Reason::NoPipelines);
    }
    for file in files {
        if matches!(event, EventKind::ManualStart { pipeline, .. } if *pipeline != file.name) {
            continue;
        }
        match &file.spec {
            Err(problems) => {
                reasons.push(Reason::Invalid { file: file.file.clone(), errors: problems.len() });
                intents.push(Intent::Invalid { file, problems });
            }
            Ok(pipeline) => {
                let reason = why(event, &file.name, pipeline);
                if matches!(reason, Reason::Matched { .. }) {
                    intents.push(Intent::Build { file, pipeline });
                }
                reasons.push(reason);
            }
        }
    }
    (intents, reasons)
}

fn why(event: &EventKind, name: &PipelineName, pipeline: &Pipeline) -> Reason {
    let matched = |trigger: &str, pattern: Option<&str>| Reason::Matched {
        pipeline: name.clone(),
        trigger: trigger.to_owned(),
        pattern: pattern.map(str::to_owned),
    };
    let missing = |trigger: &str| Reason::NoTrigger { pipeline: name.clone(), trigger: trigger.to_owned() };
    let filtered = |trigger: &str, filter: &str, globs: &Globs, value: &str| {
        let pattern = globs.deciding(value);
        if globs.matches(value) {
            matched(trigger, pattern)
        } else {
            Reason::FilteredOut {
                pipeline: name.clone(),
                filter: filter.to_owned(),
                value: value.to_owned(),
                pattern: pattern.map(str::to_owned),
            }
        }
    };
    match event {
        EventKind::RefMoved { name: RefName::Branch(branch), .. } => match &pipeline.on.push {
            None => missing("on.push"),
            Some(push) => match &push.branches {
                None => matched("on.push", None),
                Some(globs) => filtered("on.push", "on.push.branches", globs, branch),
            },
        },
        EventKind::RefMoved { name: RefName::Tag(tag), .. } => match &pipeline.on.tag {
            None => missing("on.tag"),
            Some(globs) => filtered("on.tag", "on.tag", globs, tag),
        },
        EventKind::ManualStart { .. } if pipeline.on.manual => matched("on.manual", None),
        EventKind::ManualStart { .. } => missing("on.manual"),
    }
}
