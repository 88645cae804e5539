//! The check-up of a data folder: its database, logs, attempts and caches, and the repair of what can be. Invariant: without
//! `repair` nothing is written; with it nothing is thrown away: what cannot be used is moved to where it is kept.
//!
//! What is wrong with rows is decided in `branchline_core::doctor`; what can be saved of a damaged file, in the store.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, bail};
use branchline_artifacts::FolderArtifacts;
use branchline_core::doctor::{Ailment, Cure, Examination, Finding};
use branchline_core::effect;
use branchline_model::{AttemptId, Row};
use branchline_ports::{ArtifactError, Artifacts, Clock, Store};
use branchline_store::{OpenError, SqliteLook, SqliteStore};
use branchline_supervisor::AttemptDirectory;
use serde::Serialize;

use super::{Data, SystemClock};

/// A cure may uncover what could not be seen before; so often at the most.
const MOST_PASSES: usize = 8;

/// The partitions that tell which builds there are; they are looked at before all others.
const BUILDS_FIRST: (&str, &str) = ("repositor", "repositorz");

/// What came of a check-up.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Checkup {
    /// How many rows were looked at.
    pub rows: u64,
    /// How many logs were.
    pub logs: u64,
    /// What is, or was, wrong.
    pub findings: Vec<Complaint>,
    /// What is worth knowing and nothing to worry about.
    pub notes: Vec<String>,
}

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Complaint {
    /// `database`, `row`, `log` or `cache`.
    pub kind: &'static str,
    /// The file, or the row's key.
    pub key: String,
    /// What is wrong, and what it means.
    pub what: String,
    /// What a repair does about it; none where it can do nothing.
    pub remedy: Option<String>,
    /// Whether that was done.
    pub repaired: bool,
}

impl Checkup {
    /// Whether nothing is wrong now.
    #[must_use]
    pub fn is_well(&self) -> bool {
        self.findings.iter().all(|finding| finding.repaired)
    }
}

/// What a look through all rows gathers beside what is wrong with them.
#[derive(Default)]
struct Rows {
    findings: Vec<Finding>,
    count: u64,
    /// The attempts that have ended, with the length of their logs.
    ended: Vec<(AttemptId, u64)>,
    held: BTreeSet<AttemptId>,
}

/// Checks a data folder, and repairs it where that is asked for.
///
/// # Errors
/// Where it could not be checked.
pub async fn check_up(data: &Data, repair: bool) -> anyhow::Result<Checkup> {
    let database = data.database();
    if !database.exists() {
        bail!("`{}` holds no store: name another data folder with --data DIR", data.folder().display());
    }
    let mut checkup = Checkup::default();
    if !check_file(&database, repair, &mut checkup)? {
        return Ok(checkup);
    }
    let store = repair.then(|| SqliteStore::open(&database)).transpose()?;
    let rows = check_rows(&database, store.as_ref(), &mut checkup).await?;
    checkup.rows = rows.count;
    check_logs(data, &rows.ended, repair, &mut checkup).await?;
    note_attempts(data, &rows.held, &mut checkup);
    check_caches(data, repair, &mut checkup);
    Ok(checkup)
}

/// Whether the rows in the file can be looked at now.
fn check_file(database: &Path, repair: bool, checkup: &mut Checkup) -> anyhow::Result<bool> {
    let complaint = |what: String, repaired| Complaint {
        kind: "database",
        key: database.display().to_string(),
        what,
        remedy: Some("saves what can be read into a new file, and keeps the old one beside it".to_owned()),
        repaired,
    };
    let found = SqliteLook::at(database).and_then(|look| look.integrity());
    let wrong = match found {
        Ok(lines) => lines,
        Err(error) => vec![error.to_string()],
    };
    if wrong.is_empty() {
        return Ok(true);
    }
    if repair {
        let saved = SqliteStore::salvage(database).map_err(|error| match error {
            OpenError::InUse { .. } => {
                anyhow::Error::from(error).context("a store in use cannot be repaired")
            }
            error => error.into(),
        })?;
        checkup.notes.push(format!(
            "{} rows were saved into a new file; the damaged one is kept as {}",
            saved.rows,
            saved.old.display()
        ));
    }
    checkup.findings.extend(wrong.into_iter().map(|line| complaint(line, repair)));
    // What is damaged may still be readable for the most part; what follows is said of that part.
    Ok(repair || SqliteLook::at(database).is_ok_and(|look| look_through(&look).is_ok()))
}

/// Examines all rows, and applies the cures until nothing is found.
async fn check_rows(
    database: &Path,
    store: Option<&SqliteStore>,
    checkup: &mut Checkup,
) -> anyhow::Result<Rows> {
    for _ in 0..MOST_PASSES {
        let mut rows = look_through(&SqliteLook::at(database)?)?;
        let findings = std::mem::take(&mut rows.findings);
        let Some(store) = store.filter(|_| !findings.is_empty()) else {
            checkup.findings.extend(findings.iter().map(|finding| of_row(finding, false)));
            return Ok(rows);
        };
        // What cannot be read goes first: what else is found may only be its consequence.
        let unreadable = |finding: &Finding| matches!(finding.what, Ailment::Unreadable { .. });
        let only_unreadable = findings.iter().any(unreadable);
        for finding in findings.iter().filter(|finding| !only_unreadable || unreadable(finding)) {
            apply(store, finding).await?;
            checkup.findings.push(of_row(finding, true));
        }
    }
    bail!("the repair found something new {MOST_PASSES} times: run it again, and report it if that goes on")
}

async fn apply(store: &SqliteStore, finding: &Finding) -> anyhow::Result<()> {
    let applied = match &finding.cure {
        Cure::SetAside(keys) => store.set_aside(keys, &finding.what.to_string()).map_err(anyhow::Error::from),
        Cure::Write(plan) => {
            let changes = effect::changes(plan.clone(), SystemClock.now());
            store.commit_if_unchanged(changes).await.map_err(Into::into)
        }
    };
    applied.with_context(|| format!("`{}` could not be repaired", finding.key))
}

fn of_row(finding: &Finding, repaired: bool) -> Complaint {
    let remedy = Some(finding.what.remedy().to_owned());
    let (key, what) = (finding.key.to_string(), finding.what.to_string());
    Complaint { kind: "row", key, what, remedy, repaired }
}

fn look_through(look: &SqliteLook) -> anyhow::Result<Rows> {
    let mut rows = Rows::default();
    let mut examination = Examination::default();
    let mut see = |row: Row| {
        rows.count += 1;
        if let Row::HeldAttempt(held) = &row {
            rows.held.insert(held.attempt.clone());
        }
        if let Row::Attempt(attempt) = &row
            && let Some(report) = &attempt.report
        {
            rows.ended.push((attempt.id.clone(), report.log_length));
        }
        examination.see(row);
    };
    let (first, end) = BUILDS_FIRST;
    look.each(first, Some(end), |row| see(row.value))?;
    look.each("", Some(first), |row| see(row.value))?;
    look.each(end, None, |row| see(row.value))?;
    rows.findings = examination.conclude(SystemClock.now());
    Ok(rows)
}

/// The log of an attempt that has ended is closed, and has what the attempt's end said.
async fn check_logs(
    data: &Data,
    ended: &[(AttemptId, u64)],
    repair: bool,
    checkup: &mut Checkup,
) -> anyhow::Result<()> {
    if !data.artifacts().exists() {
        return Ok(());
    }
    let artifacts = FolderArtifacts::open(data.artifacts())?;
    for (attempt, length) in ended {
        checkup.logs += 1;
        let (what, can) = match artifacts.log_length(attempt).await {
            Ok(log) if log.bytes < *length => {
                (format!("its end is lost: {} of {length} bytes are there", log.bytes), false)
            }
            Ok(log) if !log.closed && *length > 0 => ("it was not closed".to_owned(), true),
            Ok(_) => continue,
            Err(ArtifactError::Damaged { why, .. } | ArtifactError::Unavailable { why, .. }) => (why, false),
            Err(error @ (ArtifactError::Gap { .. } | ArtifactError::Closed { .. })) => {
                (error.to_string(), false)
            }
        };
        let repaired = repair && can && artifacts.close_log(attempt).await.is_ok();
        let key = format!("log of {attempt}");
        let remedy = can.then(|| "closes it".to_owned());
        checkup.findings.push(Complaint { kind: "log", key, what, remedy, repaired });
    }
    Ok(())
}

/// Folders of attempts that nobody holds are cleared away by the worker when it starts.
fn note_attempts(data: &Data, held: &BTreeSet<AttemptId>, checkup: &mut Checkup) {
    let Ok(found) = AttemptDirectory::all(&data.attempts()) else { return };
    let left = found.iter().filter(|directory| !held.contains(directory.attempt())).count();
    if left > 0 {
        checkup
            .notes
            .push(format!("{left} attempt folders are left over; the next `branchline up` clears them away"));
    }
}

/// A cache without its head or objects is of no use; it is fetched again once it is out of the way.
fn check_caches(data: &Data, repair: bool, checkup: &mut Checkup) {
    let folders =
        |path: &Path| fs::read_dir(path).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
    for cache in folders(&data.git()) {
        for git in folders(&cache).filter(|path| {
            path.is_dir() && path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("git-"))
        }) {
            if git.join("HEAD").is_file() && git.join("objects").is_dir() {
                continue;
            }
            let aside = data.folder().join("quarantine").join(git.strip_prefix(data.git()).unwrap_or(&git));
            let moved = || {
                fs::create_dir_all(aside.parent()?).ok()?;
                fs::rename(&git, &aside).ok()
            };
            checkup.findings.push(Complaint {
                kind: "cache",
                key: git.display().to_string(),
                what: "the cache of a repository is damaged: it has no head or no objects".to_owned(),
                remedy: Some(format!("moves it to {}; it is fetched again", aside.display())),
                repaired: repair && moved().is_some(),
            });
        }
    }
}
