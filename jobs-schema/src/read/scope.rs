//! Which names an expression may use where it stands, and whether it is one. Invariant: a template or condition that this
//! gives was checked against its place.

use std::collections::BTreeMap;

use branchline_expression::{
    Expression, Finding, Phase, Scope, Template, Type, check_condition, check_template, check_whole_template,
};

use crate::findings::Findings;
use crate::yaml::{self, Node};
use crate::{Input, InputKind, Matrix, MatrixValue};

/// The jobs of a pipeline by name, with the names of their cells where they have a matrix.
pub(crate) type Cells<'n> = BTreeMap<&'n str, Option<Vec<String>>>;

/// What may be named in one job, or in what belongs to the whole pipeline.
pub(crate) struct Known<'n> {
    scope: Scope,
    needs: Vec<&'n str>,
    jobs: Option<&'n Cells<'n>>,
}

impl<'n> Known<'n> {
    /// What belongs to the whole pipeline.
    pub(crate) fn in_pipeline(inputs: &[Input]) -> Self {
        Self { scope: with_inputs(Scope::of_pipeline(Phase::Plan), inputs), needs: Vec::new(), jobs: None }
    }

    /// What belongs to a job.
    pub(crate) fn in_job(
        inputs: &[Input],
        matrix: Option<&Matrix>,
        on_hosts: bool,
        needs: Vec<&'n str>,
        jobs: &'n Cells<'n>,
    ) -> Self {
        let mut scope = with_inputs(Scope::of_job(Phase::Plan), inputs);
        for (name, all) in matrix.map(Matrix::declared).unwrap_or_default() {
            let kind = matrix.map_or(Type::Any, |matrix| kind(matrix, name.as_str()));
            scope = scope.matrix_key(name.as_str(), kind, all);
        }
        if on_hosts {
            scope = scope.on_hosts();
        }
        Self { scope, needs, jobs: Some(jobs) }
    }

    /// The scope of a phase, with those jobs in it that are named: of a thousand jobs few are.
    fn scope_for<'e>(&self, phase: Phase, used: impl Iterator<Item = &'e Expression>) -> Scope {
        let mut scope = self.scope.in_phase(phase);
        let mut all = false;
        let mut named: Vec<&str> = Vec::new();
        for expression in used {
            for name in expression
                .uses()
                .iter()
                .filter(|name| name.path.first().is_some_and(|first| first == "needs"))
            {
                match name.path.get(1) {
                    Some(job) => named.extend(
                        self.jobs.and_then(|jobs| jobs.get_key_value(job.as_str())).map(|(job, _)| *job),
                    ),
                    None => all = true,
                }
            }
        }
        named.sort_unstable();
        named.dedup();
        for job in &self.needs {
            let cells = || self.jobs.and_then(|jobs| jobs.get(job)).cloned().flatten();
            if named.contains(job) || all {
                scope = scope.need(*job, cells());
            }
        }
        for job in named.iter().filter(|job| !self.needs.contains(job)) {
            scope = scope.other_job(*job);
        }
        scope
    }

    /// A text that may hold expressions.
    pub(crate) fn template(
        &self,
        findings: &mut Findings<'_>,
        node: &Node,
        phase: Phase,
    ) -> Option<Template> {
        self.checked(findings, node, phase, check_template)
    }

    /// The same of a text that is of no use where a part of it is missing.
    pub(crate) fn whole_template(
        &self,
        findings: &mut Findings<'_>,
        node: &Node,
        phase: Phase,
    ) -> Option<Template> {
        self.checked(findings, node, phase, check_whole_template)
    }

    fn checked(
        &self,
        findings: &mut Findings<'_>,
        node: &Node,
        phase: Phase,
        check: fn(&Template, &Scope) -> Vec<Finding>,
    ) -> Option<Template> {
        let text = node.text().filter(|text| !text.contains('\0'))?;
        match Template::parse(text) {
            Ok(template) => {
                if template.literal().is_none() {
                    let scope =
                        self.scope_for(phase, template.expressions().map(|(_, expression)| expression));
                    report(findings, node, check(&template, &scope));
                }
                Some(template)
            }
            Err(error) => {
                report(findings, node, [error.into()]);
                None
            }
        }
    }

    /// The template of a key.
    pub(crate) fn template_of(
        &self,
        findings: &mut Findings<'_>,
        node: &Node,
        key: &str,
        phase: Phase,
    ) -> Option<Template> {
        self.template(findings, node.get(key)?, phase)
    }

    /// A condition.
    pub(crate) fn condition(
        &self,
        findings: &mut Findings<'_>,
        node: &Node,
        phase: Phase,
    ) -> Option<Expression> {
        let text = node.text()?;
        match Expression::parse(text) {
            Ok(expression) => {
                let scope = self.scope_for(phase, std::iter::once(&expression));
                report(findings, node, check_condition(&expression, &scope));
                Some(expression)
            }
            Err(error) => {
                report(findings, node, [error.into()]);
                None
            }
        }
    }
}

fn with_inputs(scope: Scope, inputs: &[Input]) -> Scope {
    inputs.iter().fold(scope, |scope, input| {
        let kind = match &input.kind {
            InputKind::String { .. } | InputKind::Text { .. } | InputKind::Password { .. } => Type::Text,
            InputKind::Number { .. } => Type::Number,
            InputKind::Boolean { .. } => Type::Boolean,
            InputKind::Choice { options, .. } => Type::OneOf(options.clone()),
            InputKind::Choices { .. } => Type::List,
        };
        scope.input(input.name.as_str(), kind, input.default_value().is_some())
    })
}

/// The type that all values of a key have, where they have one.
fn kind(matrix: &Matrix, name: &str) -> Type {
    let of_keys = matrix.keys.iter().filter(|key| key.name.as_str() == name).flat_map(|key| &key.values);
    let of_rows =
        matrix.include.iter().flatten().filter(|(key, _)| key.as_str() == name).map(|(_, value)| value);
    let mut values = of_keys.chain(of_rows);
    let first = values.next().map(std::mem::discriminant);
    if values.any(|value| Some(std::mem::discriminant(value)) != first) {
        return Type::Any;
    }
    let any_of = |value: &MatrixValue| first == Some(std::mem::discriminant(value));
    if any_of(&MatrixValue::Boolean(true)) {
        Type::Boolean
    } else if any_of(&MatrixValue::Integer(0)) {
        Type::Number
    } else {
        Type::Text
    }
}

fn report(findings: &mut Findings<'_>, node: &Node, found: impl IntoIterator<Item = Finding>) {
    for Finding { offset, len, message, hint } in found {
        let span = yaml::within(findings.text(), node, offset, len);
        match hint {
            Some(hint) => findings.report_hint(span, message, hint),
            None => findings.report(span, message),
        }
    }
}
