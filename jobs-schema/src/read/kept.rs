//! What a job is given and what it leaves: secrets, an identity, caches, artifacts; and who must agree.

use branchline_expression::{Phase, Template};

use super::environment::check_name;
use super::scope::Known;
use super::{file_globs, identifier, is_below, texts};
use crate::findings::{Findings, quoted};
use crate::yaml::{Kind, Node};
use crate::{Approval, Artifact, Cache, IdToken, SecretUse};

/// The mappings of a list.
fn mappings(node: Option<&Node>) -> impl Iterator<Item = &Node> {
    let items = match node.map(|node| &node.kind) {
        Some(Kind::List(items)) => items.as_slice(),
        _ => &[],
    };
    items.iter().filter(|item| item.is_mapping())
}

/// Reads `secrets`: names, and mappings of them.
pub(crate) fn secrets(findings: &mut Findings<'_>, node: Option<&Node>) -> Vec<SecretUse> {
    let mut secrets: Vec<SecretUse> = Vec::new();
    let Some(Node { kind: Kind::List(items), .. }) = node else { return secrets };
    for item in items {
        let named = if item.is_mapping() { item.get("name") } else { Some(item) };
        let Some(named) = named else { continue };
        let Some(name) = identifier(findings, named, "a secret's name") else { continue };
        check_name(findings, name.as_str(), named.span);
        if secrets.iter().any(|other| other.name == name) {
            let message = format!("{} is named twice", quoted(name.as_str()));
            findings.report_hint(named.span, message, "keep one of them");
            continue;
        }
        secrets.push(SecretUse { name, file: item.boolean_of("file") });
    }
    secrets
}

/// Reads `id_token`.
pub(crate) fn id_token(findings: &mut Findings<'_>, node: Option<&Node>) -> Option<IdToken> {
    let node = node?.get("audience")?;
    let audience = node.literal(findings, "`audience`")?;
    if audience.trim().is_empty() {
        findings.report_hint(node.span, "`audience` is empty", "say whom the identity is for");
    }
    Some(IdToken { audience: audience.to_owned() })
}

/// Reads `cache`.
pub(crate) fn caches(findings: &mut Findings<'_>, node: Option<&Node>, known: &Known<'_>) -> Vec<Cache> {
    mappings(node).filter_map(|item| cache(findings, item, known)).collect()
}

fn cache(findings: &mut Findings<'_>, node: &Node, known: &Known<'_>) -> Option<Cache> {
    let key = known.template_of(findings, node, "key", Phase::Plan);
    let restore = node.get("restore").map(Node::items).unwrap_or_default();
    let restore =
        restore.iter().filter_map(|item| known.template(findings, item, Phase::Plan)).collect::<Vec<_>>();
    for item in node.get("paths").map(Node::items).unwrap_or_default() {
        let Some(path) = item.text() else { continue };
        let rest = path.strip_prefix("~/").or_else(|| path.strip_prefix('/')).unwrap_or(path);
        if !is_below(rest) {
            let message = format!("{} leaves the folder it begins in", quoted(path));
            let hint = "name folders below the workspace, absolute ones, or some below `~/`, without `..`";
            findings.report_hint(item.span, message, hint);
        }
    }
    let paths = texts(findings, node.get("paths"), "`paths`");
    Some(Cache { key: key?, restore, paths })
}

/// Reads `artifacts`.
pub(crate) fn artifacts(
    findings: &mut Findings<'_>,
    node: Option<&Node>,
    known: &Known<'_>,
) -> Vec<Artifact> {
    let mut artifacts: Vec<Artifact> = Vec::new();
    for item in mappings(node) {
        let Some(artifact) = artifact(findings, item, known) else { continue };
        if artifacts.iter().any(|other| other.name == artifact.name) {
            let message = format!("two artifacts are called {}", quoted(artifact.name.text()));
            let span = item.get("name").map_or(item.span, |name| name.span);
            findings.report_hint(
                span,
                message,
                "give one of them another name, or both their files one `path`",
            );
        }
        artifacts.push(artifact);
    }
    artifacts
}

fn artifact(findings: &mut Findings<'_>, node: &Node, known: &Known<'_>) -> Option<Artifact> {
    let name = node.get("name").and_then(|name| known.whole_template(findings, name, Phase::Plan));
    if let (Some(text), Some(named)) = (name.as_ref().and_then(Template::literal), node.get("name")) {
        let good = text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
            && text.len() <= 100
            && text.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c));
        if !good {
            let message = format!("{} cannot be an artifact's name", quoted(text));
            let hint =
                "use letters, digits, `_`, `.` and `-`, beginning with a letter, a digit or `_`, at most 100";
            findings.report_hint(named.span, message, hint);
        }
    }
    let path = file_globs(findings, node.get("path"), "`path`");
    let condition = node.get("if").and_then(|node| known.condition(findings, node, Phase::Worker));
    Some(Artifact { name: name?, path: path?, condition, keep: node.time_of("keep") })
}

/// Reads `approval`.
pub(crate) fn approval(
    findings: &mut Findings<'_>,
    node: Option<&Node>,
    known: &Known<'_>,
) -> Option<Approval> {
    let node = node.filter(|node| node.is_mapping())?;
    Some(Approval {
        roles: texts(findings, node.get("roles"), "`roles`"),
        message: known.template_of(findings, node, "message", Phase::Plan),
        expires: node.time_of("expires"),
    })
}
