//! Text to tokens, each with its place. Invariant: tokens lie one after the other within the text, and reading
//! them takes time linear in it.
//!
//! The lexical grammar is that of the CEL specification ("Syntax"), without bytes and unsigned numbers, which
//! nothing in a pipeline file is made of.

use crate::literal;
use crate::{SyntaxError, words};

/// A place in the text, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) at: usize,
    pub(crate) end: usize,
}

impl Span {
    pub(crate) fn to(self, other: Span) -> Span {
        Span { at: self.at, end: other.end.max(self.end) }
    }

    pub(crate) fn len(self) -> usize {
        self.end - self.at
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Token {
    Name(String),
    /// Digits without a sign: 9223372036854775808 is only a number behind a minus.
    Int(u64),
    Double(f64),
    Text(String),
    /// An operator or bracket.
    Sign(&'static str),
    End,
}

/// The longest first, so that `<=` is not read as `<`.
const SIGNS: &[&str] = &[
    "&&", "||", "==", "!=", "<=", ">=", "<", ">", "!", "+", "-", "*", "/", "%", "?", ":", ".", ",", "(", ")",
    "[", "]", "{", "}",
];

/// Reads `text` from `from` on.
pub(crate) struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Lexer<'a> {
    pub(crate) fn new(text: &'a str, from: usize) -> Lexer<'a> {
        Lexer { text, at: from }
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// The next token; [`Token::End`] at the end of the text, again and again.
    pub(crate) fn next(&mut self) -> Result<(Token, Span), SyntaxError> {
        self.skip_blanks();
        let at = self.at;
        let token = self.token()?;
        Ok((token, Span { at, end: self.at }))
    }

    /// Blanks, and comments to the end of their line.
    fn skip_blanks(&mut self) {
        loop {
            let rest = self.rest();
            let mut skipped = rest.len() - rest.trim_start_matches([' ', '\t', '\n', '\r', '\u{c}']).len();
            if rest[skipped..].starts_with("//") {
                skipped += rest[skipped..].find('\n').unwrap_or(rest.len() - skipped);
            }
            if skipped == 0 {
                return;
            }
            self.at += skipped;
        }
    }

    fn token(&mut self) -> Result<Token, SyntaxError> {
        let rest = self.rest();
        let Some(first) = rest.chars().next() else { return Ok(Token::End) };
        if let Some((prefix, raw)) = literal::opening(rest) {
            if rest[..prefix].contains(['b', 'B']) {
                return Err(words::bytes_literal(self.at, prefix + 1));
            }
            let (text, len) = literal::text(self.text, self.at, prefix, raw)?;
            self.at += len;
            return Ok(Token::Text(text));
        }
        if first.is_ascii_alphabetic() || first == '_' {
            let len = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len());
            self.at += len;
            return Ok(Token::Name(rest[..len].to_owned()));
        }
        let fraction = first == '.' && rest[1..].starts_with(|c: char| c.is_ascii_digit());
        if first.is_ascii_digit() || fraction {
            return self.number();
        }
        match SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            Some(sign) => {
                self.at += sign.len();
                Ok(Token::Sign(sign))
            }
            None => Err(words::unknown_sign(rest, self.at, first)),
        }
    }

    fn number(&mut self) -> Result<Token, SyntaxError> {
        let (at, rest) = (self.at, self.rest());
        let digits = |from: usize| rest[from..].bytes().take_while(u8::is_ascii_digit).count();
        let hexadecimal = rest.starts_with("0x") || rest.starts_with("0X");
        let mut double = false;
        let mut len = if hexadecimal {
            2 + rest[2..].bytes().take_while(u8::is_ascii_hexdigit).count()
        } else {
            digits(0)
        };
        if !hexadecimal {
            if rest[len..].starts_with('.') && digits(len + 1) > 0 {
                double = true;
                len += 1 + digits(len + 1);
            }
            if rest[len..].starts_with(['e', 'E']) {
                let sign = usize::from(rest[len + 1..].starts_with(['+', '-']));
                let exponent = digits(len + 1 + sign);
                if exponent > 0 {
                    double = true;
                    len += 1 + sign + exponent;
                }
            }
        }
        let after = rest[len..].chars().next().filter(|c| c.is_ascii_alphanumeric() || *c == '_');
        if let Some(after) = after {
            return Err(words::number_with_letters(at, len, after));
        }
        self.at += len;
        let number = &rest[..len];
        let token = if double {
            number.parse().ok().filter(|n: &f64| n.is_finite()).map(Token::Double)
        } else if hexadecimal {
            u64::from_str_radix(&number[2..], 16).ok().map(Token::Int)
        } else {
            number.parse().ok().map(Token::Int)
        };
        token.ok_or_else(|| words::number_out_of_range(at, len))
    }
}
