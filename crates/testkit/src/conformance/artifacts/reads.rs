//! What a part of a log holds: its bytes, the times that hold within it, and how long the log was.

use branchline_model::LineTime;
use branchline_ports::{Artifacts, LineStart, LogLength, Place};

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

/// Lines are found by number and by any of their bytes, while the log is open and when it is closed; what is asked for beyond
/// the end is the last line. Some lines are empty, one is longer than any part that is kept together.
pub async fn lines_are_found_by_number_and_by_offset(artifacts: &dyn Artifacts) {
    let attempt = attempt(1);
    let mut log = Vec::new();
    for line in 0..9_000_usize {
        let length = if line == 4_500 { 2_500_000 } else { line * 7 % 150 };
        log.extend(std::iter::repeat_n(b'a' + (line % 26) as u8, length));
        log.push(b'\n');
    }
    log.extend_from_slice(b"and no end");
    let starts: Vec<u64> = std::iter::once(0)
        .chain(log.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at as u64 + 1))
        .collect();
    let mut stored = 0;
    for size in [1, 65_535, 65_537, 100_000, 300_001].into_iter().cycle() {
        let end = log.len().min(stored + size);
        append(artifacts, &attempt, stored as u64, &log[stored..end]).await;
        stored = end;
        if stored == log.len() {
            break;
        }
    }
    for closed in [false, true] {
        if closed {
            artifacts.close_log(&attempt).await.unwrap();
        }
        for number in [1, 2, 3, 1_000, 4_500, 4_501, 4_502, 8_999, 9_000, 9_001, 9_002, u64::MAX] {
            let index = starts.len().min(usize::try_from(number).unwrap()) - 1;
            let expected = LineStart { number: index as u64 + 1, offset: starts[index] };
            let found = artifacts.find_line(&attempt, Place::Line(number)).await.unwrap();
            assert_eq!(found, expected, "line {number}");
        }
        for offset in
            [0, 1, 70_000, 500_000, 1_500_000, starts[4_501] - 1, starts[4_501], stored as u64, u64::MAX]
        {
            let index = starts.partition_point(|start| *start <= offset) - 1;
            let expected = LineStart { number: index as u64 + 1, offset: starts[index] };
            let found = artifacts.find_line(&attempt, Place::Offset(offset)).await.unwrap();
            assert_eq!(found, expected, "offset {offset}");
        }
        assert_eq!(artifacts.verify_log(&attempt).await, Ok(Vec::new()));
    }
}

/// A log of nothing, and one that ends with its only newline.
pub async fn the_first_line_is_there_before_any_byte(artifacts: &dyn Artifacts) {
    for place in [Place::Line(1), Place::Line(7), Place::Offset(0), Place::Offset(7)] {
        assert_eq!(artifacts.find_line(&attempt(1), place).await, Ok(LineStart::FIRST));
    }
    append(artifacts, &attempt(2), 0, b"one\n").await;
    let last = LineStart { number: 2, offset: 4 };
    assert_eq!(artifacts.find_line(&attempt(2), Place::Line(2)).await, Ok(last));
    assert_eq!(artifacts.find_line(&attempt(2), Place::Offset(3)).await, Ok(LineStart::FIRST));
    assert_eq!(artifacts.find_line(&attempt(2), Place::Offset(4)).await, Ok(last));
}
