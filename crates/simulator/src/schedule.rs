//! Who acts next. Invariant: one actor at a time, picked by the seed's chance among those that can go on; time passes
//! only here.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use crate::fault::Fault;
use crate::turn::{self, Wait};
use crate::world::{Weather, Work, World};

/// How an actor is begun, also after it died.
pub(crate) type Begin = Box<dyn Fn() -> Work>;

struct Task {
    name: String,
    operation: &'static str,
    work: Work,
    wait: Wait,
    /// Where it is begun again after its death; what has none is not killed.
    begin: Option<Begin>,
    dies_of: Death,
}

/// What an actor's death is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Death {
    /// A controller's process: everything in it is forgotten.
    Controller,
    /// A worker's process: its machine's disk stays.
    Worker,
}

/// All actors.
pub(crate) struct Schedule {
    world: Arc<World>,
    tasks: Vec<Task>,
}

impl Schedule {
    pub(crate) fn new(world: &Arc<World>) -> Self {
        Self { world: Arc::clone(world), tasks: Vec::new() }
    }

    /// Adds an actor that lives as long as the history.
    pub(crate) fn add(&mut self, name: impl Into<String>, dies_of: Death, begin: Begin) {
        let work = begin();
        let (name, begin) = (name.into(), Some(begin));
        self.tasks.push(Task { name, operation: "begin", work, wait: Wait::Breath, begin, dies_of });
    }

    /// Ends every controller's process at once, and begins them again; workers live on.
    pub(crate) fn kill_controllers(&mut self) {
        self.tasks.retain(|task| task.begin.is_some() || task.dies_of == Death::Worker);
        for task in self.tasks.iter_mut().filter(|task| task.dies_of == Death::Controller) {
            if let Some(begin) = &task.begin {
                (task.work, task.wait) = (begin(), Wait::Breath);
            }
        }
    }

    /// Lets one actor act; `false` where there is none any more.
    pub(crate) async fn step(&mut self) -> bool {
        self.adopt();
        let Some(at) = self.pick() else { return false };
        if self.dies(at) {
            return true;
        }
        let Some(task) = self.tasks.get_mut(at) else { return false };
        {
            let mut state = self.world.state();
            state.running.actor.clone_from(&task.name);
            state.running.operation = task.operation;
            state.running.wait = None;
        }
        // What waits for anything but its turn (a store's thread) is waited for here: nobody else acts meanwhile.
        let world = &self.world;
        let done = poll_fn(|context| match task.work.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(true),
            Poll::Pending if world.state().running.wait.is_some() => Poll::Ready(false),
            Poll::Pending => Poll::Pending,
        })
        .await;
        if done {
            self.tasks.remove(at);
            return true;
        }
        let mut state = self.world.state();
        task.operation = state.running.operation;
        if let Some(wait) = state.running.wait.take() {
            task.wait = wait;
        }
        true
    }

    /// Takes over what was spawned since.
    fn adopt(&mut self) {
        let spawned = std::mem::take(&mut self.world.state().spawned);
        for (name, work) in spawned {
            self.tasks.push(Task {
                name,
                operation: "late",
                work,
                wait: Wait::Breath,
                begin: None,
                dies_of: Death::Controller,
            });
        }
    }

    /// Picks who is next, and lets the time pass until then.
    fn pick(&self) -> Option<usize> {
        let mut state = self.world.state();
        state.step += 1;
        let time = state.time;
        let can_go_on = |task: &Task| match task.wait {
            Wait::Until(until) => until <= time,
            Wait::Turn(..) | Wait::Breath => true,
        };
        let ready: Vec<usize> =
            self.tasks.iter().enumerate().filter(|(_, task)| can_go_on(task)).map(|(at, _)| at).collect();
        if let Some(at) = state.chance.pick(&ready).copied() {
            let pace = if state.weather == Weather::Calm { 20 } else { state.pace };
            let passed = state.chance.between(0, pace);
            drop(state);
            self.world.pass(passed);
            return Some(at);
        }
        drop(state);
        let earliest = self.tasks.iter().enumerate().filter_map(|(at, task)| match task.wait {
            Wait::Until(until) => Some((until, at)),
            Wait::Turn(..) | Wait::Breath => None,
        });
        let (until, at) = earliest.min()?;
        self.world.pass(until.saturating_sub(time));
        Some(at)
    }

    /// Draws whether the one that was picked dies where it stands, and lets it die.
    fn dies(&mut self, at: usize) -> bool {
        let Some(task) = self.tasks.get_mut(at) else { return false };
        let (Wait::Turn(call, fault), Some(begin)) = (&task.wait, &task.begin) else { return false };
        {
            let mut state = self.world.state();
            state.running.actor.clone_from(&task.name);
            state.running.operation = task.operation;
            let fault = if task.dies_of == Death::Worker { Fault::WorkerRestarted } else { *fault };
            if !(0..call.draws()).any(|_| state.strikes(fault, Some(call))) {
                return false;
            }
        }
        let world = Arc::clone(&self.world);
        let pause = world.state().chance.between(1, 3_000);
        let life = begin();
        task.work = Box::pin(async move {
            turn::sleep(&world, pause).await;
            life.await;
        });
        (task.operation, task.wait) = ("begin", Wait::Breath);
        true
    }
}
