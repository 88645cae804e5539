//! A sentence for a person, in a page. Invariant: everything is escaped, and nothing but the pairs of backticks around
//! what is quoted becomes markup. It knows no other markup, and is not for what others wrote as a text of their own, such
//! as a commit's subject.

use askama::filters::HtmlSafeOutput;

use crate::log::style::escape;

/// Nothing longer is taken for quoted, so that a text of backticks alone costs little. In bytes.
const LONGEST_QUOTE: usize = 4096;

/// The sentence, with `<code>` in the place of each pair of backticks.
///
/// A backtick quotes where a word may begin, up to the next one that a word may end at: those inside of a quoted command
/// stay. What has no partner, or nothing inside, stays too.
pub(crate) fn marked(text: &str) -> HtmlSafeOutput<String> {
    let mut html = String::with_capacity(text.len() + 16);
    let mut rest = text;
    let mut plain = 0;
    while let Some(at) = rest[plain..].find('`').map(|at| plain + at) {
        let begins_a_word = rest[..at].chars().next_back().is_none_or(|before| !before.is_alphanumeric());
        match closing(&rest[at + 1..]).filter(|_| begins_a_word) {
            Some(length) => {
                escape(&rest[..at], &mut html);
                html.push_str("<code>");
                escape(&rest[at + 1..at + 1 + length], &mut html);
                html.push_str("</code>");
                rest = &rest[at + length + 2..];
                plain = 0;
            }
            None => plain = at + 1,
        }
    }
    escape(rest, &mut html);
    HtmlSafeOutput(html)
}

/// How much is quoted, from behind the opening backtick on.
fn closing(text: &str) -> Option<usize> {
    text.match_indices('`')
        .map(|(at, _)| at)
        .take_while(|at| *at <= LONGEST_QUOTE)
        .find(|at| text[at + 1..].chars().next().is_none_or(|after| !after.is_alphanumeric() && after != '`'))
        .filter(|at| *at > 0)
}

#[cfg(test)]
mod tests {
    use super::marked;

    #[test]
    fn what_is_quoted_becomes_code_and_everything_is_escaped() {
        let shown = marked("step `a && b` failed, `<x>`: see `y`.").0;
        assert_eq!(
            shown,
            "step <code>a &amp;&amp; b</code> failed, <code>&lt;x&gt;</code>: see <code>y</code>."
        );
        assert_eq!(marked("no <b>quotes</b>").0, "no &lt;b&gt;quotes&lt;/b&gt;");
    }

    #[test]
    fn backticks_without_a_partner_or_inside_of_a_command_stay() {
        let same = ["one ` alone", "`open", "it`s and that`s", "``", "a `` b", "`"];
        for text in same {
            assert_eq!(marked(text).0, text);
        }
        assert_eq!(marked("step `echo `date`` failed").0, "step <code>echo `date`</code> failed");
        assert_eq!(marked("`é` ü`x`").0, "<code>é</code> ü`x`");
    }
}
