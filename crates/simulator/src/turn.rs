//! Where one actor stops and another may go on. Invariant: an actor waits nowhere else, so that the scheduler alone says
//! who acts next, and whoever is dropped is dropped here.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use branchline_model::{BuildStatus, RunStatus};

use crate::coverage::Transition;
use crate::fault::Fault;
use crate::world::World;

/// A call of a port, as the history and the coverage name it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Call {
    pub(crate) what: String,
    /// What it changes of states, where it is a commit.
    pub(crate) transitions: Vec<Transition>,
    /// Whether it is one of a journal's, of which others may see the rest to be done or undone.
    pub(crate) journal: bool,
}

impl Call {
    /// How often a fault is drawn here: more often where it matters most, at a commit that changes a state.
    pub(crate) fn draws(&self) -> u32 {
        if self.transitions.iter().any(is_rare) {
            12
        } else if self.journal || self.transitions.is_empty() {
            1
        } else {
            3
        }
    }
}

/// A lost attempt comes back, or a build ends otherwise than because it is stopped.
fn is_rare(transition: &Transition) -> bool {
    use BuildStatus::{Errored, Failed, Passed};
    match transition {
        Transition::Run(from, to) => (*from, *to) == (Some(RunStatus::Queued), RunStatus::Running),
        Transition::Build(_, to) => matches!(to, Passed | Failed | Errored),
    }
}

/// What an actor waits for.
#[derive(Clone, Debug)]
pub(crate) enum Wait {
    /// Its turn, before a call of a port or after it: it may die there of this fault.
    Turn(Call, Fault),
    /// Its turn, where it does not die.
    Breath,
    /// A time.
    Until(u64),
}

impl Wait {
    /// The one of the two that is over earlier: an actor that does several things at once goes on with any of them.
    fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Until(one), Self::Until(two)) => Self::Until(one.min(two)),
            (Self::Until(_), turn) | (turn, _) => turn,
        }
    }
}

/// Gives the turn to whom the scheduler picks.
struct Turn<'a> {
    world: &'a World,
    wait: Wait,
    /// The step in which the wait began.
    since: Option<u64>,
}

impl<'a> Turn<'a> {
    fn new(world: &'a World, wait: Wait) -> Self {
        Self { world, wait, since: None }
    }
}

impl Future for Turn<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.world.state();
        let is_over = self.since.is_some_and(|since| match self.wait {
            Wait::Until(until) => state.time >= until,
            Wait::Turn(..) | Wait::Breath => state.step > since,
        });
        if is_over {
            return Poll::Ready(());
        }
        let step = state.step;
        let wait = self.wait.clone();
        state.running.wait = Some(match state.running.wait.take() {
            Some(other) => other.or(wait),
            None => wait,
        });
        drop(state);
        self.since.get_or_insert(step);
        // What does several things at once looks again only at those that say that they can go on.
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Before a call.
pub(crate) async fn before(world: &Arc<World>, call: &Call) {
    Turn::new(world, Wait::Turn(call.clone(), Fault::CrashBefore)).await;
}

/// After a call, whose answer is not yet heard.
pub(crate) async fn after(world: &Arc<World>, call: &Call) {
    Turn::new(world, Wait::Turn(call.clone(), Fault::CrashAfter)).await;
}

/// Lets others act.
pub(crate) async fn breathe(world: &Arc<World>) {
    Turn::new(world, Wait::Breath).await;
}

/// Waits for so long, by the clock that nothing sets.
pub(crate) async fn sleep(world: &Arc<World>, milliseconds: u64) {
    let until = world.state().time + milliseconds;
    Turn::new(world, Wait::Until(until)).await;
}
