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

/// A job of many cells, as the file says it.
#[derive(Clone, Debug)]
struct Many {
    cells: usize,
    fail_fast: bool,
    max_parallel: Option<usize>,
    /// Which of the jobs before it are needed, and how they must have ended.
    needs: Vec<Option<&'static str>>,
    condition: Option<&'static str>,
}

fn many() -> impl Strategy<Value = Vec<Many>> {
    let wanted = || prop_oneof![3 => Just(None), 2 => Just(Some("passed")), 1 => Just(Some("failed")), 1 => Just(Some("any"))];
    let condition = prop_oneof![
        4 => Just(None),
        1 => Just(Some("always()")),
        1 => Just(Some("failure()")),
        1 => Just(Some("matrix.n != 2")),
        1 => Just(Some("event.branch == 'dev'")),
    ];
    (1usize..5).prop_flat_map(move |count| {
        let jobs: Vec<_> = (0..count)
            .map(|index| {
                let needs = proptest::collection::vec(wanted(), index);
                (1usize..5, any::<bool>(), proptest::option::of(1usize..3), needs, condition.clone())
                    .prop_map(|(cells, fail_fast, max_parallel, needs, condition)| Many {
                        cells,
                        fail_fast,
                        max_parallel,
                        needs,
                        condition,
                    })
            })
            .collect();
        jobs
    })
}

fn text_of(jobs: &[Many]) -> String {
    let mut text = String::from("on: push\njobs:\n");
    for (index, job) in jobs.iter().enumerate() {
        let needs: Vec<String> = job
            .needs
            .iter()
            .enumerate()
            .filter_map(|(other, wanted)| Some(format!("{{job: j{other}, status: {}}}", (*wanted)?)))
            .collect();
        let cells: Vec<String> = (1..=job.cells).map(|cell| cell.to_string()).collect();
        let parallel = job.max_parallel.map(|most| format!(", max_parallel: {most}")).unwrap_or_default();
        let condition = job.condition.map(|condition| format!(", if: \"{condition}\"")).unwrap_or_default();
        text.push_str(&format!(
            "  j{index}: {{process: true, matrix: {{n: [{}]}}, fail_fast: {}, needs: [{}], steps: ['true']{parallel}{condition}}}\n",
            cells.join(", "),
            job.fail_fast,
            needs.join(", ")
        ));
    }
    text
}

/// The runs of a job, with their states.
fn runs_of(world: &World, job: usize) -> Vec<(String, String)> {
    let prefix = format!("j{job}/");
    let runs = world.runs(1).into_iter().filter(|run| run.starts_with(&prefix));
    runs.map(|run| run.split_once(' ').map(|(label, state)| (label.to_owned(), state.to_owned())).unwrap())
        .collect()
}

proptest! {
    #[test]
    fn every_cell_comes_to_its_end_and_no_job_goes_beyond_what_it_allows(
        jobs in many(),
        ends in proptest::collection::vec((any::<prop::sample::Index>(), outcome()), 12),
    ) {
        let mut world = World::new(&[("ci", &text_of(&jobs))]);
        world.push("main");
        for (steps, (which, outcome)) in ends.iter().cycle().enumerate() {
            for (index, job) in jobs.iter().enumerate() {
                let runs = runs_of(&world, index);
                let under_way = runs.iter().filter(|(_, state)| state == "queued" || state == "starting").count();
                prop_assert!(job.max_parallel.is_none_or(|most| under_way <= most), "{runs:?}");
                let failed = runs.iter().any(|(_, state)| matches!(state.as_str(), "failed" | "errored" | "timed_out"));
                let waits = runs.iter().any(|(_, state)| state == "queued" || state == "blocked");
                prop_assert!(!(failed && waits && job.fail_fast), "{runs:?}");
            }
            let open: Vec<String> = world
                .runs(1)
                .iter()
                .filter_map(|run| run.strip_suffix(" queued").or_else(|| run.strip_suffix(" starting")))
                .map(str::to_owned)
                .collect();
            if open.is_empty() {
                break;
            }
            let chosen = which.get::<String>(&open);
            // Some are held by a worker for a while before they end, so that there is someone to tell.
            if steps % 3 == 0 && world.run(1, chosen) == RunStatus::Queued {
                world.claim(chosen);
            } else {
                world.end(chosen, *outcome);
            }
            prop_assert!(steps < 80, "it never ends: {:?}", world.runs(1));
        }
        for run in world.runs(1) {
            let label = run.split(' ').next().unwrap();
            prop_assert!(matches!(world.run(1, label), RunStatus::Ended(_)), "{:?}", world.runs(1));
        }
        prop_assert!(world.builds() != ["ci running"]);
        let left: Vec<_> = world.leftovers().into_iter().filter(|key| !key.partition.ends_with("-effects")).collect();
        prop_assert!(left.is_empty(), "{left:?}");
    }
}
