//! Pieces that were read or written lately. Invariant: an object under a key never changes, so what is remembered of it is right
//! for ever; and so many bytes are remembered at most.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use super::piece::Piece;

#[derive(Debug)]
pub(super) struct Cache {
    most: usize,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    /// What was used last is at the end.
    pieces: VecDeque<(String, Arc<Piece>)>,
    weight: usize,
}

impl Cache {
    pub(super) fn new(most: usize) -> Self {
        Self { most, kept: Mutex::default() }
    }

    pub(super) fn get(&self, name: &str) -> Option<Arc<Piece>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let index = kept.pieces.iter().position(|(kept, _)| kept == name)?;
        let found = kept.pieces.remove(index)?;
        let piece = Arc::clone(&found.1);
        kept.pieces.push_back(found);
        Some(piece)
    }

    /// Remembers a piece, and forgets what was not used for longest where there is no room.
    pub(super) fn keep(&self, name: String, piece: &Arc<Piece>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.pieces.iter().any(|(kept, _)| *kept == name) {
            return;
        }
        kept.weight += piece.weight();
        kept.pieces.push_back((name, Arc::clone(piece)));
        while kept.weight > self.most
            && let Some((_, oldest)) = kept.pieces.pop_front()
        {
            kept.weight -= oldest.weight();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_used_last_is_kept_and_no_more_than_there_is_room_for() {
        let cache = Cache::new(1_000);
        let piece = |bytes| Arc::new(Piece { bytes: vec![0; bytes], ..Piece::default() });
        for number in 0..10 {
            cache.keep(number.to_string(), &piece(300));
            cache.get("0");
        }
        let kept: Vec<_> = (0..10).filter(|number| cache.get(&number.to_string()).is_some()).collect();
        assert_eq!(kept, [0, 8, 9]);
        cache.keep("too large".to_owned(), &piece(1_001));
        assert!(cache.get("too large").is_none());
        assert_eq!(cache.kept.lock().unwrap().weight, 0);
    }
}
