//! When a build is created: `on`, in its long form and in the short ones.

use std::collections::BTreeMap;

use super::input::check_value;
use super::{file_globs, globs, texts, word, words};
use crate::findings::{Findings, Span, quoted};
use crate::keys::{NONE, list, nearest};
use crate::yaml::{Kind, Node};
use crate::{
    CatchUp, Globs, Input, InputValue, PullRequestChange, PullRequestTrigger, PushTrigger, Schedule,
    Timezone, Triggers, Upstream, WantedStatus,
};

/// Reads `on`: a mapping, one word, or a list of words.
pub(crate) fn triggers(findings: &mut Findings<'_>, node: &Node, key: Span, inputs: &[Input]) -> Triggers {
    match &node.kind {
        Kind::Mapping(entries) => {
            if entries.is_empty() {
                findings.report_hint(key, "`on` names no event", NONE);
            }
            mapping(findings, node, key, inputs)
        }
        _ => short(findings, node),
    }
}

fn mapping(findings: &mut Findings<'_>, node: &Node, key: Span, inputs: &[Input]) -> Triggers {
    let manual = node.get("manual");
    let triggers = Triggers {
        push: node.get("push").map(|push| push_trigger(findings, push)),
        pull_request: node.get("pull_request").map(|request| pull_request(findings, request)),
        tag: node.get("tag").and_then(|tag| match tag.is_nothing() {
            true => every(),
            false => globs(findings, Some(tag), "`tag`"),
        }),
        schedule: node
            .get("schedule")
            .map(Node::items)
            .unwrap_or_default()
            .iter()
            .filter_map(|item| schedule(findings, item, inputs))
            .collect(),
        pipeline: node
            .get("pipeline")
            .map(Node::items)
            .unwrap_or_default()
            .iter()
            .filter_map(|item| upstream(findings, item))
            .collect(),
        event: event_names(findings, node.get("event")),
        // `manual:` with nothing after it is how people write that it is there.
        manual: manual.is_some_and(|manual| manual.is_nothing() || manual.boolean().unwrap_or(true)),
    };
    if node.entries().len() == 1 && manual.is_some() && !triggers.manual {
        findings.report_hint(key, "`on` names no event: nothing ever creates a build", NONE);
    }
    triggers
}

fn short(findings: &mut Findings<'_>, node: &Node) -> Triggers {
    #[derive(Clone, Copy, PartialEq)]
    enum Event {
        Push,
        PullRequest,
        Tag,
        Manual,
    }
    let events = [
        ("push", Event::Push),
        ("pull_request", Event::PullRequest),
        ("tag", Event::Tag),
        ("manual", Event::Manual),
    ];
    let named = words(findings, Some(node), &events);
    let is = |event| named.contains(&event);
    Triggers {
        push: is(Event::Push).then(PushTrigger::default),
        pull_request: is(Event::PullRequest).then(PullRequestTrigger::default),
        tag: if is(Event::Tag) { every() } else { None },
        manual: is(Event::Manual),
        ..Triggers::default()
    }
}

fn every() -> Option<Globs> {
    Globs::new(["**"]).ok()
}

fn push_trigger(findings: &mut Findings<'_>, node: &Node) -> PushTrigger {
    PushTrigger {
        branches: globs(findings, node.get("branches"), "`branches`"),
        paths: file_globs(findings, node.get("paths"), "`paths`"),
        every_commit: node.boolean_of("every_commit"),
    }
}

const CHANGES: [(&str, PullRequestChange); 6] = [
    ("opened", PullRequestChange::Opened),
    ("synchronize", PullRequestChange::Synchronize),
    ("reopened", PullRequestChange::Reopened),
    ("labeled", PullRequestChange::Labeled),
    ("ready_for_review", PullRequestChange::ReadyForReview),
    ("closed", PullRequestChange::Closed),
];

fn pull_request(findings: &mut Findings<'_>, node: &Node) -> PullRequestTrigger {
    let usual = PullRequestTrigger::default();
    let types = match node.get("types") {
        Some(types) => words(findings, Some(types), &CHANGES),
        None => usual.types,
    };
    PullRequestTrigger {
        branches: globs(findings, node.get("branches"), "`branches`"),
        types,
        labels: texts(findings, node.get("labels"), "`labels`"),
        paths: file_globs(findings, node.get("paths"), "`paths`"),
    }
}

fn schedule(findings: &mut Findings<'_>, node: &Node, inputs: &[Input]) -> Option<Schedule> {
    let catch_up = [("skip", CatchUp::Skip), ("one", CatchUp::One), ("all", CatchUp::All)];
    let cron = node.get("cron").and_then(|node| cron(findings, node));
    let timezone = match node.get("timezone") {
        Some(zone) => timezone(findings, zone),
        None => Some(Timezone::UTC),
    };
    let branch = node.get("branch").and_then(|branch| ref_name(findings, branch, "`branch`"));
    let catch_up =
        node.get("catch_up").and_then(Node::text).and_then(|text| word(text, &catch_up)).unwrap_or_default();
    let inputs = scheduled_inputs(findings, node, inputs);
    Some(Schedule { cron: cron?, timezone: timezone?, branch, catch_up, inputs })
}

fn cron(findings: &mut Findings<'_>, node: &Node) -> Option<crate::Cron> {
    let text = node.literal(findings, "`cron`")?;
    match text.parse() {
        Ok(cron) => Some(cron),
        Err(error) => {
            let crate::CronError { at, length, message, hint } = error;
            let span = crate::yaml::within(findings.text(), node, at, length);
            findings.report_hint(span, message, hint);
            None
        }
    }
}

fn timezone(findings: &mut Findings<'_>, node: &Node) -> Option<Timezone> {
    match node.literal(findings, "`timezone`")?.parse::<Timezone>() {
        Ok(zone) => Some(zone),
        Err(error) => {
            findings.report_hint(node.span, error.to_string(), error.hint());
            None
        }
    }
}

/// What a schedule says of the pipeline's inputs; what is required must be among it.
fn scheduled_inputs(
    findings: &mut Findings<'_>,
    node: &Node,
    inputs: &[Input],
) -> BTreeMap<crate::Identifier, InputValue> {
    let given = node.get("inputs").map(Node::entries).unwrap_or_default();
    let mut values = BTreeMap::new();
    for entry in given {
        match inputs.iter().find(|input| input.name.as_str() == entry.key) {
            Some(input) => {
                let what = format!("the input {}", quoted(&entry.key));
                if input.is_secret() {
                    let hint = "a password in a file is none: let the job use a secret";
                    findings.report_hint(entry.key_span, format!("{what} is a password"), hint);
                } else if let Some(value) = check_value(findings, input, &entry.value, &what) {
                    values.insert(input.name.clone(), value);
                }
            }
            None => {
                let names: Vec<&str> = inputs.iter().map(|input| input.name.as_str()).collect();
                let hint = match nearest(&entry.key, names.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None if names.is_empty() => "this pipeline has no `inputs`".to_owned(),
                    None => format!("its inputs are {}", list(&names)),
                };
                findings.report_hint(
                    entry.key_span,
                    format!("there is no input {}", quoted(&entry.key)),
                    hint,
                );
            }
        }
    }
    for input in inputs.iter().filter(|input| input.required) {
        if !given.iter().any(|entry| entry.key == input.name.as_str()) {
            findings.report_hint(
                node.span_of("inputs"),
                format!(
                    "the schedule does not give the input {}, which is required",
                    quoted(input.name.as_str())
                ),
                format!("add `inputs: {{{}: …}}`", input.name),
            );
        }
    }
    values
}

const STATUSES: [(&str, WantedStatus); 3] =
    [("passed", WantedStatus::Passed), ("failed", WantedStatus::Failed), ("any", WantedStatus::Any)];

/// How something must have ended.
pub(crate) fn status(node: &Node) -> WantedStatus {
    node.get("status").and_then(Node::text).and_then(|text| word(text, &STATUSES)).unwrap_or_default()
}

fn upstream(findings: &mut Findings<'_>, node: &Node) -> Option<Upstream> {
    let named = if node.is_mapping() { node.get("name")? } else { node };
    let text = named.literal(findings, "a pipeline's name")?;
    let name = match text.parse::<crate::PipelineName>() {
        Ok(name) => Some(name),
        Err(error) => {
            let hint = "a pipeline is named by its file, without `.branchline/` and `.yaml`";
            findings.report_hint(named.span, error.to_string(), hint);
            None
        }
    };
    let repository = node.get("repository").and_then(|node| repository(findings, node));
    let branches = globs(findings, node.get("branches"), "`branches`");
    Some(Upstream { name: name?, repository, branches, status: status(node) })
}

/// A repository's name: without scheme, user and `.git`.
pub(crate) fn repository(findings: &mut Findings<'_>, node: &Node) -> Option<String> {
    let text = node.literal(findings, "`repository`")?;
    let without_scheme = text.split_once("://").map(|(_, rest)| rest);
    let short = without_scheme.unwrap_or(text);
    let short = short.strip_prefix("git@").unwrap_or(short);
    let short = short.strip_suffix(".git").unwrap_or(short);
    let blank = text.trim().is_empty() || text.contains(char::is_whitespace);
    if short == text && !blank {
        return Some(text.to_owned());
    }
    let hint = if blank {
        "write it as `github.com/acme/app`".to_owned()
    } else {
        format!("a repository's name has no scheme, user and `.git`: write `{}`", short.replacen(':', "/", 1))
    };
    findings.report_hint(node.span, format!("{} cannot be a repository's name", quoted(text)), hint);
    None
}

/// A branch, a tag or a commit by its short name (git-check-ref-format(1), as far as people get it wrong).
pub(crate) fn ref_name(findings: &mut Findings<'_>, node: &Node, what: &str) -> Option<String> {
    let text = node.literal(findings, what)?;
    let wrong = text.is_empty()
        || text.starts_with(['/', '-', '.'])
        || text.ends_with(['/', '.'])
        || text.contains("..")
        || text.contains("//")
        || text.contains(|c: char| c.is_control() || " ~^:?*[\\".contains(c));
    if !wrong && !text.starts_with("refs/") {
        return Some(text.to_owned());
    }
    let hint = match text.strip_prefix("refs/heads/").or_else(|| text.strip_prefix("refs/tags/")) {
        Some(short) => format!("write `{short}`"),
        None => "write the name of one, such as `main`; it is no pattern".to_owned(),
    };
    findings.report_hint(node.span, format!("{what} cannot be {}", quoted(text)), hint);
    None
}

fn event_names(findings: &mut Findings<'_>, node: Option<&Node>) -> Vec<String> {
    const LONGEST: usize = 100;
    let names = texts(findings, node, "`event`");
    for item in node.map(Node::items).unwrap_or_default() {
        if item.text().is_some_and(|text| text.len() > LONGEST || text.contains(char::is_control)) {
            findings.report_hint(
                item.span,
                "this cannot be the name of an event",
                "write a line of at most 100 characters",
            );
        }
    }
    names
}
