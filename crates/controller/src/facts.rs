//! What git says to what pipelines ask of it. Invariant: it is asked only what is asked, and once for all pipelines of an event.

use branchline_core::facts::{self, Facts};
use branchline_jobs_schema::Pipeline;
use branchline_model::{Changed, EventKind, ObjectIds};
use branchline_ports::{Checkout, CheckoutError};

/// Asks git what these pipelines ask about the event.
pub async fn answer(
    git: &dyn Checkout,
    url: &str,
    event: &EventKind,
    pipelines: Vec<&Pipeline>,
) -> Result<Facts, CheckoutError> {
    let asks = facts::asks(pipelines, event);
    let (commit, name) = (event.commit(), Some(event.ref_name()));
    let changed = match (asks.changed, facts::against(event)) {
        (false, _) => Facts::default().changed,
        (true, Err(why)) => Changed::Everything { why },
        (true, Ok(against)) => git.changed_at(url, commit, &against, name).await?,
    };
    let paths: Vec<String> = asks.objects.into_iter().collect();
    let objects = match paths.is_empty() {
        true => ObjectIds::new(),
        false => git.objects_at(url, commit, &paths, name).await?,
    };
    Ok(Facts { changed, objects })
}
