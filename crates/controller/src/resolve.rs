//! Resolve: an accepted event becomes builds, from the pipeline files at its very commit. An event stays pending until it
//! is decided; what fails is tried again, later each time, and never given up while it may pass: a machine may be offline for
//! a night. Only an event whose repository is gone is, or whose commit was looked for long enough ([`missing`]). Invariant: what
//! is answered of an event is what is stored of it.

use std::pin::pin;
use std::time::Duration;

use branchline_core::facts::Facts;
use branchline_core::intent::{self, SpecFile};
use branchline_core::{build, effect, missing};
use branchline_jobs_schema as schema;
use branchline_model::{
    BuildId, Event, EventKey, EventKind, EventStatus, Expectation, PendingEvent, PipelineName, Plan, Problem,
    Reason, Repository, RepositoryId, Timestamp, Versioned, keys,
};
use branchline_ports::{CheckoutError, CommitFiles, CommitInfo, Page, PipelineFile, Ring, StoreError};
use futures_util::future::{Either, select};

use crate::commit::{MOST_TRIES, Outcome};
use crate::facts;
use crate::{Controller, ControllerError};

/// So long waits what needs a row that cannot be read.
pub(crate) const UNREADABLE_AGAIN: Duration = Duration::from_secs(3_600);

/// So long waits an event about which nothing could be written, so that it lets the others by.
const UNWRITTEN_AGAIN: Duration = Duration::from_secs(10);

/// So long may reading a commit's pipelines take. Servers may say a little from time to time for ever.
const LONGEST_READ: Duration = Duration::from_secs(120);

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
    pub(crate) event: Versioned<Event>,
    /// `None` where it is not served any more.
    repository: Option<Versioned<Repository>>,
}

/// When an event was settled.
enum Looked {
    /// By this look, or not yet; until then it waited for this time.
    Now(Resolved, Timestamp),
    /// It waits for this time, later than the one that it was found under.
    Later(Resolved, Timestamp),
    /// By another, or there is none.
    Before(Resolved),
}

impl Controller {
    /// The events that wait for their decision and are due, the earliest first.
    pub async fn due_events(&self, limit: usize) -> Result<Vec<PendingEvent>, StoreError> {
        // Every key of a time before the next millisecond.
        let until = Some(Timestamp(self.clock.now().0 + 1).sortable());
        let page = Page { until, ..Page::of(keys::PENDING_EVENTS, limit) };
        Ok(self.leads::<PendingEvent>(&page).await?.into_iter().map(|row| row.value).collect())
    }

    /// Decides an event that is due. One that needs a row that cannot be read is put off for an hour each time, and one about which
    /// nothing could be written for some seconds, so that it stands in nobody's way.
    pub async fn resolve_due(&self, due: &PendingEvent) -> Result<Resolved, ControllerError> {
        let mut plan = Plan::default();
        plan.delete(keys::pending_event(due.next_try, &due.event), Expectation::Any);
        let error = match self.settle_now(&due.event, &due.repository, Some(due.next_try)).await {
            // Its place went with what was decided.
            Ok(Looked::Now(resolved, waited_for)) if waited_for == due.next_try => return Ok(resolved),
            Ok(Looked::Later(resolved, next_try)) => {
                // It may have been put off from that time to this one, by a clock that was set back since.
                plan.put(PendingEvent { next_try, ..due.clone() }, Expectation::Any);
                self.commit(plan).await?;
                return Ok(resolved);
            }
            Ok(Looked::Now(resolved, _) | Looked::Before(resolved)) => {
                self.commit(plan).await?;
                return Ok(resolved);
            }
            Err(error) => error,
        };
        let is_lasting =
            error.is_unreadable() || matches!(error, ControllerError::Store(StoreError::Refused { .. }));
        let wait = if is_lasting { UNREADABLE_AGAIN } else { UNWRITTEN_AGAIN };
        plan.put(PendingEvent { next_try: self.clock.now().after(wait), ..due.clone() }, Expectation::Any);
        let put_off = self.commit(plan).await;
        if error.is_unreadable() {
            put_off?;
            return Ok(Resolved::Pending { why: error.to_string() });
        }
        if let Err(why) = put_off {
            tracing::debug!(event = %due.event, error = %why, "it stays where it is");
        }
        Err(error)
    }

    /// Decides an event, unless that was done before.
    pub async fn resolve(&self, key: &EventKey) -> Result<Resolved, ControllerError> {
        let Some(event) = self.row::<Event>(keys::event(key)).await? else { return Ok(Resolved::Unknown) };
        let settled = self.settle_now(key, &event.value.repository, None).await?;
        let (Looked::Now(resolved, _) | Looked::Later(resolved, _) | Looked::Before(resolved)) = settled;
        Ok(resolved)
    }

    /// `due` is the time that it was found to wait for.
    async fn settle_now(
        &self,
        key: &EventKey,
        repository: &RepositoryId,
        due: Option<Timestamp>,
    ) -> Result<Looked, ControllerError> {
        let Some(subject) = self.subject(key, repository).await? else {
            return Ok(Looked::Before(Resolved::Unknown));
        };
        let waits_for = match &subject.event.value.status {
            EventStatus::Pending { next_try, why, .. } if due.is_some_and(|due| due < *next_try) => {
                let pending = Resolved::Pending { why: why.clone().unwrap_or_default() };
                return Ok(Looked::Later(pending, *next_try));
            }
            EventStatus::Pending { next_try, .. } => *next_try,
            status => return Ok(Looked::Before(settled(status).unwrap_or(Resolved::Unknown))),
        };
        Ok(Looked::Now(self.decide_pending(subject).await?, waits_for))
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
            return self.abandon(&event, not_served(&event.value)).await;
        };
        match self.read_pipelines(&repository.value.url, &event.value.kind).await {
            Ok(commit) => {
                let files = check(&commit.files);
                match self.ask(&repository.value, &event.value.kind, &files).await {
                    Ok(facts) => {
                        let subject = Subject { event, repository: Some(repository) };
                        self.decide(subject, &commit.info, &files, &facts).await
                    }
                    Err(error) => self.postpone(&event, error.to_string()).await,
                }
            }
            Err(error @ CheckoutError::NoSuchCommit { .. }) => self.miss(&event, &error.to_string()).await,
            Err(error) => self.postpone(&event, error.to_string()).await,
        }
    }

    async fn read_pipelines(&self, url: &str, kind: &EventKind) -> Result<CommitFiles, CheckoutError> {
        let read = self.checkout.pipelines_at(url, kind.commit(), Some(kind.ref_name()));
        self.in_time(url, || format!("hand out {}", kind.commit()), read).await
    }

    /// What git answers, unless it takes too long: a server may say a little from time to time for ever.
    async fn in_time<T>(
        &self,
        url: &str,
        what: impl FnOnce() -> String,
        asked: impl Future<Output = Result<T, CheckoutError>>,
    ) -> Result<T, CheckoutError> {
        match select(pin!(asked), self.clock.sleep(LONGEST_READ)).await {
            Either::Left((answer, _)) => answer,
            Either::Right(_) => {
                let why = format!("it did not {} within {} s", what(), LONGEST_READ.as_secs());
                Err(CheckoutError::Unavailable { url: url.to_owned(), why })
            }
        }
    }

    /// Asks git what the pipelines ask of it.
    pub(crate) async fn ask(
        &self,
        repository: &Repository,
        event: &EventKind,
        files: &[SpecFile],
    ) -> Result<Facts, CheckoutError> {
        let concerned = intent::concerned(event, &repository.id, files);
        let url = repository.url.as_str();
        let answer = facts::answer(&*self.checkout, url, event, concerned);
        self.in_time(url, || format!("say what changed at {}", event.commit()), answer).await
    }

    /// Decides an event as it was read before its files were, which may have taken a while: where something changed meanwhile,
    /// it is read again.
    pub(crate) async fn decide(
        &self,
        mut subject: Subject,
        info: &CommitInfo,
        files: &[SpecFile],
        facts: &Facts,
    ) -> Result<Resolved, ControllerError> {
        let read_at = self.clock.now();
        for _ in 0..MOST_TRIES {
            let Subject { event, repository } = &subject;
            if let Some(resolved) = settled(&event.value.status) {
                return Ok(resolved);
            }
            let Some(repository) = repository else {
                return self.abandon(event, not_served(&event.value)).await;
            };
            let snapshot = build::Snapshot {
                repository,
                event,
                subject: &info.subject,
                message: &info.message,
                author: &info.author,
                files,
                facts,
                setting: &self.setting,
                read_at,
                page: self.page_address.as_deref(),
            };
            let build::Decision { plan, builds, reasons } = build::decide(&snapshot, self.clock.now())?;
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

    /// What failed may work later.
    async fn postpone(&self, event: &Versioned<Event>, why: String) -> Result<Resolved, ControllerError> {
        let EventStatus::Pending { failures, missing, .. } = event.value.status else {
            return Ok(Resolved::Unknown);
        };
        let failures = failures.saturating_add(1);
        let next_try = self.clock.now().after(effect::backoff(failures));
        let status = EventStatus::Pending { failures, next_try, why: Some(why.clone()), missing };
        self.wait(event, status, next_try, why).await
    }

    /// The repository answered that it does not have the commit.
    async fn miss(&self, event: &Versioned<Event>, error: &str) -> Result<Resolved, ControllerError> {
        let EventStatus::Pending { failures, missing, .. } = event.value.status else {
            return Ok(Resolved::Unknown);
        };
        let (looked, next) = missing::look(missing, self.clock.now());
        let why = missing::say(looked, next, error);
        let missing::Next::Look(next_try) = next else { return self.abandon(event, why).await };
        let status = EventStatus::Pending {
            failures: failures.saturating_add(1),
            next_try,
            why: Some(why.clone()),
            missing: Some(looked),
        };
        self.wait(event, status, next_try, why).await
    }

    /// The event stays pending until this time.
    async fn wait(
        &self,
        event: &Versioned<Event>,
        status: EventStatus,
        next_try: Timestamp,
        why: String,
    ) -> Result<Resolved, ControllerError> {
        let Event { key, repository, .. } = &event.value;
        tracing::warn!(event = %key, %next_try, why, "an event cannot be resolved yet");
        let mut plan = Plan::default();
        build::settle(&mut plan, event, status);
        let pending = PendingEvent { event: key.clone(), repository: repository.clone(), next_try };
        plan.put(pending, Expectation::Any);
        match self.commit(plan).await? {
            Outcome::Done => Ok(Resolved::Pending { why }),
            Outcome::Again => self.settled_meanwhile(key, why).await,
        }
    }

    async fn abandon(&self, event: &Versioned<Event>, why: String) -> Result<Resolved, ControllerError> {
        let mut plan = Plan::default();
        build::settle(&mut plan, event, EventStatus::Abandoned { at: self.clock.now(), why: why.clone() });
        match self.commit(plan).await? {
            Outcome::Done => {
                tracing::warn!(event = %event.value.key, why, "an event is given up");
                Ok(Resolved::Abandoned { why })
            }
            Outcome::Again => self.settled_meanwhile(&event.value.key, why).await,
        }
    }

    /// What became of an event by somebody else; where that is nothing, it is pending still.
    async fn settled_meanwhile(&self, key: &EventKey, why: String) -> Result<Resolved, ControllerError> {
        let event = self.row::<Event>(keys::event(key)).await?;
        Ok(event.map_or(Resolved::Unknown, |event| {
            settled(&event.value.status).unwrap_or(Resolved::Pending { why })
        }))
    }
}

fn not_served(event: &Event) -> String {
    format!("the repository {} is not served any more", event.repository)
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
            spec: parsed.map_err(|diagnostics| problems(&diagnostics, bytes)),
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
