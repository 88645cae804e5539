//! Writing an object whose length is not known before. Invariant: it is there whole or not at all, and only if none was there; what is in memory is
//! one part. A short one is one request; a longer one goes in parts, each with its own checksum, that become an object only when all are there.

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart};

use super::bucket::{Bucket, Trouble, When};

/// How long the parts of an object are. S3 takes none under 5 MiB but the last, and 10,000 of them.
pub(super) const PART: usize = 8 << 20;

/// What became of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// It is there.
    New,
    /// Another was there already.
    There,
}

/// An object on its way.
pub(super) struct Upload<'a> {
    bucket: &'a Bucket,
    key: String,
    gathered: Vec<u8>,
    /// Once it is longer than a part: its id, and the parts that are stored.
    parts: Option<(String, Vec<CompletedPart>)>,
}

impl<'a> Upload<'a> {
    pub(super) fn new(bucket: &'a Bucket, key: String) -> Self {
        Self { bucket, key, gathered: Vec::new(), parts: None }
    }

    /// Adds bytes.
    pub(super) async fn write(&mut self, bytes: &[u8]) -> Result<(), Trouble> {
        self.gathered.extend_from_slice(bytes);
        while self.gathered.len() > PART {
            let behind = self.gathered.split_off(PART);
            let part = std::mem::replace(&mut self.gathered, behind);
            self.put_part(part).await?;
        }
        Ok(())
    }

    async fn put_part(&mut self, bytes: Vec<u8>) -> Result<(), Trouble> {
        let Bucket { client, name, .. } = self.bucket;
        let key = self.bucket.full(&self.key);
        let (id, parts) = match &mut self.parts {
            Some(begun) => begun,
            none => {
                let request = client.create_multipart_upload().bucket(name).key(&key);
                let answer = request.checksum_algorithm(ChecksumAlgorithm::Crc32C).send().await;
                let answer = answer.map_err(|error| self.bucket.trouble("begin", &self.key, &error))?;
                none.insert((answer.upload_id.unwrap_or_default(), Vec::new()))
            }
        };
        let number = i32::try_from(parts.len() + 1).unwrap_or(i32::MAX);
        let request = client.upload_part().bucket(name).key(&key).upload_id(id.as_str()).part_number(number);
        let request = request.checksum_algorithm(ChecksumAlgorithm::Crc32C).body(ByteStream::from(bytes));
        let answer = request.send().await;
        let answer = answer.map_err(|error| self.bucket.trouble("write a part of", &self.key, &error))?;
        let part = CompletedPart::builder()
            .part_number(number)
            .set_e_tag(answer.e_tag)
            .set_checksum_crc32_c(answer.checksum_crc32_c);
        parts.push(part.build());
        Ok(())
    }

    /// Makes it an object.
    pub(super) async fn finish(mut self) -> Result<Written, Trouble> {
        let rest = std::mem::take(&mut self.gathered);
        if self.parts.is_none() {
            return match self.bucket.put(&self.key, rest, When::Absent).await {
                Ok(_) => Ok(Written::New),
                Err(Trouble::Refused) => Ok(Written::There),
                Err(trouble) => Err(trouble),
            };
        }
        self.put_part(rest).await?;
        let Some((id, parts)) = self.parts.take() else { return Ok(Written::There) };
        let Bucket { client, name, .. } = self.bucket;
        let request = client.complete_multipart_upload().bucket(name).key(self.bucket.full(&self.key));
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let request = request.upload_id(&id).if_none_match("*").multipart_upload(parts);
        match request.send().await.map_err(|error| self.bucket.trouble("complete", &self.key, &error)) {
            Ok(_) => Ok(Written::New),
            // An upload that is not there any more was completed by a request whose answer was lost.
            Err(Trouble::NotFound) => Ok(Written::There),
            Err(Trouble::Refused) => {
                self.bucket.abort(&self.key, &id).await?;
                Ok(Written::There)
            }
            Err(trouble) => Err(trouble),
        }
    }
}

impl Bucket {
    /// Gives up an object on its way, also one that is not there any more.
    pub(super) async fn abort(&self, key: &str, id: &str) -> Result<(), Trouble> {
        let request = self.client.abort_multipart_upload().bucket(&self.name).key(self.full(key));
        match request.upload_id(id).send().await.map_err(|error| self.trouble("give up", key, &error)) {
            Ok(_) | Err(Trouble::NotFound) => Ok(()),
            Err(trouble) => Err(trouble),
        }
    }
}
