//! The verbs of the situations.

use branchline_model::{AttemptId, LineTime, Timestamp};
use branchline_ports::{Artifacts, LogLength};

/// An attempt: the how-manieth of a run of one build.
pub(super) fn attempt(number: u32) -> AttemptId {
    format!("app-1f3c9a2e04/12/3/{number}").parse().unwrap()
}

/// A time for the line that begins at an offset.
pub(super) fn time(offset: u64, millis: i64) -> LineTime {
    LineTime { offset, at: Timestamp(millis) }
}

/// Appends without times, where nothing stands in the way.
pub(super) async fn append(artifacts: &dyn Artifacts, attempt: &AttemptId, offset: u64, bytes: &[u8]) -> u64 {
    artifacts.append_log(attempt, offset, bytes, &[]).await.unwrap()
}

/// All bytes of a log, and how long it is said to be.
pub(super) async fn whole(artifacts: &dyn Artifacts, attempt: &AttemptId) -> (Vec<u8>, LogLength) {
    let part = artifacts.read_log(attempt, 0, usize::MAX).await.unwrap();
    assert_eq!(part.offset, 0);
    assert_eq!(part.log.bytes, part.bytes.len() as u64);
    (part.bytes, part.log)
}

/// Bytes that differ from place to place, so that one in the wrong place is seen.
pub(super) fn pattern(offset: u64, length: usize) -> Vec<u8> {
    // A Weyl sequence: its high byte has no short period.
    (offset..).take(length).map(|at| (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect()
}
