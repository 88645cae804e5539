//! Calls of functions, before there are any values.

use super::{Checker, kinds};
use crate::ast::{Call, Kind, Node};
use crate::evaluate::pattern_of;
use crate::function::{self, Form, Function};
use crate::token::Span;
use crate::{Type, Value, mention, words};

impl Checker<'_> {
    pub(super) fn call(&mut self, call: &Call, span: Span) -> Type {
        let arguments: Vec<&Node> = call.receiver.iter().chain(&call.arguments).collect();
        let Some(function) = function::function(&call.function) else {
            self.find(words::unknown_function(&call.function, call.name_span));
            // It may bind its first argument, as a macro of another language.
            let known =
                if call.arguments.len() == 2 { &arguments[..arguments.len() - 2] } else { &arguments };
            known.iter().for_each(|node| {
                self.kind_of(node);
            });
            return Type::Any;
        };
        let kinds: Vec<Type> = arguments.iter().map(|node| self.kind_of(node)).collect();
        if !function.takes(call.receiver.is_some(), call.arguments.len()) {
            let written: Vec<&str> = arguments.iter().map(|node| self.source(node)).collect();
            self.find(words::wrong_usage(function, span, call.receiver.is_some(), &written));
        } else if function.phase > self.scope.phase {
            self.find(words::function_not_known_yet(function.name, span));
        } else if matches!(function.name, "changed" | "hash") {
            self.about_files(function, call, span);
        } else if function.form != Form::Function {
            self.about_text(function, &arguments, &kinds);
        }
        kinds::returned(function.returns)
    }

    fn about_files(&mut self, function: &Function, call: &Call, span: Span) {
        if mention::literals(&call.arguments).is_none() {
            let wrong =
                call.arguments.iter().find(|node| !matches!(node.kind, Kind::Literal(Value::String(_))));
            self.find(words::not_literal(function.name, wrong.map_or(span, |node| node.span)));
        }
    }

    fn about_text(&mut self, function: &Function, arguments: &[&Node], kinds: &[Type]) {
        for (node, kind) in arguments.iter().zip(kinds) {
            let fits = match function.name {
                "size" => !matches!(kind, Type::Boolean | Type::Number),
                _ => kinds::fits(kind, &Type::Text),
            };
            if !fits {
                self.find(words::argument(function, node.span, kind));
            }
        }
        let pattern = arguments.get(1).map(|node| (&node.kind, node.span));
        if let ("matches", Some((Kind::Literal(Value::String(pattern)), span))) = (function.name, pattern)
            && let Err(why) = pattern_of(pattern)
        {
            self.find(words::wrong_pattern(span, &why));
        }
    }
}
