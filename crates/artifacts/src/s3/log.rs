//! Appending to a log and reading it. Invariant: see the room's head: a head is only ever put in the place of the one it was made from, and a chunk
//! is there before a head names it.

use std::sync::Arc;

use branchline_model::{AttemptId, LineTime};
use branchline_ports::{ArtifactError, LineStart, LogPart, Place};

use super::bucket::{Trouble, When};
use super::head::{Head, Phase, Segment, Source};
use super::heads::Known;
use super::piece::Piece;
use super::{Shared, codec, keys, member};

/// So often a write is made anew after others came first; each time one of them was answered.
pub(super) const MOST_TRIES: usize = 64;

/// Why a segment could not be read.
pub(super) enum Unread {
    /// It is missing or not what was written: which object, and what is wrong.
    Damaged(String),
    /// It cannot be said now.
    Unavailable(String),
}

/// How reading one head's segments ended.
enum Reading<T> {
    Done(T),
    /// An object is gone that the head names: the log may have been closed, or removed, meanwhile.
    Damaged(ArtifactError),
}

pub(super) fn unavailable(attempt: &AttemptId, why: impl Into<String>) -> ArtifactError {
    ArtifactError::Unavailable { attempt: attempt.clone(), why: why.into() }
}

impl Shared {
    /// The head as it is now in the bucket.
    pub(super) async fn current(&self, attempt: &AttemptId) -> Result<Known, ArtifactError> {
        let log = self.heads.of(attempt);
        let known = log.known();
        if let Some(known) = known.as_ref().filter(|known| known.head.phase == Phase::Closed) {
            return Ok(known.clone());
        }
        let key = keys::head(attempt);
        let tag = known.as_ref().and_then(|known| known.tag.as_deref());
        let current = match (self.bucket.get_if_changed(&key, tag).await, known) {
            (Ok(None), Some(known)) => known,
            (Ok(Some(got)), _) => {
                let head = Head::decode(&got.bytes).map_err(|why| ArtifactError::Damaged {
                    attempt: attempt.clone(),
                    offset: 0,
                    until: u64::MAX,
                    why: format!("{}: {why}", self.bucket.address(&key)),
                })?;
                Known { head: Arc::new(head), tag: Some(got.tag) }
            }
            (Ok(None), None) | (Err(Trouble::NotFound), _) => Known::nothing(),
            (Err(trouble), _) => return Err(self.explain(attempt, &key, trouble)),
        };
        log.learn(&current);
        Ok(current)
    }

    /// Appends what of `bytes` lies behind the end, and answers where the end is then.
    pub(super) async fn append(
        &self,
        attempt: &AttemptId,
        offset: u64,
        bytes: &[u8],
        times: &[LineTime],
    ) -> Result<u64, ArtifactError> {
        let log = self.heads.of(attempt);
        let _writing = log.writing.lock().await;
        let mut known = match log.known() {
            Some(known) if known.head.phase != Phase::Open || offset <= known.head.stored() => known,
            // A first append needs no head; if there is one, S3 refuses.
            None if offset == 0 && !bytes.is_empty() => Known::nothing(),
            _ => self.current(attempt).await?,
        };
        for _ in 0..MOST_TRIES {
            if known.head.phase != Phase::Open {
                return Err(ArtifactError::Closed { attempt: attempt.clone() });
            }
            let stored = known.head.stored();
            let Some(there) = stored.checked_sub(offset) else {
                return Err(ArtifactError::Gap { attempt: attempt.clone(), stored, offset });
            };
            let new = usize::try_from(there).ok().and_then(|there| bytes.get(there..)).unwrap_or_default();
            let (next, chunks) = known.head.with(new, times);
            if next == *known.head {
                return Ok(stored);
            }
            self.put_chunks(attempt, &chunks).await?;
            match self.put_head(attempt, &known, next).await? {
                Some(next) => return Ok(next.head.stored()),
                None => {
                    known = self.current(attempt).await?;
                    self.remove_unnamed(attempt, &known.head, &chunks).await;
                }
            }
        }
        Err(unavailable(attempt, "others appended to it again and again"))
    }

    async fn put_chunks(
        &self,
        attempt: &AttemptId,
        chunks: &[(Segment, Piece)],
    ) -> Result<(), ArtifactError> {
        for (segment, piece) in chunks {
            let Some(key) = chunk_key(attempt, piece.offset, segment) else { continue };
            let (written, _) = codec::encode(piece);
            match self.bucket.put(&key, written, When::Absent).await {
                // Of one name, of one content: another try of this append has put it.
                Ok(_) | Err(Trouble::Refused) => {}
                Err(trouble) => return Err(self.explain(attempt, &key, trouble)),
            }
            self.pieces.keep(key, &Arc::new(piece.clone()));
        }
        Ok(())
    }

    /// Removes chunks that no head will ever name, because what they begin with is stored elsewhere.
    async fn remove_unnamed(&self, attempt: &AttemptId, head: &Head, chunks: &[(Segment, Piece)]) {
        let named: Vec<String> =
            located(head).filter_map(|(offset, segment, _)| chunk_key(attempt, offset, segment)).collect();
        let unnamed: Vec<String> = chunks
            .iter()
            .filter(|(_, piece)| piece.offset < head.stored())
            .filter_map(|(segment, piece)| chunk_key(attempt, piece.offset, segment))
            .filter(|key| !named.contains(key))
            .collect();
        // What cannot be removed now is a few bytes that nobody reads, and goes when the log does.
        if let Err(trouble) = self.bucket.delete(&unnamed).await {
            tracing::debug!(%attempt, ?trouble, "chunks that no head names are left behind");
        }
    }

    /// Puts a head in the place of the one it was made from; `None` where that is not the log's head any more.
    pub(super) async fn put_head(
        &self,
        attempt: &AttemptId,
        from: &Known,
        next: Head,
    ) -> Result<Option<Known>, ArtifactError> {
        let key = keys::head(attempt);
        let written = next.encode().map_err(|why| unavailable(attempt, why))?;
        let when = from.tag.as_deref().map_or(When::Absent, When::Unchanged);
        let log = self.heads.of(attempt);
        match self.bucket.put(&key, written, when).await {
            Ok(tag) => {
                let known = Known { head: Arc::new(next), tag: Some(tag) };
                log.learn(&known);
                Ok(Some(known))
            }
            Err(Trouble::Refused) => {
                log.forget();
                Ok(None)
            }
            Err(trouble) => {
                // It may have been written: what is remembered is asked anew.
                log.forget();
                Err(self.explain(attempt, &key, trouble))
            }
        }
    }

    /// Reads a part.
    pub(super) async fn read(
        &self,
        attempt: &AttemptId,
        offset: u64,
        most: usize,
    ) -> Result<LogPart, ArtifactError> {
        let known = self.current(attempt).await?;
        match self.read_by(attempt, &known.head, offset, most).await? {
            Reading::Done(part) => Ok(part),
            Reading::Damaged(damage) => {
                self.heads.of(attempt).forget();
                let now = self.current(attempt).await?;
                if now.head.phase == known.head.phase {
                    return Err(damage);
                }
                match self.read_by(attempt, &now.head, offset, most).await? {
                    Reading::Done(part) => Ok(part),
                    Reading::Damaged(damage) => Err(damage),
                }
            }
        }
    }

    async fn read_by(
        &self,
        attempt: &AttemptId,
        head: &Head,
        offset: u64,
        most: usize,
    ) -> Result<Reading<LogPart>, ArtifactError> {
        let mut part = LogPart { offset, bytes: Vec::new(), times: Vec::new(), log: head.length() };
        let left = usize::try_from(head.stored().saturating_sub(offset)).unwrap_or(usize::MAX);
        let end = offset.saturating_add(left.min(most) as u64);
        for (begins, segment, at) in located(head) {
            if begins + segment.bytes <= offset || begins >= end {
                continue;
            }
            match self.piece(attempt, begins, segment, at).await {
                Ok(piece) => add(&mut part, &piece, end),
                Err(Unread::Unavailable(why)) => return Err(unavailable(attempt, why)),
                // What lies before it is read now, and the damage next time.
                Err(Unread::Damaged(_)) if !part.bytes.is_empty() => return Ok(Reading::Done(part)),
                Err(Unread::Damaged(why)) => {
                    return Ok(Reading::Damaged(damaged(attempt, offset.max(begins), begins, segment, why)));
                }
            }
        }
        add(&mut part, &head.tail, end);
        Ok(Reading::Done(part))
    }

    /// The bytes of a segment that begins at an offset, and in the compressed object at `at`.
    pub(super) async fn piece(
        &self,
        attempt: &AttemptId,
        begins: u64,
        segment: &Segment,
        at: u64,
    ) -> Result<Arc<Piece>, Unread> {
        let (key, range, name) = match &segment.source {
            Source::Lost { why } => return Err(Unread::Damaged(why.clone())),
            Source::Chunk(_) => {
                let key = chunk_key(attempt, begins, segment).unwrap_or_default();
                (key.clone(), None, key)
            }
            Source::Member { length } => {
                let key = keys::compressed(attempt);
                let name = format!("{key}@{at}");
                (key, Some(at..at + length), name)
            }
        };
        if let Some(piece) = self.pieces.get(&name) {
            return Ok(piece);
        }
        let damaged = |why: String| Unread::Damaged(format!("{}: {why}", self.bucket.address(&key)));
        let got = match self.bucket.get(&key, range).await {
            Ok(got) => got,
            Err(Trouble::NotFound) => return Err(damaged("it is missing".to_owned())),
            Err(Trouble::Unavailable { why }) => return Err(Unread::Unavailable(why)),
            Err(trouble) => return Err(damaged(format!("{trouble:?}"))),
        };
        let piece = match &segment.source {
            Source::Chunk(seal) => codec::decode(got.bytes, begins, segment.bytes, *seal).map_err(damaged)?,
            _ => match member::unpack(&got.bytes, begins) {
                Ok((piece, [])) if piece.bytes.len() as u64 == segment.bytes => piece,
                Ok(_) => return Err(damaged(format!("at byte {at} there is another member"))),
                Err(error) => return Err(damaged(format!("its member at byte {at}: {error}"))),
            },
        };
        let piece = Arc::new(piece);
        self.pieces.keep(name, &piece);
        Ok(piece)
    }

    /// Finds a line by counting newlines in segments, and reading the one that the line begins in.
    pub(super) async fn find_line(
        &self,
        attempt: &AttemptId,
        place: Place,
    ) -> Result<LineStart, ArtifactError> {
        let known = self.current(attempt).await?;
        let head = &known.head;
        let all = head.segments.iter().map(|segment| segment.newlines).sum::<u64>() + head.tail.newlines();
        let before = match place {
            Place::Line(number) => number.saturating_sub(1).min(all),
            Place::Offset(offset) => self.newlines_before(attempt, head, offset.min(head.stored())).await?,
        };
        let Some(mut newline) = before.checked_sub(1) else { return Ok(LineStart::FIRST) };
        for (begins, segment, at) in located(head) {
            if newline < segment.newlines {
                let piece = self.whole(attempt, begins, segment, at).await?;
                return self.line(attempt, before, piece.newline(newline));
            }
            newline -= segment.newlines;
        }
        self.line(attempt, before, head.tail.newline(newline))
    }

    fn line(
        &self,
        attempt: &AttemptId,
        before: u64,
        newline: Option<u64>,
    ) -> Result<LineStart, ArtifactError> {
        let wrong = || {
            let key = self.bucket.address(&keys::head(attempt));
            unavailable(attempt, format!("{key} counts other newlines than there are"))
        };
        newline.map(|newline| LineStart { number: before + 1, offset: newline + 1 }).ok_or_else(wrong)
    }

    async fn newlines_before(
        &self,
        attempt: &AttemptId,
        head: &Head,
        offset: u64,
    ) -> Result<u64, ArtifactError> {
        let mut seen = 0;
        let count = |piece: &Piece| {
            let most = usize::try_from(offset.saturating_sub(piece.offset)).unwrap_or(usize::MAX);
            piece.bytes.iter().take(most).filter(|byte| **byte == b'\n').count() as u64
        };
        for (begins, segment, at) in located(head) {
            if begins + segment.bytes > offset {
                let piece = self.whole(attempt, begins, segment, at).await?;
                return Ok(seen + count(&piece));
            }
            seen += segment.newlines;
        }
        Ok(seen + count(&head.tail))
    }

    /// A segment's bytes, or the error that says why not.
    async fn whole(
        &self,
        attempt: &AttemptId,
        begins: u64,
        segment: &Segment,
        at: u64,
    ) -> Result<Arc<Piece>, ArtifactError> {
        self.piece(attempt, begins, segment, at).await.map_err(|unread| match unread {
            Unread::Unavailable(why) => unavailable(attempt, why),
            Unread::Damaged(why) => damaged(attempt, begins, begins, segment, why),
        })
    }

    pub(super) fn explain(&self, attempt: &AttemptId, key: &str, trouble: Trouble) -> ArtifactError {
        match trouble {
            Trouble::Unavailable { why } => unavailable(attempt, why),
            other => unavailable(attempt, format!("{}: {other:?}", self.bucket.address(key))),
        }
    }
}

fn damaged(attempt: &AttemptId, offset: u64, begins: u64, segment: &Segment, why: String) -> ArtifactError {
    ArtifactError::Damaged { attempt: attempt.clone(), offset, until: begins + segment.bytes, why }
}

/// Each segment with where it begins in the log, and in the compressed object.
pub(super) fn located(head: &Head) -> impl Iterator<Item = (u64, &Segment, u64)> {
    let (mut begins, mut at) = (0, 0);
    head.segments.iter().map(move |segment| {
        let located = (begins, segment, at);
        begins += segment.bytes;
        if let Source::Member { length } = segment.source {
            at += length;
        }
        located
    })
}

/// The key of a segment that is a chunk.
pub(super) fn chunk_key(attempt: &AttemptId, offset: u64, segment: &Segment) -> Option<String> {
    match segment.source {
        Source::Chunk(seal) => Some(keys::chunk(attempt, offset, segment.bytes, seal.crc)),
        Source::Member { .. } | Source::Lost { .. } => None,
    }
}

/// Adds what of a piece follows a part, up to `end`, with the times that hold there.
fn add(part: &mut LogPart, piece: &Piece, end: u64) {
    let from = part.offset + part.bytes.len() as u64;
    if from >= end.min(piece.end()) || from < piece.offset {
        return;
    }
    let until = end.min(piece.end());
    let index = |offset: u64| usize::try_from(offset - piece.offset).unwrap_or(usize::MAX);
    part.bytes.extend_from_slice(piece.bytes.get(index(from)..index(until)).unwrap_or_default());
    let holds = piece.times.partition_point(|time| time.offset <= from).saturating_sub(1);
    for time in piece.times.iter().skip(holds).filter(|time| time.offset < until) {
        if part.times.last().is_none_or(|last| last.offset < time.offset) {
            part.times.push(*time);
        }
    }
}
