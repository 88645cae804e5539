//! What is wrong with an expression in its place, before there are any values: names that are not declared, or not known
//! yet; functions that are not, or are used otherwise; comparisons that can never hold. Invariant: all findings are
//! told at once, in the order of the text, and what is found here would be an error, or a mistake, in every build.

mod call;
mod kinds;
mod path;

use crate::ast::{Kind, MacroKind, Node, Operator};
use crate::token::Span;
use crate::{Expression, Finding, Scope, Template, Type, Value, words};

/// What is wrong with an expression of which any value is welcome.
#[must_use]
pub fn check(expression: &Expression, scope: &Scope) -> Vec<Finding> {
    checked(expression, scope, |checker| {
        checker.kind_of(expression.root());
    })
}

/// What is wrong with an expression that is to be true or false (or null, which counts as false).
#[must_use]
pub fn check_condition(expression: &Expression, scope: &Scope) -> Vec<Finding> {
    checked(expression, scope, |checker| checker.truth(expression.root()))
}

/// What is wrong with the expressions of a template. Offsets are those in the template.
#[must_use]
pub fn check_template(template: &Template, scope: &Scope) -> Vec<Finding> {
    check_parts(template, scope, false)
}

/// The same of a template no part of which may be missing ([`Template::render_whole`]): what is a key that only some
/// cells of the matrix have, or an input without a value, is found too.
#[must_use]
pub fn check_whole_template(template: &Template, scope: &Scope) -> Vec<Finding> {
    check_parts(template, scope, true)
}

fn check_parts(template: &Template, scope: &Scope, whole: bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (at, expression) in template.expressions() {
        let found = checked(expression, scope, |checker| {
            let node = expression.root();
            match checker.kind_of(node) {
                kind @ (Type::List | Type::Map) => checker.find(words::no_text_to_fill_in(node.span, &kind)),
                _ if whole => checker.never_missing(node),
                _ => {}
            }
        });
        findings.extend(found.into_iter().map(|finding| Finding { offset: finding.offset + at, ..finding }));
    }
    findings
}

fn checked(expression: &Expression, scope: &Scope, work: impl FnOnce(&mut Checker<'_>)) -> Vec<Finding> {
    let text = expression.text();
    let mut checker = Checker { text, scope, findings: Vec::new(), locals: Vec::new() };
    work(&mut checker);
    let mut findings = checker.findings;
    findings.sort_by_key(|finding| finding.offset);
    findings
}

struct Checker<'s> {
    text: &'s str,
    scope: &'s Scope,
    findings: Vec<Finding>,
    /// What macros bind, the innermost last.
    locals: Vec<String>,
}

impl<'s> Checker<'s> {
    /// A part of the expression, as it is written.
    fn source(&self, node: &Node) -> &'s str {
        self.text.get(node.span.at..node.span.end).unwrap_or_default()
    }

    fn find(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    /// Checks a node, and says what is known of its value.
    fn kind_of(&mut self, node: &Node) -> Type {
        match &node.kind {
            Kind::Literal(value) => kinds::of_value(value),
            Kind::Name(_) | Kind::Select(..) | Kind::Index(..) => self.path(node),
            Kind::Has(selection) => {
                self.path(selection);
                Type::Boolean
            }
            Kind::List(items) => {
                self.all(items);
                Type::List
            }
            Kind::Map(entries) => {
                for (key, value) in entries {
                    let kind = self.kind_of(key);
                    if !kinds::fits(&kind, &Type::Text) {
                        self.find(words::map_key(key.span, &kind));
                    }
                    self.kind_of(value);
                }
                Type::Map
            }
            Kind::All(parts) | Kind::Any(parts) => {
                parts.iter().for_each(|part| self.truth(part));
                Type::Boolean
            }
            Kind::Not(operand) => {
                self.truth(operand);
                Type::Boolean
            }
            Kind::Negative(operand) => {
                let kind = self.kind_of(operand);
                if !kinds::fits(&kind, &Type::Number) {
                    self.find(words::operand(node.span, "-", &kind));
                }
                Type::Number
            }
            Kind::Binary(operator, sign, left, right) => {
                self.binary(*operator, *sign, node.span, left, right)
            }
            Kind::Choice(condition, yes, no) => {
                self.truth(condition);
                let (yes, no) = (self.kind_of(yes), self.kind_of(no));
                kinds::common(&yes, &no)
            }
            Kind::Call(call) => self.call(call, node.span),
            Kind::Macro(part) => {
                let range = self.kind_of(&part.range);
                if !matches!(range, Type::Any | Type::List | Type::Map) {
                    self.find(words::range(part.range.span, &range));
                }
                self.locals.push(part.variable.clone());
                part.condition.iter().for_each(|node| self.truth(node));
                part.transform.iter().for_each(|node| {
                    self.kind_of(node);
                });
                self.locals.pop();
                match part.kind {
                    MacroKind::Filter | MacroKind::Map => Type::List,
                    MacroKind::All | MacroKind::Exists | MacroKind::ExistsOne => Type::Boolean,
                }
            }
        }
    }

    fn all(&mut self, nodes: &[Node]) {
        for node in nodes {
            self.kind_of(node);
        }
    }

    /// Checks a node that is to be true or false.
    fn truth(&mut self, node: &Node) {
        let kind = self.kind_of(node);
        if !matches!(kind, Type::Any | Type::Boolean) {
            self.find(words::never_a_truth(node.span, &kind));
        }
    }

    fn binary(&mut self, operator: Operator, sign: Span, span: Span, left: &Node, right: &Node) -> Type {
        let (of_left, of_right) = (self.kind_of(left), self.kind_of(right));
        match operator {
            Operator::Equal | Operator::NotEqual => {
                if !kinds::fits(&of_left, &of_right) {
                    let sides = [(self.source(left), &of_left), (self.source(right), &of_right)];
                    self.find(words::never_equal(span, operator, sides));
                }
                self.one_of(left, &of_left, right);
                self.one_of(right, &of_right, left);
                Type::Boolean
            }
            Operator::In => {
                if !matches!(of_right, Type::Any | Type::List | Type::Map) {
                    self.find(words::container(span, &of_right));
                }
                if let Kind::List(items) = &right.kind {
                    items.iter().for_each(|item| self.one_of(left, &of_left, item));
                }
                Type::Boolean
            }
            Operator::Less | Operator::LessOrEqual | Operator::Greater | Operator::GreaterOrEqual => {
                let unordered = |kind: &Type| matches!(kind, Type::List | Type::Map);
                if !kinds::fits(&of_left, &of_right) || unordered(&of_left) || unordered(&of_right) {
                    self.find(words::operands(sign, operator, &of_left, &of_right));
                }
                Type::Boolean
            }
            _ => {
                let fits = |kind: &Type| match operator {
                    Operator::Add => !matches!(kind, Type::Boolean | Type::Map),
                    _ => matches!(kind, Type::Any | Type::Number),
                };
                if !kinds::fits(&of_left, &of_right) || !fits(&of_left) || !fits(&of_right) {
                    self.find(words::operands(sign, operator, &of_left, &of_right));
                    return Type::Any;
                }
                kinds::sum(of_left, of_right)
            }
        }
    }

    /// A literal text that is compared with what is one of several must be among them.
    fn one_of(&mut self, compared: &Node, kind: &Type, literal: &Node) {
        if let (Type::OneOf(options), Kind::Literal(Value::String(text))) = (kind, &literal.kind)
            && !options.iter().any(|option| **option == **text)
        {
            self.find(words::no_option(literal.span, self.source(compared), text, options));
        }
    }
}
