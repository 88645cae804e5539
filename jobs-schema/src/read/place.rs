//! Where a job runs: exactly one place.

use branchline_expression::Phase;

use super::environment::environment;
use super::scope::Known;
use super::{identifier, texts, word};
use crate::findings::{Findings, quoted};
use crate::keys::list;
use crate::yaml::{Entry, Kind, Node};
use crate::{Capabilities, Container, Hosts, JobName, Place, Pull, Service, Ssh, Volume, VolumeSource};

const PLACES: [&str; 3] = ["process", "container", "ssh"];

/// Reads where a job runs.
pub(crate) fn place(findings: &mut Findings<'_>, job: &Entry, known: &Known<'_>) -> Option<Place> {
    let node = &job.value;
    let process = node.get("process").and_then(Node::boolean);
    let named: Vec<&str> = PLACES
        .into_iter()
        .filter(|place| node.get(place).is_some() && (*place != "process" || process != Some(false)))
        .collect();
    let hint =
        "write `container: image`, `ssh: {pool: web}`, or `process: true` for the worker's own machine";
    match named.as_slice() {
        [] if node.get("process").is_some() => {
            let message =
                format!("the job {} has no place to run: `process: false` is none", quoted(&job.key));
            findings.report_hint(node.span_of("process"), message, hint);
        }
        // A key that is nearly one is told as what it is.
        [] if !node.entries().iter().any(|entry| means_a_place(&entry.key)) => {
            let message = format!("the job {} does not say where it runs", quoted(&job.key));
            findings.report_hint(job.key_span, message, hint);
        }
        [] | [_] => {}
        several => {
            let message =
                format!("a job runs in exactly one place, and {} names {}", quoted(&job.key), list(several));
            findings.report_hint(job.key_span, message, "keep one of them");
        }
    }
    let services = node.entry("services").map(|entry| services(findings, entry, known)).unwrap_or_default();
    if let (Some(entry), None) = (node.entry("services"), node.get("container")) {
        let hint = "write `container: image`; a service is reached from there by its name";
        findings.report_hint(entry.key_span, "services run beside a container, and this job has none", hint);
    }
    // All of them are read, so that the mistakes of each are told.
    let container = node.get("container").and_then(|node| container(findings, node, known));
    let ssh = node.get("ssh").and_then(|node| ssh(findings, node, known));
    if node.get("container").is_some() {
        container.map(|container| Place::Container { container: Box::new(container), services })
    } else if node.get("ssh").is_some() {
        ssh.map(Place::Ssh)
    } else {
        Some(Place::Process)
    }
}

fn means_a_place(key: &str) -> bool {
    crate::keys::JOB.key(key).is_none()
        && crate::keys::JOB.suggest(key).key.is_some_and(|meant| PLACES.contains(&meant))
}

fn container(findings: &mut Findings<'_>, node: &Node, known: &Known<'_>) -> Option<Container> {
    let written = if node.is_mapping() { node.get("image") } else { Some(node) };
    let image = written.and_then(|written| {
        let template = known.whole_template(findings, written, Phase::Unblock)?;
        check_image(findings, written, template.literal());
        Some(template)
    });
    let pulls = [("always", Pull::Always), ("missing", Pull::Missing), ("never", Pull::Never)];
    let pull = node.get("pull").and_then(Node::text).and_then(|text| word(text, &pulls)).unwrap_or_default();
    let user = node.get("user").and_then(|node| user(findings, node));
    let volumes = volumes(findings, node.get("volumes"));
    let credentials = node.get("credentials").and_then(|node| identifier(findings, node, "a secret's name"));
    let entrypoint = node.get("entrypoint").map(|node| entrypoint(findings, node));
    let capabilities = node.get("capabilities");
    let add = self::capabilities(findings, capabilities.and_then(|node| node.get("add")));
    let drop = self::capabilities(findings, capabilities.and_then(|node| node.get("drop")));
    Some(Container {
        image: image?,
        pull,
        user,
        cpu: node.cpu_of("cpu"),
        memory: node.size_of("memory"),
        volumes,
        privileged: node.boolean_of("privileged"),
        credentials,
        entrypoint,
        capabilities: Capabilities { add, drop },
    })
}

/// What no image is called, so that the mistake is told before a worker meets it.
fn check_image(findings: &mut Findings<'_>, node: &Node, image: Option<&str>) {
    let Some(image) = image else { return };
    let wrong = image.is_empty()
        || image.contains(|c: char| c.is_whitespace() || c.is_control())
        || image.contains("://")
        || image.starts_with(['-', ':', '/', '@'])
        || image.ends_with([':', '/', '@']);
    if wrong {
        let message = format!("{} is not the name of an image", quoted(image));
        findings.report_hint(
            node.span,
            message,
            "write `debian:12`, or `registry.example.org/team/image:tag`",
        );
    }
}

fn user(findings: &mut Findings<'_>, node: &Node) -> Option<String> {
    let text = node.literal(findings, "`user`")?;
    let name =
        |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c));
    if text.split_once(':').map_or_else(|| name(text), |(user, group)| name(user) && name(group)) {
        return Some(text.to_owned());
    }
    let message = format!("{} is no account", quoted(text));
    findings.report_hint(
        node.span,
        message,
        "write a name or a number, and the group after a `:`, between quotes: `\"1000:1000\"`",
    );
    None
}

fn entrypoint(findings: &mut Findings<'_>, node: &Node) -> Vec<String> {
    node.items().iter().filter_map(|item| item.literal(findings, "`entrypoint`").map(str::to_owned)).collect()
}

fn capabilities(findings: &mut Findings<'_>, node: Option<&Node>) -> Vec<String> {
    for item in node.map(Node::items).unwrap_or_default() {
        let Some(text) = item.text() else { continue };
        if !text.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_') {
            let message = format!("{} is no capability", quoted(text));
            findings.report_hint(
                item.span,
                message,
                "write its name in capitals, such as `NET_ADMIN`, or `ALL`",
            );
        } else if let Some(short) = text.strip_prefix("CAP_") {
            let message = format!("{} is written without `CAP_`", quoted(text));
            findings.report_hint(item.span, message, format!("write `{short}`"));
        }
    }
    texts(findings, node, "`capabilities`")
}

fn volumes(findings: &mut Findings<'_>, node: Option<&Node>) -> Vec<Volume> {
    let mut volumes: Vec<Volume> = Vec::new();
    for item in node.map(Node::items).unwrap_or_default() {
        let Some(text) = item.literal(findings, "a volume") else { continue };
        match volume(text) {
            Ok(volume) => {
                if volumes.iter().any(|other| other.path == volume.path) {
                    let message = format!("two volumes are mounted at {}", quoted(&volume.path));
                    findings.report_hint(item.span, message, "give one of them another path");
                }
                volumes.push(volume);
            }
            Err(why) => {
                let message = format!("{} is no volume: {why}", quoted(text));
                findings.report_hint(item.span, message, "write `name:/path`, or `name:/path:ro`");
            }
        }
    }
    volumes
}

fn volume(text: &str) -> Result<Volume, &'static str> {
    let mut parts = text.split(':');
    let (Some(source), Some(path)) = (parts.next(), parts.next()) else {
        return Err("it has no path after a `:`");
    };
    let read_only = match (parts.next(), parts.next()) {
        (None, _) | (Some("rw"), None) => false,
        (Some("ro"), None) => true,
        _ => return Err("only `ro` may follow its path"),
    };
    let absolute = |path: &str| {
        path.starts_with('/') && path.len() > 1 && path.split('/').all(|part| part != ".." && part != ".")
    };
    if !absolute(path) {
        return Err("the path it is mounted at is not absolute");
    }
    let named = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_alphanumeric())
            && name.len() <= 64
            && name.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c))
    };
    let source = if absolute(source) {
        VolumeSource::Host(source.to_owned())
    } else if named(source) {
        VolumeSource::Named(source.to_owned())
    } else {
        return Err("what stands before its `:` is neither a name nor an absolute path");
    };
    Ok(Volume { source, path: path.to_owned(), read_only })
}

fn services(findings: &mut Findings<'_>, entry: &Entry, known: &Known<'_>) -> Vec<Service> {
    let mut services = Vec::new();
    for entry in entry.value.entries() {
        let name = match entry.key.parse::<JobName>() {
            Ok(name) => Some(name),
            Err(error) => {
                let message = format!("{} cannot be a service's name", quoted(&entry.key));
                findings.report_hint(entry.key_span, message, error.rule());
                None
            }
        };
        let node = &entry.value;
        let container = container(findings, node, known);
        let env = environment(findings, node.get("env"), known, Phase::Unblock);
        let ready = node.literal_of(findings, "ready").map(str::to_owned);
        if let (Some(name), Some(container)) = (name, container) {
            services.push(Service { name, container, env, ready });
        }
    }
    services
}

fn ssh(findings: &mut Findings<'_>, node: &Node, known: &Known<'_>) -> Option<Ssh> {
    let pool = if node.is_mapping() { node.get("pool") } else { Some(node) };
    let pool = pool.and_then(|pool| self::pool(findings, pool, known));
    let hosts = match node.get("hosts") {
        None => Hosts::All,
        Some(Node { kind: Kind::List(_), .. }) => Hosts::Named(texts(findings, node.get("hosts"), "`hosts`")),
        Some(hosts) => match hosts.text() {
            Some("any") => Hosts::Any,
            _ => Hosts::All,
        },
    };
    if let (Some(entry), Hosts::Any) = (node.entry("max_parallel"), &hosts) {
        let hint = "take it away, or write `hosts: all`";
        findings.report_hint(entry.key_span, "there is one run where `hosts` is `any`", hint);
    }
    Some(Ssh { pool: pool?, hosts, max_parallel: node.count_of("max_parallel") })
}

/// The name of a pool.
pub(crate) fn pool(
    findings: &mut Findings<'_>,
    node: &Node,
    known: &Known<'_>,
) -> Option<branchline_expression::Template> {
    let template = known.whole_template(findings, node, Phase::Plan)?;
    if let Some(name) = template.literal() {
        let good = name.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
            && name.len() <= 63
            && name.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c));
        if !good {
            let message = format!("{} cannot be a pool's name", quoted(name));
            let hint = "use letters, digits, `_` and `-`, beginning with a letter, a digit or `_`";
            findings.report_hint(node.span, message, hint);
        }
    }
    Some(template)
}
