//! What a checked pipeline asks for that is not planned yet. Invariant: such a pipeline gets no build in which a part of it
//! is passed over; it is told which part, and what to do until then.

use branchline_expression::Template;
use branchline_jobs_schema::{AllowFailure, Job, Pipeline, Place, Triggers, WantedStatus};

/// Everything that a pipeline asks for and would not get, each in a sentence.
#[must_use]
pub fn problems(pipeline: &Pipeline) -> Vec<String> {
    let mut found = Vec::new();
    let mut ask = |asked: bool, what: &str| {
        if asked {
            found.push(format!("{what} is read, but not carried out yet: take it away until it is"));
        }
    };
    let Triggers { push, pull_request, tag: _, schedule, pipeline: upstream, event, manual: _ } =
        &pipeline.on;
    ask(push.as_ref().is_some_and(|push| push.paths.is_some()), "`push.paths`");
    ask(push.as_ref().is_some_and(|push| push.every_commit), "`push.every_commit`");
    ask(pull_request.is_some(), "`on.pull_request`");
    ask(!schedule.is_empty(), "`on.schedule`");
    ask(!upstream.is_empty(), "`on.pipeline`");
    ask(!event.is_empty(), "`on.event`");
    ask(!pipeline.inputs.is_empty(), "`inputs`");
    ask(pipeline.concurrency.is_some(), "`concurrency`");
    ask(pipeline.priority != 0, "`priority`");
    ask(pipeline.disabled, "`disabled`");
    ask(!pipeline.notify.is_empty(), "`notify`");
    ask(pipeline.env.values().any(has_expressions), "an expression in `env`");
    for job in &pipeline.jobs {
        of_job(job, &mut |asked, what| {
            ask(asked, &format!("{what} of the job `{}`", job.name));
        });
    }
    found
}

fn of_job(job: &Job, ask: &mut dyn FnMut(bool, &str)) {
    ask(job.needs.iter().any(|need| need.status != WantedStatus::Passed), "`needs` with a `status`");
    ask(job.condition.is_some(), "`if`");
    ask(job.matrix.is_some(), "`matrix`");
    ask(matches!(job.place, Place::Container { .. }), "`container`");
    ask(matches!(job.place, Place::Ssh(_)), "`ssh`");
    ask(job.worker.pool.is_some() || !job.worker.tags.is_empty(), "`worker`");
    ask(!job.secrets.is_empty(), "`secrets`");
    ask(job.id_token.is_some(), "`id_token`");
    ask(!job.cache.is_empty(), "`cache`");
    ask(!job.artifacts.is_empty(), "`artifacts`");
    ask(!job.reports.is_empty(), "`reports`");
    ask(job.silence.is_some(), "`silence`");
    ask(matches!(job.allow_failure, AllowFailure::When(_)), "a condition as `allow_failure`");
    ask(job.approval.is_some(), "`approval`");
    ask(job.concurrency.is_some(), "`concurrency`");
    ask(job.env.values().any(has_expressions), "an expression in `env`");
    ask(job.checkout.len() > 1, "a list of checkouts");
    ask(
        job.checkout.iter().any(|checkout| {
            checkout.repository.is_some()
                || checkout.reference.is_some()
                || checkout.path.is_some()
                || checkout.lfs
        }),
        "`repository`, `ref`, `path` or `lfs` of `checkout`",
    );
    for step in &job.steps {
        ask(step.condition.is_some(), "`if` of a step");
        ask(step.env.values().any(has_expressions), "an expression in `env` of a step");
        ask(step.name.as_ref().is_some_and(has_expressions), "an expression in the name of a step");
    }
}

fn has_expressions(template: &Template) -> bool {
    template.literal().is_none()
}
