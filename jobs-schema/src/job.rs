//! The jobs of a pipeline.

use std::collections::HashSet;
use std::time::Duration;

use crate::checkout::checkout;
use crate::environment::environment;
use crate::findings::{Findings, Span, counted, quoted};
use crate::keys::{JOB, NEED, list};
use crate::needs::{Need, WrittenJob};
use crate::read;
use crate::retry::retry;
use crate::yaml::{Entry, Kind, Node};
use crate::{Job, JobName, Place};
use crate::{needs, step};

/// How many jobs a pipeline may have.
const MOST_JOBS: usize = 1_024;

/// How long a job may execute that does not say.
const TIMEOUT: Duration = Duration::from_secs(60 * 60);

const ONE: &str = "a pipeline has at least one job: `jobs: {build: {process: true, steps: [make]}}`";

/// Reads `jobs`, in the order written, and checks the graph of their needs.
pub(crate) fn jobs(findings: &mut Findings<'_>, node: &Node, key: Span) -> Vec<Job> {
    let entries = match &node.kind {
        Kind::Mapping(entries) => entries.as_slice(),
        Kind::Broken => return Vec::new(),
        Kind::Scalar { .. } if node.is_nothing() => &[],
        _ => {
            read::wrong_kind(findings, node, "`jobs`", "a mapping of names to jobs", Some(ONE));
            return Vec::new();
        }
    };
    if entries.is_empty() {
        findings.report_hint(key, "`jobs` is empty", ONE);
    }
    if let Some(entry) = entries.get(MOST_JOBS) {
        findings.report_hint(
            entry.key_span,
            format!(
                "a pipeline has at most {} jobs, this one {}",
                counted(MOST_JOBS),
                counted(entries.len())
            ),
            "put several steps into one job, or the jobs into several pipelines",
        );
        return Vec::new();
    }
    let mut jobs = Vec::with_capacity(entries.len());
    let mut written = Vec::with_capacity(entries.len());
    for entry in entries {
        let (job, needs) = job(findings, entry);
        written.push(WrittenJob { name: entry.key.as_str(), needs });
        jobs.extend(job);
    }
    needs::check(findings, &written);
    jobs
}

fn job<'n>(findings: &mut Findings<'_>, entry: &'n Entry) -> (Option<Job>, Vec<Need<'n>>) {
    let name = match entry.key.parse::<JobName>() {
        Ok(name) => Some(name),
        Err(error) => {
            findings.report_hint(entry.key_span, error.to_string(), error.rule());
            None
        }
    };
    let node = &entry.value;
    if !matches!(node.kind, Kind::Mapping(_)) {
        let what = format!("the job {}", quoted(&entry.key));
        let hint = "a job says where it runs and what: `{process: true, steps: [make]}`";
        read::wrong_kind(findings, node, &what, "a mapping", Some(hint));
        return (None, Vec::new());
    }
    let Some(fields) = read::fields(findings, node, &JOB) else { return (None, Vec::new()) };
    place(findings, &fields, entry);
    let needs = fields.get("needs").map(|node| needs_of(findings, node)).unwrap_or_default();
    let steps = match (fields.get("steps"), fields.key_span("steps")) {
        (Some(node), Some(key)) => step::steps(findings, node, key),
        _ => {
            if !fields.has_or_means("steps") {
                let message = format!("the job {} has no `steps`", quoted(&entry.key));
                findings.report_hint(
                    entry.key_span,
                    message,
                    "give it at least one command: `steps: [make]`",
                );
            }
            Vec::new()
        }
    };
    let env = environment(findings, fields.get("env"));
    let timeout =
        fields.get("timeout").and_then(|node| read::time(findings, node, "`timeout`")).unwrap_or(TIMEOUT);
    let allow_failure = fields
        .get("allow_failure")
        .and_then(|node| read::boolean(findings, node, "`allow_failure`"))
        .unwrap_or_default();
    let checkout = checkout(findings, fields.get("checkout"));
    let retry = fields.get("retry").and_then(|node| retry(findings, node));
    let job = name.map(|name| Job {
        name,
        needs: needs.iter().filter_map(|need| need.job.parse().ok()).collect(),
        place: Place::Process,
        env,
        steps,
        timeout,
        allow_failure,
        checkout,
        retry,
    });
    (job, needs)
}

/// A job runs in exactly one place.
fn place(findings: &mut Findings<'_>, fields: &read::Fields<'_>, entry: &Entry) {
    let process = fields.get("process").and_then(|node| read::boolean(findings, node, "`process`"));
    let named: Vec<&str> = ["process", "container", "ssh"]
        .into_iter()
        .filter(|place| fields.key_span(place).is_some() && (*place != "process" || process != Some(false)))
        .collect();
    let hint = "write `process: true` to run it straight on the worker's own machine";
    match named.as_slice() {
        [] if fields.key_span("process").is_some() => {
            let span = fields.key_span("process").unwrap_or(entry.key_span);
            let message =
                format!("the job {} has no place to run: `process: false` is none", quoted(&entry.key));
            findings.report_hint(span, message, hint);
        }
        [] if !["process", "container", "ssh"].iter().any(|place| fields.has_or_means(place)) => {
            let message = format!("the job {} does not say where it runs", quoted(&entry.key));
            findings.report_hint(entry.key_span, message, hint);
        }
        [] | [_] => {}
        several => {
            let message = format!(
                "a job runs in exactly one place, and {} names {}",
                quoted(&entry.key),
                list(several)
            );
            findings.report_hint(entry.key_span, message, "keep one of them");
        }
    }
}

/// Reads `needs`: a name, or a list of names and `{job, status}`.
fn needs_of<'n>(findings: &mut Findings<'_>, node: &'n Node) -> Vec<Need<'n>> {
    let items = match &node.kind {
        Kind::Mapping(_) => std::slice::from_ref(node),
        _ => match read::one_or_many(findings, node, "`needs`", "the names of jobs") {
            Some(items) => items,
            None => return Vec::new(),
        },
    };
    let mut seen = HashSet::new();
    let mut needs = Vec::with_capacity(items.len());
    for item in items {
        let Some((job, span)) = need(findings, item) else { continue };
        if seen.insert(job) {
            needs.push(Need { job, span });
        } else {
            findings.report_hint(span, format!("{} is needed twice", quoted(job)), "keep one of them");
        }
    }
    needs
}

fn need<'n>(findings: &mut Findings<'_>, item: &'n Node) -> Option<(&'n str, Span)> {
    if !matches!(item.kind, Kind::Mapping(_)) {
        return Some((read::text(findings, item, "`needs`")?, item.span));
    }
    let fields = read::fields(findings, item, &NEED)?;
    if let Some(status) = fields.get("status")
        && let Some(text) = read::text(findings, status, "`status`")
    {
        match text {
            "passed" => {}
            "any" => {
                let hint =
                    "until then a job starts only when all it needs have passed; see also `allow_failure`";
                read::not_yet(findings, status.span, "status: any", Some(hint));
            }
            other => findings.report_hint(
                status.span,
                format!("unknown status {}", quoted(other)),
                "the statuses are `passed` (the default) and `any`",
            ),
        }
    }
    let Some(job) = fields.get("job") else {
        if !fields.has_or_means("job") {
            let span = fields.first_key.unwrap_or(item.span);
            findings.report_hint(span, "a need names no job", "write its name, or `{job: name}`");
        }
        return None;
    };
    Some((read::text(findings, job, "`job`")?, job.span))
}
