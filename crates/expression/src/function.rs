//! The functions of the language. Invariant: this is the one list of them; the check, the evaluation and the
//! documentation's test all read it.

use crate::Phase;
use crate::expression::STATUS_FUNCTIONS;

/// A function that an expression may call.
pub(crate) struct Function {
    pub(crate) name: &'static str,
    pub(crate) form: Form,
    /// How many arguments it takes, besides what stands before the dot.
    pub(crate) arguments: std::ops::RangeInclusive<usize>,
    /// How it is used, for people.
    pub(crate) usage: &'static str,
    pub(crate) returns: Returns,
    /// From when on it can be answered.
    pub(crate) phase: Phase,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// `name(…)`
    Function,
    /// `text.name(…)`
    Method,
    /// Either: `name(text, …)` is `text.name(…)`.
    Both,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Returns {
    Text,
    Number,
    Boolean,
}

const fn method(name: &'static str, usage: &'static str) -> Function {
    Function {
        name,
        form: Form::Method,
        arguments: 1..=1,
        usage,
        returns: Returns::Boolean,
        phase: Phase::Plan,
    }
}

const fn conversion(name: &'static str, usage: &'static str, returns: Returns) -> Function {
    Function { name, form: Form::Function, arguments: 1..=1, usage, returns, phase: Phase::Plan }
}

const fn about_files(name: &'static str, usage: &'static str, returns: Returns) -> Function {
    Function { name, form: Form::Function, arguments: 1..=64, usage, returns, phase: Phase::Plan }
}

const fn status(name: &'static str, usage: &'static str) -> Function {
    Function {
        name,
        form: Form::Function,
        arguments: 0..=0,
        usage,
        returns: Returns::Boolean,
        phase: Phase::Unblock,
    }
}

/// Every function; CEL's macros (`has`, `all`, `exists`, `exists_one`, `filter`, `map`) are syntax, and not here.
pub(crate) const FUNCTIONS: &[Function] = &[
    Function {
        name: "size",
        form: Form::Both,
        arguments: 0..=0,
        usage: "event.pull_request.labels.size()",
        returns: Returns::Number,
        phase: Phase::Plan,
    },
    method("contains", "event.branch.contains(\"fix\")"),
    method("startsWith", "event.branch.startsWith(\"release/\")"),
    method("endsWith", "event.branch.endsWith(\"-rc\")"),
    Function { form: Form::Both, ..method("matches", "event.tag.matches(\"^v[0-9]+\")") },
    conversion("string", "string(1)", Returns::Text),
    conversion("int", "int(\"1\")", Returns::Number),
    conversion("double", "double(\"1.5\")", Returns::Number),
    conversion("bool", "bool(\"true\")", Returns::Boolean),
    about_files("changed", "changed(\"src/**\", \"Cargo.*\")", Returns::Boolean),
    about_files("hash", "hash(\"Cargo.lock\")", Returns::Text),
    status(STATUS_FUNCTIONS[0], "success()"),
    status(STATUS_FUNCTIONS[1], "failure()"),
    status(STATUS_FUNCTIONS[2], "always()"),
    status(STATUS_FUNCTIONS[3], "cancelled()"),
];

/// The function, if there is one so called.
pub(crate) fn function(name: &str) -> Option<&'static Function> {
    FUNCTIONS.iter().find(|function| function.name == name)
}

impl Function {
    /// Whether it may be called so: behind a dot or not, with so many arguments in parentheses.
    pub(crate) fn takes(&self, method: bool, arguments: usize) -> bool {
        match (self.form, method) {
            (Form::Function, true) | (Form::Method, false) => false,
            (Form::Both, false) => arguments > 0 && self.arguments.contains(&(arguments - 1)),
            _ => self.arguments.contains(&arguments),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::FUNCTIONS;
    use crate::names::{NAMES, Within};
    use crate::{Expression, Scope, check};

    const PAGE: &str = include_str!("../../../docs/expressions.md");

    #[test]
    fn every_function_is_used_as_it_is_said_to_be_and_is_in_the_documentation() {
        for function in FUNCTIONS {
            let usage = Expression::parse(function.usage).unwrap();
            assert_eq!(usage.calls()[0].name, function.name);
            assert_eq!(check(&usage, &Scope::of_job(function.phase)), [], "{}", function.usage);
            assert!(PAGE.contains(&format!("{}(", function.name)), "{}", function.name);
        }
    }

    #[test]
    fn every_name_and_field_is_in_the_documentation() {
        for known in NAMES {
            assert!(PAGE.contains(&format!("`{}", known.name)), "{}", known.name);
            let Within::Fields(fields) = known.within else { continue };
            for (field, within) in fields {
                let path = format!("`{}.{field}`", known.name);
                assert!(PAGE.contains(&path) || PAGE.contains(&format!("`{field}")), "{path}");
                if let Within::OneOf(options) = within {
                    assert!(options.iter().all(|option| PAGE.contains(&format!("`{option}`"))), "{path}");
                }
            }
        }
    }
}
