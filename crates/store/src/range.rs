//! Which sort keys a page may hold: its prefix, `after` and `until` as one range. Invariant: the range is never upside
//! down, so that every back end can look it up without a check of its own. The limit is not its concern.

use std::ops::Bound;

use branchline_ports::{Order, Page};

/// A range of sort keys, bytewise.
pub(crate) type SortRange = (Bound<String>, Bound<String>);

/// The range of a page; `None` where no sort key can lie in it.
pub(crate) fn of(page: &Page) -> Option<SortRange> {
    let (mut lower, mut upper) = (Bound::Included(page.prefix.clone()), Bound::Unbounded);
    if let Some(end) = end_of(&page.prefix) {
        upper = Bound::Excluded(end);
    }
    let (after, until) = (page.after.clone().map(Bound::Excluded), page.until.clone().map(Bound::Included));
    let (low, high) = match page.order {
        Order::Ascending => (after, until),
        Order::Descending => (until, after),
    };
    if let Some(low) = low {
        lower = larger_lower(lower, low);
    }
    if let Some(high) = high {
        upper = smaller_upper(upper, high);
    }
    let (Bound::Included(low) | Bound::Excluded(low)) = &lower else { return Some((lower, upper)) };
    let empty = match &upper {
        Bound::Unbounded => false,
        Bound::Included(high) => low > high || (low == high && matches!(lower, Bound::Excluded(_))),
        Bound::Excluded(high) => low >= high,
    };
    (!empty).then_some((lower, upper))
}

/// The smallest text that is larger than every text with this prefix; `None` where there is none. The order of
/// UTF-8's bytes is the order of the code points, so the last one that has a successor gets it.
fn end_of(prefix: &str) -> Option<String> {
    let mut end = prefix.to_owned();
    while let Some(last) = end.pop() {
        if let Some(next) = (last..=char::MAX).nth(1) {
            end.push(next);
            return Some(end);
        }
    }
    None
}

fn larger_lower(one: Bound<String>, other: Bound<String>) -> Bound<String> {
    let larger = match (&one, &other) {
        (Bound::Unbounded, _) => true,
        (_, Bound::Unbounded) => false,
        (Bound::Included(a) | Bound::Excluded(a), Bound::Included(b)) => b > a,
        (Bound::Included(a) | Bound::Excluded(a), Bound::Excluded(b)) => b >= a,
    };
    if larger { other } else { one }
}

fn smaller_upper(one: Bound<String>, other: Bound<String>) -> Bound<String> {
    let smaller = match (&one, &other) {
        (Bound::Unbounded, _) => true,
        (_, Bound::Unbounded) => false,
        (Bound::Included(a) | Bound::Excluded(a), Bound::Included(b)) => b < a,
        (Bound::Included(a) | Bound::Excluded(a), Bound::Excluded(b)) => b <= a,
    };
    if smaller { other } else { one }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_prefix_is_the_next_text_that_does_not_begin_so() {
        for (prefix, end) in [
            ("run/", Some("run0")),
            ("a\u{7f}", Some("a\u{80}")),
            ("\u{d7ff}", Some("\u{e000}")),
            ("a\u{10ffff}\u{10ffff}", Some("b")),
            ("\u{10ffff}", None),
            ("", None),
        ] {
            assert_eq!(end_of(prefix).as_deref(), end, "{prefix:?}");
        }
    }

    #[test]
    fn what_contradicts_itself_is_no_range() {
        let page = |after: &str, until: &str| Page {
            after: Some(after.to_owned()),
            until: Some(until.to_owned()),
            ..Page::of("p", 1)
        };
        assert_eq!(of(&page("b", "a")), None);
        assert_eq!(of(&page("a", "a")), None);
        assert_eq!(of(&page("a", "b")), Some((Bound::Excluded("a".into()), Bound::Included("b".into()))));
        assert_eq!(of(&Page { prefix: "x".into(), ..page("a", "b") }), None);
    }
}
