//! From what a back end keeps to a row, alike in all of them. Invariant: whatever is stored, there is an answer: what
//! cannot be understood is [`Row::Unreadable`] in its own place, and nobody else's read fails because of it.

use branchline_model::{Key, Row, UnreadableRow};

/// The row that was written under a key in some format. One of a format that is not known here, that is damaged, or that
/// says that it belongs elsewhere, becomes [`Row::Unreadable`].
pub(crate) fn row(key: Key, format: i64, body: &[u8], checksum: Option<i64>) -> Row {
    if let Some(why) = wrong_format(format, Row::OLDEST_FORMAT, Row::FORMAT) {
        return unreadable(key, why);
    }
    // Where none was kept, none is looked for.
    if checksum.is_some_and(|kept| kept != i64::from(self::checksum(&key, body))) {
        return unreadable(key, "its checksum is another: it is damaged");
    }
    match serde_json::from_slice::<Row>(body) {
        Ok(row) if row.key() == key => row,
        Ok(row) => unreadable(key, format!("it says that it belongs at `{}`", row.key())),
        Err(error) => unreadable(key, format!("its JSON: {error}")),
    }
}

/// What tells a row that was written from one that was damaged since: the CRC-32 of its key and its body.
pub(crate) fn checksum(key: &Key, body: &[u8]) -> u32 {
    let mut sum = crc32fast::Hasher::new();
    for part in [key.partition.as_bytes(), b"\0", key.sort.as_bytes(), b"\0", body] {
        sum.update(part);
    }
    sum.finalize()
}

/// What stands in the place of a row that cannot be understood.
pub(crate) fn unreadable(key: Key, why: impl Into<String>) -> Row {
    Row::Unreadable(UnreadableRow { key, why: why.into() })
}

/// Why rows of this format are not read; `None` where they are.
fn wrong_format(format: i64, oldest: u32, newest: u32) -> Option<String> {
    if format > i64::from(newest) {
        Some(format!(
            "it has format {format}, and this program reads formats up to {newest}: upgrade to the program that wrote it"
        ))
    } else if format < i64::from(oldest) {
        Some(format!(
            "it has format {format}, and this program reads formats from {oldest} on: start the version between first"
        ))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use branchline_model::{Timestamp, Trouble, keys};

    use super::*;

    #[test]
    fn the_format_before_is_read_and_a_newer_one_says_what_to_do() {
        assert_eq!((wrong_format(3, 3, 4), wrong_format(4, 3, 4)), (None, None));
        assert_eq!(
            wrong_format(5, 3, 4).as_deref(),
            Some(
                "it has format 5, and this program reads formats up to 4: upgrade to the program that wrote it"
            )
        );
        assert_eq!(
            wrong_format(2, 3, 4).as_deref(),
            Some(
                "it has format 2, and this program reads formats from 3 on: start the version between first"
            )
        );
        assert!((Row::OLDEST_FORMAT..=Row::FORMAT).contains(&Row::FORMAT.saturating_sub(1).max(1)));
    }

    #[test]
    fn a_row_under_anothers_key_is_unreadable() {
        let next_try = Timestamp(2);
        let repository = "app-1".parse().unwrap();
        let trouble =
            Row::from(Trouble { repository, since: Timestamp(1), why: "gone".into(), failures: 1, next_try });
        let body = serde_json::to_vec(&trouble).unwrap();
        assert_eq!(row(trouble.key(), 1, &body, None), trouble);
        let elsewhere = Key::new(keys::TROUBLES, "app-2");
        let why = "it says that it belongs at `troubles · app-1`";
        assert_eq!(row(elsewhere.clone(), 1, &body, None), unreadable(elsewhere, why));
    }

    #[test]
    fn a_row_that_changed_since_it_was_written_is_unreadable_though_it_can_be_parsed() {
        let next_try = Timestamp(2);
        let repository = "app-1".parse().unwrap();
        let trouble =
            Row::from(Trouble { repository, since: Timestamp(1), why: "gone".into(), failures: 1, next_try });
        let body = serde_json::to_string(&trouble).unwrap();
        let sum = Some(i64::from(checksum(&trouble.key(), body.as_bytes())));
        assert_eq!(row(trouble.key(), 1, body.as_bytes(), sum), trouble);
        let changed = body.replace("gone", "gene");
        assert!(matches!(row(trouble.key(), 1, changed.as_bytes(), sum), Row::Unreadable(_)));
    }
}
