//! What a pipeline can say and nothing carries out yet. Invariant: it is said at once, of the very job, with what to do; no
//! run goes without what its file asks for.

use branchline_jobs_schema::{Job, Pipeline, Place};
use branchline_model::EndReason;

/// Why a job cannot be carried out as its file says; `None` where it can.
#[must_use]
pub fn reason(pipeline: &Pipeline, job: &Job) -> Option<EndReason> {
    let key = key(pipeline, job)?;
    let why = format!(
        "this version does not carry out `{key}` yet: take it out of the pipeline, or wait for one that does"
    );
    Some(EndReason::NoPlace { why })
}

fn key(pipeline: &Pipeline, job: &Job) -> Option<&'static str> {
    let said = [
        (pipeline.on.push.as_ref().is_some_and(|push| push.every_commit), "on.push.every_commit"),
        (!pipeline.notify.is_empty(), "notify"),
        (pipeline.concurrency.is_some(), "concurrency"),
        (job.concurrency.is_some(), "jobs.concurrency"),
        (job.approval.is_some(), "jobs.approval"),
        (!job.secrets.is_empty(), "jobs.secrets"),
        (job.id_token.is_some(), "jobs.id_token"),
        (!job.cache.is_empty(), "jobs.cache"),
        (job.checkout.len() > 1, "jobs.checkout: [several]"),
        (job.checkout.iter().any(|one| one.repository.is_some()), "jobs.checkout.repository"),
        (job.checkout.iter().any(|one| one.reference.is_some()), "jobs.checkout.ref"),
        (job.checkout.iter().any(|one| one.path.is_some()), "jobs.checkout.path"),
        (job.checkout.iter().any(|one| one.lfs), "jobs.checkout.lfs"),
        (job.silence.is_some(), "jobs.silence"),
        (matches!(job.place, Place::Container { .. }), "jobs.container"),
        (matches!(job.place, Place::Ssh(_)), "jobs.ssh"),
    ];
    said.into_iter().find(|(is_said, _)| *is_said).map(|(_, key)| key)
}
