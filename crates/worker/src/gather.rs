//! What an attempt has to show when its steps have ended: outputs, a summary, tests, and archives of what is to be kept. Invariants:
//! whatever a step left behind is read as it lies there, no link is followed, and memory is bounded; gathering changes nothing in the
//! workspace, so that it may be done again by the next worker.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use branchline_archive::{ArchiveError, Choice, Packed, pack, read_chosen};
use branchline_expression::Standing;
use branchline_model::{
    ArtifactDefinition, AttemptEnd, ObjectKey, ReportsDefinition, Results, RunDefinition, Tests,
};
use branchline_reports::{Counting, Found, Limits, Lines, Matching, Outputs, read_junit, read_summary};
use branchline_supervisor::{AttemptDirectory, holds};
use nix::fcntl::OFlag;

/// So many sentences about what was gathered are kept, and so long each of them is.
const MOST_NOTES: usize = 50;
const LONGEST_NOTE: usize = 600;

/// How much of a log is looked at at once.
const CHUNK: usize = 256 << 10;

/// What was gathered.
#[derive(Debug)]
pub(crate) struct Gathered {
    /// How the attempt ended, with all of that.
    pub(crate) end: AttemptEnd,
    /// What it has to show.
    pub(crate) results: Results,
    /// What is to be uploaded.
    pub(crate) archives: Vec<Archive>,
}

/// A packed artifact.
#[derive(Debug)]
pub(crate) struct Archive {
    pub(crate) name: ObjectKey,
    pub(crate) packed: Packed,
    pub(crate) file: PathBuf,
}

/// Whether there may be anything to gather: most runs have nothing.
pub(crate) fn is_wanted(directory: &AttemptDirectory, definition: &RunDefinition) -> bool {
    let is_written = |path: PathBuf| fs::symlink_metadata(path).is_ok_and(|found| found.len() > 0);
    !definition.artifacts.is_empty()
        || !definition.reports.is_empty()
        || is_written(directory.output())
        || is_written(directory.summary())
}

/// Gathers what an attempt that ended so has to show.
pub(crate) fn gather(directory: &AttemptDirectory, definition: &RunDefinition, end: &AttemptEnd) -> Gathered {
    let mut gathered = Gathered { end: end.clone(), results: Results::default(), archives: Vec::new() };
    gathered.read_said(directory);
    if !definition.reports.is_empty() && !matches!(end, AttemptEnd::StartFailed { .. }) {
        let tests = gathered.read_tests(directory, &definition.reports);
        if let (AttemptEnd::Passed, Some(count @ 1..)) = (end, tests.as_ref().map(Tests::count_bad)) {
            gathered.end = AttemptEnd::TestsFailed { count };
        }
        gathered.results.tests = tests;
    }
    // What went away without a word, or was told to stop, has finished nothing that is worth keeping.
    if !matches!(
        end,
        AttemptEnd::Stopped | AttemptEnd::SupervisorLost { .. } | AttemptEnd::StartFailed { .. }
    ) {
        let standing = match gathered.end {
            AttemptEnd::Passed => Standing::Succeeding,
            _ => Standing::Failed,
        };
        for artifact in &definition.artifacts {
            gathered.keep(directory, definition, artifact, standing);
        }
    }
    gathered
}

impl Gathered {
    fn note(&mut self, note: &str) {
        let notes = &mut self.results.notes;
        match notes.len() {
            MOST_NOTES.. => {}
            _ if notes.len() == MOST_NOTES - 1 => notes.push("there is more of this kind".to_owned()),
            _ => {
                let end = note.floor_char_boundary(LONGEST_NOTE.min(note.len()));
                notes.push(note[..end].to_owned());
            }
        }
    }

    /// What steps wrote for themselves.
    fn read_said(&mut self, directory: &AttemptDirectory) {
        match plain_file(&directory.output()).and_then(|file| match file {
            Some(mut file) => Outputs::read(&mut file),
            None => Ok(Outputs::default()),
        }) {
            Ok(Outputs { values, notes }) => {
                self.results.outputs = values;
                for note in notes {
                    self.note(&note);
                }
            }
            Err(error) => self.note(&format!("the outputs cannot be read: {error}")),
        }
        match plain_file(&directory.summary()).and_then(|file| match file {
            Some(mut file) => {
                let length = file.metadata()?.len();
                read_summary(&mut file, length)
            }
            None => Ok(None),
        }) {
            Ok(summary) => self.results.summary = summary,
            Err(error) => self.note(&format!("the summary cannot be read: {error}")),
        }
    }

    fn read_tests(&mut self, directory: &AttemptDirectory, reports: &ReportsDefinition) -> Option<Tests> {
        let mut counting = Counting::default();
        if !reports.junit.is_empty()
            && let Err(error) = read_files(directory, &reports.junit, &mut counting)
        {
            let what = "the reports of tests";
            match self.end {
                // Where all steps passed there must be some.
                AttemptEnd::Passed => counting.add_trouble(what, error.to_string()),
                _ => self.note(&format!("{what}: {error}")),
            }
        }
        if let Some(definition) = &reports.matching {
            let found = Matching::new(definition).map_err(|error| error.to_string()).and_then(|matching| {
                read_log(directory, matching, &mut counting).map_err(|error| error.to_string())
            });
            if let Err(error) = found {
                counting.add_trouble("the tests in the log", error);
            }
        }
        counting.tests()
    }

    /// Packs an artifact. One that cannot be kept fails a run that passed otherwise: it promised something that is not there.
    fn keep(
        &mut self,
        directory: &AttemptDirectory,
        definition: &RunDefinition,
        artifact: &ArtifactDefinition,
        standing: Standing,
    ) {
        match is_to_be_kept(definition, artifact, standing).and_then(|kept| match kept {
            true => archive(directory, artifact).map(Some).map_err(|error| error.to_string()),
            false => Ok(None),
        }) {
            Ok(archive) => self.archives.extend(archive),
            Err(why) => self.miss(&artifact.name, &why),
        }
    }

    /// Says that an artifact is not there.
    pub(crate) fn miss(&mut self, artifact: &str, why: &str) {
        self.note(&format!("the artifact `{artifact}` was not kept: {why}"));
        if self.end == AttemptEnd::Passed {
            let (artifact, why) = (artifact.to_owned(), why.to_owned());
            self.end = AttemptEnd::ArtifactFailed { artifact, why };
        }
    }
}

fn is_to_be_kept(
    definition: &RunDefinition,
    artifact: &ArtifactDefinition,
    standing: Standing,
) -> Result<bool, String> {
    let Some(text) = &artifact.condition else { return Ok(standing == Standing::Succeeding) };
    holds(definition, &BTreeMap::new(), text, standing)
}

fn archive(directory: &AttemptDirectory, artifact: &ArtifactDefinition) -> Result<Archive, ArchiveError> {
    let pattern = |why: String| ArchiveError::Pattern { pattern: artifact.name.clone(), why };
    let name: ObjectKey = artifact.name.parse::<ObjectKey>().map_err(|error| pattern(error.to_string()))?;
    let folder = directory.archives();
    let failed = |source| ArchiveError::Failed {
        doing: "make the folder",
        path: folder.display().to_string(),
        source,
    };
    fs::create_dir_all(&folder).map_err(failed)?;
    // The name may hold what no file's may.
    let file = folder.join(name.as_str().replace('/', "%"));
    let workspace = workspace(directory)?;
    let packed = pack(&workspace, &Choice::new(&artifact.paths)?, &file)?;
    Ok(Archive { name, packed, file })
}

/// The workspace itself, where it is a link to a tree that exists.
fn workspace(directory: &AttemptDirectory) -> Result<PathBuf, ArchiveError> {
    let path = directory.workspace();
    let shown = path.display().to_string();
    path.canonicalize().map_err(|source| ArchiveError::Failed { doing: "find", path: shown, source })
}

fn read_files(
    directory: &AttemptDirectory,
    patterns: &[String],
    counting: &mut Counting,
) -> Result<(), ArchiveError> {
    let choice = Choice::new(patterns)?;
    let count = read_chosen(&workspace(directory)?, &choice, |path, file| {
        let read = read_junit(&mut BufReader::new(file), Limits::default(), |found| match found {
            Found::Test(test) | Found::Suite(test) => counting.add(test),
        });
        if let Err(error) = read {
            counting.add_trouble(path, format!("the report cannot be read: {error}"));
        }
    })?;
    if count == 0 { Err(ArchiveError::Nothing { patterns: choice.words() }) } else { Ok(()) }
}

/// Looks for tests in the whole log, whoever followed it until now.
fn read_log(directory: &AttemptDirectory, mut matching: Matching, counting: &mut Counting) -> io::Result<()> {
    let (mut lines, mut chunk) = (Lines::default(), vec![0; CHUNK]);
    if let Some(mut log) = plain_file(&directory.log())? {
        loop {
            let read = log.read(&mut chunk)?;
            if read == 0 {
                break;
            }
            let found = chunk.get(..read).unwrap_or_default();
            lines.push(found, |line| matching.line(line).into_iter().for_each(|test| counting.add(test)));
        }
    }
    lines.end(|line| matching.line(line).into_iter().for_each(|test| counting.add(test)));
    matching.end().into_iter().for_each(|test| counting.add(test));
    Ok(())
}

/// Opens a file of the attempt's, if it still is one: a step may have put anything in its place.
fn plain_file(path: &Path) -> io::Result<Option<File>> {
    let flags = (OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_NOCTTY).bits();
    match OpenOptions::new().read(true).custom_flags(flags).open(path) {
        Ok(file) if file.metadata()?.is_file() => Ok(Some(file)),
        Ok(_) => Err(io::Error::other("it is no regular file any more")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
