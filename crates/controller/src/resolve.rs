//! Resolve: an accepted event becomes builds, from the pipeline files at its very commit. An event stays pending until it
//! is decided; what fails is tried again, later each time, and never given up while it may pass: a machine may be offline for
//! a night. Only an event whose commit or repository is gone is.

use std::time::Duration;

use branchline_core::intent::SpecFile;
use branchline_core::{build, effect, not_yet};
use branchline_jobs_schema as schema;
use branchline_model::{
    BuildId, Event, EventKey, EventStatus, Expectation, PendingEvent, PipelineName, Plan, Problem, Reason,
    Repository, RepositoryId, Versioned, keys,
};
use branchline_ports::{CheckoutError, CommitInfo, Page, PipelineFile, Ring, StoreError};

use crate::commit::{MOST_TRIES, Outcome};
use crate::{Controller, ControllerError};

/// So long waits what needs a row that cannot be read.
pub(crate) const UNREADABLE_AGAIN: Duration = Duration::from_secs(3_600);

/// What became of an event.
#[derive(Clone, Debug, PartialEq)]
pub enum Resolved {
    /// It is decided.
    Decided {
        /// Its builds.
        builds: Vec<BuildId>,
        /// Why each pipeline is built or not.
        reasons: Vec<Reason>,
    },
    /// It is pending still, and will be tried again.
    Pending {
        /// What failed.
        why: String,
    },
    /// It was given up.
    Abandoned {
        /// Why.
        why: String,
    },
    /// There is no such event.
    Unknown,
}

/// What is decided.
pub(crate) struct Subject {
    event: Versioned<Event>,
    /// `None` where it is not served any more.
    repository: Option<Versioned<Repository>>,
}

/// When an event was settled.
enum Looked {
    /// By this look, or not yet.
    Now(Resolved),
    /// By another, or there is none.
    Before(Resolved),
}

impl Controller {
    /// The events that wait for their decision and are due, the earliest first.
    pub async fn due_events(&self, limit: usize) -> Result<Vec<PendingEvent>, StoreError> {
        // Every key of a time before the next millisecond.
        let until = Some(branchline_model::Timestamp(self.clock.now().0 + 1).sortable());
        let page = Page { until, ..Page::of(keys::PENDING_EVENTS, limit) };
        Ok(self.leads::<PendingEvent>(&page).await?.into_iter().map(|row| row.value).collect())
    }

    /// Decides an event that is due. One that needs a row that cannot be read is put off for an hour each time, so that
    /// it stands in nobody's way.
    pub async fn resolve_due(&self, due: &PendingEvent) -> Result<Resolved, ControllerError> {
        let mut plan = Plan::default();
        plan.delete(keys::pending_event(due.next_try, &due.event), Expectation::Any);
        match self.settle_now(&due.event, &due.repository).await {
            Ok(Looked::Now(resolved)) => Ok(resolved),
            // It was decided under another time than it waits for here.
            Ok(Looked::Before(resolved)) => {
                self.commit(plan).await?;
                Ok(resolved)
            }
            Err(error) if error.is_unreadable() => {
                let next_try = self.clock.now().after(UNREADABLE_AGAIN);
                plan.put(PendingEvent { next_try, ..due.clone() }, Expectation::Any);
                self.commit(plan).await?;
                Ok(Resolved::Pending { why: error.to_string() })
            }
            Err(error) => Err(error),
        }
    }

    /// Decides an event, unless that was done before.
    pub async fn resolve(&self, key: &EventKey) -> Result<Resolved, ControllerError> {
        let Some(event) = self.row::<Event>(keys::event(key)).await? else { return Ok(Resolved::Unknown) };
        let settled = self.settle_now(key, &event.value.repository).await?;
        let (Looked::Now(resolved) | Looked::Before(resolved)) = settled;
        Ok(resolved)
    }

    async fn settle_now(&self, key: &EventKey, repository: &RepositoryId) -> Result<Looked, ControllerError> {
        let Some(subject) = self.subject(key, repository).await? else {
            return Ok(Looked::Before(Resolved::Unknown));
        };
        if let Some(resolved) = settled(&subject.event.value.status) {
            return Ok(Looked::Before(resolved));
        }
        self.decide_pending(subject).await.map(Looked::Now)
    }

    /// The event with its repository; `None` where there is no such event.
    pub(crate) async fn subject(
        &self,
        key: &EventKey,
        repository: &RepositoryId,
    ) -> Result<Option<Subject>, StoreError> {
        let mut rows = self.together([keys::event(key), keys::repository(repository)]).await?;
        let Some(event) = rows.next()? else { return Ok(None) };
        Ok(Some(Subject { event, repository: rows.next()? }))
    }

    async fn decide_pending(&self, subject: Subject) -> Result<Resolved, ControllerError> {
        let Subject { event, repository } = subject;
        let Some(repository) = repository else {
            let why = format!("the repository {} is not served any more", event.value.repository);
            return self.abandon(&event, why).await;
        };
        let kind = &event.value.kind;
        let read =
            self.checkout.pipelines_at(&repository.value.url, kind.commit(), Some(kind.ref_name())).await;
        match read {
            Ok(commit) => {
                let files = check(&commit.files);
                let subject = Subject { event, repository: Some(repository) };
                self.decide(subject, &commit.info, &files).await
            }
            Err(error @ CheckoutError::NoSuchCommit { .. }) => self.abandon(&event, error.to_string()).await,
            Err(error) => self.postpone(&event, error.to_string()).await,
        }
    }

    /// Decides an event as it was read before its files were, which may have taken a while: where something changed meanwhile,
    /// it is read again.
    pub(crate) async fn decide(
        &self,
        mut subject: Subject,
        info: &CommitInfo,
        files: &[SpecFile],
    ) -> Result<Resolved, ControllerError> {
        let read_at = self.clock.now();
        for _ in 0..MOST_TRIES {
            let Subject { event, repository: Some(repository) } = &subject else {
                return Ok(Resolved::Unknown);
            };
            if let Some(resolved) = settled(&event.value.status) {
                return Ok(resolved);
            }
            let snapshot = build::Snapshot {
                repository,
                event,
                subject: &info.subject,
                author: &info.author,
                files,
                read_at,
                page: self.page_address.as_deref(),
            };
            let build::Decision { plan, builds, reasons } = build::decide(&snapshot, self.clock.now());
            if let Outcome::Done = self.commit(plan).await? {
                for build in &builds {
                    self.bell.ring(Ring::BuildChanged(build.clone()));
                }
                self.bell.ring(Ring::RepositoryChanged(event.value.repository.clone()));
                tracing::info!(event = %event.value.key, builds = builds.len(), "decided");
                return Ok(Resolved::Decided { builds, reasons });
            }
            match self.subject(&event.value.key, &event.value.repository).await? {
                Some(now) => subject = now,
                None => return Ok(Resolved::Unknown),
            }
        }
        Err(ControllerError::Contended { what: format!("the event {}", subject.event.value.key) })
    }

    async fn postpone(&self, event: &Versioned<Event>, why: String) -> Result<Resolved, ControllerError> {
        let EventStatus::Pending { failures, .. } = event.value.status else {
            return Ok(Resolved::Unknown);
        };
        let failures = failures.saturating_add(1);
        let next_try = self.clock.now().after(effect::backoff(failures));
        tracing::warn!(event = %event.value.key, failures, %next_try, why, "an event cannot be resolved yet");
        let mut plan = Plan::default();
        let status = EventStatus::Pending { failures, next_try, why: Some(why.clone()) };
        build::settle(&mut plan, event, status);
        plan.put(
            PendingEvent {
                event: event.value.key.clone(),
                repository: event.value.repository.clone(),
                next_try,
            },
            Expectation::Any,
        );
        self.commit(plan).await?;
        Ok(Resolved::Pending { why })
    }

    async fn abandon(&self, event: &Versioned<Event>, why: String) -> Result<Resolved, ControllerError> {
        tracing::warn!(event = %event.value.key, why, "an event is given up");
        let mut plan = Plan::default();
        build::settle(&mut plan, event, EventStatus::Abandoned { at: self.clock.now(), why: why.clone() });
        self.commit(plan).await?;
        Ok(Resolved::Abandoned { why })
    }
}

fn settled(status: &EventStatus) -> Option<Resolved> {
    match status {
        EventStatus::Pending { .. } => None,
        EventStatus::Decided { builds, reasons, .. } => {
            Some(Resolved::Decided { builds: builds.clone(), reasons: reasons.clone() })
        }
        EventStatus::Abandoned { why, .. } => Some(Resolved::Abandoned { why: why.clone() }),
    }
}

/// Checks every pipeline file that was found, and answers them by path.
#[must_use]
pub fn check(found: &[PipelineFile]) -> Vec<SpecFile> {
    let mut readable = Vec::with_capacity(found.len());
    let mut unreadable = Vec::new();
    for PipelineFile { path, content } in found {
        match content {
            Ok(bytes) => readable.push((path.clone(), bytes.clone())),
            Err(why) => unreadable.push(SpecFile {
                file: path.clone(),
                name: stem(path),
                spec: Err(vec![problem_of_file(path, why)]),
            }),
        }
    }
    let mut files: Vec<SpecFile> = schema::parse_pipelines(&readable)
        .into_iter()
        .zip(&readable)
        .map(|((file, parsed), (_, bytes))| SpecFile {
            name: stem(&file),
            spec: parsed.map_err(|diagnostics| problems(&diagnostics, bytes)).and_then(|pipeline| {
                let found: Vec<Problem> = not_yet::problems(&pipeline)
                    .iter()
                    .map(|problem| problem_of_file(&file, problem))
                    .collect();
                if found.is_empty() { Ok(pipeline) } else { Err(found) }
            }),
            file,
        })
        .collect();
    files.extend(unreadable);
    files.sort_by(|one, other| one.file.cmp(&other.file));
    files
}

/// The name that a file gives its pipeline, whether the name is a good one or not.
fn stem(path: &str) -> PipelineName {
    let file = path.rsplit('/').next().unwrap_or(path);
    let stem = file.strip_suffix(".yaml").or_else(|| file.strip_suffix(".yml")).unwrap_or(file);
    PipelineName::new(stem)
}

fn problem_of_file(file: &str, why: &str) -> Problem {
    Problem {
        file: file.to_owned(),
        line: 1,
        column: 1,
        message: why.to_owned(),
        hint: None,
        rendered: format!("error: {why}\n --> {file}\n"),
    }
}

fn problems(diagnostics: &schema::Diagnostics, text: &[u8]) -> Vec<Problem> {
    let text = String::from_utf8_lossy(text);
    diagnostics
        .0
        .iter()
        .map(|diagnostic| Problem {
            file: diagnostic.file.clone(),
            line: u32::try_from(diagnostic.line).unwrap_or(u32::MAX),
            column: u32::try_from(diagnostic.column).unwrap_or(u32::MAX),
            message: diagnostic.message.clone(),
            hint: diagnostic.hint.clone(),
            rendered: schema::render(&schema::Diagnostics(vec![diagnostic.clone()]), &text, false),
        })
        .collect()
}
