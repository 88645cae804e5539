//! What git must be asked about an event, and what its answers come to in expressions and path filters. Invariant: git is
//! asked only where a pipeline asks.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use branchline_expression as expression;
use branchline_expression::{Call, Expression, Template};
use branchline_jobs_schema::{AllowFailure, Globs, Job, Pipeline, Place};
use branchline_model::{Against, Changed, EventKind, ObjectIds, RefName};
use sha2::{Digest, Sha256};

use crate::late;

/// What git must be asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asks {
    /// Which files changed.
    pub changed: bool,
    /// The ids of these files.
    pub objects: BTreeSet<String>,
}

/// What git answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Which files changed.
    pub changed: Changed,
    /// The ids of the files that were asked for.
    pub objects: ObjectIds,
}

impl Default for Facts {
    /// Those of an event about which nothing was asked.
    fn default() -> Self {
        let why = "git was not asked".to_owned();
        Self { changed: Changed::Everything { why }, objects: ObjectIds::new() }
    }
}

/// What an event's commit is compared with; otherwise why there is nothing.
pub fn against(event: &EventKind) -> Result<Against, String> {
    match event {
        EventKind::RefMoved { before: Some(before), .. } => Ok(Against::Commit(before.clone())),
        EventKind::RefMoved { name: RefName::Branch(name), .. } => Err(format!("the branch {name} is new")),
        EventKind::RefMoved { name: RefName::Tag(name), .. } => Err(format!("the tag {name} is new")),
        EventKind::PullRequest { .. } => Ok(Against::FirstParent),
        other => Err(format!("a build of the kind `{}` has nothing to compare with", other.word())),
    }
}

/// What these pipelines ask of git.
#[must_use]
pub fn asks<'p>(pipelines: impl IntoIterator<Item = &'p Pipeline>, event: &EventKind) -> Asks {
    let mut asks = Asks::default();
    for pipeline in pipelines {
        asks.changed |= match event {
            EventKind::RefMoved { name: RefName::Branch(_), .. } => {
                pipeline.on.push.as_ref().is_some_and(|push| push.paths.is_some())
            }
            EventKind::PullRequest { .. } => {
                pipeline.on.pull_request.as_ref().is_some_and(|request| request.paths.is_some())
            }
            _ => false,
        };
        for call in calls(pipeline) {
            match call.name.as_str() {
                "changed" => asks.changed = true,
                "hash" => asks.objects.extend(call.literals.iter().flatten().cloned()),
                _ => {}
            }
        }
    }
    asks
}

/// Every function that a pipeline calls: when it is planned or unblocked, and on the worker, which is told the answers.
pub(crate) fn calls(pipeline: &Pipeline) -> Vec<Call> {
    let mut calls = Vec::new();
    let mut of = |expression: &Expression| {
        calls.extend(expression.calls().iter().filter(|call| !call.method).cloned());
    };
    pipeline.env.values().flat_map(within).for_each(&mut of);
    for job in &pipeline.jobs {
        job.condition.iter().for_each(&mut of);
        if let AllowFailure::When(expression) = &job.allow_failure {
            of(expression);
        }
        templates(job).flat_map(within).for_each(&mut of);
        late::on_worker(job).for_each(&mut of);
    }
    calls
}

fn within(template: &Template) -> impl Iterator<Item = &Expression> {
    template.expressions().map(|(_, expression)| expression)
}

/// Every text of a job that may hold expressions and is filled in by the controller.
fn templates(job: &Job) -> impl Iterator<Item = &Template> {
    let place: Vec<&Template> = match &job.place {
        Place::Process => Vec::new(),
        Place::Container { container, services } => {
            let services = services
                .iter()
                .flat_map(|service| std::iter::once(&service.container.image).chain(service.env.values()));
            std::iter::once(&container.image).chain(services).collect()
        }
        Place::Ssh(ssh) => vec![&ssh.pool],
    };
    let caches = job.cache.iter().flat_map(|cache| std::iter::once(&cache.key).chain(&cache.restore));
    let steps = job.steps.iter().flat_map(|step| step.name.iter().chain(step.env.values()));
    let checkouts = job.checkout.iter().filter_map(|checkout| checkout.reference.as_ref());
    let artifacts = job.artifacts.iter().map(|artifact| &artifact.name);
    let approval = job.approval.iter().filter_map(|approval| approval.message.as_ref());
    place
        .into_iter()
        .chain(job.worker.pool.iter())
        .chain(&job.worker.tags)
        .chain(job.env.values())
        .chain(caches)
        .chain(steps)
        .chain(checkouts)
        .chain(artifacts)
        .chain(approval)
}

/// What a filter says to the files that changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Filtered {
    /// This file matches.
    Matched(String),
    /// Every file counts as changed.
    Everything(String),
    /// None of so many matches.
    Nothing(usize),
}

impl Facts {
    pub(crate) fn filter(&self, globs: &Globs) -> Filtered {
        match &self.changed {
            Changed::Everything { why } => Filtered::Everything(why.clone()),
            Changed::Paths { paths } => match paths.iter().find(|path| globs.matches(path)) {
                Some(path) => Filtered::Matched(path.clone()),
                None => Filtered::Nothing(paths.len()),
            },
        }
    }
}

impl expression::Files for Facts {
    fn changed(&self, globs: &[String]) -> Result<expression::Changed, String> {
        let globs = Globs::new(globs).map_err(|error| error.to_string())?;
        Ok(match self.filter(&globs) {
            Filtered::Matched(path) => {
                expression::Changed { holds: true, because: format!("{path} changed") }
            }
            Filtered::Everything(why) => expression::Changed { holds: true, because: why },
            Filtered::Nothing(0) => {
                expression::Changed { holds: false, because: "no file changed".to_owned() }
            }
            Filtered::Nothing(files) => expression::Changed {
                holds: false,
                because: format!("of {files} changed files none matches"),
            },
        })
    }

    /// A digest over names and the ids that git gives contents. A file that is not there counts as such, but not if none is.
    fn hash(&self, files: &[String]) -> Result<String, String> {
        let id = |file: &String| self.objects.get(file).and_then(Option::as_ref);
        if !files.iter().any(|file| id(file).is_some()) {
            return Err(format!("the commit has no {}", files.join(", ")));
        }
        let mut hash = Sha256::new();
        for file in files {
            hash.update(file.as_bytes());
            hash.update([0]);
            hash.update(id(file).map_or("", String::as_str).as_bytes());
            hash.update([0]);
        }
        Ok(hash.finalize().iter().fold(String::with_capacity(64), |mut text, byte| {
            write!(text, "{byte:02x}").ok();
            text
        }))
    }
}

#[cfg(test)]
mod tests {
    use branchline_expression::Files;

    use super::*;

    fn facts(paths: &[&str], objects: &[(&str, Option<&str>)]) -> Facts {
        Facts {
            changed: Changed::Paths { paths: paths.iter().map(ToString::to_string).collect() },
            objects: objects.iter().map(|(path, id)| ((*path).to_owned(), id.map(str::to_owned))).collect(),
        }
    }

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn changed_says_which_file_decided() {
        let facts = facts(&["README.md", "src/a.rs"], &[]);
        let answer = facts.changed(&texts(&["src/**"])).unwrap();
        assert_eq!((answer.holds, answer.because.as_str()), (true, "src/a.rs changed"));
        let answer = facts.changed(&texts(&["docs/**"])).unwrap();
        assert_eq!((answer.holds, answer.because.as_str()), (false, "of 2 changed files none matches"));
        let answer = Facts::default().changed(&texts(&["docs/**"])).unwrap();
        assert!(answer.holds);
    }

    #[test]
    fn a_hash_is_of_names_and_contents_and_knows_what_is_missing() {
        let one = facts(&[], &[("a", Some("1")), ("b", None)]);
        let other = facts(&[], &[("a", Some("1")), ("b", Some("2"))]);
        assert_eq!(one.hash(&texts(&["a"])), other.hash(&texts(&["a"])));
        assert_ne!(one.hash(&texts(&["a", "b"])), other.hash(&texts(&["a", "b"])));
        assert_eq!(one.hash(&texts(&["b"])), Err("the commit has no b".to_owned()));
    }
}
