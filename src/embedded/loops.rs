//! The loops that drive the controller. Each sleeps until its bell rings, and looks each second all the same, so that a
//! lost ring costs a second and nothing else.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use branchline_controller::{Controller, ControllerError, Part};
use branchline_model::{EventKey, RepositoryId};
use branchline_worker::WorkerHandle;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use super::EmbeddedBell;

/// How often each loop looks without being rung for.
const TICK: Duration = Duration::from_secs(1);
/// How often everything is looked at, whatever was or was not rung for.
const WHOLE_TICK: Duration = Duration::from_secs(60);
/// So long may that take.
const LONGEST_TICK: Duration = Duration::from_secs(50);
/// What the whole tick does here: each repository's own watch looks at its refs, and what is not kept has a loop of its own.
const PARTS: [Part; 5] = [Part::Leases, Part::Deadlines, Part::Builds, Part::Effects, Part::Events];
/// So many events are resolved at once.
const EVENTS_AT_ONCE: usize = 16;
/// So many of them of one repository: a server that does not answer delays only its own.
const EVENTS_OF_ONE_REPOSITORY: usize = 2;
/// So many that are due are looked through.
const EVENTS_LOOKED_THROUGH: usize = 1_000;

/// The loops that every embedded controller needs, until they are ended.
#[derive(Debug)]
pub struct Loops {
    tasks: Vec<JoinHandle<()>>,
    end: CancellationToken,
}

impl Loops {
    /// Starts to decide events, to advance builds, to perform effects, to act on deadlines, to remove what is not kept and to
    /// wake the worker.
    #[must_use]
    pub fn start(controller: &Controller, bell: &EmbeddedBell, worker: &WorkerHandle) -> Self {
        let end = CancellationToken::new();
        let mut loops = Self { tasks: Vec::new(), end: end.clone() };
        loops.spawn(resolve_events(controller.clone(), bell.clone(), end.clone()));
        loops.spawn(advance_builds(controller.clone(), bell.clone(), end.clone()));
        loops.spawn(perform_effects(controller.clone(), bell.clone(), end.clone()));
        loops.spawn(tick(controller.clone(), end.clone()));
        loops.spawn(remove(controller.clone(), end.clone()));
        loops.spawn(wake_worker(worker.clone(), bell.clone(), end));
        loops
    }

    /// One more, which ends when the token of [`Loops::ending`] is cancelled.
    pub fn spawn(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.push(tokio::spawn(task));
    }

    /// What tells them to end.
    #[must_use]
    pub fn ending(&self) -> CancellationToken {
        self.end.clone()
    }

    /// Ends them all.
    pub async fn end(self) {
        self.end.cancel();
        for task in self.tasks {
            if let Err(error) = task.await {
                tracing::error!(%error, "a part of the controller died");
            }
        }
    }
}

/// Decides events as they come.
async fn resolve_events(controller: Controller, bell: EmbeddedBell, end: CancellationToken) {
    let mut under_way: HashMap<EventKey, RepositoryId> = HashMap::new();
    let mut tasks: JoinSet<EventKey> = JoinSet::new();
    loop {
        match controller.due_events(EVENTS_LOOKED_THROUGH).await {
            Ok(due) => {
                for due in due {
                    let (event, repository) = (due.event.clone(), due.repository.clone());
                    let of_this_one = under_way.values().filter(|other| **other == repository).count();
                    if tasks.len() == EVENTS_AT_ONCE
                        || of_this_one == EVENTS_OF_ONE_REPOSITORY
                        || under_way.contains_key(&event)
                    {
                        continue;
                    }
                    under_way.insert(event.clone(), repository);
                    let controller = controller.clone();
                    tasks.spawn(async move {
                        if let Err(error) = controller.resolve_due(&due).await {
                            tracing::warn!(%event, %error, "an event could not be resolved; it will be tried again");
                        }
                        event
                    });
                }
            }
            Err(error) => tracing::warn!(%error, "the pending events cannot be read"),
        }
        tokio::select! {
            Some(done) = tasks.join_next(), if !tasks.is_empty() => match done {
                Ok(key) => { under_way.remove(&key); }
                // A task that died left its key behind: look at all of them anew.
                Err(error) => { tracing::error!(%error, "resolving an event died"); under_way.clear(); }
            },
            () = bell.events.notified() => {}
            () = tokio::time::sleep(TICK) => {}
            () = end.cancelled() => return,
        }
    }
}

/// Performs effects. One that is not answered keeps only others of its kind waiting.
async fn perform_effects(controller: Controller, bell: EmbeddedBell, end: CancellationToken) {
    loop {
        if let Err(error) = controller.perform().await {
            tracing::warn!(%error, "effects could not be performed; it will be tried again");
        }
        tokio::select! {
            () = bell.effects.notified() => {}
            () = tokio::time::sleep(TICK) => {}
            () = end.cancelled() => return,
        }
    }
}

/// Advances builds, and acts on deadlines.
async fn advance_builds(controller: Controller, bell: EmbeddedBell, end: CancellationToken) {
    let mut deadlines_seen: Option<Instant> = None;
    let mut listens = false;
    loop {
        if let Err(error) = controller.advance().await {
            tracing::warn!(%error, "builds could not be advanced; it will be tried again");
        }
        if deadlines_seen.is_none_or(|seen| seen.elapsed() >= TICK) {
            if let Err(error) = controller.pass_deadlines().await {
                tracing::warn!(%error, "deadlines could not be looked at; it will be tried again");
            }
            if let Err(error) = look_at_leases(&controller, &mut listens).await {
                tracing::warn!(%error, "leases could not be looked at; it will be tried again");
            }
            deadlines_seen = Some(Instant::now());
        }
        tokio::select! {
            () = bell.work.notified() => {}
            () = tokio::time::sleep(TICK) => {}
            () = end.cancelled() => return,
        }
    }
}

/// Gives up what nothing is heard of. What was not heard before this process stood is nobody's silence.
async fn look_at_leases(controller: &Controller, listens: &mut bool) -> Result<(), ControllerError> {
    if !*listens {
        controller.begin_listening().await?;
        *listens = true;
    }
    controller.pass_leases().await.map(drop)
}

/// Looks at everything once a minute: what a loop above forgot or gave up is found by the same code as everywhere.
async fn tick(controller: Controller, end: CancellationToken) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(WHOLE_TICK) => {}
            () = end.cancelled() => return,
        }
        // What failed is in the trace already, and is tried again in a minute.
        let ticked = controller.tick_parts(&PARTS, LONGEST_TICK).await;
        tracing::debug!(?ticked, "ticked");
    }
}

/// Removes what is not kept any more, in nobody's way: a build of a thousand runs takes a while.
async fn remove(controller: Controller, end: CancellationToken) {
    while !end.is_cancelled() {
        // What failed is in the trace already, and was put off.
        let ticked = controller.tick_parts(&[Part::Retention], TICK).await;
        if ticked.unfinished.is_empty() {
            tokio::select! {
                () = tokio::time::sleep(TICK) => {}
                () = end.cancelled() => return,
            }
        }
    }
}

/// Has the worker look whenever a queue has more runs.
async fn wake_worker(worker: WorkerHandle, bell: EmbeddedBell, end: CancellationToken) {
    loop {
        tokio::select! {
            () = bell.queue.notified() => worker.wake(),
            () = end.cancelled() => return,
        }
    }
}
