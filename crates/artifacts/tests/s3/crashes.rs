//! Whoever dies between any two requests, whether the last one was carried out or not, is followed by another who finds the log as
//! it was acknowledged, and can go on.

use branchline_ports::{Artifacts, LogLength};

use crate::emulator::{Emulator, Fails};
use crate::writers::{attempt, pattern, unpacked, whole};

/// Dies at each request of some work in turn, and lets another do it again; answers how many requests it takes to be done.
fn die_at_every_request(before: &[usize], length: usize) -> usize {
    let bytes = pattern(0, length);
    for number in 0..100 {
        for how in [Fails::Before, Fails::After] {
            let emulator = Emulator::start();
            let done = emulator.carry_out(async {
                let first = emulator.artifacts();
                let mut stored = 0;
                for size in before {
                    stored = first
                        .append_log(&attempt(), stored as u64, &bytes[stored..stored + size], &[])
                        .await
                        .unwrap() as usize;
                }
                // Whoever closes knows nothing yet, as a new function does.
                let closer = emulator.artifacts();
                emulator.fail_from(number, how);
                let closed = async {
                    closer.append_log(&attempt(), stored as u64, &bytes[stored..], &[]).await?;
                    closer.close_log(&attempt()).await
                };
                let closed = closed.await;
                emulator.heal();
                let log = LogLength { bytes: length as u64, closed: true };
                let is_done = closed.is_ok();

                let next = emulator.artifacts();
                let (there, log_then) = whole(&next).await;
                assert!(there.len() >= stored && bytes.starts_with(&there), "at request {number}, {how:?}");
                if is_done {
                    assert_eq!((closed.unwrap(), log_then), (log, log));
                }
                if !log_then.closed {
                    // A sealed log takes no more: what was sealed is what there is.
                    let more =
                        next.append_log(&attempt(), there.len() as u64, &bytes[there.len()..], &[]).await;
                    assert!(more.is_ok() || there.len() == length, "{more:?}");
                }
                assert_eq!(next.close_log(&attempt()).await, Ok(log));
                assert!(whole(&next).await.0 == bytes && unpacked(&emulator).await == bytes);
                let keys = emulator.memory.keys().await;
                assert_eq!(keys.len(), 2, "at request {number}, {how:?}: {keys:?}");
                is_done
            });
            if done && how == Fails::Before {
                return number;
            }
        }
    }
    panic!("it is never done");
}

#[test]
fn a_small_log_is_closed_by_the_next_whoever_dies_at_any_request() {
    let requests = die_at_every_request(&[300], 1_000);
    assert_eq!(
        requests, 5,
        "the head is read, put with more, sealed; the log is compressed; and the head names it"
    );
}

#[test]
fn a_log_in_chunks_is_closed_by_the_next_whoever_dies_at_any_request() {
    assert!(die_at_every_request(&[1_200_000, 1_200_000, 10], 2_500_000) >= 8);
}
