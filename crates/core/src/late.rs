//! What of a job can be said only once all it needs has ended: its condition and its environment where they name `needs`.
//! Invariant: it is said with the very values that the build was planned with, and of nothing but what was planned so.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use branchline_expression::{Expression, Standing, Template, Value, Values};
use branchline_jobs_schema::{Job, Pipeline};
use branchline_model::{
    Because, BuildDefinition, CellValues, Context, EndReason, JobDefinition, JobName, Late, Need, Outcome,
    RunDefinition, RunState,
};

use crate::context;
use crate::needs::{self, JobEnd};

/// What of a job has to wait for its needs.
pub(crate) fn of(job: &Job, pipeline: &Pipeline) -> Option<Box<Late>> {
    if job.needs.is_empty() {
        return None;
    }
    let env = pipeline.env.iter().chain(&job.env);
    let steps = (0u32..).zip(&job.steps).map(|(index, step)| (index, waiting(&step.env)));
    let late = Late {
        condition: job.condition.clone().filter(Expression::waits_for_needs),
        env: env.filter(|(_, value)| waits(value)).map(owned).collect(),
        steps: steps.filter(|(_, env)| !env.is_empty()).collect(),
        on_worker: on_worker(job).filter(|one| one.waits_for_needs()).cloned().collect(),
    };
    (late != Late::default()).then(|| Box::new(late))
}

/// The conditions that the worker decides.
pub(crate) fn on_worker(job: &Job) -> impl Iterator<Item = &Expression> {
    let steps = job.steps.iter().filter_map(|step| step.condition.as_ref());
    steps.chain(job.artifacts.iter().filter_map(|artifact| artifact.condition.as_ref()))
}

/// Whether a text names what only the end of the needs shows.
pub(crate) fn waits(template: &Template) -> bool {
    template.expressions().any(|(_, expression)| expression.waits_for_needs())
}

fn waiting(env: &BTreeMap<String, Template>) -> BTreeMap<String, Template> {
    env.iter().filter(|(_, value)| waits(value)).map(owned).collect()
}

fn owned((name, value): (&String, &Template)) -> (String, Template) {
    (name.clone(), value.clone())
}

/// How a needed job's run ended, with what it has to say.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outputs(pub BTreeMap<String, String>);

/// A job whose needs have all ended.
pub(crate) struct Ready<'a> {
    pub(crate) definition: &'a BuildDefinition,
    pub(crate) job: &'a JobDefinition,
    pub(crate) ends: &'a [JobEnd],
    /// How each run of the build ended.
    pub(crate) ended: &'a BTreeMap<u32, Outcome>,
}

/// What becomes of one run.
pub(crate) enum Verdict {
    /// It goes on.
    Go(Option<Because>),
    /// It ends without having been begun.
    End(Outcome, EndReason),
}

impl Ready<'_> {
    /// The first need that did not end as is wanted.
    pub(crate) fn unmet(&self) -> Option<&Need> {
        let needs = self.job.needs.iter().zip(self.ends);
        needs.into_iter().find(|(need, end)| !needs::is_met(need.wanted, **end)).map(|(need, _)| need)
    }

    /// Whether its condition alone says what is to happen.
    pub(crate) fn may_go_on(&self) -> bool {
        let condition = self.job.late.as_ref().and_then(|late| late.condition.as_ref());
        self.unmet().is_none() || condition.is_some_and(Expression::may_hold_after_failure)
    }

    /// How it went with the needs, for `success()` and its like; `None` where something was skipped, and nothing failed.
    fn standing(&self) -> Standing {
        let mut names = self.job.needs.iter().map(|need| &need.job);
        if names.clone().any(|name| self.has_failed(name, NonZeroU32::new(64))) {
            return Standing::Failed;
        }
        if names.any(|name| self.end_of(name).is_some_and(|end| end.outcome == Outcome::Cancelled)) {
            return Standing::Cancelled;
        }
        if self.unmet().is_some() { Standing::Skipped } else { Standing::Succeeding }
    }

    fn end_of(&self, name: &JobName) -> Option<JobEnd> {
        needs::end_of(self.job_named(name)?, self.ended)
    }

    fn job_named(&self, name: &JobName) -> Option<&JobDefinition> {
        self.definition.jobs.iter().find(|job| job.name == *name)
    }

    /// Whether a job failed, and was not allowed to, or was skipped because of one that did.
    fn has_failed(&self, name: &JobName, depth: Option<NonZeroU32>) -> bool {
        let (Some(depth), Some(job), Some(end)) = (depth, self.job_named(name), self.end_of(name)) else {
            return false;
        };
        match end.outcome {
            Outcome::Skipped => {
                let shallower = NonZeroU32::new(depth.get() - 1);
                job.needs.iter().any(|need| self.has_failed(&need.job, shallower))
            }
            outcome => needs::is_failure(outcome) && !end.lets_go_on,
        }
    }

    /// The runs whose outputs its late expressions may name.
    pub(crate) fn wanted_outputs(&self) -> Vec<u32> {
        let Some(late) = &self.job.late else { return Vec::new() };
        let templates = late.env.values().chain(late.steps.values().flat_map(BTreeMap::values));
        let expressions = templates.flat_map(|template| template.expressions().map(|(_, one)| one));
        let uses: Vec<&branchline_expression::Use> = late
            .condition
            .iter()
            .chain(expressions)
            .chain(&late.on_worker)
            .flat_map(Expression::uses)
            .filter(|used| used.path.first().is_some_and(|name| name == "needs"))
            .collect();
        let wants = |name: &JobName| {
            uses.iter().any(|used| match used.path.get(1..).unwrap_or_default() {
                [] => true,
                [job] => job == name.as_str(),
                [job, what, ..] => job == name.as_str() && what != "status",
            })
        };
        let jobs = self.job.needs.iter().filter(|need| wants(&need.job));
        jobs.filter_map(|need| self.job_named(&need.job)).flat_map(JobDefinition::runs).collect()
    }

    /// What expressions know as `needs`.
    pub(crate) fn value(&self, outputs: &BTreeMap<u32, Outputs>) -> Value {
        let texts = |said: &BTreeMap<String, String>| {
            Value::map(said.iter().map(|(name, value)| (name.as_str(), Value::from(value.as_str()))))
        };
        let said = |run: &u32| outputs.get(run).map(|outputs| &outputs.0);
        let of_need = |need: &Need| {
            let job = self.job_named(&need.job)?;
            let mut all = BTreeMap::new();
            let mut cells = Vec::new();
            for (run, cell) in job.runs().zip(&job.cells) {
                let own = said(&run).cloned().unwrap_or_default();
                if let Some(name) = &cell.name {
                    let status = self.ended.get(&run).map(|outcome| outcome.word());
                    let value = Value::map([("status", status.into()), ("outputs", texts(&own))]);
                    cells.push((name.as_str(), value));
                }
                all.extend(own);
            }
            let status = self.end_of(&need.job).map(|end| end.outcome.word());
            let value = Value::map([
                ("status", status.into()),
                ("outputs", texts(&all)),
                ("cells", Value::map(cells)),
            ]);
            Some((need.job.to_string(), value))
        };
        Value::map(self.job.needs.iter().filter_map(of_need))
    }

    /// What a run's expressions know now. `needs` is what [`Ready::value`] answers.
    pub(crate) fn values<'c>(&self, context: &'c Context, cell: &CellValues, needs: Value) -> Values<'c> {
        context.values(cell).with("needs", needs).standing(self.standing())
    }

    /// What becomes of one run by its condition.
    pub(crate) fn verdict(&self, values: &Values<'_>) -> Verdict {
        let condition = self.job.late.as_ref().and_then(|late| late.condition.as_ref());
        let Some(condition) = condition else { return Verdict::Go(None) };
        let expression = condition.condition().to_owned();
        match context::decide("if", condition, values) {
            Ok((true, evaluation)) => {
                Verdict::Go(Some(Because { expression, seen: context::seen(&evaluation.seen) }))
            }
            Ok((false, evaluation)) => {
                let seen = context::seen(&evaluation.seen);
                Verdict::End(Outcome::Skipped, EndReason::ConditionFalse { expression, seen })
            }
            Err(reason) => Verdict::End(Outcome::Errored, reason),
        }
    }

    /// The needed run that failed first in the order of the file, of which steps are told.
    pub(crate) fn failed_run(&self) -> Option<u32> {
        let needed = self.job.needs.iter().filter_map(|need| self.job_named(&need.job));
        let mut runs = needed.flat_map(JobDefinition::runs);
        runs.find(|run| self.ended.get(run).is_some_and(|outcome| needs::is_failure(*outcome)))
    }
}

/// Fills in what could not be said when the build was planned.
pub(crate) fn fill(
    definition: &mut RunDefinition,
    late: &Late,
    values: &Values<'_>,
) -> Result<(), EndReason> {
    if !late.on_worker.is_empty() {
        let known = definition.known.get_or_insert_default();
        known.needs = values.get("needs").cloned().unwrap_or_default();
    }
    for (name, template) in &late.env {
        let value = render(&format!("env.{name}"), template, values)?;
        definition.env.insert(name.clone(), value);
    }
    for (index, env) in &late.steps {
        let step = usize::try_from(*index).ok().and_then(|index| definition.steps.get_mut(index));
        let Some(step) = step else { continue };
        for (name, template) in env {
            let value = render(&format!("steps[{index}].env.{name}"), template, values)?;
            step.env.insert(name.clone(), value);
        }
    }
    Ok(())
}

/// A text with its values; what is null is left out.
pub(crate) fn render(key: &str, template: &Template, values: &Values<'_>) -> Result<String, EndReason> {
    match template.render(values) {
        Ok(rendering) => Ok(rendering.text),
        Err(error) => Err(context::failed(key, template.text(), &error)),
    }
}

/// The variables that say how a needed run failed.
pub(crate) fn failure_variables(state: &RunState) -> Vec<(String, String)> {
    let RunState::Ended { reason: Some(reason), .. } = state else { return Vec::new() };
    let (step, exit) = match reason {
        EndReason::StepFailed { step, exit } => (step, Some(*exit)),
        EndReason::StepSignalled { step, signal } => (step, Some(128 + *signal)),
        EndReason::Timeout { of: branchline_model::TimeoutOf::Step { step } } => (step, None),
        _ => return Vec::new(),
    };
    let exit = exit.map(|exit| ("BRANCHLINE_FAILED_EXIT".to_owned(), exit.to_string()));
    std::iter::once(("BRANCHLINE_FAILED_STEP".to_owned(), step.clone())).chain(exit).collect()
}
