//! What always holds, asked of the whole once all is at rest. Invariant: what is expected is derived from the world
//! (what was pushed, started, written and said), never from the decisions that are judged.

use std::collections::{BTreeMap, BTreeSet};

use branchline_model::{
    AttemptId, Build, BuildDefinition, BuildId, BuildProgress, BuildStatus, Content, Deadline, DeadlineKind,
    Event, EventKind, EventStatus, JobDefinition, Key, Outcome, Ref, RefName, RepositoryId, Row, Run, RunId,
    RunState, keys,
};

use crate::git::Repository;
use crate::house::House;
use crate::ledger::{Whose, whose};
use crate::logs;
use crate::world::State;

/// What is still to be done; `None` where all is at rest. Read from the books: it only says when to ask the oracle.
pub(crate) fn restless(house: &House) -> Option<String> {
    if let Some(left) = house.watch.as_ref().and_then(|watch| watch.leftover()) {
        return Some(left);
    }
    let state = house.world.state();
    for row in state.ledger.rows.values().filter(|row| !state.ledger.is_excused(row)) {
        let left = match row {
            Row::Build(build) if !build.state.has_ended() => {
                format!("build {} is {}", build.id, build.state.status().word())
            }
            Row::Run(run) if !run.state.has_ended() => {
                format!("run {} is {}", run.id, run.state.status().word())
            }
            Row::PendingEvent(_)
            | Row::PendingEffect(_)
            | Row::DueEffect(_)
            | Row::EndedRun(_)
            | Row::LeaseEnd(_)
            | Row::Trouble(_)
            | Row::Lane(_)
            | Row::Demand(_)
            | Row::Upload(_) => format!("`{}` is there", row.key()),
            Row::Deadline(deadline) if !is_of_retention(deadline) => format!("`{}` is there", row.key()),
            row if is_of_a_retired_build(&state, row) => format!("`{}` is there", row.key()),
            _ => continue,
        };
        return Some(left);
    }
    for repository in &state.forge.repositories {
        let id = RepositoryId::of(&branchline_model::RepositoryName::new(&repository.url));
        if let Err(left) = every_head_was_seen(&state, repository, &id, &state.ledger.rows) {
            return Some(left);
        }
    }
    for (name, machine) in &state.machines {
        let is_excused =
            |attempt: &&AttemptId| state.ledger.poisoned.contains(&Whose::Build(attempt.run.build.clone()));
        let left = machine.attempts.keys().find(|attempt| !is_excused(attempt));
        if let (false, Some(attempt)) = (machine.dead, left) {
            return Some(format!("{name} has {attempt}"));
        }
    }
    None
}

/// Asks everything; the first thing that does not hold is the history's violation.
pub(crate) async fn judge(house: &House) {
    if house.world.state().violation.is_some() {
        return;
    }
    let rows = match stored(house).await {
        Ok(rows) => rows,
        Err(violation) => return house.world.violated(violation),
    };
    let mut state = house.world.state();
    if let Err(violation) = all_of(&state, &rows) {
        state.violated(violation);
    }
}

type Rows = BTreeMap<Key, Row>;

/// Every row that the store holds under any key that was ever written, compared with the books.
async fn stored(house: &House) -> Result<Rows, String> {
    let (written, known): (Vec<Key>, Rows) = {
        let state = house.world.state();
        (state.ledger.written.iter().cloned().collect(), state.ledger.rows.clone())
    };
    let found = house.truth.read(&written).await.map_err(|error| error.to_string())?;
    let mut rows = Rows::new();
    for (key, row) in written.into_iter().zip(found) {
        let (there, committed) = (row.map(|row| row.value), known.get(&key));
        if there.as_ref() != committed {
            return Err(format!("`{key}` is {there:?}, and was committed as {committed:?}"));
        }
        if let Some(row) = there {
            rows.insert(key, row);
        }
    }
    Ok(rows)
}

fn all_of(state: &State, rows: &Rows) -> Result<(), String> {
    nothing_is_left_behind(state, rows)?;
    for repository in &state.forge.repositories {
        let id = RepositoryId::of(&branchline_model::RepositoryName::new(&repository.url));
        every_head_was_seen(state, repository, &id, rows)?;
        builds_are_numbered(state, &id, rows)?;
    }
    let is_excused = |event: &Event| state.ledger.poisoned.contains(&Whose::Event(event.key.clone()));
    for event in state.ledger.events.values().filter(|event| !is_excused(event)) {
        an_event_made_its_builds(state, event, rows)?;
    }
    for row in rows.values().filter(|row| !state.ledger.is_excused(row)) {
        match row {
            Row::Build(build) => a_build_is_what_its_runs_are(build, rows)?,
            Row::Run(run) => a_runs_attempts_are_whole(state, run, rows)?,
            _ => {}
        }
    }
    if let Some(event) = state.ledger.told.iter().find(|event| !rows.contains_key(&keys::event(event))) {
        return Err(format!("the event {event} was accepted, and is not there"));
    }
    artifacts_are_whole(state, rows)?;
    logs_are_whole(state)
}

/// Whether a row belongs to a build that was retired, and should have gone with it. The end of its days finds nothing when it
/// comes; and where a late call has listed it once more, the next of its pipeline that ends takes it off.
fn is_of_a_retired_build(state: &State, row: &Row) -> bool {
    let may_stay = match row {
        Row::Deadline(deadline) => is_of_retention(deadline),
        row => matches!(row, Row::KeptBuild(_)),
    };
    !may_stay && matches!(whose(row), Whose::Build(build) if state.ledger.retired.contains_key(&build))
}

/// Whether a deadline is of what is kept for days after all is at rest.
fn is_of_retention(deadline: &Deadline) -> bool {
    matches!(
        deadline.of,
        DeadlineKind::RetireBuild { .. } | DeadlineKind::ForgetEvent { .. } | DeadlineKind::Artifact { .. }
    )
}

/// No row that stands for something to be done is left where nothing is to be done.
fn nothing_is_left_behind(state: &State, rows: &Rows) -> Result<(), String> {
    let left = rows.values().filter(|row| !state.ledger.is_excused(row)).find(|row| match row {
        row if is_of_a_retired_build(state, row) => true,
        Row::PendingEvent(_)
        | Row::PendingEffect(_)
        | Row::DueEffect(_)
        | Row::DeadEffect(_)
        | Row::EndedRun(_)
        | Row::HeldAttempt(_)
        | Row::LeaseEnd(_)
        | Row::QueueEntry(_)
        | Row::Lane(_)
        | Row::Demand(_)
        | Row::Upload(_) => true,
        // What is kept is looked at again when its days are over.
        Row::Deadline(row) => !is_of_retention(row),
        Row::Repository(_)
        | Row::Trouble(_)
        | Row::Ref(_)
        | Row::Event(_)
        | Row::Build(_)
        | Row::BuildDefinition(_)
        | Row::BuildProgress(_)
        | Row::Run(_)
        | Row::RunDefinition(_)
        | Row::Attempt(_)
        | Row::AttemptProgress(_)
        | Row::AttemptResults(_)
        | Row::LogWatch(_)
        | Row::Artifact(_)
        | Row::Listening(_)
        | Row::KeptBuild(_)
        | Row::Unreadable(_) => false,
    });
    left.map_or(Ok(()), |row| Err(format!("`{}` is left behind", row.key())))
}

/// The refs are where git has them, the last event of each is of that move, and nobody invented one.
fn every_head_was_seen(
    state: &State,
    repository: &Repository,
    id: &RepositoryId,
    rows: &Rows,
) -> Result<(), String> {
    let mut events: BTreeMap<&RefName, (u64, &branchline_model::CommitId, u64)> = BTreeMap::new();
    for Event { repository: of, kind, .. } in state.ledger.events.values() {
        let EventKind::RefMoved { name, after, generation, .. } = kind else { continue };
        if of != id {
            continue;
        }
        let entry = events.entry(name).or_insert((*generation, after, 0));
        entry.2 += 1;
        if *generation > entry.0 {
            (entry.0, entry.1) = (*generation, after);
        }
    }
    let known: BTreeMap<&RefName, &Ref> = rows
        .values()
        .filter_map(|row| match row {
            Row::Ref(row) if row.repository == *id => Some((&row.name, row)),
            _ => None,
        })
        .collect();
    for (name, head) in &repository.refs {
        let seen = known.get(name).and_then(|row| row.head.as_ref());
        if seen != Some(head) {
            return Err(format!("{id}: {name} is {head}, and is known as {seen:?}"));
        }
        match events.get(name) {
            Some((_, after, _)) if *after == head => {}
            Some((generation, after, _)) => {
                return Err(format!("{id}: {name} is {head}, and its last event {generation} is of {after}"));
            }
            None => return Err(format!("{id}: {name} is {head}, and no event says so")),
        }
    }
    for (name, row) in &known {
        if row.head.is_some() && !repository.refs.contains_key(*name) {
            return Err(format!("{id}: {name} was deleted, and is known as {:?}", row.head));
        }
    }
    for (name, (_, _, count)) in &events {
        let moves = repository.moves.get(*name).copied().unwrap_or(0);
        if *count > moves {
            return Err(format!("{id}: {name} was moved {moves} times, and {count} events say so"));
        }
    }
    Ok(())
}

/// A repository's builds have the numbers from 1 on, without holes.
fn builds_are_numbered(state: &State, id: &RepositoryId, rows: &Rows) -> Result<(), String> {
    let retired = state.ledger.retired.keys().filter(|build| build.repository == *id);
    let numbers: Vec<u64> = rows
        .values()
        .filter_map(|row| match row {
            Row::Build(build) if build.id.repository == *id => Some(build.id.number),
            _ => None,
        })
        .chain(retired.map(|build| build.number))
        .collect();
    let counted = match rows.get(&keys::repository(id)) {
        Some(Row::Repository(repository)) => repository.builds,
        _ => return Err(format!("the repository {id} is gone")),
    };
    let expected: Vec<u64> = (1..=counted).collect();
    let mut found = numbers;
    found.sort_unstable();
    if found == expected {
        Ok(())
    } else {
        Err(format!("{id}: builds 1 to {counted} are to be there: {found:?}"))
    }
}

/// An accepted event made exactly one build for each pipeline that it matches.
fn an_event_made_its_builds(state: &State, event: &Event, rows: &Rows) -> Result<(), String> {
    let EventStatus::Decided { builds, .. } = &event.status else {
        return Err(format!("the event {} is not decided: {:?}", event.key, event.status));
    };
    let is_here = |repository: &&Repository| {
        RepositoryId::of(&branchline_model::RepositoryName::new(&repository.url)) == event.repository
    };
    let repository =
        state.forge.repositories.iter().find(is_here).ok_or("an event of a repository that is not served")?;
    let pipelines = repository
        .commits
        .get(event.kind.commit())
        .ok_or_else(|| format!("the event {} is of a commit that was never made", event.key))?;
    let expected: BTreeSet<&str> = match &event.kind {
        EventKind::RefMoved { name, .. } => pipelines
            .iter()
            .filter(|pipeline| pipeline.is_built_for(name))
            .map(|pipeline| pipeline.name.as_str())
            .collect(),
        EventKind::ManualStart { pipeline: asked, .. } => pipelines
            .iter()
            .filter(|pipeline| pipeline.name == asked.as_str() && pipeline.is_started())
            .map(|pipeline| pipeline.name.as_str())
            .collect(),
        other => return Err(format!("nobody here sends an event of the kind {}", other.word())),
    };
    let mut made: Vec<&str> = rows
        .values()
        .filter_map(|row| match row {
            Row::Build(build) if build.cause == event.key => Some(build),
            _ => None,
        })
        .chain(state.ledger.retired.values().filter(|build| build.cause == event.key))
        .map(|build| build.pipeline.as_str())
        .collect();
    made.sort_unstable();
    let wanted: Vec<&str> = expected.into_iter().collect();
    if made != wanted || made.len() != builds.len() {
        return Err(format!("the event {} makes builds of {wanted:?}, and made {made:?}", event.key));
    }
    Ok(())
}

/// A build has ended, and as its runs say.
fn a_build_is_what_its_runs_are(build: &Build, rows: &Rows) -> Result<(), String> {
    let id = &build.id;
    let status = build.state.status();
    let definition = match rows.get(&keys::build_definition(id)) {
        Some(Row::BuildDefinition(definition)) => definition,
        _ => return Err(format!("build {id} has no definition")),
    };
    if status == BuildStatus::Invalid {
        return Ok(());
    }
    let runs = runs_of(build, definition, rows)?;
    if build.ended as usize != runs.len() {
        return Err(format!("build {id} counts {} ended runs of {}", build.ended, runs.len()));
    }
    progress_is_true(build, &runs, rows)?;
    for (job, run, outcome) in &runs {
        let stopper = job.needs.iter().map(|need| &need.job).find(|need| {
            runs.iter()
                .any(|(other, run, ended)| other.name == **need && !goes_on(*ended, may_fail(other, run)))
        });
        match (stopper, outcome) {
            (Some(need), _) if run.attempts > 0 => {
                return Err(format!("run {} was tried, though {need} did not pass", run.id));
            }
            (None, Outcome::Skipped) => {
                return Err(format!("run {} was skipped, though all it needs passed", run.id));
            }
            _ => {}
        }
    }
    let bad: Vec<Outcome> = runs
        .iter()
        .filter(|(job, run, outcome)| *outcome != Outcome::Skipped && !goes_on(*outcome, may_fail(job, run)))
        .map(|(_, _, outcome)| *outcome)
        .collect();
    let expected: &[BuildStatus] = match build_was_stopped(build) {
        true => &[BuildStatus::Cancelled, BuildStatus::TimedOut],
        false if bad.iter().any(|bad| matches!(bad, Outcome::Failed | Outcome::TimedOut)) => {
            &[BuildStatus::Failed]
        }
        false if bad.contains(&Outcome::Errored) => &[BuildStatus::Errored],
        false if !bad.is_empty() => &[BuildStatus::Cancelled],
        false => &[BuildStatus::Passed, BuildStatus::Skipped],
    };
    if expected.contains(&status) {
        Ok(())
    } else {
        Err(format!("build {id} is {}, and its runs say {bad:?}", status.word()))
    }
}

fn goes_on(outcome: Outcome, allow_failure: bool) -> bool {
    outcome == Outcome::Passed
        || (allow_failure && matches!(outcome, Outcome::Failed | Outcome::Errored | Outcome::TimedOut))
}

fn may_fail(job: &JobDefinition, run: &Run) -> bool {
    job.cell(run.id.index).is_some_and(|cell| cell.allow_failure)
}

fn build_was_stopped(build: &Build) -> bool {
    use branchline_model::{BuildState, EndReason, TimeoutOf};
    matches!(
        &build.state,
        BuildState::Ended {
            reason: Some(EndReason::CancelledBy { .. } | EndReason::Timeout { of: TimeoutOf::Build }),
            ..
        }
    )
}

type Ended<'a> = (&'a JobDefinition, &'a Run, Outcome);

fn runs_of<'a>(
    build: &Build,
    definition: &'a BuildDefinition,
    rows: &'a Rows,
) -> Result<Vec<Ended<'a>>, String> {
    let mut runs = Vec::new();
    for (job, index) in definition.jobs.iter().flat_map(|job| job.runs().map(move |index| (job, index))) {
        let id = RunId { build: build.id.clone(), index };
        let Some(Row::Run(run)) = rows.get(&keys::run(&id)) else {
            return Err(format!("build {} has no run {id}", build.id));
        };
        let RunState::Ended { outcome, .. } = &run.state else {
            return Err(format!("run {} has not ended", run.id));
        };
        runs.push((job, run, *outcome));
    }
    if runs.len() == build.runs as usize {
        Ok(runs)
    } else {
        Err(format!("build {} has {} runs, and was made with {}", build.id, runs.len(), build.runs))
    }
}

fn progress_is_true(build: &Build, runs: &[Ended<'_>], rows: &Rows) -> Result<(), String> {
    let Some(Row::BuildProgress(BuildProgress { ended, .. })) = rows.get(&keys::build_progress(&build.id))
    else {
        return Err(format!("build {} has no progress", build.id));
    };
    for (_, run, outcome) in runs {
        let folded = ended.get(&run.id.index).copied();
        if folded != Some(*outcome) {
            return Err(format!("run {} ended as {outcome:?}, and was folded in as {folded:?}", run.id));
        }
    }
    Ok(())
}

/// Each attempt of a run has its worker's last word, with all its log, or is lost; there are not too many, and every log
/// is closed.
fn a_runs_attempts_are_whole(state: &State, run: &Run, rows: &Rows) -> Result<(), String> {
    let most = match rows.get(&keys::run_definition(&run.id)) {
        Some(Row::RunDefinition(definition)) => definition.0.retry.attempts,
        _ => return Err(format!("run {} has no definition", run.id)),
    };
    if run.attempts > most {
        return Err(format!("run {} was tried {} times", run.id, run.attempts));
    }
    for number in 1..=run.attempts {
        let id = AttemptId { run: run.id.clone(), number };
        let Some(Row::Attempt(attempt)) = rows.get(&keys::attempt(&id)) else {
            return Err(format!("{id} was made, and is not there"));
        };
        let told = state.ledger.finished.contains(&id);
        let log = state.logs.all.get(&id);
        match &attempt.report {
            Some(report) => {
                let stored = log.map_or(0, |log| log.bytes.len() as u64);
                if stored < report.log_length {
                    return Err(format!("{id} wrote {} bytes, and {stored} are stored", report.log_length));
                }
            }
            None if told => return Err(format!("{id}: its last word was accepted, and is not there")),
            None if attempt.lost.is_none() => {
                return Err(format!("{id} has no last word, and is not lost"));
            }
            None => {}
        }
        if !log.is_some_and(|log| log.closed) {
            return Err(format!("{id} is over, and its log is open"));
        }
    }
    Ok(())
}

/// What was acknowledged as an artifact is one; each holds what was said, and no object is there that nobody named.
fn artifacts_are_whole(state: &State, rows: &Rows) -> Result<(), String> {
    let mut named = BTreeSet::new();
    for row in rows.values() {
        let Row::Artifact(artifact) = row else { continue };
        let object = state.objects.get(&artifact.key);
        if object.is_none_or(|bytes| Content::of(bytes) != artifact.content) {
            return Err(format!("the artifact {} of {} is not there", artifact.name, artifact.attempt));
        }
        named.insert(&artifact.key);
    }
    let is_excused = |build: &BuildId| state.ledger.poisoned.contains(&Whose::Build(build.clone()));
    for attempt in &state.ledger.named {
        let build = &attempt.run.build;
        let of_it = |row: &Row| matches!(row, Row::Artifact(artifact) if artifact.attempt == *attempt);
        if !state.ledger.retired.contains_key(build) && !is_excused(build) && !rows.values().any(of_it) {
            return Err(format!("{attempt}: its artifact was accepted, and is not there"));
        }
    }
    let may_stay = state.ledger.poisoned.iter().any(|whose| matches!(whose, Whose::Build(_)));
    match state.objects.keys().find(|key| !named.contains(key)) {
        Some(key) if !may_stay => Err(format!("nobody named the object {key}, and it is there")),
        _ => Ok(()),
    }
}

/// Bytes that were acknowledged are there, once and in order.
fn logs_are_whole(state: &State) -> Result<(), String> {
    for (attempt, log) in &state.logs.all {
        if state.ledger.retired.contains_key(&attempt.run.build) {
            return Err(format!("{attempt} is of a build that was retired, and its log is there"));
        }
        if log.bytes != logs::bytes(attempt, 0, log.bytes.len() as u64) {
            return Err(format!("the log of {attempt} is not what was written"));
        }
    }
    let kept = |attempt: &AttemptId| !state.ledger.retired.contains_key(&attempt.run.build);
    for (attempt, acknowledged) in state.ledger.acknowledged.iter().filter(|(attempt, _)| kept(attempt)) {
        let stored = state.logs.all.get(attempt).map_or(0, |log| log.bytes.len() as u64);
        if stored < *acknowledged {
            return Err(format!(
                "{acknowledged} bytes of {attempt} were acknowledged, and {stored} are there"
            ));
        }
    }
    Ok(())
}
