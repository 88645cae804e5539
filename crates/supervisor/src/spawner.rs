//! The spawner: a tiny process that forks a supervisor for each attempt. Why: a fork of a process that has one thread and
//! nothing in memory costs a fraction of starting the whole binary anew. Invariants: it lives as long as whoever started it, its
//! supervisors longer; where it is dead it is started again; a start whose answer was lost may be asked for again, since a
//! second supervisor finds the lock taken.
//!
//! A request is a length (32 bits, little-endian) and a directory's path; its answer a length (0 where a process was made, with
//! its id in the next 32 bits) or that of a sentence that says why not.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use nix::unistd::{ForkResult, dup2_stdin, dup2_stdout, fork, setsid};

use crate::directory::AttemptDirectory;
use crate::entry::{SPAWNER_WORD, supervise_at};
use crate::signals;

/// How long an answer may take; a spawner that takes longer is stopped or starved, and is replaced.
const PATIENCE: Duration = Duration::from_secs(10);

/// No path is longer (PATH_MAX is 4,096).
const LONGEST_REQUEST: usize = 64 * 1024;

/// Why no supervisor was started.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// The spawner cannot be started, or does not answer.
    #[error("`{program} {SPAWNER_WORD}` cannot be used: {source}", program = program.display())]
    NoSpawner {
        /// What was started.
        program: PathBuf,
        /// What is wrong.
        source: io::Error,
    },
    /// The system refuses to make a process.
    #[error("no process could be made: {why}; the limit of processes or memory may be reached")]
    Refused {
        /// What it said.
        why: String,
    },
}

/// Starts supervisors, through a spawner that is started when it is first needed.
#[derive(Debug)]
pub struct Spawner {
    program: PathBuf,
    live: Mutex<Option<Live>>,
}

#[derive(Debug)]
struct Live {
    child: Child,
    socket: UnixStream,
}

impl Drop for Live {
    fn drop(&mut self) {
        // Its supervisors are in sessions of their own: nothing of them ends with it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Spawner {
    /// The spawner is this very program, which calls [`crate::main_if_asked`] first; also when its file was replaced meanwhile.
    #[must_use]
    pub fn of_this_program() -> Self {
        Self::of(PathBuf::from("/proc/self/exe"))
    }

    /// The spawner is another program that calls [`crate::main_if_asked`] first.
    #[must_use]
    pub fn of(program: PathBuf) -> Self {
        Self { program, live: Mutex::new(None) }
    }

    /// Starts a supervisor for an attempt whose directory is filled, and answers with its process id. Where there is one
    /// already, the new one finds that out and ends. Blocks for as long as a fork takes.
    ///
    /// # Errors
    /// No process can be made.
    pub fn start(&self, directory: &AttemptDirectory) -> Result<u32, SpawnError> {
        let mut live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        let no_spawner = |source| SpawnError::NoSpawner { program: self.program.clone(), source };
        if let Some(spawner) = live.as_mut() {
            if let Ok(answer) = spawner.ask(directory) {
                return answer.map_err(|why| SpawnError::Refused { why });
            }
            // It was killed since: a new one, once.
            *live = None;
        }
        let spawner = live.insert(Live::start(&self.program).map_err(no_spawner)?);
        let answer = spawner.ask(directory);
        if answer.is_err() {
            *live = None;
        }
        answer.map_err(no_spawner)?.map_err(|why| SpawnError::Refused { why })
    }

    /// The spawner's process id, once it has been needed.
    #[must_use]
    pub fn process_id(&self) -> Option<u32> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(|live| live.child.id())
    }
}

impl Live {
    fn start(program: &PathBuf) -> io::Result<Self> {
        let (socket, theirs) = UnixStream::pair()?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.set_write_timeout(Some(PATIENCE))?;
        let child = Command::new(program)
            .arg(SPAWNER_WORD)
            .current_dir("/")
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::null())
            .spawn()?;
        Ok(Self { child, socket })
    }

    fn ask(&mut self, directory: &AttemptDirectory) -> io::Result<Result<u32, String>> {
        let path = directory.path().as_os_str().as_bytes();
        self.socket.write_all(&frame(path)?)?;
        match read_number(&mut self.socket)? {
            0 => Ok(Ok(read_number(&mut self.socket)?)),
            length => {
                let mut why = vec![0; (length as usize).min(LONGEST_REQUEST)];
                self.socket.read_exact(&mut why)?;
                Ok(Err(String::from_utf8_lossy(&why).into_owned()))
            }
        }
    }
}

fn frame(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
    let mut frame = length.to_le_bytes().to_vec();
    frame.extend_from_slice(bytes);
    Ok(frame)
}

fn read_number(from: &mut impl Read) -> io::Result<u32> {
    let mut bytes = [0; 4];
    from.read_exact(&mut bytes)?;
    Ok(u32::from_le_bytes(bytes))
}

/// The spawner itself: answers requests on stdin until whoever started it is gone.
pub(crate) fn serve() -> io::Result<()> {
    // A session of its own: neither Ctrl-C nor a closed terminal ends it before its controller does.
    let _ = setsid();
    let mut socket = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    let nothing = OpenOptions::new().read(true).write(true).open("/dev/null")?;
    dup2_stdin(&nothing)?;
    signals::leave_children_to_the_kernel()?;
    loop {
        let length = match read_number(&mut socket) {
            Ok(length) => length as usize,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(error),
        };
        if length > LONGEST_REQUEST {
            return Err(io::Error::other(format!("a request of {length} bytes")));
        }
        let mut path = vec![0; length];
        socket.read_exact(&mut path)?;
        let answer = match make_process()? {
            Made::Here => {
                drop(socket);
                dup2_stdout(&nothing)?;
                drop(nothing);
                let code = supervise_at(&OsString::from_vec(path));
                std::process::exit(i32::from(code));
            }
            Made::There(pid) => [0_u32.to_le_bytes(), pid.to_le_bytes()].concat(),
            Made::Not(why) => frame(why.as_bytes())?,
        };
        socket.write_all(&answer)?;
    }
}

enum Made {
    Here,
    There(u32),
    Not(String),
}

#[expect(
    unsafe_code,
    reason = "fork(2) is what a spawner is for; it has one thread, so no lock can be held by another"
)]
fn make_process() -> io::Result<Made> {
    // SAFETY: this process has never had a second thread: `main_if_asked` is the first thing that `main` does.
    match unsafe { fork() } {
        Ok(ForkResult::Child) => Ok(Made::Here),
        Ok(ForkResult::Parent { child }) => {
            u32::try_from(child.as_raw()).map(Made::There).map_err(io::Error::other)
        }
        Err(error) => Ok(Made::Not(error.to_string())),
    }
}
