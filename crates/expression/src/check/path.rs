//! Names and their fields, before there are any values.

use super::{Checker, kinds};
use crate::ast::{Kind, Node};
use crate::names::{self, Below, Within};
use crate::scope::Declared;
use crate::token::Span;
use crate::{Type, Value, words};

/// A name of the pipeline and the fields behind it.
struct Trail {
    keys: Vec<String>,
    within: Within,
    /// What the pipeline declares of it, where it does.
    declared: Option<Type>,
}

impl Checker<'_> {
    pub(super) fn path(&mut self, node: &Node) -> Type {
        self.trail(node).map_or(Type::Any, |trail| trail.kind())
    }

    /// A value that is to be filled in where none may be missing.
    pub(super) fn never_missing(&mut self, node: &Node) {
        let Some((name, key)) = declared_name(node) else { return };
        let sometimes = |declared: Option<&Declared>| declared.is_some_and(|declared| !declared.always);
        let finding = match name {
            "matrix" if sometimes(self.scope.matrix.get(key)) => words::cells_without(node.span, key),
            "inputs" if sometimes(self.scope.inputs.get(key)) => words::maybe_no_input(node.span, key),
            _ => return,
        };
        self.find(finding);
    }

    /// Follows a name; nothing where it is no name of the pipeline, or something is wrong with it, which is found.
    fn trail(&mut self, node: &Node) -> Option<Trail> {
        match &node.kind {
            Kind::Name(name) => self.name(name, node.span),
            Kind::Select(object, field) => {
                let trail = self.trail(object)?;
                self.field(trail, &field.name, field.span)
            }
            Kind::Index(object, key) => {
                let trail = self.trail(object);
                match (&key.kind, trail) {
                    (Kind::Literal(Value::String(text)), Some(trail)) => self.field(trail, text, key.span),
                    (_, trail) => {
                        let kind = self.kind_of(key);
                        self.item(trail?, &kind, key.span)
                    }
                }
            }
            _ => {
                self.kind_of(node);
                None
            }
        }
    }

    fn name(&mut self, name: &str, span: Span) -> Option<Trail> {
        if self.locals.iter().any(|bound| bound == name) {
            return None;
        }
        let Some(known) = names::name(name) else {
            self.find(words::unknown_name(name, span));
            return None;
        };
        let scope = self.scope;
        let wrong = if matches!(name, "matrix" | "host" | "needs" | "env") && !scope.of_a_job {
            Some(words::belongs_to_a_job(name, span))
        } else if known.phase > scope.phase {
            Some(words::not_known_yet(name, span, known.phase))
        } else {
            match name {
                "matrix" if scope.matrix.is_empty() => Some(words::no_matrix(span)),
                "needs" if scope.needs.is_empty() && scope.other_jobs.is_empty() => {
                    Some(words::no_needs(span))
                }
                "inputs" if scope.inputs.is_empty() => Some(words::no_inputs(span)),
                "host" if !scope.host => Some(words::no_host(span)),
                _ => None,
            }
        };
        if let Some(finding) = wrong {
            self.find(finding);
            return None;
        }
        Some(Trail { keys: vec![name.to_owned()], within: known.within, declared: None })
    }

    fn field(&mut self, mut trail: Trail, key: &str, span: Span) -> Option<Trail> {
        let found = match trail.within.field(key) {
            Below::Known(within) => self.outputs_of_cells(&trail, key, span).map_or(Ok((within, None)), Err),
            Below::IfDeclared(within) => self.declared(&trail, key, span).map(|kind| (within, kind)),
            Below::Unknown => Err(words::no_field(&trail.keys.join("."), key, span, trail.within.fields())),
            Below::Nothing => Err(words::has_no_fields(&trail.keys.join("."), key, span, &trail.kind())),
        };
        match found {
            Ok((within, declared)) => {
                (trail.within, trail.declared) = (within, declared);
                trail.keys.push(key.to_owned());
                Some(trail)
            }
            Err(finding) => {
                self.find(finding);
                None
            }
        }
    }

    /// What is declared of a key of `inputs`, `matrix`, `needs` or a need's `cells`.
    fn declared(&self, trail: &Trail, key: &str, span: Span) -> Result<Option<Type>, crate::Finding> {
        let scope = self.scope;
        let keys: Vec<&str> = trail.keys.iter().map(String::as_str).collect();
        match keys.as_slice() {
            ["needs", job, "cells"] => match scope.needs.get(*job) {
                Some(Some(cells)) if cells.iter().any(|cell| cell == key) => Ok(None),
                Some(Some(cells)) => Err(words::no_cell(job, key, span, cells)),
                Some(None) => Err(words::need_has_no_matrix(job, span)),
                None => Ok(None),
            },
            ["needs"] if scope.needs.contains_key(key) => Ok(None),
            ["needs"] if scope.other_jobs.contains(key) => Err(words::job_not_needed(key, span)),
            ["needs"] => Err(words::no_need(key, span, scope.needs.keys())),
            ["matrix"] => match scope.matrix.get(key) {
                Some(declared) => Ok(Some(declared.kind.clone())),
                None => Err(words::no_declared("matrix", key, span, scope.matrix.keys())),
            },
            ["inputs"] => match scope.inputs.get(key) {
                Some(declared) => Ok(Some(declared.kind.clone())),
                None => Err(words::no_declared("inputs", key, span, scope.inputs.keys())),
            },
            _ => Ok(None),
        }
    }

    /// A job with a matrix has outputs in its cells only.
    fn outputs_of_cells(&self, trail: &Trail, key: &str, span: Span) -> Option<crate::Finding> {
        match trail.keys.as_slice() {
            [needs, job] if needs == "needs" && key == "outputs" => match self.scope.needs.get(job) {
                Some(Some(cells)) => Some(words::outputs_of_cells(job, span, cells)),
                _ => None,
            },
            _ => None,
        }
    }

    /// What lies behind a key that is worked out.
    fn item(&mut self, mut trail: Trail, key: &Type, span: Span) -> Option<Trail> {
        let kind = trail.kind();
        let wanted = match kind {
            Type::List => Type::Number,
            Type::Map => Type::Text,
            Type::Any => return None,
            _ => {
                self.find(words::has_no_fields(&trail.keys.join("."), "x", span, &kind));
                return None;
            }
        };
        if !kinds::fits(key, &wanted) {
            self.find(words::wrong_key(span, &kind, key));
            return None;
        }
        trail.within = match trail.within {
            Within::Declared(within) | Within::Open(within) => *within,
            _ => Within::Any,
        };
        trail.declared = None;
        trail.keys.push("*".to_owned());
        Some(trail)
    }
}

impl Trail {
    fn kind(&self) -> Type {
        self.declared.clone().unwrap_or_else(|| kinds::within(self.within))
    }
}

/// `matrix.key` and `inputs.key`, in either way to write it.
fn declared_name(node: &Node) -> Option<(&str, &str)> {
    let (object, key) = match &node.kind {
        Kind::Select(object, field) => (object, &*field.name),
        Kind::Index(object, key) => match &key.kind {
            Kind::Literal(Value::String(text)) => (object, &**text),
            _ => return None,
        },
        _ => return None,
    };
    match &object.kind {
        Kind::Name(name) => Some((name, key)),
        _ => None,
    }
}
