//! Controllers, and the ports they are given. Invariant: every controller of a history sees one store, one git and one
//! time; nothing else is shared between them.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use branchline_controller::{Controller, Ports};
use branchline_model::{AttemptId, RepositoryId, RepositoryName, Stop, WorkerId};
use branchline_ports::{Bell, Clock, LaunchError, Launcher, Ring, Store};
use branchline_testkit::PoisonedStore;

use crate::fault::Fault;
use crate::git::WorstGit;
use crate::logs::WorstLogs;
use crate::store::WorstStore;
use crate::table;
use crate::turn::{self, Call};
use crate::watch::{Processes, Truth, Watch};
use crate::world::World;

/// What controllers are made of, and the repositories they serve.
pub(crate) struct House {
    pub(crate) world: Arc<World>,
    store: Arc<dyn Store>,
    pub(crate) poison: Arc<PoisonedStore>,
    /// The store itself, without faults.
    pub(crate) truth: Arc<dyn Store>,
    /// The table, where there is one.
    pub(crate) watch: Option<Arc<Watch>>,
    /// The process that hears workers; another one now and then.
    process: Mutex<Option<Controller>>,
}

impl House {
    /// Upon a store that does not fail by itself.
    pub(crate) fn upon(world: &Arc<World>, truth: Arc<dyn Store>) -> Self {
        let poison = Arc::new(PoisonedStore::over(Arc::clone(&truth)));
        let worst = WorstStore::around(Arc::clone(&poison) as Arc<dyn Store>, Arc::clone(world));
        let (world, store) = (Arc::clone(world), Arc::new(worst));
        Self { world, store, poison, truth, watch: None, process: Mutex::new(None) }
    }

    /// Upon the real store of a table that fails as DynamoDB may.
    pub(crate) fn upon_a_table(world: &Arc<World>) -> Self {
        let (_, watch) = table::worst(world);
        let poison = Arc::new(PoisonedStore::over(Arc::new(Processes(Arc::clone(&watch)))));
        let store = Arc::clone(&poison) as Arc<dyn Store>;
        let (world, truth) = (Arc::clone(world), Arc::new(Truth(Arc::clone(&watch))));
        Self { world, store, poison, truth, watch: Some(watch), process: Mutex::new(None) }
    }

    /// A process that has just been started.
    pub(crate) fn controller(&self) -> Controller {
        let world = &self.world;
        Controller::new(Ports {
            store: Arc::clone(&self.store),
            artifacts: Arc::new(WorstLogs::new(Arc::clone(world))),
            checkout: Arc::new(WorstGit::new(Arc::clone(world))),
            launcher: Arc::new(WorstLauncher(Arc::clone(world))),
            bell: Arc::new(WorstBell(Arc::clone(world))),
            clock: Arc::clone(&world.clock) as Arc<dyn Clock>,
            page_address: None,
        })
    }

    /// The process that hears a worker's word: mostly the one that heard the last, with what it remembers.
    pub(crate) fn process(&self) -> Controller {
        let mut process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        if self.world.state().chance.one_in(12) {
            *process = None;
        }
        process.get_or_insert_with(|| self.controller()).clone()
    }

    /// The id that a repository of the forge has.
    pub(crate) fn repository(&self, at: usize) -> Option<RepositoryId> {
        let state = self.world.state();
        let repository = state.forge.repositories.get(at)?;
        Some(RepositoryId::of(&RepositoryName::new(&repository.url)))
    }
}

/// A bell that is heard as the seed will have it.
struct WorstBell(Arc<World>);

impl Bell for WorstBell {
    fn ring(&self, ring: Ring) {
        if !matches!(ring, Ring::Events | Ring::EndedRuns | Ring::Effects | Ring::Queue(_)) {
            return;
        }
        let mut state = self.0.state();
        if state.weather == crate::world::Weather::Calm || state.strikes(Fault::BellLost, None) {
            return;
        }
        if state.strikes(Fault::BellDoubled, None) {
            state.rings.push(ring.clone());
        }
        if state.strikes(Fault::BellReordered, None) {
            state.rings.insert(0, ring);
        } else {
            state.rings.push(ring);
        }
    }
}

/// Orders to workers.
struct WorstLauncher(Arc<World>);

#[async_trait]
impl Launcher for WorstLauncher {
    async fn stop(&self, worker: &WorkerId, attempt: &AttemptId, _: &Stop) -> Result<(), LaunchError> {
        let world = &self.0;
        let call = Call { what: format!("stop {attempt} on {worker}"), ..Call::default() };
        let away = || LaunchError::Unavailable { worker: worker.clone(), why: "no route".to_owned() };
        turn::before(world, &call).await;
        if world.strikes(Fault::LauncherAway, Some(&call)) {
            return Err(away());
        }
        {
            let mut state = world.state();
            state.ledger.performed += 1;
            let told = state.ledger.newest_attempt(&attempt.run).is_some_and(|(_, run)| {
                run.has_ended() || run.attempt() != Some(attempt.number) || run.stop().is_some()
            });
            if !told {
                state.violated(format!("{attempt} is stopped, and nothing that was committed says so"));
            }
            if let Some(machine) = state.machines.get_mut(worker.as_str()) {
                machine.stops.insert(attempt.clone());
            }
        }
        turn::after(world, &call).await;
        if world.strikes(Fault::LauncherAnswerLost, Some(&call)) {
            return Err(LaunchError::Unknown { worker: worker.clone(), why: "no answer".to_owned() });
        }
        Ok(())
    }

    async fn is_told_to_stop(&self, worker: &WorkerId, attempt: &AttemptId) -> Result<bool, LaunchError> {
        let machines = &self.0.state().machines;
        Ok(machines.get(worker.as_str()).is_some_and(|machine| machine.stops.contains(attempt)))
    }
}
