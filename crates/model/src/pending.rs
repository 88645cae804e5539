//! Effects between the commit that planned them and their outcome. Invariant: an effect has one row under its own key,
//! however often it is planned; when it is due is said by a row beside it, so that what is due is found without looking
//! through the rest. Whether to try again is decided in `core`.

use serde::{Deserialize, Serialize};

use crate::{Effect, EffectKey, Timestamp};

/// An effect that was committed and is not known to have been done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingEffect {
    /// What to do.
    pub effect: Effect,
    /// When it was committed.
    pub planned_at: Timestamp,
    /// How often it failed since then, or since a person sent it again.
    pub failures: u32,
    /// When it first failed.
    pub first_failure: Option<Timestamp>,
    /// Not before this time. While someone is doing it, until then nobody else does.
    pub next_try: Timestamp,
    /// What is known of the last try.
    pub last: LastTry,
}

/// What is known of the last try at an effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "last", rename_all = "snake_case")]
pub enum LastTry {
    /// There was none.
    None,
    /// It was begun, and nobody has said yet how it ended.
    Begun {
        /// When.
        at: Timestamp,
    },
    /// It was not done.
    Failed {
        /// When.
        at: Timestamp,
        /// What failed.
        why: String,
    },
    /// Nobody can say whether it was done: that is looked at before it is repeated.
    Unknown {
        /// When.
        at: Timestamp,
        /// What went wrong.
        why: String,
    },
}

impl LastTry {
    /// Whether the effect may have been done.
    #[must_use]
    pub fn is_doubtful(&self) -> bool {
        matches!(self, Self::Begun { .. } | Self::Unknown { .. })
    }

    /// What went wrong, where that is known.
    #[must_use]
    pub fn why(&self) -> Option<&str> {
        match self {
            Self::None | Self::Begun { .. } => None,
            Self::Failed { why, .. } | Self::Unknown { why, .. } => Some(why),
        }
    }
}

/// A pending effect's place among those that are due, the earliest first. It counts only where the effect's own row does not name
/// a later time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DueEffect {
    /// When.
    pub at: Timestamp,
    /// Which.
    pub effect: EffectKey,
}

/// A dead letter: an effect that failed so often that it is not tried again by itself. A person may send it again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadEffect {
    /// What was to be done.
    pub effect: Effect,
    /// When it was committed.
    pub planned_at: Timestamp,
    /// How often it failed.
    pub failures: u32,
    /// When it first failed.
    pub first_failure: Timestamp,
    /// When it last failed, and was given up.
    pub last_failure: Timestamp,
    /// What failed last.
    pub why: String,
}
