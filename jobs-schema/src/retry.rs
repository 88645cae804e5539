//! When a job is tried again.

use crate::findings::{Findings, quoted};
use crate::keys::{RETRY, list, nearest};
use crate::read;
use crate::yaml::{Kind, Node};
use crate::{Retry, RetryOn};

/// The most attempts there may be.
const MOST_ATTEMPTS: u32 = 10;

/// The words for ends, `exit:N` aside.
const ENDS: [(&str, RetryOn); 7] = [
    ("worker_lost", RetryOn::WorkerLost),
    ("supervisor_lost", RetryOn::SupervisorLost),
    ("start_failed", RetryOn::StartFailed),
    ("log_incomplete", RetryOn::LogIncomplete),
    ("timeout", RetryOn::Timeout),
    ("step_failed", RetryOn::StepFailed),
    ("step_signalled", RetryOn::StepSignalled),
];

/// Reads a `retry`.
pub(crate) fn retry(findings: &mut Findings<'_>, node: &Node) -> Option<Retry> {
    if !matches!(node.kind, Kind::Mapping(_)) {
        let hint = "`{attempts: 2, on: [worker_lost, \"exit:75\"]}` tries once more after these ends";
        read::wrong_kind(findings, node, "`retry`", "a mapping", Some(hint));
        return None;
    }
    let fields = read::fields(findings, node, &RETRY)?;
    let attempts = match fields.get("attempts") {
        Some(node) => attempts(findings, node)?,
        None => {
            if !fields.has_or_means("attempts") {
                let hint = "add `attempts: 2` to try once more; the first attempt is counted";
                let span = fields.first_key.unwrap_or(node.span);
                findings.report_hint(span, "`retry` does not say how many attempts there are", hint);
            }
            return None;
        }
    };
    let on = match fields.get("on") {
        Some(node) => ends(findings, node),
        None => {
            if attempts > 1 && !fields.has_or_means("on") {
                let hint =
                    "add `on: [step_failed]` to try again whenever a step fails, or `on: [\"exit:75\"]`";
                let span = fields.first_key.unwrap_or(node.span);
                findings.report_hint(span, "`retry` does not say after which ends", hint);
            }
            Vec::new()
        }
    };
    let backoff = fields.get("backoff").and_then(|node| read::time(findings, node, "`backoff`"));
    Some(Retry { attempts, on, backoff })
}

fn attempts(findings: &mut Findings<'_>, node: &Node) -> Option<u32> {
    let written = match &node.kind {
        Kind::Scalar { text, .. } if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok(),
        _ => None,
    };
    let attempts = written.filter(|attempts| (1..=MOST_ATTEMPTS).contains(attempts));
    if attempts.is_none() {
        let hint = "the first attempt is counted: `1` is never again, `2` is once more";
        let what = format!("a number from 1 to {MOST_ATTEMPTS}");
        read::wrong_kind(findings, node, "`attempts`", &what, Some(hint));
    }
    attempts
}

fn ends(findings: &mut Findings<'_>, node: &Node) -> Vec<RetryOn> {
    let items = read::one_or_many(findings, node, "`on`", "the ends after which it is tried again");
    let mut ends = Vec::new();
    for item in items.unwrap_or_default() {
        let Some(text) = read::text(findings, item, "`on`") else { continue };
        match end(text) {
            Some(end) if ends.contains(&end) => {
                findings.report_hint(
                    item.span,
                    format!("{} is named twice", quoted(text)),
                    "keep one of them",
                );
            }
            Some(end) => ends.push(end),
            None => {
                let words: Vec<&str> = ENDS.iter().map(|(word, _)| *word).collect();
                let hint = match nearest(text, words.iter().copied()) {
                    Some(word) => format!("did you mean `{word}`?"),
                    None => {
                        format!("they are {}, and `exit:N` with an exit code from 1 to 255", list(&words))
                    }
                };
                findings.report_hint(item.span, format!("unknown end {}", quoted(text)), hint);
            }
        }
    }
    ends
}

fn end(text: &str) -> Option<RetryOn> {
    if let Some(code) = text.strip_prefix("exit:") {
        let code = code.bytes().all(|byte| byte.is_ascii_digit()).then(|| code.parse::<u8>().ok())?;
        return code.filter(|code| *code != 0).map(RetryOn::Exit);
    }
    ENDS.iter().find(|(word, _)| *word == text).map(|(_, end)| *end)
}
