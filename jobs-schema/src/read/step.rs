//! The steps of a job.

use std::collections::BTreeMap;

use branchline_expression::Phase;

use super::environment::environment;
use super::scope::Known;
use super::{expressions, folder};
use crate::findings::{Findings, quoted};
use crate::yaml::{Kind, Node};
use crate::{Shell, Step};

const SCRIPT: &str = "values reach a script as environment variables: put the expression into `env`, \
                      `env: {NAME: …}`, and use \"$NAME\" in the script";

/// Reads `steps`, each a command or a mapping.
pub(crate) fn steps(findings: &mut Findings<'_>, node: Option<&Node>, known: &Known<'_>) -> Vec<Step> {
    let Some(Node { kind: Kind::List(items), .. }) = node else { return Vec::new() };
    items.iter().filter_map(|item| step(findings, item, known)).collect()
}

fn step(findings: &mut Findings<'_>, node: &Node, known: &Known<'_>) -> Option<Step> {
    if !node.is_mapping() {
        return Some(Step {
            name: None,
            condition: None,
            run: script(findings, node)?,
            env: BTreeMap::new(),
            shell: Shell::Default,
            working_directory: None,
            timeout: None,
            allow_failure: false,
        });
    }
    let name = known.template_of(findings, node, "name", Phase::Plan);
    let condition = node.get("if").and_then(|node| known.condition(findings, node, Phase::Worker));
    let run = node.get("run").and_then(|run| script(findings, run));
    let env = environment(findings, node.get("env"), known, Phase::Unblock);
    let shell = node.get("shell").map_or(Shell::Default, |node| shell(findings, node));
    let working_directory =
        node.get("working_directory").and_then(|node| folder(findings, node, "`working_directory`"));
    Some(Step {
        name,
        condition,
        run: run?,
        env,
        shell,
        working_directory,
        timeout: node.time_of("timeout"),
        allow_failure: node.boolean_of("allow_failure"),
    })
}

/// Reads a script, which is kept to the letter. An expression would be text put into code, and is refused.
fn script(findings: &mut Findings<'_>, node: &Node) -> Option<String> {
    let script = node.text().filter(|text| !text.contains('\0'))?;
    if script.contains("${{") {
        let mut spans = expressions(findings, node);
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
    let Some(text) = node.literal(findings, "`shell`") else { return Shell::Default };
    let words: Vec<&str> = text.split_whitespace().collect();
    let (message, hint) = match words.as_slice() {
        _ if text.contains(['"', '\'', '\\']) => (
            "quotes and backslashes are not understood in `shell`".to_owned(),
            "write a program and its arguments, parted by spaces; anything more belongs in a `#!` first line of the script",
        ),
        [] => ("`shell` is empty".to_owned(), "leave it out for `sh -e`"),
        ["sh"] => return Shell::Default,
        ["bash"] => return Shell::Command(["bash", "-eo", "pipefail"].map(str::to_owned).into()),
        words if words.contains(&"{0}") => (
            format!("{} has no meaning in `shell`", quoted("{0}")),
            "take it away: the script's file is always the last argument",
        ),
        words => return Shell::Command(words.iter().map(|word| (*word).to_owned()).collect()),
    };
    findings.report_hint(node.span, message, hint);
    Shell::Default
}
