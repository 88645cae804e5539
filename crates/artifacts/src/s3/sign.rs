//! Requests that others may make of the bucket. Invariant: what is signed is the key, the time, and for an upload the length, the SHA-256 of
//! the bytes and that nothing may be there yet; so whoever has it can do this one thing and nothing else.

use std::ops::Range;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_s3::presigning::{PresignedRequest, PresigningConfig};
use aws_sdk_s3::types::CompletedPart;
use branchline_model::{Content, Digest, OBJECT_PART, ObjectKey};
use branchline_ports::{ObjectError, SignedRequest, Signer};

use super::S3Artifacts;
use super::objects::{different, error, in_bucket, text};

fn unsigned(key: &ObjectKey, why: &impl ToString) -> ObjectError {
    let why = format!("a request for it cannot be signed: {}", why.to_string());
    ObjectError::Unavailable { key: key.to_string(), why }
}

fn signed(request: &PresignedRequest, bytes: Range<u64>) -> SignedRequest {
    SignedRequest {
        method: request.method().to_owned(),
        url: request.uri().to_owned(),
        headers: request.headers().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        bytes,
    }
}

#[async_trait]
impl Signer for S3Artifacts {
    async fn begin_parts(&self, key: &ObjectKey, _: &Content) -> Result<String, ObjectError> {
        self.shared.bucket.begin(key).await
    }

    async fn sign_upload(
        &self,
        key: &ObjectKey,
        content: &Content,
        parts: &[Digest],
        upload: Option<&str>,
        valid: Duration,
    ) -> Result<Vec<SignedRequest>, ObjectError> {
        let bucket = &self.shared.bucket;
        let expires = || PresigningConfig::expires_in(valid).map_err(|why| unsigned(key, &why));
        let full = bucket.full(&in_bucket(key));
        let Some(upload) = upload else {
            let request = bucket.client.put_object().bucket(&bucket.name).key(full).if_none_match("*");
            let request = request.content_length(content.bytes as i64).checksum_sha256(text(content.sha256));
            let request = request.presigned(expires()?).await.map_err(|why| unsigned(key, &why))?;
            return Ok(vec![signed(&request, 0..content.bytes)]);
        };
        if Content::in_parts(content.bytes, content.sha256, parts) != *content {
            return Err(different(key, "its parts are not those that were said"));
        }
        let mut requests = Vec::with_capacity(parts.len());
        for (part, number) in parts.iter().zip(1_i32..) {
            let begins = (number as u64 - 1) * OBJECT_PART;
            let bytes = begins..content.bytes.min(begins + OBJECT_PART);
            let request = bucket.client.upload_part().bucket(&bucket.name).key(&full).upload_id(upload);
            let request = request.part_number(number).content_length((bytes.end - bytes.start) as i64);
            let request = request.checksum_sha256(text(*part)).presigned(expires()?).await;
            requests.push(signed(&request.map_err(|why| unsigned(key, &why))?, bytes));
        }
        Ok(requests)
    }

    async fn complete_parts(
        &self,
        key: &ObjectKey,
        content: &Content,
        upload: &str,
    ) -> Result<(), ObjectError> {
        let bucket = &self.shared.bucket;
        let mut parts = Vec::new();
        let mut marker = None;
        loop {
            let request = bucket.client.list_parts().bucket(&bucket.name).key(bucket.full(&in_bucket(key)));
            let answer = request.upload_id(upload).set_part_number_marker(marker.take()).send().await;
            let answer =
                answer.map_err(|failed| bucket.trouble("list the parts of", &in_bucket(key), &failed));
            let answer = answer.map_err(|trouble| error(bucket, key, trouble))?;
            for part in answer.parts() {
                let completed = CompletedPart::builder().set_part_number(part.part_number());
                let completed = completed.set_e_tag(part.e_tag().map(str::to_owned));
                parts.push(completed.set_checksum_sha256(part.checksum_sha256().map(str::to_owned)).build());
            }
            marker = answer.next_part_number_marker().map(str::to_owned);
            if answer.is_truncated() != Some(true) || marker.is_none() {
                break;
            }
        }
        let count = content.count();
        if parts.len() as u64 != count {
            return Err(different(key, format!("{} of its {count} parts are there", parts.len())));
        }
        bucket.complete(key, upload, parts).await
    }

    async fn abort_parts(&self, key: &ObjectKey, upload: &str) -> Result<(), ObjectError> {
        let bucket = &self.shared.bucket;
        bucket.abort(&in_bucket(key), upload).await.map_err(|trouble| error(bucket, key, trouble))
    }

    async fn sign_download(&self, key: &ObjectKey, valid: Duration) -> Result<SignedRequest, ObjectError> {
        let bucket = &self.shared.bucket;
        let expires = PresigningConfig::expires_in(valid).map_err(|why| unsigned(key, &why))?;
        let request = bucket.client.get_object().bucket(&bucket.name).key(bucket.full(&in_bucket(key)));
        let request = request.presigned(expires).await.map_err(|why| unsigned(key, &why))?;
        Ok(signed(&request, 0..0))
    }
}
