//! A worker's life: it goes on with what it holds, claims while slots are free, and ends as it is told. Invariant: at most one
//! claim is under way, for as many runs as there are free slots; what it brings is carried out or, after a kill, held.

use std::collections::HashSet;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use branchline_ports::{Assignment, ProtocolError, WorkerProtocol};
use branchline_supervisor::{AttemptDirectory, Spares, Spawner};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::attempt::{abandon, carry_out};
use crate::backoff::Backoff;
use crate::config::{Drain, WorkerConfig, WorkerError};
use crate::handle::WorkerHandle;
use crate::heartbeat::beat;
use crate::machine;
use crate::open::Origin;
use crate::slots::Slots;
use crate::workspaces::Workspaces;

/// How often it looks for work where nobody wakes it.
const LOOK: Duration = Duration::from_secs(1);

/// How long killed attempts may take to be reported when the worker ends.
const STOP_PATIENCE: Duration = Duration::from_secs(30);

/// How many directories are removed at a time: more would only keep the others waiting for the disk.
const REMOVALS: usize = 2;

/// What every attempt of a worker shares.
pub(crate) struct Context {
    pub(crate) config: WorkerConfig,
    pub(crate) handle: WorkerHandle,
    pub(crate) protocol: Arc<dyn WorkerProtocol>,
    pub(crate) workspaces: Arc<dyn Workspaces>,
    pub(crate) spawner: Arc<Spawner>,
    pub(crate) spares: Arc<Spares>,
    pub(crate) removals: Semaphore,
}

/// Claims runs and has them carried out.
pub struct Worker {
    context: Context,
}

type Claim = Pin<Box<dyn Future<Output = Result<Vec<Assignment>, ProtocolError>> + Send>>;

impl Worker {
    /// A worker, told through `handle`. Its supervisors are this very program: its `main` must begin with
    /// [`branchline_supervisor::main_if_asked`].
    ///
    /// # Errors
    /// The folder for attempts cannot be made.
    pub fn new(
        config: WorkerConfig,
        handle: WorkerHandle,
        protocol: Arc<dyn WorkerProtocol>,
        workspaces: Arc<dyn Workspaces>,
    ) -> Result<Self, WorkerError> {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&config.root)
            .map_err(|source| WorkerError::Root { path: config.root.clone(), source })?;
        let spares = Spares::new(&config.root, 2 * config.slots + 16).map_err(|error| WorkerError::Root {
            path: config.root.clone(),
            source: io::Error::other(error),
        })?;
        let spawner = Arc::new(Spawner::of_this_program());
        let removals = Semaphore::new(REMOVALS);
        Ok(Self {
            context: Context {
                config,
                handle,
                protocol,
                workspaces,
                spawner,
                spares: Arc::new(spares),
                removals,
            },
        })
    }

    /// Has supervisors started by another spawner than one of this program.
    #[must_use]
    pub fn with_spawner(mut self, spawner: Arc<Spawner>) -> Self {
        self.context.spawner = spawner;
        self
    }

    /// Works until it is told to end ([`WorkerHandle::drain`]).
    pub async fn run(self) {
        let context = Arc::new(self.context);
        tokio::select! {
            () = work(&context) => {}
            () = beat(&context) => {}
        }
    }
}

/// Goes on, claims, and ends as told.
async fn work(context: &Arc<Context>) {
    let mut drains = context.handle.drains();
    let slots = Slots::new(context.config.slots);
    let mut tasks = JoinSet::new();
    tokio::select! {
        () = go_on(context, &slots, &mut tasks) => {}
        _ = told(&mut drains) => {}
    }
    let claim = claim_until(context, &slots, &mut tasks, told(&mut drains)).await;
    let drain = drains.borrow().unwrap_or(Drain::HandOver);
    if let (Some(claim), false) = (claim, drain == Drain::HandOver) {
        // What this brings would otherwise wait for the next start.
        begin(context, &slots, &mut tasks, claim.await);
    }
    end(context, tasks, drain).await;
}

/// Waits for the word to end.
async fn told(drains: &mut watch::Receiver<Option<Drain>>) {
    if drains.wait_for(Option::is_some).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Goes on with what this worker holds, and clears away what it does not hold any more.
async fn go_on(context: &Arc<Context>, slots: &Slots, tasks: &mut JoinSet<()>) {
    let mut backoff = Backoff::new();
    let held = loop {
        match context.protocol.held(&context.config.id).await {
            Ok(held) => break held,
            Err(error) => backoff.pause("ask what is held", &error.to_string()).await,
        }
    };
    let root = &context.config.root;
    let restarted = machine::was_restarted(root).unwrap_or_else(|error| {
        tracing::error!(%error, "cannot tell whether the machine was restarted: what is held counts as lost");
        true
    });
    let known: HashSet<_> = held.iter().map(|assignment| assignment.lease.attempt.clone()).collect();
    let mut marking = JoinSet::new();
    for assignment in held {
        let origin = Origin::Held { stored: 0, begun: assignment.begun, restarted };
        let carrying = carry_out(Arc::clone(context), assignment, origin, slots.take());
        if restarted {
            marking.spawn(carrying)
        } else {
            tasks.spawn(carrying)
        };
    }
    // Until all of them have ended as lost, another start must see a restart too.
    while marking.join_next().await.is_some() {}
    if let Err(error) = machine::remember(root) {
        tracing::error!(%error, "this start of the machine cannot be remembered");
    }
    match AttemptDirectory::all(root) {
        Ok(all) => {
            for directory in all.into_iter().filter(|directory| !known.contains(directory.attempt())) {
                let context = Arc::clone(context);
                tasks.spawn(async move { abandon(&context, &directory).await });
            }
        }
        Err(error) => tracing::warn!(%error, "what earlier workers left behind cannot be cleared away"),
    }
}

/// Claims and begins until `ended`; answers with the claim that is under way then.
async fn claim_until(
    context: &Arc<Context>,
    slots: &Slots,
    tasks: &mut JoinSet<()>,
    ended: impl Future<Output = ()>,
) -> Option<Claim> {
    tokio::pin!(ended);
    let mut claim: Option<Claim> = None;
    let mut look = tokio::time::interval(LOOK);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    // Nothing waited when it was last looked for: a free slot alone is no reason to look again.
    let mut dry = true;
    // Someone rang while a claim was under way, which may not have seen what the ring was for.
    let mut rung = false;
    let mut asked = 0;
    loop {
        let free = slots.free();
        let reporting_room = tasks.len() < 2 * context.config.slots + 16;
        if claim.is_none() && !dry && free > 0 && reporting_room {
            asked = free;
            let context = Arc::clone(context);
            claim =
                Some(Box::pin(async move { context.protocol.claim(&context.config.claimant(), free).await }));
        }
        let claiming = async {
            match &mut claim {
                Some(claim) => claim.await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = &mut ended => return claim,
            claimed = claiming => {
                claim = None;
                let brought = begin(context, slots, tasks, claimed);
                dry = brought < asked && !rung;
                rung = false;
            }
            () = context.handle.woken() => {
                dry = false;
                rung = claim.is_some();
            }
            _ = look.tick() => dry = false,
            () = slots.freed() => {}
            Some(_) = tasks.join_next(), if !tasks.is_empty() => {}
        }
    }
}

/// Begins what was claimed; answers how much that is.
fn begin(
    context: &Arc<Context>,
    slots: &Slots,
    tasks: &mut JoinSet<()>,
    claimed: Result<Vec<Assignment>, ProtocolError>,
) -> usize {
    let claimed = claimed.unwrap_or_else(|error| {
        tracing::warn!(%error, "cannot claim; trying again in a second");
        Vec::new()
    });
    let count = claimed.len();
    for assignment in claimed {
        tasks.spawn(carry_out(Arc::clone(context), assignment, Origin::Claimed, slots.take()));
    }
    count
}

/// Ends as told.
async fn end(context: &Context, mut tasks: JoinSet<()>, drain: Drain) {
    let patience = match drain {
        Drain::HandOver => Duration::ZERO,
        Drain::Wait(patience) => patience,
        Drain::Stop => {
            context.handle.kill_all().await;
            STOP_PATIENCE
        }
    };
    let all = async { while tasks.join_next().await.is_some() {} };
    if tokio::time::timeout(patience, all).await.is_err() {
        tracing::info!("what still runs is handed over to its supervisors");
    }
    tasks.shutdown().await;
}
