//! What an append adds, what it leaves alone, and when it is refused.

use std::sync::atomic::{AtomicU32, Ordering};

use branchline_ports::{ArtifactError, Artifacts, LogLength};

use super::log::{append, attempt, pattern, time, whole};
use crate::conformance::{for_all, in_threads};

/// No log is an empty one that is open.
pub async fn a_log_that_nothing_was_appended_to_reads_as_empty(artifacts: &dyn Artifacts) {
    let log = LogLength { bytes: 0, closed: false };
    assert_eq!(artifacts.log_length(&attempt(1)).await.unwrap(), log);
    assert_eq!(whole(artifacts, &attempt(1)).await, (Vec::new(), log));
    assert_eq!(append(artifacts, &attempt(1), 0, b"").await, 0);
    assert_eq!(whole(artifacts, &attempt(1)).await, (Vec::new(), log));
}

/// Every byte there is, line ends of every kind, halves of characters.
pub async fn bytes_come_back_as_they_were_appended(artifacts: &dyn Artifacts) {
    let every: Vec<u8> = (0..=255).chain((0..=255).rev()).collect();
    let parts: [&[u8]; 5] = [&every, b"\r\n\n\r\0", b"\xe6\xbc", b"\xa2", b"\x1b[31mred\x1b[0m"];
    let mut expected = Vec::new();
    for part in parts {
        let stored = append(artifacts, &attempt(1), expected.len() as u64, part).await;
        expected.extend_from_slice(part);
        assert_eq!(stored, expected.len() as u64);
    }
    assert_eq!(whole(artifacts, &attempt(1)).await.0, expected);
    let length = artifacts.log_length(&attempt(1)).await.unwrap();
    assert_eq!(length, LogLength { bytes: expected.len() as u64, closed: false });
}

/// The answer was lost: sending all of it, or an older part, again is harmless and answers what is stored.
pub async fn appending_again_changes_nothing(artifacts: &dyn Artifacts) {
    append(artifacts, &attempt(1), 0, b"one two three").await;
    for (offset, bytes) in [(0, &b"one two three"[..]), (0, b"one"), (4, b"two"), (13, b""), (5, b"")] {
        assert_eq!(append(artifacts, &attempt(1), offset, bytes).await, 13);
        assert_eq!(whole(artifacts, &attempt(1)).await.0, b"one two three");
    }
}

/// What is there is passed over, the rest is added.
pub async fn an_overlapping_append_adds_only_what_is_new(artifacts: &dyn Artifacts) {
    append(artifacts, &attempt(1), 0, b"one ").await;
    assert_eq!(append(artifacts, &attempt(1), 2, b"e two").await, 7);
    assert_eq!(append(artifacts, &attempt(1), 0, b"one two three").await, 13);
    assert_eq!(whole(artifacts, &attempt(1)).await.0, b"one two three");
}

/// Bytes between are missing: nothing is stored, and the answer says from where on to send.
pub async fn an_append_beyond_the_end_is_a_gap(artifacts: &dyn Artifacts) {
    for (stored, offset) in [(0, 1), (0, u64::MAX), (3, 4), (3, u64::MAX)] {
        if stored > 0 {
            append(artifacts, &attempt(1), 0, b"one").await;
        }
        for bytes in [&b"x"[..], b""] {
            let gap = artifacts.append_log(&attempt(1), offset, bytes, &[]).await;
            assert_eq!(gap, Err(ArtifactError::Gap { attempt: attempt(1), stored, offset }));
        }
        assert_eq!(whole(artifacts, &attempt(1)).await.0.len() as u64, stored);
    }
}

/// Closed is closed: for what is new, and for what is there.
pub async fn a_closed_log_takes_nothing_more(artifacts: &dyn Artifacts) {
    append(artifacts, &attempt(1), 0, b"one").await;
    let log = artifacts.close_log(&attempt(1)).await.unwrap();
    assert_eq!(log, LogLength { bytes: 3, closed: true });
    for (offset, bytes) in [(3, &b" two"[..]), (0, b"one"), (0, b""), (9, b"x")] {
        let refused = artifacts.append_log(&attempt(1), offset, bytes, &[]).await;
        assert_eq!(refused, Err(ArtifactError::Closed { attempt: attempt(1) }), "at {offset}");
    }
    assert_eq!(whole(artifacts, &attempt(1)).await, (b"one".to_vec(), log));
    assert_eq!(artifacts.log_length(&attempt(1)).await.unwrap(), log);
}

/// The answer was lost, or two say so at once.
pub async fn closing_twice_is_closing_once(artifacts: &dyn Artifacts) {
    append(artifacts, &attempt(1), 0, b"one").await;
    let log = LogLength { bytes: 3, closed: true };
    let at_once = in_threads(8, |_| async { artifacts.close_log(&attempt(1)).await });
    assert_eq!(at_once, vec![Ok(log); 8]);
    assert_eq!(artifacts.close_log(&attempt(1)).await, Ok(log));
    assert_eq!(whole(artifacts, &attempt(1)).await, (b"one".to_vec(), log));
}

/// A step may print nothing.
pub async fn an_empty_log_can_be_closed(artifacts: &dyn Artifacts) {
    let log = LogLength { bytes: 0, closed: true };
    assert_eq!(artifacts.close_log(&attempt(1)).await, Ok(log));
    assert_eq!(whole(artifacts, &attempt(1)).await, (Vec::new(), log));
    let refused = artifacts.append_log(&attempt(1), 0, b"late", &[]).await;
    assert_eq!(refused, Err(ArtifactError::Closed { attempt: attempt(1) }));
}

/// A late writer of an older attempt cannot touch a newer one's log; nor can runs or builds with like numbers.
pub async fn attempts_have_logs_of_their_own(artifacts: &dyn Artifacts) {
    let attempts =
        ["app-1/1/1/1", "app-1/1/1/2", "app-1/1/11/1", "app-1/11/1/1", "app-2/1/1/1", "app-1/1/1/11"];
    let attempts = attempts.map(|text| text.parse().unwrap());
    for attempt in &attempts {
        append(artifacts, attempt, 0, attempt.to_string().as_bytes()).await;
    }
    artifacts.close_log(&attempts[0]).await.unwrap();
    for (index, attempt) in attempts.iter().enumerate() {
        let (bytes, log) = whole(artifacts, attempt).await;
        assert_eq!(bytes, attempt.to_string().as_bytes());
        assert_eq!(log.closed, index == 0, "{attempt}");
    }
}

/// Two that follow the same process cut its output at different places and send at once; each begins again where
/// it is told that bytes are missing.
pub async fn followers_that_append_the_same_bytes_at_once_do_not_double_one(artifacts: &dyn Artifacts) {
    let cuts = || proptest::collection::vec((1_usize..600, 0_usize..40), 1..30);
    let number = AtomicU32::new(1);
    for_all(48, &(0_usize..4_000, [cuts(), cuts()]), |(length, cuts)| {
        let attempt = attempt(number.fetch_add(1, Ordering::Relaxed));
        let bytes = pattern(0, length);
        async move {
            in_threads(2, |follower| {
                let (attempt, bytes, cuts) = (&attempt, &bytes, &cuts[follower]);
                async move {
                    let mut cuts = cuts.iter().cycle();
                    let mut sent = 0;
                    while sent < bytes.len() {
                        let Some((size, back)) = cuts.next() else { break };
                        let from = sent.saturating_sub(*back);
                        let to = bytes.len().min(from + back + size);
                        let stored = append(artifacts, attempt, from as u64, &bytes[from..to]).await;
                        assert!(stored >= to as u64, "{stored} bytes after {to} were sent");
                        sent = to;
                    }
                }
            });
            assert!(whole(artifacts, &attempt).await.0 == bytes, "of {length} bytes");
        }
    });
}

/// One appends while another closes: every append is answered by what is there in the end, or refused whole.
pub async fn closing_meets_appending_and_the_log_is_what_was_acknowledged(artifacts: &dyn Artifacts) {
    for number in 1..=20 {
        let attempt = attempt(number);
        let lengths = in_threads(2, |thread| {
            let attempt = &attempt;
            async move {
                if thread == 0 {
                    return artifacts.close_log(attempt).await.unwrap().bytes;
                }
                let mut stored = 0;
                loop {
                    match artifacts.append_log(attempt, stored, &pattern(stored, 10), &[]).await {
                        Ok(length) => stored = length,
                        Err(error) => {
                            assert_eq!(error, ArtifactError::Closed { attempt: attempt.clone() });
                            return stored;
                        }
                    }
                }
            }
        });
        let (bytes, log) = whole(artifacts, &attempt).await;
        assert!(log.closed);
        assert_eq!(lengths, vec![log.bytes; 2], "what the closer and the follower were told");
        assert!(bytes == pattern(0, bytes.len()));
    }
}

/// Memory is bounded by a part, not by the log.
pub async fn sixty_four_mebibytes_take_little_memory(artifacts: &dyn Artifacts) {
    const LENGTH: u64 = 64 << 20;
    const LINE: usize = 4 << 10;
    const PART: usize = 256 << 10;
    let before = resident_memory();
    let mut stored = 0;
    while stored < LENGTH {
        // A process that prints slowly at first, and then much.
        let size = if stored < 1 << 19 { LINE } else { PART };
        let lines = (0..size as u64).step_by(LINE);
        let times: Vec<_> = lines.map(|line| time(stored + line, (stored + line) as i64)).collect();
        stored = artifacts.append_log(&attempt(1), stored, &pattern(stored, size), &times).await.unwrap();
    }
    let log = artifacts.close_log(&attempt(1)).await.unwrap();
    assert_eq!(log, LogLength { bytes: LENGTH, closed: true });
    let mut read = 0;
    while read < LENGTH {
        let part = artifacts.read_log(&attempt(1), read, PART).await.unwrap();
        assert!(part.bytes == pattern(read, PART), "the part at {read}");
        assert_eq!(part.times.len(), PART / LINE);
        read += part.bytes.len() as u64;
    }
    if let (Some(before), Some(after)) = (before, resident_memory()) {
        let grown = after.saturating_sub(before) >> 20;
        // Some of it is the server's, where one runs in this process.
        assert!(grown < LENGTH >> 20, "{grown} MiB more memory than before");
    }
}

/// How many bytes of memory this process has resident; `None` where the system does not say.
fn resident_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kibibytes << 10)
}
