//! Objects in the bucket: under `objects/`, by their keys. Invariant: what is not what was said of it never becomes an object. A short one
//! is one request with the SHA-256 of its bytes, a longer one goes in parts, each with its own; S3 checks them. The SHA-256 of
//! the whole is compared here before the parts become an object, and where others upload it, S3's checksum of the parts'
//! checksums is what was said.

use async_trait::async_trait;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumMode, CompletedMultipartUpload, CompletedPart};
use aws_smithy_types::base64;
use branchline_model::{Content, Digest, OBJECT_PART, ObjectKey};
use branchline_ports::{ListedObject, ObjectError, ObjectPart, Objects, Pieces, Signer};
use sha2::{Digest as _, Sha256};

use super::S3Artifacts;
use super::bucket::{Bucket, Trouble};

/// What the bucket's keys of objects begin with.
const PREFIX: &str = "objects/";

/// An object's key in the bucket.
pub(super) fn in_bucket(key: &ObjectKey) -> String {
    format!("{PREFIX}{key}")
}

pub(super) fn error(bucket: &Bucket, key: &ObjectKey, trouble: Trouble) -> ObjectError {
    let name = key.to_string();
    match trouble {
        Trouble::NotFound => ObjectError::NotFound { key: name },
        Trouble::Refused => ObjectError::AlreadyThere { key: name },
        Trouble::Mismatch => different(key, "the bucket computes another checksum of it"),
        Trouble::OutOfRange => different(key, "it is shorter"),
        Trouble::Unavailable { why } => {
            ObjectError::Unavailable { key: name, why: format!("{}: {why}", bucket.address(&in_bucket(key))) }
        }
    }
}

pub(super) fn different(key: &ObjectKey, why: impl Into<String>) -> ObjectError {
    ObjectError::Different { key: key.to_string(), why: why.into() }
}

/// A digest as S3 writes it.
pub(super) fn text(digest: Digest) -> String {
    base64::encode(digest.0)
}

/// The checksum that S3 has of an object: of its bytes, or of its parts' checksums.
fn checksum(content: &Content) -> String {
    match content.parts {
        None => text(content.sha256),
        Some(parts) => format!("{}-{}", text(parts), content.count()),
    }
}

impl Bucket {
    async fn put_whole(&self, key: &ObjectKey, bytes: Vec<u8>, sha256: Digest) -> Result<(), ObjectError> {
        let request = self.client.put_object().bucket(&self.name).key(self.full(&in_bucket(key)));
        let request = request.if_none_match("*").checksum_sha256(text(sha256)).body(ByteStream::from(bytes));
        let answer = request.send().await.map(drop);
        answer.map_err(|failed| error(self, key, self.trouble("write", &in_bucket(key), &failed)))
    }

    pub(super) async fn begin(&self, key: &ObjectKey) -> Result<String, ObjectError> {
        let request =
            self.client.create_multipart_upload().bucket(&self.name).key(self.full(&in_bucket(key)));
        let answer = request.checksum_algorithm(ChecksumAlgorithm::Sha256).send().await;
        let answer =
            answer.map_err(|failed| error(self, key, self.trouble("begin", &in_bucket(key), &failed)))?;
        Ok(answer.upload_id.unwrap_or_default())
    }

    async fn put_part(
        &self,
        key: &ObjectKey,
        upload: &str,
        number: i32,
        bytes: Vec<u8>,
    ) -> Result<CompletedPart, ObjectError> {
        let sha256 = text(Digest::of(&bytes));
        let request = self.client.upload_part().bucket(&self.name).key(self.full(&in_bucket(key)));
        let request = request.upload_id(upload).part_number(number).checksum_sha256(&sha256);
        let answer = request.body(ByteStream::from(bytes)).send().await;
        let answer = answer
            .map_err(|failed| error(self, key, self.trouble("write a part of", &in_bucket(key), &failed)))?;
        let part = CompletedPart::builder().part_number(number).checksum_sha256(sha256);
        Ok(part.set_e_tag(answer.e_tag).build())
    }

    pub(super) async fn complete(
        &self,
        key: &ObjectKey,
        upload: &str,
        parts: Vec<CompletedPart>,
    ) -> Result<(), ObjectError> {
        let request =
            self.client.complete_multipart_upload().bucket(&self.name).key(self.full(&in_bucket(key)));
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let request = request.upload_id(upload).if_none_match("*").multipart_upload(parts);
        let answer = request.send().await.map(drop);
        answer.map_err(|failed| error(self, key, self.trouble("complete", &in_bucket(key), &failed)))
    }
}

impl S3Artifacts {
    /// Uploads pieces in parts, and says of what.
    async fn put_in_parts(
        &self,
        key: &ObjectKey,
        content: &Content,
        upload: &str,
        mut gathered: Vec<u8>,
        pieces: &mut dyn Pieces,
    ) -> Result<(), ObjectError> {
        let bucket = &self.shared.bucket;
        let (mut hasher, mut length, mut parts, mut is_over) = (Sha256::new(), 0, Vec::new(), false);
        while !is_over {
            is_over = !gather(key, &mut gathered, pieces).await?;
            let behind = gathered.split_off(gathered.len().min(OBJECT_PART as usize));
            let part = std::mem::replace(&mut gathered, behind);
            is_over = is_over && gathered.is_empty();
            hasher.update(&part);
            length += part.len() as u64;
            if length > content.bytes {
                return Err(different(key, format!("it has more than {} bytes", content.bytes)));
            }
            let number = i32::try_from(parts.len() + 1).unwrap_or(i32::MAX);
            parts.push(bucket.put_part(key, upload, number, part).await?);
        }
        compare(key, content, length, Digest(hasher.finalize().into()))?;
        bucket.complete(key, upload, parts).await
    }
}

/// Gathers pieces until there is more than a part; answers whether there may be more.
async fn gather(
    key: &ObjectKey,
    gathered: &mut Vec<u8>,
    pieces: &mut dyn Pieces,
) -> Result<bool, ObjectError> {
    while gathered.len() as u64 <= OBJECT_PART {
        let next = pieces.next().await.map_err(|error| ObjectError::Unavailable {
            key: key.to_string(),
            why: format!("its bytes do not come: {error}"),
        })?;
        let Some(piece) = next else { return Ok(false) };
        gathered.extend_from_slice(&piece);
    }
    Ok(true)
}

fn compare(key: &ObjectKey, content: &Content, length: u64, sha256: Digest) -> Result<(), ObjectError> {
    if (length, sha256) == (content.bytes, content.sha256) {
        return Ok(());
    }
    let Content { bytes, sha256: said, .. } = content;
    Err(different(key, format!("{length} bytes with SHA-256 {sha256} instead of {bytes} with {said}")))
}

#[async_trait]
impl Objects for S3Artifacts {
    async fn put_object(
        &self,
        key: &ObjectKey,
        content: &Content,
        pieces: &mut dyn Pieces,
    ) -> Result<(), ObjectError> {
        let bucket = &self.shared.bucket;
        let mut gathered = Vec::new();
        if !gather(key, &mut gathered, pieces).await? && gathered.len() as u64 <= OBJECT_PART {
            compare(key, content, gathered.len() as u64, Digest::of(&gathered))?;
            return bucket.put_whole(key, gathered, content.sha256).await;
        }
        let upload = bucket.begin(key).await?;
        let put = self.put_in_parts(key, content, &upload, gathered, pieces).await;
        if put.is_err()
            && let Err(trouble) = bucket.abort(&in_bucket(key), &upload).await
        {
            // The bucket's own rule gives up what is not completed for days.
            tracing::debug!(%key, ?trouble, "an upload that failed is left behind");
        }
        put
    }

    async fn check_object(&self, key: &ObjectKey, content: &Content) -> Result<(), ObjectError> {
        let bucket = &self.shared.bucket;
        let request = bucket.client.head_object().bucket(&bucket.name).key(bucket.full(&in_bucket(key)));
        let answer = request.checksum_mode(ChecksumMode::Enabled).send().await;
        let answer = answer
            .map_err(|failed| error(bucket, key, bucket.trouble("look at", &in_bucket(key), &failed)))?;
        let length = answer.content_length.and_then(|length| u64::try_from(length).ok()).unwrap_or_default();
        let stored = answer.checksum_sha256.unwrap_or_default();
        let said = checksum(content);
        if length != content.bytes || stored != said {
            let bytes = content.bytes;
            let why = format!("{length} bytes with checksum {stored} instead of {bytes} with {said}");
            return Err(different(key, why));
        }
        Ok(())
    }

    async fn get_object(&self, key: &ObjectKey, offset: u64, most: usize) -> Result<ObjectPart, ObjectError> {
        let bucket = &self.shared.bucket;
        let end = offset.saturating_add(most.max(1) as u64);
        let request = bucket.client.get_object().bucket(&bucket.name).key(bucket.full(&in_bucket(key)));
        let answer = request.range(format!("bytes={offset}-{}", end - 1)).send().await;
        let answer = answer.map_err(|failed| bucket.trouble("read", &in_bucket(key), &failed));
        let answer = match answer {
            Err(Trouble::OutOfRange) => return self.beyond(key).await,
            other => other.map_err(|trouble| error(bucket, key, trouble))?,
        };
        let range = answer.content_range.as_deref().and_then(|range| range.rsplit('/').next()?.parse().ok());
        let length = range.or(answer.content_length.and_then(|length| u64::try_from(length).ok()));
        let body = answer.body.collect().await.map_err(|failed| {
            let why = format!("cannot read {}: {failed}", bucket.address(&in_bucket(key)));
            error(bucket, key, Trouble::Unavailable { why })
        })?;
        let mut bytes = body.to_vec();
        bytes.truncate(most);
        Ok(ObjectPart { bytes, length: length.unwrap_or_default() })
    }

    async fn delete_object(&self, key: &ObjectKey) -> Result<(), ObjectError> {
        let bucket = &self.shared.bucket;
        bucket.delete(&[in_bucket(key)]).await.map_err(|trouble| error(bucket, key, trouble))
    }

    async fn list_objects(
        &self,
        prefix: &str,
        after: Option<&ObjectKey>,
        most: usize,
    ) -> Result<Vec<ListedObject>, ObjectError> {
        let after = after.map(in_bucket);
        let listed = self.shared.bucket.list(&format!("{PREFIX}{prefix}"), after.as_deref(), most).await;
        let listed = listed.map_err(|trouble| ObjectError::Unavailable {
            key: prefix.to_owned(),
            why: match trouble {
                Trouble::Unavailable { why } => why,
                other => format!("{other:?}"),
            },
        })?;
        let objects = listed.into_iter().filter_map(|object| {
            let key = object.key.strip_prefix(PREFIX)?.parse().ok()?;
            Some(ListedObject { key, bytes: object.bytes })
        });
        Ok(objects.collect())
    }

    fn signer(&self) -> Option<&dyn Signer> {
        Some(self)
    }
}

impl S3Artifacts {
    /// What is read behind an object's end.
    async fn beyond(&self, key: &ObjectKey) -> Result<ObjectPart, ObjectError> {
        let bucket = &self.shared.bucket;
        let request = bucket.client.head_object().bucket(&bucket.name).key(bucket.full(&in_bucket(key)));
        let answer = request.send().await;
        let answer = answer
            .map_err(|failed| error(bucket, key, bucket.trouble("look at", &in_bucket(key), &failed)))?;
        let length = answer.content_length.and_then(|length| u64::try_from(length).ok()).unwrap_or_default();
        Ok(ObjectPart { bytes: Vec::new(), length })
    }
}
