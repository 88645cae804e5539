//! The world's verbs for silence: clocks that go on, workers that are heard or not, looks at leases.

use branchline_core::lease::{self, Looked, Policy};
use branchline_core::retry::{self, Losing};
use branchline_model::{
    Attempt, Deadline, DeadlineKind, Expectation, HeldAttempt, LeaseEnd, Listening, Plan, QueueEntry, Run,
    RunDefinitionRow, Stop, Timestamp, WorkerId, keys,
};

use crate::world::World;

impl World {
    /// The clock goes on, and nobody looks at anything.
    pub fn wait(&mut self, seconds: i64) {
        self.now += seconds * 1_000;
    }

    /// The clock goes on, and the controller looks each half minute.
    pub fn wait_and_look(&mut self, seconds: i64) {
        let until = self.now + seconds * 1_000;
        while self.now < until {
            self.now = (self.now + 30_000).min(until);
            self.look_at_leases();
        }
    }

    /// One look at leases, and at what is to be tried again.
    pub fn look_at_leases(&mut self) {
        let (now, policy) = (Timestamp(self.now), Policy::default());
        let before = self.row::<Listening>(&keys::listening());
        if let Some(next) = lease::listen(before.as_ref().map(|row| &row.value), now, &policy) {
            let mut plan = Plan::default();
            plan.put(next, Expectation::Any);
            self.apply(plan);
        }
        let listening = self.row::<Listening>(&keys::listening()).unwrap().value;
        for end in self.all::<LeaseEnd>().into_iter().filter(|end| end.value.at <= now) {
            let held = self.row::<HeldAttempt>(&keys::held_attempt(&end.value.worker, &end.value.attempt));
            let run = self.row::<Run>(&keys::run(&end.value.attempt.run));
            match lease::look(&end, held.as_ref(), run.as_ref(), &listening, now, &policy) {
                Looked::InOrder(plan) => self.apply(plan),
                Looked::Silent => {
                    let (held, run) = (held.unwrap(), run.unwrap());
                    let attempt = self.row::<Attempt>(&keys::attempt(&end.value.attempt)).unwrap();
                    let definition =
                        self.row::<RunDefinitionRow>(&keys::run_definition(&run.value.id)).unwrap().value.0;
                    let losing =
                        Losing { run: &run, attempt: &attempt, held: &held, definition: Some(&definition) };
                    self.apply(retry::lose(&losing, now).unwrap());
                }
            }
        }
        for deadline in self.all::<Deadline>().into_iter().filter(|row| row.value.at <= now) {
            if let DeadlineKind::Retry { run } = &deadline.value.of {
                let run = self.row::<Run>(&keys::run(run)).unwrap();
                self.apply(retry::take_place(&run, &deadline.value));
            }
        }
        self.advance();
    }

    /// A worker says that it carries out an attempt of a job; answers whether it is to stop, or why it does not count.
    pub fn heartbeat(&mut self, job: &str, number: u32, who: &str) -> Result<Option<Stop>, String> {
        let policy = Policy::default();
        for _ in 0..2 {
            let run = self.run_row(1, job);
            let id = branchline_model::AttemptId { run: run.value.id.clone(), number };
            let Some(held) = self.row::<HeldAttempt>(&keys::held_attempt(&WorkerId::new(who), &id)) else {
                return Err("it has no lease".to_owned());
            };
            let now = self.tick();
            match lease::hear(&run, &held, now) {
                Ok((plan, stop)) => {
                    self.apply(plan);
                    return Ok(stop);
                }
                Err(branchline_core::attempt::Refused::Lost) => {
                    let attempt = self.row::<Attempt>(&keys::attempt(&id)).unwrap();
                    let plan = lease::come_back(&run, &attempt, &held, now, &policy).unwrap();
                    self.apply(plan);
                }
                Err(refused) => return Err(refused.to_string()),
            }
        }
        panic!("it came back, and is lost again at once");
    }

    /// A worker takes the job where it stands in the queue.
    pub fn claim_as(&mut self, job: &str, who: &str) -> Option<u32> {
        let entry = self
            .all::<QueueEntry>()
            .into_iter()
            .find(|row| self.row::<Run>(&keys::run(&row.value.run)).unwrap().value.job.as_str() == job)?;
        Some(self.claim_entry_as(entry, who).remove(0).number)
    }

    /// The attempts of a job's run.
    pub fn attempts(&self, job: &str) -> Vec<Attempt> {
        let run = self.run_row(1, job).value.id;
        self.all::<Attempt>().into_iter().map(|row| row.value).filter(|row| row.id.run == run).collect()
    }

    /// Who is silent, and since when.
    pub fn silent_since(&self, job: &str) -> Option<i64> {
        let run = self.run_row(1, job).value;
        let held = self.all::<HeldAttempt>().into_iter().find(|row| row.value.attempt.run == run.id)?;
        let listening = self.row::<Listening>(&keys::listening()).map(|row| row.value);
        let now = Timestamp(self.now);
        lease::silent_since(&held.value, listening.as_ref(), now, &Policy::default()).map(|at| at.0)
    }
}
