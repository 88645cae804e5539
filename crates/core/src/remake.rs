//! Rows that only lead to others: what is due when, what has ended, who holds what. One that cannot be understood is made anew of
//! its own key and of what it leads to, so that nothing stands still behind it. Invariant: what is made belongs under that very
//! key, and says nothing that its key and the row it leads to do not say.

use branchline_model::{
    Attempt, AttemptId, Deadline, DeadlineKind, Demand, DueEffect, EffectKey, EndedRun, Event, EventKey,
    Expectation, Key, Lane, LaneId, LeaseEnd, PendingEvent, Plan, Row, Run, RunId, RunState, Standing,
    Timestamp, keys,
};

use crate::lease::{self, Policy};

/// What a row is made anew of.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// Of its key: this is all there is to write.
    Key(Plan),
    /// Of this run: [`of_run`].
    Run(RunId),
    /// Of this event: [`of_event`].
    Event(EventKey),
    /// Of the first row of this partition: [`of_first`].
    First(String),
}

/// Of what a row is made anew; `None` where it holds more than can be found elsewhere.
#[must_use]
pub fn source(key: &Key) -> Option<Source> {
    let sort = key.sort.as_str();
    match key.partition.as_str() {
        keys::DEADLINES | keys::RETENTION => Some(Source::Key(put(key, deadline(sort)?))),
        keys::DUE_EFFECTS => {
            let (at, effect) = timed(sort)?;
            Some(Source::Key(put(key, DueEffect { at, effect: EffectKey(effect.to_owned()) })))
        }
        keys::PENDING_EVENTS => Some(Source::Event(EventKey::new(timed(sort)?.1))),
        keys::ENDED_RUNS => {
            // An index is written with leading zeros there.
            let (build, index) = sort.rsplit_once('/')?;
            Some(Source::Run(RunId { build: build.parse().ok()?, index: index.parse().ok()? }))
        }
        keys::LEASE_ENDS => Some(Source::Run(timed(sort)?.1.parse::<AttemptId>().ok()?.run)),
        partition if partition.starts_with("worker/") => {
            Some(Source::Run(sort.parse::<AttemptId>().ok()?.run))
        }
        partition if sort.starts_with(keys::ATTEMPT_PREFIX) => Some(Source::Run(keys::run_of(partition)?)),
        _ => keys::behind(key).map(Source::First),
    }
}

/// Removes a row that leads to what is gone.
#[must_use]
pub fn in_vain(key: &Key) -> Plan {
    let mut plan = Plan::default();
    plan.delete(key.clone(), Expectation::Any);
    plan
}

/// Makes a row anew of the run that it leads to; nothing where the run does not say what it held.
#[must_use]
pub fn of_run(key: &Key, run: &Run, now: Timestamp, policy: &Policy) -> Plan {
    match &run.state {
        RunState::Ended { outcome, .. } if key.partition == keys::ENDED_RUNS => {
            put(key, EndedRun { run: run.id.clone(), job: run.job.clone(), outcome: *outcome })
        }
        RunState::Starting { attempt, worker, since, .. }
        | RunState::Running { attempt, worker, since, .. } => {
            let (id, worker) = (AttemptId { run: run.id.clone(), number: *attempt }, worker.clone());
            if *key == keys::held_attempt(&worker, &id) {
                let mut plan = Plan::default();
                lease::grant(&mut plan, &worker, &id, Expectation::Any, now, policy);
                return plan;
            }
            if key.partition == keys::LEASE_ENDS {
                let end = timed(&key.sort).map(|(at, _)| LeaseEnd { at, worker, attempt: id });
                return end.map_or_else(Plan::default, |end| put(key, end));
            }
            put(key, Attempt { id, worker, claimed_at: *since, report: None, lost: None })
        }
        // Nobody holds it: there is nothing to look at.
        _ if key.partition == keys::LEASE_ENDS => in_vain(key),
        _ => Plan::default(),
    }
}

/// Makes an event's place among those that wait anew. One that was decided meanwhile is found to be so.
#[must_use]
pub fn of_event(key: &Key, event: &Event) -> Plan {
    let place = timed(&key.sort).map(|(next_try, _)| PendingEvent {
        event: event.key.clone(),
        repository: event.repository.clone(),
        next_try,
    });
    place.map_or_else(Plan::default, |place| put(key, place))
}

/// Makes a row of a queue's directories anew of the first one that it leads to.
#[must_use]
pub fn of_first(key: &Key, first: Row, now: Timestamp) -> Plan {
    match first {
        Row::QueueEntry(entry) => put(key, Lane { id: entry.lane(), standing: Standing::Open, since: now }),
        Row::Lane(Lane { id: LaneId { pool, wants, .. }, .. }) => {
            put(key, Demand { pool, wants, standing: Standing::Open, since: now })
        }
        _ => Plan::default(),
    }
}

/// A deadline that its key alone tells all of.
fn deadline(sort: &str) -> Option<Deadline> {
    let (at, what) = timed(sort)?;
    let (kind, of) = what.split_once('/')?;
    let of = match kind {
        "build-timeout" => DeadlineKind::BuildTimeout { build: of.parse().ok()? },
        "retry" => DeadlineKind::Retry { run: of.parse().ok()? },
        "forget-event" => DeadlineKind::ForgetEvent { event: EventKey::new(of) },
        "artifact" => {
            let (at, _) = of.match_indices('/').nth(3)?;
            let (attempt, name) = of.split_at(at);
            DeadlineKind::Artifact { attempt: attempt.parse().ok()?, name: name.get(1..)?.parse().ok()? }
        }
        "upload" => {
            let (attempt, upload) = of.rsplit_once('/')?;
            DeadlineKind::Upload { attempt: attempt.parse().ok()?, upload: upload.to_owned() }
        }
        _ => return None,
    };
    Some(Deadline { at, of })
}

/// A sort key that begins with a time.
fn timed(sort: &str) -> Option<(Timestamp, &str)> {
    let (at, rest) = sort.split_once('/')?;
    Some((Timestamp(at.parse().ok()?), rest))
}

/// Writes a row if it belongs under this key.
fn put(key: &Key, row: impl Into<Row>) -> Plan {
    let (row, mut plan) = (row.into(), Plan::default());
    if row.key() == *key {
        plan.put(row, Expectation::Any);
    }
    plan
}

#[cfg(test)]
mod tests {
    use branchline_model::{Change, Effect};

    use super::*;

    fn made(key: &Key) -> Option<Row> {
        let Some(Source::Key(plan)) = source(key) else { return None };
        plan.changes.into_iter().find_map(|change| match change {
            Change::Put { row, .. } => Some(row),
            Change::Delete { .. } | Change::Check { .. } => None,
        })
    }

    #[test]
    fn what_a_key_tells_all_of_is_made_of_it() {
        let at = Timestamp(1_800_000_000_000);
        let attempt: AttemptId = "app-1/3/2/1".parse().unwrap();
        let event = EventKey::new("app-1/refs/heads/main/4");
        let kinds = [
            DeadlineKind::BuildTimeout { build: attempt.run.build.clone() },
            DeadlineKind::Retry { run: attempt.run.clone() },
            DeadlineKind::ForgetEvent { event },
            DeadlineKind::Upload { attempt: attempt.clone(), upload: "01J".to_owned() },
            DeadlineKind::Artifact { attempt: attempt.clone(), name: "dist/app".parse().unwrap() },
        ];
        for of in kinds {
            let row = Row::from(Deadline { at, of });
            assert_eq!(made(&row.key()), Some(row));
        }
        let row = Row::from(DueEffect { at, effect: Effect::CloseLog { attempt }.key() });
        assert_eq!(made(&row.key()), Some(row));
    }

    #[test]
    fn what_leads_to_a_run_or_an_event_is_made_of_that() {
        let run: RunId = "app-1/3/2".parse().unwrap();
        let attempt = AttemptId { run: run.clone(), number: 7 };
        let (worker, at) = (branchline_model::WorkerId::new("w/1"), Timestamp(1_800_000_000_000));
        let end = LeaseEnd { at, worker: worker.clone(), attempt: attempt.clone() };
        for key in [
            keys::ended_run(&run),
            keys::lease_end(&end),
            keys::held_attempt(&worker, &attempt),
            keys::attempt(&attempt),
        ] {
            assert_eq!(source(&key), Some(Source::Run(run.clone())), "{key}");
        }
        let event = EventKey::new("app-1/refs/heads/main/4");
        assert_eq!(source(&keys::pending_event(at, &event)), Some(Source::Event(event)));
    }

    #[test]
    fn what_is_no_key_of_such_a_row_makes_nothing() {
        for (partition, sort) in [
            (keys::DEADLINES, "x/retry/app-1/1/1"),
            (keys::DEADLINES, "0000000000001/retry/app-1"),
            (keys::RETENTION, "0000000000001/retire-build/app-1/1"),
            (keys::DEADLINES, "1/retry/app-1/1/1"),
            (keys::LEASE_ENDS, "0000000000001/app-1"),
            (keys::REPOSITORIES, "app-1"),
            ("pool/default/lane/32767/x/app-1", "0000000000001/app-1/0000000001/000001"),
            ("worker/w/held", "app-1/1"),
            ("build/app-1/1/run/1", "definition"),
        ] {
            let key = Key::new(partition, sort);
            let source = source(&key);
            assert!(
                source.is_none() || matches!(&source, Some(Source::Key(plan)) if plan.is_empty()),
                "{key}"
            );
        }
    }
}
