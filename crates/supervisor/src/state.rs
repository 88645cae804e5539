//! The state lines of an attempt. Invariants: lines are only ever appended; a line counts once its newline is there; a
//! line that says that a step began is written before its process is started, so what no line speaks of never ran.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use branchline_model::{AttemptEnd, StepEnd, StepRecord, Timestamp};
use nix::fcntl::{FallocateFlags, fallocate};
use serde::{Deserialize, Serialize};

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub(crate) enum Line {
    /// From now on steps may have run.
    Began { at: Timestamp, pid: u32 },
    /// A step's process is about to be started.
    StepBegan { index: u32, at: Timestamp, log_offset: u64 },
    /// A step's condition did not hold.
    StepSkipped { index: u32, at: Timestamp, log_offset: u64 },
    /// A step ended; what it printed before is in the log.
    StepEnded { index: u32, at: Timestamp, end: StepEnd },
    /// The last line: no process of the attempt is left, and the log is whole.
    Ended { at: Timestamp, end: AttemptEnd, log_length: u64 },
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// How.
    pub end: AttemptEnd,
    /// When.
    pub at: Timestamp,
    /// How many bytes its log has, for good.
    pub log_length: u64,
}

/// What the state lines say so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    /// When the attempt began; before it, no step can have run.
    pub began_at: Option<Timestamp>,
    /// Every step that began, in order.
    pub steps: Vec<StepRecord>,
    /// How the attempt ended, once it has.
    pub end: Option<Ended>,
    /// How many bytes of the file are in here.
    consumed: u64,
}

impl Observed {
    /// Reads on; answers whether there was anything new.
    pub(crate) fn read_on(&mut self, file: &File) -> io::Result<bool> {
        let mut bytes = Vec::new();
        let mut chunk = [0; 4096];
        loop {
            match file.read_at(&mut chunk, self.consumed + bytes.len() as u64) {
                Ok(0) => break,
                Ok(read) => bytes.extend_from_slice(&chunk[..read]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
        for line in bytes[..whole].split(|byte| *byte == b'\n') {
            // What is not a line was torn by a full disk or a kill; whoever came after began a new one.
            if let Ok(line) = serde_json::from_slice(line) {
                self.apply(line);
            }
        }
        self.consumed += whole as u64;
        Ok(whole > 0)
    }

    fn apply(&mut self, line: Line) {
        if self.end.is_some() {
            return;
        }
        match line {
            Line::Began { at, .. } => {
                self.began_at.get_or_insert(at);
            }
            Line::StepBegan { index, at, log_offset } => {
                self.steps.push(StepRecord { index, began_at: at, log_offset, end: None, ended_at: None });
            }
            Line::StepSkipped { index, at, log_offset } => self.steps.push(StepRecord {
                index,
                began_at: at,
                log_offset,
                end: Some(StepEnd::Skipped),
                ended_at: Some(at),
            }),
            Line::StepEnded { index, at, end } => {
                if let Some(step) = self.steps.iter_mut().find(|step| step.index == index) {
                    step.end = Some(end);
                    step.ended_at = Some(at);
                }
            }
            Line::Ended { at, end, log_length } => self.end = Some(Ended { end, at, log_length }),
        }
    }

    /// What a directory's state lines say; nothing, where there are none yet.
    pub(crate) fn read(path: &Path) -> io::Result<Self> {
        let mut observed = Self::default();
        match File::open(path) {
            Ok(file) => observed.read_on(&file).map(|_| observed),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(observed),
            Err(error) => Err(error),
        }
    }
}

/// Appends state lines. Only who holds the attempt's lock has one.
#[derive(Debug)]
pub(crate) struct StateWriter {
    file: File,
    torn: bool,
}

impl StateWriter {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)?;
        let length = file.metadata()?.len();
        let mut last = [b'\n'];
        if length > 0 {
            file.read_exact_at(&mut last, length - 1)?;
        }
        Ok(Self { file, torn: last != *b"\n" })
    }

    /// Sets space aside, so that a disk that is filled by the log has room for the lines that say so.
    pub(crate) fn reserve(&self, steps: usize) -> io::Result<()> {
        let length = i64::try_from(4096 + steps * 400).unwrap_or(1 << 20);
        match fallocate(&self.file, FallocateFlags::FALLOC_FL_KEEP_SIZE, 0, length) {
            // A file system that cannot set space aside (NFS, ZFS) is no worse than one that was not asked.
            Ok(()) | Err(nix::errno::Errno::EOPNOTSUPP | nix::errno::Errno::ENOSYS) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Appends lines in one go.
    pub(crate) fn write(&mut self, lines: &[Line]) -> io::Result<()> {
        let mut text = Vec::new();
        if self.torn {
            text.push(b'\n');
        }
        for line in lines {
            serde_json::to_writer(&mut text, line)?;
            text.push(b'\n');
        }
        self.torn = true;
        self.file.write_all(&text)?;
        self.torn = false;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_line_is_no_line_and_the_next_one_counts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        std::fs::write(&path, "{\"state\":\"began\",\"at\":5,\"pid\":1}\n{\"state\":\"step_beg").unwrap();
        let seen = Observed::read(&path).unwrap();
        assert_eq!((seen.began_at, seen.steps.len(), seen.end), (Some(Timestamp(5)), 0, None));

        let end = AttemptEnd::SupervisorLost { why: "it was killed".to_owned() };
        let line = Line::Ended { at: Timestamp(9), end: end.clone(), log_length: 3 };
        StateWriter::open(&path).unwrap().write(&[line]).unwrap();
        let seen = Observed::read(&path).unwrap();
        assert_eq!(seen.end, Some(Ended { end, at: Timestamp(9), log_length: 3 }));
    }

    #[test]
    fn reading_on_sees_each_line_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let mut writer = StateWriter::open(&path).unwrap();
        let file = File::open(&path).unwrap();
        let mut seen = Observed::default();
        assert!(!seen.read_on(&file).unwrap());
        for index in 0..300 {
            writer.write(&[Line::StepBegan { index, at: Timestamp(1), log_offset: 0 }]).unwrap();
            assert!(seen.read_on(&file).unwrap());
        }
        assert_eq!(seen.steps.len(), 300);
        assert!(!seen.read_on(&file).unwrap());
    }
}
