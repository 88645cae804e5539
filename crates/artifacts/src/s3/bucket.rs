//! The requests that are made of a bucket, each with its outcome. Invariant: an outcome that decides something (there, not there, refused)
//! is S3's own answer; all else is `Unavailable`. S3 reads what it acknowledged, lists included, so no request is made
//! twice to be sure. Retrying is the client's part.

use std::ops::Range;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, Delete, ObjectIdentifier};

/// No request removes more objects.
const MOST_DELETED: usize = 1_000;

/// Why a request was not carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trouble {
    /// There is no such object, or no such upload.
    NotFound,
    /// The condition does not hold.
    Refused,
    /// The object ends before the part that was asked for.
    OutOfRange,
    /// It was sent with another checksum than it has.
    Mismatch,
    /// S3 did not answer, or not with an answer that decides anything.
    Unavailable {
        /// What failed, of which object.
        why: String,
    },
}

/// On which condition an object is written.
#[derive(Debug, Clone, Copy)]
pub(super) enum When<'a> {
    /// There is none under this key.
    Absent,
    /// It is still the one with this tag.
    Unchanged(&'a str),
}

/// An object that was read.
#[derive(Debug)]
pub(super) struct Got {
    pub(super) bytes: Vec<u8>,
    /// What tells it from what is written under its key later.
    pub(super) tag: String,
}

/// An object in a list.
#[derive(Debug)]
pub(super) struct Listed {
    pub(super) key: String,
    pub(super) bytes: u64,
}

/// One bucket, and the prefix of all keys that are used in it.
#[derive(Debug)]
pub(super) struct Bucket {
    pub(super) client: Client,
    pub(super) name: String,
    pub(super) prefix: String,
}

impl Bucket {
    pub(super) fn new(client: Client, name: String, prefix: String) -> Self {
        Self { client, name, prefix }
    }

    /// The key as S3 knows it.
    pub(super) fn full(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    /// How people find an object.
    pub(super) fn address(&self, key: &str) -> String {
        format!("s3://{}/{}{key}", self.name, self.prefix)
    }

    /// Reads an object, or a part of it that is not empty.
    pub(super) async fn get(&self, key: &str, range: Option<Range<u64>>) -> Result<Got, Trouble> {
        let range = range.map(|range| format!("bytes={}-{}", range.start, range.end.saturating_sub(1)));
        let answer =
            self.client.get_object().bucket(&self.name).key(self.full(key)).set_range(range).send().await;
        self.body(key, answer.map_err(|error| self.trouble("read", key, &error))?).await
    }

    /// Reads an object unless it is still the one with this tag: then `None`.
    pub(super) async fn get_if_changed(&self, key: &str, tag: Option<&str>) -> Result<Option<Got>, Trouble> {
        let request = self.client.get_object().bucket(&self.name).key(self.full(key));
        match request.set_if_none_match(tag.map(str::to_owned)).send().await {
            Ok(answer) => self.body(key, answer).await.map(Some),
            Err(error) if status(&error) == Some(304) => Ok(None),
            Err(error) => Err(self.trouble("read", key, &error)),
        }
    }

    async fn body(
        &self,
        key: &str,
        answer: aws_sdk_s3::operation::get_object::GetObjectOutput,
    ) -> Result<Got, Trouble> {
        let tag = answer.e_tag.unwrap_or_default();
        let bytes = answer.body.collect().await.map_err(|error| Trouble::Unavailable {
            why: format!("cannot read {}: {}", self.address(key), DisplayErrorContext(error)),
        })?;
        Ok(Got { bytes: bytes.to_vec(), tag })
    }

    /// Writes an object; answers its tag.
    pub(super) async fn put(&self, key: &str, bytes: Vec<u8>, when: When<'_>) -> Result<String, Trouble> {
        let request = self.client.put_object().bucket(&self.name).key(self.full(key));
        let request = match when {
            When::Absent => request.if_none_match("*"),
            When::Unchanged(tag) => request.if_match(tag),
        };
        let request = request.checksum_algorithm(ChecksumAlgorithm::Crc32C).body(ByteStream::from(bytes));
        let answer = request.send().await.map_err(|error| match self.trouble("write", key, &error) {
            // What was to be unchanged is gone.
            Trouble::NotFound => Trouble::Refused,
            other => other,
        })?;
        Ok(answer.e_tag.unwrap_or_default())
    }

    /// Removes objects, also those that are not there.
    pub(super) async fn delete(&self, keys: &[String]) -> Result<(), Trouble> {
        for keys in keys.chunks(MOST_DELETED) {
            let [first, ..] = keys else { continue };
            let unavailable = |why: String| Trouble::Unavailable {
                why: format!("cannot remove {} and {} more: {why}", self.address(first), keys.len() - 1),
            };
            let objects: Result<Vec<_>, _> =
                keys.iter().map(|key| ObjectIdentifier::builder().key(self.full(key)).build()).collect();
            let delete = objects
                .and_then(|objects| Delete::builder().set_objects(Some(objects)).quiet(true).build())
                .map_err(|error| unavailable(error.to_string()))?;
            let answer = self.client.delete_objects().bucket(&self.name).delete(delete).send().await;
            let answer = answer.map_err(|error| self.trouble("remove", first, &error))?;
            if let Some(error) = answer.errors().first() {
                return Err(unavailable(error.message().unwrap_or("it is not said why").to_owned()));
            }
        }
        Ok(())
    }

    /// Lists objects whose keys begin with `prefix`, in the order of their keys; only those behind `after`.
    pub(super) async fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        most: usize,
    ) -> Result<Vec<Listed>, Trouble> {
        let request = self.client.list_objects_v2().bucket(&self.name).prefix(self.full(prefix));
        let request = request.max_keys(i32::try_from(most).unwrap_or(1_000).min(1_000));
        let answer = request.set_start_after(after.map(|after| self.full(after))).send().await;
        let answer = answer.map_err(|error| match self.trouble("list", prefix, &error) {
            Trouble::NotFound => Trouble::Unavailable {
                why: format!("cannot list {}: there is no such bucket", self.address(prefix)),
            },
            other => other,
        })?;
        let listed = answer.contents().iter().filter_map(|object| {
            let key = object.key()?.strip_prefix(&self.prefix)?.to_owned();
            Some(Listed { key, bytes: object.size().and_then(|size| size.try_into().ok()).unwrap_or(0) })
        });
        Ok(listed.collect())
    }

    /// What an error comes to.
    pub(super) fn trouble<E>(&self, doing: &str, key: &str, error: &SdkError<E, HttpResponse>) -> Trouble
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let code = error.as_service_error().and_then(ProvideErrorMetadata::code);
        match (status(error), code) {
            (_, Some("BadDigest" | "XAmzContentChecksumMismatch" | "XAmzContentSHA256Mismatch")) => {
                Trouble::Mismatch
            }
            (Some(404), code) if code != Some("NoSuchBucket") => Trouble::NotFound,
            (Some(409 | 412), _) => Trouble::Refused,
            (Some(416), _) => Trouble::OutOfRange,
            _ => {
                let address = self.address(key);
                Trouble::Unavailable {
                    why: format!("cannot {doing} {address}: {}", DisplayErrorContext(error)),
                }
            }
        }
    }
}

fn status<E>(error: &SdkError<E, HttpResponse>) -> Option<u16> {
    error.raw_response().map(|response| response.status().as_u16())
}
