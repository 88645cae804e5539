//! What the emulator keeps: one bucket in memory, larger bodies in files without a name. Invariant: a condition is checked, and
//! what it allows is written, in one step; a body that is not what its checksums say is never written. The wire protocol, signatures and the
//! expiry of URLs are s3s's part. Any bucket's name is taken for the one bucket.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::Write;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use aws_smithy_types::base64;
use futures_util::TryStreamExt;
use s3s::checksum::ChecksumHasher;
use s3s::dto::*;
use s3s::{Body, S3, S3Request, S3Response, S3Result, s3_error};
use sha2::{Digest, Sha256};
use tokio::sync::Mutex;

/// Longer bodies are kept in files.
const IN_MEMORY: usize = 64 << 10;

/// S3 takes no shorter part, but the last.
const SHORTEST_PART: u64 = 5 << 20;

#[derive(Clone)]
enum Bytes {
    Memory(Arc<Vec<u8>>),
    File(Arc<File>, u64),
}

impl Bytes {
    fn keep(bytes: Vec<u8>) -> Self {
        if bytes.len() <= IN_MEMORY {
            return Self::Memory(Arc::new(bytes));
        }
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&bytes).unwrap();
        Self::File(Arc::new(file), bytes.len() as u64)
    }

    fn length(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::File(_, length) => *length,
        }
    }

    fn part(&self, range: Range<u64>) -> Vec<u8> {
        match self {
            Self::Memory(bytes) => bytes[range.start as usize..range.end as usize].to_vec(),
            Self::File(file, _) => {
                let mut bytes = vec![0; (range.end - range.start) as usize];
                file.read_exact_at(&mut bytes, range.start).unwrap();
                bytes
            }
        }
    }
}

#[derive(Clone)]
struct Object {
    bytes: Vec<Bytes>,
    tag: ETag,
    checksum: Checksum,
    metadata: Option<Metadata>,
}

impl Object {
    fn length(&self) -> u64 {
        self.bytes.iter().map(Bytes::length).sum()
    }

    fn part(&self, range: Range<u64>) -> Vec<u8> {
        let (mut part, mut at) = (Vec::new(), 0);
        for bytes in &self.bytes {
            let end = at + bytes.length();
            let (from, to) = (range.start.max(at), range.end.min(end));
            if from < to {
                part.extend(bytes.part(from - at..to - at));
            }
            at = end;
        }
        part
    }
}

struct Uploading {
    key: String,
    metadata: Option<Metadata>,
    algorithm: Option<String>,
    parts: BTreeMap<i32, Object>,
}

#[derive(Default)]
struct Kept {
    objects: BTreeMap<String, Object>,
    uploads: HashMap<String, Uploading>,
    uploads_begun: u64,
}

/// One bucket.
#[derive(Clone, Default)]
pub struct Memory(Arc<Mutex<Kept>>);

impl Memory {
    /// All keys.
    pub async fn keys(&self) -> Vec<String> {
        self.0.lock().await.objects.keys().cloned().collect()
    }

    /// An object's bytes.
    pub async fn bytes(&self, key: &str) -> Option<Vec<u8>> {
        let kept = self.0.lock().await;
        kept.objects.get(key).map(|object| object.part(0..object.length()))
    }

    /// How many uploads were begun and neither completed nor given up.
    pub async fn unfinished(&self) -> usize {
        self.0.lock().await.uploads.len()
    }

    /// Takes an object away, as an accident does.
    pub async fn lose(&self, key: &str) {
        assert!(self.0.lock().await.objects.remove(key).is_some(), "{key}");
    }

    /// Changes one byte of an object, as an accident does.
    pub async fn garble(&self, key: &str, at: usize) {
        let mut kept = self.0.lock().await;
        let object = kept.objects.get_mut(key).unwrap();
        let mut bytes = object.part(0..object.length());
        bytes[at] ^= 1;
        object.checksum = Checksum::default();
        object.bytes = vec![Bytes::keep(bytes)];
    }
}

/// The checksums that a request came with.
struct Said {
    algorithm: Option<String>,
    checksum: Checksum,
}

/// Takes a body in, and refuses one that is not what is said of it.
async fn take(
    body: Option<StreamingBlob>,
    said: Said,
    trailers: Option<s3s::TrailingHeaders>,
) -> S3Result<Object> {
    let mut hasher = ChecksumHasher::default();
    let wants = |name: &str, given: bool| given || said.algorithm.as_deref() == Some(name);
    if wants("CRC32", said.checksum.checksum_crc32.is_some()) {
        hasher.crc32 = Some(Default::default());
    }
    if wants("CRC32C", said.checksum.checksum_crc32c.is_some()) {
        hasher.crc32c = Some(Default::default());
    }
    if wants("SHA256", said.checksum.checksum_sha256.is_some()) {
        hasher.sha256 = Some(Default::default());
    }
    let mut bytes = Vec::new();
    let mut body = body.ok_or_else(|| s3_error!(IncompleteBody))?;
    while let Some(part) = body.try_next().await.map_err(|error| s3_error!(IncompleteBody, "{error}"))? {
        hasher.update(&part);
        bytes.extend_from_slice(&part);
    }
    let mut expected = said.checksum;
    if let Some(trailers) = trailers.and_then(|trailers| trailers.take()) {
        let trailer = |name: &str| trailers.get(name).map(|value| value.to_str().unwrap().to_owned());
        expected.checksum_crc32 = expected.checksum_crc32.or(trailer("x-amz-checksum-crc32"));
        expected.checksum_crc32c = expected.checksum_crc32c.or(trailer("x-amz-checksum-crc32c"));
        expected.checksum_sha256 = expected.checksum_sha256.or(trailer("x-amz-checksum-sha256"));
    }
    let checksum = hasher.finalize();
    let same = |one: &Option<String>, other: &Option<String>| other.is_none() || one == other;
    if !(same(&checksum.checksum_crc32, &expected.checksum_crc32)
        && same(&checksum.checksum_crc32c, &expected.checksum_crc32c)
        && same(&checksum.checksum_sha256, &expected.checksum_sha256))
    {
        return Err(s3_error!(BadDigest, "the body is not what its checksum says"));
    }
    let tag: String = Sha256::digest(&bytes).iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    Ok(Object { bytes: vec![Bytes::keep(bytes)], tag: ETag::Strong(tag), checksum, metadata: None })
}

fn allows(
    there: Option<&Object>,
    if_none_match: Option<&ETagCondition>,
    if_match: Option<&ETagCondition>,
) -> S3Result<()> {
    if if_none_match.is_some_and(ETagCondition::is_any) && there.is_some() {
        return Err(s3_error!(PreconditionFailed));
    }
    match (if_match, there) {
        (Some(_), None) => Err(s3_error!(NoSuchKey)),
        (Some(ETagCondition::ETag(tag)), Some(object)) if !object.tag.strong_cmp(tag) => {
            Err(s3_error!(PreconditionFailed))
        }
        _ => Ok(()),
    }
}

#[async_trait::async_trait]
impl S3 for Memory {
    async fn put_object(&self, request: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        let trailers = request.trailing_headers;
        let input = request.input;
        let checksum = Checksum {
            checksum_crc32: input.checksum_crc32,
            checksum_crc32c: input.checksum_crc32c,
            checksum_sha256: input.checksum_sha256,
            ..Checksum::default()
        };
        let algorithm = input.checksum_algorithm.map(|algorithm| algorithm.as_str().to_owned());
        let mut object = take(input.body, Said { algorithm, checksum }, trailers).await?;
        object.metadata = input.metadata;
        let mut kept = self.0.lock().await;
        allows(kept.objects.get(&input.key), input.if_none_match.as_ref(), input.if_match.as_ref())?;
        let output = PutObjectOutput {
            e_tag: Some(object.tag.clone()),
            checksum_crc32: object.checksum.checksum_crc32.clone(),
            checksum_crc32c: object.checksum.checksum_crc32c.clone(),
            checksum_sha256: object.checksum.checksum_sha256.clone(),
            ..PutObjectOutput::default()
        };
        kept.objects.insert(input.key, object);
        Ok(S3Response::new(output))
    }

    async fn get_object(&self, request: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let input = request.input;
        let object =
            self.0.lock().await.objects.get(&input.key).cloned().ok_or_else(|| s3_error!(NoSuchKey))?;
        if let Some(ETagCondition::ETag(tag)) = &input.if_none_match
            && object.tag.strong_cmp(tag)
        {
            return Err(s3_error!(NotModified));
        }
        let length = object.length();
        let range = input.range.map(|range| range.check(length)).transpose()?;
        let content_range =
            range.as_ref().map(|range| format!("bytes {}-{}/{length}", range.start, range.end - 1));
        let is_whole = range.as_ref().is_none_or(|range| *range == (0..length));
        let bytes = object.part(range.unwrap_or(0..length));
        let checksum = if is_whole { object.checksum } else { Checksum::default() };
        Ok(S3Response::new(GetObjectOutput {
            content_length: Some(bytes.len() as i64),
            body: Some(StreamingBlob::from(Body::from(bytes))),
            content_range,
            e_tag: Some(object.tag),
            metadata: object.metadata,
            checksum_crc32: checksum.checksum_crc32,
            checksum_crc32c: checksum.checksum_crc32c,
            checksum_sha256: checksum.checksum_sha256,
            ..GetObjectOutput::default()
        }))
    }

    async fn head_object(
        &self,
        request: S3Request<HeadObjectInput>,
    ) -> S3Result<S3Response<HeadObjectOutput>> {
        let object = self
            .0
            .lock()
            .await
            .objects
            .get(&request.input.key)
            .cloned()
            .ok_or_else(|| s3_error!(NoSuchKey))?;
        Ok(S3Response::new(HeadObjectOutput {
            content_length: Some(object.length() as i64),
            e_tag: Some(object.tag),
            metadata: object.metadata,
            checksum_crc32: object.checksum.checksum_crc32,
            checksum_crc32c: object.checksum.checksum_crc32c,
            checksum_sha256: object.checksum.checksum_sha256,
            ..HeadObjectOutput::default()
        }))
    }

    async fn delete_object(
        &self,
        request: S3Request<DeleteObjectInput>,
    ) -> S3Result<S3Response<DeleteObjectOutput>> {
        self.0.lock().await.objects.remove(&request.input.key);
        Ok(S3Response::new(DeleteObjectOutput::default()))
    }

    async fn delete_objects(
        &self,
        request: S3Request<DeleteObjectsInput>,
    ) -> S3Result<S3Response<DeleteObjectsOutput>> {
        let mut kept = self.0.lock().await;
        for object in request.input.delete.objects {
            kept.objects.remove(&object.key);
        }
        Ok(S3Response::new(DeleteObjectsOutput::default()))
    }

    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let input = request.input;
        let (prefix, after) = (input.prefix.unwrap_or_default(), input.start_after.unwrap_or_default());
        let most = input.max_keys.unwrap_or(1_000).clamp(0, 1_000) as usize;
        let kept = self.0.lock().await;
        let mut found = kept.objects.iter().filter(|(key, _)| key.starts_with(&prefix) && **key > after).map(
            |(key, object)| s3s::dto::Object {
                key: Some(key.clone()),
                size: Some(object.length() as i64),
                ..s3s::dto::Object::default()
            },
        );
        let contents: Vec<_> = found.by_ref().take(most).collect();
        Ok(S3Response::new(ListObjectsV2Output {
            key_count: Some(contents.len() as i32),
            is_truncated: Some(found.next().is_some()),
            contents: Some(contents),
            ..ListObjectsV2Output::default()
        }))
    }

    async fn create_multipart_upload(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        let input = request.input;
        let mut kept = self.0.lock().await;
        kept.uploads_begun += 1;
        let id = format!("upload-{}", kept.uploads_begun);
        let algorithm = input.checksum_algorithm.map(|algorithm| algorithm.as_str().to_owned());
        let uploading =
            Uploading { key: input.key, metadata: input.metadata, algorithm, parts: BTreeMap::new() };
        kept.uploads.insert(id.clone(), uploading);
        Ok(S3Response::new(CreateMultipartUploadOutput {
            upload_id: Some(id),
            ..CreateMultipartUploadOutput::default()
        }))
    }

    async fn upload_part(
        &self,
        request: S3Request<UploadPartInput>,
    ) -> S3Result<S3Response<UploadPartOutput>> {
        let trailers = request.trailing_headers;
        let input = request.input;
        let checksum = Checksum {
            checksum_crc32: input.checksum_crc32,
            checksum_crc32c: input.checksum_crc32c,
            checksum_sha256: input.checksum_sha256,
            ..Checksum::default()
        };
        let algorithm = {
            let kept = self.0.lock().await;
            kept.uploads.get(&input.upload_id).ok_or_else(|| s3_error!(NoSuchUpload))?.algorithm.clone()
        };
        let part = take(input.body, Said { algorithm, checksum }, trailers).await?;
        let output = UploadPartOutput {
            e_tag: Some(part.tag.clone()),
            checksum_crc32: part.checksum.checksum_crc32.clone(),
            checksum_crc32c: part.checksum.checksum_crc32c.clone(),
            checksum_sha256: part.checksum.checksum_sha256.clone(),
            ..UploadPartOutput::default()
        };
        let mut kept = self.0.lock().await;
        let uploading = kept.uploads.get_mut(&input.upload_id).ok_or_else(|| s3_error!(NoSuchUpload))?;
        if uploading.key != input.key {
            return Err(s3_error!(NoSuchUpload));
        }
        uploading.parts.insert(input.part_number, part);
        Ok(S3Response::new(output))
    }

    async fn list_parts(&self, request: S3Request<ListPartsInput>) -> S3Result<S3Response<ListPartsOutput>> {
        let kept = self.0.lock().await;
        let uploading = kept.uploads.get(&request.input.upload_id).ok_or_else(|| s3_error!(NoSuchUpload))?;
        let after: i32 = request.input.part_number_marker.unwrap_or_default();
        let mut found = uploading.parts.range(after + 1..);
        let parts: Vec<Part> = found
            .by_ref()
            .take(1_000)
            .map(|(number, part)| Part {
                part_number: Some(*number),
                size: Some(part.length() as i64),
                e_tag: Some(part.tag.clone()),
                checksum_sha256: part.checksum.checksum_sha256.clone(),
                ..Part::default()
            })
            .collect();
        Ok(S3Response::new(ListPartsOutput {
            next_part_number_marker: parts.last().and_then(|part| part.part_number),
            is_truncated: Some(found.next().is_some()),
            parts: Some(parts),
            ..ListPartsOutput::default()
        }))
    }

    async fn complete_multipart_upload(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let input = request.input;
        let mut kept = self.0.lock().await;
        let uploading = kept.uploads.get(&input.upload_id).ok_or_else(|| s3_error!(NoSuchUpload))?;
        let named = input.multipart_upload.and_then(|upload| upload.parts).unwrap_or_default();
        let (mut bytes, mut digests) = (Vec::new(), Vec::new());
        for (index, named_part) in named.iter().enumerate() {
            let number = named_part.part_number.unwrap_or_default();
            let part = uploading.parts.get(&number).ok_or_else(|| s3_error!(InvalidPart))?;
            if named_part.e_tag.as_ref().is_none_or(|tag| !part.tag.strong_cmp(tag)) {
                return Err(s3_error!(InvalidPart));
            }
            if index + 1 < named.len() && part.length() < SHORTEST_PART {
                return Err(s3_error!(EntityTooSmall));
            }
            if let Some(sha256) = &part.checksum.checksum_sha256 {
                digests.extend(base64::decode(sha256).unwrap());
            }
            bytes.extend(part.bytes.iter().cloned());
        }
        let is_sha256 = uploading.algorithm.as_deref() == Some("SHA256");
        let composite = || format!("{}-{}", base64::encode(Sha256::digest(&digests)), named.len());
        let object = Object {
            bytes,
            tag: ETag::Strong(format!("{:x}-{}", digests.len(), input.upload_id)),
            checksum: Checksum { checksum_sha256: is_sha256.then(composite), ..Checksum::default() },
            metadata: uploading.metadata.clone(),
        };
        allows(kept.objects.get(&input.key), input.if_none_match.as_ref(), input.if_match.as_ref())?;
        kept.uploads.remove(&input.upload_id);
        let output = CompleteMultipartUploadOutput {
            e_tag: Some(object.tag.clone()),
            ..CompleteMultipartUploadOutput::default()
        };
        kept.objects.insert(input.key, object);
        Ok(S3Response::new(output))
    }

    async fn abort_multipart_upload(
        &self,
        request: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        let removed = self.0.lock().await.uploads.remove(&request.input.upload_id);
        removed.ok_or_else(|| s3_error!(NoSuchUpload))?;
        Ok(S3Response::new(AbortMultipartUploadOutput::default()))
    }
}
