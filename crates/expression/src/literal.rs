//! Literal texts: quotes, raw texts and escapes, by the CEL specification ("String and Bytes Values").

use crate::{SyntaxError, words};

/// Whether a literal text begins here: how long what stands before its quotes is, and whether it is raw.
pub(crate) fn opening(rest: &str) -> Option<(usize, bool)> {
    let prefix = rest.bytes().take_while(|b| matches!(b, b'r' | b'R' | b'b' | b'B')).count();
    let quoted = rest[prefix..].starts_with(['"', '\'']);
    (prefix <= 2 && quoted).then(|| (prefix, rest[..prefix].contains(['r', 'R'])))
}

/// Reads the literal text at `at`, whose quotes begin `prefix` bytes later, and says how long it is.
pub(crate) fn text(whole: &str, at: usize, prefix: usize, raw: bool) -> Result<(String, usize), SyntaxError> {
    let body = &whole[at + prefix..];
    let quote = &body[..1];
    let triple = quote.repeat(3);
    let close = if body.starts_with(&triple) { triple.as_str() } else { quote };
    let mut text = String::new();
    let mut here = close.len();
    loop {
        let rest = &body[here..];
        let Some(next) = rest.chars().next() else {
            return Err(words::open_text(at, whole.len() - at, close));
        };
        if rest.starts_with(close) {
            return Ok((text, prefix + here + close.len()));
        }
        if close.len() == 1 && matches!(next, '\n' | '\r') {
            return Err(words::open_text(at, prefix + here, close));
        }
        if next == '\\' && !raw {
            let (character, len) =
                escape(rest).ok_or_else(|| words::unknown_escape(at + prefix + here, rest))?;
            text.push(character);
            here += len;
        } else {
            text.push(next);
            here += next.len_utf8();
        }
    }
}

/// The character that the escape at the start of `rest` stands for, and how long the escape is.
fn escape(rest: &str) -> Option<(char, usize)> {
    let kind = *rest.as_bytes().get(1)?;
    let simple = match kind {
        b'a' => '\u{7}',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'v' => '\u{b}',
        b'\\' | b'?' | b'"' | b'\'' | b'`' => char::from(kind),
        b'x' | b'X' => return numbered(rest, 2, 2, 16),
        b'u' => return numbered(rest, 2, 4, 16),
        b'U' => return numbered(rest, 2, 8, 16),
        b'0'..=b'3' => return numbered(rest, 1, 3, 8),
        _ => return None,
    };
    Some((simple, 2))
}

fn numbered(rest: &str, from: usize, digits: usize, radix: u32) -> Option<(char, usize)> {
    let number = rest.get(from..from + digits)?;
    // A sign would be taken by `from_str_radix`.
    if !number.chars().all(|c| c.is_digit(radix)) {
        return None;
    }
    let character = u32::from_str_radix(number, radix).ok().and_then(char::from_u32)?;
    Some((character, from + digits))
}
