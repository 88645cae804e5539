//! Watches one repository's refs: a local one is noticed at once, and compared each second all the same; one on another
//! machine is compared as often as told, and less often while it cannot be reached.

use std::sync::Arc;
use std::time::Duration;

use branchline_checkout::{RefWatch, Source};
use branchline_controller::{Controller, ObserveError};
use branchline_core::refs;
use branchline_model::RepositoryId;
use branchline_ports::Clock;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::SystemClock;

/// A local repository is compared so often, whether its watch says anything or not.
const LOCAL_LOOKS: Duration = Duration::from_secs(1);

/// A repository that is watched.
#[derive(Clone, Debug)]
pub struct Watched {
    /// Its id.
    pub id: RepositoryId,
    /// Where it is.
    pub source: Source,
    /// How often to look, where it is on another machine.
    pub poll: Duration,
}

/// Watches until told to end.
pub async fn watch(controller: Controller, watched: Watched, end: CancellationToken) {
    let looked = Arc::new(Notify::new());
    let watch = watched.source.is_local().then(|| {
        let notify = Arc::clone(&looked);
        RefWatch::start(&watched.source, move || notify.notify_one())
    });
    if let Some(Err(error)) = &watch {
        tracing::warn!(repository = %watched.id, %error, "its refs are compared each second only");
    }
    let mut last = None;
    // What an earlier process had to say of this repository is not true any more, or will be said again.
    let mut trouble = Some(String::new());
    // A server that has not answered for long is not asked more often because this process is new.
    let known = controller.repository(&watched.id).await.ok().flatten().and_then(|view| view.trouble);
    let mut failures = known.map_or(0, |trouble| trouble.failures);
    loop {
        let observed = tokio::select! {
            observed = controller.observe(&watched.id, last.as_ref()) => observed,
            () = end.cancelled() => return,
        };
        let wait = match observed {
            Ok(observed) => {
                if trouble.take().is_some()
                    && let Err(error) = controller.clear_trouble(&watched.id).await
                {
                    tracing::warn!(repository = %watched.id, %error, "its recovery could not be stored");
                }
                failures = 0;
                last = Some(observed.heads);
                if watched.source.is_local() { LOCAL_LOOKS } else { watched.poll }
            }
            Err(ObserveError::Checkout(error)) => {
                failures = failures.saturating_add(1);
                let wait = if watched.source.is_local() { LOCAL_LOOKS } else { refs::backoff(failures) };
                let why = error.to_string();
                if trouble.as_ref() != Some(&why) || !watched.source.is_local() {
                    tracing::warn!(repository = %watched.id, why, retry_in = ?wait, "cannot look at its refs");
                    let next_try = SystemClock.now().after(wait);
                    if let Err(error) = controller.record_trouble(&watched.id, &why, next_try).await {
                        tracing::warn!(repository = %watched.id, %error, "its trouble could not be stored");
                    }
                    trouble = Some(why);
                }
                wait
            }
            Err(error) => {
                tracing::warn!(repository = %watched.id, %error, "what was seen of its refs could not be stored yet");
                LOCAL_LOOKS
            }
        };
        tokio::select! {
            () = looked.notified() => {}
            () = tokio::time::sleep(wait) => {}
            () = end.cancelled() => return,
        }
    }
}
