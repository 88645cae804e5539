//! What somebody who starts a build may say.

use crate::findings::{Findings, Span, quoted};
use crate::spec::{choices, number};
use crate::yaml::Node;
use crate::{Identifier, Input, InputKind, InputValue, Pattern};

use super::{pattern, texts};

/// Reads `inputs`, in the order written.
pub(crate) fn inputs(findings: &mut Findings<'_>, node: Option<&Node>) -> Vec<Input> {
    let mut inputs: Vec<Input> = Vec::new();
    for entry in node.map(Node::entries).unwrap_or_default() {
        let name = match entry.key.parse::<Identifier>() {
            Ok(name) => name,
            Err(error) => {
                findings.report_hint(entry.key_span, error.to_string(), error.rule());
                continue;
            }
        };
        // Each is a variable too, `INPUT_` and its name in capitals.
        if let Some(other) =
            inputs.iter().find(|other| other.name.as_str().eq_ignore_ascii_case(name.as_str()))
        {
            findings.report_hint(
                entry.key_span,
                format!(
                    "the inputs {} and {} differ only in case",
                    quoted(other.name.as_str()),
                    quoted(name.as_str())
                ),
                "each is an environment variable too, `INPUT_` and its name in capitals: rename one",
            );
        }
        inputs.extend(input(findings, &name, &entry.value, entry.key_span));
    }
    inputs
}

fn input(findings: &mut Findings<'_>, name: &Identifier, node: &Node, key: Span) -> Option<Input> {
    let kind = node.get("type").map_or(Some("string"), Node::text)?;
    let takes_pattern = matches!(kind, "string" | "text" | "password");
    let takes_options = matches!(kind, "choice" | "choices");
    let belongs = [("pattern", takes_pattern), ("options", takes_options), ("default", kind != "password")];
    for (word, belongs) in belongs {
        if let (Some(entry), false) = (node.entry(word), belongs) {
            let hint = match word {
                "pattern" => "only a `string`, a `text` or a `password` has a pattern",
                "options" => "write `type: choice` for one of them, `type: choices` for any of them",
                _ => "a password in a file is none: leave `default` out",
            };
            findings.report_hint(
                entry.key_span,
                format!("an input of type `{kind}` takes no `{word}`"),
                hint,
            );
        }
    }
    let pattern: Option<Pattern> = node
        .get("pattern")
        .filter(|_| takes_pattern)
        .and_then(|node| pattern(findings, node, "`pattern`", &[]));
    let options = texts(findings, node.get("options").filter(|_| takes_options), "`options`");
    if takes_options && node.get("options").is_none() {
        let message = format!("an input of type `{kind}` has no `options`");
        findings.report_hint(key, message, "say what may be chosen: `options: [staging, production]`");
    }
    for option in &options {
        if option.contains([',', '\n']) && kind == "choices" {
            let message = format!("the option {} holds a `,` or a line end", quoted(option));
            findings.report_hint(
                node.span_of("options"),
                message,
                "choices are parted by them: leave it out",
            );
        }
    }
    let given = node.get("default").filter(|_| kind != "password");
    let default = || given.and_then(Node::text).map(str::to_owned);
    let kind = match kind {
        "string" => InputKind::String { default: default(), pattern },
        "text" => InputKind::Text { default: default(), pattern },
        "number" => InputKind::Number { default: default().as_deref().and_then(number) },
        "boolean" => InputKind::Boolean { default: given.and_then(Node::boolean) },
        "choice" => InputKind::Choice { options, default: default() },
        "choices" => {
            let chosen: Option<Vec<&str>> =
                given.map(|node| node.items().iter().filter_map(Node::text).collect());
            let default = chosen.map(|chosen| choices(&options, &chosen).unwrap_or_default());
            InputKind::Choices { options, default }
        }
        "password" => InputKind::Password { pattern },
        _ => return None,
    };
    let input = Input { name: name.clone(), kind, required: false, description: None };
    let undecided = takes_options && node.get("options").is_none();
    if let (Some(given), false) = (given, undecided) {
        check_value(findings, &input, given, &format!("the default of the input {}", quoted(name.as_str())));
    }
    let required = node.boolean_of("required");
    if required && given.is_some() {
        findings.report_hint(
            node.span_of("required"),
            "an input that has a default is never missing",
            "take `required` or `default` away",
        );
    }
    let description = node.literal_of(findings, "description").map(str::to_owned);
    Some(Input { required, description, ..input })
}

/// Checks a value that a file gives to an input, and reads it.
pub(crate) fn check_value(
    findings: &mut Findings<'_>,
    input: &Input,
    node: &Node,
    what: &str,
) -> Option<InputValue> {
    let many = matches!(input.kind, InputKind::Choices { .. });
    let lists = matches!(node.kind, crate::yaml::Kind::List(_));
    if lists && !many {
        let hint = "only `type: choices` takes a list";
        findings.report_hint(node.span, format!("{what} is a list"), hint);
        return None;
    }
    let value = if lists {
        let texts: Vec<&str> = node.items().iter().filter_map(|item| item.literal(findings, what)).collect();
        input.parse(&texts.join(","))
    } else {
        input.parse(node.literal(findings, what)?)
    };
    match value {
        Ok(value) => Some(value),
        Err(error) => {
            findings.report_hint(node.span, format!("{what}: {}", error.message), error.hint);
            None
        }
    }
}
