//! Who is told of a build.

use super::{identifier, texts, words};
use crate::findings::{Findings, quoted};
use crate::keys::list;
use crate::yaml::Node;
use crate::{Channel, Notification, NotifyOn};

const TOLD: [(&str, NotifyOn); 6] = [
    ("created", NotifyOn::Created),
    ("held", NotifyOn::Held),
    ("passed", NotifyOn::Passed),
    ("failed", NotifyOn::Failed),
    ("fixed", NotifyOn::Fixed),
    ("cancelled", NotifyOn::Cancelled),
];

const CHANNELS: [&str; 3] = ["email", "webhook", "slack"];

/// Reads `notify`.
pub(crate) fn notifications(findings: &mut Findings<'_>, node: Option<&Node>) -> Vec<Notification> {
    let items = node.map(Node::items).unwrap_or_default();
    items.iter().filter(|item| item.is_mapping()).filter_map(|item| notification(findings, item)).collect()
}

fn notification(findings: &mut Findings<'_>, node: &Node) -> Option<Notification> {
    let on = words(findings, node.get("on"), &TOLD);
    let named: Vec<&str> = CHANNELS.into_iter().filter(|key| node.get(key).is_some()).collect();
    let first = node.entries().first().map_or(node.span, |entry| entry.key_span);
    match named.as_slice() {
        [] => {
            let hint = "add `email: [team@example.org]`, `webhook: https://…` or `slack: SECRET`";
            findings.report_hint(first, "a notification does not say where it goes", hint);
            return None;
        }
        [_] => {}
        several => {
            let message = format!("a notification goes one way, and this one names {}", list(several));
            findings.report_hint(first, message, "write one for each");
        }
    }
    if let (Some(entry), None) = (node.entry("secret"), node.get("webhook")) {
        let message = "only a `webhook` is signed with a `secret`";
        findings.report_hint(entry.key_span, message, "take it away");
    }
    let to = if node.get("email").is_some() {
        Channel::Email(addresses(findings, node))
    } else if let Some(url) = node.get("webhook") {
        let secret = node.get("secret").and_then(|node| identifier(findings, node, "a secret's name"));
        Channel::Webhook { url: self::url(findings, url)?, secret }
    } else {
        Channel::Slack(identifier(findings, node.get("slack")?, "a secret's name")?)
    };
    Some(Notification { on, to })
}

fn addresses(findings: &mut Findings<'_>, node: &Node) -> Vec<String> {
    for item in node.get("email").map(Node::items).unwrap_or_default() {
        let Some(text) = item.text() else { continue };
        let good = text.split_once('@').is_some_and(|(user, host)| {
            !user.is_empty() && !host.is_empty() && !host.contains('@') && !text.contains(char::is_whitespace)
        });
        if !good {
            let message = format!("{} is no address", quoted(text));
            findings.report_hint(item.span, message, "write `team@example.org`");
        }
    }
    texts(findings, node.get("email"), "`email`")
}

fn url(findings: &mut Findings<'_>, node: &Node) -> Option<String> {
    let text = node.literal(findings, "`webhook`")?;
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let good = rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'))
        && !text.contains(char::is_whitespace);
    if !good {
        let message = format!("{} is no URL that can be called", quoted(text));
        findings.report_hint(node.span, message, "write `https://…`");
        return None;
    }
    Some(text.to_owned())
}
