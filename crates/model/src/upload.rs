//! Artifacts of runs, and uploads on their way to be one. Invariant: an object belongs to a run only once an [`Artifact`] names it; until
//! then an [`Upload`] says whose it is and when it is removed, and that row is there before anybody may write the object.

use serde::{Deserialize, Serialize};

use crate::{AttemptId, Content, ObjectKey, Timestamp, WorkerId};

/// An object that an attempt may upload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upload {
    /// Whose it is.
    pub attempt: AttemptId,
    /// Who held the attempt.
    pub worker: WorkerId,
    /// What tells it from other uploads of the attempt, also from those of the same name.
    pub id: String,
    /// What it is to be called, in the form of a key.
    pub name: ObjectKey,
    /// Where it is written: never twice.
    pub key: ObjectKey,
    /// What it is to hold.
    pub content: Content,
    /// The store's id of its upload in parts, where it has parts that others send.
    pub parts: Option<String>,
    /// When it is removed unless it was named.
    pub ends_at: Timestamp,
    /// How far it is.
    pub state: UploadState,
}

/// How far an upload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UploadState {
    /// It may be named.
    Open,
    /// Its time is out: it is never named, and is being removed.
    Removing,
}

/// An object that belongs to a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artifact {
    /// The attempt that made it.
    pub attempt: AttemptId,
    /// What it is called: once in an attempt.
    pub name: ObjectKey,
    /// Where it is.
    pub key: ObjectKey,
    /// What it holds.
    pub content: Content,
    /// When it was named.
    pub named_at: Timestamp,
}
