//! The graph of needs. Invariant: what passes here can be run in some order: every need is a job of the pipeline,
//! and no job waits for itself, directly or through others.

use std::collections::HashMap;

use crate::WantedStatus;
use crate::findings::{Findings, Span, counted, quoted};
use crate::keys::{list, nearest};

/// A job as far as the graph is concerned.
pub(crate) struct WrittenJob<'n> {
    pub(crate) name: &'n str,
    pub(crate) needs: Vec<Need<'n>>,
}

/// A job's wish for another to be done first.
pub(crate) struct Need<'n> {
    pub(crate) job: &'n str,
    pub(crate) span: Span,
    pub(crate) status: WantedStatus,
}

/// How many names of jobs a message shows.
const MOST_NAMED: usize = 10;

/// Reports needs of jobs that are not there, of the job itself, and cycles.
pub(crate) fn check(findings: &mut Findings<'_>, jobs: &[WrittenJob<'_>]) {
    let index: HashMap<&str, usize> = jobs.iter().enumerate().map(|(at, job)| (job.name, at)).collect();
    let mut edges: Vec<Vec<(usize, Span)>> = Vec::with_capacity(jobs.len());
    for (at, job) in jobs.iter().enumerate() {
        let mut known = Vec::with_capacity(job.needs.len());
        for need in &job.needs {
            match index.get(need.job) {
                Some(other) if *other == at => findings.report_hint(
                    need.span,
                    format!("the job {} needs itself", quoted(job.name)),
                    "take it out of its own `needs`",
                ),
                Some(other) => known.push((*other, need.span)),
                None => unknown(findings, need, jobs, job.name),
            }
        }
        edges.push(known);
    }
    cycles(findings, jobs, &edges);
}

fn unknown(findings: &mut Findings<'_>, need: &Need<'_>, jobs: &[WrittenJob<'_>], from: &str) {
    let message = format!("there is no job {}", quoted(need.job));
    if findings.is_full() {
        findings.report(need.span, message);
        return;
    }
    let others: Vec<&str> = jobs.iter().map(|job| job.name).filter(|name| *name != from).collect();
    let hint = match nearest(need.job, others.iter().copied()) {
        Some(name) => format!("did you mean `{name}`?"),
        None if others.is_empty() => "it is the only job of this pipeline: take `needs` away".to_owned(),
        None => {
            let shown: Vec<&str> =
                others.iter().copied().filter(|name| name.len() <= 63).take(MOST_NAMED).collect();
            let rest = others.len() - shown.len();
            let rest = if rest > 0 { format!(", and {} more", counted(rest)) } else { String::new() };
            format!("the other jobs of this pipeline are {}{rest}", list(&shown))
        }
    };
    findings.report_hint(need.span, message, hint);
}

#[derive(Clone, Copy, PartialEq)]
enum Mark {
    New,
    /// On the path that is being followed.
    Open,
    Done,
}

/// Follows the needs depth first. Each job that is part of a cycle is named in one, so that the work and what is
/// said stay linear, however many ways round there are.
fn cycles(findings: &mut Findings<'_>, jobs: &[WrittenJob<'_>], edges: &[Vec<(usize, Span)>]) {
    let mut marks = vec![Mark::New; edges.len()];
    let mut told = vec![false; edges.len()];
    for start in 0..edges.len() {
        // The path: each job with the number of its needs that were followed.
        let mut path: Vec<(usize, usize)> = Vec::new();
        enter(&mut path, &mut marks, start);
        while let Some((job, followed)) = path.last_mut() {
            let job = *job;
            let next = edges.get(job).and_then(|needs| needs.get(*followed)).copied();
            *followed += 1;
            match next {
                None => {
                    if let Some(mark) = marks.get_mut(job) {
                        *mark = Mark::Done;
                    }
                    path.pop();
                }
                Some((need, span)) => match marks.get(need) {
                    Some(Mark::New) => enter(&mut path, &mut marks, need),
                    Some(Mark::Open) => {
                        let from = path.iter().position(|(other, _)| *other == need).unwrap_or_default();
                        let round: Vec<usize> = path.iter().skip(from).map(|(other, _)| *other).collect();
                        report(findings, jobs, &mut told, &round, span);
                    }
                    Some(Mark::Done) | None => {}
                },
            }
        }
    }
}

fn enter(path: &mut Vec<(usize, usize)>, marks: &mut [Mark], job: usize) {
    if let Some(mark) = marks.get_mut(job)
        && *mark == Mark::New
    {
        *mark = Mark::Open;
        path.push((job, 0));
    }
}

fn report(
    findings: &mut Findings<'_>,
    jobs: &[WrittenJob<'_>],
    told: &mut [bool],
    round: &[usize],
    span: Span,
) {
    if round.iter().all(|job| told.get(*job).copied().unwrap_or(true)) {
        return;
    }
    for job in round {
        if let Some(told) = told.get_mut(*job) {
            *told = true;
        }
    }
    let names: Vec<&str> = round.iter().filter_map(|job| jobs.get(*job)).map(|job| job.name).collect();
    let Some(first) = names.first() else { return };
    let path = if names.len() > MOST_NAMED {
        let shown = names.iter().take(MOST_NAMED).copied().collect::<Vec<_>>().join(" → ");
        format!("{shown} → … {} more … → {first}", counted(names.len() - MOST_NAMED))
    } else {
        format!("{} → {first}", names.join(" → "))
    };
    findings.report_hint(
        span,
        format!("these jobs wait for each other: `{path}`"),
        "take one of these needs away",
    );
}
