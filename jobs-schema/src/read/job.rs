//! The jobs of a pipeline.

use std::collections::BTreeMap;
use std::time::Duration;

use branchline_expression::{Phase, Template};

use super::checkout::checkouts;
use super::concurrency::concurrency;
use super::environment::environment;
use super::kept::{approval, artifacts, caches, id_token, secrets};
use super::matrix::{self, matrix};
use super::needs::{self, Need, WrittenJob};
use super::place::{place, pool};
use super::report::reports;
use super::retry::retry;
use super::scope::{Cells, Known};
use super::step::steps;
use super::trigger::status;
use crate::findings::{Findings, Span, counted, quoted};
use crate::yaml::{Entry, Kind, Node};
use crate::{AllowFailure, Globs, Input, Job, JobName, MOST_CELLS, Place, WorkerWish};

/// How long a job may execute that does not say.
const TIMEOUT: Duration = Duration::from_secs(60 * 60);

/// Reads `jobs`, in the order written, and checks the graph of their needs.
pub(crate) fn jobs(findings: &mut Findings<'_>, node: &Node, key: Span, inputs: &[Input]) -> Vec<Job> {
    let entries = node.entries();
    if entries.len() > MOST_CELLS {
        return Vec::new();
    }
    // First what each says of the others, for expressions to be checked against.
    let mut written = Vec::with_capacity(entries.len());
    let mut matrices = Vec::with_capacity(entries.len());
    for entry in entries {
        let matrix = entry.value.entry("matrix").map(|found| matrix(findings, &found.value, found.key_span));
        matrices.push(matrix);
        let needs = entry.value.get("needs").map(|node| needs_of(findings, node)).unwrap_or_default();
        written.push(WrittenJob { name: entry.key.as_str(), needs });
    }
    needs::check(findings, &written);
    let cells = cells(findings, entries, &matrices, key);
    let read = entries.iter().zip(&written).zip(matrices);
    read.filter_map(|((entry, written), matrix)| job(findings, entry, written, matrix, inputs, &cells))
        .collect()
}

/// The names of each job's cells. Where there are more runs than a build may have, that is said, and no name is kept.
fn cells<'n>(
    findings: &mut Findings<'_>,
    entries: &'n [Entry],
    matrices: &[Option<matrix::Read>],
    key: Span,
) -> Cells<'n> {
    let count = |matrix: &Option<matrix::Read>| {
        matrix.as_ref().and_then(|matrix| matrix.cells.as_ref()).map_or(1, Vec::len)
    };
    let runs: usize = matrices.iter().map(count).sum();
    let too_many = runs > MOST_CELLS;
    if too_many {
        let mut most: Vec<(usize, &str)> =
            entries.iter().zip(matrices).map(|(entry, matrix)| (count(matrix), entry.key.as_str())).collect();
        most.sort_by(|one, other| other.cmp(one));
        let named: Vec<String> =
            most.iter().take(3).map(|(runs, job)| format!("{} {}", quoted(job), counted(*runs))).collect();
        findings.report_hint(
            key,
            format!(
                "a build of this pipeline would have {} runs; there can be {}",
                counted(runs),
                counted(MOST_CELLS)
            ),
            format!("most are of {}: take values away, or part it in several pipelines", named.join(", ")),
        );
    }
    entries
        .iter()
        .zip(matrices)
        .map(|(entry, matrix)| {
            let cells = matrix.as_ref().and_then(|matrix| matrix.cells.clone()).filter(|_| !too_many);
            (entry.key.as_str(), cells)
        })
        .collect()
}

fn job(
    findings: &mut Findings<'_>,
    entry: &Entry,
    written: &WrittenJob<'_>,
    matrix: Option<matrix::Read>,
    inputs: &[Input],
    cells: &Cells<'_>,
) -> Option<Job> {
    let node = &entry.value;
    let name = match entry.key.parse::<JobName>() {
        Ok(name) => Some(name),
        Err(error) => {
            findings.report_hint(entry.key_span, error.to_string(), error.rule());
            None
        }
    };
    if !node.is_mapping() {
        return None;
    }
    let matrix = matrix.map(|read| read.matrix);
    let needed: Vec<&str> = written.needs.iter().map(|need| need.job).collect();
    let on_hosts = node.get("ssh").is_some();
    let known = Known::in_job(inputs, matrix.as_ref(), on_hosts, needed, cells);
    let condition = node.get("if").and_then(|node| known.condition(findings, node, Phase::Unblock));
    let place = place(findings, entry, &known);
    if matrix.is_none() && !on_hosts {
        for key in ["fail_fast", "max_parallel"] {
            if let Some(entry) = node.entry(key) {
                let message = format!("{} is about the runs of a job, and this one has one", quoted(key));
                findings.report_hint(entry.key_span, message, "give it a `matrix`, or take the key away");
            }
        }
    }
    let needs = written
        .needs
        .iter()
        .filter_map(|need| Some(crate::Need { job: need.job.parse().ok()?, status: need.status }))
        .collect();
    let job = Job {
        name: name.clone()?,
        needs,
        condition,
        fail_fast: node.get("fail_fast").and_then(Node::boolean).unwrap_or(true),
        max_parallel: node.count_of("max_parallel"),
        place: place.unwrap_or(Place::Process),
        worker: worker(findings, node.get("worker"), &known),
        env: environment(findings, node.get("env"), &known, Phase::Unblock),
        secrets: secrets(findings, node.get("secrets")),
        id_token: id_token(findings, node.get("id_token")),
        cache: caches(findings, node.get("cache"), &known),
        steps: steps(findings, node.get("steps"), &known),
        artifacts: artifacts(findings, node.get("artifacts"), &known),
        reports: reports(findings, node.get("reports")),
        timeout: node.time_of("timeout").unwrap_or(TIMEOUT),
        silence: node.time_of("silence"),
        allow_failure: allow_failure(findings, node.get("allow_failure"), &known),
        checkout: checkouts(findings, node.get("checkout"), &known),
        retry: node.get("retry").and_then(|node| retry(findings, node)),
        approval: approval(findings, node.get("approval"), &known),
        concurrency: node.get("concurrency").and_then(|node| concurrency(findings, node, &known)),
        matrix,
    };
    shadowed(findings, node, &job.env, &job.secrets);
    Some(job)
}

/// A variable that is a secret too would be one of the two, and nobody could say which.
fn shadowed(
    findings: &mut Findings<'_>,
    node: &Node,
    env: &BTreeMap<String, Template>,
    secrets: &[crate::SecretUse],
) {
    for secret in secrets.iter().filter(|secret| env.contains_key(secret.name.as_str())) {
        let span = node.get("env").map_or(node.span, |env| env.span_of(secret.name.as_str()));
        let message = format!("{} is both a variable and a secret of this job", quoted(secret.name.as_str()));
        findings.report_hint(span, message, "keep one of them");
    }
}

fn allow_failure(findings: &mut Findings<'_>, node: Option<&Node>, known: &Known<'_>) -> AllowFailure {
    let Some(node) = node else { return AllowFailure::Never };
    match node.boolean() {
        Some(true) => AllowFailure::Always,
        Some(false) => AllowFailure::Never,
        // Anything else that is no expression was refused by its form.
        None if node.text().is_some_and(|text| text.contains("${{")) => {
            known.condition(findings, node, Phase::Plan).map_or(AllowFailure::Never, AllowFailure::When)
        }
        None => AllowFailure::Never,
    }
}

fn worker(findings: &mut Findings<'_>, node: Option<&Node>, known: &Known<'_>) -> WorkerWish {
    let Some(node) = node else { return WorkerWish::default() };
    let named = if node.is_mapping() { node.get("pool") } else { Some(node) };
    let pool = named.and_then(|node| pool(findings, node, known));
    let mut tags = Vec::new();
    for item in node.get("tags").map(Node::items).unwrap_or_default() {
        let Some(tag) = known.whole_template(findings, item, Phase::Plan) else { continue };
        if let Some(text) = tag.literal()
            && let Err(error) = Globs::new([text])
        {
            let hint = "a tag is a word, in which `*` and `?` stand for others";
            findings.report_hint(item.span, format!("a tag: {error}"), hint);
        }
        tags.push(tag);
    }
    WorkerWish { pool, tags }
}

/// Reads `needs`: a name, or a list of names and `{job, status}`.
fn needs_of<'n>(findings: &mut Findings<'_>, node: &'n Node) -> Vec<Need<'n>> {
    let items = match &node.kind {
        Kind::Mapping(_) => std::slice::from_ref(node),
        _ => node.items(),
    };
    let mut seen = std::collections::HashSet::new();
    let mut needs = Vec::with_capacity(items.len());
    for item in items {
        let named = if item.is_mapping() { item.get("job") } else { Some(item) };
        let Some((named, job)) = named.and_then(|named| Some((named, named.literal(findings, "`needs`")?)))
        else {
            continue;
        };
        if seen.insert(job) {
            needs.push(Need { job, span: named.span, status: status(item) });
        } else {
            findings.report_hint(named.span, format!("{} is needed twice", quoted(job)), "keep one of them");
        }
    }
    needs
}
