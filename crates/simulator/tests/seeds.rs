//! The ordinary run: so many seeds break no promise, and a seed says all of its history.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot be set up has failed")]

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use branchline_simulator::{Coverage, Ground, LEAST_FAULTS, Verdict, missing, simulate};

/// As many as `cargo xtask simulate` takes where it is told nothing else; in the nightly run many more.
fn seeds() -> u64 {
    let nightly = std::env::var_os("BRANCHLINE_TEST_NIGHTLY").is_some_and(|value| value == "1");
    if nightly { 10_000 } else { 500 }
}

/// The seed's verdict; a violation fails the test with the whole history.
fn keeps_every_promise(seed: u64) -> Verdict {
    let verdict = simulate(seed, Ground::of(seed), false).unwrap();
    if let Some(violation) = &verdict.violation {
        let history = simulate(seed, Ground::of(seed), true).unwrap().history.join("\n");
        panic!("{history}\n\nseed {seed}: {violation}\nagain: cargo xtask simulate --seeds 1 --seed {seed}");
    }
    verdict
}

#[test]
fn no_seed_breaks_a_promise_and_together_they_meet_everything_with_every_fault() {
    let seeds = seeds();
    let (next, coverage) = (AtomicU64::new(1), Mutex::new(Coverage::default()));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed > seeds {
                        return;
                    }
                    let verdict = keeps_every_promise(seed);
                    let injected = verdict.coverage.injected();
                    assert!(injected >= LEAST_FAULTS, "seed {seed} had only {injected} faults");
                    coverage.lock().unwrap().add(&verdict.coverage);
                }
            });
        }
    });
    let coverage = coverage.into_inner().unwrap();
    let missing = missing(&coverage);
    assert!(missing.is_empty(), "{}\nnot met:\n{}", coverage.table(), missing.join("\n"));
}

#[test]
fn bytes_of_an_artifact_that_are_sent_twice_do_not_remove_it_once_it_has_its_name() {
    keeps_every_promise(89);
}

#[test]
fn an_upload_that_is_noted_once_more_after_its_naming_takes_nothing_from_it() {
    for seed in [408, 1_138] {
        keeps_every_promise(seed);
    }
}

#[test]
fn an_event_that_was_put_off_is_not_forgotten_when_the_clock_is_set_back() {
    keeps_every_promise(1_372);
}

#[test]
fn the_same_seed_makes_the_same_history_byte_for_byte() {
    for seed in [3, 8, 77, 1_234_566] {
        let (one, other) = (
            simulate(seed, Ground::of(seed), true).unwrap(),
            simulate(seed, Ground::of(seed), true).unwrap(),
        );
        assert!(one.history.len() > 100, "seed {seed} has no history to speak of");
        assert_eq!(one.history, other.history, "seed {seed}");
        let silent = simulate(seed, Ground::of(seed), false).unwrap();
        assert_eq!(
            (silent.steps, silent.commits),
            (one.steps, one.commits),
            "writing it down changes seed {seed}"
        );
    }
}
