//! From an event and the pipelines of its commit to what is to be done, and why. Invariant: each pipeline gets
//! exactly one reason, whether it is built or not.

use branchline_jobs_schema::{self as schema, Globs, Pipeline, PullRequestChange, WantedStatus};
use branchline_model::{
    BuildStatus, EventKind, PipelineName, Problem, Reason, RefName, RepositoryId, Upstream,
};

use crate::facts::{Facts, Filtered};
use crate::inputs::{self, Inputs};

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
        /// What was said at its start.
        inputs: Inputs,
    },
    /// Record that this file is wrong.
    Invalid {
        /// The file.
        file: &'a SpecFile,
        /// What is wrong with it.
        problems: &'a [Problem],
    },
}

/// What was read about an event's commit.
#[derive(Clone, Copy, Debug)]
pub struct Reading<'a> {
    /// Where it happened.
    pub repository: &'a RepositoryId,
    /// The pipeline files.
    pub files: &'a [SpecFile],
    /// The commit's message, whole.
    pub message: &'a str,
    /// What git answered, as far as it was asked.
    pub facts: &'a Facts,
}

/// The pipelines of these files that may be built for the event: about which git is asked.
#[must_use]
pub fn concerned<'a>(
    event: &EventKind,
    repository: &RepositoryId,
    files: &'a [SpecFile],
) -> Vec<&'a Pipeline> {
    let empty = Reading { repository, files: &[], message: "", facts: &Facts::default() };
    let why = |file: &SpecFile, pipeline: &Pipeline| why(event, &file.name, pipeline, empty);
    files
        .iter()
        .filter_map(|file| Some((file, file.spec.as_ref().ok()?)))
        .filter(|(file, _)| is_asked_for(event, file))
        .filter(|(file, pipeline)| matches!(why(file, pipeline), Reason::Matched { .. }))
        .map(|(_, pipeline)| pipeline)
        .collect()
}

/// Whether the event is about this file: a start and a schedule name their pipeline.
fn is_asked_for(event: &EventKind, file: &SpecFile) -> bool {
    match event {
        EventKind::ManualStart { pipeline, .. } | EventKind::Schedule { pipeline, .. } => {
            *pipeline == file.name
        }
        _ => true,
    }
}

/// What to do about an event, and why each pipeline is built or not.
#[must_use]
pub fn intents<'a>(event: &EventKind, reading: Reading<'a>) -> (Vec<Intent<'a>>, Vec<Reason>) {
    let mut intents = Vec::new();
    let mut reasons = Vec::new();
    let files = reading.files;
    if let EventKind::ManualStart { pipeline, .. } | EventKind::Schedule { pipeline, .. } = event
        && !files.iter().any(|file| file.name == *pipeline)
    {
        let known = files.iter().map(|file| file.name.clone()).collect();
        return (intents, vec![Reason::NoSuchPipeline { pipeline: pipeline.clone(), known }]);
    }
    if files.is_empty() {
        reasons.push(Reason::NoPipelines);
    }
    for file in files.iter().filter(|file| is_asked_for(event, file)) {
        match &file.spec {
            Err(problems) => {
                reasons.push(Reason::Invalid { file: file.file.clone(), errors: problems.len() });
                intents.push(Intent::Invalid { file, problems });
            }
            Ok(pipeline) => {
                let mut reason = why(event, &file.name, pipeline, reading);
                if matches!(reason, Reason::Matched { .. }) {
                    match inputs::of(pipeline, event) {
                        Ok(inputs) => intents.push(Intent::Build { file, pipeline, inputs }),
                        Err(problems) => {
                            reason = Reason::BadInputs { pipeline: file.name.clone(), problems };
                        }
                    }
                }
                reasons.push(reason);
            }
        }
    }
    (intents, reasons)
}

/// The words in a head commit's message that ask for no build of a push.
const SKIP: [&str; 2] = ["[skip ci]", "[ci skip]"];

fn why(event: &EventKind, name: &PipelineName, pipeline: &Pipeline, reading: Reading<'_>) -> Reason {
    let reason = match trigger(event, name, pipeline, reading) {
        Ok(matched) => matched,
        Err(reason) => return reason,
    };
    if pipeline.disabled {
        return Reason::Disabled { pipeline: name.clone() };
    }
    let is_push = matches!(event, EventKind::RefMoved { name: RefName::Branch(_), .. });
    let asked = SKIP.iter().find(|marker| is_push && reading.message.to_ascii_lowercase().contains(**marker));
    match asked {
        Some(marker) => Reason::SkipAsked { pipeline: name.clone(), marker: (*marker).to_owned() },
        None => reason,
    }
}

/// The trigger that matches, with all its filters; otherwise the first thing that does not.
fn trigger(
    event: &EventKind,
    name: &PipelineName,
    pipeline: &Pipeline,
    reading: Reading<'_>,
) -> Result<Reason, Reason> {
    let on = &pipeline.on;
    let look = Look { name, repository: reading.repository, facts: reading.facts };
    match event {
        EventKind::RefMoved { name: RefName::Branch(branch), .. } => {
            let push = on.push.as_ref().ok_or_else(|| look.missing("on.push"))?;
            let pattern = look.glob("on.push.branches", push.branches.as_ref(), branch)?;
            look.paths("on.push", "on.push.paths", push.paths.as_ref(), pattern)
        }
        EventKind::RefMoved { name: RefName::Tag(tag), .. } => {
            let globs = on.tag.as_ref().ok_or_else(|| look.missing("on.tag"))?;
            let pattern = look.glob("on.tag", Some(globs), tag)?;
            Ok(look.matched("on.tag", pattern, None))
        }
        EventKind::PullRequest { request, .. } => {
            let wanted = on.pull_request.as_ref().ok_or_else(|| look.missing("on.pull_request"))?;
            let pattern = look.glob("on.pull_request.branches", wanted.branches.as_ref(), &request.base)?;
            if !wanted.types.iter().any(|change| word(*change) == request.action) {
                return Err(look.filtered("on.pull_request.types", &request.action, None));
            }
            if !wanted.labels.is_empty() && !wanted.labels.iter().any(|label| request.labels.contains(label))
            {
                return Err(Reason::NoLabel { pipeline: name.clone(), wanted: wanted.labels.clone() });
            }
            look.paths("on.pull_request", "on.pull_request.paths", wanted.paths.as_ref(), pattern)
        }
        EventKind::Schedule { entry, .. } => {
            let index = usize::try_from(*entry).unwrap_or(usize::MAX);
            match on.schedule.get(index) {
                Some(entry) => Ok(look.matched("on.schedule", Some(entry.cron.to_string()), None)),
                None => Err(look.missing(&format!("on.schedule[{index}]"))),
            }
        }
        EventKind::Named { .. } if on.event.is_empty() => Err(look.missing("on.event")),
        EventKind::Named { event, .. } => match on.event.iter().find(|wanted| *wanted == event) {
            Some(wanted) => Ok(look.matched("on.event", Some(wanted.clone()), None)),
            None => Err(look.filtered("on.event", event, None)),
        },
        EventKind::Upstream { of, .. } => look.upstream(&on.pipeline, of),
        EventKind::ManualStart { .. } if on.manual => Ok(look.matched("on.manual", None, None)),
        EventKind::ManualStart { .. } => Err(look.missing("on.manual")),
    }
}

/// One pipeline that an event is held against.
struct Look<'a> {
    name: &'a PipelineName,
    repository: &'a RepositoryId,
    facts: &'a Facts,
}

impl Look<'_> {
    fn matched(&self, trigger: &str, pattern: Option<String>, note: Option<String>) -> Reason {
        Reason::Matched { pipeline: self.name.clone(), trigger: trigger.to_owned(), pattern, note }
    }

    fn missing(&self, trigger: &str) -> Reason {
        Reason::NoTrigger { pipeline: self.name.clone(), trigger: trigger.to_owned() }
    }

    fn filtered(&self, filter: &str, value: &str, pattern: Option<&str>) -> Reason {
        Reason::FilteredOut {
            pipeline: self.name.clone(),
            filter: filter.to_owned(),
            value: value.to_owned(),
            pattern: pattern.map(str::to_owned),
        }
    }

    /// The pattern that let a name through, where one did.
    fn glob(&self, filter: &str, globs: Option<&Globs>, value: &str) -> Result<Option<String>, Reason> {
        let Some(globs) = globs else { return Ok(None) };
        let pattern = globs.deciding(value);
        if globs.matches(value) {
            Ok(pattern.map(str::to_owned))
        } else {
            Err(self.filtered(filter, value, pattern))
        }
    }

    fn paths(
        &self,
        trigger: &str,
        filter: &str,
        globs: Option<&Globs>,
        pattern: Option<String>,
    ) -> Result<Reason, Reason> {
        let Some(globs) = globs else { return Ok(self.matched(trigger, pattern, None)) };
        match self.facts.filter(globs) {
            Filtered::Matched(path) => Ok(self.matched(trigger, pattern, Some(format!("{path} changed")))),
            Filtered::Everything(why) => {
                let note = format!("every file counts as changed: {why}");
                Ok(self.matched(trigger, pattern, Some(note)))
            }
            Filtered::Nothing(files) => {
                Err(Reason::NothingChanged { pipeline: self.name.clone(), filter: filter.to_owned(), files })
            }
        }
    }

    /// Any of the entries may match; where none does, the one that comes nearest says why.
    fn upstream(&self, entries: &[schema::Upstream], of: &Upstream) -> Result<Reason, Reason> {
        let mut reason = self.missing("on.pipeline");
        for entry in entries {
            let here = match &entry.repository {
                Some(name) => name == of.repository.as_str(),
                None => of.build.repository == *self.repository,
            };
            if !here || entry.name.as_str() != of.pipeline.as_str() {
                continue;
            }
            let branch = of.branch.as_deref().unwrap_or_default();
            match self.glob("on.pipeline.branches", entry.branches.as_ref(), branch) {
                Err(filtered) => reason = filtered,
                Ok(_) if !ended_as(entry.status, of.status) => {
                    reason = self.filtered("on.pipeline.status", of.status.word(), None);
                }
                Ok(pattern) => return Ok(self.matched("on.pipeline", pattern, None)),
            }
        }
        Err(reason)
    }
}

fn ended_as(wanted: WantedStatus, status: BuildStatus) -> bool {
    match wanted {
        WantedStatus::Passed => status == BuildStatus::Passed,
        WantedStatus::Failed => {
            matches!(status, BuildStatus::Failed | BuildStatus::Errored | BuildStatus::TimedOut)
        }
        WantedStatus::Any => true,
    }
}

/// The forge's word for it.
fn word(change: PullRequestChange) -> &'static str {
    match change {
        PullRequestChange::Opened => "opened",
        PullRequestChange::Synchronize => "synchronize",
        PullRequestChange::Reopened => "reopened",
        PullRequestChange::Labeled => "labeled",
        PullRequestChange::ReadyForReview => "ready_for_review",
        PullRequestChange::Closed => "closed",
    }
}
