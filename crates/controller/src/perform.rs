//! Perform: effects that were committed are done, at least once, and forgotten only when they are known to be done.
//! Invariants: an effect is taken by a commit before it is done, so that of many performers at once one does it; a try ends
//! while it is still held, so that none overlaps the next; one that may have been done before is looked at first.

use std::collections::BTreeSet;
use std::pin::pin;

use branchline_core::effect::{self, LONGEST_TRY, Taken, Tried};
use branchline_model::{
    AttemptId, DeadEffect, DueEffect, Effect, EffectKey, Expectation, PendingEffect, Run, Timestamp, keys,
};
use branchline_ports::{LaunchError, Page, Ring, StoreError};
use futures_util::future::{Either, join_all, select};

use crate::commit::{MOST_TRIES, Outcome};
use crate::controller::{Known, typed};
use crate::resolve::UNREADABLE_AGAIN;
use crate::until::Until;
use crate::{Controller, ControllerError};

/// So many effects are taken with one commit: three rows each.
const EFFECTS_AT_ONCE: usize = 32;
/// So many are shown to people.
const MOST_SHOWN: usize = 1_000;

/// What became of a person's word about an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Letter {
    /// It is pending again, and tried at once.
    Sent,
    /// It was given up for good.
    Dropped,
    /// There is no such effect, or no dead letter to drop: it may have been done meanwhile.
    Unknown,
}

/// The effects that are not known to have been done.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Effects {
    /// Those that are tried by themselves.
    pub pending: Vec<PendingEffect>,
    /// Dead letters: those that wait for a person.
    pub dead: Vec<DeadEffect>,
}

impl Controller {
    /// Does every effect that is due; answers how many were done, or had nothing left to do.
    pub async fn perform(&self) -> Result<usize, ControllerError> {
        self.perform_until(Until::done()).await
    }

    pub(crate) async fn perform_until(&self, until: Until) -> Result<usize, ControllerError> {
        let (mut done, mut tries) = (0, 0);
        while !until.is_over(self) {
            let now = self.clock.now();
            let page = Page {
                until: Some(Timestamp(now.0 + 1).sortable()),
                ..Page::of(keys::DUE_EFFECTS, EFFECTS_AT_ONCE)
            };
            let due: Vec<DueEffect> =
                self.leads::<DueEffect>(&page).await?.into_iter().map(|row| row.value).collect();
            if due.is_empty() {
                break;
            }
            let keys: Vec<_> = due.iter().map(|place| keys::pending_effect(&place.effect)).collect();
            let mut waiting = Vec::with_capacity(due.len());
            let mut put_off = Vec::new();
            for ((place, key), row) in due.into_iter().zip(&keys).zip(self.store.read(&keys).await?) {
                match row.map(|row| typed(key, row)) {
                    Some(Err(unreadable)) => {
                        self.complain(&unreadable);
                        put_off.push(place);
                    }
                    row => waiting.push((place, row.and_then(Result::ok))),
                }
            }
            let (mut plan, taken) = effect::take(&waiting, now);
            // Kept for when it can be read again, and out of the way of others until then; in one place where it was in several.
            for place in &put_off {
                plan.delete(keys::due_effect(place.at, &place.effect), Expectation::Any);
            }
            for effect in put_off.into_iter().map(|place| place.effect).collect::<BTreeSet<_>>() {
                plan.put(DueEffect { at: now.after(UNREADABLE_AGAIN), effect }, Expectation::Any);
            }
            match self.commit(plan).await? {
                Outcome::Done => tries = 0,
                Outcome::Again if tries == MOST_TRIES => {
                    return Err(ControllerError::Contended { what: "the effects that are due".to_owned() });
                }
                Outcome::Again => {
                    tries += 1;
                    continue;
                }
            }
            done += self.perform_taken(taken, now).await?;
        }
        Ok(done)
    }

    async fn perform_taken(&self, taken: Vec<Taken>, at: Timestamp) -> Result<usize, ControllerError> {
        if taken.is_empty() {
            return Ok(0);
        }
        let keys: Vec<_> = taken.iter().map(|taken| keys::run(taken.pending.effect.run())).collect();
        let rows = self.store.read(&keys).await?;
        let runs = keys.iter().zip(rows).map(|(key, row)| self.known::<Run>(key, row));
        let tries = taken.into_iter().zip(runs).map(|(taken, run)| async move {
            let tried = self.try_in_time(&taken, at, &run).await;
            if let Tried::Failed { why } | Tried::Unknown { why } = &tried {
                tracing::warn!(effect = %taken.pending.effect.key(), failures = taken.pending.failures + 1, why, "an effect failed");
            }
            (taken.pending, tried)
        });
        let tried = join_all(tries).await;
        let keys: Vec<_> = tried.iter().map(|(taken, _)| keys::pending_effect(&taken.effect.key())).collect();
        for _ in 0..MOST_TRIES {
            let current = self.rows::<PendingEffect>(&keys).await?;
            let plan = effect::settle(&tried, &current, self.clock.now());
            if let Outcome::Done = self.commit(plan).await? {
                return Ok(tried.iter().filter(|(_, tried)| *tried == Tried::Done).count());
            }
        }
        Err(ControllerError::Contended { what: "the effects that were tried".to_owned() })
    }

    /// Tries what was taken at this time. What does not end in time is given up: others take it soon.
    async fn try_in_time(&self, taken: &Taken, at: Timestamp, run: &Known<Run>) -> Tried {
        let left = LONGEST_TRY.saturating_sub(self.clock.now().since(at));
        if left.is_zero() {
            let why = format!("it was not begun within {} s after it was taken", LONGEST_TRY.as_secs());
            return Tried::Failed { why };
        }
        match select(pin!(self.try_one(taken, run)), self.clock.sleep(left)).await {
            Either::Left((tried, _)) => tried,
            Either::Right(_) => {
                let seconds = LONGEST_TRY.as_secs();
                let why = format!(
                    "it took too long: nobody answered within {seconds} s, so it may have been done or not"
                );
                Tried::Unknown { why }
            }
        }
    }

    async fn try_one(&self, taken: &Taken, run: &Known<Run>) -> Tried {
        let effect = &taken.pending.effect;
        let is_moot = match run {
            Known::There(run) => effect::is_moot(effect, Some(&run.value)),
            Known::Gone => effect::is_moot(effect, None),
            // It was planned when the run could be read, and does no harm to what has ended since.
            Known::Unreadable => false,
        };
        if is_moot {
            return Tried::Done;
        }
        match effect {
            Effect::Stop { attempt, worker, stop } => {
                if taken.is_doubtful
                    && let Ok(true) = self.launcher.is_told_to_stop(worker, attempt).await
                {
                    return Tried::Done;
                }
                match self.launcher.stop(worker, attempt, stop).await {
                    Ok(()) => Tried::Done,
                    Err(error @ LaunchError::Unavailable { .. }) => Tried::Failed { why: error.to_string() },
                    Err(error @ LaunchError::Unknown { .. }) => Tried::Unknown { why: error.to_string() },
                }
            }
            // Closing it twice is closing it once: there is nothing to look for.
            Effect::CloseLog { attempt } => match self.close_or_remove(attempt, run).await {
                Ok(()) => {
                    self.bell.ring(Ring::LogGrew(attempt.clone()));
                    Tried::Done
                }
                Err(error) => Tried::Failed { why: error.to_string() },
            },
        }
    }

    /// Closes the log of an attempt that is over. Where its build is retired, be it meanwhile, nothing is left of the log: closing
    /// it would have made it anew. The build itself is asked for, because it goes before any of its logs.
    async fn close_or_remove(&self, attempt: &AttemptId, run: &Known<Run>) -> Result<(), ControllerError> {
        if !matches!(run, Known::Gone) {
            self.artifacts.close_log(attempt).await?;
            if self.store.read(&[keys::build(&attempt.run.build)]).await?.iter().any(Option::is_some) {
                return Ok(());
            }
        }
        Ok(self.artifacts.delete_log(attempt).await?)
    }

    /// The effects that are not known to have been done, at most 1,000 of each kind.
    pub async fn effects(&self) -> Result<Effects, StoreError> {
        let pending = self.page::<PendingEffect>(&Page::of(keys::PENDING_EFFECTS, MOST_SHOWN)).await?;
        let dead = self.page::<DeadEffect>(&Page::of(keys::DEAD_EFFECTS, MOST_SHOWN)).await?;
        Ok(Effects {
            pending: pending.into_iter().map(|row| row.value).collect(),
            dead: dead.into_iter().map(|row| row.value).collect(),
        })
    }

    /// Whether there is any dead letter.
    pub async fn has_dead_letters(&self) -> Result<bool, StoreError> {
        Ok(!self.page::<DeadEffect>(&Page::of(keys::DEAD_EFFECTS, 1)).await?.is_empty())
    }

    /// Sends a dead letter again, once however often it is said; a pending effect is tried now.
    pub async fn resend_effect(&self, key: &EffectKey) -> Result<Letter, ControllerError> {
        for _ in 0..MOST_TRIES {
            let plan = if let Some(dead) = self.row::<DeadEffect>(keys::dead_effect(key)).await? {
                effect::resend(&dead)
            } else if let Some(pending) = self.row::<PendingEffect>(keys::pending_effect(key)).await? {
                effect::hasten(&pending, self.clock.now())
            } else {
                return Ok(Letter::Unknown);
            };
            if let Outcome::Done = self.commit(plan).await? {
                self.bell.ring(Ring::Effects);
                return Ok(Letter::Sent);
            }
        }
        Err(ControllerError::Contended { what: format!("the effect {key}") })
    }

    /// Gives a dead letter up for good.
    pub async fn drop_effect(&self, key: &EffectKey) -> Result<Letter, ControllerError> {
        for _ in 0..MOST_TRIES {
            let Some(dead) = self.row::<DeadEffect>(keys::dead_effect(key)).await? else {
                return Ok(Letter::Unknown);
            };
            if let Outcome::Done = self.commit(effect::drop_letter(&dead)).await? {
                return Ok(Letter::Dropped);
            }
        }
        Err(ControllerError::Contended { what: format!("the effect {key}") })
    }
}
