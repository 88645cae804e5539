//! The port `Checkout` on this crate: what the controller asks of git, each call on a thread of its own.

use std::time::Duration;

use async_trait::async_trait;
use branchline_model::{Against, Changed, CommitId, ObjectIds, RefName};
use branchline_ports as ports;

use crate::{Cache, CheckoutError, Network, Source, Sources, heads};

/// Where pipeline files are.
const FOLDER: &str = ".branchline";
/// What their names end with.
const ENDINGS: [&str; 2] = [".yaml", ".yml"];

/// Git for the controller: refs by `ls-refs`, pipeline files from the objects of a commit.
#[derive(Clone, Debug)]
pub struct GitCheckout {
    cache: Cache,
    network: Network,
    sources: Sources,
}

impl GitCheckout {
    /// Uses a cache for repositories on other machines, and the credentials of those that have any.
    #[must_use]
    pub fn new(cache: Cache, network: Network, sources: Sources) -> Self {
        Self { cache, network, sources }
    }
}

fn source(sources: &Sources, url: &str) -> Result<Source, ports::CheckoutError> {
    sources
        .find(url)
        .map_err(|error| ports::CheckoutError::Refused { url: url.to_owned(), why: error.to_string() })
}

fn outcome(url: &str, error: CheckoutError) -> ports::CheckoutError {
    match error {
        CheckoutError::NoSuchCommit { commit, .. } => {
            ports::CheckoutError::NoSuchCommit { url: url.to_owned(), commit }
        }
        error if error.is_transient() => {
            ports::CheckoutError::Unavailable { url: url.to_owned(), why: error.to_string() }
        }
        error => ports::CheckoutError::Refused { url: url.to_owned(), why: error.to_string() },
    }
}

/// So long may a look at the refs take: whoever looks at many repositories waits for a dead one no longer.
const LONGEST_LOOK: Duration = Duration::from_secs(30);

/// Runs what blocks on a thread of its own.
async fn blocking<T: Send + 'static>(
    url: &str,
    work: impl FnOnce() -> Result<T, ports::CheckoutError> + Send + 'static,
) -> Result<T, ports::CheckoutError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(ports::CheckoutError::Unavailable {
            url: url.to_owned(),
            why: format!("reading git was interrupted: {error}"),
        }),
    }
}

#[async_trait]
impl ports::Checkout for GitCheckout {
    async fn heads(&self, url: &str) -> Result<ports::Heads, ports::CheckoutError> {
        let (network, sources, owned) = (self.network.clone(), self.sources.clone(), url.to_owned());
        let look = blocking(url, move || {
            let seen = heads(&source(&sources, &owned)?, &network).map_err(|error| outcome(&owned, error))?;
            Ok(ports::Heads { refs: seen.refs, default_branch: seen.default_branch })
        });
        // The thread ends by itself at the network's own limits.
        tokio::time::timeout(LONGEST_LOOK, look).await.unwrap_or_else(|_| {
            Err(ports::CheckoutError::Unavailable {
                url: url.to_owned(),
                why: format!("no answer within {} s", LONGEST_LOOK.as_secs()),
            })
        })
    }

    async fn pipelines_at(
        &self,
        url: &str,
        commit: &CommitId,
        ref_name: Option<&RefName>,
    ) -> Result<ports::CommitFiles, ports::CheckoutError> {
        let (cache, sources) = (self.cache.clone(), self.sources.clone());
        let (owned, commit, ref_name) = (url.to_owned(), commit.clone(), ref_name.cloned());
        blocking(url, move || {
            let source = source(&sources, &owned)?;
            let found = cache
                .files_at(&source, &commit, ref_name.as_ref(), FOLDER, &ENDINGS)
                .map_err(|error| outcome(&owned, error))?;
            let info = cache
                .commit_info(&source, &commit, ref_name.as_ref())
                .map_err(|error| outcome(&owned, error))?;
            let mut files: Vec<ports::PipelineFile> = found
                .files
                .into_iter()
                .map(|file| ports::PipelineFile {
                    path: file.path,
                    content: file.content.map_err(|problem| problem.to_string()),
                })
                .collect();
            if found.left_out > 0 {
                files.push(ports::PipelineFile {
                    path: FOLDER.to_owned(),
                    content: Err(format!(
                        "{} more files were left out: too many pipelines in one folder",
                        found.left_out
                    )),
                });
            }
            Ok(ports::CommitFiles {
                info: ports::CommitInfo {
                    subject: info.subject,
                    message: info.message,
                    author: info.author_name,
                },
                files,
            })
        })
        .await
    }

    async fn changed_at(
        &self,
        url: &str,
        commit: &CommitId,
        against: &Against,
        ref_name: Option<&RefName>,
    ) -> Result<Changed, ports::CheckoutError> {
        let (cache, sources, against) = (self.cache.clone(), self.sources.clone(), against.clone());
        let (owned, commit, ref_name) = (url.to_owned(), commit.clone(), ref_name.cloned());
        blocking(url, move || {
            let source = source(&sources, &owned)?;
            cache
                .changed_at(&source, &commit, &against, ref_name.as_ref())
                .map_err(|error| outcome(&owned, error))
        })
        .await
    }

    async fn objects_at(
        &self,
        url: &str,
        commit: &CommitId,
        paths: &[String],
        ref_name: Option<&RefName>,
    ) -> Result<ObjectIds, ports::CheckoutError> {
        let (cache, sources, paths) = (self.cache.clone(), self.sources.clone(), paths.to_vec());
        let (owned, commit, ref_name) = (url.to_owned(), commit.clone(), ref_name.cloned());
        blocking(url, move || {
            let source = source(&sources, &owned)?;
            cache
                .objects_at(&source, &commit, &paths, ref_name.as_ref())
                .map_err(|error| outcome(&owned, error))
        })
        .await
    }
}
