//! What a part of a log holds: its bytes, the times that hold within it, and how long the log was.

use branchline_model::LineTime;
use branchline_ports::{Artifacts, LogLength};

use super::log::{append, attempt, pattern, time, whole};
use crate::conformance::in_threads;

/// Parts of every size from every offset, of an open log and of a closed one.
pub async fn a_log_is_read_in_parts_cut_at_any_byte(artifacts: &dyn Artifacts) {
    const LENGTH: usize = 37;
    for offset in (0..LENGTH).step_by(10) {
        append(artifacts, &attempt(1), offset as u64, &pattern(offset as u64, 10.min(LENGTH - offset))).await;
    }
    for closed in [false, true] {
        if closed {
            artifacts.close_log(&attempt(1)).await.unwrap();
        }
        for offset in 0..=LENGTH + 2 {
            for most in 0..=LENGTH + 2 {
                let part = artifacts.read_log(&attempt(1), offset as u64, most).await.unwrap();
                assert_eq!(part.offset, offset as u64);
                assert_eq!(part.bytes, pattern(offset as u64, most.min(LENGTH.saturating_sub(offset))));
                assert_eq!(part.log, LogLength { bytes: LENGTH as u64, closed });
            }
        }
    }
}

/// Nobody knows how long a log is before asking.
pub async fn nothing_is_read_beyond_the_end(artifacts: &dyn Artifacts) {
    artifacts.append_log(&attempt(1), 0, b"one\n", &[time(0, 1)]).await.unwrap();
    for offset in [4, 5, 1 << 40, u64::MAX] {
        let part = artifacts.read_log(&attempt(1), offset, usize::MAX).await.unwrap();
        assert_eq!((part.offset, part.bytes.len(), part.log.bytes), (offset, 0, 4));
        assert_eq!(part.times, [], "no byte, no time");
    }
}

/// The time of the line that a part begins within, and those of all lines that begin in it.
pub async fn the_times_that_hold_within_a_part_come_with_it(artifacts: &dyn Artifacts) {
    artifacts.append_log(&attempt(1), 0, b"one\ntwo\n", &[time(0, 100), time(4, 200)]).await.unwrap();
    artifacts.append_log(&attempt(1), 8, b"three\nfo", &[time(8, 300), time(14, 400)]).await.unwrap();
    artifacts.append_log(&attempt(1), 16, b"ur\nfive\n", &[time(19, 500)]).await.unwrap();
    let all = [time(0, 100), time(4, 200), time(8, 300), time(14, 400), time(19, 500)];
    for closed in [false, true] {
        if closed {
            artifacts.close_log(&attempt(1)).await.unwrap();
        }
        for offset in 0..24_u64 {
            for most in 1..25_usize {
                let part = artifacts.read_log(&attempt(1), offset, most).await.unwrap();
                let end = offset + part.bytes.len() as u64;
                let first = all.iter().rposition(|time| time.offset <= offset).unwrap();
                let expected: Vec<LineTime> =
                    all[first..].iter().copied().filter(|time| time.offset < end).collect();
                assert_eq!(part.times, expected, "{most} bytes from {offset}");
            }
        }
    }
}

/// An append that is sent again brings its times again; cut elsewhere, it may bring some that were not sent before.
pub async fn times_that_are_sent_again_are_kept_once(artifacts: &dyn Artifacts) {
    let times = [time(0, 100), time(4, 200), time(8, 300)];
    for (length, times) in
        [(4, &times[..1]), (8, &times[..2]), (8, &times[..2]), (12, &times[..]), (12, &times[..])]
    {
        let bytes = &b"one\ntwo\nten\n"[..length];
        artifacts.append_log(&attempt(1), 0, bytes, times).await.unwrap();
    }
    let part = artifacts.read_log(&attempt(1), 0, 100).await.unwrap();
    assert_eq!(part.times, times);
}

/// Bytes before the first time have no time; those after it have the last one.
pub async fn bytes_without_times_have_none(artifacts: &dyn Artifacts) {
    append(artifacts, &attempt(1), 0, b"one\n").await;
    assert_eq!(artifacts.read_log(&attempt(1), 0, 100).await.unwrap().times, []);
    artifacts.append_log(&attempt(1), 4, b"two\n", &[time(4, 200)]).await.unwrap();
    append(artifacts, &attempt(1), 8, b"three\n").await;
    assert_eq!(artifacts.read_log(&attempt(1), 0, 4).await.unwrap().times, []);
    assert_eq!(artifacts.read_log(&attempt(1), 0, 5).await.unwrap().times, [time(4, 200)]);
    assert_eq!(artifacts.read_log(&attempt(1), 9, 5).await.unwrap().times, [time(4, 200)]);
}

/// A reader that goes on from where it was, while another appends and closes, has the whole log in the end.
pub async fn a_reader_that_follows_sees_every_byte_once(artifacts: &dyn Artifacts) {
    const LENGTH: u64 = 200_000;
    let attempt = attempt(1);
    in_threads(3, |thread| {
        let attempt = &attempt;
        async move {
            if thread == 0 {
                let mut stored = 0;
                while stored < LENGTH {
                    let length = (LENGTH - stored).min(1 + stored % 997) as usize;
                    stored = append(artifacts, attempt, stored, &pattern(stored, length)).await;
                }
                artifacts.close_log(attempt).await.unwrap();
                return;
            }
            let mut read = 0;
            loop {
                let part = artifacts.read_log(attempt, read, 4_096).await.unwrap();
                assert!(part.bytes == pattern(read, part.bytes.len()), "the part at {read}");
                read += part.bytes.len() as u64;
                assert!(read <= part.log.bytes);
                if part.log.closed && read == part.log.bytes {
                    break;
                }
            }
            assert_eq!(read, LENGTH);
        }
    });
    assert_eq!(whole(artifacts, &attempt).await.1, LogLength { bytes: LENGTH, closed: true });
}
