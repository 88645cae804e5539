//! Prints the logs of a build's runs as they grow, whole lines only, each behind its job's name where there are several.

use std::collections::BTreeMap;
use std::io::{self, Write};

use branchline_controller::{BuildView, Controller};
use branchline_model::AttemptId;
use branchline_ports::ArtifactError;

/// So much of a log is held at once.
const CHUNK: usize = 256 * 1024;

/// Follows the logs of one build.
#[derive(Debug)]
pub struct LogFollower {
    width: usize,
    logs: BTreeMap<AttemptId, Followed>,
}

#[derive(Debug)]
struct Followed {
    label: String,
    offset: u64,
    /// A line that has no end yet; only where names stand before the lines.
    line: Vec<u8>,
    /// Whether what was printed last has no end of line.
    open: bool,
    closed: bool,
}

/// How much is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Printed {
    /// More is there already.
    Part,
    /// All that is there; more may come.
    SoFar,
    /// Every log that was begun, to its end.
    Whole,
}

/// Why a log could not be printed.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// It could not be read.
    #[error(transparent)]
    Log(#[from] ArtifactError),
    /// Standard output is closed or full.
    #[error("cannot write the log: {0}")]
    Output(#[from] io::Error),
}

impl LogFollower {
    /// Follows the runs of this build; `view` says how many jobs there are and how long their names.
    #[must_use]
    pub fn new(view: &BuildView) -> Self {
        let longest = view.runs.iter().map(|run| run.label().len()).max().unwrap_or(0);
        Self { width: if view.runs.len() > 1 { longest } else { 0 }, logs: BTreeMap::new() }
    }

    /// Whether what was printed last is a line without its end.
    #[must_use]
    pub fn is_within_a_line(&self) -> bool {
        self.width == 0 && self.logs.values().any(|log| log.open)
    }

    /// Prints what has come since the last call, of each log a bounded part.
    pub async fn print(
        &mut self,
        controller: &Controller,
        view: &BuildView,
        output: &mut impl Write,
    ) -> Result<Printed, FollowError> {
        for run in &view.runs {
            for number in 1..=run.attempts {
                self.logs.entry(AttemptId { run: run.id.clone(), number }).or_insert_with(|| Followed {
                    label: run.label(),
                    offset: 0,
                    line: Vec::new(),
                    open: false,
                    closed: false,
                });
            }
        }
        let mut more = false;
        for (attempt, log) in self.logs.iter_mut().filter(|(_, log)| !log.closed) {
            let part = controller.read_log(attempt, log.offset, CHUNK).await?;
            log.offset += part.bytes.len() as u64;
            log.print(&part.bytes, self.width, output)?;
            if log.offset < part.log.bytes {
                more = true;
            } else if part.log.closed {
                log.closed = true;
                if log.open {
                    log.print(b"\n", self.width, output)?;
                    log.open = false;
                }
            }
        }
        output.flush()?;
        Ok(match (more, self.logs.values().all(|log| log.closed)) {
            (true, _) => Printed::Part,
            (false, true) => Printed::Whole,
            (false, false) => Printed::SoFar,
        })
    }
}

impl Followed {
    fn print(&mut self, bytes: &[u8], width: usize, output: &mut impl Write) -> io::Result<()> {
        if width == 0 {
            self.open = bytes.last().map_or(self.open, |last| *last != b'\n');
            return output.write_all(bytes);
        }
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(piece);
            // A line without end is printed in pieces rather than held for ever.
            if piece.ends_with(b"\n") || self.line.len() > CHUNK {
                write!(output, "{:width$} | ", self.label)?;
                output.write_all(&self.line)?;
                if !self.line.ends_with(b"\n") {
                    output.write_all(b"\n")?;
                }
                self.line.clear();
            }
        }
        self.open = !self.line.is_empty();
        Ok(())
    }
}
