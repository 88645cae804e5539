//! Properties of the core: any graph, any ends in any order, any stop in between.

use crate::world::World;
use branchline_model::{Actor, Outcome, RunStatus, Stop};
use proptest::prelude::*;

/// Jobs `j0…`, each needing some of those before it, some allowed to fail.
fn graph() -> impl Strategy<Value = String> {
    (1usize..9)
        .prop_flat_map(|count| {
            let jobs: Vec<_> = (0..count)
                .map(|index| (proptest::collection::vec(any::<bool>(), index), any::<bool>()))
                .collect();
            jobs
        })
        .prop_map(|jobs| {
            let mut text = String::from("on: push\njobs:\n");
            for (index, (needs, allow)) in jobs.iter().enumerate() {
                let needs: Vec<String> = needs
                    .iter()
                    .enumerate()
                    .filter(|(_, need)| **need)
                    .map(|(other, _)| format!("j{other}"))
                    .collect();
                text.push_str(&format!(
                    "  j{index}: {{process: true, allow_failure: {allow}, needs: [{}], steps: ['true']}}\n",
                    needs.join(", ")
                ));
            }
            text
        })
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        4 => Just(Outcome::Passed),
        1 => Just(Outcome::Failed),
        1 => Just(Outcome::Errored),
        1 => Just(Outcome::TimedOut),
    ]
}

proptest! {
    #[test]
    fn every_build_comes_to_its_end_and_leaves_nothing_waiting(
        graph in graph(),
        ends in proptest::collection::vec((any::<prop::sample::Index>(), outcome()), 9),
        stop_after in proptest::option::of(0usize..9),
    ) {
        let mut world = World::new(&[("ci", &graph)]);
        world.push("main");
        let mut steps = 0;
        for (which, outcome) in ends.iter().cycle() {
            let open: Vec<String> = world
                .runs(1)
                .iter()
                .filter_map(|run| run.strip_suffix(" queued").or_else(|| run.strip_suffix(" starting")))
                .map(str::to_owned)
                .collect();
            if open.is_empty() {
                break;
            }
            if stop_after == Some(steps) {
                world.claim_next();
                world.stop_build(1, &Stop::Cancelled { by: Actor::new("ann") });
                steps += 1;
                continue;
            }
            world.end(which.get::<String>(&open).as_str(), *outcome);
            steps += 1;
            prop_assert!(steps < 30, "it never ends: {:?}", world.runs(1));
        }
        let runs = world.runs(1);
        for run in &runs {
            let job = run.split(' ').next().unwrap();
            prop_assert!(matches!(world.run(1, job), RunStatus::Ended(_)), "{runs:?}");
        }
        prop_assert!(world.build_reason(1).is_some() || world.builds() == ["ci passed"] || world.builds() == ["ci skipped"]);
        let left: Vec<_> = world.leftovers().into_iter().filter(|key| !key.partition.ends_with("-effects")).collect();
        prop_assert!(left.is_empty(), "{left:?}");
    }
}
