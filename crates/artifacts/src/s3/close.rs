//! Closing a log: seal it, compress it, name what was made, remove the chunks. Invariant: each step is taken on what the one before
//! left in the bucket, so that whoever dies between two of them is followed by anybody. Memory is bounded by a few chunks and one part.

use branchline_model::AttemptId;
use branchline_ports::{ArtifactError, LogLength};
use futures_util::StreamExt;
use futures_util::stream;

use super::bucket::Trouble;
use super::head::{Head, Phase, Segment, Source};
use super::log::{MOST_TRIES, Unread, chunk_key, located, unavailable};
use super::member::{self, MEMBER};
use super::piece::Piece;
use super::upload::{Upload, Written};
use super::{Shared, keys};

/// So many chunks are read at the same time.
const READ_AHEAD: usize = 4;

/// So much of a compressed object is read at once.
const WINDOW: u64 = 8 << 20;

impl Shared {
    /// Closes a log, or goes on closing it.
    pub(super) async fn close(&self, attempt: &AttemptId) -> Result<LogLength, ArtifactError> {
        let log = self.heads.of(attempt);
        let _writing = log.writing.lock().await;
        let mut known = match log.known() {
            Some(known) => known,
            None => self.current(attempt).await?,
        };
        for _ in 0..MOST_TRIES {
            let head = &known.head;
            let next = match head.phase {
                Phase::Closed => {
                    self.remove_leftovers(attempt).await?;
                    return Ok(head.length());
                }
                Phase::Open if head.stored() == 0 => Head::new(Phase::Closed),
                Phase::Open => Head { phase: Phase::Sealed, ..Head::clone(head) },
                Phase::Sealed => {
                    let tail = Piece { offset: head.stored(), ..Piece::default() };
                    Head { phase: Phase::Closed, segments: self.compress(attempt, head).await?, tail }
                }
            };
            let is_whole = next.phase == Phase::Closed;
            match self.put_head(attempt, &known, next).await? {
                Some(next) if is_whole => {
                    self.remove_chunks(attempt, &known.head).await?;
                    return Ok(next.head.length());
                }
                Some(next) => known = next,
                None => known = self.current(attempt).await?,
            }
        }
        Err(unavailable(attempt, "others closed it again and again"))
    }

    /// Removes all objects of a log, the head last: what a crash leaves is found, and removed again.
    pub(super) async fn remove(&self, attempt: &AttemptId) -> Result<(), ArtifactError> {
        let log = self.heads.of(attempt);
        let _writing = log.writing.lock().await;
        self.remove_leftovers(attempt).await?;
        for key in [keys::compressed(attempt), keys::head(attempt)] {
            let removed = self.bucket.delete(std::slice::from_ref(&key)).await;
            removed.map_err(|trouble| self.explain(attempt, &key, trouble))?;
        }
        log.forget();
        Ok(())
    }

    async fn remove_chunks(&self, attempt: &AttemptId, head: &Head) -> Result<(), ArtifactError> {
        let keys: Vec<String> =
            located(head).filter_map(|(offset, segment, _)| chunk_key(attempt, offset, segment)).collect();
        self.bucket
            .delete(&keys)
            .await
            .map_err(|trouble| self.explain(attempt, &keys::chunks(attempt), trouble))
    }

    /// Removes all chunks that are there, also those that one who died while closing has left.
    async fn remove_leftovers(&self, attempt: &AttemptId) -> Result<(), ArtifactError> {
        let prefix = keys::chunks(attempt);
        loop {
            let listed = self.bucket.list(&prefix, None, 1_000).await;
            let listed = listed.map_err(|trouble| self.explain(attempt, &prefix, trouble))?;
            if listed.is_empty() {
                return Ok(());
            }
            let keys: Vec<String> = listed.into_iter().map(|object| object.key).collect();
            self.bucket.delete(&keys).await.map_err(|trouble| self.explain(attempt, &prefix, trouble))?;
        }
    }

    /// Makes the compressed object of a sealed log; answers where its bytes are in it. What cannot be read for good is left out, and
    /// its place says so.
    async fn compress(&self, attempt: &AttemptId, head: &Head) -> Result<Vec<Segment>, ArtifactError> {
        let mut packing =
            Packing { upload: Upload::new(&self.bucket, keys::compressed(attempt)), segments: Vec::new() };
        let mut gathered = Piece::default();
        // Owned, because what borrows within a stream cannot be sent between threads.
        let mut places = Vec::with_capacity(head.segments.len());
        for (begins, segment, at) in located(head) {
            places.push((begins, segment.clone(), at));
        }
        let pieces = stream::iter(places).map(|(begins, segment, at)| async move {
            let piece = self.piece(attempt, begins, &segment, at).await;
            (begins, segment, piece)
        });
        let mut pieces = std::pin::pin!(pieces.buffered(READ_AHEAD));
        while let Some((begins, segment, piece)) = pieces.next().await {
            match piece {
                Ok(piece) => gathered.push(&piece.bytes, piece.times.iter().copied()),
                Err(Unread::Unavailable(why)) => return Err(unavailable(attempt, why)),
                Err(Unread::Damaged(why)) => {
                    let end = begins + segment.bytes;
                    tracing::error!(%attempt, offset = begins, bytes = segment.bytes, why, "a part of a log is lost");
                    self.pack(attempt, &mut packing, &mut gathered, 1).await?;
                    packing.segments.push(Segment { source: Source::Lost { why }, ..segment });
                    gathered = Piece { offset: end, ..Piece::default() };
                }
            }
            self.pack(attempt, &mut packing, &mut gathered, MEMBER).await?;
        }
        gathered.push(&head.tail.bytes, head.tail.times.iter().copied());
        self.pack(attempt, &mut packing, &mut gathered, 1).await?;
        let key = keys::compressed(attempt);
        let Packing { upload, segments } = packing;
        match upload.finish().await.map_err(|trouble| self.explain(attempt, &key, trouble))? {
            Written::New => Ok(segments),
            Written::There => self.index(attempt, segments).await,
        }
    }

    /// Compresses what was gathered while it is at least so long.
    async fn pack(
        &self,
        attempt: &AttemptId,
        packing: &mut Packing<'_>,
        gathered: &mut Piece,
        least: usize,
    ) -> Result<(), ArtifactError> {
        while gathered.bytes.len() >= least {
            let behind = gathered.split_off(MEMBER);
            let piece = std::mem::replace(gathered, behind);
            let (bytes, newlines) = (piece.bytes.len() as u64, piece.newlines());
            let packed = tokio::task::spawn_blocking(move || member::pack(&piece)).await;
            let packed = packed
                .map_err(|error| error.to_string())
                .and_then(|packed| packed.map_err(|error| error.to_string()))
                .map_err(|why| unavailable(attempt, format!("it cannot be compressed: {why}")))?;
            let source = Source::Member { length: packed.len() as u64 };
            packing.segments.push(Segment { bytes, newlines, source });
            let written = packing.upload.write(&packed).await;
            written.map_err(|trouble| self.explain(attempt, &keys::compressed(attempt), trouble))?;
        }
        Ok(())
    }

    /// Where the bytes of a log are in the compressed object that another has made, who may have cut it otherwise; `ours` is how this
    /// process has cut it.
    async fn index(&self, attempt: &AttemptId, ours: Vec<Segment>) -> Result<Vec<Segment>, ArtifactError> {
        let theirs = self.members(attempt).await?;
        let (gaps, stored) = (
            ours.iter().any(|segment| matches!(segment.source, Source::Lost { .. })),
            ours.iter().map(|segment| segment.bytes).sum::<u64>(),
        );
        if !gaps && theirs.iter().map(|segment| segment.bytes).sum::<u64>() == stored {
            return Ok(theirs);
        }
        // With gaps, only the same cuts say where the gaps are.
        let mut members = theirs.into_iter();
        let merged: Option<Vec<Segment>> = ours
            .into_iter()
            .map(|segment| match segment.source {
                Source::Lost { .. } => Some(segment),
                _ => members.next().filter(|member| member.bytes == segment.bytes),
            })
            .collect();
        let address = self.bucket.address(&keys::compressed(attempt));
        merged.filter(|_| members.next().is_none()).ok_or_else(|| {
            unavailable(
                attempt,
                format!("{address} holds other bytes than the log: move it away, and close again"),
            )
        })
    }

    /// The members of the compressed object, read from itself.
    async fn members(&self, attempt: &AttemptId) -> Result<Vec<Segment>, ArtifactError> {
        let key = keys::compressed(attempt);
        let (mut segments, mut window, mut read) = (Vec::new(), Vec::new(), 0);
        let (mut begins, mut is_last) = (0, false);
        loop {
            match member::unpack(&window, begins) {
                Ok((piece, rest)) => {
                    let length = (window.len() - rest.len()) as u64;
                    begins = piece.end();
                    let source = Source::Member { length };
                    segments.push(Segment {
                        bytes: piece.bytes.len() as u64,
                        newlines: piece.newlines(),
                        source,
                    });
                    window.drain(..window.len() - rest.len());
                }
                Err(_) if is_last && window.is_empty() => return Ok(segments),
                Err(error) if is_last => {
                    let why = format!("{}: {error}", self.bucket.address(&key));
                    return Err(unavailable(attempt, why));
                }
                Err(_) => match self.bucket.get(&key, Some(read..read + WINDOW)).await {
                    Ok(got) => {
                        read += got.bytes.len() as u64;
                        is_last = (got.bytes.len() as u64) < WINDOW;
                        window.extend(got.bytes);
                    }
                    Err(Trouble::OutOfRange) => is_last = true,
                    Err(trouble) => return Err(self.explain(attempt, &key, trouble)),
                },
            }
        }
    }
}

/// The compressed object on its way.
struct Packing<'a> {
    upload: Upload<'a>,
    segments: Vec<Segment>,
}
