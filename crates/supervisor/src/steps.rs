//! The steps of an attempt, one after another, and how it ends. Invariants: a step is started at most once; none is started
//! after one that failed and was not allowed to, unless its condition asks for that, and none after an obstacle; the last line is written when no process is left.

use std::io;
use std::process::Command;
use std::time::Duration;

use branchline_expression::Standing;
use branchline_model::{AttemptEnd, RunDefinition, StepDefinition, StepEnd, TimeoutOf, Timestamp};

use crate::attend::{Attendant, Attended, Cause, Exit};
use crate::clock::now;
use crate::condition;
use crate::directory::AttemptDirectory;
use crate::script;
use crate::state::{Line, StateWriter};

/// How many bytes of a reason are kept: it has to fit into the space that was set aside.
const LONGEST_WHY: usize = 1000;

/// Carries out every step and writes down what happens, the end included.
pub(crate) fn carry_out(
    directory: &AttemptDirectory,
    definition: &RunDefinition,
    state: &mut StateWriter,
    attendant: &mut Attendant,
) -> io::Result<()> {
    let mut steps =
        Steps { directory, definition, state, attendant, has_begun: false, unwritten: Vec::new() };
    let end = steps.all()?;
    steps.finish(end)
}

struct Steps<'a> {
    directory: &'a AttemptDirectory,
    definition: &'a RunDefinition,
    state: &'a mut StateWriter,
    attendant: &'a mut Attendant,
    has_begun: bool,
    /// Lines that are true already and go out with the next ones, in one write.
    unwritten: Vec<Line>,
}

impl Steps<'_> {
    fn all(&mut self) -> io::Result<AttemptEnd> {
        // What failed first is how it ends, whatever is carried out because of it.
        let mut failed: Option<AttemptEnd> = None;
        for (index, step) in self.definition.steps.iter().enumerate() {
            if let Some(cause) = self.attendant.obstacle() {
                let end = self.ended_by(cause, step);
                return Ok(failed.unwrap_or(end));
            }
            if index == 0 {
                self.attendant.start_job_clock(self.definition.timeout);
            }
            match is_to_run(self.definition, step, failed.is_some()) {
                Ok(true) => {}
                Ok(false) if step.condition.is_none() => continue,
                Ok(false) => {
                    self.skip(index)?;
                    continue;
                }
                Err(why) => {
                    let why = shortened(format!("step `{}`: {why}", step.title));
                    self.note(&why);
                    failed.get_or_insert(AttemptEnd::StartFailed { why });
                    continue;
                }
            }
            let told = failed.as_ref().map(|failed| told_of(step, failed));
            let (end, cause) = self.one(index, told.as_ref().unwrap_or(step))?;
            if let Some(end) = self.verdict(step, &(end, cause)) {
                let first = failed.get_or_insert(end);
                if cause.is_some_and(|cause| cause != Cause::StepTime) {
                    return Ok(first.clone());
                }
            }
        }
        let end = self.attendant.obstacle().filter(|cause| *cause == Cause::Log);
        Ok(failed.unwrap_or_else(|| end.map_or(AttemptEnd::Passed, |_| self.log_failed())))
    }

    /// Passes a step over whose condition does not hold.
    fn skip(&mut self, index: usize) -> io::Result<()> {
        let index = u32::try_from(index).map_err(io::Error::other)?;
        let (at, log_offset) = (now(), self.attendant.log.length());
        self.begin(at);
        self.unwritten.push(Line::StepSkipped { index, at, log_offset });
        Ok(())
    }

    /// The first line, before whatever is first.
    fn begin(&mut self, at: Timestamp) {
        if !std::mem::replace(&mut self.has_begun, true) {
            self.unwritten.push(Line::Began { at, pid: std::process::id() });
        }
    }

    /// One step, from its first line to its last.
    fn one(&mut self, index: usize, step: &StepDefinition) -> io::Result<(StepEnd, Option<Cause>)> {
        let number = u32::try_from(index).map_err(io::Error::other)?;
        let command = script::command(self.directory, self.definition, index, step);
        let (at, log_offset) = (now(), self.attendant.log.length());
        self.begin(at);
        self.unwritten.push(Line::StepBegan { index: number, at, log_offset });
        // Before the process is started: what no line speaks of never ran.
        self.write()?;
        self.attendant.bell.ring();
        let (end, cause) = match command.and_then(|command| self.start(command)) {
            Ok(pid) => {
                let Attended { exit, cause } = self.attendant.attend(pid, step.timeout)?;
                (step_end(exit, cause), cause)
            }
            Err(why) => {
                let why = shortened(why);
                self.note(&format!("step `{}` could not be started: {why}", step.title));
                (StepEnd::NotStarted { why }, None)
            }
        };
        self.unwritten.push(Line::StepEnded { index: number, at: now(), end: end.clone() });
        Ok((end, cause))
    }

    fn start(&self, mut command: Command) -> Result<nix::unistd::Pid, String> {
        self.attendant
            .start(&mut command)
            .map_err(|error| format!("`{}` could not be started: {error}", command.get_program().display()))
    }

    /// How the attempt ends after this step; `None` where it goes on.
    fn verdict(
        &mut self,
        step: &StepDefinition,
        (end, cause): &(StepEnd, Option<Cause>),
    ) -> Option<AttemptEnd> {
        match (cause, end) {
            (Some(Cause::StepTime), _) if step.allow_failure => {
                self.note_timeout(&format!("step `{}`", step.title), step.timeout.unwrap_or_default());
                None
            }
            (Some(cause), _) => Some(self.ended_by(*cause, step)),
            (None, StepEnd::Exited { code: 0 }) => None,
            (None, _) if step.allow_failure => None,
            (None, StepEnd::Exited { code }) => {
                Some(AttemptEnd::StepFailed { step: step.title.clone(), exit: *code })
            }
            (None, StepEnd::Signalled { signal }) => {
                Some(AttemptEnd::StepSignalled { step: step.title.clone(), signal: *signal })
            }
            (None, StepEnd::NotStarted { why }) => {
                Some(AttemptEnd::StartFailed { why: shortened(format!("step `{}`: {why}", step.title)) })
            }
            (None, StepEnd::TimedOut | StepEnd::Stopped | StepEnd::Skipped) => None,
        }
    }

    fn ended_by(&mut self, cause: Cause, step: &StepDefinition) -> AttemptEnd {
        match cause {
            Cause::StepTime => {
                self.note_timeout(&format!("step `{}`", step.title), step.timeout.unwrap_or_default());
                AttemptEnd::TimedOut { of: TimeoutOf::Step { step: step.title.clone() } }
            }
            Cause::JobTime => {
                self.note_timeout("the job", self.definition.timeout);
                AttemptEnd::TimedOut { of: TimeoutOf::Job }
            }
            Cause::Order => {
                self.note("stopped, as it was told to");
                AttemptEnd::Stopped
            }
            Cause::Log => self.log_failed(),
        }
    }

    fn log_failed(&self) -> AttemptEnd {
        let why = self.attendant.log_error.as_ref().map(ToString::to_string).unwrap_or_default();
        AttemptEnd::StartFailed {
            why: shortened(format!(
                "the log could not be written after {} bytes: {why}; all processes were killed. Make space for `{}` and run \
                 it again",
                self.attendant.log.length(),
                self.directory.path().display()
            )),
        }
    }

    fn note_timeout(&mut self, whose: &str, timeout: Duration) {
        self.note(&format!(
            "the time of {whose} ran out ({} s); its processes were ended",
            timeout.as_secs_f64()
        ));
    }

    /// A line of Branchline's own in the log; a log that cannot be written has been noticed, or is at the next chunk.
    fn note(&mut self, words: &str) {
        let _ = self.attendant.log.note(words, now());
    }

    fn write(&mut self) -> io::Result<()> {
        self.state.write(&self.unwritten)?;
        self.unwritten.clear();
        Ok(())
    }

    /// Ends what is left, then writes the last line.
    fn finish(&mut self, end: AttemptEnd) -> io::Result<()> {
        let left = self.attendant.clear()?;
        if !left.is_empty() {
            self.note(&format!("processes {left:?} could not be killed: look at them on this machine"));
        }
        let end = if self.attendant.log_error.is_some() && end == AttemptEnd::Passed {
            self.log_failed()
        } else {
            end
        };
        self.unwritten.push(Line::Ended { at: now(), end, log_length: self.attendant.log.length() });
        self.write()?;
        self.attendant.bell.ring();
        Ok(())
    }
}

/// Whether a step is carried out now.
fn is_to_run(definition: &RunDefinition, step: &StepDefinition, has_failed: bool) -> Result<bool, String> {
    let Some(condition) = &step.condition else { return Ok(!has_failed) };
    let standing = if has_failed { Standing::Failed } else { Standing::Succeeding };
    condition::holds(definition, &step.env, condition, standing)
}

/// The step, which is told what failed before it.
fn told_of(step: &StepDefinition, failed: &AttemptEnd) -> StepDefinition {
    let mut step = step.clone();
    let (name, exit) = match failed {
        AttemptEnd::StepFailed { step, exit } => (step, Some(*exit)),
        AttemptEnd::StepSignalled { step, signal } => (step, Some(128 + *signal)),
        AttemptEnd::TimedOut { of: TimeoutOf::Step { step } } => (step, None),
        _ => return step,
    };
    step.env.insert("BRANCHLINE_FAILED_STEP".to_owned(), name.clone());
    step.env.extend(exit.map(|exit| ("BRANCHLINE_FAILED_EXIT".to_owned(), exit.to_string())));
    step
}

fn step_end(exit: Option<Exit>, cause: Option<Cause>) -> StepEnd {
    match (cause, exit) {
        (Some(Cause::StepTime | Cause::JobTime), _) => StepEnd::TimedOut,
        (Some(Cause::Order | Cause::Log), _) | (None, None) => StepEnd::Stopped,
        (None, Some(Exit::Code(code))) => StepEnd::Exited { code },
        (None, Some(Exit::Signal(signal))) => StepEnd::Signalled { signal },
    }
}

fn shortened(mut why: String) -> String {
    if why.len() > LONGEST_WHY {
        let end = why.floor_char_boundary(LONGEST_WHY);
        why.truncate(end);
        why.push('…');
    }
    why
}
