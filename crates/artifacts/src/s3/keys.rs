//! Where a log's objects lie: under `logs/<repository>/<build>/<run>.<attempt>/`, so that every key carries its attempt.
//! Invariant: every part of a key is a checked id or a number, so no key leads elsewhere.

use branchline_model::AttemptId;

/// What all objects of one log begin with.
fn of(attempt: &AttemptId) -> String {
    let build = &attempt.run.build;
    format!("logs/{}/{}/{}.{}/", build.repository, build.number, attempt.run.index, attempt.number)
}

/// The head.
pub(super) fn head(attempt: &AttemptId) -> String {
    of(attempt) + "head"
}

/// What all chunks begin with.
pub(super) fn chunks(attempt: &AttemptId) -> String {
    of(attempt) + "chunk/"
}

/// A chunk that begins at an offset and holds so many bytes. The checksum is part of the name, so that the same name always holds the same.
pub(super) fn chunk(attempt: &AttemptId, offset: u64, bytes: u64, crc: u32) -> String {
    format!("{}{offset:020}-{bytes}-{crc:08x}", chunks(attempt))
}

/// The whole log, compressed.
pub(super) fn compressed(attempt: &AttemptId) -> String {
    of(attempt) + "log.gz"
}
