//! What a worker hands to the controller besides the log, and what it is handed. Invariant: as with all that workers say, only who
//! holds the lease of an attempt is heard, and every call may be made again after a lost answer.

use async_trait::async_trait;
use branchline_model::{Artifact, Digest, JobName, ObjectKey, Results};
use serde::{Deserialize, Serialize};

use crate::{Lease, ObjectPart, Pieces, ProtocolError, SignedRequest};

/// An artifact to upload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewArtifact {
    /// What it is to be called, in the form of a key: `report/index.html`.
    pub name: ObjectKey,
    /// How many bytes it has.
    pub bytes: u64,
    /// Their SHA-256.
    pub sha256: Digest,
    /// The SHA-256 of each of its parts of [`OBJECT_PART`](branchline_model::OBJECT_PART) bytes; none are needed where there is only one.
    pub parts: Vec<Digest>,
}

/// An upload that was begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BegunUpload {
    /// Its id.
    pub id: String,
    /// Where its bytes go.
    pub destination: Destination,
}

/// Where the bytes of an upload go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// To the controller: [`HandOver::put_upload`].
    Controller,
    /// To the store itself, by these requests, each with its part of the bytes.
    Requests(Vec<SignedRequest>),
}

/// An artifact of a run that this one needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NeededArtifact {
    /// The job that made it.
    pub job: JobName,
    /// Which of its runs, where it has several: the values of its cell, joined by `-`.
    pub cell: Option<String>,
    /// What it is.
    pub artifact: Artifact,
    /// The request that reads it, where the store can be reached without the controller.
    pub request: Option<SignedRequest>,
}

/// What is handed over, beside the log.
#[async_trait]
pub trait HandOver: Send + Sync {
    /// Says what the attempt has to show. Comes before its last word; said again, it replaces what was said.
    async fn show_results(&self, lease: &Lease, results: Results) -> Result<(), ProtocolError>;

    /// Begins an upload; `None` where the attempt has an artifact of this name already.
    async fn begin_upload(
        &self,
        lease: &Lease,
        new: NewArtifact,
    ) -> Result<Option<BegunUpload>, ProtocolError>;

    /// Sends the bytes of an upload, where they go to the controller.
    async fn put_upload(&self, lease: &Lease, id: &str, pieces: &mut dyn Pieces)
    -> Result<(), ProtocolError>;

    /// Makes an artifact of an upload whose bytes are all there.
    async fn name_artifact(&self, lease: &Lease, id: &str, name: &ObjectKey) -> Result<(), ProtocolError>;

    /// The artifacts of the runs that this one needs.
    async fn needed_artifacts(&self, lease: &Lease) -> Result<Vec<NeededArtifact>, ProtocolError>;

    /// Reads a part of one of those; at most `most` bytes from an offset on.
    async fn read_needed(
        &self,
        lease: &Lease,
        artifact: &Artifact,
        offset: u64,
        most: usize,
    ) -> Result<ObjectPart, ProtocolError>;
}
