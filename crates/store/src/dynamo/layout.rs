//! Items as DynamoDB's attributes and back. Invariant: what was laid out is read as it was; an item that is not laid
//! out so is still an item, whose row is strange. The attributes are described in `infra/table.md`; names are short,
//! because they are billed with every item.

use std::collections::HashMap;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue as Value;
use branchline_model::Key;

use super::item::{Body, Content, Item, LARGEST_VERSION, Mark, NO_VERSION, Next, Stored};

/// The attributes of an item.
pub(super) type Attributes = HashMap<String, Value>;

pub(super) const PARTITION: &str = "pk";
pub(super) const SORT: &str = "sk";
pub(super) const VERSION: &str = "v";
pub(super) const JOURNAL: &str = "j";
const COMMIT: &str = "c";
const NEXT: &str = "o";
const NEXT_VERSION: &str = "nv";
/// A body's attributes: the format, and the content as text, compressed, or elsewhere.
const NOW_BODY: [&str; 4] = ["f", "b", "z", "l"];
const NEXT_BODY: [&str; 4] = ["nf", "nb", "nz", "nl"];

/// A sort key may be empty, a key attribute may not. What is empty or begins with a NUL gets a NUL before it: that
/// keeps the order, and all other texts stay as they are.
pub(super) fn sort_value(sort: &str) -> String {
    if sort.is_empty() || sort.starts_with('\0') { format!("\0{sort}") } else { sort.to_owned() }
}

fn sort_of(value: &str) -> &str {
    value.strip_prefix('\0').unwrap_or(value)
}

/// The key's attributes.
pub(super) fn key_attributes(key: &Key) -> Attributes {
    HashMap::from([
        (PARTITION.to_owned(), Value::S(key.partition.clone())),
        (SORT.to_owned(), Value::S(sort_value(&key.sort))),
    ])
}

/// An item's attributes.
pub(super) fn attributes(item: &Item) -> Attributes {
    let mut attributes = key_attributes(&item.key);
    let mut set = |name: &str, value: Value| attributes.insert(name.to_owned(), value);
    if let Some(stored) = &item.now {
        if let Some(version) = stored.version {
            set(VERSION, number(version));
        }
        set(COMMIT, Value::S(stored.commit.clone()));
        for (name, value) in body_attributes(&stored.body, NOW_BODY) {
            set(name, value);
        }
    }
    if let Some(mark) = &item.mark {
        set(JOURNAL, Value::S(mark.journal.clone()));
        let letter = match &mark.next {
            Next::Put { version, body } => {
                if let Some(version) = version {
                    set(NEXT_VERSION, number(*version));
                }
                for (name, value) in body_attributes(body, NEXT_BODY) {
                    set(name, value);
                }
                "p"
            }
            Next::Delete => "d",
            Next::Keep => "k",
        };
        set(NEXT, Value::S(letter.to_owned()));
    }
    attributes
}

fn body_attributes(
    body: &Body,
    [format, plain, compressed, elsewhere]: [&'static str; 4],
) -> [(&'static str, Value); 2] {
    let content = match &body.content {
        Content::Plain(json) => (plain, Value::S(json.clone())),
        Content::Compressed(bytes) => (compressed, Value::B(Blob::new(bytes.clone()))),
        Content::Elsewhere(name) => (elsewhere, Value::S(name.clone())),
        Content::Strange(why) => (plain, Value::S(why.clone())),
    };
    [(format, number(body.format.into())), content]
}

fn number(number: u64) -> Value {
    Value::N(number.to_string())
}

/// The key that an item's attributes say.
pub(super) fn key(attributes: &Attributes) -> Option<Key> {
    Some(Key::new(text(attributes, PARTITION)?, sort_of(text(attributes, SORT)?)))
}

/// An item of its attributes; `None` where there is not even a key.
pub(super) fn item(attributes: &Attributes) -> Option<Item> {
    let key = key(attributes)?;
    let mark =
        text(attributes, JOURNAL).map(|journal| Mark { journal: journal.to_owned(), next: next(attributes) });
    // Only a mark can stand without a row; of a row that is damaged something is left.
    let is_of_a_row = |name: &str| [VERSION, COMMIT].contains(&name) || NOW_BODY.contains(&name);
    if mark.is_some() && !attributes.keys().any(|name| is_of_a_row(name)) {
        return Some(Item { key, now: None, mark });
    }
    let commit = text(attributes, COMMIT).unwrap_or_default().to_owned();
    let stored = Stored { version: version(attributes, VERSION), commit, body: body(attributes, NOW_BODY) };
    Some(Item { key, now: Some(stored), mark })
}

fn version(attributes: &Attributes, name: &str) -> Option<u64> {
    count(attributes, name).filter(|version| (NO_VERSION + 1..=LARGEST_VERSION).contains(version))
}

fn next(attributes: &Attributes) -> Next {
    match text(attributes, NEXT) {
        Some("d") => Next::Delete,
        Some("k") => Next::Keep,
        _ => Next::Put { version: version(attributes, NEXT_VERSION), body: body(attributes, NEXT_BODY) },
    }
}

fn body(attributes: &Attributes, [format, plain, compressed, elsewhere]: [&str; 4]) -> Body {
    let Some(format) = count(attributes, format) else { return strange("it has no format") };
    let content = if let Some(json) = text(attributes, plain) {
        Content::Plain(json.to_owned())
    } else if let Some(Value::B(bytes)) = attributes.get(compressed) {
        Content::Compressed(bytes.as_ref().to_vec())
    } else if let Some(name) = text(attributes, elsewhere) {
        Content::Elsewhere(name.to_owned())
    } else {
        Content::Strange("it has no body".to_owned())
    };
    Body { format, content }
}

fn strange(why: &str) -> Body {
    Body { format: 0, content: Content::Strange(why.to_owned()) }
}

fn text<'a>(attributes: &'a Attributes, name: &str) -> Option<&'a str> {
    match attributes.get(name)? {
        Value::S(text) => Some(text),
        _ => None,
    }
}

fn count<N: std::str::FromStr>(attributes: &Attributes, name: &str) -> Option<N> {
    match attributes.get(name)? {
        Value::N(number) => number.parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body_of(content: Content) -> Body {
        Body { format: 3, content }
    }

    #[test]
    fn every_shape_of_item_is_read_as_it_was_laid_out_and_has_the_size_of_its_attributes() {
        let contents = [
            Content::Plain("{\"a\":\"é\"}".to_owned()),
            Content::Compressed(vec![0, 255, 7]),
            Content::Elsewhere("rows/p/s/c".to_owned()),
        ];
        let mut shapes: Vec<(Option<Stored>, Option<Mark>)> = Vec::new();
        for content in contents {
            for version in [Some(LARGEST_VERSION), Some(12), None] {
                let now = Stored { version, commit: "01J".to_owned(), body: body_of(content.clone()) };
                let put = Next::Put { version, body: body_of(content.clone()) };
                shapes.push((Some(now.clone()), None));
                for next in [put, Next::Delete, Next::Keep] {
                    let mark = Some(Mark { journal: "01K".to_owned(), next });
                    shapes.push((None, mark.clone()));
                    shapes.push((Some(now.clone()), mark));
                }
            }
        }
        for sort in ["", "\0", "\0a", "a", "run/1"] {
            for (now, mark) in shapes.clone() {
                let laid = Item { key: Key::new("p", sort), now, mark };
                let attributes = attributes(&laid);
                assert_eq!(item(&attributes).as_ref(), Some(&laid));
                let billed: usize = attributes.iter().map(|(name, value)| name.len() + length(value)).sum();
                // Numbers are counted by their most digits.
                assert!(
                    (billed..billed + 30).contains(&laid.size()),
                    "{billed} and {}: {laid:?}",
                    laid.size()
                );
            }
        }
    }

    fn length(value: &Value) -> usize {
        match value {
            Value::S(text) => text.len(),
            Value::B(bytes) => bytes.as_ref().len(),
            Value::N(digits) => digits.len().div_ceil(2) + 1,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn sort_keys_keep_their_order() {
        let sorts = ["", "\0", "\0\0", "\0a", "\u{1}", "a", "b"];
        let values: Vec<String> = sorts.iter().map(|sort| sort_value(sort)).collect();
        assert!(values.is_sorted() && values.iter().all(|value| !value.is_empty()));
        assert!(sorts.iter().zip(&values).all(|(sort, value)| sort_of(value) == *sort));
    }

    #[test]
    fn an_item_that_is_not_laid_out_so_has_a_strange_row() {
        let mut attributes = key_attributes(&Key::new("p", "s"));
        let stored = |attributes: &Attributes| item(attributes).unwrap().now.unwrap();
        let strange_of = |attributes: &Attributes| match stored(attributes).body.content {
            Content::Strange(why) => why,
            other => panic!("{other:?}"),
        };
        assert_eq!(stored(&attributes).version, None);
        let no_number = Value::S("1".to_owned());
        for no_version in [number(0), number(u64::MAX), Value::N("-1".to_owned()), no_number] {
            attributes.insert(VERSION.to_owned(), no_version);
            assert_eq!(stored(&attributes).version, None);
        }
        attributes.insert(VERSION.to_owned(), number(1));
        assert_eq!(stored(&attributes).version, Some(1));
        assert_eq!(strange_of(&attributes), "it has no format");
        attributes.insert("f".to_owned(), number(1));
        assert_eq!(strange_of(&attributes), "it has no body");
        attributes.remove(PARTITION);
        assert_eq!(item(&attributes), None);
    }
}
