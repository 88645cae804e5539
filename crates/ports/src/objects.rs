//! Where objects are kept. Invariant: an object is there whole or not at all, holds what was said of it before, and is never
//! written twice. That an object is there says nothing yet: it counts once a fenced commit names it.

use std::io;
use std::ops::Range;
use std::time::Duration;

use async_trait::async_trait;
use branchline_model::{Content, Digest, ObjectKey};

/// Why an object could not be written or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ObjectError {
    /// The store failed, is full or cannot be reached: the same may work later.
    #[error("the object {key} is unavailable: {why}")]
    Unavailable {
        /// Which object, or what the keys that were asked for begin with.
        key: String,
        /// What failed, and where.
        why: String,
    },
    /// There is none.
    #[error("there is no object {key}")]
    NotFound {
        /// Which.
        key: String,
    },
    /// There is one already; it was left as it is.
    #[error("there is an object {key} already")]
    AlreadyThere {
        /// Which.
        key: String,
    },
    /// The bytes are not those that were said.
    #[error("the object {key} is not what was said of it: {why}")]
    Different {
        /// Which.
        key: String,
        /// What differs.
        why: String,
    },
}

/// Bytes that come one piece after the other.
#[async_trait]
pub trait Pieces: Send {
    /// The next ones; `None` at the end.
    async fn next(&mut self) -> io::Result<Option<Vec<u8>>>;
}

/// Bytes that are all there already.
#[async_trait]
impl Pieces for Option<Vec<u8>> {
    async fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        Ok(self.take())
    }
}

/// A part of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectPart {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// How long the whole object is.
    pub length: u64,
}

/// An object in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedObject {
    /// Its key.
    pub key: ObjectKey,
    /// How many bytes it has.
    pub bytes: u64,
}

/// A request that anybody may make, once it was signed, until its time is out, and that does nothing but this.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedRequest {
    /// `GET` or `PUT`.
    pub method: String,
    /// Where to.
    pub url: String,
    /// Headers that must be sent as they are.
    pub headers: Vec<(String, String)>,
    /// Which bytes of the object are sent.
    pub bytes: Range<u64>,
}

/// The objects.
#[async_trait]
pub trait Objects: Send + Sync {
    /// Writes an object that is not there yet. Memory is bounded by a part. Where the pieces are not the content,
    /// nothing is written.
    async fn put_object(
        &self,
        key: &ObjectKey,
        content: &Content,
        pieces: &mut dyn Pieces,
    ) -> Result<(), ObjectError>;

    /// Says whether an object is there and holds this.
    async fn check_object(&self, key: &ObjectKey, content: &Content) -> Result<(), ObjectError>;

    /// Reads at most `most` bytes from an offset on; fewer, or none, where it ends before.
    async fn get_object(&self, key: &ObjectKey, offset: u64, most: usize) -> Result<ObjectPart, ObjectError>;

    /// Removes an object; one that is not there is removed already.
    async fn delete_object(&self, key: &ObjectKey) -> Result<(), ObjectError>;

    /// At most `most` objects whose keys begin with `prefix`, in the order of their keys; only those behind `after`.
    async fn list_objects(
        &self,
        prefix: &str,
        after: Option<&ObjectKey>,
        most: usize,
    ) -> Result<Vec<ListedObject>, ObjectError>;

    /// Who signs requests, where this place can be reached without the controller. `None`: bytes go through the controller, by
    /// [`Objects::put_object`] and [`Objects::get_object`].
    fn signer(&self) -> Option<&dyn Signer> {
        None
    }
}

/// Signed requests: they go to the place itself, each bound to one key, and an upload to its exact bytes.
#[async_trait]
pub trait Signer: Send + Sync {
    /// Begins an upload of an object that has parts; answers its id. Until it is completed there is no object.
    async fn begin_parts(&self, key: &ObjectKey, content: &Content) -> Result<String, ObjectError>;

    /// The requests that upload an object whose parts have these digests: one, or one for each part of the upload that was begun. None of them
    /// replaces an object that is there.
    async fn sign_upload(
        &self,
        key: &ObjectKey,
        content: &Content,
        parts: &[Digest],
        upload: Option<&str>,
        valid: Duration,
    ) -> Result<Vec<SignedRequest>, ObjectError>;

    /// Makes an object of an upload whose parts are all there and are those of the content.
    async fn complete_parts(
        &self,
        key: &ObjectKey,
        content: &Content,
        upload: &str,
    ) -> Result<(), ObjectError>;

    /// Gives an upload up, with what is there of it; one that is not there was given up already.
    async fn abort_parts(&self, key: &ObjectKey, upload: &str) -> Result<(), ObjectError>;

    /// The request that reads an object.
    async fn sign_download(&self, key: &ObjectKey, valid: Duration) -> Result<SignedRequest, ObjectError>;
}
