//! When a job is tried again.

use crate::findings::{Findings, quoted};
use crate::keys::{ENDS, list, nearest};
use crate::yaml::Node;
use crate::{Retry, RetryOn};

/// What the words for ends stand for, `exit:N` aside.
const MEANINGS: [(&str, RetryOn); 7] = [
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
    let attempts = node.number_of("attempts").and_then(|number| u32::try_from(number).ok());
    let on = match node.get("on") {
        Some(node) => ends(findings, node),
        None => {
            let meant =
                node.entries().iter().any(|entry| crate::keys::RETRY.suggest(&entry.key).key == Some("on"));
            if attempts.is_some_and(|attempts| attempts > 1) && !meant {
                let hint =
                    "add `on: [step_failed]` to try again whenever a step fails, or `on: [\"exit:75\"]`";
                let span = node.entries().first().map_or(node.span, |entry| entry.key_span);
                findings.report_hint(span, "`retry` does not say after which ends", hint);
            }
            Vec::new()
        }
    };
    Some(Retry { attempts: attempts?, on, backoff: node.time_of("backoff") })
}

fn ends(findings: &mut Findings<'_>, node: &Node) -> Vec<RetryOn> {
    let mut ends = Vec::new();
    for item in node.items() {
        let Some(text) = item.literal(findings, "`on`") else { continue };
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
                let words: Vec<&str> = ENDS.iter().map(|end| end.word).collect();
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
    super::word(text, &MEANINGS)
}
