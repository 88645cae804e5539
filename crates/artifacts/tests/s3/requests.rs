//! How many requests a log costs: counted by the server, with the pace that every sender keeps.

use std::time::Duration;

use branchline_artifacts::S3Artifacts;
use branchline_core::pace::Gathering;
use branchline_model::Pace;
use branchline_ports::Artifacts;

use crate::emulator::Emulator;
use crate::writers::{attempt, pattern, unpacked};

const LENGTH: usize = 2_000_000;
const SECONDS: u64 = 300;

/// A log of 2 MB that grows for 5 minutes, sent at this pace; whoever serves a request, `serves` says.
async fn sent(pace: Pace, serves: impl Fn() -> S3Artifacts) {
    let bytes = pattern(0, LENGTH);
    let mut gathering = Gathering::default();
    let mut stored = 0;
    for tenth in 0..=SECONDS * 10 {
        let now = Duration::from_millis(tenth * 100);
        let there = LENGTH * tenth as usize / (SECONDS as usize * 10);
        let is_last = tenth == SECONDS * 10;
        while stored < there && (is_last || gathering.is_due(now)) {
            let piece = &bytes[stored..there.min(stored + gathering.piece())];
            let length = serves().append_log(&attempt(), stored as u64, piece, &[]).await.unwrap();
            stored = usize::try_from(length).unwrap();
            if !gathering.sent(pace, piece.len(), now) && !is_last {
                break;
            }
        }
    }
    let closer = serves();
    assert_eq!(closer.log_length(&attempt()).await.unwrap().bytes, LENGTH as u64);
    closer.close_log(&attempt()).await.unwrap();
}

#[test]
fn two_megabytes_in_five_minutes_that_nobody_watches_take_at_most_twenty_requests() {
    let emulator = Emulator::start();
    emulator.carry_out(async {
        let one = emulator.artifacts();
        sent(Pace::Unwatched, || one.clone()).await;
        let requests = emulator.requests();
        assert!(requests.len() <= 20, "{requests:#?}");
        assert!(unpacked(&emulator).await == pattern(0, LENGTH));
    });
}

#[test]
fn when_every_request_is_served_by_another_process_it_is_not_twice_as_many() {
    let emulator = Emulator::start();
    emulator.carry_out(async {
        sent(Pace::Unwatched, || emulator.artifacts()).await;
        let requests = emulator.requests();
        assert!(requests.len() <= 30, "{requests:#?}");
        assert!(unpacked(&emulator).await == pattern(0, LENGTH));
    });
}

#[test]
fn what_is_watched_is_stored_every_second() {
    let emulator = Emulator::start();
    emulator.carry_out(async {
        let one = emulator.artifacts();
        sent(Pace::Watched, || one.clone()).await;
        let puts = emulator.requests().iter().filter(|request| request.ends_with("/head")).count();
        assert!((300..=306).contains(&puts), "{puts}");
    });
}

#[test]
fn a_long_log_is_closed_by_reading_each_of_its_chunks_once_whoever_closes_it() {
    const CHUNK: usize = 4 << 20;
    let emulator = Emulator::start();
    emulator.carry_out(async {
        let bytes = b"0123456789 abcdefghi 0123456789\n".repeat((64 << 20) / 32);
        let writer = emulator.artifacts();
        for (index, chunk) in bytes.chunks(CHUNK).enumerate() {
            writer.append_log(&attempt(), (index * CHUNK) as u64, chunk, &[]).await.unwrap();
        }
        emulator.requests();
        // Another process, which remembers nothing of it.
        let closed = emulator.artifacts().close_log(&attempt()).await.unwrap();
        assert_eq!(closed.bytes, bytes.len() as u64);
        let requests = emulator.requests();
        let chunks = requests.iter().filter(|request| request.contains("/chunk/")).count();
        assert!(chunks == bytes.len() / CHUNK && requests.len() <= chunks + 5, "{requests:#?}");
        assert!(unpacked(&emulator).await == bytes);
        emulator.requests();
        // A third one, whose last word was sent twice.
        assert_eq!(emulator.artifacts().close_log(&attempt()).await, Ok(closed));
        let again = emulator.requests();
        assert!(again.len() <= 2, "{again:#?}");
    });
}
