//! Every word of the pages. The words for states and the sentences of reasons are the model's own.

use std::time::Duration;

use branchline_model::Timestamp;

pub(crate) const PRODUCT: &str = "Branchline";
pub(crate) const SKIP: &str = "Skip to the content";
pub(crate) const REPOSITORIES: &str = "Repositories";
pub(crate) const NO_REPOSITORIES: &str =
    "No repository is watched yet. Start the controller with `branchline up PATH` or a URL.";
pub(crate) const NO_BUILDS: &str =
    "No build yet. Push a commit whose `.branchline/*.yaml` has `on: push`, or start a pipeline below.";
pub(crate) const NO_OLDER_BUILDS: &str = "There are no older builds.";
pub(crate) const NEVER_SEEN: &str = "not looked at yet";
pub(crate) const TROUBLE: &str = "Trouble";
pub(crate) const BUILDS: &str = "Builds";
pub(crate) const BUILD: &str = "Build";
pub(crate) const STATUS: &str = "Status";
pub(crate) const PIPELINE: &str = "Pipeline";
pub(crate) const REF: &str = "Branch or tag";
pub(crate) const COMMIT: &str = "Commit";
pub(crate) const AUTHOR: &str = "Author";
pub(crate) const CAUSE: &str = "Cause";
pub(crate) const CREATED: &str = "Created";
pub(crate) const TOOK: &str = "Took";
pub(crate) const DURATION: &str = "Duration";
pub(crate) const FILE: &str = "File";
pub(crate) const OLDER: &str = "Older builds";
pub(crate) const NEWEST: &str = "Newest builds";
pub(crate) const START: &str = "Start a pipeline";
pub(crate) const START_BUTTON: &str = "Start";
pub(crate) const START_HINT: &str = "Only pipelines with `manual: true` under `on:` can be started.";
pub(crate) const START_REF_HINT: &str = "A branch, or a tag as refs/tags/NAME. Empty: the default branch.";
pub(crate) const CANCEL_BUILD: &str = "Cancel build";
pub(crate) const CANCEL_RUN: &str = "Cancel run";
pub(crate) const STOPPING: &str = "stopping";
pub(crate) const PROBLEMS: &str = "What is wrong with the file";
pub(crate) const GRAPH: &str = "Jobs and what they need";
pub(crate) const GRAPH_HINT: &str = "Each job stands right of those that it needs.";
pub(crate) const NO_RUNS_INVALID: &str =
    "There are none: nothing of an invalid pipeline file is run. Correct the file and push again.";
pub(crate) const RUNS: &str = "Runs";
pub(crate) const JOB: &str = "Job";
pub(crate) const NEEDS: &str = "Needs";
pub(crate) const WHY: &str = "Why";
pub(crate) const ALLOWED: &str = "may fail";
pub(crate) const STEPS: &str = "Steps";
pub(crate) const STEP: &str = "Step";
pub(crate) const RESULT: &str = "Result";
pub(crate) const BEGAN: &str = "Began";
pub(crate) const NOT_BEGUN: &str = "not begun";
pub(crate) const WORKER: &str = "Worker";
pub(crate) const POOL: &str = "Pool";
pub(crate) const ATTEMPTS: &str = "Attempts";
pub(crate) const LOG: &str = "Log";
pub(crate) const NO_LOG: &str = "Nothing has been written yet.";
pub(crate) const NO_ATTEMPT: &str = "It has not begun, so there is no log.";
pub(crate) const RAW_LOG: &str = "All of it, raw";
pub(crate) const EARLIER: &str = "Earlier lines";
pub(crate) const LATER: &str = "Later lines";
pub(crate) const LAST: &str = "Last lines";
pub(crate) const TIMES: &str = "Times";
pub(crate) const FOLLOW: &str = "Scroll along";
pub(crate) const BEFORE_STEPS: &str = "Before the first step";
pub(crate) const LIVE: &str = "live";
pub(crate) const LOST: &str = "connection lost, trying again…";
pub(crate) const OVER: &str = "complete";
pub(crate) const TESTS: &str = "Tests";
pub(crate) const TEST: &str = "Test";
pub(crate) const PLACE: &str = "Place";
pub(crate) const SUMMARY: &str = "Summary";
pub(crate) const ARTIFACTS: &str = "Artifacts";
pub(crate) const OUTPUTS: &str = "Outputs";
pub(crate) const NAME: &str = "Name";
pub(crate) const SIZE: &str = "Size";
pub(crate) const DEFINITION: &str = "Run definition";
pub(crate) const LOGIN: &str = "Log in";
pub(crate) const LOGIN_WHERE: &str = "This server asks for its access token. `branchline up` prints a link with the token when it starts; the data folder keeps it in the file `token`.";
pub(crate) const LOGIN_WRONG: &str = "That is not the access token.";
pub(crate) const LOGIN_FIELD: &str = "Access token";
pub(crate) const BACK: &str = "Back to the repositories";
pub(crate) const FAILURE_ID: &str = "The server's log says why, under";

/// What cannot be written now, and what that means.
pub(crate) fn shortage(shortage: &branchline_controller::Shortage) -> String {
    let what = match shortage.place {
        branchline_controller::Place::Store => "Nothing new can be stored",
        branchline_controller::Place::Logs => "Logs cannot be stored",
    };
    format!("{what}: {}. What waits for it goes on by itself once it can be.", shortage.why)
}

pub(crate) const LOG_UNREADABLE: &str = "The log cannot be read now. `branchline doctor`, on the controller's machine, says what is wrong with it.";

/// A log that has fewer bytes than its attempt's end said.
pub(crate) fn log_lost(stored: u64, length: u64) -> String {
    format!("The end of the log is lost: {stored} of {length} bytes are there.")
}

/// What to do about rows that cannot be read.
pub(crate) const UNREADABLE: &str = "What is stored is damaged.";

/// Rows that cannot be read, each with what is wrong and what to do.
pub(crate) fn unreadable_rows(rows: &[branchline_model::UnreadableRow]) -> Vec<String> {
    rows.iter().map(|row| format!("The row `{}` cannot be read: {}. {}", row.key, row.why, DOCTOR)).collect()
}

/// What helps against damaged rows.
pub(crate) const DOCTOR: &str = "On the controller's machine `branchline doctor` says what can be done.";

pub(crate) const EFFECTS: &str = "Effects";
pub(crate) const EFFECTS_HINT: &str =
    "What was decided and is to be done outside. What fails is tried again, later each time.";
pub(crate) const DEAD_LETTERS: &str = "Dead letters";
pub(crate) const DEAD_LETTERS_HINT: &str = "They failed so often that they are not tried again by themselves. Put right what failed, and send them again.";
pub(crate) const NO_DEAD_LETTERS: &str = "There are none.";
pub(crate) const PENDING_EFFECTS: &str = "Still to be done";
pub(crate) const NO_PENDING_EFFECTS: &str = "Nothing.";
pub(crate) const RESEND: &str = "Send again";
pub(crate) const DROP: &str = "Give up";
pub(crate) const PLANNED: &str = "decided";
pub(crate) const FIRST_FAILURE: &str = "first";
pub(crate) const LAST_FAILURE: &str = "last";
pub(crate) const DEAD_LETTERS_WAIT: &str =
    "Some of what was to be done outside failed too often, and waits for you:";
pub(crate) const DEAD_LETTERS_LINK: &str = "dead letters";

pub(crate) fn failures(failures: u32) -> String {
    match failures {
        0 => "not failed".to_owned(),
        1 => "failed once".to_owned(),
        failures => format!("failed {failures} times"),
    }
}

/// A duration, short: `340 ms`, `12 s`, `3 min 5 s`, `2 h 0 min`.
pub(crate) fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0 if duration.is_zero() => "0 s".to_owned(),
        0 => format!("{} ms", duration.as_millis()),
        1..10 => format!("{:.1} s", duration.as_secs_f64()),
        10..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}

/// How long ago something was.
pub(crate) fn ago(at: Timestamp, now: Timestamp) -> String {
    let seconds = now.since(at).as_secs();
    match seconds {
        0..10 => "just now".to_owned(),
        10..60 => format!("{seconds} s ago"),
        60..3600 => format!("{} min ago", seconds / 60),
        3600..86_400 => format!("{} h ago", seconds / 3600),
        _ => format!("{} d ago", seconds / 86_400),
    }
}

/// A size: `340 bytes`, `12 KiB`, `1.5 GiB`.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match UNITS.into_iter().find(|(unit, _)| bytes >= *unit) {
        Some((unit, name)) => {
            let tenths = bytes / (unit / 10).max(1);
            format!("{}.{} {name}", tenths / 10, tenths % 10)
        }
        None => format!("{bytes} bytes"),
    }
}

/// How tests ended: `3 of 120 tests failed, 2 were skipped.`
pub(crate) fn tests(tests: &branchline_model::Tests) -> String {
    let (all, bad) = (tests.count(), tests.count_bad());
    let skipped = match tests.skipped {
        0 => String::new(),
        1 => ", 1 was skipped".to_owned(),
        skipped => format!(", {skipped} were skipped"),
    };
    match bad {
        0 => format!("{} of {all} tests passed{skipped}.", tests.passed),
        bad => format!("{bad} of {all} tests failed{skipped}."),
    }
}

pub(crate) fn more_tests(left: u64) -> String {
    format!("{left} more failed.")
}

pub(crate) fn summary_cut(left_out: u64) -> String {
    format!("The summary was longer: {} were left out.", size(left_out))
}

pub(crate) fn tally(current: u64, total: u64) -> String {
    format!("{current} of {total}")
}

/// A note of a worker's as a sentence of its own.
pub(crate) fn sentence(note: &str) -> String {
    let mut letters = note.chars();
    let first: String = letters.next().map(|first| first.to_uppercase().collect()).unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}

pub(crate) fn build_title(number: u64, pipeline: &str) -> String {
    format!("Build {number}: {pipeline}")
}

pub(crate) fn run_title(job: &str, number: u64) -> String {
    format!("{job} · build {number}")
}

pub(crate) fn attempt(number: u32, is_lost: bool) -> String {
    let lost = if is_lost { ": lost" } else { "" };
    format!("Attempt {number}{lost}")
}

pub(crate) fn silent(for_so_long: Duration) -> String {
    format!("its worker has been silent for {}", duration(for_so_long))
}

pub(crate) fn tried_again(attempt: u32, why: &str) -> String {
    format!("tried again: in attempt {attempt}, {why}")
}

pub(crate) fn exit_code(code: i32) -> String {
    format!("exit code {code}")
}

pub(crate) fn signal(signal: i32) -> String {
    format!("ended by signal {signal}")
}

pub(crate) fn not_started(why: &str) -> String {
    format!("not started: {why}")
}

pub(crate) const TIMED_OUT: &str = "its time ran out";
pub(crate) const STOPPED: &str = "stopped";
pub(crate) const CONDITION: &str = "its condition did not hold";

pub(crate) fn trouble(failures: u32, ago: &str, why: &str) -> String {
    let times = if failures == 1 { "once".to_owned() } else { format!("{failures} times") };
    format!("cannot be reached since {ago}, tried {times}: {why}")
}

pub(crate) fn too_many_jobs(jobs: usize) -> String {
    format!("{jobs} jobs are too many to draw: the table below has them all.")
}

pub(crate) fn more_runs(shown: usize, all: usize) -> String {
    format!("{shown} of {all} runs are shown; the API lists all.")
}

pub(crate) fn part_of_log(from: u64, to: u64, length: u64) -> String {
    format!("Bytes {from} to {to} of {length} ({}).", size(length))
}

pub(crate) fn whole_log(length: u64) -> String {
    format!("{}.", size(length))
}

pub(crate) fn skipped(bytes: u64) -> String {
    format!(
        "{} were passed over here to keep up; reload the page or open the raw log to read them.",
        size(bytes)
    )
}

pub(crate) fn runs_ended(ended: u32, runs: u32) -> String {
    format!("{ended} of {runs} runs have ended")
}

pub(crate) fn graph_node(job: &str, status: &str) -> String {
    format!("{job}: {status}")
}

/// The same of a job with many runs, by the one that says most.
pub(crate) fn graph_nodes(job: &str, status: &str, runs: usize) -> String {
    format!("{job}, {runs} runs: {status}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_ages_and_sizes_are_short_and_have_units() {
        let durations =
            [0, 340, 1_500, 12_000, 185_000, 7_260_000].map(|ms| duration(Duration::from_millis(ms)));
        assert_eq!(durations, ["0 s", "340 ms", "1.5 s", "12 s", "3 min 5 s", "2 h 1 min"]);
        let ages = [0, 59, 60, 7_200, 200_000].map(|s| ago(Timestamp(0), Timestamp(s * 1000)));
        assert_eq!(ages, ["just now", "59 s ago", "1 min ago", "2 h ago", "2 d ago"]);
        let sizes = [0, 1023, 1024, 1_600_000, 3 << 30].map(size);
        assert_eq!(sizes, ["0 bytes", "1023 bytes", "1.0 KiB", "1.5 MiB", "3.0 GiB"]);
    }
}
