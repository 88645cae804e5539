//! Logs in memory, kept to the port's promise to the letter, with faults. Invariant: what a log holds is what its
//! attempt's steps wrote, from the beginning on; the oracle compares each byte.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use branchline_model::{AttemptId, LineTime};
use branchline_ports::{Appends, ArtifactError, Artifacts, LogLength, LogPart, Objects};

use crate::fault::Fault;
use crate::turn::{self, Call};
use crate::world::World;

/// Every log.
#[derive(Debug, Default)]
pub(crate) struct Logs {
    pub(crate) all: BTreeMap<AttemptId, Log>,
}

/// One attempt's.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log {
    pub(crate) bytes: Vec<u8>,
    pub(crate) closed: bool,
}

/// The place for logs, as controllers see it.
pub(crate) struct WorstLogs {
    pub(crate) world: Arc<World>,
}

impl WorstLogs {
    pub(crate) fn new(world: Arc<World>) -> Self {
        Self { world }
    }

    async fn call<T>(
        &self,
        what: &'static str,
        attempt: &AttemptId,
        answer: impl FnOnce(&mut Logs) -> Result<T, ArtifactError>,
    ) -> Result<T, ArtifactError> {
        let call = Call { what: self.world.words(|| format!("{what} {attempt}")), ..Call::default() };
        let away = || ArtifactError::Unavailable { attempt: attempt.clone(), why: "slow down".to_owned() };
        turn::before(&self.world, &call).await;
        // More often where it matters most: a run waits for nothing else.
        let draws = if what == "close" { 4 } else { 1 };
        if (0..draws).any(|_| self.world.strikes(Fault::LogsUnavailable, Some(&call))) {
            return Err(away());
        }
        let answer = answer(&mut self.world.state().logs);
        turn::after(&self.world, &call).await;
        if self.world.strikes(Fault::LogsAnswerLost, Some(&call)) {
            return Err(away());
        }
        answer
    }
}

/// The byte that an attempt's steps write at a place of its log.
pub(crate) fn byte(attempt: &AttemptId, offset: u64) -> u8 {
    let number = u64::from(attempt.number) * 31 + u64::from(attempt.run.index) * 7 + attempt.run.build.number;
    if offset % 17 == 16 { b'\n' } else { b'a' + u8::try_from((offset + number) % 26).unwrap_or(0) }
}

/// What an attempt's steps write from one place to another.
pub(crate) fn bytes(attempt: &AttemptId, from: u64, to: u64) -> Vec<u8> {
    (from..to).map(|offset| byte(attempt, offset)).collect()
}

fn length(log: Option<&Log>) -> LogLength {
    log.map_or(LogLength::default(), |log| LogLength { bytes: log.bytes.len() as u64, closed: log.closed })
}

#[async_trait]
impl Artifacts for WorstLogs {
    async fn append_log(
        &self,
        attempt: &AttemptId,
        offset: u64,
        new: &[u8],
        _times: &[LineTime],
    ) -> Result<u64, ArtifactError> {
        self.call("append", attempt, |logs| {
            let log = logs.all.entry(attempt.clone()).or_default();
            let stored = log.bytes.len() as u64;
            if log.closed {
                return Err(ArtifactError::Closed { attempt: attempt.clone() });
            }
            if offset > stored {
                return Err(ArtifactError::Gap { attempt: attempt.clone(), stored, offset });
            }
            let known = usize::try_from(stored - offset).unwrap_or(usize::MAX);
            log.bytes.extend_from_slice(new.get(known..).unwrap_or_default());
            Ok(log.bytes.len() as u64)
        })
        .await
    }

    async fn close_log(&self, attempt: &AttemptId) -> Result<LogLength, ArtifactError> {
        self.call("close", attempt, |logs| {
            let log = logs.all.entry(attempt.clone()).or_default();
            log.closed = true;
            Ok(length(Some(log)))
        })
        .await
    }

    fn appends(&self) -> Appends {
        Appends::Free
    }

    fn objects(&self) -> Option<&dyn Objects> {
        Some(self)
    }

    async fn delete_log(&self, attempt: &AttemptId) -> Result<(), ArtifactError> {
        self.call("delete", attempt, |logs| {
            logs.all.remove(attempt);
            Ok(())
        })
        .await
    }

    async fn log_length(&self, attempt: &AttemptId) -> Result<LogLength, ArtifactError> {
        self.call("length", attempt, |logs| Ok(length(logs.all.get(attempt)))).await
    }

    async fn read_log(
        &self,
        attempt: &AttemptId,
        offset: u64,
        most: usize,
    ) -> Result<LogPart, ArtifactError> {
        self.call("read", attempt, |logs| {
            let log = logs.all.get(attempt);
            let from = usize::try_from(offset).unwrap_or(usize::MAX);
            let bytes = log.map_or(&[][..], |log| log.bytes.get(from..).unwrap_or_default());
            let bytes = bytes.get(..most.min(bytes.len())).unwrap_or_default().to_vec();
            Ok(LogPart { offset, bytes, times: Vec::new(), log: length(log) })
        })
        .await
    }
}
