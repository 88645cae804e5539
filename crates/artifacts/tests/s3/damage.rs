//! What is lost or garbled in the bucket is said, with its extent; what lies around it can still be read, also after closing.

use branchline_model::{LineTime, Timestamp};
use branchline_ports::{ArtifactError, Artifacts, Place};

use crate::emulator::Emulator;
use crate::writers::{attempt, pattern, whole};

const CHUNK: usize = 1_100_000;

/// A log of three chunks and a little more; answers the keys of its chunks.
async fn three_chunks(emulator: &Emulator) -> Vec<String> {
    let artifacts = emulator.artifacts();
    let bytes = pattern(0, 3 * CHUNK + 10);
    for offset in (0..bytes.len()).step_by(CHUNK) {
        let part = &bytes[offset..bytes.len().min(offset + CHUNK)];
        let times = [LineTime { offset: offset as u64, at: Timestamp(offset as i64) }];
        artifacts.append_log(&attempt(), offset as u64, part, &times).await.unwrap();
    }
    let keys = emulator.memory.keys().await;
    let chunks: Vec<String> = keys.into_iter().filter(|key| key.contains("/chunk/")).collect();
    assert_eq!(chunks.len(), 3);
    chunks
}

fn extent(damage: &ArtifactError) -> (u64, u64, &str) {
    match damage {
        ArtifactError::Damaged { offset, until, why, .. } => (*offset, *until, why),
        other => panic!("{other}"),
    }
}

#[test]
fn a_chunk_that_is_missing_or_garbled_is_a_gap_and_the_rest_is_there() {
    for is_lost in [true, false] {
        let emulator = Emulator::start();
        emulator.carry_out(async {
            let chunks = three_chunks(&emulator).await;
            if is_lost {
                emulator.memory.lose(&chunks[1]).await;
            } else {
                emulator.memory.garble(&chunks[1], 77).await;
            }
            let said = if is_lost { "it is missing" } else { "its checksum is wrong" };
            for closed in [false, true] {
                let artifacts = emulator.artifacts();
                if closed {
                    artifacts.close_log(&attempt()).await.unwrap();
                }
                let (before, log) = whole(&artifacts).await;
                assert!(before == pattern(0, CHUNK), "what lies before it is read");
                assert_eq!((log.bytes, log.closed), (3 * CHUNK as u64 + 10, closed));
                let damage = artifacts.read_log(&attempt(), CHUNK as u64 + 5, 100).await.unwrap_err();
                let (offset, until, why) = extent(&damage);
                assert_eq!((offset, until), (CHUNK as u64 + 5, 2 * CHUNK as u64));
                assert!(why.contains(&chunks[1]) && why.contains(said), "{why}");
                let after = artifacts.read_log(&attempt(), until, usize::MAX).await.unwrap();
                assert!(after.bytes == pattern(until, CHUNK + 10));
                assert_eq!(
                    after.times.first(),
                    Some(&LineTime { offset: until, at: Timestamp(until as i64) })
                );
                let found = artifacts.verify_log(&attempt()).await.unwrap();
                assert_eq!(found.iter().map(|damage| extent(damage).0).collect::<Vec<_>>(), [CHUNK as u64]);
                let newlines = pattern(0, 3 * CHUNK).iter().filter(|byte| **byte == b'\n').count() as u64;
                let line = artifacts.find_line(&attempt(), Place::Line(newlines + 1)).await.unwrap();
                assert!(line.offset > 2 * CHUNK as u64, "lines behind it keep their numbers");
            }
        });
    }
}

#[test]
fn a_closed_log_that_is_garbled_says_where_and_one_that_is_gone_says_so() {
    let emulator = Emulator::start();
    emulator.carry_out(async {
        three_chunks(&emulator).await;
        emulator.artifacts().close_log(&attempt()).await.unwrap();
        let key = "logs/app-1/12/3.1/log.gz";
        // Its bytes compress well: the second of four members lies here.
        emulator.memory.garble(key, 30_000).await;
        let found = emulator.artifacts().verify_log(&attempt()).await.unwrap();
        let [damage] = found.as_slice() else { panic!("{found:?}") };
        let (offset, until, why) = extent(damage);
        assert_eq!((offset, until), (1 << 20, 2 << 20));
        assert!(why.contains("s3://bucket/logs/app-1/12/3.1/log.gz: its member at byte"), "{why}");
        emulator.memory.lose(key).await;
        let found = emulator.artifacts().verify_log(&attempt()).await.unwrap();
        assert_eq!(found.len(), 4, "each of its members");
        assert!(found.iter().all(|damage| extent(damage).2.ends_with("it is missing")));
    });
}

#[test]
fn a_garbled_head_is_damage_to_the_whole_log_and_to_no_other() {
    let emulator = Emulator::start();
    emulator.carry_out(async {
        let artifacts = emulator.artifacts();
        let other = "app-1/12/3/2".parse().unwrap();
        artifacts.append_log(&attempt(), 0, b"one", &[]).await.unwrap();
        artifacts.append_log(&other, 0, b"two", &[]).await.unwrap();
        emulator.memory.garble("logs/app-1/12/3.1/head", 3).await;
        let fresh = emulator.artifacts();
        let found = fresh.verify_log(&attempt()).await.unwrap();
        let [damage] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!(extent(damage).1, u64::MAX);
        assert!(extent(damage).2.starts_with("s3://bucket/logs/app-1/12/3.1/head: "), "{damage}");
        assert!(matches!(
            fresh.append_log(&attempt(), 3, b"x", &[]).await,
            Err(ArtifactError::Damaged { .. })
        ));
        assert_eq!(fresh.read_log(&other, 0, 10).await.unwrap().bytes, b"two");
    });
}
