//! What the doctor finds: nothing where all is well, and what is lost or unreadable, with a cure that lets every build end.

use std::collections::BTreeSet;

use branchline_core::doctor::{Ailment, Cure, Examination, Finding};
use branchline_model::{BuildStatus, Key, Outcome, Row, Stop, Timestamp, UnreadableRow};

use crate::world::World;

const CI: &str = "
on: push
timeout: 1h
jobs:
  a: {process: true, steps: ['true']}
  b: {process: true, steps: ['true']}
  c: {process: true, needs: [a], steps: ['true']}
  d: {process: true, needs: [c, b], steps: ['true']}
";

/// A world with a build that has passed, one half way, and one that waits.
fn busy() -> World {
    let mut world = World::new(&[("ci", CI)]);
    world.push("main");
    for job in ["a", "b", "c", "d"] {
        world.end(job, Outcome::Passed);
    }
    world.push("main");
    world.end("a", Outcome::Passed);
    world.claim("b");
    world.push("other");
    assert_eq!(world.builds(), ["ci passed", "ci running", "ci running"]);
    assert_eq!(world.runs(2), ["a passed", "b starting", "c queued", "d blocked"]);
    world
}

fn examined(world: &World, poisoned: Option<&Key>) -> Vec<Finding> {
    let (first, rest): (Vec<Row>, Vec<Row>) = world
        .every()
        .into_iter()
        .map(|row| match row.key() {
            key if Some(&key) == poisoned => {
                Row::Unreadable(UnreadableRow { key, why: "it was poisoned".to_owned() })
            }
            _ => row,
        })
        .partition(|row| row.key().partition.starts_with("repositor"));
    let mut examination = Examination::default();
    first.into_iter().chain(rest).for_each(|row| examination.see(row));
    examination.conclude(Timestamp(world.now))
}

/// Applies cures until nothing is found.
fn cure(world: &mut World, key: &Key) {
    for _ in 0..8 {
        let findings = examined(world, None);
        if findings.is_empty() {
            return;
        }
        for finding in findings {
            match finding.cure {
                Cure::SetAside(keys) => keys.iter().for_each(|key| world.lose(key)),
                Cure::Write(plan) => world.apply(plan),
            }
        }
    }
    panic!("{key}: it never ends");
}

#[test]
fn where_all_is_well_nothing_is_found() {
    assert_eq!(examined(&busy(), None), []);
}

#[test]
fn whichever_row_is_poisoned_it_is_found_and_no_build_stays_for_ever_once_it_is_cured() {
    let keys: BTreeSet<Key> = busy().every().iter().map(Row::key).collect();
    assert!(keys.len() > 40, "{}", keys.len());
    for key in keys {
        let mut world = busy();
        let findings = examined(&world, Some(&key));
        assert!(
            findings.iter().any(|found| found.key == key && matches!(found.what, Ailment::Unreadable { .. })),
            "{key}"
        );
        world.lose(&key);
        cure(&mut world, &key);
        world.decide_all();
        world.advance();
        world.finish_everything();
        assert_eq!(examined(&world, None), [], "{key}, when all has ended");
        for number in 1..=3 {
            let status = world.status_if_there(number);
            assert!(
                status.is_none_or(|status| !matches!(status, BuildStatus::Running | BuildStatus::Waiting)),
                "{key}: build {number} is {status:?}"
            );
        }
        assert!(world.status_if_there(3).is_some(), "{key}");
        // What is pushed then is built under a number of its own.
        world.push("main");
        world.finish_everything();
        assert_eq!(world.status(4), BuildStatus::Passed, "{key}");
    }
}

#[test]
fn every_ailment_has_words_and_a_remedy() {
    let mut seen = BTreeSet::new();
    for key in busy().every().iter().map(Row::key).collect::<BTreeSet<_>>() {
        let mut world = busy();
        world.lose(&key);
        for Finding { what, .. } in examined(&world, None) {
            assert!(!what.to_string().is_empty() && !what.remedy().is_empty());
            let name = format!("{what:?}");
            seen.insert(name.split(['(', ' ']).next().unwrap_or_default().to_owned());
        }
    }
    let expected = [
        "AttemptLost",
        "BuildLost",
        "DeadlineLost",
        "DefinitionLost",
        "HeldInVain",
        "LaneLost",
        "LeaseEndless",
        "NotHeld",
        "NotQueued",
        "ProgressLost",
        "QueuedInVain",
        "RefBehind",
        "RepositoryLost",
        "RunDefinitionLost",
        "RunLost",
    ];
    assert_eq!(seen.iter().map(String::as_str).collect::<Vec<_>>(), expected);
}

#[test]
fn an_effect_that_nobody_would_perform_is_due_again() {
    let mut world = busy();
    world.stop_build(2, &Stop::BuildTimedOut);
    let due = world.every().into_iter().find(|row| matches!(row, Row::DueEffect(_))).unwrap().key();
    world.lose(&due);
    let found = examined(&world, None);
    assert!(matches!(&found[..], [Finding { what: Ailment::EffectNotDue(_), .. }]), "{found:?}");
    cure(&mut world, &due);
    assert!(world.every().iter().any(|row| row.key() == due));
}
