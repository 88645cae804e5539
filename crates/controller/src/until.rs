//! How long a part of a tick may go on. Invariant: it is measured with the controller's own clock, and looked at between two
//! things to do, never within one.

use std::time::Duration;

use branchline_model::Timestamp;

use crate::Controller;

/// A time after which nothing more is begun.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Until(Option<Timestamp>);

impl Until {
    /// Goes on until there is nothing left to do.
    pub(crate) const fn done() -> Self {
        Self(None)
    }

    /// Goes on for so long.
    pub(crate) fn within(controller: &Controller, time: Duration) -> Self {
        Self(Some(controller.clock.now().after(time)))
    }

    /// Goes on for half of the time that is left, so that whoever comes next has as much.
    pub(crate) fn half(self, controller: &Controller) -> Self {
        let now = controller.clock.now();
        Self(self.0.map(|at| now.after(at.since(now) / 2)))
    }

    /// Whether nothing more is to be begun.
    pub(crate) fn is_over(self, controller: &Controller) -> bool {
        self.0.is_some_and(|at| controller.clock.now() >= at)
    }
}
