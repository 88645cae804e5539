//! Signed requests, made by somebody with no key: each does its one thing, and nothing else.

use std::time::Duration;

use branchline_model::{Content, Digest, OBJECT_PART, ObjectKey};
use branchline_ports::{Artifacts, ObjectError, Objects, SignedRequest, Signer};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;

use crate::emulator::Emulator;
use crate::writers::pattern;

type Bytes = std::io::Cursor<Vec<u8>>;

const VALID: Duration = Duration::from_secs(60);

/// Makes a signed request with these bytes, whose length is said as it is; answers the status and the body. A server may
/// refuse a long body before it has read it, and end the connection: that is 400 here.
async fn make(request: &SignedRequest, bytes: &[u8]) -> (u16, Vec<u8>) {
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let mut building = hyper::Request::builder().method(request.method.as_str()).uri(&request.url);
    for (name, value) in &request.headers {
        building = match name.as_str() {
            "content-length" => building.header(name, bytes.len()),
            _ => building.header(name, value),
        };
    }
    let body = Full::new(std::io::Cursor::new(bytes.to_vec()));
    let Ok(answer) = client.request(building.body(body).unwrap()).await else { return (400, Vec::new()) };
    let status = answer.status().as_u16();
    (status, answer.into_body().collect().await.unwrap().to_bytes().to_vec())
}

fn key(text: &str) -> ObjectKey {
    text.parse().unwrap()
}

async fn short(signer: &dyn Signer, name: &str, bytes: &[u8]) -> SignedRequest {
    let requests = signer.sign_upload(&key(name), &Content::of(bytes), &[], None, VALID).await.unwrap();
    let [request] = requests.as_slice() else { panic!("{requests:?}") };
    request.clone()
}

#[test]
fn an_upload_is_bound_to_its_key_its_length_and_its_bytes_and_happens_once() {
    let emulator = Emulator::start();
    emulator.carry_out(async {
        let artifacts = emulator.artifacts();
        let signer = artifacts.objects().unwrap().signer().unwrap();
        let request = short(signer, "a/one", b"bytes").await;
        let elsewhere = SignedRequest { url: request.url.replace("a/one", "a/two"), ..request.clone() };
        let (status, _) = make(&elsewhere, b"bytes").await;
        assert_eq!(status, 403, "another key");
        for (why, bytes) in [("other bytes", &b"butes"[..]), ("fewer", b"byte"), ("more", b"bytes!")] {
            let (status, _) = make(&request, bytes).await;
            assert!((400..500).contains(&status), "{why}: {status}");
        }
        for dropped in ["content-length", "x-amz-checksum-sha256", "if-none-match"] {
            let mut without = request.clone();
            without.headers.retain(|(name, _)| name != dropped);
            if without.headers.len() < request.headers.len() && dropped != "content-length" {
                let (status, _) = make(&without, b"bytes").await;
                assert_eq!(status, 403, "without {dropped}");
            }
        }
        assert_eq!(emulator.memory.keys().await, Vec::<String>::new());
        assert_eq!(make(&request, b"bytes").await.0, 200);
        assert_eq!(make(&request, b"bytes").await.0, 412, "once");
        assert_eq!(artifacts.check_object(&key("a/one"), &Content::of(b"bytes")).await, Ok(()));
        let read = signer.sign_download(&key("a/one"), VALID).await.unwrap();
        assert_eq!(make(&read, b"").await, (200, b"bytes".to_vec()));
        let other = SignedRequest { method: "DELETE".to_owned(), ..read.clone() };
        assert_eq!(make(&other, b"").await.0, 403, "another method");
    });
}

#[test]
fn a_request_whose_time_is_out_is_refused() {
    let emulator = Emulator::start();
    emulator.carry_out(async {
        let artifacts = emulator.artifacts();
        let request = short(&artifacts, "a/one", b"bytes").await;
        // The time it was signed at and the time it is valid for are in the URL, and signed too.
        let longer = request.url.replace("X-Amz-Expires=60", "X-Amz-Expires=6000");
        assert_ne!(longer, request.url);
        assert_eq!(make(&SignedRequest { url: longer, ..request.clone() }, b"bytes").await.0, 403);
        let content = Content::of(b"bytes");
        let one = key("a/one");
        let signed = artifacts.sign_upload(&one, &content, &[], None, Duration::from_secs(1)).await;
        let soon = signed.unwrap().remove(0);
        let mut status = 412;
        // Its second may have begun just now: at most three of them are waited for.
        for _ in 0..30 {
            status = make(&soon, b"other").await.0;
            if status == 403 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert_eq!(status, 403);
    });
}

#[test]
fn an_upload_in_parts_is_an_object_when_it_is_completed_and_only_of_its_parts() {
    let emulator = Emulator::start();
    emulator.carry_out(async {
        let artifacts = emulator.artifacts();
        let bytes = pattern(0, 2 * OBJECT_PART as usize + 99);
        let parts: Vec<Digest> = bytes.chunks(OBJECT_PART as usize).map(Digest::of).collect();
        let content = Content::of(&bytes);
        let long = key("a/long");
        let upload = artifacts.begin_parts(&long, &content).await.unwrap();
        let refused = artifacts.sign_upload(&long, &content, &parts[1..], Some(&upload), VALID).await;
        assert!(matches!(refused, Err(ObjectError::Different { .. })), "{refused:?}");
        let requests = artifacts.sign_upload(&long, &content, &parts, Some(&upload), VALID).await.unwrap();
        assert_eq!(requests.len(), 3);
        let part = |request: &SignedRequest| &bytes[request.bytes.start as usize..request.bytes.end as usize];
        assert_eq!(make(&requests[0], part(&requests[0])).await.0, 200);
        let (status, _) = make(&requests[1], part(&requests[0])).await;
        assert!((400..500).contains(&status), "another part's bytes: {status}");
        let early = artifacts.complete_parts(&long, &content, &upload).await;
        assert!(matches!(early, Err(ObjectError::Different { .. })), "{early:?}");
        for request in &requests {
            // Also again: the answer may have been lost.
            assert_eq!(make(request, part(request)).await.0, 200);
        }
        assert_eq!(emulator.memory.keys().await, Vec::<String>::new());
        artifacts.complete_parts(&long, &content, &upload).await.unwrap();
        assert_eq!(artifacts.check_object(&long, &content).await, Ok(()));
        let (status, _) = make(&requests[0], part(&requests[0])).await;
        assert!((400..500).contains(&status), "the upload is over: {status}");

        let given_up = artifacts.begin_parts(&key("a/other"), &content).await.unwrap();
        for _ in 0..2 {
            artifacts.abort_parts(&key("a/other"), &given_up).await.unwrap();
        }
        assert_eq!(emulator.memory.unfinished().await, 0);
    });
}
