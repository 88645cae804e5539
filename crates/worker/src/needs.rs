//! Laying out what the jobs that this one needs have made, before its first step. Invariant: what steps find is what was named, byte for
//! byte, or the attempt does not begin.

use std::fs::{self, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use branchline_archive::unpack;
use branchline_model::Digest;
use branchline_ports::{Lease, NeededArtifact, ProtocolError};
use branchline_supervisor::AttemptDirectory;
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncWriteExt as _;

use crate::backoff::Backoff;
use crate::handle::Presence;
use crate::worker::Context;

/// How much is asked for at once.
const PIECE: usize = 256 << 10;

/// Why nothing could be laid out.
#[derive(Debug)]
pub(crate) enum NotLaidOut {
    /// The attempt does not count any more.
    Fenced,
    /// It was told to stop, and nothing writes any more.
    Stopped,
    /// A sentence.
    Failed(String),
}

impl From<String> for NotLaidOut {
    fn from(why: String) -> Self {
        Self::Failed(why)
    }
}

/// Lays out the artifacts of all needs; says in a line for each what it is.
pub(crate) async fn lay_out(
    context: &Context,
    lease: &Lease,
    directory: &AttemptDirectory,
    presence: &Presence,
    log: &mut (dyn FnMut(String) + Send),
) -> Result<(), NotLaidOut> {
    let needed = tokio::select! {
        needed = needed(context, lease) => needed?,
        () = presence.stopped() => return Err(NotLaidOut::Stopped),
    };
    let top = directory.artifacts();
    // What a worker before this one may have left half done.
    branchline_supervisor::remove(&top)
        .map_err(|error| format!("`{}` cannot be emptied: {error}", top.display()))?;
    for one in needed {
        let (from, folder) = place(&top, &one)?;
        let archive = top.with_file_name("archive");
        tokio::select! {
            fetched = fetch(context, lease, &one, &archive) => fetched?,
            () = presence.stopped() => return Err(NotLaidOut::Stopped),
        }
        let cut = Arc::new(AtomicBool::new(false));
        let reading = Arc::clone(&cut);
        let mut unpacking = tokio::task::spawn_blocking(move || {
            let file = fs::File::open(&archive).map_err(|error| error.to_string())?;
            let mut file = UntilCut { file, cut: reading };
            let unpacked = unpack(&mut file, &folder).map_err(|error| error.to_string())?;
            fs::remove_file(&archive).map_err(|error| error.to_string())?;
            Ok::<_, String>(unpacked)
        });
        let unpacked = tokio::select! {
            unpacked = &mut unpacking => unpacked,
            () = presence.stopped() => {
                cut.store(true, Ordering::Relaxed);
                // What ends while something still writes in it could not be removed, or would be made again.
                if let Err(why) = unpacking.await {
                    tracing::debug!(attempt = %lease.attempt, %why, "unpacking died");
                }
                return Err(NotLaidOut::Stopped);
            }
        };
        let unpacked = unpacked.map_err(|error| error.to_string()).and_then(|unpacked| unpacked);
        let unpacked =
            unpacked.map_err(|why| format!("the artifact `{from}` could not be laid out: {why}"))?;
        log(format!("artifact {from}: {} files, {} bytes", unpacked.files, unpacked.bytes));
    }
    Ok(())
}

async fn needed(context: &Context, lease: &Lease) -> Result<Vec<NeededArtifact>, NotLaidOut> {
    let mut backoff = Backoff::new();
    loop {
        match context.protocol.needed_artifacts(lease).await {
            Ok(needed) => return Ok(needed),
            Err(error) => again(&mut backoff, error).await?,
        }
    }
}

/// A file that ends in an error once nobody wants it any more.
struct UntilCut {
    file: fs::File,
    cut: Arc<AtomicBool>,
}

impl Read for UntilCut {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.cut.load(Ordering::Relaxed) {
            return Err(io::Error::other("it was told to stop"));
        }
        self.file.read(into)
    }
}

/// What people call it, and where it goes: `<job>/<artifact>`, or `<job>/<cell>/<artifact>`.
fn place(top: &Path, one: &NeededArtifact) -> Result<(String, PathBuf), String> {
    let mut parts = vec![one.job.as_str()];
    parts.extend(one.cell.as_deref());
    parts.push(one.artifact.name.as_str());
    let is_plain =
        |part: &&str| !part.is_empty() && *part != "." && *part != ".." && !part.contains(['/', '\0']);
    match parts.iter().find(|part| !is_plain(part)) {
        Some(part) => Err(format!("`{part}` cannot be the name of a folder")),
        None => Ok((parts.join("/"), parts.iter().fold(top.to_owned(), |path, part| path.join(part)))),
    }
}

async fn again(backoff: &mut Backoff, error: ProtocolError) -> Result<(), NotLaidOut> {
    match error {
        ProtocolError::Fenced { .. } => Err(NotLaidOut::Fenced),
        ProtocolError::Refused { why } => Err(NotLaidOut::Failed(why)),
        error @ (ProtocolError::Unavailable { .. } | ProtocolError::LogGap { .. }) => {
            backoff.pause("read an artifact", &error.to_string()).await;
            Ok(())
        }
    }
}

/// Fetches an archive into a file, which holds what it is to hold.
async fn fetch(
    context: &Context,
    lease: &Lease,
    one: &NeededArtifact,
    into: &Path,
) -> Result<(), NotLaidOut> {
    let failed = |error: io::Error| format!("`{}` could not be written: {error}", into.display());
    let file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(into).map_err(failed)?;
    let mut file = tokio::fs::File::from_std(file);
    let artifact = &one.artifact;
    if one.request.is_some() {
        return Err("it is in a store that this worker cannot read from".to_owned().into());
    }
    let (mut offset, mut hasher, mut backoff) = (0, Sha256::new(), Backoff::new());
    while offset < artifact.content.bytes {
        match context.protocol.read_needed(lease, artifact, offset, PIECE).await {
            Ok(part) if part.bytes.is_empty() => break,
            Ok(part) => {
                hasher.update(&part.bytes);
                offset += part.bytes.len() as u64;
                file.write_all(&part.bytes).await.map_err(failed)?;
                backoff = Backoff::new();
            }
            Err(error) => again(&mut backoff, error).await?,
        }
    }
    file.flush().await.map_err(failed)?;
    let sha256 = Digest(hasher.finalize().into());
    if (offset, sha256) != (artifact.content.bytes, artifact.content.sha256) {
        let name = &artifact.name;
        return Err(format!(
            "the artifact `{name}` of `{}` is damaged: {offset} bytes with SHA-256 {sha256} came, instead of {} with {}",
            one.job, artifact.content.bytes, artifact.content.sha256
        )
        .into());
    }
    Ok(())
}
