//! From the parser's events to the tree.

use std::collections::HashMap;

use serde_saphyr::granit_parser::{self, Event, Parser, ScalarStyle, Tag};

use super::explain::{explain, span_of, tag_of};
use super::{Entry, Kind, Node};
use crate::findings::{Findings, Span, counted, quoted};

/// How many values a file may hold, what an alias stands for counted each time.
const MOST_NODES: usize = 100_000;

/// How many bytes of text the values may hold, counted likewise.
const MOST_BYTES: usize = 4 * 1024 * 1024;

/// How deep values may be nested, counted likewise. The language itself needs eight.
const DEEPEST: usize = 64;

/// Reads the one document of a file. `None` where it could not be read to its end; what is wrong is then among
/// the findings. Mistakes that leave the rest readable (a key twice, an unknown alias) are reported too, and the
/// tree is there.
pub(crate) fn read(findings: &mut Findings<'_>) -> Option<Node> {
    let mut options = granit_parser::options! {
        disallow_directives: true,
        emit_unresolved_aliases: true,
        flow_nesting_limit: 2 * DEEPEST,
        block_nesting_limit: 2 * DEEPEST,
    };
    options.set_emit_comments(false);
    let text = findings.text();
    let mut builder = Builder {
        findings,
        frames: Vec::new(),
        anchors: HashMap::new(),
        total: Measure::default(),
        root: None,
    };
    for event in Parser::new_from_str_with_options(text, options) {
        match event {
            Ok((event, span)) => match builder.take(event, span_of(text, &span), tag_of(text, &span)) {
                Go::On => {}
                Go::NoFurther => return None,
            },
            Err(error) => {
                explain(builder.findings, &error);
                return None;
            }
        }
    }
    builder.root
}

/// How big a value is with all that is in it.
#[derive(Clone, Copy, Default)]
struct Measure {
    nodes: usize,
    bytes: usize,
    height: usize,
}

/// A collection that is not closed yet.
struct Frame {
    anchor: usize,
    start: usize,
    measure: Measure,
    content: Content,
}

enum Content {
    List(Vec<Node>),
    Mapping { entries: Vec<Entry>, merged: Vec<Entry>, key: Option<Node> },
}

enum Go {
    On,
    NoFurther,
}

struct Builder<'f, 't> {
    findings: &'f mut Findings<'t>,
    frames: Vec<Frame>,
    /// What each anchor names; those of collections that are still open are not in it.
    anchors: HashMap<usize, (Node, Measure)>,
    total: Measure,
    root: Option<Node>,
}

impl Builder<'_, '_> {
    fn take(&mut self, event: Event<'_>, span: Span, tag_span: Span) -> Go {
        match event {
            Event::DocumentStart(..) if self.root.is_some() => {
                self.findings.report_hint(
                    span,
                    "a second document begins here",
                    "a file holds one document: put each pipeline into a file of its own, and take `---` away",
                );
                Go::NoFurther
            }
            Event::Scalar(text, style, anchor, tag) => {
                let as_text = self.check_tag(tag.as_deref(), tag_span);
                let plain = style == ScalarStyle::Plain && !as_text;
                let block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
                let measure = Measure { nodes: 1, bytes: text.len(), height: 1 };
                let node = Node { kind: Kind::Scalar { text: text.into_owned(), plain, block }, span };
                match self.count(measure, span) {
                    Go::On => self.complete(node, measure, anchor),
                    Go::NoFurther => Go::NoFurther,
                }
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.check_tag(tag.as_deref(), tag_span);
                self.open(anchor, span, Content::List(Vec::new()))
            }
            Event::MappingStart(_, anchor, tag) => {
                self.check_tag(tag.as_deref(), tag_span);
                let content = Content::Mapping { entries: Vec::new(), merged: Vec::new(), key: None };
                self.open(anchor, span, content)
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(span),
            Event::Alias(anchor) => self.alias(anchor, span),
            Event::UnresolvedAlias(name) => {
                self.findings.report_hint(
                    span,
                    format!("unknown alias {}", quoted(&format!("*{name}"))),
                    format!("give the value an anchor, `&{name}`, before its first use; or quote a text that begins with `*`"),
                );
                self.complete(Node { kind: Kind::Broken, span }, Measure::default(), 0)
            }
            _ => Go::On,
        }
    }

    fn open(&mut self, anchor: usize, span: Span, content: Content) -> Go {
        let measure = Measure { nodes: 1, bytes: 0, height: 1 };
        self.frames.push(Frame { anchor, start: span.start, measure, content });
        if self.frames.len() > DEEPEST {
            return self.too_deep(span);
        }
        self.count(measure, span)
    }

    fn close(&mut self, end: Span) -> Go {
        let Some(frame) = self.frames.pop() else { return Go::On };
        let span = Span { start: frame.start, end: end.end.max(frame.start) };
        let kind = match frame.content {
            Content::List(items) => Kind::List(items),
            Content::Mapping { entries, merged, .. } => Kind::Mapping(unique(self.findings, entries, merged)),
        };
        self.complete(Node { kind, span }, frame.measure, frame.anchor)
    }

    fn alias(&mut self, anchor: usize, span: Span) -> Go {
        let Some(measure) = self.anchors.get(&anchor).map(|(_, measure)| *measure) else {
            self.findings.report_hint(
                span,
                format!(
                    "the alias {} stands within the very value it names",
                    quoted(self.findings.slice(span))
                ),
                "a value cannot contain itself: write out what is meant",
            );
            return self.complete(Node { kind: Kind::Broken, span }, Measure::default(), 0);
        };
        // Counted before it is copied, so that no file can have a big copy made.
        if let Go::NoFurther = self.count(measure, span) {
            return Go::NoFurther;
        }
        match self.anchors.get(&anchor).map(|(node, _)| node.kind.clone()) {
            Some(kind) => self.complete(Node { kind, span }, measure, 0),
            None => Go::On,
        }
    }

    /// A value is read to its end: it goes into the collection around it.
    fn complete(&mut self, node: Node, measure: Measure, anchor: usize) -> Go {
        if self.frames.len() + measure.height > DEEPEST {
            return self.too_deep(node.span);
        }
        if anchor != 0 {
            // Kept for its aliases, which is a copy like any other.
            if let Go::NoFurther = self.count(measure, node.span) {
                return Go::NoFurther;
            }
            self.anchors.insert(anchor, (node.clone(), measure));
        }
        let Some(frame) = self.frames.last_mut() else {
            self.root = Some(node);
            return Go::On;
        };
        frame.measure.nodes += measure.nodes;
        frame.measure.bytes += measure.bytes;
        frame.measure.height = frame.measure.height.max(measure.height + 1);
        match &mut frame.content {
            Content::List(items) => items.push(node),
            Content::Mapping { entries, merged, key } => match key.take() {
                None => *key = Some(node),
                Some(key) => pair(self.findings, entries, merged, key, node),
            },
        }
        Go::On
    }

    fn count(&mut self, measure: Measure, span: Span) -> Go {
        self.total.nodes += measure.nodes;
        self.total.bytes += measure.bytes;
        let limit = if self.total.nodes > MOST_NODES {
            format!("{} values", counted(MOST_NODES))
        } else if self.total.bytes > MOST_BYTES {
            format!("{} bytes of text", counted(MOST_BYTES))
        } else {
            return Go::On;
        };
        self.findings.report_hint(
            span,
            format!("from here on the file holds more than {limit}"),
            "what an alias stands for counts each time it is used: use fewer aliases, or several files",
        );
        Go::NoFurther
    }

    fn too_deep(&mut self, span: Span) -> Go {
        self.findings.report_hint(
            span,
            format!("values are nested more than {DEEPEST} deep"),
            "no key of a pipeline needs that: check brackets and indentation",
        );
        Go::NoFurther
    }

    /// Whether the tag makes a text of a plain scalar. There is no use for any other.
    fn check_tag(&mut self, tag: Option<&Tag>, span: Span) -> bool {
        let Some(tag) = tag else { return false };
        if tag.core_suffix() == Some("str") {
            return true;
        }
        self.findings.report_hint(
            span,
            format!("the tag {} is not supported", quoted(&tag.original())),
            "take it away; to have a text taken as it is, put it between quotes",
        );
        false
    }
}

/// A key has its value. Merge keys are set aside: what is written in the mapping itself comes first.
fn pair(
    findings: &mut Findings<'_>,
    entries: &mut Vec<Entry>,
    merged: &mut Vec<Entry>,
    key: Node,
    value: Node,
) {
    match key.kind {
        Kind::Scalar { text, plain: true, .. } if text == "<<" => merge(findings, merged, value),
        Kind::Scalar { text, .. } => entries.push(Entry { key: text, key_span: key.span, value }),
        Kind::List(_) | Kind::Mapping(_) => findings.report_hint(
            key.span,
            "a key must be a text",
            "a text that begins with `[`, `{` or `${{` needs quotes around it",
        ),
        Kind::Broken => {}
    }
}

fn merge(findings: &mut Findings<'_>, merged: &mut Vec<Entry>, value: Node) {
    match value.kind {
        Kind::Mapping(entries) => merged.extend(entries),
        Kind::List(items)
            if items.iter().all(|item| matches!(item.kind, Kind::Mapping(_) | Kind::Broken)) =>
        {
            for item in items {
                merge(findings, merged, item);
            }
        }
        Kind::Broken => {}
        Kind::Scalar { .. } | Kind::List(_) => findings.report_hint(
            value.span,
            "`<<` merges a mapping, or a list of mappings, into the one around it",
            "name one by its anchor: `<<: *name`",
        ),
    }
}

/// Each key once: the first that is written counts, and every other is a mistake; those that were merged in only
/// fill what is not written, the earlier before the later.
fn unique(findings: &mut Findings<'_>, entries: Vec<Entry>, merged: Vec<Entry>) -> Vec<Entry> {
    let mut first: HashMap<String, usize> = HashMap::with_capacity(entries.len());
    let mut kept = Vec::with_capacity(entries.len() + merged.len());
    for entry in entries {
        match first.get(&entry.key) {
            None => {
                first.insert(entry.key.clone(), entry.key_span.start);
                kept.push(entry);
            }
            Some(start) => {
                let hint = format!("it is first given on line {}: keep one of them", findings.line(*start));
                findings.report_hint(entry.key_span, format!("duplicate key {}", quoted(&entry.key)), hint);
            }
        }
    }
    for entry in merged {
        if !first.contains_key(&entry.key) {
            first.insert(entry.key.clone(), entry.key_span.start);
            kept.push(entry);
        }
    }
    kept
}
