//! Pipelines by chance, and what follows from each: which events it is built for. That is said here once more, in
//! other words than the core's, so that the two can be compared.

use branchline_model::RefName;

use crate::chance::Chance;
use crate::git::DEFAULT_BRANCH;

/// A pipeline file.
#[derive(Clone, Debug)]
pub(crate) struct Pipeline {
    pub(crate) name: String,
    on_push: bool,
    only_default_branch: bool,
    on_tag: bool,
    pub(crate) manual: bool,
    /// Its text cannot be understood.
    wrong: bool,
    timeout_seconds: u64,
    /// So many of its builds are kept, where it says so.
    keeps: Option<u64>,
    jobs: Vec<Job>,
}

#[derive(Clone, Debug)]
struct Job {
    needs: Vec<usize>,
    allow_failure: bool,
    retry: &'static str,
}

/// When a job is tried again: mostly as it is where nothing is said.
const RETRIES: &[&str] = &[
    "",
    "",
    "",
    ", retry: {attempts: 1}",
    ", retry: {attempts: 2, on: [worker_lost, step_failed], backoff: 10s}",
    ", retry: {attempts: 3, on: [start_failed, timeout, supervisor_lost], backoff: 1s}",
];

/// More runs than fit into one transaction of any store with slices of a hundred rows.
const LARGE: u64 = 120;

impl Pipeline {
    /// One by chance.
    pub(crate) fn draw(chance: &mut Chance, name: String, large: bool) -> Self {
        let count = if large { LARGE } else { chance.between(1, 7) };
        let mut jobs: Vec<Job> = Vec::new();
        for at in 0..count {
            let mut needs = Vec::new();
            for before in 0..at.min(8) {
                if chance.one_in(if large { 12 } else { 3 }) {
                    needs.extend(usize::try_from(before));
                }
            }
            let retry = chance.pick(RETRIES).copied().unwrap_or_default();
            jobs.push(Job { needs, allow_failure: chance.one_in(4), retry });
        }
        let (on_push, on_tag) = (!chance.one_in(4), chance.one_in(2));
        Self {
            name,
            on_push,
            only_default_branch: chance.one_in(4),
            on_tag,
            // A file must say at least one of the three.
            manual: chance.one_in(2) || !(on_push || on_tag),
            wrong: chance.one_in(10),
            timeout_seconds: if chance.one_in(3) {
                chance.between(3, 60)
            } else {
                chance.between(600, 3_600)
            },
            keeps: chance.one_in(3).then(|| chance.between(1, 3)),
            jobs,
        }
    }

    /// The file.
    pub(crate) fn text(&self) -> String {
        let (mut text, mut retention) = (String::from("on:\n"), String::new());
        if self.on_push {
            text.push_str(match self.only_default_branch {
                true => "  push: {branches: [main]}\n",
                false => "  push: {}\n",
            });
        }
        if self.on_tag {
            text.push_str("  tag: [\"*\"]\n");
        }
        if let Some(keeps) = self.keeps {
            retention.push_str(&format!("retention: {{builds: {keeps}}}\n"));
        }
        text.push_str(&format!(
            "  manual: {}\n{retention}timeout: {}s\njobs:\n",
            self.manual, self.timeout_seconds
        ));
        for (at, job) in self.jobs.iter().enumerate() {
            let needs: Vec<String> = job.needs.iter().map(|need| format!("job{need}")).collect();
            text.push_str(&format!(
                "  job{at}: {{process: true, checkout: false, steps: [work], needs: [{}], allow_failure: {}{}}}\n",
                needs.join(", "),
                job.allow_failure,
                job.retry
            ));
        }
        if self.wrong {
            text.push_str("nobody knows this key: 1\n");
        }
        text
    }

    /// Whether a ref that moves to a commit with this file gets a build of it, be it an invalid one.
    pub(crate) fn is_built_for(&self, name: &RefName) -> bool {
        self.wrong
            || match name {
                RefName::Branch(branch) => {
                    self.on_push && (!self.only_default_branch || branch == DEFAULT_BRANCH)
                }
                RefName::Tag(_) => self.on_tag,
            }
    }

    /// Whether a start by hand makes a build of it, be it an invalid one.
    pub(crate) fn is_started(&self) -> bool {
        self.wrong || self.manual
    }
}
