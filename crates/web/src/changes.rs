//! Waiting until something may have changed. Invariant: whoever waits looks again by themselves after a while, so a lost
//! ring costs time and nothing else.

use std::time::Duration;

use branchline_ports::Ring;
use tokio::sync::broadcast::{Receiver, error::RecvError};
use tokio_util::sync::CancellationToken;

use crate::web::App;

/// A subscription. Dropped with the stream that holds it.
pub(crate) struct Changes {
    rings: Receiver<Ring>,
    closing: CancellationToken,
}

/// Why a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Woken {
    /// Look again.
    Look,
    /// The server closes down: end the stream.
    Closing,
}

impl Changes {
    /// Subscribes. To be done before the first look, so that nothing falls in between.
    pub(crate) fn subscribe(app: &App) -> Self {
        Self { rings: app.rings.subscribe(), closing: app.closing.clone() }
    }

    /// Waits for a ring that concerns the caller, at most so long.
    pub(crate) async fn next(&mut self, at_most: Duration, concerns: impl Fn(&Ring) -> bool) -> Woken {
        let look_anyway = tokio::time::sleep(at_most);
        tokio::pin!(look_anyway);
        loop {
            tokio::select! {
                () = self.closing.cancelled() => return Woken::Closing,
                () = &mut look_anyway => return Woken::Look,
                ring = self.rings.recv() => match ring {
                    Ok(ring) if concerns(&ring) => return Woken::Look,
                    Ok(_) => {}
                    // Some were missed: they may have been ours.
                    Err(RecvError::Lagged(_)) => return Woken::Look,
                    Err(RecvError::Closed) => return Woken::Closing,
                },
            }
        }
    }

    /// Lets a moment pass, so that many changes in a row become one look.
    pub(crate) async fn gather(&mut self, moment: Duration) -> Woken {
        tokio::select! {
            () = self.closing.cancelled() => Woken::Closing,
            () = tokio::time::sleep(moment) => Woken::Look,
        }
    }
}
