//! Handing over what was gathered. Invariants: all of it is with the controller before the attempt's last word; handing over again what
//! is there already changes nothing; a controller that does not answer is waited for.

use std::path::Path;

use async_trait::async_trait;
use branchline_ports::{BegunUpload, Destination, Lease, NewArtifact, Pieces, ProtocolError};
use tokio::fs::File;
use tokio::io::AsyncReadExt as _;

use crate::attempt::Broken;
use crate::backoff::Backoff;
use crate::gather::{Archive, Gathered};
use crate::handle::Presence;
use crate::worker::Context;

/// How much of a file is sent at once.
const PIECE: usize = 256 << 10;

/// Uploads the archives, then says what there is to show. What the controller tells to stop meanwhile is not uploaded any more; what only
/// this machine stops has ended before, and its artifacts are as good as ever.
pub(crate) async fn deliver(
    context: &Context,
    lease: &Lease,
    presence: &Presence,
    gathered: &mut Gathered,
) -> Result<(), Broken> {
    for archive in std::mem::take(&mut gathered.archives) {
        let uploaded = tokio::select! {
            uploaded = upload(context, lease, &archive) => uploaded,
            () = presence.told_to_stop() => Err(ProtocolError::Refused { why: "it was told to stop".to_owned() }),
        };
        match uploaded {
            Ok(()) => {}
            Err(ProtocolError::Fenced { why, .. }) => return Err(Broken::Fenced { why }),
            Err(error) => gathered.miss(archive.name.as_str(), &error.to_string()),
        }
    }
    if gathered.results.is_empty() {
        return Ok(());
    }
    let mut backoff = Backoff::new();
    loop {
        match context.protocol.show_results(lease, gathered.results.clone()).await {
            Ok(()) => return Ok(()),
            Err(ProtocolError::Fenced { why, .. }) => return Err(Broken::Fenced { why }),
            Err(ProtocolError::Refused { why }) => {
                tracing::error!(attempt = %lease.attempt, why, "what it has to show is not taken");
                return Ok(());
            }
            Err(error) => backoff.pause("show results", &error.to_string()).await,
        }
    }
}

/// Uploads one, however long the controller does not answer.
async fn upload(context: &Context, lease: &Lease, archive: &Archive) -> Result<(), ProtocolError> {
    let mut backoff = Backoff::new();
    loop {
        match try_to_upload(context, lease, archive).await {
            Err(error @ (ProtocolError::Unavailable { .. } | ProtocolError::LogGap { .. })) => {
                backoff.pause("upload an artifact", &error.to_string()).await;
            }
            ended => return ended,
        }
    }
}

async fn try_to_upload(context: &Context, lease: &Lease, archive: &Archive) -> Result<(), ProtocolError> {
    let Archive { name, packed, file } = archive;
    let new = NewArtifact {
        name: name.clone(),
        bytes: packed.bytes,
        sha256: packed.sha256,
        parts: packed.parts.clone(),
    };
    let Some(BegunUpload { id, destination }) = context.protocol.begin_upload(lease, new).await? else {
        // By the worker before, or before an answer was lost.
        return Ok(());
    };
    match destination {
        Destination::Controller => {
            let mut pieces = FilePieces::open(file).await.map_err(|error| ProtocolError::Refused {
                why: format!("`{}` cannot be read: {error}", file.display()),
            })?;
            context.protocol.put_upload(lease, &id, &mut pieces).await?;
        }
        Destination::Requests(_) => {
            let why = "it would go to a store that this worker cannot send to".to_owned();
            return Err(ProtocolError::Refused { why });
        }
    }
    context.protocol.name_artifact(lease, &id, name).await
}

/// A file, piece by piece.
struct FilePieces(File);

impl FilePieces {
    async fn open(path: &Path) -> std::io::Result<Self> {
        File::open(path).await.map(Self)
    }
}

#[async_trait]
impl Pieces for FilePieces {
    async fn next(&mut self) -> std::io::Result<Option<Vec<u8>>> {
        let mut piece = vec![0; PIECE];
        let read = self.0.read(&mut piece).await?;
        piece.truncate(read);
        Ok((read > 0).then_some(piece))
    }
}
