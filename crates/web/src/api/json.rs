//! The JSON that programs exchange with the server, apart from what is stored: rows may change their form, this may
//! only grow. Ids are text; times are RFC 3339 in UTC with milliseconds; durations are milliseconds. A reader passes over
//! fields that it does not know; the server refuses those of a request.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Why a request was not done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// What went wrong.
    pub error: FailureFacts,
}

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FailureFacts {
    /// A word that programs tell failures apart by, as `not_found`.
    pub code: String,
    /// What failed, for people.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// The id under which the server's own log says why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

/// Whether the server can do its work now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Health {
    /// Whether it can.
    pub ok: bool,
    /// What it cannot write to: what waits for that goes on by itself once it can.
    pub shortages: Vec<Shortage>,
}

/// Something that cannot be written to now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Shortage {
    /// `store` or `logs`.
    pub place: String,
    /// Since when.
    pub since: String,
    /// What failed last, where, and what to do.
    pub why: String,
}

/// All repositories.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Repositories {
    /// By id.
    pub repositories: Vec<Repository>,
}

/// A repository.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Repository {
    /// As in `app-1f3c9a2e04`.
    pub id: String,
    /// As in `github.com/acme/app`.
    pub name: String,
    /// Where it is, without any secret.
    pub url: String,
    /// The branch that HEAD names.
    pub default_branch: Option<String>,
    /// When its refs were first seen.
    pub first_seen_at: Option<String>,
    /// How many builds it has had.
    pub builds: u64,
    /// What is wrong with reaching it, while something is.
    pub trouble: Option<Trouble>,
    /// Its newest build.
    pub newest: Option<Build>,
}

/// What is wrong with reaching a repository.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trouble {
    /// Since when.
    pub since: String,
    /// What failed last.
    pub why: String,
    /// How often in a row.
    pub failures: u32,
    /// When it is tried again.
    pub next_try_at: String,
}

/// Some of a repository's builds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Builds {
    /// The newest first.
    pub builds: Vec<Build>,
    /// What to give as `before` for older ones; none where there are none.
    pub before: Option<u64>,
    /// Builds that are stored and cannot be read.
    #[serde(default)]
    pub unreadable: Vec<Unreadable>,
}

/// Something that is stored and cannot be read, or is missing. `branchline doctor` says what can be done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Unreadable {
    /// Where it is stored.
    pub key: String,
    /// What is wrong with it.
    pub why: String,
}

/// A build.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Build {
    /// As in `app-1f3c9a2e04/12`.
    pub id: String,
    /// Its repository's id.
    pub repository: String,
    /// Which of that repository's builds.
    pub number: u64,
    /// Its pipeline.
    pub pipeline: String,
    /// The key of the event that caused it.
    pub cause: String,
    /// What kind of event that was: `push`, `tag`, `manual`.
    pub event: String,
    /// `refs/heads/…` or `refs/tags/…`.
    #[serde(rename = "ref")]
    pub ref_name: String,
    /// All digits.
    pub commit: String,
    /// The first line of the commit's message.
    pub subject: String,
    /// The commit's author.
    pub author: String,
    /// Who caused it, where that is known.
    pub actor: Option<String>,
    /// `waiting`, `running`, `passed`, `failed`, `errored`, `cancelled`, `timed_out`, `skipped`, `superseded`, `invalid`.
    pub status: String,
    /// Whether it has ended: its status is final.
    pub ended: bool,
    /// Whether it was told to stop.
    pub stopping: bool,
    /// Why it ended so, where there is more to say than its status.
    pub reason: Option<Reason>,
    /// When it was created.
    pub created_at: String,
    /// When it ended.
    pub ended_at: Option<String>,
    /// From its creation to its end, or to now.
    pub duration_ms: u64,
    /// How many runs it has.
    pub runs: u32,
    /// How many of them have ended, as far as that was folded in.
    pub runs_ended: u32,
}

/// Why something is as it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reason {
    /// A word that programs tell reasons apart by, as `step_failed`.
    pub code: String,
    /// The same for people, in a sentence without its full stop.
    pub sentence: String,
    /// The evidence, as `{"step": "Unit tests", "exit": 101}`.
    pub details: Map<String, Value>,
}

/// A build with all that belongs to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BuildDetails {
    /// The build.
    pub build: Build,
    /// What the pipeline says of itself.
    pub description: Option<String>,
    /// The file it was read from.
    pub file: String,
    /// Its jobs in the order of the file.
    pub jobs: Vec<Job>,
    /// Its runs, by index.
    pub runs: Vec<Run>,
    /// What is wrong with the file.
    pub problems: Vec<Problem>,
    /// What belongs to it and cannot be read.
    #[serde(default)]
    pub unreadable: Vec<Unreadable>,
}

/// A job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Its name.
    pub name: String,
    /// The jobs that it needs.
    pub needs: Vec<String>,
    /// Whether the build may pass when every run of it fails.
    pub allow_failure: bool,
    /// The pool of its runs.
    pub pool: String,
    /// Its runs' ids: one, or one for each cell of its matrix or each host.
    pub runs: Vec<String>,
}

/// A run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// As in `app-1f3c9a2e04/12/3`.
    pub id: String,
    /// Which of its build's runs.
    pub index: u32,
    /// Its job.
    pub job: String,
    /// The cell of its job's matrix, or its host.
    #[serde(default)]
    pub cell: Option<String>,
    /// What people call it by: `test`, or `test/1.95-bookworm`.
    pub label: String,
    /// The pool that it is sent to.
    pub pool: String,
    /// How many attempts there were.
    pub attempts: u32,
    /// `blocked`, `held`, `waiting`, `queued`, `starting`, `running`, `passed`, `failed`, `errored`, `timed_out`,
    /// `cancelled`, `skipped`.
    pub status: String,
    /// Whether it has ended: its status is final.
    pub ended: bool,
    /// Whether it was told to stop.
    pub stopping: bool,
    /// Why it ended so.
    pub reason: Option<Reason>,
    /// The condition that let it go on, where it has one.
    #[serde(default)]
    pub because: Option<Reason>,
    /// When its first step was begun.
    pub began_at: Option<String>,
    /// When it ended.
    pub ended_at: Option<String>,
    /// From its first step to its end, or to now.
    pub duration_ms: Option<u64>,
    /// Since when nothing was heard of its worker, where that is long ago.
    #[serde(default)]
    pub silent_since: Option<String>,
    /// Where it is tried again and no other attempt was begun yet: why, and when it may be.
    #[serde(default)]
    pub again: Option<Again>,
}

/// That a run is tried again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Again {
    /// The attempt that did not do.
    pub after_attempt: u32,
    /// Why it did not.
    pub reason: Reason,
    /// When the run takes its place in its queue.
    pub not_before: String,
}

/// Something wrong in a pipeline file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Problem {
    /// The file.
    pub file: String,
    /// From 1.
    pub line: u32,
    /// From 1.
    pub column: u32,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// All of it with the excerpt, as a terminal shows it.
    pub rendered: String,
}

/// A run with all that belongs to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunDetails {
    /// The run.
    pub run: Run,
    /// The build it is a part of.
    pub build: Build,
    /// Its attempts, the first first; of more than a hundred the last hundred.
    pub attempts: Vec<Attempt>,
    /// The artifacts of its attempts.
    #[serde(default)]
    pub artifacts: Vec<Artifact>,
    /// All that a worker must do: the run definition, in its own format.
    pub definition: Value,
}

/// One try of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// As in `app-1f3c9a2e04/12/3/1`.
    pub id: String,
    /// Which try, from 1.
    pub number: u32,
    /// Who holds it.
    pub worker: String,
    /// When it was claimed.
    pub claimed_at: String,
    /// When it ended.
    pub ended_at: Option<String>,
    /// How it ended, as its worker says.
    pub end: Option<Value>,
    /// When it was given up, because nothing was heard of its worker; then there is no word of how it ended.
    #[serde(default)]
    pub lost_at: Option<String>,
    /// Every step that was begun, in order.
    pub steps: Vec<Step>,
    /// How far the step is that runs, where its output says so.
    #[serde(default)]
    pub tally: Option<Tally>,
    /// What it has to show besides its log, where it has anything.
    #[serde(default)]
    pub results: Option<Results>,
}

/// How far a step is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tally {
    /// So many are done.
    pub current: u64,
    /// Of so many.
    pub total: u64,
}

/// What an attempt has to show.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Results {
    /// What its steps wrote into `BRANCHLINE_OUTPUT`, by name.
    pub outputs: BTreeMap<String, String>,
    /// What its steps wrote into `BRANCHLINE_SUMMARY`: Markdown, as it was written.
    pub summary: Option<String>,
    /// How many bytes of the summary were left out.
    pub summary_left_out: u64,
    /// What became of its tests, where it reports any.
    pub tests: Option<Tests>,
    /// Sentences about what could not be gathered, or not all of it.
    pub notes: Vec<String>,
}

/// What became of tests.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tests {
    /// How many passed.
    pub passed: u64,
    /// How many failed.
    pub failed: u64,
    /// How many could not be carried out.
    pub errored: u64,
    /// How many were skipped.
    pub skipped: u64,
    /// How long they took together, as far as that is said.
    pub duration_ms: u64,
    /// The first that failed or errored; at most a hundred.
    pub bad: Vec<Test>,
}

/// A test that did not pass.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Test {
    /// What it belongs to.
    pub suite: Option<String>,
    /// Its name.
    pub name: String,
    /// `failed` or `errored`.
    pub outcome: String,
    /// Why.
    pub message: Option<String>,
    /// Where in the sources, as its report says it.
    pub file: Option<String>,
    /// From 1.
    pub line: Option<u32>,
    /// How long it took, where that is said.
    pub duration_ms: Option<u64>,
}

/// Something that a run has made and that is kept: a gzipped tar.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Artifact {
    /// Its name.
    pub name: String,
    /// The attempt that made it.
    pub attempt: u32,
    /// How many bytes it has.
    pub bytes: u64,
    /// Their SHA-256, in hexadecimal digits.
    pub sha256: String,
    /// When it was named.
    pub named_at: String,
    /// Where it is downloaded: a path on this server.
    pub path: String,
}

/// A step that was begun.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Which step of the definition, from 0.
    pub index: u32,
    /// What people call it.
    pub title: String,
    /// When its process was started.
    pub began_at: String,
    /// When it ended.
    pub ended_at: Option<String>,
    /// From its beginning to its end, or to now.
    pub duration_ms: u64,
    /// Where its output begins in the log, in bytes.
    pub log_offset: u64,
    /// How it ended, as `{"end": "exited", "code": 0}`; none while it runs.
    pub end: Option<Value>,
}

/// What someone asks to start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Start {
    /// Which pipeline.
    pub pipeline: String,
    /// On which branch or tag: `refs/heads/…`, `refs/tags/…` or a branch's name; none is the default branch.
    #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
    pub ref_name: Option<String>,
    /// What makes it the same start when it is asked for again: 1 to 200 letters, digits, `.`, `_`, `:` or `-`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    /// The pipeline's inputs by name: a text, a number, a boolean, or a list of texts.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub inputs: BTreeMap<String, Value>,
}

/// What was started.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Started {
    /// The event's key, for `/api/v1/events/{key}`.
    pub event: String,
    /// Its builds' ids; none while it is not decided.
    pub builds: Vec<String>,
    /// Why each pipeline is built or not.
    pub reasons: Vec<Reason>,
    /// What keeps it from being decided now; it will be tried again.
    pub pending: Option<String>,
}

/// What a cancel came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cancelled {
    /// The id of the build or run.
    pub id: String,
    /// `ended`, or `stopping` while a worker is still to end it.
    pub cancelled: String,
}

/// What is to be done outside and is not known to have been done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Effects {
    /// What is tried by itself.
    pub pending: Vec<Effect>,
    /// Dead letters: what failed so often that it waits for a person.
    pub dead: Vec<Effect>,
}

/// Something to be done outside.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Effect {
    /// Its key, as in `stop/app-1f3c9a2e04/12/3/1`.
    pub key: String,
    /// What it does, in a sentence without its full stop.
    pub does: String,
    /// The id of the run that it is about.
    pub run: String,
    /// When it was decided.
    pub planned_at: String,
    /// How often it failed since then, or since it was sent again.
    pub failures: u32,
    /// When it first failed.
    pub first_failure_at: Option<String>,
    /// When it failed for good; none for one that is tried by itself.
    pub last_failure_at: Option<String>,
    /// When it is tried again; none for a dead letter.
    pub next_try_at: Option<String>,
    /// What failed last, where anything has.
    pub why: Option<String>,
}

/// Which effect is meant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedEffect {
    /// Its key.
    pub key: String,
}

/// What became of a person's word about an effect.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Letter {
    /// Its key.
    pub key: String,
    /// `sent`: it is tried now; `dropped`: it was given up.
    pub letter: String,
}

/// An event, and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Its key.
    pub key: String,
    /// Its repository's id.
    pub repository: String,
    /// `push`, `tag` or `manual`.
    pub kind: String,
    /// `refs/heads/…` or `refs/tags/…`.
    #[serde(rename = "ref")]
    pub ref_name: String,
    /// The commit that is meant.
    pub commit: String,
    /// Who caused it, where that is known.
    pub actor: Option<String>,
    /// When it was accepted.
    pub accepted_at: String,
    /// `pending`, `decided` or `abandoned`.
    pub status: String,
    /// What failed last, or why it was given up.
    pub why: Option<String>,
    /// The ids of its builds.
    pub builds: Vec<String>,
    /// Why each pipeline was built or not.
    pub reasons: Vec<Reason>,
}

/// What is remembered of a commit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CommitEvents {
    /// Its events, as far as they are remembered.
    pub events: Vec<Event>,
}

/// A message of `/api/v1/stream`: what is so now. The first one says all, later ones what changed since.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "changed", rename_all = "snake_case")]
pub enum Changed {
    /// A repository, or its list of builds.
    Repository {
        /// As it is now.
        repository: Repository,
    },
    /// A build or its runs.
    Build {
        /// As it is now.
        build: Build,
        /// The runs that are new or not as before.
        runs: Vec<Run>,
    },
}
