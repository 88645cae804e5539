//! Every sentence the commands say to a person, in one place.

use std::collections::BTreeSet;
use std::time::Duration;

use branchline_model::{Build, BuildState, EventKind, Outcome, RefName, Run, RunState, Timestamp};
use branchline_web::json;

use crate::embedded::{Checkup, Complaint};

/// The columns of a list of artifacts.
pub const ARTIFACTS_COLUMNS: [&str; 5] = ["RUN", "JOB", "ARTIFACT", "SIZE", "SHA-256"];

/// How checking files ended.
#[must_use]
pub fn linted(files: usize, errors: usize) -> String {
    let of = |count: usize, one: &str| format!("{count} {one}{}", if count == 1 { "" } else { "s" });
    match errors {
        0 => format!("{}: all is well", of(files, "file")),
        _ => format!("{}: {}", of(files, "file"), of(errors, "error")),
    }
}

/// What a good file asks for that is not carried out yet.
#[must_use]
pub fn lint_note(file: &str, job: &str, why: &str) -> String {
    format!("note: {file}: the job `{job}`: {why}\n")
}

/// A first pipeline was written.
#[must_use]
pub fn initialised(path: &std::path::Path) -> String {
    format!("wrote {}: run it now with `branchline run ci`, or commit and push it", path.display())
}

/// Where an artifact was unpacked.
#[must_use]
pub fn downloaded(name: &str, into: &std::path::Path) -> String {
    format!("{name} is in {}", into.display())
}

/// A test that did not pass, in one line, with why in another.
#[must_use]
pub fn bad_test(test: &json::Test) -> String {
    let suite = test.suite.as_ref().map(|suite| format!("{suite}: ")).unwrap_or_default();
    let place = match (&test.file, test.line) {
        (Some(file), Some(line)) => format!(" ({file}:{line})"),
        (Some(file), None) => format!(" ({file})"),
        (None, _) => String::new(),
    };
    let message = test.message.as_ref().map(|message| format!("\n    {}", message.replace('\n', "\n    ")));
    format!("  {} {suite}{}{place}{}", test.outcome, test.name, message.unwrap_or_default())
}

/// What became of the tests of a run.
#[must_use]
pub fn tests(job: &str, tests: &json::Tests) -> String {
    let json::Tests { passed, failed, errored, skipped, .. } = tests;
    format!("tests of {job}: {passed} passed, {failed} failed, {errored} errored, {skipped} skipped")
}

/// A size as people say it: `340 B`, `12.0 KiB`.
#[must_use]
pub fn size(bytes: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match UNITS.into_iter().find(|(unit, _)| bytes >= *unit) {
        Some((unit, name)) => format!("{}.{} {name}", bytes / unit, bytes % unit * 10 / unit),
        None => format!("{bytes} B"),
    }
}

/// A time span as people say it: `0.2 s`, `14 s`, `3 m 05 s`, `2 h 10 m`.
#[must_use]
pub fn span(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..=9 => format!("{:.1} s", duration.as_secs_f64()),
        10..=59 => format!("{seconds} s"),
        60..=3_599 => format!("{} m {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} m", seconds / 3_600, seconds % 3_600 / 60),
    }
}

/// A ref as people say it.
#[must_use]
pub fn ref_name(name: &RefName) -> String {
    match name {
        RefName::Branch(name) => name.clone(),
        RefName::Tag(name) => format!("tag {name}"),
    }
}

/// No event of the kind that was asked for concerns any pipeline.
pub const NOTHING_TO_PLAN: &str = "no pipeline here has anything to do with such an event";

/// The event that is planned for.
#[must_use]
pub fn planned_event(event: &EventKind) -> String {
    let at = format!("{} at {}", ref_name(event.ref_name()), event.commit().short());
    match event {
        EventKind::PullRequest { request, .. } => format!("a pull request of {at} into {}", request.base),
        EventKind::Schedule { pipeline, entry, .. } => {
            format!("entry {} of the schedule of {pipeline}, on {at}", entry + 1)
        }
        EventKind::ManualStart { pipeline, .. } => format!("{pipeline} is started by hand on {at}"),
        other => format!("a {} of {at}", other.word()),
    }
}

/// What would become of a run.
#[must_use]
pub fn planned_run(run: &Run, needs: &BTreeSet<String>) -> String {
    let what = match &run.state {
        RunState::Ended { outcome, reason, .. } => {
            let reason = reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
            return format!("{}{reason}", outcome.word());
        }
        RunState::Blocked if needs.is_empty() => "waits for other cells of its job".to_owned(),
        RunState::Blocked => {
            format!("waits for {}", needs.iter().map(String::as_str).collect::<Vec<_>>().join(", "))
        }
        _ => format!("runs at once in `{}`", run.pool),
    };
    match &run.because {
        Some(because) => format!("{what}, {because}"),
        None => what,
    }
}

/// Why a run stands as it does.
#[must_use]
pub fn explained_run(run: &json::Run, jobs: &[json::Job]) -> String {
    let needs = jobs.iter().find(|job| job.name == run.job).map(|job| job.needs.join(", "));
    let needs = needs.filter(|needs| !needs.is_empty());
    let mut text = match (&run.reason, &run.because) {
        (Some(reason), _) => format!("{}: {}", run.status, reason.sentence),
        (None, Some(because)) => format!("{}: {}", run.status, because.sentence),
        (None, None) => run.status.clone(),
    };
    if let (Some(needs), None) = (needs, &run.reason) {
        text.push_str(&format!(", it needs {needs}"));
    }
    text
}

/// Nothing is known of a commit.
#[must_use]
pub fn no_events(commit: &str) -> String {
    format!("no event of a commit that begins with {commit} is remembered here")
}

/// What a build has come to, for one line.
#[must_use]
pub fn build_now(build: &Build) -> String {
    match &build.state {
        BuildState::Waiting => "waits for its group".to_owned(),
        BuildState::Running { stop: None } => format!("{} of {} runs have ended", build.ended, build.runs),
        BuildState::Running { stop: Some(_) } => "is being stopped".to_owned(),
        BuildState::Ended { reason, at, .. } => {
            let span = span(at.since(build.created_at));
            reason.as_ref().map_or(span.clone(), |reason| format!("{span}, {reason}"))
        }
    }
}

/// What a run has come to, for one line.
#[must_use]
pub fn run_now(run: &Run, now: Timestamp) -> String {
    match &run.state {
        RunState::Blocked => "waits for what it needs".to_owned(),
        RunState::Held => "waits for an approval".to_owned(),
        RunState::Waiting => "waits for its group".to_owned(),
        RunState::Queued { after: None, .. } => format!("waits for a worker of `{}`", run.pool),
        RunState::Queued { after: Some(last), .. } => tried_again(last.number, &last.why.to_string()),
        RunState::Starting { stop: Some(_), .. } | RunState::Running { stop: Some(_), .. } => {
            "is being stopped".to_owned()
        }
        RunState::Starting { .. } => "is being started".to_owned(),
        RunState::Running { since, .. } => span(now.since(*since)),
        RunState::Ended { outcome, reason, began_at, at } => {
            let span = began_at.map(|began| span(at.since(began)));
            match (span, reason) {
                (Some(span), Some(reason)) => format!("{span}, {reason}"),
                (Some(span), None) => span,
                (None, Some(reason)) => reason.to_string(),
                (None, None) => outcome_alone(*outcome).to_owned(),
            }
        }
    }
}

fn tried_again(attempt: u32, why: &str) -> String {
    format!("tried again: in attempt {attempt}, {why}")
}

/// Why a run stands as it does, where there is something to say.
#[must_use]
pub fn run_why(run: &json::Run) -> String {
    let attempts = if run.attempts > 1 { format!(" (attempt {})", run.attempts) } else { String::new() };
    match (&run.reason, &run.again, &run.silent_since) {
        (Some(reason), _, _) => format!("{}{attempts}", reason.sentence),
        (None, Some(again), _) => tried_again(again.after_attempt, &again.reason.sentence),
        (None, None, Some(since)) => format!("its worker has been silent since {since}{attempts}"),
        (None, None, None) => attempts.trim_start().to_owned(),
    }
}

fn outcome_alone(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Skipped => "was not to run",
        _ => "without a step",
    }
}

/// What `up` says when it was told to end.
#[must_use]
pub fn draining(drain: Duration) -> String {
    format!(
        "Ending: no new runs; what runs has {} to end, and goes on alone after that (again to end at once)",
        span(drain)
    )
}

/// What `up` says of what it leaves running.
#[must_use]
pub fn goes_on_alone(runs: usize) -> String {
    match runs {
        1 => "1 run goes on alone; the next `branchline up` follows it".to_owned(),
        runs => format!("{runs} runs go on alone; the next `branchline up` follows them"),
    }
}

/// What `up` says at the second signal.
pub const ENDED_AT_ONCE: &str =
    "Ended at once; what runs goes on alone, and the next `branchline up` follows it";

/// Where the token is kept.
#[must_use]
pub fn where_the_token_is(data: &crate::embedded::Data) -> String {
    format!(
        "The token is kept in {}: the commands find it there, and the page asks for it",
        data.token_file().display()
    )
}

/// Who acts where a person runs something on their own machine.
pub const YOU: &str = "you";

/// What `run` says at the first Ctrl-C.
pub const CANCELLING: &str = "Cancelling; once more to give up waiting";

/// What is said where a pipeline has no such job.
#[must_use]
pub fn no_such_job(pipeline: &str, job: &str, known: &[&str]) -> String {
    if known.is_empty() {
        return format!(
            "the pipeline `{pipeline}` has no job `{job}`: this build is invalid and has no runs"
        );
    }
    format!("the pipeline `{pipeline}` has no job `{job}`; there are {}", known.join(", "))
}

/// What the demonstration says once it serves.
#[must_use]
pub fn demo_serves(origin: &std::path::Path, login_url: &str) -> String {
    format!("Serving {} at {login_url}", origin.display())
}

/// What the demonstration says once it has pushed.
pub const DEMO_PUSHED: &str = "Pushed a commit with three pipelines: one passes, one fails, one is wrong";

/// What the demonstration says when it goes on serving.
#[must_use]
pub fn demo_keeps(login_url: &str) -> String {
    format!("Still serving {login_url} until Ctrl-C")
}

/// The head of the demonstration's table.
pub const DEMO_COLUMNS: [&str; 5] = ["BUILD", "PIPELINE", "JOB", "STATE", "WHY"];

/// What the demonstration says in the end.
pub const DEMO_AS_EXPECTED: &str = "All of it as it was to be: one passed, one failed, one is invalid";

/// What the demonstration says in the end.
pub const DEMO_NOT_AS_EXPECTED: &str = "Not as it was to be: one was to pass, one to fail, one to be invalid";

/// What is said between the logs of two attempts.
#[must_use]
pub fn next_attempt(number: u32) -> String {
    format!("Attempt {number}:")
}

/// The head of the table of builds.
pub const BUILDS_COLUMNS: [&str; 7] = ["BUILD", "PIPELINE", "STATE", "REF", "COMMIT", "TIME", "SUBJECT"];

/// The head of the table of runs.
pub const RUNS_COLUMNS: [&str; 5] = ["RUN", "JOB", "STATE", "TIME", "WHY"];

/// What is said where there are no builds.
pub const NO_BUILDS: &str = "No builds yet: none of its pipelines matches what was pushed, or it has none";

/// What is said where there are older builds.
pub const MORE_BUILDS: &str = "There are older ones: say --limit";

/// The head of the table of effects.
pub const EFFECTS_COLUMNS: [&str; 4] = ["EFFECT", "STATE", "FAILURES", "WHY"];

/// What is said where nothing is to be done outside.
pub const NO_EFFECTS: &str = "Nothing is left to be done outside, and there is no dead letter";

/// What is said where there are dead letters.
pub const DEAD_LETTERS: &str =
    "Dead ones wait for you: put right what failed, then `branchline effects resend KEY`, or `drop KEY`";

/// What became of a word about an effect.
#[must_use]
pub fn letter(letter: &json::Letter) -> String {
    match letter.letter.as_str() {
        "sent" => format!("{} is sent again", letter.key),
        _ => format!("{} is given up", letter.key),
    }
}

/// What is wrong with reaching a repository.
#[must_use]
pub fn trouble(trouble: &json::Trouble) -> String {
    format!("Since {} its refs cannot be looked at: {}", trouble.since, trouble.why)
}

/// Something that cannot be written to now.
#[must_use]
pub fn shortage(shortage: &json::Shortage) -> String {
    let json::Shortage { place, since, why } = shortage;
    format!("Since {since} the {place} cannot be written to: {why}")
}

/// Something stored that cannot be read.
#[must_use]
pub fn unreadable(row: &json::Unreadable) -> String {
    format!(
        "The row `{}` cannot be read: {}\n{}",
        row.key,
        row.why,
        hint("`branchline doctor`, on the controller's machine, says what can be done")
    )
}

/// What a check-up found, and what to do.
#[must_use]
pub fn checkup(checkup: &Checkup, repair: bool) -> String {
    let mut text = String::new();
    for Complaint { kind, key, what, remedy, repaired } in &checkup.findings {
        text.push_str(&format!("{kind} {key}\n  {what}\n"));
        text.push_str(&match remedy {
            Some(remedy) if *repaired => format!("  repaired: {remedy}\n"),
            Some(remedy) => format!("  repair: {remedy}\n"),
            None => "  nothing can be done about it here\n".to_owned(),
        });
    }
    for note in &checkup.notes {
        text.push_str(&format!("note: {note}\n"));
    }
    let left = checkup.findings.iter().filter(|finding| !finding.repaired).count();
    let looked = format!("{} rows and {} logs were looked at", checkup.rows, checkup.logs);
    text.push_str(&match (checkup.findings.len(), left) {
        (0, _) => format!("{looked}: all is well\n"),
        (all, 0) => format!("{looked}: {all} findings, all repaired\n"),
        (all, left) => format!("{looked}: {all} findings, {} repaired\n", all - left),
    });
    let can = checkup.findings.iter().any(|finding| !finding.repaired && finding.remedy.is_some());
    if can && !repair {
        text.push_str(&hint("stop the controller and run `branchline doctor --repair`"));
        text.push('\n');
    }
    text
}

/// Milliseconds as people say them.
#[must_use]
pub fn milliseconds(milliseconds: u64) -> String {
    span(Duration::from_millis(milliseconds))
}

/// A ref without `refs/heads/` or `refs/tags/`.
#[must_use]
pub fn short_ref(name: &str) -> &str {
    name.strip_prefix("refs/heads/").or_else(|| name.strip_prefix("refs/tags/")).unwrap_or(name)
}

/// The first ten digits of a commit.
#[must_use]
pub fn short_commit(commit: &str) -> &str {
    commit.get(..10).unwrap_or(commit)
}

/// A text in one line, without control characters, cut where it is long.
#[must_use]
pub fn first_line(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(72).collect();
    line.trim().to_owned()
}

/// What there is to know of a build, each with its word.
#[must_use]
pub fn build_facts(build: &json::Build) -> Vec<(&'static str, String)> {
    let mut facts = vec![
        ("event", build.event.clone()),
        ("ref", build.ref_name.clone()),
        ("commit", format!("{} {}", build.commit, first_line(&build.subject))),
        ("author", first_line(&build.author)),
    ];
    if let Some(actor) = &build.actor {
        facts.push(("actor", first_line(actor)));
    }
    facts.push(("created", build.created_at.clone()));
    facts.push(("time", milliseconds(build.duration_ms)));
    if let Some(reason) = &build.reason {
        facts.push(("why", reason.sentence.clone()));
    }
    facts
}

/// What is said of a start that is accepted and not decided.
#[must_use]
pub fn start_is_pending(why: &str) -> String {
    format!("The start is accepted and will be decided later: {why}")
}

/// What a cancel came to.
#[must_use]
pub fn cancelled(cancelled: &json::Cancelled) -> String {
    match cancelled.cancelled.as_str() {
        "ended" => format!("{} is cancelled", cancelled.id),
        _ => format!("{} is being stopped", cancelled.id),
    }
}

/// The hint that stands below an error.
#[must_use]
pub fn hint(text: &str) -> String {
    format!("hint: {text}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_as_people_say_them() {
        let said: Vec<String> =
            [200, 9_940, 14_000, 185_000, 7_800_000].map(|ms| span(Duration::from_millis(ms))).into();
        assert_eq!(said, ["0.2 s", "9.9 s", "14 s", "3 m 05 s", "2 h 10 m"]);
    }
}
