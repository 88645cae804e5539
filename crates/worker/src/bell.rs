//! Waiting for a supervisor's word. Invariant: a lost ring costs time, never truth: whoever waits here looks again after a
//! while anyway.

use std::io;
use std::time::Duration;

use branchline_supervisor::AttemptDirectory;
use tokio::net::unix::pipe;

/// What woke a follower.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rung {
    /// Something changed.
    Changed,
    /// It was quiet for long: look whether the supervisor lives.
    Quiet,
    /// No supervisor has the bell open any more.
    Gone,
}

/// How long a follower sleeps at most where the bell works, and where there is none.
const LOOK: Duration = Duration::from_secs(1);
const LOOK_WITHOUT_BELL: Duration = Duration::from_millis(50);

/// A follower's end of the bell.
#[derive(Debug)]
pub(crate) struct Bell(Option<pipe::Receiver>);

impl Bell {
    /// Opens it. Before the first supervisor has opened it too, it says nothing.
    pub(crate) fn open(directory: &AttemptDirectory) -> Self {
        let receiver = pipe::OpenOptions::new().open_receiver(directory.bell());
        if let Err(error) = &receiver {
            tracing::debug!(attempt = %directory.attempt(), %error, "no bell: looking from time to time instead");
        }
        Self(receiver.ok())
    }

    /// Waits for a word.
    pub(crate) async fn wait(&mut self) -> Rung {
        let Some(receiver) = &self.0 else {
            tokio::time::sleep(LOOK_WITHOUT_BELL).await;
            return Rung::Quiet;
        };
        let listen = async {
            loop {
                receiver.readable().await?;
                let mut rings = [0; 4096];
                match receiver.try_read(&mut rings) {
                    Ok(0) => return Ok(Rung::Gone),
                    Ok(_) => return Ok(Rung::Changed),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(error) => return Err(error),
                }
            }
        };
        match tokio::time::timeout(LOOK, listen).await {
            Ok(Ok(Rung::Changed)) => Rung::Changed,
            Ok(Ok(Rung::Quiet)) | Err(_) => Rung::Quiet,
            Ok(Ok(Rung::Gone) | Err(_)) => {
                self.0 = None;
                Rung::Gone
            }
        }
    }
}
