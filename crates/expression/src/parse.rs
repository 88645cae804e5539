//! Tokens to a tree, by the grammar of the CEL specification ("Syntax").
//!
//! One error is told, the first: what follows one in a single line is rarely true. Invariant: the parser never
//! stands deeper than [`MAX_DEPTH`], and takes time linear in the text.
//!
//! Not read, because nothing in a pipeline file is made of them: messages (`Type{field: value}`), names that begin
//! with a dot, optional fields (`a.?b`), bytes, unsigned numbers.

use crate::ast::{Call, Field, Kind, Macro, MacroKind, Node, Operator};
use crate::token::{Lexer, Span, Token};
use crate::{MAX_DEPTH, MAX_LENGTH, SyntaxError, Value, words};

/// Reads all of `text` from `from` on as one expression. With `closed`, it ends with `}}`; says where it ends.
pub(crate) fn parse(text: &str, from: usize, closed: bool) -> Result<(Node, usize), SyntaxError> {
    let mut lexer = Lexer::new(text, from);
    let (token, span) = lexer.next()?;
    let mut parser = Parser { text, lexer, token, span, before: Span { at: from, end: from }, depth: 0 };
    if parser.token == Token::End || (closed && parser.at_close()) {
        return Err(words::empty(from, span.at));
    }
    let node = parser.expression()?;
    let end = if closed {
        if !parser.at_close() {
            return Err(words::open_interpolation(&parser.found(), from));
        }
        parser.span.at + 2
    } else if parser.token == Token::End {
        text.len()
    } else {
        return Err(words::trailing(&parser.found(), &node));
    };
    let length = end - from;
    if length > MAX_LENGTH {
        return Err(words::too_long(from, length));
    }
    Ok((node, end))
}

struct Parser<'a> {
    text: &'a str,
    lexer: Lexer<'a>,
    /// The next token and its place.
    token: Token,
    span: Span,
    /// The place of the token before.
    before: Span,
    depth: usize,
}

impl Parser<'_> {
    fn advance(&mut self) -> Result<Token, SyntaxError> {
        let (token, span) = self.lexer.next()?;
        self.before = std::mem::replace(&mut self.span, span);
        Ok(std::mem::replace(&mut self.token, token))
    }

    fn is(&self, sign: &str) -> bool {
        matches!(self.token, Token::Sign(next) if next == sign)
    }

    fn take(&mut self, sign: &str) -> Result<bool, SyntaxError> {
        let there = self.is(sign);
        if there {
            self.advance()?;
        }
        Ok(there)
    }

    fn expect(&mut self, sign: &'static str, after: &str) -> Result<(), SyntaxError> {
        match self.take(sign)? {
            true => Ok(()),
            false => Err(words::expected(sign, after, &self.found())),
        }
    }

    /// The next token, for who did not expect it.
    fn found(&self) -> words::Found<'_> {
        words::Found { token: &self.token, span: self.span, source: self.source(self.span) }
    }

    fn source(&self, span: Span) -> &str {
        self.text.get(span.at..span.end).unwrap_or_default()
    }

    fn no_operand(&self) -> SyntaxError {
        words::no_operand(&self.found(), self.source(self.before))
    }

    fn at_close(&self) -> bool {
        self.text.get(self.span.at..).is_some_and(|rest| rest.starts_with("}}"))
    }

    fn node(&self, span: Span, kind: Kind) -> Result<Node, SyntaxError> {
        let height = 1 + kind.children().iter().map(|node| node.height).max().unwrap_or(0);
        if height > MAX_DEPTH {
            return Err(words::too_deep(span));
        }
        Ok(Node { span, height, kind })
    }

    /// `condition ? yes : no`, or anything that binds more strongly.
    fn expression(&mut self) -> Result<Node, SyntaxError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(words::too_deep(self.span));
        }
        let condition = self.any()?;
        let node = if self.take("?")? {
            let yes = self.any()?;
            self.expect(":", "in `condition ? yes : no`")?;
            let no = self.expression()?;
            let span = condition.span.to(no.span);
            self.node(span, Kind::Choice(Box::new(condition), Box::new(yes), Box::new(no)))?
        } else {
            condition
        };
        self.depth -= 1;
        Ok(node)
    }

    fn any(&mut self) -> Result<Node, SyntaxError> {
        let first = self.all()?;
        self.chain("||", first, Self::all, Kind::Any)
    }

    fn all(&mut self) -> Result<Node, SyntaxError> {
        let first = self.binary(0)?;
        self.chain("&&", first, |parser| parser.binary(0), Kind::All)
    }

    fn chain(
        &mut self,
        sign: &str,
        first: Node,
        part: impl Fn(&mut Self) -> Result<Node, SyntaxError>,
        kind: impl Fn(Vec<Node>) -> Kind,
    ) -> Result<Node, SyntaxError> {
        if !self.is(sign) {
            return Ok(first);
        }
        let mut span = first.span;
        let mut parts = vec![first];
        while self.take(sign)? {
            let next = part(self)?;
            span = span.to(next.span);
            parts.push(next);
        }
        self.node(span, kind(parts))
    }

    fn binary(&mut self, rank: usize) -> Result<Node, SyntaxError> {
        let Some(operators) = Operator::RANKS.get(rank) else { return self.unary() };
        let mut left = self.binary(rank + 1)?;
        while let Some(operator) = self.operator(operators) {
            self.advance()?;
            let sign = self.before;
            let right = self.binary(rank + 1)?;
            let span = left.span.to(right.span);
            left = self.node(span, Kind::Binary(operator, sign, Box::new(left), Box::new(right)))?;
        }
        Ok(left)
    }

    fn operator(&self, among: &[Operator]) -> Option<Operator> {
        let sign = match &self.token {
            Token::Sign(sign) => sign,
            Token::Name(name) => name.as_str(),
            _ => return None,
        };
        among.iter().copied().find(|operator| operator.sign() == sign)
    }

    fn unary(&mut self) -> Result<Node, SyntaxError> {
        let mut signs = Vec::new();
        while self.is("!") || self.is("-") {
            signs.push((self.is("-"), self.span));
            self.advance()?;
        }
        let mut node = match (&self.token, signs.last()) {
            (Token::Int(number), Some((true, sign))) if *number == i64::MIN.unsigned_abs() => {
                let span = sign.to(self.span);
                self.advance()?;
                signs.pop();
                self.node(span, Kind::Literal(Value::Int(i64::MIN)))?
            }
            _ => self.member()?,
        };
        while let Some((negative, sign)) = signs.pop() {
            let kind = if negative { Kind::Negative } else { Kind::Not };
            node = self.node(sign.to(node.span), kind(Box::new(node)))?;
        }
        Ok(node)
    }

    /// A primary, and what hangs on it: `.field`, `.function(…)`, `[key]`.
    fn member(&mut self) -> Result<Node, SyntaxError> {
        let mut node = self.primary()?;
        loop {
            if self.take(".")? {
                if self.is("?") {
                    return Err(words::optional(self.before.to(self.span)));
                }
                let (name, name_span) = self.name()?;
                let start = node.span;
                node = if self.take("(")? {
                    let arguments = self.items(")", "the arguments")?;
                    self.method(node, name, name_span, arguments)?
                } else {
                    let field = Field { name: name.into(), span: name_span };
                    self.node(start.to(name_span), Kind::Select(Box::new(node), field))?
                };
            } else if self.take("[")? {
                if self.is("?") {
                    return Err(words::optional(self.before.to(self.span)));
                }
                let key = self.expression()?;
                self.expect("]", "after the key")?;
                let span = node.span.to(self.before);
                node = self.node(span, Kind::Index(Box::new(node), Box::new(key)))?;
            } else if self.is("{") && matches!(node.kind, Kind::Name(_) | Kind::Select(..)) {
                return Err(words::message(node.span.to(self.span)));
            } else {
                return Ok(node);
            }
        }
    }

    fn name(&mut self) -> Result<(String, Span), SyntaxError> {
        let Token::Name(name) = &self.token else { return Err(words::field_name(&self.found())) };
        let name = name.clone();
        self.advance()?;
        Ok((name, self.before))
    }

    fn method(
        &mut self,
        receiver: Node,
        function: String,
        name_span: Span,
        arguments: Vec<Node>,
    ) -> Result<Node, SyntaxError> {
        let span = receiver.span.to(self.before);
        let kind = MacroKind::NAMES.iter().find(|(name, _)| *name == function).map(|(_, kind)| *kind);
        let kind = match kind {
            Some(kind) => Kind::Macro(Box::new(comprehension(kind, receiver, name_span, arguments)?)),
            None => Kind::Call(Box::new(Call { function, name_span, receiver: Some(receiver), arguments })),
        };
        self.node(span, kind)
    }

    fn primary(&mut self) -> Result<Node, SyntaxError> {
        let (start, token) = (self.span, self.token.clone());
        let value = match token {
            Token::Int(number) => match i64::try_from(number) {
                Ok(number) => Value::Int(number),
                Err(_) => return Err(words::number_out_of_range(start.at, start.len())),
            },
            Token::Double(number) => Value::Double(number),
            Token::Text(text) => Value::String(text.into()),
            Token::Name(name) => return self.named(name, start),
            Token::Sign("(") => return self.parenthesis(start),
            Token::Sign("[") => {
                self.advance()?;
                let items = self.items("]", "the items of a list")?;
                return self.node(start.to(self.before), Kind::List(items));
            }
            Token::Sign("{") => return self.map(start),
            Token::Sign(_) | Token::End => {
                return Err(self.no_operand());
            }
        };
        self.advance()?;
        self.node(start, Kind::Literal(value))
    }

    fn parenthesis(&mut self, start: Span) -> Result<Node, SyntaxError> {
        self.advance()?;
        let mut node = self.expression()?;
        self.expect(")", "after what stands in parentheses")?;
        node.span = start.to(self.before);
        Ok(node)
    }

    /// A constant, a name, or a call of a function.
    fn named(&mut self, name: String, span: Span) -> Result<Node, SyntaxError> {
        let constant = match name.as_str() {
            "true" => Some(Value::Bool(true)),
            "false" => Some(Value::Bool(false)),
            "null" => Some(Value::Null),
            word if words::RESERVED.contains(&word) => return Err(words::reserved(word, span)),
            _ => None,
        };
        self.advance()?;
        if let Some(value) = constant {
            return self.node(span, Kind::Literal(value));
        }
        if !self.take("(")? {
            return self.node(span, Kind::Name(name));
        }
        let mut arguments = self.items(")", "the arguments")?;
        let whole = span.to(self.before);
        let kind = if name == "has" {
            match (arguments.pop(), arguments.is_empty()) {
                (Some(only), true) if matches!(only.kind, Kind::Select(..)) => Kind::Has(Box::new(only)),
                _ => return Err(words::has_wants_a_field(whole)),
            }
        } else {
            Kind::Call(Box::new(Call { function: name, name_span: span, receiver: None, arguments }))
        };
        self.node(whole, kind)
    }

    /// What stands between brackets, commas between; one more comma may stand behind a list's last item.
    fn items(&mut self, close: &'static str, what: &str) -> Result<Vec<Node>, SyntaxError> {
        let mut items = Vec::new();
        while !self.take(close)? {
            items.push(self.expression()?);
            if !self.take(",")? {
                if !self.take(close)? {
                    return Err(words::open_items(close, what, &self.found()));
                }
                break;
            }
            if close == ")" && self.is(close) {
                return Err(self.no_operand());
            }
        }
        Ok(items)
    }

    fn map(&mut self, start: Span) -> Result<Node, SyntaxError> {
        self.advance()?;
        let mut entries = Vec::new();
        while !self.take("}")? {
            let key = self.expression()?;
            self.expect(":", "after a key of the map")?;
            let value = self.expression()?;
            entries.push((key, value));
            if !self.take(",")? {
                if !self.take("}")? {
                    return Err(words::open_items("}", "the entries of a map", &self.found()));
                }
                break;
            }
        }
        self.node(start.to(self.before), Kind::Map(entries))
    }
}

/// `receiver.exists(variable, condition)` and its relatives: CEL's "Macros".
fn comprehension(
    kind: MacroKind,
    range: Node,
    name: Span,
    arguments: Vec<Node>,
) -> Result<Macro, SyntaxError> {
    let count = arguments.len();
    let mut arguments = arguments.into_iter();
    let variable = match arguments.next() {
        Some(Node { kind: Kind::Name(name), .. }) => name,
        Some(other) if count > 1 => return Err(words::macro_variable(kind, other.span)),
        _ => return Err(words::macro_arguments(kind, name)),
    };
    let (second, third, more) = (arguments.next(), arguments.next(), arguments.next());
    let (condition, transform) = match (kind, second, third, more) {
        (MacroKind::Map, Some(transform), None, None) => (None, Some(transform)),
        (MacroKind::Map, Some(condition), Some(transform), None) => (Some(condition), Some(transform)),
        (MacroKind::Map, ..) => return Err(words::macro_arguments(kind, name)),
        (_, Some(condition), None, None) => (Some(condition), None),
        _ => return Err(words::macro_arguments(kind, name)),
    };
    Ok(Macro { kind, range, variable, condition, transform })
}
