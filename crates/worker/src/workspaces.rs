//! Where work trees come from.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use async_trait::async_trait;
use branchline_model::{CheckoutDefinition, CommitId};

/// Writes work trees.
#[async_trait]
pub trait Workspaces: Send + Sync {
    /// Writes a work tree at a commit into a folder, which is empty, and says in lines for the log what is done. Once
    /// `cancel` is set it answers soon, and only when nothing writes in that folder or beside it any more; what is done in a
    /// moment is simply done. May be dropped before it is done, where the whole process ends: then it stops soon.
    ///
    /// # Errors
    /// What failed, where, and what to do, in a sentence; or that it was cancelled.
    async fn prepare(
        &self,
        checkout: &CheckoutDefinition,
        commit: &CommitId,
        into: &Path,
        cancel: &Arc<AtomicBool>,
        log: &mut (dyn FnMut(String) + Send),
    ) -> Result<(), String>;
}
