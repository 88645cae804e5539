//! Fresh work trees for runs, written by gix at the very commit.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use branchline_checkout::{Cache, Sources, WorktreeRequest};
use branchline_model::{CheckoutDefinition, CommitId, RefName};
use branchline_worker::Workspaces;
use tokio::sync::mpsc;

/// Writes work trees through a cache.
#[derive(Clone, Debug)]
pub struct GitWorkspaces {
    cache: Cache,
    sources: Sources,
}

impl GitWorkspaces {
    /// Uses a cache for repositories on other machines, and the credentials of those that have any.
    #[must_use]
    pub fn new(cache: Cache, sources: Sources) -> Self {
        Self { cache, sources }
    }
}

/// Says that a checkout is not wanted any more when nobody waits for it.
struct CancelOnDrop(Arc<AtomicBool>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[async_trait]
impl Workspaces for GitWorkspaces {
    async fn prepare(
        &self,
        checkout: &CheckoutDefinition,
        commit: &CommitId,
        into: &Path,
        cancel: &Arc<AtomicBool>,
        log: &mut (dyn FnMut(String) + Send),
    ) -> Result<(), String> {
        let (cache, sources) = (self.cache.clone(), self.sources.clone());
        let (checkout, commit, into) = (checkout.clone(), commit.clone(), into.to_owned());
        let cancel = Arc::clone(cancel);
        let guard = CancelOnDrop(Arc::clone(&cancel));
        let (lines, mut said) = mpsc::unbounded_channel();
        let work = tokio::task::spawn_blocking(move || {
            let source = sources.find(&checkout.url).map_err(|error| error.to_string())?;
            let ref_name: Option<RefName> = checkout.ref_name.as_deref().and_then(|name| name.parse().ok());
            let request = WorktreeRequest {
                source: &source,
                commit: &commit,
                ref_name: ref_name.as_ref(),
                depth: checkout.depth,
                submodules: checkout.submodules,
                into: &into,
            };
            let mut progress = |line: String| drop(lines.send(line));
            cache.write_worktree(&request, &cancel, &mut progress).map_err(|error| error.to_string())?;
            Ok(())
        });
        // Its end is waited for also where it was cancelled: until then it writes.
        while let Some(line) = said.recv().await {
            log(line);
        }
        let result = work.await.map_err(|error| format!("the checkout was interrupted: {error}"))?;
        drop(guard);
        result
    }
}
