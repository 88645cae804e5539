//! Following one attempt from its start to its end: its log goes to the controller as it comes, and what its state lines say.
//! Invariants: bytes are sent at their offset, so sending twice is sending once; the end is not reported before all of the
//! log is with the controller; nothing here is needed to find the way again.

use std::pin::Pin;
use std::time::Duration;

use branchline_core::pace::Gathering;
use branchline_model::{AttemptEnd, AttemptReport, RunDefinition, StepRecord, Tally};
use branchline_ports::{Assignment, Lease, ProtocolError, Stored};
use branchline_reports::{Lines, TallyPattern};
use branchline_supervisor::{AttemptDirectory, DirectoryError, Ended, Follower};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use crate::attempt::Broken;
use crate::backoff::Backoff;
use crate::bell::{Bell, Rung};
use crate::deliver::deliver;
use crate::gather::{gather, is_wanted};
use crate::handle::{Presence, blocking};
use crate::slots::Slot;
use crate::worker::Context;

/// What ends so soon after it began is reported once, with its end.
const SOON: Duration = Duration::from_millis(20);

/// How often progress is told at most, and how soon an untold beginning is told again.
const TELL_EVERY: Duration = Duration::from_millis(500);

/// The work that goes on while an attempt is followed: preparing and starting it.
pub(crate) type Starting<'a> = Pin<Box<dyn Future<Output = Result<(), DirectoryError>> + Send + 'a>>;

/// How far one look got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reached {
    /// There may be something new.
    News,
    /// It is over and reported.
    End,
}

/// One attempt that is followed.
pub(crate) struct Following<'a> {
    context: &'a Context,
    lease: &'a Lease,
    definition: &'a RunDefinition,
    directory: &'a AttemptDirectory,
    presence: &'a Presence,
    follower: Follower,
    bell: Bell,
    starting: Option<Starting<'a>>,
    rings: &'a Notify,
    begun_told: bool,
    tell_at: Option<Instant>,
    told: Vec<StepRecord>,
    counter: Option<Counter>,
    told_tally: Option<Tally>,
    gathering: Gathering,
    /// From here on the gathering's times are counted.
    followed_since: Instant,
}

impl<'a> Following<'a> {
    /// Follows from `stored` bytes of the log on. The bell is open before anything is started, so its end is noticed.
    pub(crate) fn new(
        context: &'a Context,
        assignment: &'a Assignment,
        directory: &'a AttemptDirectory,
        presence: &'a Presence,
        stored: u64,
        rings: &'a Notify,
    ) -> Result<Self, DirectoryError> {
        let Assignment { lease, definition, .. } = assignment;
        Ok(Self {
            context,
            lease,
            definition,
            directory,
            presence,
            follower: Follower::open(directory, stored)?,
            bell: Bell::open(directory),
            starting: None,
            rings,
            begun_told: false,
            tell_at: None,
            told: Vec::new(),
            counter: definition.reports.progress.as_deref().and_then(Counter::new),
            told_tally: None,
            gathering: Gathering::default(),
            followed_since: Instant::now(),
        })
    }

    /// Has this done at the same time.
    pub(crate) fn starting(mut self, starting: Starting<'a>) -> Self {
        self.starting = Some(starting);
        self
    }

    /// Follows to the end. The slot is freed as soon as the processes have ended. A shortage that may pass is waited out:
    /// it says nothing about the attempt.
    pub(crate) async fn follow_to_the_end(mut self, slot: &mut Option<Slot>) -> Result<(), Broken> {
        let mut backoff = Backoff::new();
        loop {
            match self.follow_on(slot).await {
                Ok(Reached::End) => return Ok(()),
                Ok(Reached::News) => backoff = Backoff::new(),
                Err(Broken::Directory(error)) if error.is_passing() => {
                    backoff.pause_in_shortage("follow an attempt", &error).await;
                }
                Err(broken) => {
                    self.leave().await;
                    return Err(broken);
                }
            }
        }
    }

    /// Sends what there is, then waits until there may be more.
    async fn follow_on(&mut self, slot: &mut Option<Slot>) -> Result<Reached, Broken> {
        // The state first: what it says has ended has its whole log there already.
        self.follower.read_state()?;
        let ended = self.follower.observed().end.clone();
        if ended.is_some() {
            drop(slot.take());
        }
        if ended.is_some() || self.gathering.is_due(self.followed_since.elapsed()) {
            self.send_log(ended.is_some()).await?;
        }
        if let Some(ended) = ended {
            self.finish(&ended).await?;
            return Ok(Reached::End);
        }
        self.tell().await?;
        self.wait().await?;
        Ok(Reached::News)
    }

    /// Waits until nothing is prepared or started any more: what is dropped half way may still write in the directory.
    async fn leave(&mut self) {
        if let Some(starting) = self.starting.take() {
            self.presence.give_up();
            if let Err(error) = starting.await {
                tracing::debug!(attempt = %self.lease.attempt, %error, "it was not started");
            }
        }
    }

    /// Sends what is new in the log: all of it where nothing comes after it, otherwise as much as is to be sent now.
    async fn send_log(&mut self, is_last: bool) -> Result<(), Broken> {
        let mut backoff = Backoff::new();
        loop {
            let piece = self.follower.read_log(self.gathering.piece())?;
            if piece.bytes.is_empty() {
                self.gathering.nothing_left();
                return Ok(());
            }
            let end = self.follower.offset();
            if let Some(counter) = &mut self.counter {
                counter.read(&piece.bytes);
            }
            let answer =
                self.context.protocol.append_log(self.lease, piece.offset, &piece.bytes, &piece.times).await;
            match answer {
                Ok(stored) if stored.bytes == end => {
                    backoff = Backoff::new();
                    let now = self.followed_since.elapsed();
                    if !self.gathering.sent(stored.pace, piece.bytes.len(), now) && !is_last {
                        return Ok(());
                    }
                }
                Ok(Stored { bytes: stored, .. }) | Err(ProtocolError::LogGap { stored, .. }) => {
                    if stored == piece.offset {
                        backoff.pause("append to a log", "nothing of it was stored").await;
                    }
                    self.follower.seek(stored)?;
                }
                Err(ProtocolError::Fenced { why, .. }) => return Err(Broken::Fenced { why }),
                Err(ProtocolError::Unavailable { why } | ProtocolError::Refused { why }) => {
                    backoff.pause("append to a log", &why).await;
                    self.follower.seek(piece.offset)?;
                }
            }
        }
    }

    /// Tells that it began, and how far it is, not too often.
    async fn tell(&mut self) -> Result<(), Broken> {
        let observed = self.follower.observed();
        let Some(began_at) = observed.began_at else { return Ok(()) };
        let tally = self.counter.as_ref().and_then(|counter| counter.tally);
        if self.begun_told && observed.steps == self.told && tally == self.told_tally {
            self.tell_at = None;
            return Ok(());
        }
        let time = Instant::now();
        let tell_at = *self.tell_at.get_or_insert(time + if self.begun_told { TELL_EVERY } else { SOON });
        if time < tell_at {
            return Ok(());
        }
        let steps = observed.steps.clone();
        let answer = if self.begun_told {
            self.context.protocol.progress(self.lease, &steps, tally).await
        } else {
            self.context.protocol.begun(self.lease, began_at).await
        };
        match answer {
            Ok(()) if self.begun_told => (self.told, self.told_tally) = (steps, tally),
            // One more reading says whether there is more to tell: the first step is told half a second later.
            Ok(()) => self.begun_told = true,
            Err(ProtocolError::Fenced { why, .. }) => return Err(Broken::Fenced { why }),
            Err(error) => tracing::debug!(attempt = %self.lease.attempt, %error, "progress is told later"),
        }
        self.tell_at = Some(Instant::now() + TELL_EVERY);
        Ok(())
    }

    /// Waits until there may be something new.
    async fn wait(&mut self) -> Result<(), Broken> {
        let tell_at = self.tell_at;
        let telling = async {
            match tell_at {
                Some(time) => sleep_until(time).await,
                None => std::future::pending().await,
            }
        };
        let gathered_at = self.gathering.next().map(|next| self.followed_since + next);
        let gathering = async {
            match gathered_at {
                Some(time) => sleep_until(time).await,
                None => std::future::pending().await,
            }
        };
        let starting = async {
            match &mut self.starting {
                Some(starting) => starting.await,
                None => std::future::pending().await,
            }
        };
        let rung = tokio::select! {
            rung = self.bell.wait() => rung,
            () = self.rings.notified() => Rung::Changed,
            () = telling => Rung::Changed,
            () = gathering => Rung::Changed,
            started = starting => {
                self.starting = None;
                started?;
                Rung::Changed
            }
        };
        // The lock is not looked at in every round: one that was started just now may be on its way to it.
        if self.starting.is_none() && rung != Rung::Changed && !self.follower.supervisor_lives()? {
            self.look_for_the_dead().await?;
        }
        Ok(())
    }

    /// Nobody holds it: it has ended, or its supervisor died, or nobody has got so far as to begin.
    async fn look_for_the_dead(&mut self) -> Result<(), Broken> {
        self.follower.read_state()?;
        if self.follower.observed().end.is_some() {
            return Ok(());
        }
        let directory = self.directory.clone();
        let begun = blocking(move || match directory.hold()? {
            Some(held) => Ok(held.bury()?.is_some()),
            // Someone has just taken it.
            None => Ok(true),
        })
        .await?;
        if begun { Ok(()) } else { Err(Broken::NotBegun) }
    }

    /// The last word, as far as the log could be read. What could not be shown whole has not passed; an end that says more
    /// than that stays.
    fn last_word(&self, ended: &Ended, verdict: &AttemptEnd) -> AttemptReport {
        let observed = self.follower.observed();
        let log_length = self.follower.offset();
        let end = if log_length < ended.log_length {
            tracing::error!(attempt = %self.lease.attempt, have = log_length, had = ended.log_length, "its log was cut");
            match verdict {
                AttemptEnd::Passed => {
                    AttemptEnd::LogIncomplete { stored: log_length, length: ended.log_length }
                }
                other => other.clone(),
            }
        } else {
            verdict.clone()
        };
        AttemptReport {
            end,
            began_at: observed.began_at,
            ended_at: ended.at,
            steps: observed.steps.clone(),
            log_length,
        }
    }

    /// Gathers and hands over what there is to show besides the log; answers how the attempt ended with all of it.
    async fn show(&mut self, ended: &Ended) -> Result<AttemptEnd, Broken> {
        if !is_wanted(self.directory, self.definition) {
            return Ok(ended.end.clone());
        }
        let (directory, definition) = (self.directory.clone(), self.definition.clone());
        let end = ended.end.clone();
        let mut gathered = blocking(move || Ok(gather(&directory, &definition, &end))).await?;
        deliver(self.context, self.lease, self.presence, &mut gathered).await?;
        Ok(gathered.end)
    }

    /// Says the last word.
    async fn finish(&mut self, ended: &Ended) -> Result<(), Broken> {
        let verdict = self.show(ended).await?;
        let mut backoff = Backoff::new();
        let mut report = self.last_word(ended, &verdict);
        loop {
            match self.context.protocol.finish(self.lease, report.clone()).await {
                Ok(()) => return Ok(()),
                Err(ProtocolError::Fenced { why, .. }) => return Err(Broken::Fenced { why }),
                Err(ProtocolError::Unavailable { why } | ProtocolError::Refused { why }) => {
                    backoff.pause("finish an attempt", &why).await;
                }
                Err(ProtocolError::LogGap { stored, .. }) => {
                    backoff.pause("finish an attempt", "its log is not whole").await;
                    self.follower.seek(stored)?;
                    self.send_log(true).await?;
                    report = self.last_word(ended, &verdict);
                }
            }
        }
    }
}

/// Reads in the log how far it is. What it has read of a log that is sent again, it reads again.
struct Counter {
    pattern: TallyPattern,
    lines: Lines,
    tally: Option<Tally>,
}

impl Counter {
    /// A pattern that cannot be used was refused where it was written.
    fn new(pattern: &str) -> Option<Self> {
        let pattern = TallyPattern::new(pattern).ok()?;
        Some(Self { pattern, lines: Lines::default(), tally: None })
    }

    fn read(&mut self, bytes: &[u8]) {
        let Self { pattern, lines, tally } = self;
        lines.push(bytes, |line| *tally = pattern.line(line).or(*tally));
    }
}
