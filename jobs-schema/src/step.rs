//! The steps of a job.

use crate::environment::environment;
use crate::findings::{Findings, Span, quoted};
use crate::keys::STEP;
use crate::read;
use crate::yaml::{Kind, Node};
use crate::{Shell, Step};

const SCRIPT: &str = "values reach a script as environment variables: put the expression into `env`, \
                      `env: {NAME: …}`, and use \"$NAME\" in the script";

/// Reads `steps`: at least one, each a command or a mapping.
pub(crate) fn steps(findings: &mut Findings<'_>, node: &Node, key: Span) -> Vec<Step> {
    let items = match &node.kind {
        Kind::List(items) => items,
        Kind::Broken => return Vec::new(),
        Kind::Scalar { .. } if node.is_nothing() => &Vec::new(),
        _ => {
            let hint = "begin each step with `- ` on a line of its own";
            read::wrong_kind(findings, node, "`steps`", "a list", Some(hint));
            return Vec::new();
        }
    };
    if items.is_empty() {
        findings.report_hint(key, "`steps` is empty", "give the job at least one command: `steps: [make]`");
    }
    items.iter().filter_map(|item| step(findings, item)).collect()
}

fn step(findings: &mut Findings<'_>, node: &Node) -> Option<Step> {
    match &node.kind {
        Kind::Scalar { .. } => {
            let run = script(findings, node, "a step")?;
            Some(Step {
                name: None,
                run,
                env: std::collections::BTreeMap::new(),
                shell: Shell::Default,
                working_directory: None,
                timeout: None,
                allow_failure: false,
            })
        }
        Kind::Mapping(entries) => {
            // `- echo done: yes` is a mapping to YAML; nobody means a key with a space in it.
            if let [entry] = entries.as_slice()
                && entry.key.contains(' ')
            {
                findings.report_hint(
                    entry.key_span,
                    format!("the `: ` after {} makes a mapping of this command", quoted(&entry.key)),
                    "put the whole command between quotes, or below `- run: |`",
                );
                return None;
            }
            mapping(findings, node)
        }
        _ => {
            read::wrong_kind(findings, node, "a step", "a command, or a mapping with `run`", None);
            None
        }
    }
}

fn mapping(findings: &mut Findings<'_>, node: &Node) -> Option<Step> {
    let fields = read::fields(findings, node, &STEP)?;
    let name = fields.get("name").and_then(|name| read::text(findings, name, "`name`"));
    let run = match fields.get("run") {
        Some(run) => script(findings, run, "`run`"),
        None => {
            if !fields.has_or_means("run") {
                let span = fields.first_key.unwrap_or(node.span);
                findings.report_hint(span, "a step needs `run`", "say what it executes: `run: make`");
            }
            None
        }
    };
    let env = environment(findings, fields.get("env"));
    let shell = fields.get("shell").map_or(Shell::Default, |node| shell(findings, node));
    let working_directory =
        fields.get("working_directory").and_then(|node| working_directory(findings, node));
    let timeout = fields.get("timeout").and_then(|node| read::time(findings, node, "`timeout`"));
    let allow_failure = fields
        .get("allow_failure")
        .and_then(|node| read::boolean(findings, node, "`allow_failure`"))
        .unwrap_or_default();
    Some(Step {
        name: name.map(str::to_owned),
        run: run?,
        env,
        shell,
        working_directory,
        timeout,
        allow_failure,
    })
}

/// Reads a script, which is kept to the letter. An expression would be text put into code, and is refused.
fn script(findings: &mut Findings<'_>, node: &Node, what: &str) -> Option<String> {
    if let Kind::Scalar { text, .. } = &node.kind
        && (node.is_nothing() || text.trim().is_empty())
    {
        findings.report_hint(node.span, format!("{what} is empty"), "write the command that it executes");
        return None;
    }
    let script = read::literal(findings, node, what)?;
    if script.contains("${{") {
        let mut spans = read::expressions(findings, node);
        if spans.is_empty() {
            spans.push(node.span);
        }
        for span in spans {
            findings.report_hint(span, "`${{ … }}` is not allowed in a script", SCRIPT);
        }
        return None;
    }
    Some(script.to_owned())
}

/// Reads a shell: a program and its arguments. `sh` and `bash` alone are made to end at the first failure, as
/// the default does and as users of other systems know it; with arguments they are taken as they are.
fn shell(findings: &mut Findings<'_>, node: &Node) -> Shell {
    let Some(text) = read::text(findings, node, "`shell`") else { return Shell::Default };
    if text.contains(['"', '\'', '\\']) {
        findings.report_hint(
            node.span,
            "quotes and backslashes are not understood in `shell`",
            "write a program and its arguments, parted by spaces; anything more belongs in a `#!` first line of the script",
        );
        return Shell::Default;
    }
    let words: Vec<&str> = text.split_whitespace().collect();
    match words.as_slice() {
        [] => {
            findings.report_hint(node.span, "`shell` is empty", "leave it out for `sh -e`");
            Shell::Default
        }
        ["sh"] => Shell::Default,
        ["bash"] => Shell::Command(["bash", "-eo", "pipefail"].map(str::to_owned).into()),
        words if words.contains(&"{0}") => {
            findings.report_hint(
                node.span,
                "`{0}` has no meaning in `shell`",
                "take it away: the script's file is always the last argument",
            );
            Shell::Default
        }
        words => Shell::Command(words.iter().map(|word| (*word).to_owned()).collect()),
    }
}

/// Reads a folder below the workspace.
fn working_directory(findings: &mut Findings<'_>, node: &Node) -> Option<String> {
    let folder = read::text(findings, node, "`working_directory`")?;
    let mut depth = 0usize;
    let mut escapes = folder.starts_with('/');
    for part in folder.split('/') {
        match part {
            "" | "." => {}
            ".." => match depth.checked_sub(1) {
                Some(above) => depth = above,
                None => escapes = true,
            },
            _ => depth += 1,
        }
    }
    let message = if folder.trim().is_empty() {
        "`working_directory` is empty".to_owned()
    } else if escapes {
        format!("{} is not within the workspace", quoted(folder))
    } else {
        return Some(folder.to_owned());
    };
    findings.report_hint(
        node.span,
        message,
        "name a folder of the repository, relative to its root, or leave it out",
    );
    None
}
