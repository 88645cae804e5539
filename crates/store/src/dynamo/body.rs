//! A row as a body and back. Invariant: what is decoded equals what was encoded. A row is kept as plain JSON where
//! that costs no more; compressed where that saves units; with the large bodies where it would crowd the item. Who
//! writes it where is not decided here.

use std::io::{Read, Write as _};

use branchline_model::{Key, Row};
use branchline_ports::StoreError;
use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;

use super::item::{Body, Content, Item, Stored};
use super::large;
use super::units;
use crate::decode::{self, unreadable};

/// A row whose JSON is larger is kept with the large bodies.
const LARGE_JSON: usize = 200 << 10;
/// So large is a body in an item at the most, in bytes: a marked item holds two, and an item 400 KiB.
const LARGEST_INLINE: usize = 180 << 10;
/// A body that would be larger than this is not believed: it would fill the memory.
const LARGEST_JSON: u64 = 256 << 20;

/// A row, ready to be written.
#[derive(Clone, Debug)]
pub(super) struct Encoded {
    pub(super) body: Body,
    /// What must be put with the large bodies, under the name in the body, before the item is written.
    pub(super) large: Option<Vec<u8>>,
}

/// Makes a body of the row that this commit writes under this number.
pub(super) fn encode(key: &Key, row: &Row, commit: &str, number: usize) -> Result<Encoded, StoreError> {
    let refused = |why: String| StoreError::Refused { key: key.clone(), why };
    let json = serde_json::to_string(row).map_err(|error| refused(format!("its JSON: {error}")))?;
    let body = |content| Body { format: Row::FORMAT, content };
    // What stands around the body, so that a few bytes too many are noticed.
    let around = around(key, commit);
    let plain_units = units::write_units(around + json.len());
    let is_large = json.len() > LARGE_JSON;
    if plain_units == 1 {
        return Ok(Encoded { body: body(Content::Plain(json)), large: None });
    }
    let bytes = compressed(json.as_bytes()).map_err(|error| refused(format!("compressing it: {error}")))?;
    if is_large || bytes.len() > LARGEST_INLINE {
        let name = large::name_of(commit, number);
        return Ok(Encoded { body: body(Content::Elsewhere(name)), large: Some(bytes) });
    }
    let content = if units::write_units(around + bytes.len()) < plain_units {
        Content::Compressed(bytes)
    } else {
        Content::Plain(json)
    };
    Ok(Encoded { body: body(content), large: None })
}

/// The size of an item but for its body.
fn around(key: &Key, commit: &str) -> usize {
    let body = Body { format: Row::FORMAT, content: Content::Plain(String::new()) };
    Item::unmarked(key.clone(), Stored { version: None, commit: commit.to_owned(), body }).size()
}

fn compressed(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes)?;
    encoder.finish()
}

/// The row in a body that is compressed.
pub(super) fn decode_compressed(key: Key, format: u32, bytes: &[u8]) -> Row {
    let mut json = Vec::new();
    match ZlibDecoder::new(bytes).take(LARGEST_JSON).read_to_end(&mut json) {
        Ok(_) => decode(key, format, &json),
        Err(error) => unreadable(key, format!("it cannot be expanded: {error}")),
    }
}

/// The row in a body that is plain.
pub(super) fn decode(key: Key, format: u32, json: &[u8]) -> Row {
    decode::row(key, i64::from(format), json, None)
}

#[cfg(test)]
mod tests {
    use branchline_model::{RepositoryId, RepositoryName, Timestamp, Trouble};

    use super::*;

    fn row(why: String) -> Row {
        let repository = RepositoryId::of(&RepositoryName::new("example.org/app"));
        Trouble { repository, since: Timestamp(0), why, failures: 1, next_try: Timestamp(1) }.into()
    }

    /// Text that hardly gets smaller.
    fn noise(length: usize) -> String {
        (0_u64..)
            .flat_map(|number| {
                format!("{:x}", super::super::backoff::mixed(&number.to_le_bytes())).into_bytes()
            })
            .take(length)
            .map(char::from)
            .collect()
    }

    fn encoded(row: &Row) -> Encoded {
        encode(&row.key(), row, "commit", 7).unwrap()
    }

    fn come_back(row: &Row) -> Row {
        let Encoded { body, large } = encoded(row);
        match (body.content, large) {
            (Content::Plain(json), None) => decode(row.key(), body.format, json.as_bytes()),
            (Content::Compressed(bytes), None) | (Content::Elsewhere(_), Some(bytes)) => {
                decode_compressed(row.key(), body.format, &bytes)
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_row_that_costs_one_unit_stays_plain() {
        let row = row("x".repeat(500));
        assert!(matches!(encoded(&row).body.content, Content::Plain(_)));
        assert_eq!(come_back(&row), row);
    }

    #[test]
    fn a_row_is_compressed_where_that_saves_a_unit() {
        let row = row("said again and again; ".repeat(100));
        assert!(matches!(encoded(&row).body.content, Content::Compressed(_)));
        assert_eq!(come_back(&row), row);
    }

    #[test]
    fn a_row_over_200_kib_or_hardly_compressible_is_kept_elsewhere() {
        for text in [" ".repeat(201 << 10), "\u{1}".repeat(40 << 10) + &noise(190 << 10)] {
            let row = row(text);
            assert_eq!(encoded(&row).body.content, Content::Elsewhere("rows/commit/7".to_owned()));
            assert_eq!(come_back(&row), row);
        }
        let row = row(noise(150 << 10));
        assert!(encoded(&row).large.is_none());
        assert_eq!(come_back(&row), row);
    }

    #[test]
    fn what_cannot_be_read_stands_in_its_own_place() {
        let key = Key::new("p", "s");
        for row in [
            decode(key.clone(), 99, b"{}"),
            decode(key.clone(), Row::FORMAT, b"{"),
            decode_compressed(key.clone(), Row::FORMAT, b"not zlib"),
        ] {
            assert!(matches!(&row, Row::Unreadable(at) if at.key == key), "{row:?}");
        }
    }
}
