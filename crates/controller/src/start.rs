//! A pipeline is started by hand. The start is an event like any other: stored first, then decided. Invariant: whoever is told
//! that a start is accepted has it stored.

use std::collections::BTreeMap;
use std::time::Duration;

use branchline_core::intent::SpecFile;
use branchline_core::start;
use branchline_model::{
    Actor, BuildId, CommitId, Event, EventKey, PipelineName, Reason, Ref, RefName, Repository, RepositoryId,
    keys,
};
use branchline_ports::{CommitInfo, Ring, StoreError};

use crate::commit::{MOST_TRIES, Outcome};
use crate::{Controller, ControllerError, Resolved};

/// What someone asks to start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartRequest {
    /// In which repository.
    pub repository: RepositoryId,
    /// Which pipeline.
    pub pipeline: PipelineName,
    /// On which branch or tag; `None` is the default branch.
    pub ref_name: Option<RefName>,
    /// What makes it the same start when it is asked for again; `None` makes it a new one each time.
    pub idempotency_key: Option<String>,
    /// Who asks.
    pub actor: Actor,
    /// The inputs, by name, as text.
    pub inputs: BTreeMap<String, String>,
}

/// What was started.
#[derive(Clone, Debug, PartialEq)]
pub struct Started {
    /// The event.
    pub event: EventKey,
    /// Its builds; none while it is not decided because git cannot be reached now.
    pub builds: Vec<BuildId>,
    /// Why each pipeline is built or not.
    pub reasons: Vec<Reason>,
    /// What keeps it from being decided now; it is stored, and will be tried again.
    pub pending: Option<String>,
}

/// Why nothing was started.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// The repository is not served.
    #[error("the repository {0} is not served")]
    NoSuchRepository(RepositoryId),
    /// The branch or tag is not there.
    #[error("{repository} has no {}", describe(.name.as_ref()))]
    NoSuchRef {
        /// Where.
        repository: RepositoryId,
        /// What was asked for; `None` where there is no default branch.
        name: Option<RefName>,
    },
    /// The pipeline is not there at that commit.
    #[error("{}", no_such_pipeline(pipeline, known))]
    NoSuchPipeline {
        /// What was asked for.
        pipeline: PipelineName,
        /// What there is.
        known: Vec<PipelineName>,
    },
    /// The pipeline may not be started by hand.
    #[error("{pipeline} cannot be started by hand: its file does not say `on: manual: true`")]
    NotManual {
        /// Which pipeline.
        pipeline: PipelineName,
    },
    /// The inputs do not fit.
    #[error("{}", problems.join("; "))]
    BadInputs {
        /// What is wrong, each with what to do.
        problems: Vec<String>,
    },
    /// The pipeline says that no event builds it.
    #[error("{pipeline} is disabled: its file says `disabled: true`")]
    Disabled {
        /// Which pipeline.
        pipeline: PipelineName,
    },
    /// It was accepted once and given up.
    #[error("the start was given up: {why}")]
    Abandoned {
        /// Why.
        why: String,
    },
    /// The idempotency key cannot be one.
    #[error("an idempotency key has 1 to 200 letters, digits, `.`, `_`, `:` or `-`")]
    BadIdempotencyKey,
    /// It could not be stored.
    #[error(transparent)]
    Controller(#[from] ControllerError),
}

fn no_such_pipeline(pipeline: &PipelineName, known: &[PipelineName]) -> String {
    Reason::NoSuchPipeline { pipeline: pipeline.clone(), known: known.to_vec() }.to_string()
}

fn describe(name: Option<&RefName>) -> String {
    match name {
        Some(RefName::Branch(name)) => format!("branch `{name}`"),
        Some(RefName::Tag(name)) => format!("tag `{name}`"),
        None => "default branch yet: name a branch".to_owned(),
    }
}

impl From<StoreError> for StartError {
    fn from(error: StoreError) -> Self {
        Self::Controller(error.into())
    }
}

impl Controller {
    /// Starts a pipeline by hand: on the commit that its branch or tag was last seen at.
    pub async fn start(&self, request: StartRequest) -> Result<Started, StartError> {
        let idempotency_key = match request.idempotency_key {
            Some(key) if is_idempotency_key(&key) => key,
            Some(_) => return Err(StartError::BadIdempotencyKey),
            None => self.clock.fresh_id(),
        };
        let Some(repository) = self.row::<Repository>(keys::repository(&request.repository)).await? else {
            return Err(StartError::NoSuchRepository(request.repository));
        };
        let no_such_ref = |name| StartError::NoSuchRef { repository: request.repository.clone(), name };
        let default = repository.value.default_branch.clone().map(RefName::Branch);
        let Some(name) = request.ref_name.or(default) else { return Err(no_such_ref(None)) };
        let (name, commit) = match self.head_of(&request.repository, &name).await? {
            Some(found) => found,
            None => return Err(no_such_ref(Some(name))),
        };

        let event = start::event_key(&request.repository, &idempotency_key);
        let what = start::Start {
            idempotency_key,
            pipeline: request.pipeline.clone(),
            ref_name: name,
            commit,
            actor: request.actor,
            inputs: request.inputs,
        };
        self.accept_start(&repository.value, &event, what, Duration::ZERO).await?;
        let (builds, reasons, pending) = match self.resolve(&event).await {
            Ok(Resolved::Decided { builds, reasons }) => (builds, reasons, None),
            Ok(Resolved::Pending { why }) => (Vec::new(), Vec::new(), Some(why)),
            Ok(Resolved::Abandoned { why }) => return Err(StartError::Abandoned { why }),
            Ok(Resolved::Unknown) => return Err(forgotten(&event)),
            // It is stored, so it is not told to have failed: it would be asked for again.
            Err(error) => (Vec::new(), Vec::new(), Some(error.to_string())),
        };
        if builds.is_empty() {
            refused(&reasons)?;
            self.bell.ring(Ring::Events);
        }
        Ok(Started { event, builds, reasons, pending })
    }
}

/// Why a start made no build, where that is for whoever asked to know.
fn refused(reasons: &[Reason]) -> Result<(), StartError> {
    for reason in reasons {
        return Err(match reason {
            Reason::NoSuchPipeline { pipeline, known } => {
                StartError::NoSuchPipeline { pipeline: pipeline.clone(), known: known.clone() }
            }
            Reason::NoTrigger { pipeline, .. } => StartError::NotManual { pipeline: pipeline.clone() },
            Reason::BadInputs { problems, .. } => StartError::BadInputs { problems: problems.clone() },
            Reason::Disabled { pipeline } => StartError::Disabled { pipeline: pipeline.clone() },
            _ => continue,
        });
    }
    Ok(())
}

/// So long nobody else decides a start whose pipelines were read elsewhere.
const DECIDED_HERE: Duration = Duration::from_secs(3_600);

/// A start whose pipelines were read elsewhere than at the commit: from a working tree.
#[derive(Clone, Debug, PartialEq)]
pub struct LocalStart {
    /// In which repository.
    pub repository: RepositoryId,
    /// Which pipeline.
    pub pipeline: PipelineName,
    /// The branch that is checked out.
    pub ref_name: RefName,
    /// The commit that is checked out.
    pub commit: CommitId,
    /// What people call that commit by.
    pub info: CommitInfo,
    /// The pipelines as they are in the working tree.
    pub files: Vec<SpecFile>,
    /// Who asks.
    pub actor: Actor,
    /// The inputs, by name, as text.
    pub inputs: BTreeMap<String, String>,
}

impl Controller {
    /// Starts a pipeline as it is in a working tree.
    pub async fn start_local(&self, local: LocalStart) -> Result<Vec<BuildId>, StartError> {
        let Some(repository) = self.row::<Repository>(keys::repository(&local.repository)).await? else {
            return Err(StartError::NoSuchRepository(local.repository));
        };
        let idempotency_key = self.clock.fresh_id();
        let event = start::event_key(&local.repository, &idempotency_key);
        let what = start::Start {
            idempotency_key,
            pipeline: local.pipeline,
            ref_name: local.ref_name,
            commit: local.commit,
            actor: local.actor,
            inputs: local.inputs,
        };
        // Nobody else knows its files: at the commit, or by now in the working tree, they may be others.
        self.accept_start(&repository.value, &event, what, DECIDED_HERE).await?;
        let subject = self.subject(&event, &local.repository).await?.ok_or_else(|| forgotten(&event))?;
        let facts = self.ask(&repository.value, &subject.event.value.kind, &local.files).await;
        let facts = facts.map_err(|error| StartError::Abandoned { why: error.to_string() })?;
        match self.decide(subject, &local.info, &local.files, &facts).await? {
            Resolved::Decided { builds, reasons } => {
                if builds.is_empty() {
                    refused(&reasons)?;
                }
                Ok(builds)
            }
            Resolved::Pending { why } | Resolved::Abandoned { why } => Err(StartError::Abandoned { why }),
            Resolved::Unknown => Err(forgotten(&event)),
        }
    }
}

impl Controller {
    /// Has a start stored, now or before: what became of it then is the answer.
    async fn accept_start(
        &self,
        repository: &Repository,
        event: &EventKey,
        what: start::Start,
        others_after: Duration,
    ) -> Result<(), ControllerError> {
        for _ in 0..MOST_TRIES {
            let now = self.clock.now();
            let plan = start::start(repository, what.clone(), now, now.after(others_after));
            if let Outcome::Done = self.commit(plan).await? {
                return Ok(());
            }
            // A conflict may say that this very start is there, or only that somebody was at the same rows.
            if self.row::<Event>(keys::event(event)).await?.is_some() {
                return Ok(());
            }
        }
        Err(ControllerError::Contended { what: format!("the start {event}") })
    }

    /// Where a branch or tag was last seen; a branch that is not there may be meant as a tag.
    async fn head_of(
        &self,
        repository: &RepositoryId,
        name: &RefName,
    ) -> Result<Option<(RefName, CommitId)>, StoreError> {
        let tag = RefName::Tag(name.short().to_owned());
        for name in [name, &tag] {
            let row = self.row::<Ref>(keys::reference(repository, name)).await?;
            if let Some(commit) = row.and_then(|row| row.value.head) {
                return Ok(Some((name.clone(), commit)));
            }
        }
        Ok(None)
    }
}

/// A start that was there a moment ago: decided long before, it was forgotten just now.
fn forgotten(event: &EventKey) -> StartError {
    StartError::Controller(ControllerError::Contended { what: format!("the start {event}") })
}

fn is_idempotency_key(key: &str) -> bool {
    (1..=200).contains(&key.len())
        && key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b':' | b'-'))
}
