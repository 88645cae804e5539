//! What a build costs in a DynamoDB table: a build of one job that takes five minutes, from the push to its retention,
//! through the controller as it is, on a table in memory that counts as DynamoDB does. The house's targets are 25 calls that
//! write, 25 that read, and $0.05 for a thousand such builds, heartbeats counted apart; the bounds here are what is reached, so
//! that it does not get worse.
//!
//! `cargo nextest run -p branchline-controller --test cost --no-capture` prints the table.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod fixture;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use branchline_model::{AttemptEnd, StepEnd, StepRecord, Timestamp};
use branchline_ports::{Clock, WorkerProtocol};
use branchline_store::dynamo::Usage;
use branchline_testkit::conformance::carry_out;

use fixture::{Fixture, claimant, worker};

/// What part of the build's life used what.
struct Bill {
    parts: Vec<(&'static str, Usage)>,
}

impl Bill {
    fn total(&self) -> Usage {
        self.parts.iter().fold(Usage::default(), |sum, (_, usage)| sum + *usage)
    }

    fn lines(&self, table: &mut String, prices: &Prices) {
        for (part, usage) in &self.parts {
            prices.line(table, part, *usage);
        }
    }
}

/// What units cost, in dollars.
struct Prices {
    write_unit: f64,
    read_unit: f64,
}

impl Prices {
    fn read() -> Self {
        let list: serde_json::Value =
            serde_json::from_str(include_str!("../../../../infra/prices.json")).unwrap();
        let million = |name: &str| list["dynamodb"][name].as_f64().unwrap() / 1e6;
        Self { write_unit: million("million_write_units"), read_unit: million("million_read_units") }
    }

    #[expect(clippy::cast_precision_loss, reason = "a few hundred units")]
    fn of_a_thousand(&self, usage: Usage) -> f64 {
        1_000.0 * (usage.write_units as f64 * self.write_unit + usage.read_units as f64 * self.read_unit)
    }

    fn line(&self, table: &mut String, part: &str, usage: Usage) {
        let Usage { write_requests, write_units, read_requests, read_units } = usage;
        let price = self.of_a_thousand(usage);
        writeln!(
            table,
            "{part:<34} {write_requests:>6} {write_units:>6} {read_requests:>6} {read_units:>6}   ${price:.4}"
        )
        .unwrap();
    }
}

fn step(began_at: Timestamp, ended_at: Option<Timestamp>) -> StepRecord {
    let end = ended_at.map(|_| StepEnd::Exited { code: 0 });
    StepRecord { index: 0, began_at, log_offset: 0, end, ended_at }
}

/// What a build costs, and what its heartbeats do; also every partition that was seen to have rows.
async fn built(fixture: &Fixture, partitions: &mut BTreeSet<String>) -> (Bill, Bill) {
    let (controller, clock) = (&fixture.controller, &fixture.clock);
    let (mut build, mut beats) = (Vec::new(), Vec::new());

    let seen = fixture.using(controller.observe(&fixture.repository, None)).await;
    assert_eq!(seen.0.unwrap().events, 1);
    build.push(("the push is seen and stored", seen.1));

    let due = fixture.using(controller.due_events(64)).await;
    let events = due.0.unwrap();
    let resolved = fixture.using(controller.resolve_due(&events[0])).await;
    resolved.0.unwrap();
    build.push(("it becomes a build", due.1 + resolved.1));
    partitions.extend(fixture.partitions());

    let claimed = fixture.using(controller.claim(&claimant(), 1)).await;
    let assignment = claimed.0.unwrap().remove(0);
    build.push(("a worker claims its run", claimed.1));

    let lease = &assignment.lease;
    let began_at = clock.now();
    let begun = fixture.using(controller.begun(lease, began_at)).await;
    begun.0.unwrap();
    let told = fixture.using(controller.progress(lease, &[step(began_at, None)], None)).await;
    told.0.unwrap();
    build.push(("it begins, and says its step", begun.1 + told.1));
    partitions.extend(fixture.partitions());

    // Five minutes, of which the worker speaks every 15 seconds and the tick looks at leases every 60.
    let (mut heard, mut looked) = (Usage::default(), Usage::default());
    for beat in 1..=20 {
        clock.step(Duration::from_secs(15));
        let answer = fixture.using(controller.heartbeat(&worker(), std::slice::from_ref(lease))).await;
        assert_eq!(answer.0.unwrap().len(), 1);
        heard += answer.1;
        if beat % 4 == 0 {
            let look = fixture.using(controller.pass_leases()).await;
            look.0.unwrap();
            looked += look.1;
        }
    }
    beats.push(("20 heartbeats", heard));
    beats.push(("5 looks of the tick at leases", looked));

    let appended = fixture.using(controller.append_log(lease, 0, b"done\n", &[])).await;
    appended.0.unwrap();
    let report = fixture.report(AttemptEnd::Passed, began_at, step(began_at, Some(clock.now())));
    let finished = fixture.using(controller.finish(lease, report)).await;
    finished.0.unwrap();
    build.push(("it ends", appended.1 + finished.1));
    partitions.extend(fixture.partitions());

    let advanced = fixture.using(controller.advance()).await;
    assert_eq!(advanced.0.unwrap(), 1);
    build.push(("its end is folded into the build", advanced.1));

    // The lane is empty now: whoever looks next tidies it, once for all builds that were in it.
    let tidied = fixture.using(controller.claim(&claimant(), 1)).await;
    assert!(tidied.0.unwrap().is_empty());
    build.push(("the empty queue is tidied", tidied.1));

    // Its pipeline keeps one build: each that ends retires the one before it.
    let kept = fixture.using(controller.pass_retention()).await;
    kept.0.unwrap();
    partitions.extend(fixture.partitions());
    build.push(("retention removes the one before", kept.1));
    (Bill { parts: build }, Bill { parts: beats })
}

#[test]
fn a_five_minute_build_of_one_job_keeps_within_its_calls_and_its_price() {
    carry_out(async {
        let fixture = Fixture::new().await;
        // The first push is a repository's first look, and there is nothing to retire; the second is like all others.
        built(&fixture, &mut BTreeSet::new()).await;
        fixture.push("Second");
        let (build, beats) = built(&fixture, &mut BTreeSet::new()).await;

        let prices = Prices::read();
        let mut table = format!(
            "{:<34} {:>6} {:>6} {:>6} {:>6}   {}\n",
            "", "writes", "units", "reads", "units", "per 1,000"
        );
        build.lines(&mut table, &prices);
        prices.line(&mut table, "a build", build.total());
        beats.lines(&mut table, &prices);
        println!("{table}");

        let Usage { write_requests, write_units, read_requests, read_units } = build.total();
        assert!(write_requests <= 16 && write_units <= 74, "{table}");
        assert!(read_requests <= 23 && read_units <= 30, "{table}");
        // In thousandths of a dollar, because sums of fractions are not exact.
        assert!((prices.of_a_thousand(build.total()) * 1_000.0).round() <= 50.0, "{table}");
        let Usage { write_requests, read_requests, .. } = beats.total();
        assert!(write_requests <= 26 && read_requests <= 37, "{table}");
    });
}

/// Whether a text is of a pattern whose `<…>` stand for anything.
fn is_of(text: &str, pattern: &str) -> bool {
    let Some((before, rest)) = pattern.split_once('<') else { return text == pattern };
    let Some((_, after)) = rest.split_once('>') else { return text == pattern };
    let Some(text) = text.strip_prefix(before) else { return false };
    (0..=text.len()).filter(|end| text.is_char_boundary(*end)).any(|end| is_of(&text[end..], after))
}

#[test]
fn every_row_of_a_build_is_in_the_list_of_access_patterns() {
    let list = include_str!("../../../../infra/table.md");
    let (_, list) = list.split_once("## Access patterns").unwrap();
    let cell = |line: &'static str| line.split('|').nth(2)?.trim().strip_prefix('`')?.strip_suffix('`');
    let patterns: Vec<&str> = list.lines().filter_map(cell).collect();
    assert!(patterns.len() > 20, "{patterns:?}");
    carry_out(async {
        let fixture = Fixture::new().await;
        let mut partitions = BTreeSet::new();
        built(&fixture, &mut partitions).await;
        assert!(partitions.len() > 10, "{partitions:?}");
        for partition in partitions {
            assert!(
                patterns.iter().any(|pattern| is_of(&partition, pattern)),
                "not in infra/table.md: {partition}"
            );
        }
    });
}
