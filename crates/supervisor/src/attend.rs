//! The supervisor's one loop: it waits for output, ended children, orders and deadlines, and does what each asks for.
//! Invariants: output is read as it comes, 64 KiB at a time, and is in the log before anything that follows from it is
//! written down; so memory is bounded by that one buffer, and a step that prints faster than the disk takes it, waits.
//!
//! Whatever ends the step from outside (its time, the job's, an order, a log that cannot be written) ends the whole tree:
//! every descendant, background processes of earlier steps and those in groups and sessions of their own included.

use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::time::TimeSpec;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, pipe2};

use crate::clock::now;
use crate::directory::AttemptDirectory;
use crate::log::LogWriter;
use crate::orders::{Bell, Orders, StopOrder};
use crate::processes::{self, KILL_PATIENCE};
use crate::signals;

/// How many bytes are read at once.
const CHUNK: usize = 64 * 1024;

/// How often a tree that is being killed is looked at again: it may have grown meanwhile.
const KILL_AGAIN: Duration = Duration::from_millis(20);

/// Why a step is ended from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    StepTime,
    JobTime,
    Order,
    Log,
}

/// How a step's process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    Code(i32),
    Signal(i32),
}

/// What became of a step.
#[derive(Debug)]
pub(crate) struct Attended {
    /// How its process ended; `None` where it could not even be killed.
    pub(crate) exit: Option<Exit>,
    /// What ended it from outside, if something did.
    pub(crate) cause: Option<Cause>,
}

/// How far the ending of a tree is.
#[derive(Clone, Copy, Debug)]
enum Ending {
    Asked { until: Instant },
    Killing { until: Instant },
}

/// What lasts from the first step to the end of the attempt.
#[derive(Debug)]
pub(crate) struct Attendant {
    pub(crate) log: LogWriter,
    pub(crate) bell: Bell,
    /// The order to stop, once there is one.
    pub(crate) order: Option<StopOrder>,
    /// Why the log could not be written, once it could not.
    pub(crate) log_error: Option<io::Error>,
    orders: Orders,
    output: std::fs::File,
    input: OwnedFd,
    capacity: usize,
    buffer: Vec<u8>,
    grace: Duration,
    job_deadline: Option<Instant>,
}

impl Attendant {
    pub(crate) fn new(directory: &AttemptDirectory, grace: Duration, log: LogWriter) -> io::Result<Self> {
        let mut orders = Orders::open(&directory.file("orders"), &directory.file("stop"))?;
        let order = orders.look()?;
        let (output, input) = pipe2(OFlag::O_CLOEXEC)?;
        fcntl(&output, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        let capacity = usize::try_from(fcntl(&output, FcntlArg::F_GETPIPE_SZ)?).unwrap_or(CHUNK);
        Ok(Self {
            log,
            bell: Bell::open(&directory.bell()),
            order,
            log_error: None,
            orders,
            output: output.into(),
            input,
            capacity,
            buffer: vec![0; CHUNK],
            grace,
            job_deadline: None,
        })
    }

    /// From now on the job's time counts.
    pub(crate) fn start_job_clock(&mut self, timeout: Duration) {
        self.job_deadline = Instant::now().checked_add(timeout);
    }

    /// What keeps the next step from beginning.
    pub(crate) fn obstacle(&self) -> Option<Cause> {
        if self.log_error.is_some() {
            Some(Cause::Log)
        } else if self.order.is_some() {
            Some(Cause::Order)
        } else if self.job_deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            Some(Cause::JobTime)
        } else {
            None
        }
    }

    /// Starts a step's process; stdout and stderr are the run's one pipe, so that their order is kept.
    pub(crate) fn start(&self, command: &mut Command) -> io::Result<Pid> {
        command.stdout(Stdio::from(self.input.try_clone()?)).stderr(Stdio::from(self.input.try_clone()?));
        let child = signals::spawn_unblocked(command)?;
        i32::try_from(child.id()).map(Pid::from_raw).map_err(io::Error::other)
    }

    /// Attends a step until its process has ended; where it is ended from outside, until the whole tree has.
    pub(crate) fn attend(&mut self, step: Pid, timeout: Option<Duration>) -> io::Result<Attended> {
        let step_deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut exit = None;
        let mut cause = None;
        let mut ending: Option<Ending> = None;
        loop {
            let alone = reap(step, &mut exit)?;
            if exit.is_some() && (cause.is_none() || alone) {
                break;
            }
            let time = Instant::now();
            if cause.is_none() {
                cause = self.obstacle().or_else(|| {
                    step_deadline.is_some_and(|deadline| time >= deadline).then_some(Cause::StepTime)
                });
                if cause.is_some() {
                    ending = Some(self.begin_ending(cause, time)?);
                }
            }
            let at_once = self.order.as_ref().is_some_and(|order| order.at_once) || self.log_error.is_some();
            ending = match ending {
                Some(Ending::Asked { until }) if at_once || time >= until => {
                    Some(Ending::Killing { until: time + KILL_PATIENCE })
                }
                other => other,
            };
            let wake = match ending {
                None => earlier(step_deadline, self.job_deadline),
                Some(Ending::Asked { until }) => Some(until),
                Some(Ending::Killing { until }) if time >= until => break,
                Some(Ending::Killing { .. }) => {
                    processes::signal(&processes::descendants()?, Signal::SIGKILL);
                    Some(time + KILL_AGAIN)
                }
            };
            self.wait(wake)?;
        }
        self.drain();
        Ok(Attended { exit, cause })
    }

    /// Kills whatever is left of the run, and takes down what it still had to say; answers what could not be killed.
    pub(crate) fn clear(&mut self) -> io::Result<Vec<i32>> {
        let until = Instant::now() + KILL_PATIENCE;
        while !reap(Pid::from_raw(-1), &mut None)? {
            let left = processes::descendants()?;
            if Instant::now() >= until {
                self.drain();
                return Ok(left.into_iter().collect());
            }
            processes::signal(&left, Signal::SIGKILL);
            self.wait(Some(Instant::now() + KILL_AGAIN))?;
        }
        self.drain();
        Ok(Vec::new())
    }

    /// Asks the tree to end, or leaves that out where there is no time for it.
    fn begin_ending(&mut self, cause: Option<Cause>, time: Instant) -> io::Result<Ending> {
        if self.grace.is_zero() || cause == Some(Cause::Log) {
            return Ok(Ending::Killing { until: time + KILL_PATIENCE });
        }
        let tree = processes::descendants()?;
        processes::signal(&tree, Signal::SIGTERM);
        // One that was stopped cannot end before it goes on.
        processes::signal(&tree, Signal::SIGCONT);
        Ok(Ending::Asked { until: time.checked_add(self.grace).unwrap_or(time + KILL_PATIENCE) })
    }

    /// Waits for output, an order, an ended child or a time; deals with the first two.
    fn wait(&mut self, until: Option<Instant>) -> io::Result<()> {
        let timeout = until.map(|until| TimeSpec::from(until.saturating_duration_since(Instant::now())));
        let mut watched = [
            PollFd::new(self.output.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.orders.fifo.as_fd(), PollFlags::POLLIN),
        ];
        match ppoll(&mut watched, timeout, Some(SigSet::empty())) {
            Ok(0) | Err(Errno::EINTR) => return Ok(()),
            Ok(_) => {}
            Err(error) => return Err(error.into()),
        }
        let [output, orders] = watched.map(|fd| fd.any().unwrap_or(false));
        if output {
            self.read_chunk();
        }
        if orders {
            self.order = self.orders.listen()?.or(self.order.take());
        }
        Ok(())
    }

    /// Takes down what is in the pipe now. Background processes may go on filling it: no more than it can hold is read.
    fn drain(&mut self) {
        let mut left = self.capacity;
        while left > 0 {
            match self.read_chunk() {
                0 => break,
                read => left = left.saturating_sub(read),
            }
        }
    }

    /// Reads one chunk and writes it to the log; answers how many bytes it had.
    fn read_chunk(&mut self) -> usize {
        let read = match self.output.read(&mut self.buffer) {
            Ok(read) => read,
            Err(_) => return 0,
        };
        if self.log_error.is_none() {
            match self.log.append(&self.buffer[..read], now()) {
                Ok(()) => self.bell.ring(),
                Err(error) => self.log_error = Some(error),
            }
        }
        read
    }
}

fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// Takes note of every child that has ended; answers whether there is none left, of the step or of what it left behind.
fn reap(step: Pid, exit: &mut Option<Exit>) -> io::Result<bool> {
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(pid, code)) if pid == step => *exit = Some(Exit::Code(code)),
            Ok(WaitStatus::Signaled(pid, signal, _)) if pid == step => {
                *exit = Some(Exit::Signal(signal as i32));
            }
            Ok(WaitStatus::StillAlive) => return Ok(false),
            Ok(_) | Err(Errno::EINTR) => {}
            Err(Errno::ECHILD) => return Ok(true),
            Err(error) => return Err(error.into()),
        }
    }
}
