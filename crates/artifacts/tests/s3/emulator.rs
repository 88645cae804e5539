//! S3 on this machine: a server on a free port that speaks the real protocol to the real client, counts requests, and fails those
//! it is told to. Where `BRANCHLINE_TEST_S3_BUCKET` names a bucket, the situations that need no faults work with that instead.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use aws_credential_types::Credentials;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::{BehaviorVersion, Region};
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::{Builder, tls};
use branchline_artifacts::S3Artifacts;
use branchline_model::{AttemptId, LineTime};
use branchline_ports::{Appends, ArtifactError, Artifacts, LineStart, LogLength, LogPart, Objects, Place};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use tokio::net::TcpListener;
use tokio::runtime::{Handle, Runtime};

use crate::memory::Memory;

const KEY: &str = "AKIABRANCHLINE";
const SECRET: &str = "a secret of nobody";

/// When a request fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fails {
    /// Before anything is done.
    Before,
    /// After it is done: the answer is lost.
    After,
}

#[derive(Default)]
struct Requests {
    /// Method and path of each, in order.
    seen: Vec<String>,
    /// From this request on, counted from 0, all fail: the first one so, those after it before anything is done.
    fail: Option<(usize, Fails)>,
}

/// A server that goes when it is dropped.
pub struct Emulator {
    pub memory: Memory,
    address: SocketAddr,
    requests: Arc<Mutex<Requests>>,
    runtime: Option<Runtime>,
}

impl Drop for Emulator {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Emulator {
    pub fn start() -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let memory = Memory::default();
        let mut service = S3ServiceBuilder::new(memory.clone());
        service.set_auth(SimpleAuth::from_single(KEY, SECRET));
        let service = service.build();
        let requests = Arc::new(Mutex::new(Requests::default()));
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let heard = Arc::clone(&requests);
        runtime.spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else { return };
                let (service, requests) = (service.clone(), Arc::clone(&heard));
                tokio::spawn(async move {
                    let answer =
                        service_fn(move |request| answer(service.clone(), Arc::clone(&requests), request));
                    let connection = hyper::server::conn::http1::Builder::new();
                    drop(connection.serve_connection(TokioIo::new(stream), answer).await);
                });
            }
        });
        Self { memory, address, requests, runtime: Some(runtime) }
    }

    /// Carries something out where the server does its work too.
    pub fn carry_out<T>(&self, situation: impl Future<Output = T>) -> T {
        self.runtime.as_ref().unwrap().block_on(situation)
    }

    /// A client that tries each request so often.
    pub fn client(&self, tries: u32) -> Client {
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .credentials_provider(Credentials::new(KEY, SECRET, None, None, "test"))
            .region(Region::new("us-east-1"))
            .endpoint_url(format!("http://{}", self.address))
            .force_path_style(true)
            .retry_config(RetryConfig::standard().with_max_attempts(tries))
            .http_client(Builder::new().build_http());
        Client::from_conf(config.build())
    }

    /// Another process's adapter: it remembers nothing of what others did.
    pub fn artifacts(&self) -> S3Artifacts {
        S3Artifacts::new(self.client(1), "bucket", "")
    }

    /// From the `number`-th request on, from 0 and from now on, all fail.
    pub fn fail_from(&self, number: usize, how: Fails) {
        let mut requests = self.requests.lock().unwrap();
        requests.seen.clear();
        requests.fail = Some((number, how));
    }

    /// Requests are answered again.
    pub fn heal(&self) {
        self.requests.lock().unwrap().fail = None;
    }

    /// The requests since this was last asked.
    pub fn requests(&self) -> Vec<String> {
        std::mem::take(&mut self.requests.lock().unwrap().seen)
    }
}

async fn answer(
    service: S3Service,
    requests: Arc<Mutex<Requests>>,
    request: Request<Incoming>,
) -> Result<Response<s3s::Body>, s3s::HttpError> {
    let fails = {
        let mut requests = requests.lock().unwrap();
        let number = requests.seen.len();
        requests.seen.push(format!("{} {}", request.method(), request.uri().path()));
        match requests.fail {
            Some((from, how)) if number == from => Some(how),
            Some((from, _)) if number > from => Some(Fails::Before),
            _ => None,
        }
    };
    let failure = || Response::builder().status(500).body(s3s::Body::empty()).unwrap();
    match fails {
        Some(Fails::Before) => Ok(failure()),
        Some(Fails::After) => {
            drop(service.call(request.map(s3s::Body::from)).await);
            Ok(failure())
        }
        None => service.call(request.map(s3s::Body::from)).await,
    }
}

/// An adapter whose requests are made where the server works, whoever asks: situations ask from runtimes that come and go,
/// and connections must not go with them.
pub struct Settled {
    artifacts: S3Artifacts,
    runtime: Handle,
}

impl Settled {
    async fn there<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, ArtifactError>> + Send + 'static,
    ) -> Result<T, ArtifactError> {
        self.runtime.spawn(work).await.unwrap()
    }
}

macro_rules! there {
    ($self:ident, $attempt:ident, |$artifacts:ident| $call:expr) => {{
        let ($artifacts, $attempt) = ($self.artifacts.clone(), $attempt.clone());
        $self.there(async move { $call.await }).await
    }};
}

#[async_trait]
impl Artifacts for Settled {
    async fn append_log(
        &self,
        attempt: &AttemptId,
        offset: u64,
        bytes: &[u8],
        times: &[LineTime],
    ) -> Result<u64, ArtifactError> {
        let (bytes, times) = (bytes.to_vec(), times.to_vec());
        there!(self, attempt, |artifacts| artifacts.append_log(&attempt, offset, &bytes, &times))
    }

    async fn close_log(&self, attempt: &AttemptId) -> Result<LogLength, ArtifactError> {
        there!(self, attempt, |artifacts| artifacts.close_log(&attempt))
    }

    async fn log_length(&self, attempt: &AttemptId) -> Result<LogLength, ArtifactError> {
        there!(self, attempt, |artifacts| artifacts.log_length(&attempt))
    }

    async fn read_log(
        &self,
        attempt: &AttemptId,
        offset: u64,
        most: usize,
    ) -> Result<LogPart, ArtifactError> {
        there!(self, attempt, |artifacts| artifacts.read_log(&attempt, offset, most))
    }

    async fn delete_log(&self, attempt: &AttemptId) -> Result<(), ArtifactError> {
        there!(self, attempt, |artifacts| artifacts.delete_log(&attempt))
    }

    fn appends(&self) -> Appends {
        self.artifacts.appends()
    }

    fn objects(&self) -> Option<&dyn Objects> {
        self.artifacts.objects()
    }

    async fn find_line(&self, attempt: &AttemptId, place: Place) -> Result<LineStart, ArtifactError> {
        there!(self, attempt, |artifacts| artifacts.find_line(&attempt, place))
    }
}

/// An adapter on a bucket of its own, or on its own part of the bucket that the environment names.
pub fn opened() -> (Settled, Emulator) {
    let emulator = Emulator::start();
    let runtime = emulator.runtime.as_ref().unwrap().handle().clone();
    let artifacts = match std::env::var("BRANCHLINE_TEST_S3_BUCKET") {
        Ok(bucket) => S3Artifacts::new(real_client(), bucket, own_prefix()),
        Err(_) => S3Artifacts::new(emulator.client(3), "bucket", "some/prefix/"),
    };
    (Settled { artifacts, runtime }, emulator)
}

fn own_prefix() -> String {
    static USED: AtomicU32 = AtomicU32::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
    let number = USED.fetch_add(1, Ordering::Relaxed);
    format!("branchline-test/{now}-{}-{number}/", std::process::id())
}

/// A client of the real S3, with the usual variables.
fn real_client() -> Client {
    let said = |name: &str| std::env::var(name).ok();
    let needed = |name: &str| said(name).unwrap_or_else(|| panic!("{name} is needed for a real bucket"));
    let (key, secret) = (needed("AWS_ACCESS_KEY_ID"), needed("AWS_SECRET_ACCESS_KEY"));
    let https = Builder::new().tls_provider(tls::Provider::Rustls(CryptoMode::Ring)).build_https();
    let mut config = aws_sdk_s3::Config::builder();
    config.set_endpoint_url(said("AWS_ENDPOINT_URL_S3"));
    let config = config
        .behavior_version(BehaviorVersion::latest())
        .credentials_provider(Credentials::new(key, secret, said("AWS_SESSION_TOKEN"), None, "environment"))
        .region(Region::new(said("AWS_REGION").unwrap_or_else(|| "us-east-1".to_owned())))
        .http_client(https);
    Client::from_conf(config.build())
}
