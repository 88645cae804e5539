//! A site to ask: a controller on a memory store and a folder of logs, a worker driven by hand, a clock that stands.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use branchline_artifacts::FolderArtifacts;
use branchline_controller::{Controller, Ports};
use branchline_model::{
    Actor, AttemptEnd, AttemptId, AttemptReport, BuildId, CommitId, LineTime, PoolName, RefName,
    RepositoryId, RepositoryName, StepEnd, StepRecord, Stop, Timestamp, WorkerId,
};
use branchline_ports::{
    Bell, Checkout, CheckoutError, Claimant, Clock, CommitFiles, CommitInfo, Heads, LaunchError, Launcher,
    Lease, PipelineFile, Ring, WorkerProtocol,
};
use branchline_store::MemoryStore;
use branchline_testkit::{PoisonedStore, SteppedClock};
use branchline_web::{Access, Web, router};
use http_body_util::BodyExt;
use tempfile::TempDir;
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

pub(crate) const TOKEN: &str = "a-token-that-nobody-guesses";
pub(crate) const HOST: &str = "127.0.0.1:8080";
pub(crate) const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
pub(crate) const NOW: Timestamp = Timestamp(1_795_244_400_000);

/// The pipelines that the repository holds, as a table.
struct Table(Mutex<Vec<(String, String)>>);

#[async_trait]
impl Checkout for Table {
    async fn heads(&self, _: &str) -> Result<Heads, CheckoutError> {
        let main = (RefName::Branch("main".to_owned()), COMMIT.parse().unwrap());
        Ok(Heads { refs: vec![main], default_branch: Some("main".to_owned()) })
    }

    async fn pipelines_at(
        &self,
        _: &str,
        _: &CommitId,
        _: Option<&RefName>,
    ) -> Result<CommitFiles, CheckoutError> {
        let files = self.0.lock().unwrap().clone();
        Ok(CommitFiles {
            info: CommitInfo {
                subject: "Say <hello> & more".to_owned(),
                message: "Say <hello> & more".to_owned(),
                author: "Ann O'Nym".to_owned(),
            },
            files: files
                .into_iter()
                .map(|(name, text)| PipelineFile {
                    path: format!(".branchline/{name}.yaml"),
                    content: Ok(text.into_bytes()),
                })
                .collect(),
        })
    }
}

struct Rings(broadcast::Sender<Ring>);

impl Bell for Rings {
    fn ring(&self, ring: Ring) {
        // Nobody may be listening.
        let _ = self.0.send(ring);
    }
}

/// The worker of these tests is the test: it is told nothing, or cannot be told.
struct Nobody {
    away: Arc<AtomicBool>,
}

#[async_trait]
impl Launcher for Nobody {
    async fn stop(&self, worker: &WorkerId, _: &AttemptId, _: &Stop) -> Result<(), LaunchError> {
        if self.away.load(Ordering::SeqCst) {
            return Err(LaunchError::Unavailable { worker: worker.clone(), why: "it is away".to_owned() });
        }
        Ok(())
    }

    async fn is_told_to_stop(&self, _: &WorkerId, _: &AttemptId) -> Result<bool, LaunchError> {
        Ok(false)
    }
}

#[derive(Clone)]
pub(crate) struct Site {
    pub(crate) controller: Controller,
    pub(crate) clock: Arc<SteppedClock>,
    pub(crate) rings: broadcast::Sender<Ring>,
    pub(crate) closing: CancellationToken,
    pub(crate) store: Arc<PoisonedStore>,
    /// Whether the worker cannot be told anything.
    pub(crate) away: Arc<AtomicBool>,
    pub(crate) repository: RepositoryId,
    pub(crate) _folder: Arc<TempDir>,
}

/// An answer, read whole.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

impl Site {
    /// A site with a repository `app` whose default branch holds these pipelines. Nothing is decided yet.
    pub(crate) async fn with(pipelines: &[(&str, &str)]) -> Self {
        let folder = TempDir::new().unwrap();
        let (rings, _) = broadcast::channel(1024);
        let clock = Arc::new(SteppedClock::at(NOW));
        let table = pipelines.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        let away = Arc::new(AtomicBool::new(false));
        let store = Arc::new(PoisonedStore::over(Arc::new(MemoryStore::new())));
        let controller = Controller::new(Ports {
            store: Arc::clone(&store) as Arc<dyn branchline_ports::Store>,
            artifacts: Arc::new(FolderArtifacts::open(folder.path()).unwrap()),
            checkout: Arc::new(Table(Mutex::new(table))),
            launcher: Arc::new(Nobody { away: Arc::clone(&away) }),
            bell: Arc::new(Rings(rings.clone())),
            clock: clock.clone(),
            page_address: None,
        });
        let name = RepositoryName::new("example.org/acme/app");
        let repository = controller.add_repository(&name, "https://example.org/acme/app").await.unwrap();
        Self {
            controller,
            clock,
            rings,
            closing: CancellationToken::new(),
            store,
            away,
            repository,
            _folder: Arc::new(folder),
        }
    }

    /// Looks at the refs, and decides what that makes.
    pub(crate) async fn push(&self) {
        self.controller.observe(&self.repository, None).await.unwrap();
        for event in self.controller.due_events(100).await.unwrap() {
            self.controller.resolve(&event.event).await.unwrap();
        }
    }

    pub(crate) fn access(&self, port: u16) -> Access {
        Access::new(TOKEN, Access::loopback_hosts(port), Actor::new("tester")).unwrap()
    }

    pub(crate) fn router(&self, port: u16) -> Router {
        router(Web {
            controller: self.controller.clone(),
            rings: self.rings.clone(),
            access: self.access(port),
            clock: self.clock.clone(),
            closing: self.closing.clone(),
            version: "1.2.3".to_owned(),
        })
    }

    /// Sends any request.
    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router(8080).oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let body = String::from_utf8_lossy(&bytes).into_owned();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    /// Asks as a program does.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(authorised("GET", path).body(Body::empty()).unwrap()).await
    }

    /// Sends JSON as a program does.
    pub(crate) async fn post(&self, path: &str, json: &str) -> Answer {
        let request = authorised("POST", path).header("content-type", "application/json");
        self.send(request.body(Body::from(json.to_owned())).unwrap()).await
    }

    /// Sends a form.
    pub(crate) async fn press(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let body: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = authorised("POST", path).header("content-type", "application/x-www-form-urlencoded");
        self.send(request.body(Body::from(body.join("&"))).unwrap()).await
    }

    /// The repository's path under `/api/v1` and of its page.
    pub(crate) fn path(&self, rest: &str) -> String {
        format!("/repositories/{}{rest}", self.repository)
    }

    pub(crate) fn api(&self, rest: &str) -> String {
        format!("/api/v1{}", self.path(rest))
    }

    pub(crate) fn build(&self, number: u64) -> BuildId {
        BuildId { repository: self.repository.clone(), number }
    }

    /// Takes one run, as a worker does, and begins it.
    pub(crate) async fn begin(&self) -> Lease {
        let pools = vec![PoolName::new("default")];
        let claimant = Claimant { worker: WorkerId::new("here"), pools, tags: BTreeSet::new() };
        let mut taken = self.controller.claim(&claimant, 1).await.unwrap();
        let lease = taken.pop().expect("a run waits").lease;
        self.controller.begun(&lease, self.clock.now()).await.unwrap();
        self.controller.progress(&lease, &[step(None)], None).await.unwrap();
        lease
    }

    /// Appends to the log of what is held.
    pub(crate) async fn append(&self, lease: &Lease, bytes: &[u8]) {
        let offset = WorkerProtocol::log_length(&self.controller, lease).await.unwrap();
        let times = [LineTime { offset, at: self.clock.now() }];
        self.controller.append_log(lease, offset, bytes, &times).await.unwrap();
    }

    /// Ends what is held: the first step exits with this code.
    pub(crate) async fn finish(&self, lease: &Lease, exit: i32) {
        self.clock.step(Duration::from_millis(1_500));
        let end = if exit == 0 {
            AttemptEnd::Passed
        } else {
            AttemptEnd::StepFailed { step: "echo hello".to_owned(), exit }
        };
        let report = AttemptReport {
            end,
            began_at: Some(NOW),
            ended_at: self.clock.now(),
            steps: vec![step(Some((exit, self.clock.now())))],
            log_length: WorkerProtocol::log_length(&self.controller, lease).await.unwrap(),
        };
        WorkerProtocol::finish(&self.controller, lease, report).await.unwrap();
        self.controller.advance_build(&lease.attempt.run.build).await.unwrap();
    }
}

fn step(end: Option<(i32, Timestamp)>) -> StepRecord {
    StepRecord {
        index: 0,
        began_at: NOW,
        log_offset: 0,
        end: end.map(|(code, _)| StepEnd::Exited { code }),
        ended_at: end.map(|(_, at)| at),
    }
}

pub(crate) fn request(method: &str, path: &str) -> axum::http::request::Builder {
    Request::builder().method(method).uri(path).header("host", HOST)
}

pub(crate) fn authorised(method: &str, path: &str) -> axum::http::request::Builder {
    request(method, path).header("authorization", format!("Bearer {TOKEN}"))
}

pub(crate) const HELLO: &str = "on: {push: {}, manual: true}\njobs:\n  hello: {process: true, steps: [echo hello, echo second]}\n  after: {process: true, needs: [hello], steps: [echo after]}\n";
