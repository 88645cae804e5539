//! Workers by chance: normal, slow, dead, standing still for longer than a lease, saying everything twice or out of
//! order. Invariant: a machine's disk outlives its worker's process, and a worker only forgets what it was told is
//! stored.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use branchline_model::{AttemptEnd, AttemptId, AttemptReport, StepRecord, TimeoutOf, Timestamp, WorkerId};
use branchline_ports::{Assignment, Heard, Lease, ProtocolError};

use crate::chance::mixed;
use crate::fault::Fault;
use crate::house::House;
use crate::logs;
use crate::turn;
use crate::wire::Wire;

/// So many attempts are carried out at once.
pub(crate) const SLOTS: usize = 3;
/// How often a worker says what it holds, in milliseconds.
const HEARTBEAT: u64 = 15_000;
/// How long what was told to stop may take before it is killed, in milliseconds.
const GRACE: u64 = 10_000;
/// What every artifact is called.
const ARTIFACT: &str = "report";

/// A worker's machine: what is on its disk, and what its process was told.
#[derive(Debug, Default)]
pub(crate) struct Machine {
    pub(crate) attempts: BTreeMap<AttemptId, Local>,
    pub(crate) stops: BTreeSet<AttemptId>,
    pub(crate) dead: bool,
}

/// An attempt on a machine.
#[derive(Clone, Debug)]
pub(crate) struct Local {
    lease: Lease,
    script: Script,
    /// When its steps were begun, by the clock that nothing sets and by the wall clock.
    began: Option<(u64, Timestamp)>,
    told_to_stop_at: Option<u64>,
    written: u64,
    acknowledged: u64,
    upload: Uploading,
    end: Option<(AttemptEnd, Timestamp)>,
}

/// How far an attempt is with its artifact.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Uploading {
    /// It is to be begun.
    Waiting,
    /// It was begun.
    Begun(String),
    /// Its bytes are there.
    Sent(String),
    /// It has a name, or there is none.
    Over,
}

/// What an attempt's steps do, from the seed and the attempt's id alone.
#[derive(Clone, Debug)]
struct Script {
    bytes: u64,
    milliseconds: u64,
    end: AttemptEnd,
    ignores_stop: bool,
    /// It is over before anybody said that it had begun.
    quick: bool,
    /// How long its artifact is, where it makes one.
    artifact: Option<u64>,
}

impl Script {
    fn of(seed: u64, attempt: &AttemptId) -> Self {
        let number = mixed(seed, &attempt.to_string());
        let end = match number % 16 {
            0..=8 => AttemptEnd::Passed,
            9..=11 => AttemptEnd::StepFailed { step: "work".to_owned(), exit: 1 },
            12 => AttemptEnd::StepSignalled { step: "work".to_owned(), signal: 9 },
            13 => AttemptEnd::TimedOut { of: TimeoutOf::Job },
            14 => AttemptEnd::StartFailed { why: "no such folder".to_owned() },
            _ => AttemptEnd::SupervisorLost { why: "no exit status".to_owned() },
        };
        Self {
            bytes: (number >> 8) % 90,
            milliseconds: (number >> 16) % 40_000,
            end,
            ignores_stop: (number >> 40).is_multiple_of(4),
            quick: (number >> 44).is_multiple_of(5),
            artifact: (number >> 48).is_multiple_of(5).then_some((number >> 52) % 50),
        }
    }
}

/// One worker's process.
pub(crate) struct Worker {
    house: Arc<House>,
    wire: Wire,
    id: WorkerId,
    /// Whether it may die for ever: at least one must live.
    mortal: bool,
}

impl Worker {
    pub(crate) fn new(house: &Arc<House>, name: &str, mortal: bool, doubles: bool) -> Self {
        let wire = Wire::new(house, doubles);
        Self { house: Arc::clone(house), wire, id: WorkerId::new(name), mortal }
    }

    /// A life, from the process's start to its death.
    pub(crate) async fn live(self) {
        let world = &self.house.world;
        self.on_machine(|machine| machine.stops.clear());
        while !self.go_on().await {
            turn::sleep(world, 2_000).await;
        }
        let mut heard = 0;
        loop {
            if self.dies_for_ever() {
                return;
            }
            self.may_stand_still(1).await;
            let time = world.state().time;
            if time >= heard + HEARTBEAT {
                heard = time;
                self.beat().await;
            }
            let free = SLOTS.saturating_sub(self.on_machine(|machine| machine.attempts.len()));
            if free > 0 {
                // What an answer that was lost brought is lost, and tried again once its lease has ended.
                let _ = self.claim(free).await;
            }
            let attempts: Vec<AttemptId> =
                self.on_machine(|machine| machine.attempts.keys().cloned().collect());
            let idle = attempts.is_empty();
            for attempt in attempts {
                self.carry_on(&attempt).await;
            }
            let pause = world.state().chance.between(100, if idle { 8_000 } else { 3_000 });
            turn::sleep(world, pause).await;
        }
    }

    /// Now and then it stands still for about as long as a lease, or longer, and then goes on with what it was about to do.
    async fn may_stand_still(&self, draws: u32) {
        let world = &self.house.world;
        if (0..draws).any(|_| world.strikes(Fault::WorkerZombie, None)) {
            let still = world.state().chance.between(150_000, 300_000);
            turn::sleep(world, still).await;
        }
    }

    fn dies_for_ever(&self) -> bool {
        let dies = self.mortal && self.house.world.strikes(Fault::WorkerDead, None);
        if dies {
            self.on_machine(|machine| machine.dead = true);
        }
        dies
    }

    fn on_machine<T>(&self, act: impl FnOnce(&mut Machine) -> T) -> T {
        let mut state = self.house.world.state();
        act(state.machines.entry(self.id.to_string()).or_default())
    }

    /// Changes an attempt that is on the machine.
    fn on_attempt(&self, attempt: &AttemptId, act: impl FnOnce(&mut Local)) {
        self.on_machine(|machine| machine.attempts.get_mut(attempt).map(act));
    }

    /// Asks what it holds; what is on the disk and is not held is cleared away. `false` where there was no answer.
    async fn go_on(&self) -> bool {
        let Ok(held) = self.wire.held(&self.id).await else { return false };
        let known: BTreeSet<AttemptId> =
            held.iter().map(|assignment| assignment.lease.attempt.clone()).collect();
        self.on_machine(|machine| machine.attempts.retain(|attempt, _| known.contains(attempt)));
        self.take(held);
        true
    }

    /// Says what it holds, and does as it is answered.
    async fn beat(&self) {
        let leases: Vec<Lease> =
            self.on_machine(|machine| machine.attempts.values().map(|local| local.lease.clone()).collect());
        let Ok(answers) = self.wire.heartbeat(&self.id, leases.clone()).await else { return };
        let time = self.house.world.state().time;
        for (Lease { attempt, .. }, heard) in leases.iter().zip(answers) {
            match heard {
                Heard::Stop { .. } => self.on_attempt(attempt, |local| {
                    local.told_to_stop_at.get_or_insert(time);
                }),
                Heard::Fenced { .. } => {
                    self.on_machine(|machine| machine.attempts.remove(attempt));
                }
                Heard::Counts { .. } | Heard::Unknown { .. } => {}
            }
        }
    }

    async fn claim(&self, free: usize) -> Result<(), ProtocolError> {
        let assignments = self.wire.claim(&self.id, free).await?;
        self.take(assignments);
        Ok(())
    }

    /// Makes a directory for what is new, and attaches to what is there.
    fn take(&self, assignments: Vec<Assignment>) {
        let world = &self.house.world;
        let (seed, time, now) = (world.seed, world.state().time, world.now());
        for Assignment { lease, stop, begun, .. } in assignments {
            let attempt = lease.attempt.clone();
            self.on_machine(|machine| {
                let local = machine.attempts.entry(attempt.clone()).or_insert_with(|| Local {
                    script: Script::of(seed, &attempt),
                    lease,
                    began: None,
                    told_to_stop_at: None,
                    written: 0,
                    acknowledged: 0,
                    upload: Uploading::Waiting,
                    // Its directory is gone, and nobody knows how far it came.
                    end: begun.then(|| (AttemptEnd::SupervisorLost { why: "it is gone".to_owned() }, now)),
                });
                if stop.is_some() {
                    local.told_to_stop_at.get_or_insert(time);
                }
            });
        }
    }

    /// The next thing about an attempt, whatever that is.
    async fn carry_on(&self, attempt: &AttemptId) {
        let Some(local) = self.on_machine(|machine| machine.attempts.get(attempt).cloned()) else { return };
        let answer = match (&local.began, &local.end) {
            (None, None) => self.begin(attempt, &local).await,
            (_, Some((end, at))) => self.end(&local, end.clone(), *at).await,
            (Some(_), None) => self.run(attempt, &local).await,
        };
        if let Err(ProtocolError::Fenced { .. }) = answer {
            self.house.world.note(|| format!("{attempt} does not count any more: it is cleared away"));
            self.on_machine(|machine| machine.attempts.remove(attempt));
        }
    }

    async fn begin(&self, attempt: &AttemptId, local: &Local) -> Result<(), ProtocolError> {
        let world = &self.house.world;
        let now = world.now();
        if matches!(local.script.end, AttemptEnd::StartFailed { .. }) || local.told_to_stop_at.is_some() {
            let end = match local.told_to_stop_at {
                Some(_) => AttemptEnd::Stopped,
                None => local.script.end.clone(),
            };
            self.on_attempt(attempt, |local| local.end = Some((end, now)));
            return Ok(());
        }
        let time = world.state().time;
        let wrong = world.state().ledger.execute(attempt, self.id.as_str(), time);
        if let Some(wrong) = wrong {
            world.violated(wrong);
        }
        self.on_attempt(attempt, |local| local.began = Some((time, now)));
        if local.script.quick {
            return Ok(());
        }
        self.wire.begun(&local.lease, now).await
    }

    async fn run(&self, attempt: &AttemptId, local: &Local) -> Result<(), ProtocolError> {
        let world = &self.house.world;
        let (time, now) = (world.state().time, world.now());
        let told = self.on_machine(|machine| machine.stops.contains(attempt));
        let told_at = local.told_to_stop_at.or(told.then_some(time));
        let over = local.began.is_some_and(|(began, _)| time >= began + local.script.milliseconds);
        let end = match told_at {
            Some(at) if !local.script.ignores_stop || time >= at + GRACE => Some(AttemptEnd::Stopped),
            _ if over => Some(local.script.end.clone()),
            _ => None,
        };
        let more = world.state().chance.between(0, 40);
        self.on_attempt(attempt, |local| {
            local.told_to_stop_at = told_at;
            local.written =
                if over { local.script.bytes } else { local.script.bytes.min(local.written + more) };
            local.end = end.map(|end| (end, now));
        });
        if world.state().chance.one_in(4) {
            self.wire.progress(&local.lease, vec![step(local, now)]).await?;
        }
        self.send(&local.lease).await
    }

    /// Sends what is written and not acknowledged, cut by chance; now and then from a wrong place.
    async fn send(&self, lease: &Lease) -> Result<(), ProtocolError> {
        let world = &self.house.world;
        let attempt = &lease.attempt;
        let Some(local) = self.on_machine(|machine| machine.attempts.get(attempt).cloned()) else {
            return Ok(());
        };
        let (mut from, mut to) = (local.acknowledged, local.written);
        if from == to {
            return Ok(());
        }
        {
            let mut state = world.state();
            match state.chance.between(0, 8) {
                // Again, from somewhere before.
                0 => from = state.chance.between(0, from + 1),
                // Out of order: a later part first.
                1 => from = state.chance.between(from, to),
                2..=4 => to = state.chance.between(from + 1, to + 1),
                _ => {}
            }
        }
        self.may_stand_still(1).await;
        match self.wire.append_log(lease, from, logs::bytes(attempt, from, to)).await {
            Ok(stored) => self.acknowledge(attempt, stored),
            Err(ProtocolError::LogGap { stored, .. }) => {
                if stored < local.acknowledged {
                    world.violated(format!("{attempt}: {stored} bytes are stored of {}", local.acknowledged));
                }
                self.acknowledge(attempt, stored);
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn acknowledge(&self, attempt: &AttemptId, stored: u64) {
        self.on_attempt(attempt, |local| local.acknowledged = local.acknowledged.max(stored));
        let mut state = self.house.world.state();
        let known = state.ledger.acknowledged.entry(attempt.clone()).or_default();
        *known = stored.max(*known);
    }

    async fn end(&self, local: &Local, end: AttemptEnd, at: Timestamp) -> Result<(), ProtocolError> {
        // Reordering: the last word now and then comes before the log.
        let hurries = self.house.world.state().chance.one_in(6);
        if local.acknowledged < local.written && !hurries {
            return self.send(&local.lease).await;
        }
        if let (Some(_), Some(length)) = (local.began, local.script.artifact)
            && local.upload != Uploading::Over
        {
            return self.upload(local, length).await;
        }
        let steps = local.began.map(|_| step(local, at)).into_iter().collect();
        let began_at = local.began.map(|(_, began)| began);
        let report = AttemptReport { end, began_at, ended_at: at, steps, log_length: local.written };
        let attempt = &local.lease.attempt;
        // With the last word on its lips.
        self.may_stand_still(2).await;
        match self.wire.finish(&local.lease, report).await {
            Ok(()) => {
                if local.acknowledged < local.written {
                    let sent = local.acknowledged;
                    let stored =
                        self.house.world.state().logs.all.get(attempt).map_or(0, |log| log.bytes.len());
                    if (stored as u64) < local.written {
                        let why = format!("{attempt} ended with {sent} of {} bytes", local.written);
                        self.house.world.violated(why);
                    }
                }
                self.house.world.state().ledger.finished.insert(attempt.clone());
                self.on_machine(|machine| {
                    machine.attempts.remove(attempt);
                    machine.stops.remove(attempt);
                });
            }
            Err(ProtocolError::LogGap { stored, .. }) => {
                self.on_attempt(attempt, |local| local.acknowledged = stored.min(local.written));
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

impl Worker {
    /// The next thing about an attempt's artifact.
    async fn upload(&self, local: &Local, length: u64) -> Result<(), ProtocolError> {
        let (lease, attempt) = (&local.lease, &local.lease.attempt);
        let Ok(name) = ARTIFACT.parse() else { return Ok(()) };
        let bytes = logs::bytes(attempt, 0, length);
        let answer = match &local.upload {
            Uploading::Waiting => {
                let begun = self.wire.begin_upload(lease, &name, &bytes).await;
                begun.map(|begun| begun.map_or(Uploading::Over, Uploading::Begun))
            }
            Uploading::Begun(id) => {
                let sent = self.wire.put_upload(lease, id, &bytes).await;
                sent.map(|()| Uploading::Sent(id.clone()))
            }
            Uploading::Sent(id) => self.wire.name_artifact(lease, id, &name).await.map(|()| Uploading::Over),
            Uploading::Over => return Ok(()),
        };
        let next = match answer {
            Ok(next) => next,
            // Another upload of it has the name, which was begun by a word that came twice; or its time is out. Beginning it anew
            // tells.
            Err(error @ ProtocolError::Fenced { .. }) => return Err(error),
            Err(_) if self.house.world.state().chance.one_in(3) => Uploading::Waiting,
            Err(error) => return Err(error),
        };
        if next == Uploading::Over {
            self.house.world.state().ledger.named.insert(attempt.clone());
        }
        self.on_attempt(attempt, |local| local.upload = next);
        Ok(())
    }
}

fn step(local: &Local, now: Timestamp) -> StepRecord {
    let began_at = local.began.map_or(now, |(_, began)| began);
    StepRecord { index: 0, began_at, log_offset: 0, end: None, ended_at: None }
}
