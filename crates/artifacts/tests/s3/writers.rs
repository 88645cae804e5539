//! Several processes that serve one log: each has an adapter of its own, and what it remembers may be old.

use std::io::Read;

use branchline_artifacts::S3Artifacts;
use branchline_model::{AttemptId, LineTime, Timestamp};
use branchline_ports::{ArtifactError, Artifacts, LineStart, LogLength, Place};
use flate2::read::MultiGzDecoder;

use crate::emulator::Emulator;

pub fn attempt() -> AttemptId {
    "app-1/12/3/1".parse().unwrap()
}

pub fn pattern(offset: u64, length: usize) -> Vec<u8> {
    (offset..).take(length).map(|at| (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect()
}

pub async fn whole(artifacts: &S3Artifacts) -> (Vec<u8>, LogLength) {
    let part = artifacts.read_log(&attempt(), 0, usize::MAX).await.unwrap();
    (part.bytes, part.log)
}

/// The plain text of the one compressed object, as any tool unpacks it.
pub async fn unpacked(emulator: &Emulator) -> Vec<u8> {
    let packed = emulator.memory.bytes("logs/app-1/12/3.1/log.gz").await.unwrap();
    let mut plain = Vec::new();
    MultiGzDecoder::new(packed.as_slice()).read_to_end(&mut plain).unwrap();
    plain
}

#[test]
fn two_processes_that_append_in_turn_and_cut_otherwise_make_one_log() {
    let emulator = Emulator::start();
    emulator.carry_out(async {
        let processes = [emulator.artifacts(), emulator.artifacts()];
        let bytes = pattern(0, 3_000_000);
        let mut sent = 0;
        for (turn, size) in [7, 100_000, 3, 1_000_000, 50, 200_000, 999_999].into_iter().cycle().enumerate() {
            // Each begins where it, or the other, was; and says again some of what was said.
            let from = usize::saturating_sub(sent, turn % 3 * 40_000);
            let to = bytes.len().min(sent + size);
            let stored = processes[turn % 2].append_log(&attempt(), from as u64, &bytes[from..to], &[]).await;
            assert_eq!(stored, Ok(to as u64));
            sent = to;
            if sent == bytes.len() {
                break;
            }
        }
        for process in &processes {
            assert!(whole(process).await.0 == bytes);
        }
        let log = LogLength { bytes: 3_000_000, closed: true };
        assert_eq!(processes[0].close_log(&attempt()).await, Ok(log));
        assert_eq!(processes[1].close_log(&attempt()).await, Ok(log));
        assert!(unpacked(&emulator).await == bytes);
    });
}

#[test]
fn at_the_same_time_two_processes_store_each_byte_once() {
    let emulator = Emulator::start();
    emulator.carry_out(async {
        let bytes = pattern(0, 2_500_000);
        let mut tasks = Vec::new();
        for process in 0..4_usize {
            let (artifacts, bytes) = (emulator.artifacts(), bytes.clone());
            tasks.push(tokio::spawn(async move {
                let mut sent = 0;
                while sent < bytes.len() {
                    let end = bytes.len().min(sent + 60_000 + process * 33_333);
                    match artifacts.append_log(&attempt(), sent as u64, &bytes[sent..end], &[]).await {
                        Ok(stored) => sent = usize::try_from(stored).unwrap(),
                        Err(ArtifactError::Gap { stored, .. }) => sent = usize::try_from(stored).unwrap(),
                        Err(error) => panic!("{error}"),
                    }
                }
            }));
        }
        for task in tasks {
            task.await.unwrap();
        }
        let artifacts = emulator.artifacts();
        assert!(whole(&artifacts).await.0 == bytes);
        artifacts.close_log(&attempt()).await.unwrap();
        assert!(unpacked(&emulator).await == bytes);
        let keys = emulator.memory.keys().await;
        assert_eq!(keys, ["logs/app-1/12/3.1/head", "logs/app-1/12/3.1/log.gz"], "nothing else is left");
    });
}

#[test]
fn a_process_that_remembers_an_open_log_is_told_that_it_is_closed() {
    let emulator = Emulator::start();
    emulator.carry_out(async {
        let [late, other] = [emulator.artifacts(), emulator.artifacts()];
        late.append_log(&attempt(), 0, b"one", &[]).await.unwrap();
        other.append_log(&attempt(), 3, b" two", &[]).await.unwrap();
        other.close_log(&attempt()).await.unwrap();
        for (offset, bytes) in [(3, &b" two and more"[..]), (7, b" more")] {
            let refused = late.append_log(&attempt(), offset, bytes, &[]).await;
            assert_eq!(refused, Err(ArtifactError::Closed { attempt: attempt() }));
        }
        assert_eq!(whole(&late).await.0, b"one two");
    });
}

#[test]
fn of_processes_that_close_at_once_each_is_answered_and_one_object_is_made() {
    let emulator = Emulator::start();
    emulator.carry_out(async {
        let bytes = pattern(0, 2_200_000);
        let first = emulator.artifacts();
        first.append_log(&attempt(), 0, &bytes[..1_100_000], &[]).await.unwrap();
        first.append_log(&attempt(), 1_100_000, &bytes[1_100_000..], &[]).await.unwrap();
        let mut tasks = Vec::new();
        for _ in 0..6 {
            let artifacts = emulator.artifacts();
            tasks.push(tokio::spawn(async move { artifacts.close_log(&attempt()).await }));
        }
        for task in tasks {
            assert_eq!(task.await.unwrap(), Ok(LogLength { bytes: 2_200_000, closed: true }));
        }
        assert!(whole(&first).await.0 == bytes);
        assert!(unpacked(&emulator).await == bytes);
        assert_eq!(emulator.memory.keys().await.len(), 2);
    });
}

#[test]
fn line_three_million_of_a_closed_log_is_one_ranged_read() {
    let emulator = Emulator::start();
    emulator.carry_out(async {
        let writer = emulator.artifacts();
        let part = b"0123456789abcdef\n".repeat(250_000);
        let mut stored = 0;
        for _ in 0..13 {
            let times = [LineTime { offset: stored, at: Timestamp(stored as i64) }];
            stored = writer.append_log(&attempt(), stored, &part, &times).await.unwrap();
        }
        writer.close_log(&attempt()).await.unwrap();
        assert_eq!(stored, 13 * 4_250_000, "about 55 MB");
        let reader = emulator.artifacts();
        emulator.requests();
        let line = reader.find_line(&attempt(), Place::Line(3_000_000)).await.unwrap();
        assert_eq!(line, LineStart { number: 3_000_000, offset: 2_999_999 * 17 });
        let read = reader.read_log(&attempt(), line.offset, 17).await.unwrap();
        assert_eq!(read.bytes, b"0123456789abcdef\n");
        assert_eq!(read.times, [LineTime { offset: 11 * 4_250_000, at: Timestamp(11 * 4_250_000) }]);
        let requests = emulator.requests();
        let [index, range] = requests.as_slice() else { panic!("{requests:?}") };
        assert!(index.starts_with("GET ") && index.ends_with("/head"), "{index}");
        assert!(range.starts_with("GET ") && range.ends_with("/log.gz"), "{range}");
        reader.find_line(&attempt(), Place::Line(2_000_000)).await.unwrap();
        assert_eq!(emulator.requests().len(), 1, "the index is remembered");
    });
}
