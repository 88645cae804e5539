//! What the table keeps: one row as it counts now, and, while a journal holds it, what it becomes. Invariant: an item
//! has at least one of the two; an item with a mark alone is a place that is kept for a row to come. Sizes are those
//! that DynamoDB bills and limits ("DynamoDB item sizes and formats" in its developer guide). What a body means is
//! not known here.

use branchline_model::Key;

/// An item of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Where it is.
    pub key: Key,
    /// What counts now; `None` while only a mark keeps the place.
    pub now: Option<Stored>,
    /// The journal that holds it.
    pub mark: Option<Mark>,
}

/// A row as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its version; `None` where the item says none that can be one: it is damaged.
    pub version: Option<u64>,
    /// The commit that wrote it.
    pub commit: String,
    /// The row.
    pub body: Body,
}

/// A row's JSON, and the format it is written in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    /// The format of the JSON.
    pub format: u32,
    /// The JSON, or where it is.
    pub content: Content,
}

/// How a row's JSON is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// As text.
    Plain(String),
    /// Compressed (zlib, RFC 1950).
    Compressed(Vec<u8>),
    /// Compressed in the same way, but kept with the large bodies, under this name.
    Elsewhere(String),
    /// Not as anything of ours is kept: what is wrong with it. It is never written.
    Strange(String),
}

/// A journal's hold on an item: nothing else writes the item until the journal has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The journal's id, which is also its commit's.
    pub journal: String,
    /// What the item becomes where the journal is committed.
    pub next: Next,
}

/// What becomes of a marked item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// This row is written, by the journal's own commit.
    Put {
        /// Its version then; `None` where the item says none that can be one: it is damaged.
        version: Option<u64>,
        /// The row.
        body: Body,
    },
    /// The row is removed.
    Delete,
    /// It stays as it is: only its condition mattered.
    Keep,
}

/// The version that is answered for a row whose item says none. No row is ever written with it.
pub const NO_VERSION: u64 = 0;
/// A larger number is no version: so nothing that is written after it is taken for older.
pub const LARGEST_VERSION: u64 = i64::MAX as u64;

/// What an item has beside the lengths of its attributes is not billed; these are the lengths of their names.
const KEY_NAMES: usize = 2 + 2;
const STORED_NAMES: usize = 1 + 1 + 1 + 1;
const MARK_NAMES: usize = 1 + 1;
const NEXT_NAMES: usize = 2 + 2 + 2;
/// A number takes a byte for two digits and one more: so many at the most for 64 bits.
const NUMBER: usize = 11;
const SMALL_NUMBER: usize = 2;

impl Item {
    /// An item that holds a row and no mark.
    #[must_use]
    pub fn unmarked(key: Key, stored: Stored) -> Self {
        Self { key, now: Some(stored), mark: None }
    }

    /// How many bytes it counts for.
    #[must_use]
    pub fn size(&self) -> usize {
        // A sort key that is empty or begins with a NUL is written with one more before it.
        let escaped = self.key.sort.is_empty() || self.key.sort.starts_with('\0');
        let key = KEY_NAMES + self.key.partition.len() + self.key.sort.len() + usize::from(escaped);
        let now = self.now.as_ref().map_or(0, |stored| {
            STORED_NAMES + NUMBER + SMALL_NUMBER + stored.commit.len() + stored.body.content.size()
        });
        let mark = self.mark.as_ref().map_or(0, |mark| {
            let next = match &mark.next {
                Next::Put { body, .. } => NEXT_NAMES + NUMBER + SMALL_NUMBER + body.content.size(),
                Next::Delete | Next::Keep => 0,
            };
            MARK_NAMES + mark.journal.len() + 1 + next
        });
        key + now + mark
    }

    /// The journal that holds it.
    #[must_use]
    pub fn journal(&self) -> Option<&str> {
        self.mark.as_ref().map(|mark| mark.journal.as_str())
    }

    /// The version of its row as it counts now, [`NO_VERSION`] where it says none; `None` where it holds no row.
    #[must_use]
    pub fn version(&self) -> Option<u64> {
        self.now.as_ref().map(|stored| stored.version.unwrap_or(NO_VERSION))
    }

    /// Whether the row as it is now was written by this commit.
    #[must_use]
    pub fn is_of(&self, commit: &str) -> bool {
        self.now.as_ref().is_some_and(|stored| stored.commit == commit)
    }
}

impl Content {
    /// How many bytes it counts for.
    #[must_use]
    pub fn size(&self) -> usize {
        match self {
            Self::Plain(text) | Self::Elsewhere(text) | Self::Strange(text) => text.len(),
            Self::Compressed(bytes) => bytes.len(),
        }
    }
}
