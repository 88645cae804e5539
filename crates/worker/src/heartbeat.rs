//! Heartbeats: that this worker carries out what it holds, said from time to time; and what is answered. Invariant: a heartbeat
//! that is lost changes nothing here. What is cut off from its controller goes on, and is told later.

use std::time::Duration;

use branchline_model::AttemptId;
use branchline_ports::{Heard, Launcher, Lease};
use tokio::time::MissedTickBehavior;

use crate::worker::Context;

/// How often a worker says that it holds what it holds, where it is not told otherwise.
pub const HEARTBEAT: Duration = Duration::from_secs(15);

/// Says it for ever.
pub(crate) async fn beat(context: &Context) {
    let mut due = tokio::time::interval(context.config.heartbeat);
    due.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut is_heard = true;
    loop {
        due.tick().await;
        let leases: Vec<Lease> =
            context.handle.here().into_iter().map(|attempt| lease(context, attempt)).collect();
        if leases.is_empty() {
            continue;
        }
        match context.protocol.heartbeat(&context.config.id, &leases).await {
            Ok(answers) => {
                is_heard = true;
                for (lease, heard) in leases.iter().zip(answers) {
                    obey(context, &lease.attempt, heard).await;
                }
            }
            Err(error) => {
                if is_heard {
                    tracing::warn!(%error, "not heard by the controller; what runs goes on, and is told when it is");
                }
                is_heard = false;
            }
        }
    }
}

fn lease(context: &Context, attempt: AttemptId) -> Lease {
    Lease { attempt, worker: context.config.id.clone() }
}

async fn obey(context: &Context, attempt: &AttemptId, heard: Heard) {
    let done = match heard {
        Heard::Counts { .. } => Ok(()),
        Heard::Unknown { why } => {
            tracing::debug!(%attempt, why, "the controller cannot say now whether it counts");
            Ok(())
        }
        // The order itself may have been lost on its way.
        Heard::Stop { stop } if !context.handle.is_ordered(attempt) => {
            context.handle.stop(&context.config.id, attempt, &stop).await
        }
        // It may have ended while this was on its way. Who follows it hears the same, and clears it away.
        Heard::Fenced { why } if context.handle.is_here(attempt) => {
            tracing::warn!(%attempt, why, "does not count any more: killed");
            context.handle.kill(attempt).await
        }
        Heard::Stop { .. } | Heard::Fenced { .. } => Ok(()),
    };
    if let Err(error) = done {
        tracing::warn!(%attempt, %error, "cannot be told now; it is tried again at the next heartbeat");
    }
}
