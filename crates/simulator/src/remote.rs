//! A store in a process of its own, which is really killed. Invariant: what was answered as made is there after the
//! kill; what was not answered is there whole or not at all; anything else is a violation at once.
//!
//! The process is this program once more, told to serve a SQLite store over its standard input and output: a line of
//! JSON for each request and each answer. With it die all controllers, as they do in the one process that `up` is.

use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use branchline_model::{Change, Key, Row, Versioned};
use branchline_ports::{CommitError, Page, Store, StoreError};

use crate::fault::Fault;
use crate::speech::{Answer, Request};
use crate::world::World;

/// The option that makes this program serve a store; the store's file follows.
pub const SERVE: &str = "--serve-store";

/// A store whose process may be killed.
pub(crate) struct Remote {
    world: Arc<World>,
    program: PathBuf,
    file: PathBuf,
    process: Mutex<Option<Process>>,
}

struct Process {
    child: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Drop for Process {
    fn drop(&mut self) {
        // SIGKILL. One that has ended already is only waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Process {
    fn start(program: &Path, file: &Path) -> io::Result<Self> {
        let mut child = Command::new(program)
            .arg(SERVE)
            .arg(file)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        match (child.stdin.take(), child.stdout.take()) {
            (Some(requests), Some(answers)) => Ok(Self { child, requests, answers: BufReader::new(answers) }),
            _ => Err(io::Error::other("the process has no pipes")),
        }
    }

    fn ask(&mut self, request: &str) -> io::Result<()> {
        self.requests.write_all(request.as_bytes())?;
        self.requests.write_all(b"\n")?;
        self.requests.flush()
    }

    /// The next answer; `None` where the process is gone.
    fn hear(&mut self) -> io::Result<Option<Answer>> {
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        if line.ends_with('\n') { Answer::parse(&line).map(Some) } else { Ok(None) }
    }
}

impl Remote {
    pub(crate) fn new(world: &Arc<World>, program: &Path, file: &Path) -> Self {
        let (program, file) = (program.to_owned(), file.to_owned());
        Self { world: Arc::clone(world), program, file, process: Mutex::default() }
    }

    fn process(&self) -> MutexGuard<'_, Option<Process>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the process, which is started where there is none.
    fn ask(&self, request: &Request) -> Result<Answer, StoreError> {
        let asked = || -> io::Result<Option<Answer>> {
            let mut process = self.process();
            if process.is_none() {
                *process = Some(Process::start(&self.program, &self.file)?);
            }
            let Some(process) = process.as_mut() else { return Ok(None) };
            process.ask(&request.text()?)?;
            process.hear()
        };
        match asked() {
            Ok(Some(answer)) => Ok(answer),
            Ok(None) => Err(self.broken("the process has ended by itself")),
            Err(error) => Err(self.broken(&error.to_string())),
        }
    }

    /// What must never happen to a process that nobody killed.
    fn broken(&self, why: &str) -> StoreError {
        self.world.violated(format!("the store's process: {why}"));
        StoreError::Unavailable { why: why.to_owned() }
    }

    /// Has a commit begun and the process killed over it; answers whether it was told to be made.
    fn killed_over(&self, request: &Request) -> Result<bool, StoreError> {
        let mut process = self.process();
        let spins = self.world.state().chance.between(0, 400_000);
        let killed = || -> io::Result<bool> {
            if process.is_none() {
                *process = Some(Process::start(&self.program, &self.file)?);
            }
            let Some(running) = process.as_mut() else { return Ok(false) };
            running.ask(&request.text()?)?;
            for _ in 0..spins {
                std::hint::spin_loop();
            }
            running.child.kill()?;
            Ok(matches!(running.hear()?, Some(Answer::Done)))
        };
        let mut killed = killed;
        let answer = killed();
        drop(process.take());
        answer.map_err(|error| StoreError::Unavailable { why: error.to_string() })
    }

    /// After the kill: whether the commit is there; whole or not at all.
    fn settle(&self, changes: Vec<Change>, told: bool) -> Result<(), StoreError> {
        let keys: Vec<Key> = changes
            .iter()
            .filter_map(|change| match change {
                Change::Put { row, .. } => Some(row.key()),
                Change::Delete { key, .. } => Some(key.clone()),
                Change::Check { .. } => None,
            })
            .collect();
        let Answer::Rows(rows) = self.ask(&Request::Read { keys: keys.clone() })? else {
            return Err(self.broken("it answers a read with something else"));
        };
        let found: Vec<Option<&Row>> = rows.iter().map(|row| row.as_ref().map(|row| &row.value)).collect();
        let wanted: Vec<Option<&Row>> = changes
            .iter()
            .filter_map(|change| match change {
                Change::Put { row, .. } => Some(Some(row)),
                Change::Delete { .. } => Some(None),
                Change::Check { .. } => None,
            })
            .collect();
        let is_as_before = {
            let state = self.world.state();
            keys.iter().zip(&found).all(|(key, row)| state.ledger.rows.get(key) == *row)
        };
        if found == wanted {
            self.world.enter(changes);
        } else if told {
            self.world.violated("a commit was answered as made, and is not there after the kill");
        } else if !is_as_before {
            self.world.violated("half a commit is there after the kill");
        }
        Ok(())
    }
}

#[async_trait]
impl Store for Remote {
    async fn read(&self, keys: &[Key]) -> Result<Vec<Option<Versioned<Row>>>, StoreError> {
        match self.ask(&Request::Read { keys: keys.to_vec() })? {
            Answer::Rows(rows) => Ok(rows),
            Answer::Failed { why } => Err(StoreError::Unavailable { why }),
            Answer::Done | Answer::Conflict { .. } => {
                Err(self.broken("it answers a read with something else"))
            }
        }
    }

    async fn page(&self, page: &Page) -> Result<Vec<Versioned<Row>>, StoreError> {
        match self.ask(&Request::Page { page: page.clone() })? {
            Answer::Rows(rows) => Ok(rows.into_iter().flatten().collect()),
            Answer::Failed { why } => Err(StoreError::Unavailable { why }),
            Answer::Done | Answer::Conflict { .. } => {
                Err(self.broken("it answers a page with something else"))
            }
        }
    }

    async fn commit_if_unchanged(&self, changes: Vec<Change>) -> Result<(), CommitError> {
        let request = Request::Commit { changes: changes.clone() };
        if self.world.strikes(Fault::StoreKilled, None) {
            let told = self.killed_over(&request)?;
            self.settle(changes, told)?;
            let mut state = self.world.state();
            state.kill_controllers = true;
            state.away_until = state.time + 2_000;
            return Err(StoreError::Unavailable { why: "the process was killed".to_owned() }.into());
        }
        match self.ask(&request)? {
            Answer::Done => Ok(()),
            Answer::Conflict { key } => Err(CommitError::Conflict { key }),
            Answer::Failed { why } => Err(StoreError::Unavailable { why }.into()),
            Answer::Rows(_) => Err(self.broken("it answers a commit with rows").into()),
        }
    }
}
