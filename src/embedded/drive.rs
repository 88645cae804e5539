//! The embedded controller: adapters joined, loops started, page served; and all of it ended in order.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use branchline_artifacts::FolderArtifacts;
use branchline_checkout::{Cache, GitCheckout, Network, Source, Sources};
use branchline_controller::{Controller, Ports};
use branchline_model::{Actor, PoolName, RepositoryName, WorkerId};
use branchline_ports::{Ring, WorkerProtocol};
use branchline_store::SqliteStore;
use branchline_web::Access;
use branchline_worker::{Drain, HEARTBEAT, Worker, WorkerConfig, WorkerHandle, Workspace};
use tokio::net::TcpListener;
use tokio::sync::broadcast;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{Data, EmbeddedBell, GitWorkspaces, Loops, SystemClock, Watched, watch};

/// The worker inside the controller's own process.
const WORKER: &str = "embedded";

/// So long may the last answers take when it ends.
const LAST_ANSWERS: Duration = Duration::from_secs(2);

/// Who acts with the token of the data folder.
const OWNER: &str = "owner";

/// What an embedded controller is made of.
#[derive(Debug)]
pub struct EmbeddedConfig {
    /// Where everything is kept.
    pub data: Data,
    /// Where page and API are served: `ADDRESS:PORT`.
    pub listen: String,
    /// Further names by which it is reached: `NAME` or `NAME:PORT`.
    pub hosts: Vec<String>,
    /// What is watched.
    pub repositories: Vec<Source>,
    /// How many runs are carried out at once.
    pub slots: usize,
    /// How often repositories on other machines are looked at.
    pub poll: Duration,
}

/// A controller that serves.
pub struct Embedded {
    data: Data,
    url: String,
    token: String,
    token_is_new: bool,
    controller: Controller,
    bell: EmbeddedBell,
    watched: Vec<String>,
    worker: WorkerHandle,
    worker_task: JoinHandle<()>,
    loops: Loops,
}

/// What a listener needs.
pub struct Listening {
    /// To read what has changed.
    pub controller: Controller,
    /// What may have changed.
    pub rings: broadcast::Receiver<Ring>,
}

impl Embedded {
    /// Opens the data folder, joins the adapters, and starts to watch, work and serve.
    pub async fn start(config: EmbeddedConfig) -> anyhow::Result<Self> {
        let EmbeddedConfig { data, listen, hosts: named, repositories, slots, poll } = config;
        data.make()?;
        let store = SqliteStore::open(data.database())?;
        let (token, token_is_new) = data.token()?;
        let listener = TcpListener::bind(&listen).await.with_context(|| {
            format!("cannot serve on {listen}; say --listen ADDRESS:PORT, with port 0 for a free one")
        })?;
        let address = listener.local_addr().context("the address that is served on cannot be read")?;
        let url = format!("http://{address}");

        let access = Access::new(&token, hosts(&listen, &named, address), Actor::new(OWNER))?;

        let network = Network::default();
        let cache = Cache::open(data.git(), network.clone())?;
        let sources = Sources::of(&repositories);
        let bell = EmbeddedBell::new();
        let worker_config = WorkerConfig {
            id: WorkerId::new(WORKER),
            pools: vec![PoolName::new(branchline_core::pools::DEFAULT_POOL)],
            tags: std::collections::BTreeSet::new(),
            slots,
            root: data.attempts(),
            workspace: Workspace::Fresh,
            heartbeat: HEARTBEAT,
        };
        let worker = WorkerHandle::new(&worker_config);
        let controller = Controller::new(Ports {
            store: Arc::new(store),
            artifacts: Arc::new(FolderArtifacts::open(data.artifacts())?),
            checkout: Arc::new(GitCheckout::new(cache.clone(), network, sources.clone())),
            launcher: Arc::new(worker.clone()),
            bell: Arc::new(bell.clone()),
            clock: Arc::new(SystemClock),
            page_address: Some(url.clone()),
        });

        let mut loops = Loops::start(&controller, &bell, &worker);
        let end = loops.ending();
        let mut watched = Vec::new();
        for source in repositories {
            let name = RepositoryName::new(source.name());
            let id = match controller.add_repository(&name, &source.to_string()).await {
                // The others are served all the same.
                Err(error) if error.is_unreadable() => {
                    tracing::error!(repository = %name, "is not watched, since what is stored of it cannot be read");
                    continue;
                }
                added => added?,
            };
            watched.push(name.to_string());
            loops.spawn(watch(controller.clone(), Watched { id, source, poll }, end.clone()));
        }
        let executor = Worker::new(
            worker_config,
            worker.clone(),
            Arc::new(controller.clone()),
            Arc::new(GitWorkspaces::new(cache, sources)),
        )?;
        let worker_task = tokio::spawn(executor.run());
        let router = branchline_web::router(branchline_web::Web {
            controller: controller.clone(),
            rings: bell.rings(),
            access,
            clock: Arc::new(SystemClock),
            closing: end.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        });
        loops.spawn(serve(listener, router, end));
        data.write_address(&url)?;
        Ok(Self { data, url, token, token_is_new, controller, bell, watched, worker, worker_task, loops })
    }

    /// Where it serves.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The page's address with which a browser logs in.
    #[must_use]
    pub fn login_url(&self) -> String {
        format!("{}/?token={}", self.url, self.token)
    }

    /// The access token.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Its data folder.
    #[must_use]
    pub fn data(&self) -> &Data {
        &self.data
    }

    /// The names of what it watches.
    #[must_use]
    pub fn watched(&self) -> &[String] {
        &self.watched
    }

    /// For whoever tells people what happens.
    #[must_use]
    pub fn listen(&self) -> Listening {
        Listening { controller: self.controller.clone(), rings: self.bell.rings().subscribe() }
    }

    /// Whether the token was made just now, and nobody has seen it yet.
    #[must_use]
    pub fn token_is_new(&self) -> bool {
        self.token_is_new
    }

    /// Takes no new runs, treats what runs as told, and ends. Answers how many runs go on alone, until the next start.
    pub async fn stop(self, drain: Drain) -> usize {
        self.worker.drain(drain);
        if let Err(error) = self.worker_task.await {
            tracing::error!(%error, "the worker died");
        }
        // What has just ended is still folded in and shown.
        if let Err(error) = self.controller.advance().await {
            tracing::warn!(%error, "builds could not be advanced; it will be done at the next start");
        }
        let left = self.controller.held(&WorkerId::new(WORKER)).await.map_or(0, |held| held.len());
        self.loops.end().await;
        self.data.remove_address();
        left
    }
}

/// The names by which the server may be asked for: those of the loopback, and the one it was told to listen on.
fn hosts(listen: &str, named: &[String], address: SocketAddr) -> Vec<String> {
    let mut hosts = Access::loopback_hosts(address.port());
    let listened = listen.rsplit_once(':').map(|(name, _)| format!("{name}:{}", address.port()));
    hosts.extend(listened.into_iter().chain([address.to_string()]));
    // A browser leaves the port out where it is the scheme's own.
    hosts.extend(named.iter().flat_map(|name| [name.clone(), format!("{name}:{}", address.port())]));
    hosts
}

async fn serve(listener: TcpListener, router: axum::Router, end: CancellationToken) {
    let served = axum::serve(listener, router).with_graceful_shutdown(end.clone().cancelled_owned());
    // A client that sends half a request, or reads nothing, must not keep the end waiting.
    let patience_is_over = async {
        end.cancelled().await;
        tokio::time::sleep(LAST_ANSWERS).await;
    };
    tokio::select! {
        result = served => {
            if let Err(error) = result {
                tracing::error!(%error, "page and API are not served any more");
            }
        }
        () = patience_is_over => {}
    }
}
