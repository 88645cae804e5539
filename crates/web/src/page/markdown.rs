//! Markdown that a job wrote, as a part of a page. Invariant: whatever it says, what comes out is text, headings, lists, tables, code and links to
//! `http`, `https` and `mailto`: HTML in it is shown as text, nothing is loaded from anywhere, no id or class is taken from it.

use askama::filters::HtmlSafeOutput;
use pulldown_cmark::{Event, LinkType, Options, Parser, Tag, TagEnd, html};

/// What a link may begin with.
const SCHEMES: [&str; 3] = ["http://", "https://", "mailto:"];

/// The Markdown as HTML.
pub(crate) fn shown(text: &str) -> HtmlSafeOutput<String> {
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS;
    let mut open_links = Vec::new();
    let events = Parser::new_ext(text, options).flat_map(move |event| harmless(event, &mut open_links));
    let mut output = String::with_capacity(text.len() * 3 / 2);
    html::push_html(&mut output, events);
    HtmlSafeOutput(output)
}

/// The event with nothing in it that a page should not have. `open_links`: for each link or image that is open, whether it became one.
fn harmless<'a>(event: Event<'a>, open_links: &mut Vec<bool>) -> Option<Event<'a>> {
    match event {
        Event::Html(text) | Event::InlineHtml(text) => Some(Event::Text(text)),
        Event::Start(Tag::HtmlBlock) | Event::End(TagEnd::HtmlBlock) => None,
        Event::Start(
            Tag::Link { dest_url: to, title, id, .. } | Tag::Image { dest_url: to, title, id, .. },
        ) => {
            let lower = to.to_ascii_lowercase();
            let is_link = SCHEMES.iter().any(|scheme| lower.starts_with(scheme));
            open_links.push(is_link);
            let link_type = LinkType::Inline;
            is_link.then_some(Event::Start(Tag::Link { link_type, dest_url: to, title, id }))
        }
        Event::End(TagEnd::Link | TagEnd::Image) => {
            open_links.pop().unwrap_or(false).then_some(Event::End(TagEnd::Link))
        }
        Event::Start(Tag::Heading { level, .. }) => {
            Some(Event::Start(Tag::Heading { level, id: None, classes: Vec::new(), attrs: Vec::new() }))
        }
        Event::Start(Tag::CodeBlock(_)) => {
            Some(Event::Start(Tag::CodeBlock(pulldown_cmark::CodeBlockKind::Indented)))
        }
        other => Some(other),
    }
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn the_usual_forms_are_shown() {
        let text = "# Title\n\n* one\n* `two`\n\n| a | b |\n| --- | --- |\n| 1 | ~~2~~ |\n\n[link](https://example.org/?a=1&b=2)\n";
        let html = shown(text).0;
        for part in [
            "<h1>Title</h1>",
            "<li><code>two</code></li>",
            "<td>1</td>",
            "<del>2</del>",
            "<a href=\"https://example.org/?a=1&amp;b=2\">link</a>",
        ] {
            assert!(html.contains(part), "{part} is not in {html}");
        }
    }

    #[test]
    fn what_could_do_harm_is_text_or_not_there() {
        let wrong = [
            "<script>alert(1)</script>",
            "a <img src=x onerror=alert(1)> b",
            "<div\nonclick=alert(1)>x</div>",
            "<!-- --><style>*{}</style>",
            "[x](javascript:alert(1))",
            "[x](JaVaScRiPt:alert(1))",
            "[x]( data:text/html,<script>1</script>)",
            "![x](https://example.org/pixel.png)",
            "![x](/log-out)",
            "[x](//example.org)",
            "<javascript:alert(1)>",
            "```\"><script>\nx\n```",
            "# h {#main .notice onclick=x}",
            "[a]: javascript:alert(1)\n\n[a]",
            "&lt;script&gt; &#60;script&#62;",
        ];
        for text in wrong {
            let html = shown(text).0;
            let tags: Vec<&str> =
                html.split('<').skip(1).map(|tag| tag.split(['>', ' ', '\n']).next().unwrap_or("")).collect();
            let known = ["p", "/p", "a", "/a", "h1", "/h1", "pre", "/pre", "code", "/code"];
            assert!(tags.iter().all(|tag| known.contains(tag)), "{text}: {html}");
            for word in ["javascript:", "onclick=", "data:", "src="] {
                assert!(
                    !html.split('<').skip(1).any(|tag| tag.split('>').next().unwrap_or("").contains(word)),
                    "{text}: {html}"
                );
            }
        }
    }

    #[test]
    fn deeply_nested_text_is_no_trouble() {
        for text in ["> ".repeat(10_000), "*".repeat(20_000), "[".repeat(20_000), "- ".repeat(10_000)] {
            shown(&text);
        }
    }
}
