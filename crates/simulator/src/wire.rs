//! The line between a worker and the controllers: words and answers may be lost, doubled, or late, and whichever
//! controller heard a word may die over it.

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use branchline_controller::Controller;
use branchline_model::{AttemptReport, Digest, ObjectKey, PoolName, StepRecord, Timestamp, WorkerId};
use branchline_ports::{
    Assignment, Claimant, HandOver, Heard, Lease, NewArtifact, ProtocolError, WorkerProtocol,
};

use crate::fault::Fault;
use crate::house::House;
use crate::turn::{self, Wait};
use crate::world::World;

type Answer<T> = Pin<Box<dyn Future<Output = Result<T, ProtocolError>> + Send>>;

/// One worker's line.
pub(crate) struct Wire {
    house: Arc<House>,
    /// Whether it says everything twice.
    doubles: bool,
}

/// A call that is over where the controller that carries it out dies.
struct MayDie<'a, T> {
    world: &'a World,
    answer: Answer<T>,
}

impl<T> Future for MayDie<'_, T> {
    type Output = Result<T, ProtocolError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let polled = self.answer.as_mut().poll(context);
        if polled.is_ready() {
            return polled;
        }
        let mut state = self.world.state();
        let Some(Wait::Turn(call, fault)) = state.running.wait.clone() else { return Poll::Pending };
        if (0..call.draws()).any(|_| state.strikes(fault, Some(&call))) {
            state.running.wait = None;
            return Poll::Ready(Err(lost("the controller died")));
        }
        Poll::Pending
    }
}

fn lost(why: &str) -> ProtocolError {
    ProtocolError::Unavailable { why: why.to_owned() }
}

impl Wire {
    pub(crate) fn new(house: &Arc<House>, doubles: bool) -> Self {
        Self { house: Arc::clone(house), doubles }
    }

    async fn say<T: Send + 'static>(
        &self,
        word: &'static str,
        call: impl Fn(Controller) -> Answer<T>,
    ) -> Result<T, ProtocolError> {
        let world = &self.house.world;
        world.operation(word);
        let (time, away_until) = {
            let state = world.state();
            (state.time, state.away_until.max(state.cut_off_until))
        };
        if time < away_until {
            return Err(lost("no controller answers"));
        }
        if world.strikes(Fault::WordLost, None) {
            return Err(lost("the connection was reset"));
        }
        if world.strikes(Fault::WordLate, None) {
            self.beside(call(self.house.process()), 60_000);
            return Err(lost("no answer in time"));
        }
        if self.doubles || world.strikes(Fault::WordDoubled, None) {
            self.beside(call(self.house.process()), 2_000);
        }
        let answer = MayDie { world, answer: call(self.house.process()) }.await;
        world.note(|| match &answer {
            Ok(_) => format!("{word}: done"),
            Err(error) => format!("{word}: {error}"),
        });
        if world.strikes(Fault::WordAnswerLost, None) {
            return Err(lost("the connection was reset"));
        }
        answer
    }

    /// Has a word carried out beside everything else, within so many milliseconds; nobody hears the answer.
    fn beside<T: Send + 'static>(&self, answer: Answer<T>, within: u64) {
        let world = Arc::clone(&self.house.world);
        let wait = world.state().chance.between(1, within);
        let word = world.state().running.operation;
        self.house.world.spawn(
            "late word",
            Box::pin(async move {
                turn::sleep(&world, wait).await;
                world.operation(word);
                let answer = answer.await;
                world.note(|| match answer {
                    Ok(_) => format!("{word}: done, unheard"),
                    Err(error) => format!("{word}: {error}, unheard"),
                });
            }),
        );
    }

    pub(crate) async fn claim(
        &self,
        worker: &WorkerId,
        most: usize,
    ) -> Result<Vec<Assignment>, ProtocolError> {
        self.say("claim", |controller| {
            let (worker, pools) = (worker.clone(), vec![PoolName::new("default")]);
            let claimant = Claimant { worker, pools, tags: BTreeSet::new() };
            Box::pin(async move { controller.claim(&claimant, most).await })
        })
        .await
    }

    pub(crate) async fn held(&self, worker: &WorkerId) -> Result<Vec<Assignment>, ProtocolError> {
        self.say("held", |controller| {
            let worker = worker.clone();
            Box::pin(async move { controller.held(&worker).await })
        })
        .await
    }

    pub(crate) async fn heartbeat(
        &self,
        worker: &WorkerId,
        leases: Vec<Lease>,
    ) -> Result<Vec<Heard>, ProtocolError> {
        self.say("heartbeat", |controller| {
            let (worker, leases) = (worker.clone(), leases.clone());
            Box::pin(async move { controller.heartbeat(&worker, &leases).await })
        })
        .await
    }

    pub(crate) async fn begun(&self, lease: &Lease, at: Timestamp) -> Result<(), ProtocolError> {
        self.say("begun", |controller| {
            let lease = lease.clone();
            Box::pin(async move { controller.begun(&lease, at).await })
        })
        .await
    }

    pub(crate) async fn progress(&self, lease: &Lease, steps: Vec<StepRecord>) -> Result<(), ProtocolError> {
        self.say("progress", |controller| {
            let (lease, steps) = (lease.clone(), steps.clone());
            Box::pin(async move { controller.progress(&lease, &steps, None).await })
        })
        .await
    }

    pub(crate) async fn append_log(
        &self,
        lease: &Lease,
        offset: u64,
        bytes: Vec<u8>,
    ) -> Result<u64, ProtocolError> {
        self.say("append_log", |controller| {
            let (house, lease, bytes) = (Arc::clone(&self.house), lease.clone(), bytes.clone());
            Box::pin(async move {
                let was_over = house.world.state().ledger.is_over(&lease);
                let answer = controller.append_log(&lease, offset, &bytes, &[]).await;
                let mut state = house.world.state();
                let is_open = state.logs.all.get(&lease.attempt).is_some_and(|log| !log.closed);
                if was_over && is_open && answer.is_ok() {
                    state.violated(format!("bytes of {} were taken though it was over", lease.attempt));
                }
                answer
            })
        })
        .await
        .map(|stored| stored.bytes)
    }

    /// Begins an upload; answers its id, or none where there is an artifact of that name.
    pub(crate) async fn begin_upload(
        &self,
        lease: &Lease,
        name: &ObjectKey,
        bytes: &[u8],
    ) -> Result<Option<String>, ProtocolError> {
        self.say("begin_upload", |controller| {
            let (sha256, bytes) = (Digest::of(bytes), bytes.len() as u64);
            let (lease, name) = (lease.clone(), name.clone());
            Box::pin(async move {
                let new = NewArtifact { name, bytes, sha256, parts: Vec::new() };
                let begun = HandOver::begin_upload(&controller, &lease, new).await?;
                Ok(begun.map(|begun| begun.id))
            })
        })
        .await
    }

    /// Sends the bytes of an upload.
    pub(crate) async fn put_upload(
        &self,
        lease: &Lease,
        id: &str,
        bytes: &[u8],
    ) -> Result<(), ProtocolError> {
        self.say("put_upload", |controller| {
            let (lease, id, bytes) = (lease.clone(), id.to_owned(), bytes.to_vec());
            Box::pin(async move { HandOver::put_upload(&controller, &lease, &id, &mut Some(bytes)).await })
        })
        .await
    }

    /// Makes an artifact of an upload.
    pub(crate) async fn name_artifact(
        &self,
        lease: &Lease,
        id: &str,
        name: &ObjectKey,
    ) -> Result<(), ProtocolError> {
        self.say("name_artifact", |controller| {
            let (lease, id, name) = (lease.clone(), id.to_owned(), name.clone());
            Box::pin(async move { HandOver::name_artifact(&controller, &lease, &id, &name).await })
        })
        .await
    }

    pub(crate) async fn finish(&self, lease: &Lease, report: AttemptReport) -> Result<(), ProtocolError> {
        self.say("finish", |controller| {
            let (lease, report) = (lease.clone(), report.clone());
            Box::pin(async move { controller.finish(&lease, report).await })
        })
        .await
    }
}
