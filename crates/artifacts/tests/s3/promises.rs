//! The emulator keeps the promises of S3 that the adapter rests on. Pointed at a real bucket by hand, these hold there too.

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart};

use crate::emulator::Emulator;

fn status<T, E>(
    answer: Result<T, aws_sdk_s3::error::SdkError<E, aws_sdk_s3::config::http::HttpResponse>>,
) -> u16 {
    match answer {
        Ok(_) => 200,
        Err(error) => error.raw_response().unwrap().status().as_u16(),
    }
}

#[test]
fn of_many_that_create_one_object_one_does() {
    let emulator = Emulator::start();
    emulator.carry_out(async {
        let puts = (0..16).map(|number| {
            let put = emulator.client(1).put_object().bucket("bucket").key("one").if_none_match("*");
            tokio::spawn(put.body(ByteStream::from(vec![number; 100_000])).send())
        });
        let mut statuses = Vec::new();
        for put in puts.collect::<Vec<_>>() {
            statuses.push(status(put.await.unwrap()));
        }
        statuses.sort_unstable();
        assert_eq!(statuses, [[200].as_slice(), &[412; 15]].concat());
    });
}

#[test]
fn of_many_that_replace_one_object_one_does() {
    let emulator = Emulator::start();
    emulator.carry_out(async {
        let client = emulator.client(1);
        let put = client.put_object().bucket("bucket").key("one").body(ByteStream::from_static(b"first"));
        let tag = put.send().await.unwrap().e_tag.unwrap();
        let puts = (0..16).map(|number| {
            let put = client.put_object().bucket("bucket").key("one").if_match(&tag);
            tokio::spawn(put.body(ByteStream::from(vec![number; 1_000])).send())
        });
        let mut replaced = 0;
        for put in puts.collect::<Vec<_>>() {
            replaced += u32::from(status(put.await.unwrap()) == 200);
        }
        assert_eq!(replaced, 1);
        let gone = client.put_object().bucket("bucket").key("another").if_match(&tag);
        assert_eq!(status(gone.body(ByteStream::from_static(b"x")).send().await), 404);
        let unchanged = client.get_object().bucket("bucket").key("one").if_none_match(&tag).send().await;
        assert_eq!(status(unchanged), 200, "it has another tag now");
    });
}

#[test]
fn a_body_that_is_not_what_its_checksum_says_is_not_stored() {
    let emulator = Emulator::start();
    emulator.carry_out(async {
        let client = emulator.client(1);
        let put = client
            .put_object()
            .bucket("bucket")
            .key("one")
            .checksum_sha256("bm90IHRoZSByaWdodCBvbmUgYXQgYWxsLCBubyBubyA=");
        assert_eq!(status(put.body(ByteStream::from_static(b"bytes")).send().await), 400);
        assert_eq!(emulator.memory.keys().await, Vec::<String>::new());
        let begun = client.create_multipart_upload().bucket("bucket").key("one");
        let id = begun.checksum_algorithm(ChecksumAlgorithm::Sha256).send().await.unwrap().upload_id.unwrap();
        let part = client.upload_part().bucket("bucket").key("one").upload_id(&id).part_number(1);
        let part = part.checksum_sha256("bm90IHRoZSByaWdodCBvbmUgYXQgYWxsLCBubyBubyA=");
        assert_eq!(status(part.body(ByteStream::from_static(b"bytes")).send().await), 400);
    });
}

#[test]
fn an_upload_in_parts_replaces_nothing_that_is_there() {
    let emulator = Emulator::start();
    emulator.carry_out(async {
        let client = emulator.client(1);
        let mut statuses = Vec::new();
        for _ in 0..2 {
            let begun = client.create_multipart_upload().bucket("bucket").key("one").send().await.unwrap();
            let id = begun.upload_id.unwrap();
            let part = client.upload_part().bucket("bucket").key("one").upload_id(&id).part_number(1);
            let part = part.body(ByteStream::from_static(b"bytes")).send().await.unwrap();
            let part = CompletedPart::builder().part_number(1).set_e_tag(part.e_tag).build();
            let parts = CompletedMultipartUpload::builder().parts(part).build();
            let complete = client.complete_multipart_upload().bucket("bucket").key("one").upload_id(&id);
            statuses.push(status(complete.if_none_match("*").multipart_upload(parts).send().await));
        }
        assert_eq!(statuses, [200, 412]);
    });
}

#[test]
fn a_request_that_is_signed_with_another_secret_is_refused() {
    let emulator = Emulator::start();
    emulator.carry_out(async {
        let other = aws_credential_types::Credentials::new("AKIABRANCHLINE", "a guess", None, None, "test");
        let config = emulator.client(1).config().to_builder().credentials_provider(other).build();
        let client = aws_sdk_s3::Client::from_conf(config);
        assert_eq!(status(client.get_object().bucket("bucket").key("one").send().await), 403);
    });
}
