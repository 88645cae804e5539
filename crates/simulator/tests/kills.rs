//! Shorter histories on a SQLite store in a process of its own, which is killed over commits.

use std::path::Path;

use branchline_simulator::simulate_kills;

#[test]
fn a_store_that_is_killed_over_its_commits_keeps_every_promise() {
    let mut kills = 0;
    let nightly = std::env::var_os("BRANCHLINE_TEST_NIGHTLY").is_some_and(|value| value == "1");
    for seed in 1..=if nightly { 200 } else { 5 } {
        let folder = tempfile::tempdir().unwrap();
        let program = Path::new(env!("CARGO_BIN_EXE_branchline-simulator"));
        let verdict = simulate_kills(seed, program, folder.path(), true).unwrap();
        if let Some(violation) = &verdict.violation {
            panic!("{}\n\nseed {seed}: {violation}", verdict.history.join("\n"));
        }
        let killed = |(fault, count): (&branchline_simulator::Fault, &u64)| {
            (*fault == branchline_simulator::Fault::StoreKilled).then_some(*count)
        };
        kills += verdict.coverage.faults.iter().filter_map(killed).sum::<u64>();
    }
    assert!(kills >= 5, "the store was killed only {kills} times");
}
