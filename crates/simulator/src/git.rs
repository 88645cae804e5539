//! Git, as a forge has it: repositories with refs and commits, in memory. It is the one part of the world that is made
//! up, because no real repository can be moved at each call.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use branchline_model::{CommitId, RefName};
use branchline_ports::{Checkout, CheckoutError, CommitFiles, CommitInfo, Heads, PipelineFile};

use crate::fault::Fault;
use crate::pipelines::Pipeline;
use crate::turn::{self, Call};
use crate::world::World;

/// All repositories.
#[derive(Debug, Default)]
pub(crate) struct Forge {
    pub(crate) repositories: Vec<Repository>,
}

/// One of them.
#[derive(Clone, Debug)]
pub(crate) struct Repository {
    pub(crate) url: String,
    pub(crate) refs: BTreeMap<RefName, CommitId>,
    pub(crate) commits: BTreeMap<CommitId, Vec<Pipeline>>,
    /// How often each ref was given a commit that it did not have before.
    pub(crate) moves: BTreeMap<RefName, u64>,
    /// The commits that the servers which are asked for files get only at this time.
    pub(crate) late: BTreeMap<CommitId, u64>,
}

pub(crate) const DEFAULT_BRANCH: &str = "main";

impl Repository {
    /// Lets a ref point to a commit.
    pub(crate) fn point(&mut self, name: RefName, commit: CommitId) {
        if self.refs.get(&name) != Some(&commit) {
            *self.moves.entry(name.clone()).or_default() += 1;
            self.refs.insert(name, commit);
        }
    }

    /// Makes a commit of these pipelines.
    pub(crate) fn commit(&mut self, pipelines: Vec<Pipeline>) -> Option<CommitId> {
        let id = CommitId::try_from(format!("{:040x}", self.commits.len() + 1)).ok()?;
        self.commits.insert(id.clone(), pipelines);
        Some(id)
    }

    fn heads(&self) -> Heads {
        Heads {
            refs: self.refs.iter().map(|(name, commit)| (name.clone(), commit.clone())).collect(),
            default_branch: Some(DEFAULT_BRANCH.to_owned()),
        }
    }
}

impl Forge {
    fn repository(&self, url: &str) -> Option<&Repository> {
        self.repositories.iter().find(|repository| repository.url == url)
    }
}

/// Git, as controllers see it.
pub(crate) struct WorstGit {
    world: Arc<World>,
}

impl WorstGit {
    pub(crate) fn new(world: Arc<World>) -> Self {
        Self { world }
    }

    /// Answers from what is there before the turn goes on, or after it, where git is not slow.
    async fn call<T: Send>(
        &self,
        what: &'static str,
        url: &str,
        answer: impl Fn(&Repository, u64) -> Result<T, CheckoutError> + Send + Sync,
    ) -> Result<T, CheckoutError> {
        let call = Call { what: self.world.words(|| format!("{what} of {url}")), ..Call::default() };
        turn::before(&self.world, &call).await;
        if self.world.strikes(Fault::GitUnavailable, Some(&call)) {
            let why = "the connection was reset".to_owned();
            return Err(CheckoutError::Unavailable { url: url.to_owned(), why });
        }
        if self.world.strikes(Fault::GitRefused, Some(&call)) {
            let why = "too many requests".to_owned();
            return Err(CheckoutError::Refused { url: url.to_owned(), why });
        }
        let answered = {
            let state = self.world.state();
            match state.forge.repository(url) {
                Some(repository) => answer(repository, state.time),
                None => {
                    let why = "no such repository".to_owned();
                    Err(CheckoutError::Refused { url: url.to_owned(), why })
                }
            }
        };
        if self.world.strikes(Fault::GitSlow, Some(&call)) {
            let wait = self.world.state().chance.between(100, 20_000);
            turn::sleep(&self.world, wait).await;
        }
        turn::after(&self.world, &call).await;
        answered
    }
}

#[async_trait]
impl Checkout for WorstGit {
    async fn heads(&self, url: &str) -> Result<Heads, CheckoutError> {
        self.call("heads", url, |repository, _| Ok(repository.heads())).await
    }

    async fn pipelines_at(
        &self,
        url: &str,
        commit: &CommitId,
        _ref_name: Option<&RefName>,
    ) -> Result<CommitFiles, CheckoutError> {
        self.call("pipelines", url, |repository, time| {
            let is_there = repository.late.get(commit).is_none_or(|at| *at <= time);
            let Some(pipelines) = repository.commits.get(commit).filter(|_| is_there) else {
                return Err(CheckoutError::NoSuchCommit { url: url.to_owned(), commit: commit.clone() });
            };
            let files = pipelines.iter().map(|pipeline| PipelineFile {
                path: format!(".branchline/{}.yaml", pipeline.name),
                content: Ok(pipeline.text().into_bytes()),
            });
            let subject = format!("Change {}", commit.short());
            let info = CommitInfo { message: subject.clone(), subject, author: "Ann".to_owned() };
            Ok(CommitFiles { info, files: files.collect() })
        })
        .await
    }
}
