//! Logs in a folder, where something may come in between, and an append may have a price.

use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use branchline_artifacts::FolderArtifacts;
use branchline_model::{AttemptId, LineTime};
use branchline_ports::{Appends, ArtifactError, Artifacts, LogLength, LogPart, Objects};

type Act = Pin<Box<dyn Future<Output = ()> + Send>>;

pub struct Logs {
    inner: FolderArtifacts,
    /// Whether an append costs something.
    pub priced: AtomicBool,
    before_next: Mutex<Option<Act>>,
}

impl Logs {
    pub fn open(folder: impl AsRef<Path>) -> Self {
        let inner = FolderArtifacts::open(folder).unwrap();
        Self { inner, priced: AtomicBool::new(false), before_next: Mutex::default() }
    }

    /// Does this when the next bytes are to be stored, or the next log is to be closed, before that is done.
    pub fn before_next(&self, act: impl Future<Output = ()> + Send + 'static) {
        *self.before_next.lock().unwrap() = Some(Box::pin(act));
    }

    async fn act(&self) {
        let act = self.before_next.lock().unwrap().take();
        if let Some(act) = act {
            act.await;
        }
    }
}

#[async_trait]
impl Artifacts for Logs {
    async fn append_log(
        &self,
        attempt: &AttemptId,
        offset: u64,
        bytes: &[u8],
        times: &[LineTime],
    ) -> Result<u64, ArtifactError> {
        self.act().await;
        self.inner.append_log(attempt, offset, bytes, times).await
    }

    async fn close_log(&self, attempt: &AttemptId) -> Result<LogLength, ArtifactError> {
        self.act().await;
        self.inner.close_log(attempt).await
    }

    async fn log_length(&self, attempt: &AttemptId) -> Result<LogLength, ArtifactError> {
        self.inner.log_length(attempt).await
    }

    async fn read_log(
        &self,
        attempt: &AttemptId,
        offset: u64,
        most: usize,
    ) -> Result<LogPart, ArtifactError> {
        self.inner.read_log(attempt, offset, most).await
    }

    async fn delete_log(&self, attempt: &AttemptId) -> Result<(), ArtifactError> {
        self.inner.delete_log(attempt).await
    }

    fn appends(&self) -> Appends {
        if self.priced.load(Ordering::SeqCst) { Appends::Priced } else { Appends::Free }
    }

    fn objects(&self) -> Option<&dyn Objects> {
        self.inner.objects()
    }
}
