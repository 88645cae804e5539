//! What every back end of a port must do. Invariant: a situation is a plain function over the port's trait, knows no
//! back end, and leaves nothing it relies on to the situation before; each gets a back end that holds nothing yet.
//!
//! In a back end's tests, one line makes each situation a test of its name:
//!
//! ```ignore
//! mod sqlite {
//!     fn opened() -> (SqliteStore, TempDir) { /* the back end, and what must outlive it */ }
//!     branchline_testkit::store_conformance!(opened());
//! }
//! ```

#![expect(clippy::unwrap_used, reason = "a situation says that a promise is broken by panicking")]

pub mod artifacts;
pub mod store;

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, TestRunner};

/// Carries a situation out, with threads of its own.
pub fn carry_out<T>(situation: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
        .block_on(situation)
}

/// Carries the same work out in several threads at once, each with a runtime of its own; `work` gets the thread's
/// number, from 0.
fn in_threads<T: Send, F: Future<Output = T>>(threads: usize, work: impl Fn(usize) -> F + Sync) -> Vec<T> {
    std::thread::scope(|scope| {
        let work = &work;
        let started: Vec<_> = (0..threads)
            .map(|number| {
                scope.spawn(move || {
                    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                    runtime.block_on(work(number))
                })
            })
            .collect();
        started.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

/// Carries a property out for many values, each made smaller where it fails. The runner waits in a thread of its own,
/// because a runtime's thread must not.
fn for_all<S: Strategy + Sync, F: Future<Output = ()>>(
    cases: u32,
    values: &S,
    property: impl Fn(S::Value) -> F + Sync,
) {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let outcome = std::thread::scope(|scope| {
        let runner = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let outcome = TestRunner::new(config).run(values, |value| {
                runtime.block_on(property(value));
                Ok(())
            });
            outcome.map_err(|error| error.to_string())
        });
        runner.join().unwrap()
    });
    assert_eq!(outcome, Ok(()));
}

/// Makes tests of a suite's situations; see `store_conformance!` and `artifacts_conformance!`. With a reason, they are
/// ignored for it.
#[doc(hidden)]
#[macro_export]
macro_rules! conform {
    ($suite:ident, $open:expr; $($situation:ident)*) => {$(
        #[test]
        fn $situation() {
            $crate::conform!(@carry_out $suite, $situation, $open)
        }
    )*};
    ($suite:ident, $open:expr, ignored $reason:literal; $($situation:ident)*) => {$(
        #[test]
        #[ignore = $reason]
        fn $situation() {
            $crate::conform!(@carry_out $suite, $situation, $open)
        }
    )*};
    (@carry_out $suite:ident, $situation:ident, $open:expr) => {{
        let (port, kept) = $open;
        $crate::conformance::carry_out($crate::conformance::$suite::$situation(&port));
        drop(port);
        drop(kept);
    }};
}

#[cfg(test)]
mod tests {
    /// The names of the functions that a file offers.
    fn situations(source: &str) -> impl Iterator<Item = &str> {
        source
            .lines()
            .filter_map(|line| line.strip_prefix("pub async fn ")?.split_once('(').map(|(name, _)| name))
    }

    fn every_one_is_carried_out(list: &str, sources: &[&str]) {
        let listed: Vec<&str> = list.lines().map(str::trim).collect();
        let mut seen = 0;
        for situation in sources.iter().flat_map(|source| situations(source)) {
            assert!(listed.contains(&situation), "{situation} is carried out by no back end: list it");
            seen += 1;
        }
        assert!(seen > 10, "only {seen} situations were found");
    }

    #[test]
    fn every_situation_of_the_store_is_carried_out() {
        every_one_is_carried_out(
            include_str!("conformance/store.rs"),
            &[
                include_str!("conformance/store/commits.rs"),
                include_str!("conformance/store/pages.rs"),
                include_str!("conformance/store/rows.rs"),
            ],
        );
    }

    #[test]
    fn every_situation_of_the_artifacts_is_carried_out() {
        every_one_is_carried_out(
            include_str!("conformance/artifacts.rs"),
            &[
                include_str!("conformance/artifacts/appends.rs"),
                include_str!("conformance/artifacts/deletes.rs"),
                include_str!("conformance/artifacts/objects.rs"),
                include_str!("conformance/artifacts/reads.rs"),
            ],
        );
    }
}
