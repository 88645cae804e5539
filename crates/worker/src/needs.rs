//! Laying out what the jobs that this one needs have made, before its first step. Invariant: what steps find is what was named, byte for
//! byte, or the attempt does not begin.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use branchline_archive::unpack;
use branchline_model::Digest;
use branchline_ports::{Lease, NeededArtifact, ProtocolError};
use branchline_supervisor::AttemptDirectory;
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncWriteExt as _;

use crate::backoff::Backoff;
use crate::worker::Context;

/// How much is asked for at once.
const PIECE: usize = 256 << 10;

/// Why nothing could be laid out.
#[derive(Debug)]
pub(crate) enum NotLaidOut {
    /// The attempt does not count any more.
    Fenced,
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
    log: &mut (dyn FnMut(String) + Send),
) -> Result<(), NotLaidOut> {
    let mut backoff = Backoff::new();
    let needed = loop {
        match context.protocol.needed_artifacts(lease).await {
            Ok(needed) => break needed,
            Err(error) => again(&mut backoff, error).await?,
        }
    };
    let top = directory.artifacts();
    // What a worker before this one may have left half done.
    branchline_supervisor::remove(&top)
        .map_err(|error| format!("`{}` cannot be emptied: {error}", top.display()))?;
    for one in needed {
        let (from, folder) = place(&top, &one)?;
        let archive = top.with_file_name("archive");
        fetch(context, lease, &one, &archive).await?;
        let unpacked = tokio::task::spawn_blocking(move || {
            let mut file = fs::File::open(&archive).map_err(|error| error.to_string())?;
            let unpacked = unpack(&mut file, &folder).map_err(|error| error.to_string())?;
            fs::remove_file(&archive).map_err(|error| error.to_string())?;
            Ok::<_, String>(unpacked)
        });
        let unpacked = unpacked.await.map_err(|error| error.to_string()).and_then(|unpacked| unpacked);
        let unpacked =
            unpacked.map_err(|why| format!("the artifact `{from}` could not be laid out: {why}"))?;
        log(format!("artifact {from}: {} files, {} bytes", unpacked.files, unpacked.bytes));
    }
    Ok(())
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
